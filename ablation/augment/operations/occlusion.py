"""Occlusion: a part of each picture is hidden (random erasing, cutout)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from ablation.augment.captions import share_of
from ablation.augment.operation import (
    Array,
    Draws,
    Fill,
    PixelOperation,
    Sample,
    between,
    keys,
    rgb,
    whole,
)  # fmt: skip
from ablation.core.values import Count, Probability, Range, value

if TYPE_CHECKING:
    from torch import Tensor

_TRIALS = 10  # torchvision leaves the picture as it is after this many


@value
class RandomErasing(PixelOperation):
    """Fills a rectangle of random area and aspect ratio, with probability `p` (Zhong et al. 2017, as in torchvision).

    scale: bounds of its share of the picture's area. ratio: bounds of its height / width; its logarithm is uniform.
    value: the colour, or "random" for uniform noise in [0, 1] (as in the paper; torchvision's is normal, for pictures
    that were normalised before).

    >>> RandomErasing(p=0.5, scale=(0.02, 0.2), value=0.5).scale
    (0.02, 0.2)
    """

    p: Probability = 0.5
    scale: Annotated[tuple[float, float], Range(low=0, high=1)] = (0.02, 0.33)
    ratio: Annotated[tuple[float, float], Range(above=0)] = (0.3, 3.3)
    value: Fill | Literal["random"] = 0.0

    uniforms: ClassVar[int] = 2 * _TRIALS + 3
    neutral = {"scale": 0}
    intervals = ("scale", "ratio")

    def describe(self, drawn: Sample, frame: Array) -> str:
        return share_of("erased", drawn["box"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"box": (N, 4), "key": (N,)}`; an empty box where no rectangle fitted in ten attempts."""
        size = np.floor(frame)
        area = size.prod(axis=1, keepdims=True) * between(uniforms[:, :_TRIALS], *self.scale)
        ratio = np.exp(between(uniforms[:, _TRIALS : 2 * _TRIALS], *np.log(self.ratio)))
        sides = np.stack([np.round(np.sqrt(area / ratio)), np.round(np.sqrt(area * ratio))], axis=2)
        fits: Array = np.all(sides < size[:, None], axis=2)
        side = sides[np.arange(len(frame)), fits.argmax(axis=1)] * fits.any(axis=1, keepdims=True)
        start = whole(uniforms[:, -3:-1], 0, size - side)
        box = np.concatenate([start, start + side], axis=1) / np.tile(frame, 2)
        return {"box": box.astype(np.float32), "key": keys(uniforms[:, -1])}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        from ablation.augment.noise import uniform

        if self.value == "random":
            value = uniform(drawn["key"], images[0].numel()).view(images.shape)
        else:
            value = images.new_tensor(rgb(self.value)).view(1, 3, 1, 1)
        return value.where(inside(drawn["box"], *images.shape[2:]), images)


@value
class Cutout(PixelOperation):
    """Fills a square of `length` pixels about a random pixel, cut off at the picture's edge (DeVries, Taylor 2017).

    The paper fills with 0 after normalising, which is the data's mean: give `value` for another colour than black.

    >>> recipe = (Cutout(16),)
    """

    length: Count
    value: Fill = 0.0

    uniforms: ClassVar[int] = 2
    neutral = {"length": 0}

    def scaled(self, factor: float) -> Cutout:
        return replace(self, length=max(1, round(self.length * factor)))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return share_of("cut out", drawn["box"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"box": (N, 4)}`."""
        size = np.floor(frame)
        center, half = np.floor(uniforms * size), self.length // 2
        box = np.concatenate([center - half, center - half + self.length], axis=1)
        return {"box": (box.clip(0, np.tile(size, 2)) / np.tile(frame, 2)).astype(np.float32)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        value = images.new_tensor(rgb(self.value)).view(1, 3, 1, 1)
        return value.where(inside(drawn["box"], *images.shape[2:]), images)


def inside(box: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in the boxes (B, 4), in fractions rounded to whole pixels: (B, 1, height, width) bool."""
    import torch

    left, top, right, bottom = box.view(-1, 4, 1, 1, 1).unbind(1)
    x = torch.arange(width, device=box.device).view(1, 1, 1, width)
    y = torch.arange(height, device=box.device).view(1, 1, height, 1)
    across = (x >= (left * width).round()) & (x < (right * width).round())
    return across & (y >= (top * height).round()) & (y < (bottom * height).round())
