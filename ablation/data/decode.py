"""From the bytes of a photograph to pixels: upright, RGB, and stretched to a square. Pillow and numpy; no torch.

Knows nothing of data sets. What cannot be turned into pixels without guessing is refused with the reason
(`Undecodable`): a file cut short, an animation, floating-point pixels, more than `PIXEL_LIMIT` of them.
Colour profiles are not applied: torchvision and every pretrained network ignore them too.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

PIXEL_LIMIT = 100_000_000
"""More pixels than any camera's; checked before decoding, as a small file can claim to be enormous."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""Pillow's names of the formats that are read: those of photographs, and no program's (EPS starts Ghostscript)."""

ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held; 1 is upright

Pixels = NDArray[np.uint8]


class Undecodable(ValueError):
    """Why a file cannot be used, in words that follow its name."""


class Photograph(NamedTuple):
    """A decoded file."""

    image: Image.Image
    """Upright, 8-bit RGB."""
    format: str
    """By its content, whatever its name: Pillow's name, one of `FORMATS` (or MPO, a telephone's JPEG)."""
    mode: str
    """Pillow's mode before the conversion: RGB, L, CMYK, P, RGBA, I;16, ..."""
    orientation: int
    """The EXIF orientation, 1 to 8; 1 is upright. Already applied."""
    frames: int
    transparent: bool
    """Whether it has transparency, which lies over white here."""


def open_upright(content: bytes, first_frame: bool = False) -> Image.Image:
    """Return the photograph in a file's bytes, decoded to the last line, turned upright by its EXIF tag, as RGB.

    Raises Undecodable. Pillow may warn of odd files; `ablation.data.cache` silences it, for all its threads at once.
    """
    return decode(content, first_frame).image


def decode(content: bytes, first_frame: bool = False) -> Photograph:
    """Return the same with what the file was. first_frame: take the first of several frames instead of refusing."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        frames = _refuse(image, first_frame)
        _scale_transparency(image)
        orientation = _orientation(image)  # read first: load() turns a TIFF upright and drops the tag
        image.load()  # verify() passes files that are cut in half
        transparent = _is_transparent(image)
        traits = (image.format or "", image.mode, orientation, frames, transparent)
        upright = ImageOps.exif_transpose(image)
        upright.format = image.format  # a copy does not know it any more
        return Photograph(to_rgb(upright), *traits)
    except Undecodable:
        raise
    except UnidentifiedImageError:
        raise Undecodable(what_it_is(content)) from None
    except Image.DecompressionBombError:
        raise Undecodable(f"it claims more than {PIXEL_LIMIT // 10**6} million pixels") from None
    except MemoryError:
        raise Undecodable("it needs more memory than a photograph may take") from None
    except Exception as error:  # on broken files Pillow's readers raise anything: OSError, SyntaxError, ...
        raise Undecodable(str(error) or type(error).__name__) from error


_BROKEN = "a {} file that is damaged, cut short, or of a kind that Pillow does not read"
_SIGNS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the image itself; run `git lfs pull`"),
    (b"<!doctype html", "an HTML page, not an image; perhaps a download that failed"),
    (b"<html", "an HTML page, not an image; perhaps a download that failed"),
    (b"<?xml", "an XML or SVG text, not an image of pixels"),
    (b"<svg", "an SVG drawing, not an image of pixels"),
    (b"%pdf", "a PDF document; save its pictures as images"),
    (b"%!ps", "a PostScript document; save it as an image"),
    (b"pk\x03\x04", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"\xff\xd8\xff", _BROKEN.format("JPEG")),
    (b"\x89png", _BROKEN.format("PNG")),
    (b"gif8", _BROKEN.format("GIF")),
    (b"ii*\0", _BROKEN.format("TIFF")),
    (b"mm\0*", _BROKEN.format("TIFF")),
)
_BRANDS = ((b"ftypavif", "AVIF"), (b"ftypheic", "HEIC"), (b"ftypheix", "HEIC"), (b"ftypmif1", "HEIF"))


def what_it_is(content: bytes) -> str:
    """Return what a file is whose content is no image of a format that is read."""
    if not content:
        return "the file is empty"
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, kind in _SIGNS:
        if head.startswith(sign):
            return kind
    allowed = ", ".join(FORMATS)
    for brand, name in _BRANDS:
        if content[4:12] == brand:
            return f"an image of the format {name}, which is not read; convert it to one of {allowed}"
    if not content.strip(b"\0"):
        return "the file is all zeros, as an interrupted copy leaves it"
    try:
        text = content[:4096].decode("utf-8", "strict" if len(content) <= 4096 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if all(character.isprintable() or character.isspace() for character in text):
        return "a text, not an image"
    return f"not an image of a format that is read ({allowed})"


def _refuse(image: Image.Image, first_frame: bool) -> int:
    """Refuse what would decode to something that its owner did not mean; the number of frames."""
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise Undecodable(f"it has {width} x {height} pixels, more than {PIXEL_LIMIT // 10**6} million")
    if image.format == "MPO":  # a telephone's JPEG with a second view behind the photograph
        return 1
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and not first_frame:
        raise Undecodable(f"it has {frames} frames; keep the one that is meant, or take the first by first_frame=True")
    image.seek(0)  # to count the frames of some formats is to go to the last
    return frames


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or none that is allowed."""
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _scale_transparency(image: Image.Image) -> None:
    """Give the one transparent colour of a PNG 8 bits: Pillow makes the pixels so, and leaves the colour as it was."""
    colour, tiles = image.info.get("transparency"), getattr(image, "tile", [])
    depth = tiles[0].args if tiles else None
    if colour is not None and depth in ("L;2", "L;4"):
        image.info["transparency"] = colour * {"L;2": 85, "L;4": 17}[depth]
    elif colour is not None and depth == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _is_transparent(image: Image.Image) -> bool:
    return image.has_transparency_data or image.mode in ("PA", "La", "RGBa")


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as 8-bit RGB: 16-bit grey scaled (Pillow alone clips it to white), transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if _is_transparent(image):
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return grey of 16 bits as 8: 65535 becomes 255. Pillow before 11 opens a 16-bit PNG in mode "I"."""
    values = np.asarray(image)
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise Undecodable(f"its pixels are 32-bit numbers (mode {image.mode!r}); save it with 8 or 16 bits a channel")
    grey = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
        grey.putalpha(Image.fromarray(opaque))
    return grey


def to_square(image: Image.Image, size: int) -> tuple[Pixels, float]:
    """Return an RGB image stretched to (3, size, size) uint8, antialiased bilinear; and its width / height before."""
    square = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1), image.width / image.height
