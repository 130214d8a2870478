"""A network of the user's own: `package.module:factory`, where `factory(classes)` returns an `nn.Module`.

It maps images (B, 3, S, S) to logits (B, classes), and ends in an `nn.Linear` whose input counts as the features.
Its dropout stays as it is written; an experiment's comes on top, before that last layer.

The module is searched on Python's path, then in the folders of the experiment (`ablation.core.own_modules`); so that a
file of the user's called `queue.py` hides no other. Naming one, and the digest of its source, need no torch and import
nothing. A function of the user's for another purpose is named, found and digested alike: see `Purpose`.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ablation.core.errors import InputError, did_you_mean
from ablation.core.own_modules import beyond, folders, importing, own_imports
from ablation.core.seeds import stream, torch_stream
from ablation.core.text import listing

if TYPE_CHECKING:
    from torch import nn


class Purpose(NamedTuple):
    """What a function of the user's is for, as messages about it say."""

    field: str
    """The field of an experiment that names it."""
    what: str
    """What it is or makes."""
    form: str
    """How its name is written."""
    of: str
    """What it is a function of."""


NETWORK = Purpose("model", "network", "package.module:factory", "`classes`")

_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def is_own(model: str) -> bool:
    """Whether this names a factory of the user's, rather than a network that the program knows."""
    return ":" in model


def missing_module(reference: str, purpose: Purpose = NETWORK, inside: Sequence[Path] | None = None) -> str:
    """'' where the module of `package.module:function` is there, or a message. Nothing is imported.

    inside: the folders to look in behind Python's path, by default `own_modules.folders()`.
    """
    if not _FORM.fullmatch(reference):
        return f"{purpose.field} = {reference!r}: write your own {purpose.what} as {purpose.form}"
    name = reference.partition(":")[0]
    inside = folders() if inside is None else inside
    home, inner = _outermost(name, inside), name.split(".")[1:]
    file = home.joinpath(*inner) if home is not None and (home.is_dir() or not inner) else None
    if home is None and _without_source(name, inside):
        why = f"module {name!r} has no Python source to be found, as it is built into Python, or compiled"
        return f"{purpose.field} = {reference!r}: {why}; write the function in a .py file of your own"
    if file is None or not (file.exists() or file.with_suffix(".py").is_file()):
        where = listing(map(str, inside), last="or")
        return f"{purpose.field} = {reference!r}: no module {name!r} on Python's path or in {where}{beyond()}"
    return ""


def source_digest(reference: str, purpose: Purpose = NETWORK, inside: Sequence[Path] | None = None) -> str:
    """SHA-256 (64 hexadecimal digits) over the Python source that the function stands in.

    That is every .py file of the module's outermost package, or the one file: their paths within it and their bytes,
    in the order of their names; where they lie and when they were written takes no part. Then the other modules of the
    user's own that this source imports, by their paths from the folder that they are in (`own_modules.own_imports`);
    what it imports from Python's path takes no part. inside: as in `missing_module`. Raises InputError where there is
    no such module.
    """
    home, files = _source(reference, purpose, inside)
    digest = hashlib.sha256()
    named = {home.name: home} if home.is_file() else {file.relative_to(home).as_posix(): file for file in files}
    for name, file in (*sorted(named.items()), *sorted(own_imports(files, inside).items())):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def source_files(reference: str) -> dict[str, Path]:
    """The files that `source_digest` is over, by their paths from the folder that Python finds them in."""
    home, files = _source(reference)
    return own_imports(files) | {file.relative_to(home.parent).as_posix(): file for file in files}


def _source(
    reference: str, purpose: Purpose = NETWORK, inside: Sequence[Path] | None = None
) -> tuple[Path, list[Path]]:
    """The module's outermost package, with its files of Python source; or its file, and that alone."""
    if wrong := missing_module(reference, purpose, inside):
        raise InputError(wrong)
    home = _outermost(reference.partition(":")[0], folders() if inside is None else inside)
    assert home is not None  # else its module were missing
    return home, [home] if home.is_file() else sorted(home.rglob("*.py"))


def make(reference: str, classes: int) -> nn.Module:
    """The user's network for so many classes. Raises InputError where the factory is not there or makes no network."""
    from torch import nn

    with torch_stream(0, "init", "import"):  # what a module draws on its way in takes nothing from who comes after
        factory = function_of(reference)
    call = f"{reference.partition(':')[2]}({classes})"
    try:
        with importing():  # what it imports when it is called
            network = factory(classes)
    except Exception as error:  # the user's own code raises what it likes
        raise InputError(f"model = {reference!r}: {call} failed: {reason_and_line(error)}") from error
    if not isinstance(network, nn.Module):
        made = type(network).__name__
        raise InputError(f"model = {reference!r}: {call} returned {made}; return an nn.Module")
    linear = [(path, module) for path, module in network.named_modules() if path and isinstance(module, nn.Linear)]
    if not linear:
        raise InputError(f"model = {reference!r}: it has no nn.Linear; end it in one, from its features to the classes")
    path, head = linear[-1]
    if head.out_features != classes or not head.in_features:
        maps = f"its last nn.Linear ({path}) maps {head.in_features} numbers to {head.out_features}"
        raise InputError(f"model = {reference!r}: {maps}; it must map the features to the {classes} classes")
    return network


@contextmanager
def shaken(network: nn.Module) -> Iterator[None]:
    """Within the block the network is in evaluation, and each weight is some other of the same sign, or no longer 0."""
    import torch

    modes = {module: module.training for module in network.modules()}
    weights = {parameter: parameter.detach().clone() for parameter in network.parameters()}
    try:
        network.eval()
        draws = stream(0, "init", "shaken")
        with torch.no_grad():
            for parameter, before in weights.items():
                noise = 0.1 * torch.from_numpy(draws.standard_normal(tuple(parameter.shape), "float32"))
                noise = noise.to(before.device)
                parameter.copy_(torch.where(before == 0, noise, before * noise.exp()))
        yield
    finally:
        with torch.no_grad():
            for parameter, before in weights.items():
                parameter.copy_(before)
        for module, training in modes.items():
            module.training = training


def answer(network: nn.Module, side: int) -> object:
    """What the network makes of two images of noise, always the same; None where it fails."""
    import torch

    images = torch.from_numpy(stream(0, "init", "tried").standard_normal((2, 3, side, side), "float32"))
    try:
        with torch_stream(0, "init", "tried"), torch.no_grad():
            return network(images)
    except Exception:  # the user's own code raises what it likes
        return None


def check(reference: str, classes: int, path: str, theirs: object, ours: object) -> None:
    """Raise InputError unless two images had logits, and the same ones with the layer at `path` put after all else."""
    import torch

    shape = tuple(getattr(theirs, "shape", ()))
    if not isinstance(theirs, torch.Tensor) or shape != (2, classes):
        made = " x ".join(map(str, shape)) or type(theirs).__name__
        raise InputError(f"model = {reference!r}: it answers 2 images with {made}; return logits, 2 x {classes}")
    if not theirs.isfinite().all():
        return
    near = 1e-4 * theirs.abs().max().item()  # a mean instead of torch's pooling rounds otherwise
    if not (isinstance(ours, torch.Tensor) and ours.shape == shape and torch.allclose(ours, theirs, rtol=0, atol=near)):
        raise InputError(
            f"model = {reference!r}: its last nn.Linear ({path}) is not its last operation; write it as the last of "
            "the network's layers, and return what it gives (no softmax, and no scale after it)"
        )


def function_of(reference: str, purpose: Purpose = NETWORK) -> Callable[..., Any]:
    """The user's function, its module imported. Raises InputError where there is none, or its module cannot be read."""
    if wrong := missing_module(reference, purpose):
        raise InputError(wrong)
    name, _, attribute = reference.partition(":")
    given = f"{purpose.field} = {reference!r}"
    try:
        with importing():
            module = importlib.import_module(name)
    except Exception as error:  # as above
        raise InputError(f"{given}: importing {name} failed: {reason_and_line(error)}") from error
    where = getattr(module, "__file__", None) or name
    if not hasattr(module, attribute):
        suggestion = did_you_mean(attribute, [name for name in vars(module) if not name.startswith("_")])
        raise InputError(f"{given}: {where} has no {attribute!r}{suggestion}")
    function: Callable[..., Any] = getattr(module, attribute)
    if not callable(function):
        made = type(function).__name__
        raise InputError(f"{given}: {attribute} in {where} is {made}; make it a function of {purpose.of}")
    return function


def _without_source(name: str, inside: Sequence[Path]) -> bool:
    """Whether a dotted name begins with a module that Python finds, but no source of it."""
    try:
        return _spec(name.partition(".")[0], inside) is not None
    except ValueError:  # __main__ and its like
        return False


def _spec(top: str, inside: Sequence[Path]) -> ModuleSpec | None:
    return find_spec(top) or PathFinder.find_spec(top, list(map(str, inside)))


def _outermost(name: str, inside: Sequence[Path]) -> Path | None:
    """The folder of the outermost package of a dotted name, or its file; None where there is none of Python source."""
    top = name.partition(".")[0]
    importlib.invalidate_caches()  # a file may have been written a moment ago
    try:
        spec = _spec(top, inside)
    except ValueError:  # __main__ and its like, which lie nowhere
        return None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None


def reason_and_line(error: Exception) -> str:
    """The error in a line, and the line of the user's that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
