"""Decoding: upright, RGB, whole, and refused with a reason where that would be a guess."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from pictures import encoded
from PIL import Image

from ablation.data.decode import FORMATS, Undecodable, decode, open_upright, to_square, what_it_is


def noise(height: int, width: int, number: int = 0) -> np.ndarray:
    """Smooth enough to survive JPEG."""
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def pixels_of(content: bytes) -> np.ndarray:
    """(H, W, 3) as wide integers, so that differences do not wrap around."""
    return np.asarray(open_upright(content)).astype(int)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, rows: list[bytes], *chunks: bytes) -> bytes:
    """A PNG made by hand, as Pillow does not write them all."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


GOOD = encoded(Image.fromarray(noise(20, 30)))
JPEG = encoded(Image.fromarray(noise(90, 90)), "JPEG", quality=95)


def test_pixels_are_pillows_own_antialiased_ones():
    pixels = noise(40, 60)
    square, aspect = to_square(open_upright(encoded(Image.fromarray(pixels))), 16)
    expected = np.asarray(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(square, expected.transpose(2, 0, 1))
    assert aspect == 1.5


# --- upright


def held(orientation: int, upright: np.ndarray) -> np.ndarray:
    """How a picture is stored by a camera that is held so (TIFF 6.0, tag 274)."""
    flipped = upright.transpose(1, 0, 2) if orientation > 4 else upright
    rows, columns = (-1 if orientation in (3, 4, 6, 7) else 1), (-1 if orientation in (2, 3, 7, 8) else 1)
    return flipped[::rows, ::columns]


def oriented(kind: str, orientation: int, pixels: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exact = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    return encoded(Image.fromarray(np.ascontiguousarray(pixels)), kind, exif=exif, **exact.get(kind, {}))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_and_told(kind, orientation):
    found = decode(oriented(kind, orientation, held(orientation, noise(20, 30))))
    assert np.abs(np.asarray(found.image).astype(int) - noise(20, 30)).mean() <= (1 if kind == "JPEG" else 0)
    assert (found.orientation, found.image.size, found.format) == (orientation, (30, 20), kind)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\0\x06\0\0", b"\0\0\0\0"),
        (b"\0\x06\0\0", b"\0\x09\0\0"),
        (b"\x01\x12\0\x03", b"\x01\x12\0\x02"),  # a text, not a number
        (b"Exif\0\0MM\0*", b"Exif\0\0XXXX"),
        (b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff"),
    ],
)
def test_an_orientation_that_is_none_is_upright(before, after):
    content = oriented("JPEG", 6, noise(20, 30))
    assert content.count(before) == 1
    found = decode(content.replace(before, after))
    assert (found.orientation, found.image.size) == (1, (30, 20))


# --- sixteen bits


GREY = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "big-endian TIFF"])
def test_sixteen_bits_of_grey_are_scaled_not_clipped(kind):
    content = encoded(Image.fromarray(GREY), kind.split()[-1])
    if kind == "big-endian TIFF":
        content = encoded(Image.frombytes("I;16B", (8, 8), GREY.astype(">u2").tobytes()), "TIFF")
        assert content.startswith(b"MM")
    expected = np.repeat(np.round(GREY / 257).astype(int)[..., None], 3, axis=2)
    assert np.array_equal(pixels_of(content), expected)
    assert decode(content).mode.startswith("I")


def test_grey_of_any_depth_spans_black_to_white():
    assert pixels_of(b"P5 3 1 1000\n" + struct.pack(">HHH", 0, 500, 1000))[0, :, 0].tolist() == [0, 128, 255]
    assert pixels_of(b"P5 3 1 100\n" + bytes([0, 50, 100]))[0, :, 0].tolist() == [0, 128, 255]
    assert pixels_of(png(4, 1, 2, 0, [b"\x1b"]))[0, :, 0].tolist() == [0, 85, 170, 255]
    assert pixels_of(png(2, 1, 4, 0, [b"\x0f"]))[0, :, 0].tolist() == [0, 255]


def test_sixteen_bits_of_colour_are_scaled():
    colours = np.array([[0, 32768, 65535], [257, 25700, 60000]], np.uint16)
    by_png = pixels_of(png(2, 1, 16, 2, [colours.astype(">u2").tobytes()]))
    by_ppm = pixels_of(b"P6 2 1 65535\n" + colours.astype(">u2").tobytes())
    for decoded in (by_png, by_ppm):
        assert np.abs(decoded[0] - colours / 257).max() <= 1


# --- transparency, and other colour models


def half(mode: str) -> Image.Image:
    """Black; the left half transparent."""
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 4))
    return image.convert(mode)


SIXTEEN = [struct.pack(">4H", 300, 300, 0, 0)] * 4  # 300: only as 16 bits is it told from other greys
KEYED = Image.frombytes("L", (4, 4), bytes([7, 7, 0, 0] * 4))
TRANSPARENT = {
    "RGBA png": encoded(half("RGBA")),
    "LA png": encoded(half("LA")),
    "RGBA webp": encoded(half("RGBA"), "WEBP", lossless=True),
    "RGBA tiff": encoded(half("RGBA"), "TIFF"),
    "LA tiff": encoded(half("LA"), "TIFF"),
    "P gif": encoded(half("RGBA"), "GIF"),
    "P png": encoded(KEYED.convert("P"), transparency=7),
    "P png of shades": encoded(KEYED.convert("P"), transparency=bytes([255] * 7 + [0])),
    "L png": encoded(KEYED, transparency=7),
    "RGB png": encoded(KEYED.convert("RGB"), transparency=(7, 7, 7)),
    "L png, 2 bits": png(4, 4, 2, 0, [b"\x50"] * 4, chunk(b"tRNS", b"\0\x01")),
    "L png, 4 bits": png(4, 4, 4, 0, [b"\x77\0"] * 4, chunk(b"tRNS", b"\0\x07")),
    "I;16 png": png(4, 4, 16, 0, SIXTEEN, chunk(b"tRNS", struct.pack(">H", 300))),
    "LA png, 16 bits": png(4, 4, 16, 4, [struct.pack(">8H", 0, 0, 0, 0, 0, 65535, 0, 65535)] * 4),
    "RGB png, 16 bits": png(
        *(4, 4, 16, 2, [struct.pack(">12H", *[300, 600, 900] * 2, *[0] * 6)] * 4),
        chunk(b"tRNS", struct.pack(">3H", 300, 600, 900)),
    ),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparency_lies_over_white_and_is_told(name):
    decoded = pixels_of(TRANSPARENT[name])
    assert decoded[:, :2].min() == 255
    assert decoded[:, 2:].max() == 0
    assert decode(TRANSPARENT[name]).transparent


def test_a_transparent_black_of_one_bit_is_white():
    content = png(8, 1, 1, 0, [b"\x0f"], chunk(b"tRNS", b"\0\0"))
    assert pixels_of(content).min() == 255
    assert decode(content).transparent


def test_half_transparent_is_half_white():
    assert np.abs(pixels_of(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 127)))) - 128).max() <= 1


def test_other_colour_models_become_rgb():
    pixels = noise(16, 16)
    cmyk = encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=98)
    assert np.abs(pixels_of(cmyk) - pixels).mean() < 6
    assert decode(cmyk).mode == "CMYK"
    for mode, kind in (("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("P", "GIF"), ("P", "BMP"), ("CMYK", "TIFF")):
        image = Image.fromarray(pixels).convert(mode)
        found = decode(encoded(image, kind))
        assert np.array_equal(np.asarray(found.image), np.asarray(image.convert("RGB")))
        assert (found.mode, found.transparent, found.image.mode) == (mode, False, "RGB")


# --- formats and frames


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_told_by_content_and_any_part_of_a_file_is_refused_or_has_every_pixel(kind):
    content = encoded(Image.fromarray(noise(20, 30)), kind)
    whole = pixels_of(content)
    assert decode(content).format == kind
    assert np.abs(whole - noise(20, 30)).mean() < (20 if kind == "GIF" else 5)
    for size in range(len(content)):
        with suppress(Undecodable):
            assert np.array_equal(pixels_of(content[:size]), whole)
            assert size > len(content) - 30  # a PNG's end mark and checksums


def frames(kind: str) -> bytes:
    images = [Image.fromarray(noise(8, 8, number)) for number in range(3)]
    return encoded(images[0], kind, save_all=True, append_images=images[1:])


def nearest_frame(found: Image.Image) -> int:
    return int(np.argmin([np.abs(np.asarray(found).astype(int) - noise(8, 8, number)).mean() for number in range(3)]))


def test_a_telephones_two_views_are_one_photograph():
    found = decode(frames("MPO"))
    assert nearest_frame(found.image) == 0
    assert (found.format, found.frames) == ("MPO", 1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_taken_only_when_asked(kind):
    with pytest.raises(Undecodable, match=r"it has 3 frames; keep the one .*, or take the first by first_frame=True"):
        decode(frames(kind))
    found = decode(frames(kind), first_frame=True)
    assert nearest_frame(found.image) == 0
    assert (found.format, found.frames) == (kind, 3)
    assert decode(encoded(Image.fromarray(noise(8, 8)), kind), first_frame=True).frames == 1


# --- what is refused


def box(brand: bytes) -> bytes:
    """The beginning of an ISO media file of this brand."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(12) + bytes(range(256)) * 4


READ = "JPEG, PNG, GIF, BMP, WEBP, TIFF, PPM"
BAD = {
    "cut.jpg": (JPEG[: len(JPEG) // 2], "image file is truncated"),
    "cut.png": (GOOD[: len(GOOD) // 2], "truncated"),
    "cut.webp": (encoded(Image.fromarray(noise(9, 9)), "WEBP")[:-20], "could not create decoder object"),
    "header.jpg": (JPEG[:3], "a JPEG file that is damaged, cut short, or of a kind that Pillow does not read"),
    "header.gif": (encoded(Image.fromarray(noise(9, 9)), "GIF")[:300], "a GIF file that is damaged, cut short"),
    "header.png": (GOOD[:20], "Truncated File Read"),
    "damaged.png": (GOOD[:20] + b"?" + GOOD[21:], "a PNG file that is damaged, cut short"),
    "empty.jpg": (b"", "the file is empty"),
    "zeros.jpg": (bytes(5000), "the file is all zeros, as an interrupted copy leaves it"),
    "text.jpg": ("Kätzchen 🐈\n".encode(), "a text, not an image"),
    "long.txt": ("é".encode() * 3000, "a text, not an image"),
    "noise.jpg": (bytes(range(256)) * 9, f"not an image of a format that is read ({READ})"),
    "pointer.jpg": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        "a Git LFS pointer, not the image",
    ),
    "page.jpg": (b"\xef\xbb\xbf\n <!DOCTYPE html><html>404</html>", "an HTML page, not an image; perhaps a download"),
    "page2.jpg": (b"<HTML><head>", "an HTML page"),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing, not an image of pixels"),
    "drawing.xml": (b'<?xml version="1.0"?><svg/>', "an XML or SVG text, not an image of pixels"),
    "paper.jpg": (encoded(Image.fromarray(noise(9, 9)), "PDF"), "a PDF document"),
    "archive.zip": (b"PK\x03\x04\x14\0\0\0", "a ZIP archive; unpack it"),
    "archive.gz": (b"\x1f\x8b\x08\0\0\0", "a gzip archive; unpack it"),
    "apple.heic": (box(b"heic"), f"an image of the format HEIC, which is not read; convert it to one of {READ}"),
    "burst.heic": (box(b"heix"), "the format HEIC"),
    "image.heif": (box(b"mif1"), "the format HEIF"),
    "small.avif": (box(b"avif"), "the format AVIF"),
    "float.tif": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "32-bit numbers (mode 'F')"),
    "wide.tif": (encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "32-bit numbers (mode 'I')"),
    "float.pfm": (b"Pf\n2 1\n-1.0\n" + struct.pack("<ff", 0, 1), "32-bit numbers (mode 'F')"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_reason(name):
    content, reason = BAD[name]
    with pytest.raises(Undecodable) as error:
        open_upright(content)
    assert reason in str(error.value)
    assert what_it_is(content)


def test_verify_is_not_enough_and_is_not_what_is_done():
    image = Image.open(io.BytesIO(BAD["cut.jpg"][0]))
    image.verify()
    with pytest.raises(Undecodable):
        open_upright(BAD["cut.jpg"][0])


@pytest.mark.parametrize("kind", ["EPS", "ICO", "TGA", "PCX", "SGI", "DDS", "DIB", "JPEG2000"])
def test_no_format_is_read_but_those_of_photographs(kind):
    content = encoded(Image.fromarray(noise(16, 16)), kind)
    assert Image.open(io.BytesIO(content)).format == kind  # Pillow alone would
    named = {"ICO": "ICO", "TGA": "TGA", "DDS": "DDS", "JPEG2000": "JPEG 2000"}.get(kind)
    said = f"an image of the format {named}, which is not read" if named else "not an image of a format that is read"
    with pytest.raises(Undecodable, match=f"{said}|a PostScript document"):
        decode(content)
