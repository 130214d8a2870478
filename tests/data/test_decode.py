"""Decoding: upright, RGB, whole, and refused with a reason where that would be a guess."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from ablation.data.decode import PIXEL_LIMIT, Undecodable, open_upright, to_square


def noise(height: int, width: int, number: int = 0) -> np.ndarray:
    """Smooth enough to survive JPEG."""
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


GOOD = encoded(Image.fromarray(noise(20, 30)))


def test_pixels_are_pillows_own_antialiased_ones():
    pixels = noise(40, 60)
    square, aspect = to_square(open_upright(encoded(Image.fromarray(pixels))), 16)
    expected = np.asarray(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(square, expected.transpose(2, 0, 1))
    assert aspect == 1.5


def test_sixteen_bits_are_scaled_not_clipped():
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for kind in ("PNG", "TIFF"):
        decoded = np.asarray(open_upright(encoded(Image.fromarray(grey), kind)))
        assert np.array_equal(decoded[..., 0], np.round(grey / 257).astype(np.uint8))
        assert np.array_equal(decoded[..., 0], decoded[..., 2])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_over_white(mode):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 4))
    content = encoded(image, "GIF") if mode == "P" else encoded(image.convert(mode))
    assert Image.open(io.BytesIO(content)).mode == mode
    decoded = np.asarray(open_upright(content))
    assert decoded[:, :2].min() == 255
    assert decoded[:, 2:].max() == 0


def test_half_transparent_is_half_white():
    decoded = np.asarray(open_upright(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 127)))))
    assert np.abs(decoded.astype(int) - 128).max() <= 1


def test_a_transparent_colour_of_grey_and_rgb_files_is_white():
    content = encoded(Image.new("RGB", (2, 2), (10, 20, 30)), transparency=(10, 20, 30))
    assert np.asarray(open_upright(content)).min() == 255
    assert np.asarray(open_upright(encoded(Image.new("L", (2, 2), 7), transparency=7))).min() == 255


def test_other_colour_models_become_rgb():
    pixels = noise(16, 16)
    cmyk = np.asarray(open_upright(encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=98)))
    assert np.abs(cmyk.astype(int) - pixels).mean() < 6
    for mode in ("1", "L", "P"):
        image = Image.fromarray(pixels).convert(mode)
        assert np.array_equal(np.asarray(open_upright(encoded(image))), np.asarray(image.convert("RGB")))


def frames(kind: str) -> bytes:
    images = [Image.fromarray(noise(8, 8, number)) for number in range(3)]
    return encoded(images[0], kind, save_all=True, append_images=images[1:])


def test_a_telephones_two_views_are_one_photograph():
    decoded = np.asarray(open_upright(frames("MPO")))
    distances = [np.abs(decoded.astype(int) - noise(8, 8, number)).mean() for number in range(3)]
    assert distances[0] < min(distances[1:]) / 2


def huge(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


JPEG = encoded(Image.fromarray(noise(90, 90)), "JPEG", quality=95)
BAD = {
    "cut.jpg": (JPEG[: len(JPEG) // 2], "image file is truncated"),
    "cut.png": (GOOD[: len(GOOD) // 2], "truncated"),
    "text.jpg": (b"<html>404</html>", "not an image of a format that Pillow knows"),
    "empty.jpg": (b"", "the file is empty"),
    "moving.gif": (frames("GIF"), "it has 3 frames; keep the one that is meant"),
    "moving.png": (frames("PNG"), "it has 3 frames"),
    "pages.tif": (frames("TIFF"), "it has 3 frames"),
    "float.tif": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "32-bit numbers (mode 'F')"),
    "large.png": (huge(10_100, 10_000), "it has 10100 x 10000 pixels, more than 100 million"),
    "bomb.png": (huge(50_000, 50_000), "it claims more than 100 million pixels"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # silenced by the cache, for all threads
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_reason(name):
    assert PIXEL_LIMIT == 100_000_000
    content, reason = BAD[name]
    with pytest.raises(Undecodable) as error:
        open_upright(content)
    assert reason in str(error.value)


def test_verify_is_not_enough_and_is_not_what_is_done():
    image = Image.open(io.BytesIO(BAD["cut.jpg"][0]))
    image.verify()
    with pytest.raises(Undecodable):
        open_upright(BAD["cut.jpg"][0])
