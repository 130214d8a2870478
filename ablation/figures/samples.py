"""Augmented photographs as a strip of pictures, one strip a recipe, pixel for pixel. numpy and Pillow."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TINY = 64  # up to this side a picture is shown enlarged, its pixels as squares
SIDE = 192  # pixels of a picture in the strip, at most, for large ones
GAP = 8


@dataclass(frozen=True, eq=False)
class Strip:
    """A recipe and its operations in words, with what the network saw of K photographs: (K, S, S, 3) uint8."""

    recipe: str
    operations: str
    pictures: NDArray[np.uint8]


@dataclass(frozen=True)
class SamplesInfo:
    """Strips of one seed: the same photographs, in the same columns, in every strip."""

    strips: tuple[Strip, ...]
    seed: int


def scaled(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(K, S, S, 3) at the size of the strip: tiny ones enlarged by a whole factor, large ones reduced (Lanczos)."""
    side = pictures.shape[1]
    if side <= TINY:
        factor = max(1, SIDE // 2 // side)
        return pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    if side <= SIDE:
        return pictures
    small = [Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in small])


def join(pictures: NDArray[np.uint8], gap: int = GAP) -> NDArray[np.uint8]:
    """(K, S, S, 3) side by side with white between them: (S, K S + (K - 1) gap, 3)."""
    count, side = pictures.shape[:2]
    strip = np.full((side, count * side + (count - 1) * gap, 3), 255, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        strip[:, place * (side + gap) : place * (side + gap) + side] = picture
    return strip


def encode(strip: Strip) -> tuple[bytes, str]:
    """The strip as a file and its kind: 'png' for tiny pictures, which must stay exact, 'jpeg' for photographs."""
    picture = Image.fromarray(join(scaled(strip.pictures)))
    buffer, tiny = io.BytesIO(), strip.pictures.shape[1] <= TINY
    if tiny:
        picture.save(buffer, format="PNG", optimize=True)
    else:
        picture.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue(), "png" if tiny else "jpeg"
