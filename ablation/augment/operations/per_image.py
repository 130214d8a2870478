"""Anything else: a torchvision transform or a function of one's own, one image at a time. Slower, and the plan says so.

Both are named rather than handed over, so that a run's id and its spec on disk say what was done.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from ablation.augment.operation import Array, Draws, Operation, PixelOperation, Sample, keys
from ablation.core.errors import AblationError, did_you_mean, reason_of
from ablation.core.own_code import own_line
from ablation.core.own_modules import folders, importing, located, own_imports
from ablation.core.seeds import stream, torch_stream
from ablation.core.values import value

if TYPE_CHECKING:
    from torch import Tensor


class PerImage(PixelOperation):
    """Draws the key of each sample's own stream, from which it draws when it is applied."""

    uniforms: ClassVar[int] = 1
    per_image: ClassVar[bool] = True

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"key": (N,)}`, int64, which names the sample's stream."""
        return {"key": keys(uniforms[:, 0])}

    def describe(self, drawn: Sample, frame: Array) -> str:
        return self.called


@value
class TorchvisionTransform(PerImage):
    """A transform of `torchvision.transforms.v2` by its name, with its arguments.

    It sees one float picture (3, H, W) in [0, 1], and draws from this sample's stream.

    >>> TorchvisionTransform("JPEG", {"quality": (10, 50)}).name
    'JPEG'
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> str:
        return self.name

    def check(self) -> Iterator[str]:
        yield from _unkept(self.arguments)
        try:
            from torchvision.transforms import v2
        except ImportError:  # where runs are only reported
            return

        names = [name for name, kind in vars(v2).items() if inspect.isclass(kind) and issubclass(kind, v2.Transform)]
        if self.name not in names:
            yield f"name = {self.name!r} is no transform of torchvision.transforms.v2{did_you_mean(self.name, names)}"
            return
        try:
            self._made()
        except (TypeError, ValueError) as error:
            yield f"{self.name}({_listed(self.arguments)}): {error}"

    def _made(self) -> Any:
        from torchvision.transforms import v2

        return getattr(v2, self.name)(**self.arguments)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        transform = self._made()

        def transformed(image: Tensor, key: int) -> Any:
            with torch_stream(key, self.name, device=image.device):
                if self.name == "JPEG":  # the one that takes levels of 8 bits only
                    return transform((image * 255).round().byte()) / 255
                return transform(image)

        return _each(transformed, self.name, images, drawn["key"])


@value
class ImageFunction(PerImage):
    """A function of one's own, as "file.py:function" or "package.module:function".

    It is called with a float picture (3, H, W) in [0, 1], a numpy Generator to draw from, and the arguments by name;
    it returns a picture of the same shape. source: a digest of its code, filled in, so that a change makes new runs.
    File and modules are looked for in the working folder and beside the experiment file, see `core.own_modules`.

    >>> ImageFunction("colorsys:rgb_to_hsv", {"b": 0.5}).function
    'colorsys:rgb_to_hsv'
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def suggested_for(cls, given: object) -> str:
        """The end of the sentence that refuses a function, or an operation that is not listed."""
        own = callable(given) or isinstance(given, Operation)
        return "; name a function of your own as ImageFunction('file.py:function')" if own else ""

    @property
    def called(self) -> str:
        """The function's name alone, wherever its file lies."""
        return self.function.rpartition(":")[2]

    def check(self) -> Iterator[str]:
        yield from _unkept(self.arguments)
        try:
            function, digest = _load(self.function, folders())
        except (Exception, SystemExit) as error:  # the file is run, and may raise anything
            form = "write 'file.py:name' or 'package.module:name'"
            yield f"function = {self.function!r} cannot be loaded ({error}); {form}"
            return
        try:
            inspect.signature(function).bind(None, None, **self.arguments)
        except TypeError as error:
            yield f"{self.function}(picture, generator, {_listed(self.arguments)}): {error}"
        if self.source not in ("", digest):
            yield f"{self.function} has changed since this was written: its code is {digest}, not {self.source}"
        object.__setattr__(self, "source", digest)
        _checked[self.function, digest] = function

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        function = _checked.get((self.function, self.source)) or _load(self.function, folders())[0]

        def transformed(image: Tensor, key: int) -> Any:
            with torch_stream(key, self.called, device=image.device):  # should it draw from torch after all
                return function(image, stream(key, self.called), **self.arguments)

        return _each(transformed, self.function, images, drawn["key"])


def _unkept(arguments: Mapping[str, Any]) -> Iterator[str]:
    """A mistake where arguments would not come back from the spec of a run as they went in."""
    try:
        json.dumps(arguments, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"arguments = {arguments!r}: {error}; use numbers, text, lists and dicts"
        return
    names = _keys(arguments)
    if "type" in names:
        yield "arguments: none may be called 'type', which marks a value in a spec"
    elif not all(isinstance(name, str) for name in names):
        yield f"arguments = {arguments!r}: the keys of a dict are texts"


def _keys(item: Any) -> set[Any]:
    """The keys of all dicts in it."""
    if isinstance(item, Mapping):
        return set(item).union(*map(_keys, item.values()))
    return set().union(*map(_keys, item)) if isinstance(item, list | tuple) else set()


def _each(function: Callable[[Tensor, int], Any], name: str, images: Tensor, keys: Tensor) -> Tensor:
    """The function on each picture, whose result is held to its shape and clamped to [0, 1]."""
    import torch

    made = []
    for image, key in zip(images, keys.tolist(), strict=True):
        try:
            result = function(image.clone(), key)
        except Exception as error:  # whatever a function of someone else's raises
            why = f"{reason_of(error)}{own_line(error)}"
            raise AblationError(f"{name} failed on a picture {tuple(image.shape)}: {why}") from error
        if not isinstance(result, torch.Tensor) or result.shape != image.shape or not result.is_floating_point():
            tensor = isinstance(result, torch.Tensor)
            got = f"{result.dtype} {tuple(result.shape)}" if tensor else type(result).__name__
            raise AblationError(f"{name} returned {got} for a float32 picture {tuple(image.shape)}; return the same")
        if not result.isfinite().all():
            raise AblationError(f"{name} returned numbers that are not finite; levels are from 0 to 1")
        made.append(result)
    return torch.stack(made).to(images).clamp_(0, 1) if made else images


_checked: dict[tuple[str, str], Callable[..., Any]] = {}
"""The functions that were found, by their names and the digests of their code."""


@cache
def _load(path: str, inside: tuple[Path, ...]) -> tuple[Callable[..., Any], str]:
    """The function of this name, from a file or a module that is looked for in these folders, and its code's digest."""
    module, _, name = path.rpartition(":")
    with importing():
        function = getattr(_of_file(located(module)) if module.endswith(".py") else import_module(module), name)
        return function, _digest(function, inside)


def _of_file(path: Path) -> ModuleType:
    """The module that a file is, which is run once."""
    file = path.resolve()
    called = f"ablation_function_{file.stem}_{hashlib.blake2b(str(file).encode(), digest_size=8).hexdigest()}"
    if called not in sys.modules:  # it is there already while it runs, should it name its own functions
        spec = spec_from_file_location(called, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[called] = module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[called])
        except BaseException:
            del sys.modules[called]
            raise
    return sys.modules[called]


def _digest(function: Callable[..., Any], inside: tuple[Path, ...]) -> str:
    """Of the source of the module that the function is in, then of those of one's own that it imports."""
    module = inspect.getmodule(function)
    digest = hashlib.blake2b(inspect.getsource(module or function).encode(), digest_size=8)
    source = getattr(module, "__file__", None)
    for name, file in sorted(own_imports([Path(source)] if source else [], inside).items()):
        content = file.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={given!r}" for name, given in arguments.items())
