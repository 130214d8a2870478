"""A recipe as it is applied: one epoch's draws on the host, then a few batched steps on the device.

Draws are keyed by (seed, epoch, operation) and indexed by sample, so that two recipes that share an operation share
its draws, and a sample's draws depend on nothing else: not on batch, order, worker, device or the other operations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.augment.geometry import center_box, compose
from ablation.augment.operation import Array, Draws, PixelOperation
from ablation.seeds import stream

if TYPE_CHECKING:
    from torch import Tensor

    from ablation.augment import Operation


@dataclass(frozen=True)
class Resample:
    """Resize what `boxes` (N, 4) shows: all neighbouring geometric operations in one step."""

    boxes: Array


@dataclass(frozen=True)
class Adjust:
    """Apply a pixel operation with the parameters of each sample, (N, ...) each."""

    operation: PixelOperation
    parameters: Draws


def draw(recipe: tuple[Operation, ...], seed: int, epoch: int, aspect: Array) -> list[Draws]:
    """The parameters of each operation for each of the N samples of the data set, one epoch.

    The second occurrence of an operation in a recipe has a stream of its own. Magnitudes are no part of the key, so
    that two strengths of one operation see the same uniforms.
    """
    seen: Counter[str] = Counter()
    drawn = []
    for operation in recipe:
        name = type(operation).__name__
        uniforms = stream(seed, "augment", epoch, name, seen[name]).random((len(aspect), operation.uniforms))
        seen[name] += 1
        drawn.append(operation.draw(uniforms, aspect))
    return drawn


def chain(recipe: tuple[Operation, ...], drawn: list[Draws], aspect: Array) -> list[Resample | Adjust]:
    """The steps that apply these draws: neighbouring boxes composed; a centre crop first unless the recipe frames."""
    framed = any(getattr(operation, "frames", False) for operation in recipe)
    steps: list[Resample | Adjust] = [] if framed else [Resample(center_box(aspect))]
    for operation, parameters in zip(recipe, drawn, strict=True):
        if hasattr(operation, "apply"):
            steps.append(Adjust(operation, parameters))
        elif steps and isinstance(steps[-1], Resample):
            steps[-1] = Resample(compose(steps[-1].boxes, parameters["box"]))
        else:
            steps.append(Resample(parameters["box"]))
    return steps


def apply(steps: list[Resample | Adjust], images: Tensor, samples: Array, size: int) -> Tensor:
    """The augmented batch (B, 3, size, size), float32 in [0, 1].

    images: (B, 3, R, R) uint8, the cached squares. samples: (B,) their rows in the draws.
    """
    import torch

    from ablation.augment.resample import resample

    def on_device(parameters: Array) -> Tensor:
        return torch.from_numpy(parameters[samples]).to(images.device, non_blocking=True)

    pixels = images.to(torch.float32) / 255
    with torch.autocast(images.device.type, enabled=False):  # the same maths on every device, whoever calls
        for step in steps:
            if isinstance(step, Resample):
                pixels = resample(pixels, on_device(step.boxes), size)
            else:
                drawn = {name: on_device(parameter) for name, parameter in step.parameters.items()}
                pixels = step.operation.apply(pixels, drawn)
    return pixels
