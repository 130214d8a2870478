"""What a network costs before anything is trained: numbers that it holds, arithmetic, and memory for one image.

Asking again costs nothing: what was counted is remembered in the cache folder; torch is imported only to count anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablation.durable import write_json
from ablation.errors import InputError

if TYPE_CHECKING:
    from ablation.models.macs import Kept, Layer
    from ablation.models.networks import Classifier

FILE = "counts.json"
COUNTS_VERSION = 1
"""Raised when a change of this program changes what is counted; what was remembered is then counted anew."""


@dataclass(frozen=True)
class Asked:
    """A network as an experiment asks for it: the fields of a run that can change what it costs."""

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
        if ":" in self.model:
            from ablation.models.own import source_digest

            content.append(source_digest(self.model))
        digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()
        return f"{self.model} {self.image_size} px {digest}"


@dataclass(frozen=True)
class Counts:
    """MACs and kept bytes are of one image; parameters and buffers are numbers, of four bytes each."""

    parameters: int
    trainable: int
    buffers: int
    calls: int
    """Modules without children that a forward pass calls: what it costs a GPU to be asked."""
    macs: int
    """Multiply-accumulates of convolutions, linear layers and the matrix products of attention, forward."""
    training_macs: int
    """The same, forward and backward."""
    thop: int
    """As the package thop counts."""
    kept_float32: int
    """Bytes kept for the backward pass, trained in float32 (on a CPU)."""
    kept_bfloat16: int
    """The same under bfloat16 autocast (on CUDA)."""
    copies_bfloat16: int
    """Bytes kept under autocast whatever the batch: the weights in bfloat16."""
    matrices: int
    """Trainable numbers in the backbone's matrices: those that Muon takes."""
    factored: int
    """Numbers that Adafactor keeps for the trainable parameters."""

    @property
    def flops(self) -> int:
        """Floating-point operations of one forward pass: 1 MAC is a multiplication and an addition."""
        return 2 * self.macs

    def kept(self, precision: str) -> int:
        """Bytes that one image keeps for the backward pass."""
        return self.kept_float32 if precision == "float32" else self.kept_bfloat16


def network(asked: Asked) -> Classifier:
    """The network without its weights, on the device "meta". Raises InputError for one that cannot be built."""
    from ablation.models.freezing import freeze
    from ablation.models.macs import Unfilled
    from ablation.models.networks import build

    with Unfilled():
        model = build(
            asked.model,
            asked.classes,
            stem=asked.stem,
            stochastic_depth=asked.stochastic_depth,
            image_size=asked.image_size,
        )
    freeze(model, asked.freeze, asked.frozen_batch_norm)
    return model


def count(asked: Asked) -> Counts:
    """Counted on shapes alone, in about two seconds. Raises InputError where the network does not take such images."""
    return look_at(asked)[2]


def look_at(asked: Asked) -> tuple[Classifier, tuple[Layer, ...], Counts]:
    """The network, each of its modules, and what they add up to. Raises as `count`."""
    from ablation.models.macs import kept, layers

    model = network(asked)
    try:
        found = layers(model, asked.image_size)
        single, half = (kept(model, asked.image_size, precision) for precision in ("float32", "bfloat16"))
    except (RuntimeError, ValueError, AssertionError) as error:  # torchvision asserts the size of a ViT
        side, reason = asked.image_size, str(error).strip().splitlines()[0]
        raise InputError(f"{asked.model} does not take images of {side} x {side} pixels: {reason}") from error
    return model, found, _counts(model, found, single, half)


def _counts(model: Classifier, found: tuple[Layer, ...], single: Kept, half: Kept) -> Counts:
    learned = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    parents = {layer.name.rpartition(".")[0] for layer in found if layer.name}
    return Counts(
        parameters=sum(layer.parameters for layer in found),
        trainable=sum(layer.trainable for layer in found),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        calls=sum(layer.name not in parents for layer in found),
        macs=sum(layer.macs for layer in found),
        training_macs=sum(layer.training_macs for layer in found),
        thop=sum(layer.thop for layer in found),
        kept_float32=single.per_image,
        kept_bfloat16=half.per_image,
        copies_bfloat16=half.per_step,
        matrices=sum(weight.numel() for name, weight in learned if weight.ndim == 2 and not name.startswith("head.")),
        factored=sum(_factored(tuple(parameter.shape)) for _, parameter in learned),
    )


def _factored(shape: tuple[int, ...]) -> int:
    """Adafactor keeps a mean over the last axis and one over the axis before it, or all of a vector."""
    numbers = 1
    for side in shape:
        numbers *= side
    return numbers // shape[-1] + numbers // shape[-2] if len(shape) > 1 else numbers


def counted(asked: Asked, cache: Path) -> Counts:
    """The counts as remembered in `cache`, or counted and remembered. torch is imported only for the latter."""
    path, key = cache / FILE, asked.key
    known = _read(path)
    if key not in known:
        made = count(asked)
        write_json(path, {**_read(path), key: asdict(made)})  # read again: others may have counted meanwhile
        return made
    return Counts(**known[key])


def _read(path: Path) -> Mapping[str, Any]:
    """{} for a file that is not there, or is damaged: it can be made again."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
