"""What a network costs before anything is trained: numbers that it holds, arithmetic, and memory for one image.

Asking again costs nothing: what was counted is remembered in the cache folder; torch is imported only to count anew.
"""

from __future__ import annotations

import hashlib
import json
import sysconfig
import traceback
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablation.core.errors import InputError
from ablation.core.files import write_json
from ablation.core.seeds import torch_stream
from ablation.models.own import is_own, source_digest

if TYPE_CHECKING:
    from ablation.models.networks import Classifier
    from ablation.training.cost.macs import Kept, Layer

FILE = "counts.json"
COUNTS_VERSION = 2
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
        if is_own(self.model):
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


def network(asked: Asked, filled: bool = False) -> Classifier:
    """The network without its weights, on the device "meta"; or `filled`, with them, on the CPU.

    Raises InputError for one that cannot be built.
    """
    from ablation.models.freezing import freeze
    from ablation.models.networks import build
    from ablation.training.cost.macs import Unfilled

    with nullcontext() if filled else Unfilled():
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
    """The network, each of its modules, and what they add up to. Raises as `count`.

    A network of the user's own may do what shapes alone cannot answer: it is then counted by a real pass on the CPU.
    """
    try:
        return _looked_at(network(asked), asked.image_size)
    except Exception as error:  # the user's own code raises what it likes; torchvision asserts the size of a ViT
        if is_own(asked.model):
            return _really(asked)
        if isinstance(error, InputError):
            raise
        raise _refused(asked, error) from error


def _really(asked: Asked) -> tuple[Classifier, tuple[Layer, ...], Counts]:
    """The same, computed. Raises InputError where the network is to blame, and where it only cannot be counted."""
    from torch import no_grad, zeros

    model = network(asked, filled=True)
    try:
        with no_grad(), torch_stream(0, "count"):
            model(zeros(2, 3, asked.image_size, asked.image_size))
    except Exception as error:
        raise _refused(asked, error) from error
    try:
        return _looked_at(model, asked.image_size, fake=False)
    except Exception as error:
        raise InputError(f"{asked.model} cannot be counted: {_reason(error)}") from error


def _refused(asked: Asked, error: Exception) -> InputError:
    side = asked.image_size
    return InputError(f"{asked.model} does not take images of {side} x {side} pixels: {_reason(error)}")


def _reason(error: Exception) -> str:
    """What was raised, in a line, and the last line of the user's own code on the way there."""
    libraries = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib", "purelib")]
    others = (*libraries, Path(__file__).parents[2])
    told = (str(error).strip() or type(error).__name__).splitlines()[0]
    if not isinstance(error, RuntimeError | ValueError | AssertionError):
        told = f"{type(error).__name__}: {told}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(Path(frame.filename).is_relative_to(folder) for folder in others):
            return f"{told} ({frame.filename}:{frame.lineno})"
    return told


def _looked_at(model: Classifier, size: int, fake: bool = True) -> tuple[Classifier, tuple[Layer, ...], Counts]:
    from ablation.training.cost.macs import kept, layers

    found, single = layers(model, size, fake), kept(model, size, "float32", fake)
    try:
        half = kept(model, size, "bfloat16", fake) if fake else single
    except Exception:  # an operation that asks the GPU itself, as an LSTM does: no less is kept in float32
        half = single
    return model, found, _counts(model, found, single, half)


def _counts(model: Classifier, found: tuple[Layer, ...], single: Kept, half: Kept) -> Counts:
    from ablation.optim.build import matrices

    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
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
        matrices=sum(weight.numel() for weight in matrices(model)),
        factored=sum(_factored(tuple(parameter.shape)) for parameter in learned),
    )


def _factored(shape: tuple[int, ...]) -> int:
    """Adafactor keeps a mean over the last axis and one over the axis before it, or all of a vector."""
    numbers = 1
    for side in shape:
        numbers *= side
    return numbers // shape[-1] + numbers // shape[-2] if len(shape) > 1 else numbers


def counted(asked: Asked, cache: Path) -> Counts:
    """The counts as remembered in `cache`, or counted and, where it can be written, remembered.

    torch is imported only to count.
    """
    path, key = cache / FILE, asked.key
    known = _counts_in(_read(path).get(key))
    if known is None:
        known = count(asked)
        with suppress(OSError):  # a full disk, or a folder that may not be written: it is counted again next time
            write_json(path, {**_read(path), key: asdict(known)})  # read again: others may have counted meanwhile
    return known


def _counts_in(form: Any) -> Counts | None:
    """None where nothing was counted, or the entry is damaged: it can be counted again."""
    names = {field.name for field in fields(Counts)}
    whole = isinstance(form, dict) and form.keys() == names and all(isinstance(part, int) for part in form.values())
    return Counts(**form) if whole else None


def _read(path: Path) -> Mapping[str, Any]:
    """{} for a file that is not there, or is damaged: it can be made again."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
