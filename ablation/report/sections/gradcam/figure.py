"""A photograph with a heat map over it. numpy and Pillow; the colours are matplotlib's, imported when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ablation.report.photographs import STRIP_TILE, encoded, scaled

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

COLORS, OPACITY = "inferno", 0.75
"""A colour map whose lightness rises evenly (van der Walt and Smith 2015), and how opaque it is where a map is most."""


def encoded_looks(photograph: Pixels, maps: Sequence[Pixels]) -> tuple[bytes, str]:
    """The photograph (S, S, 3), then the same under each map (h, w), side by side as a file and its kind."""
    plain = scaled(photograph[None], STRIP_TILE)[0]
    return encoded(np.stack([plain, *(heated(plain, one) for one in maps)]), plain.shape[0])


def heated(photograph: Pixels, heat: Pixels) -> Pixels:
    """(S, S, 3) the photograph under the heat map (h, w), enlarged bilinearly: the stronger, the more opaque."""
    from matplotlib import colormaps

    strength = enlarged(heat, photograph.shape[0]) / 255
    color = 255 * colormaps[COLORS](strength)[..., :3]
    opaque = OPACITY * strength[..., None]
    mixed: Pixels = ((1 - opaque) * photograph + opaque * color).round().astype(np.uint8)
    return mixed


def enlarged(heat: Pixels, side: int) -> Floats:
    """(side, side) of (h, w), bilinear between the middles of the cells."""
    picture = Image.fromarray(heat.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture, float).clip(0, 255)
