"""Blur, sharpness and noise: operations on the neighbourhood of each pixel. Sizes are in pixels of the picture there:
of the image size, or of the cached square before any geometric operation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from ablation.augment.captions import multiplied
from ablation.augment.operation import Array, Draws, PixelOperation, Sample, between, keys, times
from ablation.augment.operations.color import per_sample
from ablation.core.text import MINUS
from ablation.core.values import Count, NonNegative, Positive, Probability, Range, value

if TYPE_CHECKING:
    from torch import Tensor


@value
class RandomAdjustSharpness(PixelOperation):
    """Blends the picture with a smoothed one, with probability `p`: 0 smooths, 1 changes nothing, 2 sharpens.

    >>> recipe = (RandomAdjustSharpness(2),)
    """

    sharpness_factor: NonNegative
    p: Probability = 0.5

    neutral = {"sharpness_factor": 1}

    def scaled(self, factor: float) -> RandomAdjustSharpness:
        return replace(self, sharpness_factor=times(self.sharpness_factor, factor, about=1, low=0))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return multiplied("sharpness", drawn["factor"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"factor": (N,)}`, the same for all."""
        return {"factor": np.full(len(frame), self.sharpness_factor, np.float32)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        if min(images.shape[2:]) <= 2:
            return images
        sharpened, inner = images.clone(), images[:, :, 1:-1, 1:-1]
        rows = (images[:, :, :-2] + images[:, :, 1:-1]).add_(images[:, :, 2:])
        smooth = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:])  # nine ones; below, a five among ones
        smooth = smooth.add_(inner, alpha=4).mul_(1 / 13)
        sharpened[:, :, 1:-1, 1:-1] += (smooth - inner).mul_(1 - per_sample(drawn["factor"]))
        return sharpened.clamp_(0, 1)


@value
class GaussianBlur(PixelOperation):
    """Smooths with a Gaussian of random width; pictures are mirrored at their edges.

    kernel_size: pixels, odd; one number, or (across, down). sigma: the width in pixels, or its two bounds.

    >>> recipe = (GaussianBlur(5),)
    """

    kernel_size: Count | tuple[Count, Count]
    sigma: Positive | Annotated[tuple[float, float], Range(above=0)] = (0.1, 2.0)

    uniforms: ClassVar[int] = 1
    intervals = ("sigma",)

    def check(self) -> Iterator[str]:
        yield from super().check()
        if any(size % 2 == 0 for size in self._sizes()):
            yield f"kernel_size = {self.kernel_size}: a kernel has an odd number of pixels"

    def scaled(self, factor: float) -> GaussianBlur:
        return replace(self, sigma=times(self.sigma, factor))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"blur σ {drawn['sigma']:.2g} px"

    def _sizes(self) -> tuple[int, int]:
        return self.kernel_size if isinstance(self.kernel_size, tuple) else (self.kernel_size, self.kernel_size)

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"sigma": (N,)}` in pixels."""
        low, high = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        return {"sigma": between(uniforms[:, 0], low, high).astype(np.float32)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        from ablation.augment.resample import gaussian, separable

        (width, height), (across, down) = (images.shape[3], images.shape[2]), self._sizes()
        return separable(images, gaussian(drawn["sigma"], across, width), gaussian(drawn["sigma"], down, height))


@value
class GaussianNoise(PixelOperation):
    """Adds noise to each pixel and channel: normal, of this mean and standard deviation (levels from 0 to 1).

    >>> recipe = (GaussianNoise(sigma=0.05),)
    """

    mean: float = 0.0
    sigma: NonNegative = 0.1
    clip: bool = True

    uniforms: ClassVar[int] = 1
    neutral = {"mean": 0, "sigma": 0}

    def check(self) -> Iterator[str]:
        if not self.clip:
            yield "clip = False: pictures stay in [0, 1] here, as the operations after this one expect"

    def describe(self, drawn: Sample, frame: Array) -> str:
        mean = f", mean {self.mean:+.2g}".replace("-", MINUS) if self.mean else ""
        return f"noise σ {self.sigma:.2g}{mean}" if self.sigma or mean else ""

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"key": (N,)}`, int64, from which the noise is made."""
        return {"key": keys(uniforms[:, 0])}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        from ablation.augment.noise import normal

        noise = normal(drawn["key"], math.prod(images.shape[1:])).view(images.shape)
        return (images + (noise * self.sigma + self.mean)).clamp_(0, 1)
