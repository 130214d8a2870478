"""Detail: operations on the neighbourhood of each pixel. Sizes are in pixels of the picture as it is at that point:
of the image size, or of the cached square before any geometric operation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from ablation.augment.operation import Array, Draws, between, keys, ordered
from ablation.augment.operations.color import per_sample
from ablation.core.values import Count, NonNegative, Positive, Probability, Range, value

if TYPE_CHECKING:
    from torch import Tensor


@value
class RandomAdjustSharpness:
    """Blends the picture with a smoothed one, with probability `p`: 0 smooths, 1 changes nothing, 2 sharpens."""

    sharpness_factor: NonNegative
    p: Probability = 0.5

    uniforms: ClassVar[int] = 0

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"factor": (N,)}`, the same for all."""
        return {"factor": np.full(len(frame), self.sharpness_factor, np.float32)}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        if min(images.shape[2:]) <= 2:
            return images
        sharpened, inner = images.clone(), images[:, :, 1:-1, 1:-1]
        # ones around a five, over 13
        rows = (images[:, :, :-2] + images[:, :, 1:-1]).add_(images[:, :, 2:])
        smooth = (
            (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:]).add_(inner, alpha=4).mul_(1 / 13)
        )  # a five in ones
        sharpened[:, :, 1:-1, 1:-1] += (smooth - inner).mul_(1 - per_sample(drawn["factor"]))
        return sharpened.clamp_(0, 1)


@value
class GaussianBlur:
    """Smooths with a Gaussian of random width; pictures are mirrored at their edges.

    kernel_size: pixels, odd; one number, or (across, down). sigma: the width in pixels, or its two bounds.
    """

    kernel_size: Count | tuple[Count, Count]
    sigma: Positive | Annotated[tuple[float, float], Range(above=0)] = (0.1, 2.0)

    uniforms: ClassVar[int] = 1

    def check(self):
        yield from ordered("sigma", self.sigma)
        if any(size % 2 == 0 for size in self._sizes()):
            yield f"kernel_size = {self.kernel_size}: a kernel has an odd number of pixels"

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
class GaussianNoise:
    """Adds noise to each pixel and channel: normal, of this mean and standard deviation (levels from 0 to 1)."""

    mean: float = 0.0
    sigma: NonNegative = 0.1
    clip: bool = True

    uniforms: ClassVar[int] = 1

    def check(self):
        if not self.clip:
            yield "clip = False: pictures stay in [0, 1] here, as the operations after this one expect"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"key": (N,)}`, int64, from which the noise is made."""
        return {"key": keys(uniforms[:, 0])}

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        from ablation.augment.noise import normal

        noise = normal(drawn["key"], math.prod(images.shape[1:])).view(images.shape)
        return (images + (noise * self.sigma + self.mean)).clamp_(0, 1)
