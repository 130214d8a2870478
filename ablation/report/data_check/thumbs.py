"""Thumbnails: a photograph as a small file for a page. Tiny ones are kept as they are, to be shown by whole pixels."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image

from ablation.report.inline import data_uri
from ablation.report.sections.pictures.strips import TINY

SHORT, LONG = 104, 208
"""Pixels: the shorter side is this long, unless the longer one would pass its bound."""
WIDTH, HEIGHT = 140, 104
"""Pixels on the page that a thumbnail fits into."""


class Thumb(NamedTuple):
    """The address that carries a thumbnail, its size on the page, and whether it is enlarged by whole pixels."""

    uri: str
    width: int
    height: int
    enlarged: bool = False


def thumb(image: Image.Image) -> Thumb:
    """Of an RGB photograph of any size."""
    width, height = image.size
    if max(width, height) <= TINY:
        factor = max(1, min(WIDTH // width, HEIGHT // height))
        return Thumb(data_uri(_encoded(image, "PNG"), "png"), width * factor, height * factor, enlarged=True)
    scale = min(1.0, SHORT / min(width, height), LONG / max(width, height))
    box = max(1, round(width * scale)), max(1, round(height * scale))
    small = image.resize(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
    shown = min(WIDTH / small.width, HEIGHT / small.height)
    size = max(1, round(small.width * shown)), max(1, round(small.height * shown))
    return Thumb(data_uri(_encoded(small, "JPEG"), "jpeg"), *size)


def _encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 80} if kind == "JPEG" else {"optimize": True}))
    return buffer.getvalue()
