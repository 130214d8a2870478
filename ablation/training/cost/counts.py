"""What a network costs before anything is trained: numbers that it holds, arithmetic, and memory for one image.

What was counted is remembered in the cache folder; torch is imported only to count anew.
"""

from __future__ import annotations

import hashlib
import json
import traceback
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablation.core.errors import InputError
from ablation.core.own_code import is_own_file
from ablation.core.seeds import torch_stream
from ablation.core.values import Whole, value
from ablation.models.own import is_own, source_digest
from ablation.training.cost.entries import read_entries, write_entry

if TYPE_CHECKING:
    from ablation.models.networks import Classifier
    from ablation.training.cost.macs import Layer

FILE = "counts.json"
COUNTS_VERSION = 3
"""Raised when a change of this program changes what is counted; what was remembered is then counted anew."""


class NetworkRefused(InputError):
    """The network cannot be built, or does not take such images, or gives other than logits: no run of it can train."""


@dataclass(frozen=True)
class ModelConfig:
    """A network as an experiment requests it: the fields of a run that can change what it costs."""

    model: str
    classes: int
    image_size: int
    stem: str = "torchvision"
    stochastic_depth: float = 0.0
    freeze: int | Literal["backbone"] = 0
    frozen_batch_norm: Literal["eval", "train"] = "eval"

    @property
    def key(self) -> str:
        """What the counts are remembered by: all of it, the library's version, and the digest of a user's source."""
        content: list[Any] = [COUNTS_VERSION, version("torch"), version("torchvision"), asdict(self)]
        if is_own(self.model):
            content.append(source_digest(self.model))
        digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()
        return f"{self.model} {self.image_size} px {digest}"


@value
class Counts:
    """MACs and kept bytes are of one image; parameters and buffers are numbers, of four bytes each."""

    parameters: Whole
    trainable: Whole
    buffers: Whole
    calls: Whole
    """Modules without children that a forward pass calls: each costs a GPU the launch of its kernels."""
    macs: Whole
    """Multiply-accumulates of convolutions, linear layers and the matrix products of attention, forward."""
    training_macs: Whole
    """The same, forward and backward."""
    thop: Whole
    """As the package thop counts."""
    kept_float32: Whole
    """Bytes kept for the backward pass, trained in float32 (on a CPU)."""
    kept_bfloat16: Whole
    """The same under bfloat16 autocast (on CUDA)."""
    copies_bfloat16: Whole
    """Bytes kept under autocast whatever the batch: the weights in bfloat16."""
    matrices: Whole
    """Trainable numbers in the backbone's matrices: those that Muon takes."""
    factored: Whole
    """Numbers that Adafactor keeps for the trainable parameters."""

    @property
    def flops(self) -> int:
        """Floating-point operations of one forward pass: 1 MAC is a multiplication and an addition."""
        return 2 * self.macs

    def kept(self, precision: str) -> int:
        """Bytes that one image keeps for the backward pass."""
        return self.kept_float32 if precision == "float32" else self.kept_bfloat16


def network(config: ModelConfig, filled: bool = False) -> Classifier:
    """The network without its weights, on the device "meta"; or `filled`, with them, on the CPU.

    Raises InputError for one that cannot be built.
    """
    from ablation.models.freezing import freeze
    from ablation.models.networks import build
    from ablation.training.cost.macs import Unfilled

    with nullcontext() if filled else Unfilled():
        model = build(
            config.model,
            config.classes,
            stem=config.stem,
            stochastic_depth=config.stochastic_depth,
            image_size=config.image_size,
        )
    freeze(model, config.freeze, config.frozen_batch_norm)
    return model


def count(config: ModelConfig) -> Counts:
    """Counted on shapes alone, in about two seconds.

    Raises NetworkRefused where it cannot be trained on such images, InputError where it only cannot be counted.
    """
    return inspect_model(config)[2]


def inspect_model(config: ModelConfig) -> tuple[Classifier, tuple[Layer, ...], Counts]:
    """The network, each of its modules, and what they add up to. Raises as `count`.

    A network of the user's own may need what shapes alone cannot give: it is then counted by a real pass on the CPU.
    """
    try:
        model = network(config)
        parts, counts = _measure(model, config.image_size)
    except Exception as error:  # the user's own code raises what it likes; torchvision asserts the size of a ViT
        if is_own(config.model):
            return _by_a_real_pass(config)
        if isinstance(error, InputError):
            raise NetworkRefused(error.problems) from error
        raise _refused(config, error) from error
    _check_output(config, parts)
    return model, parts, counts


def _by_a_real_pass(config: ModelConfig) -> tuple[Classifier, tuple[Layer, ...], Counts]:
    """The same, computed. Raises as `count`."""
    from torch import no_grad, zeros

    try:
        model = network(config, filled=True)
    except InputError as error:
        raise NetworkRefused(error.problems) from error
    try:
        with no_grad(), torch_stream(0, "count"):
            model(zeros(2, 3, config.image_size, config.image_size))
    except Exception as error:  # whatever the user's own code raises for such images
        raise _refused(config, error) from error
    try:
        parts, counts = _measure(model, config.image_size, fake=False)
    except Exception as error:  # or when it is copied, hooked, or called with another number of images
        raise InputError(f"{config.model} cannot be counted: {_reason(error)}") from error
    _check_output(config, parts)
    return model, parts, counts


def _check_output(config: ModelConfig, parts: tuple[Layer, ...]) -> None:
    """Raise NetworkRefused where one image does not give a number a class."""
    if (shape := parts[0].output) != (config.classes,):
        given = " x ".join(map(str, shape)) or "no tensor"
        side, expected = config.image_size, f"expected a number for each of the {config.classes} classes"
        raise NetworkRefused(f"{config.model} gives {given} for an image of {side} x {side} pixels; {expected}")


def _refused(config: ModelConfig, error: Exception) -> NetworkRefused:
    """With the smallest size that a network of torchvision's takes, where that is what it lacks."""
    side, advice = config.image_size, ""
    if not is_own(config.model):
        from ablation.training.cost.smallest_size import smallest_size

        least = smallest_size(config.model, stem=config.stem)
        advice = f"; give image_size {least} or more" if least > side else ""
    return NetworkRefused(f"{config.model} does not take images of {side} x {side} pixels: {_reason(error)}{advice}")


def _reason(error: Exception) -> str:
    """What was raised, in a line, and the last line of the user's own code on the way there."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if not isinstance(error, RuntimeError | ValueError | AssertionError):
        reason = f"{type(error).__name__}: {reason}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_own_file(frame.filename):
            return f"{reason} ({frame.filename}:{frame.lineno})"
    return reason


def _measure(model: Classifier, size: int, fake: bool = True) -> tuple[tuple[Layer, ...], Counts]:
    """The modules of the network, and what they add up to."""
    from ablation.optim.build import matrices
    from ablation.training.cost.macs import kept, layers

    parts, single = layers(model, size, fake), kept(model, size, "float32", fake)
    try:
        half = kept(model, size, "bfloat16", fake) if fake else single
    except Exception:  # an operation that needs the GPU itself, as an LSTM does: no less is kept in float32
        half = single
    parents = {layer.name.rpartition(".")[0] for layer in parts if layer.name}
    return parts, Counts(
        parameters=sum(layer.parameters for layer in parts),
        trainable=sum(layer.trainable for layer in parts),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        calls=sum(layer.name not in parents for layer in parts),
        macs=sum(layer.macs for layer in parts),
        training_macs=sum(layer.training_macs for layer in parts),
        thop=sum(layer.thop for layer in parts),
        kept_float32=single.per_image,
        kept_bfloat16=half.per_image,
        copies_bfloat16=half.per_step,
        matrices=sum(weight.numel() for weight in matrices(model)),
        factored=sum(_factored(weight.shape) for weight in model.parameters() if weight.requires_grad),
    )


def _factored(shape: tuple[int, ...]) -> int:
    """Adafactor keeps a mean over the last axis and one over the axis before it, or all of a vector."""
    numbers = prod(shape)
    return numbers // shape[-1] + numbers // shape[-2] if len(shape) > 1 else numbers


def counted(config: ModelConfig, cache: Path) -> Counts:
    """The counts as remembered in `cache`, or counted and, where it can be written, remembered.

    torch is imported only to count. Raises as `count`.
    """
    path, key = cache / FILE, config.key
    known = read_entries(path, lambda form: Counts(**form)).get(key)
    if known is None:
        known = count(config)
        with suppress(OSError):  # a full disk, or a folder that may not be written: it is counted again next time
            write_entry(path, key, asdict(known))
    return known
