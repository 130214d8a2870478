"""From the bytes of a photograph to pixels: upright, RGB, and stretched to a square. Pillow and numpy; no torch.

Knows nothing of data sets. What cannot be turned into pixels without guessing is refused with the reason
(`Undecodable`): a file cut short, an animation, floating-point pixels, more than `PIXEL_LIMIT` of them.
Colour profiles are not applied: torchvision and every pretrained network ignore them too.
"""

from __future__ import annotations

import ctypes
import io
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

PIXEL_LIMIT = 100_000_000
"""More pixels than any camera's; checked before decoding, as a small file can claim to be enormous."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""Pillow's names of the formats that are read: those of photographs, and no program's (EPS starts Ghostscript)."""

ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held; 1 is upright

FULL_DEPTH = 16
"""The most bits of a grey pixel, and how many count where nobody says that fewer are used."""

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
    highest: int = 0
    """The highest value of its pixels, where these have 16 bits a channel and no scale of their own; else 0. Of colour
    the upper 8 bits are known, so the highest that has these."""


def open_upright(content: bytes, first_frame: bool = False, bit_depth: int | None = None) -> Image.Image:
    """Return the photograph in a file's bytes, decoded to the last line, turned upright by its EXIF tag, as RGB.

    Raises Undecodable. Pillow may warn of odd files; `ablation.data.cache` silences it, for all its threads at once.
    """
    return decode(content, first_frame, bit_depth).image


def decode(content: bytes, first_frame: bool = False, bit_depth: int | None = None) -> Photograph:
    """Return the same with what the file was. first_frame: take the first of several frames instead of refusing.

    bit_depth: the bits that are used of 16 (a camera's 12): white is 2 ** bit_depth - 1, and no pixel may be beyond.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        frames = _refuse(image, first_frame)
        stored = _stored_as(image)
        _scale_transparency(image)
        orientation = _orientation(image)  # read first: load() turns a TIFF upright and drops the tag
        image.load()  # verify() passes files that are cut in half
        transparent = _is_transparent(image)
        highest = _highest(image, stored, bit_depth)
        traits = (image.format or "", image.mode, orientation, frames, transparent, highest)
        upright = image if orientation == 1 else ImageOps.exif_transpose(image)  # which copies all of it
        upright.format = image.format  # a copy does not know it any more
        return Photograph(to_rgb(upright, bit_depth if highest else None), *traits)
    except Undecodable:
        raise
    except UnidentifiedImageError:
        raise Undecodable(what_it_is(content)) from None
    except Image.DecompressionBombError:
        raise Undecodable(f"it claims more than {PIXEL_LIMIT // 10**6} million pixels") from None
    except MemoryError:
        raise Undecodable("it needs more memory than a photograph may take") from None
    except Exception as error:  # on broken files Pillow's readers raise anything: OSError, SyntaxError, ...
        raise Undecodable(_in_words(str(error)) or type(error).__name__) from error


_CODES = {"-2": "its compressed data is damaged", "-9": "it needs more memory than a photograph may take"}


_LONGEST = 250
"""Characters of what Pillow says that are kept."""


def _in_words(error: str) -> str:
    """Return what Pillow says in a line, with the number of a decoder's error in words."""
    code = re.search(r"(?:decoder error |^)(-\d+)|decoding error", error)  # older Pillows say no more than the number
    if code:
        return _CODES.get(code[1] or "-2", f"the decoder gives up on it (error {code[1]})")
    shown = "".join(character if character.isprintable() else " " for character in error)  # bytes of the file, at times
    return " ".join(shown.split())[:_LONGEST]


@cache
def _silence_libtiff() -> None:
    """Keep libtiff from writing of damaged files to standard error, past Python; Pillow raises for them as well.

    As far as its library can be reached: it lies beside Pillow in the wheels for Linux and macOS.
    """
    around = Path(PIL.__file__).parent
    for path in (*around.parent.glob("[pP]illow.libs/libtiff*"), *around.glob(".dylibs/libtiff*")):
        try:
            library = ctypes.CDLL(str(path))
            library.TIFFSetErrorHandler(None)
        except (OSError, AttributeError):
            continue


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
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"8BPS", "Photoshop (PSD)"),
    (0, b"gimp xcf", "GIMP (XCF)"),
    (0, b"DDS ", "DDS"),
    (0, b"v/1\1", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw data (RAF)"),
    (0, b"IIRO", "a camera's raw data (ORF)"),
    (0, b"IIU\0", "a camera's raw data (RW2)"),
    (4, b"ftypcrx", "a camera's raw data (CR3)"),
    (128, b"DICM", "DICOM"),
    (4, b"ftypavi", "AVIF"),
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm")),
    *((4, b"ftyp" + brand, "HEIF") for brand in (b"mif1", b"msf1", b"mif2", b"heif")),
)
"""Where a sign stands in a file, and the format of images that it is the sign of; none of them is read."""


def _other_format(content: bytes) -> str:
    """Return the name of the format of an image that is not read; '' where it is not known."""
    if _is_tga(content):
        return "TGA"
    return next((name for place, sign, name in _OTHERS if content.startswith(sign, place)), "")


def _is_tga(content: bytes) -> bool:
    """Whether it ends as Targa files do; or is one of before they did, with as many pixels as its head says."""
    if content.endswith(b"TRUEVISION-XFILE.\0"):
        return True
    if len(content) < 18 or content[1] > 1 or content[2] not in (1, 2, 3) or content[16] not in (8, 15, 16, 24, 32):
        return False
    width, height = (int.from_bytes(content[place : place + 2], "little") for place in (12, 14))
    colours = int.from_bytes(content[5:7], "little") * -(-content[7] // 8) if content[1] else 0
    return len(content) == 18 + content[0] + colours + width * height * -(-content[16] // 8) > 18


def what_it_is(content: bytes) -> str:
    """Return what a file is whose content is no image of a format that is read."""
    if not content:
        return "the file is empty"
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, kind in _SIGNS:
        if head.startswith(sign):
            return kind
    allowed = ", ".join(FORMATS)
    if name := _other_format(content):
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


def _stored_as(image: Image.Image) -> str:
    """Return how the pixels lie in the file, as Pillow calls it ('I;16B', 'RGB;16L'); refuses what has a sign.

    '' where they have a scale of their own, as PPM has.
    """
    tiles = getattr(image, "tile", [])
    arguments: Any = tiles[0].args if tiles else ""
    if image.format == "TIFF":
        _silence_libtiff()
    if tiles and tiles[0].codec_name == "ppm":
        return ""
    stored = str(arguments[0] if isinstance(arguments, tuple) else arguments)
    if re.fullmatch(r"I;16[BN]?S", stored):
        raise Undecodable("its pixels are signed 16-bit numbers; save it without sign, with 8 or 16 bits a channel")
    return stored


def _highest(image: Image.Image, stored: str, bit_depth: int | None) -> int:
    """Return the highest value of 16-bit pixels, see `Photograph`. Refuses one that `bit_depth` has no room for."""
    colour = re.match("(RGB|RGBA|RGBX|RGBa|LA|L|CMYK|LAB);16", stored) is not None
    if not colour and not re.match("I;1[26]", stored):
        return 0
    values = np.asarray(image)
    if not colour:
        highest = int(values.max())
    else:
        channels = {"RGBA": 3, "LA": 1}.get(image.mode, 4)
        highest = int((values[..., :channels] if values.ndim == 3 else values).max()) << 8 | 255
    full = (1 << (bit_depth or FULL_DEPTH)) - 1
    if colour and full < 65_535:
        wrong = f"bit_depth={bit_depth} is for grey, and of its 16 bits in each channel of colour the upper 8 are read"
        raise Undecodable(f"{wrong}; save it with 8 bits a channel")
    if highest > full:
        raise Undecodable(f"its pixels go up to {highest:,}, and with bit_depth={bit_depth} white is {full:,}")
    return highest


def to_rgb(image: Image.Image, bit_depth: int | None = None) -> Image.Image:
    """Return an image as 8-bit RGB: 16-bit grey scaled (Pillow alone clips it to white), transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image, bit_depth)
    if _is_transparent(image):
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image, bit_depth: int | None) -> Image.Image:
    """Return grey of 16 bits as 8: 65535 becomes 255. Pillow before 11 opens a 16-bit PNG in mode "I".

    bit_depth: 2 ** bit_depth - 1 becomes 255, and nothing is beyond.
    """
    values = np.asarray(image)
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise Undecodable(f"its pixels are 32-bit numbers (mode {image.mode!r}); save it with 8 or 16 bits a channel")
    full = (1 << (bit_depth or FULL_DEPTH)) - 1
    scaled = (values.astype(np.uint32) * 255 + full // 2) // full
    grey = Image.fromarray(scaled.astype(np.uint8))
    if "transparency" in image.info:
        opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
        grey.putalpha(Image.fromarray(opaque))
    return grey


def to_square(image: Image.Image, size: int) -> tuple[Pixels, float]:
    """Return an RGB image stretched to (3, size, size) uint8, antialiased bilinear; and its width / height before."""
    square = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1), image.width / image.height
