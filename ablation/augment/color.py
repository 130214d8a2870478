"""Colour: brightness and contrast, as torchvision's `ColorJitter` does each of them, with one factor per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from ablation.augment.operation import Array, Draws
from ablation.values import NonNegative, Range, value

if TYPE_CHECKING:
    from torch import Tensor

Jitter = NonNegative | Annotated[tuple[float, float], Range(low=0)]
"""A magnitude m, for factors in [max(0, 1 - m), 1 + m], or the factors' two bounds."""

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, with torchvision's rounding of the first


@value
class Brightness:
    """Multiplies a picture by a factor, clamped to [0, 1]: `torchvision...adjust_brightness`."""

    brightness: Jitter

    uniforms: ClassVar[int] = 1

    def check(self):
        yield from _check_bounds("brightness", self.brightness)

    def draw(self, uniforms: Array, aspect: Array) -> Draws:
        """`{"factor": (N,)}` from `uniforms` (N, 1)."""
        return _draw_factor(uniforms, self.brightness)

    def apply(self, images: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        return (images * _per_sample(parameters["factor"])).clamp(0, 1)


@value
class Contrast:
    """Blends a picture with the mean of its own grey version, clamped to [0, 1]: `torchvision...adjust_contrast`."""

    contrast: Jitter

    uniforms: ClassVar[int] = 1

    def check(self):
        yield from _check_bounds("contrast", self.contrast)

    def draw(self, uniforms: Array, aspect: Array) -> Draws:
        """`{"factor": (N,)}` from `uniforms` (N, 1)."""
        return _draw_factor(uniforms, self.contrast)

    def apply(self, images: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        factor = _per_sample(parameters["factor"])
        red, green, blue = images.mean(dim=(2, 3)).unbind(dim=1)
        grey = _per_sample(LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)
        return (factor * images + (1 - factor) * grey).clamp(0, 1)


def _check_bounds(name: str, jitter: float | tuple[float, float]):
    if isinstance(jitter, tuple) and jitter[0] > jitter[1]:
        yield f"{name} = {jitter}: the lower bound comes first"


def _draw_factor(uniforms: Array, jitter: float | tuple[float, float]) -> Draws:
    low, high = jitter if isinstance(jitter, tuple) else (max(0.0, 1 - jitter), 1 + jitter)
    return {"factor": (low + (high - low) * uniforms[:, 0]).astype(np.float32)}


def _per_sample(parameter: Tensor) -> Tensor:
    return parameter.view(-1, 1, 1, 1)
