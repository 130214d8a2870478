"""Tone: inverting, posterizing, solarizing, equalizing, autocontrast, as torchvision's functions on float images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from ablation.augment.captions import percent
from ablation.augment.operation import Array, Draws, PixelOperation, Sample, Share, times
from ablation.augment.operations.color import per_sample
from ablation.core.text import counted
from ablation.core.values import Probability, Range, value

if TYPE_CHECKING:
    from torch import Tensor


@value
class RandomInvert(PixelOperation):
    """The negative of the picture with probability `p`.

    >>> recipe = (RandomInvert(p=0.2),)
    """

    p: Probability = 0.5

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "inverted"

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return 1 - images


@value
class RandomPosterize(PixelOperation):
    """Keeps `bits` bits of each level, with probability `p`.

    >>> recipe = (RandomPosterize(bits=3),)
    """

    bits: Annotated[int, Range(low=0, high=8)]
    p: Probability = 0.5

    neutral = {"bits": 8}

    def scaled(self, factor: float) -> RandomPosterize:
        return replace(self, bits=round(times(self.bits, factor, about=8, low=0)))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"posterised to {counted(int(drawn['bits']), 'bit')}"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"bits": (N,)}`, the same for all."""
        return {"bits": np.full(len(frame), self.bits, np.float32)}

    def idle(self, drawn: Draws) -> Array:
        """Where all 8 bits are kept."""
        return np.asarray(drawn["bits"] >= 8)

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        levels = per_sample(drawn["bits"]).exp2()
        return (images * levels).floor_().minimum(levels - 1).div_(levels)


@value
class RandomSolarize(PixelOperation):
    """Inverts the levels at or above `threshold`, in [0, 1], with probability `p`.

    >>> recipe = (RandomSolarize(threshold=0.7, p=0.2),)
    """

    threshold: Share
    p: Probability = 0.5

    def scaled(self, factor: float) -> RandomSolarize:
        return replace(self, threshold=times(self.threshold, factor, about=1, low=0))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"solarised above {percent(drawn['threshold'])}"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"threshold": (N,)}`, the same for all."""
        return {"threshold": np.full(len(frame), self.threshold, np.float32)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        dark = (per_sample(drawn["threshold"]) - images).sign_().clamp_(min=0)  # 1 below the threshold, else 0
        return (images * 2).sub_(1).mul_(dark).add_(1 - images)


@value
class RandomAutocontrast(PixelOperation):
    """Stretches each channel to the whole range of levels, with probability `p`.

    >>> recipe = (RandomAutocontrast(),)
    """

    p: Probability = 0.5

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "autocontrast"

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        least, most = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
        flat = least == most
        return (images - least.where(~flat, 0)).div_((most - least).where(~flat, 1)).clamp_(0, 1)


@value
class RandomEqualize(PixelOperation):
    """Spreads the levels of each channel evenly (Pillow's histogram equalisation), with probability `p`.

    >>> recipe = (RandomEqualize(),)
    """

    p: Probability = 0.5

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "equalised"

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return equalized(images)


def equalized(images: Tensor) -> Tensor:
    """Histogram equalisation of each channel, in 256 levels, as Pillow and torchvision compute it."""
    import torch

    planes = (images * 255.999).to(torch.int64).flatten(0, 1).flatten(1)  # as torchvision makes 256 levels of floats
    offsets = torch.arange(len(planes), device=images.device).unsqueeze(1) * 256
    counts = torch.zeros(len(planes) * 256, dtype=torch.int64, device=images.device)
    ones = counts.new_ones(1).expand(planes.numel())
    counts = counts.scatter_add_(0, (planes + offsets).flatten(), ones).view(-1, 256)
    below = counts.cumsum(dim=1)
    brightest = counts.gather(1, below.argmax(dim=1, keepdim=True))  # how many pixels have the highest level present
    step = (planes.shape[1] - brightest) // 255
    table = (below - counts + step // 2) // step.clamp(min=1)
    table = table.where(step > 0, torch.arange(256, device=images.device)).clamp_(max=255)
    return (table / 255).gather(1, planes).view(images.shape)
