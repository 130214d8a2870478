"""Photographs side by side in one picture, for every section that shows some. numpy and Pillow.

Tiny pictures are enlarged by a whole factor, their pixels as squares; others are brought to the tile's side (Lanczos).
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from ablation.report.section import Strip
from ablation.report.style import FAINT

Pixels = NDArray[np.uint8]

TINY = 64  # up to this side a picture is enlarged by whole pixels
STRIP_TILE = 192  # pixels of a picture's side in a strip
GAP = 0.08  # between tiles, in tiles
FRAME = 2  # pixels around each tile, without which a white photograph would have no edge


def photograph_strip(
    pictures: Pixels, headings: Sequence[str], words: Sequence[Sequence[str]],
    name: str, about: str, alt: str, columns: int = 0, side: int = STRIP_TILE,
) -> Strip:  # fmt: skip
    """A strip of K photographs (K, S, S, 3), one or more, with a heading above and lines of words below each.

    columns: leaves room for so many photographs where there are fewer, so that those of all strips have one size.
    side: about so many pixels each is wide in the picture. A page shows the headings of a figure's first strip only.
    """
    empty = max(0, columns - len(pictures))
    rows = tuple(tuple(lines) for lines in words)
    encode = partial(encoded, pictures, side, columns)
    return Strip(name, about, (*headings, *[""] * empty), (*rows, *[()] * empty), encode, alt)


def encoded(pictures: Pixels, side: int = STRIP_TILE, columns: int = 0) -> tuple[bytes, str]:
    """(K, S, S, 3) side by side as a file and its kind: 'png' for tiny ones, which stay exact, else 'jpeg'."""
    picture, buffer = Image.fromarray(join(scaled(pictures, side), columns)), io.BytesIO()
    if pictures.shape[1] <= TINY:
        picture.save(buffer, format="PNG", optimize=True)
        return buffer.getvalue(), "png"
    picture.save(buffer, format="JPEG", quality=90, subsampling=0)
    return buffer.getvalue(), "jpeg"


def photograph_sheet(pictures: Pixels) -> tuple[bytes, int, int]:
    """(K, S, S, 3) as a JPEG of tiles without gaps, row by row; and how many columns and rows it has."""
    count, side = pictures.shape[:2]
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, side, side, 3), np.uint8)
    sheet[:count] = pictures
    joined = sheet.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
    buffer = io.BytesIO()
    Image.fromarray(joined).save(buffer, format="JPEG", quality=80, optimize=True)
    return buffer.getvalue(), columns, rows


def scaled(pictures: Pixels, side: int) -> Pixels:
    """(K, S, S, 3) as tiles of about this side: tiny ones enlarged by a whole factor, others resampled (Lanczos)."""
    own = pictures.shape[1]
    if own <= TINY:
        factor = max(1, side // own)
        return pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    if own == side:
        return pictures
    resized = [Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in resized])


def join(tiles: Pixels, columns: int = 0) -> Pixels:
    """(K, S, S, 3) framed and side by side, with white between them and in place of those that `columns` are more."""
    count, side = max(len(tiles), columns), tiles.shape[1] + 2 * FRAME
    pitch = side + round(GAP * side)
    strip = np.full((side, pitch * (count - 1) + side, 3), 255, np.uint8)
    for left, tile in zip(range(0, pitch * len(tiles), pitch), tiles, strict=True):
        strip[:, left : left + side] = ImageColor.getrgb(FAINT)
        strip[FRAME:-FRAME, left + FRAME : left + side - FRAME] = tile
    return strip
