"""From the bytes of a photograph to pixels: upright, RGB, and stretched to a square. Pillow and numpy; no torch.

Knows nothing of data sets. What cannot be turned into pixels without guessing is refused with the reason
(`Undecodable`): a file cut short, an animation, floating-point pixels, more than `PIXEL_LIMIT` of them.
Colour profiles are not applied: torchvision and every pretrained network ignore them too.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

PIXEL_LIMIT = 100_000_000
"""More pixels than any camera's; checked before decoding, as a small file can claim to be enormous."""

Pixels = NDArray[np.uint8]


class Undecodable(ValueError):
    """Why a file cannot be used, in words that follow its name."""


def open_upright(content: bytes) -> Image.Image:
    """The photograph in a file's bytes, decoded to the last line, turned upright by its EXIF tag, as RGB.

    Raises Undecodable. Pillow may warn of odd files; `ablation.data.cache` silences it, for all its threads at once.
    """
    try:
        image = Image.open(io.BytesIO(content))
        _refuse(image)
        image.load()  # verify() passes files that are cut in half
        return to_rgb(ImageOps.exif_transpose(image))
    except Undecodable:
        raise
    except Image.UnidentifiedImageError:
        what = "the file is empty" if not content else "not an image of a format that Pillow knows"
        raise Undecodable(what) from None
    except Image.DecompressionBombError:
        raise Undecodable(f"it claims more than {PIXEL_LIMIT // 10**6} million pixels") from None
    except Exception as error:  # on broken files Pillow's readers raise anything: OSError, SyntaxError, ...
        raise Undecodable(str(error) or type(error).__name__) from error


def _refuse(image: Image.Image) -> None:
    """Refuse what would decode to something that its owner did not mean."""
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise Undecodable(f"it has {width} x {height} pixels, more than {PIXEL_LIMIT // 10**6} million")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # an MPO is a telephone's JPEG with a second view behind the photograph
        raise Undecodable(f"it has {frames} frames; keep the one that is meant")


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as 8-bit RGB: 16-bit grey scaled (Pillow alone clips it to white), transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if image.has_transparency_data or image.mode in ("PA", "La", "RGBa"):
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8: 65535 becomes 255. Pillow before 11 opens a 16-bit PNG in mode "I"."""
    values = np.asarray(image)
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise Undecodable(f"its pixels are 32-bit numbers (mode {image.mode!r}); save it with 8 or 16 bits a channel")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def to_square(image: Image.Image, size: int) -> tuple[Pixels, float]:
    """An RGB image stretched to (3, size, size) uint8, antialiased bilinear; and its width / height before."""
    square = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1), image.width / image.height
