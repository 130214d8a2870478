"""What an experiment may choose of a network, known without importing torch: its name, and what that network can take.

Importing torchvision takes seconds, and planning a grid needs only to tell a name from a misspelt one; so the names of
the networks and of their published weights are read off the installed torchvision's own source. The `wrong_*`
functions give '' or what is wrong, for whoever checks an experiment before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ablation.core.errors import did_you_mean
from ablation.core.values import Whole
from ablation.models.own import is_own, missing_module

Stem = Literal["torchvision", "small"]
"""How a network begins: as torchvision builds it, or for small images."""
Freeze = Literal["backbone"] | Whole
"""What is not trained: all but the head, or so many layers from the first."""
FrozenBatchNorm = Literal["eval", "train"]
"""Whether batch norms that are not trained keep their statistics, or go on gathering them."""
CHOICES = ("model", "stem", "weights", "stochastic_depth")
"""The fields of an experiment that must suit each other, in the order of `wrong_choices`."""

SMALL = ("shallow_cnn", "lenet")
"""Networks of this package, for small images."""
SMALL_STEM = ("resnet", "resnext", "wide_resnet")
"""The families that have a stem for small images, by how their names begin."""
STOCHASTIC_DEPTH = (*SMALL_STEM, "convnext", "efficientnet", "maxvit", "swin")
"""The families whose residual branches stochastic depth can drop; RegNets and ViTs cannot have it."""

_REGISTERED = re.compile(r"^@register_model\((?:name=)?[\"']?(\w*)[\"']?\)(?:\n@.*)*\ndef (\w+)", re.MULTILINE)
_TAKES = re.compile(r"^def (\w+)\(\s*\*,\s*weights: Optional\[(\w+_Weights)\]", re.MULTILINE)
_PUBLISHED = re.compile(r"^class (\w+_Weights)\(WeightsEnum\):\n((?:(?:    .*|\s*)\n)*)", re.MULTILINE)
_MEMBER = re.compile(r"^    ([A-Z0-9_]+) = (\w+)", re.MULTILINE)
_NO_LINEAR_HEAD = ("squeezenet",)  # they classify by a convolution: no features "before the last linear layer"


@cache
def _sources() -> tuple[str, ...]:
    """The files of the installed torchvision's classifiers."""
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return tuple(file.read_text("utf-8") for file in sorted(folder.glob("*.py")))


@cache
def model_names() -> tuple[str, ...]:
    """Every classifier of the installed torchvision, and those of `SMALL`."""
    names = [name or function for source in _sources() for name, function in _REGISTERED.findall(source)]
    return (*SMALL, *sorted(name for name in names if not name.startswith(_NO_LINEAR_HEAD)))


@cache
def _members(model: str) -> dict[str, str]:
    """The weights that torchvision publishes for `model`, its DEFAULT last: name -> what stands for it there."""
    for source in _sources():
        published = {name: dict(_MEMBER.findall(body)) for name, body in _PUBLISHED.findall(source)}
        for function, name in _TAKES.findall(source):
            if function == model:
                return published.get(name, {})
    return {}


def weights_names(model: str) -> tuple[str, ...]:
    """The weights that torchvision publishes for `model`, its DEFAULT last; () for a network that is not its own."""
    return tuple(_members(model))


def weights_proper(name: str, model: str) -> str:
    """The weights that `name` stands for: DEFAULT is another name of one of the others, and of which may change."""
    members = _members(model)
    return members[name] if members.get(name) in members else name


def is_weights_name(weights: str) -> bool:
    """Whether this names published weights ("IMAGENET1K_V2"), rather than a file."""
    return re.fullmatch(r"[A-Z0-9_]+", weights) is not None


def needs_its_size(model: str) -> bool:
    """Whether a network may refuse images that are made smaller: some of torchvision's, and one's own."""
    return model.startswith(("inception", "maxvit", "vit_")) or is_own(model)


def wrong_choices(model: str, stem: str, weights: str | None, stochastic_depth: float) -> Iterator[str]:
    """Each of these that a known `model` cannot take, as a message."""
    depth = wrong_stochastic_depth(stochastic_depth, model)
    yield from filter(None, (wrong_stem(stem, model), wrong_weights(weights or "", model, stem), depth))


def wrong_model(model: str, inside: Sequence[Path] | None = None) -> str:
    """'' for a network that can be built, or a message.

    Of one's own only the module is searched: behind Python's path in `inside`, by default `own_modules.folders()`.
    """
    if is_own(model):
        return missing_module(model, inside=inside)
    if model in model_names():
        return ""
    if model.startswith(_NO_LINEAR_HEAD) and any(f"def {model}(" in source for source in _sources()):
        return f"model = {model!r} ends in a convolution, so it has no features before a linear layer; take another"
    suggestion = did_you_mean(model, model_names())
    kinds = f"any torchvision classifier, {', '.join(SMALL)}, or your own as package.module:factory"
    return f"model = {model!r} is unknown{suggestion} ({kinds})"


def wrong_weights(weights: str, model: str, stem: str = "torchvision") -> str:
    """'' for a file, or for weights that torchvision publishes for `model` with this stem; or a message."""
    names = weights_names(model)
    if not is_weights_name(weights) or (weights in names and stem == "torchvision"):
        return ""
    if weights in names:
        return f"weights = {weights!r} have torchvision's first convolution, stem = {stem!r} another; leave one out"
    if not names:
        return f"weights = {weights!r}: torchvision publishes none for {model}; give the path of a file, or None"
    suggestion = did_you_mean(weights, names)
    return f"weights = {weights!r} is unknown for {model}{suggestion} ({', '.join(names)}, or the path of a file)"


def wrong_stem(stem: str, model: str) -> str:
    """'' where `model` has this stem, or a message."""
    if stem == "torchvision" or (stem == "small" and model.startswith(SMALL_STEM) and not is_own(model)):
        return ""
    if stem != "small":
        return f"stem = {stem!r}: expected 'torchvision' or 'small'{did_you_mean(stem, ('torchvision', 'small'))}"
    return f"stem = 'small': {model} has none; the networks of {', '.join(SMALL_STEM)} do"


def wrong_stochastic_depth(rate: float, model: str) -> str:
    """'' where `model` can drop its residual branches at this rate, or a message."""
    if not 0 <= rate < 1:
        return f"stochastic_depth = {rate!r}: must be at least 0 and below 1"
    if not rate or (model.startswith(STOCHASTIC_DEPTH) and not is_own(model)):
        return ""
    return f"stochastic_depth = {rate:g}: {model} cannot have it; the networks of {', '.join(STOCHASTIC_DEPTH)} can"
