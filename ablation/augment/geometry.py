"""Geometry: which part of the picture the network sees. Each operation draws a box; boxes compose into one resampling.

A box is (left, top, right, bottom) in fractions of the picture, (0, 0, 1, 1) being all of it; left > right mirrors it.
Pictures are stored stretched to squares (see `ablation.data.cache`), so boxes are computed in the original picture's
proportions, given as `aspect` = width / height. Draws are numpy, made on the host for a whole epoch: no torch here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from ablation.augment.operation import Array, Draws
from ablation.values import Probability, Range, value

_TRIALS = 10  # torchvision gives up and takes a central crop after this many


@value
class RandomResizedCrop:
    """A box of random area and aspect ratio, resized to the image size (Szegedy et al. 2015, as torchvision draws it).

    `scale`: bounds of the box's share of the picture's area. `ratio`: bounds of its width / height in the original
    picture's proportions; its logarithm is uniform. As in torchvision, ten attempts are made to fit a box in the
    picture, then the largest central box with an allowed ratio is taken.
    """

    scale: Annotated[tuple[float, float], Range(above=0, high=1)] = (0.08, 1.0)
    ratio: Annotated[tuple[float, float], Range(above=0)] = (3 / 4, 4 / 3)

    uniforms: ClassVar[int] = 2 * _TRIALS + 2
    frames: ClassVar[bool] = True

    def check(self):
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if low > high:
                yield f"{name} = ({low:g}, {high:g}): the lower bound comes first"

    def draw(self, uniforms: Array, aspect: Array) -> Draws:
        """The boxes, `{"box": (N, 4)}`; `uniforms` (N, 22), `aspect` (N,)."""
        area = aspect[:, None] * _between(uniforms[:, :_TRIALS], *self.scale)
        ratio = np.exp(_between(uniforms[:, _TRIALS : 2 * _TRIALS], *np.log(self.ratio)))
        width, height = np.sqrt(area * ratio) / aspect[:, None], np.sqrt(area / ratio)
        fits = (width <= 1) & (height <= 1)
        rows, first = np.arange(len(aspect)), fits.argmax(axis=1)
        found = fits[rows, first]
        width = np.where(found, width[rows, first], np.minimum(1, self.ratio[1] / aspect))
        height = np.where(found, height[rows, first], np.minimum(1, aspect / self.ratio[0]))
        left = np.where(found, uniforms[:, -2], 0.5) * (1 - width)
        top = np.where(found, uniforms[:, -1], 0.5) * (1 - height)
        return {"box": np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)}


@value
class RandomHorizontalFlip:
    """Mirrors the picture left to right with probability `p`."""

    p: Probability = 0.5

    uniforms: ClassVar[int] = 1
    frames: ClassVar[bool] = False

    def draw(self, uniforms: Array, aspect: Array) -> Draws:
        """The boxes, `{"box": (N, 4)}`, mirrored or whole; `uniforms` (N, 1)."""
        mirrored = (uniforms[:, 0] < self.p).astype(np.float32)
        return {"box": np.stack([mirrored, 0 * mirrored, 1 - mirrored, 0 * mirrored + 1], axis=1)}


def center_box(aspect: Array) -> Array:
    """The box (N, 4) of the largest central square of pictures with these proportions: Resize, then CenterCrop."""
    width, height = np.minimum(1, 1 / aspect), np.minimum(1, aspect)
    box = [(1 - width) / 2, (1 - height) / 2, (1 + width) / 2, (1 + height) / 2]
    return np.stack(box, axis=1).astype(np.float32)


def compose(outer: Array, inner: Array) -> Array:
    """The box (N, 4) of the picture that is the box `inner` of what the box `outer` shows.

    Written so that an inner box (0, 0, 1, 1) gives the outer one to the last bit.
    """
    start, stop = outer[:, [0, 1, 0, 1]], outer[:, [2, 3, 2, 3]]
    return (1 - inner) * start + inner * stop


def _between(uniforms: Array, low: float, high: float) -> Array:
    return low + (high - low) * uniforms
