"""Files of 16 bits a pixel of which fewer are used: what is said of them, and how `bit_depth` scales them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablation.core.errors import DataError, InputError
from ablation.data import CsvFile, ImageFolder, ListFile, SkipBad, Subset, build, listing
from ablation.data.check import check
from ablation.data.decode import Undecodable, decode
from ablation.data.split import Fixed
from ablation.data.traits import traits_of
from ablation.report.data_check.findings import Finding, findings


def scene(number: int, highest: int, size: int = 40) -> np.ndarray:
    """(size, size) uint16: smooth, from 0 to `highest`."""
    grid = np.random.Generator(np.random.Philox(number)).random((6, 6), dtype=np.float32)
    smooth = np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))
    scaled = (smooth - smooth.min()) / np.ptp(smooth) * highest
    return np.round(scaled).astype(np.uint16)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def colour_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits in each of three channels, which Pillow does not write. pixels: (H, W, 3) uint16."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0), b"IDAT" + zlib.compress(rows), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def folder(root: Path, highest: int, kind: str = "PNG") -> Path:
    for number in range(16):
        path = root / "ab"[number % 2] / f"{number}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene(number, highest if number == 3 else highest * 2 // 3), kind))
    return root


def said(root: Path, **options) -> list[Finding]:
    result = check(ImageFolder(str(root), **options), root.parent / "cache", split=Fixed())
    return [finding for finding in findings(result) if "16 bits" in finding.text]


@pytest.mark.parametrize(
    ("highest", "bits", "left"),
    [
        (1023, 10, 5),
        (4095, 12, 17),
        (16383, 14, 65),
        (3900, 12, 16),
        (32767, 15, 128),
        (511, 9, 3),
        (255, 8, 2),
        (100, 7, 1),
        (3, 2, 1),
    ],
)
def test_bits_that_are_not_used_are_a_warning_and_the_remedy_works(tmp_path, highest, bits, left):
    root = folder(tmp_path / "d", highest)
    (finding,) = said(root)
    assert (finding.level, finding.text) == (
        "warning",
        f"16 files of 16 bits a pixel, and none goes beyond {highest:,} of 65,535: {left} of 256 grey levels are left, "
        "the darkest",
    )
    assert finding.advice == f"bit_depth={bits} makes {2**bits - 1:,} white in all of them"
    brightest = np.asarray(decode((root / "b" / "3.png").read_bytes()).image)
    assert len(np.unique(brightest)) == left
    assert said(root, bit_depth=bits) == []


@pytest.mark.parametrize(("given", "left"), [(14, 65), (13, 128), (16, 17)])
def test_a_depth_that_is_too_large_is_a_warning_of_what_is_left(tmp_path, given, left):
    root = folder(tmp_path / "d", 4095)
    (finding,) = said(root, bit_depth=given)
    assert finding.text == (
        f"16 files of 16 bits a pixel, and none goes beyond 4,095 of {2**given - 1:,}: {left} of 256 grey levels are "
        "left, the darkest"
    )
    assert finding.advice == "bit_depth=12 makes 4,095 white in all of them"
    brightest = np.asarray(decode((root / "b" / "3.png").read_bytes(), bit_depth=given).image)
    assert brightest.max() == left - 1


def test_all_16_bits_are_the_same_data_said_or_not(tmp_path):
    root = folder(tmp_path / "d", 65535)
    source = ImageFolder(str(root))
    plain = listing(source, tmp_path / "cache")
    said_so = listing(ImageFolder(str(root), bit_depth=16), tmp_path / "other")
    assert (said_so.digest, said_so.unusable) == (plain.digest, ())
    assert np.array_equal(build(said_so, 40, tmp_path / "other").images, build(plain, 40, tmp_path / "cache").images)
    read = []
    listing(ImageFolder(str(root), bit_depth=16), tmp_path / "cache", lambda *call: read.append(call))
    assert read == [], "what is known of the files is known of them"
    assert said_so.digest != listing(ImageFolder(str(folder(tmp_path / "e", 65534))), tmp_path / "cache").digest


@pytest.mark.parametrize("highest", [65535, 40000, 20000])
def test_depth_that_is_used_is_not_warned_of(tmp_path, highest):
    assert said(folder(tmp_path / "d", highest)) == []


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [1, 7, 8, 9, 10, 12, 14, 15, 16])
def test_white_is_the_highest_value_of_the_depth(bits, kind):
    full = 2**bits - 1
    pixels = scene(1, full)
    decoded = np.asarray(decode(encoded(pixels, kind), bit_depth=bits).image)
    assert np.array_equal(decoded[..., 0], np.floor(pixels / full * 255 + 0.5).astype(np.uint8))
    assert (decoded == decoded[..., :1]).all()
    assert (decoded.min(), decoded.max()) == (0, 255)
    traits = traits_of(encoded(pixels, kind), bit_depth=bits)
    assert traits["highest"] == full
    assert traits["brightness"] == pytest.approx(pixels.mean() / full, abs=0.003)


def test_files_of_8_bits_and_of_a_scale_of_their_own_are_read_as_ever():
    picture = (scene(2, 255)).astype(np.uint8)
    pgm = b"P5 40 40 4095 " + scene(2, 4095).astype(">u2").tobytes()
    for content in (encoded(picture), pgm):
        one, other = decode(content), decode(content, bit_depth=12)
        assert np.array_equal(np.asarray(one.image), np.asarray(other.image))
        assert one.highest == other.highest == 0
    assert np.asarray(decode(pgm).image).max() == 255


def test_a_file_beyond_the_depth_is_an_error_that_names_it_in_every_source(tmp_path):
    root = folder(tmp_path / "d", 4095)
    (root / "a" / "odd.png").write_bytes(encoded(scene(50, 5000)))
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    (root / "list.txt").write_text("".join(f"{name}\t{int(name > 'b')}\n" for name in names))
    (root / "t.csv").write_text("path,label\n" + "".join(f"{name},{name[0]}\n" for name in names))
    for source in (ListFile(str(root / "list.txt"), bit_depth=12), CsvFile(str(root / "t.csv"), bit_depth=12)):
        with pytest.raises(DataError) as error:
            listing(source, tmp_path / "cache")
        assert str(error.value).splitlines()[0] == (
            f"{root / 'a' / 'odd.png'}: cannot be decoded: its pixels go up to 5,000, and with bit_depth=12 white is "
            "4,095"
        )
        found = listing(SkipBad(source), tmp_path / "cache")
        assert len(found.left_out) == 1
    with pytest.raises(DataError, match=r"odd\.png: cannot be decoded: its pixels go up to 5,000"):
        listing(ImageFolder(str(root), bit_depth=12), tmp_path / "cache")
    for wrong in (17, 0):
        with pytest.raises(InputError, match="must be at least 1 and at most 16"):
            ImageFolder("d", bit_depth=wrong)


def test_the_same_files_of_another_depth_are_other_data_and_other_squares(tmp_path):
    root, cache = folder(tmp_path / "d", 4095), tmp_path / "cache"
    plain, scaled = (listing(ImageFolder(str(root), bit_depth=bits), cache) for bits in (None, 12))
    assert plain.digest != scaled.digest
    assert plain.digest == listing(ImageFolder(str(root)), cache).digest
    dark, right = (build(data, 40, cache) for data in (plain, scaled))
    row = scaled.names.index("b/3.png")
    assert dark.images[row].max() == 16
    assert right.images[row].max() == 255
    expected = np.floor(scene(3, 4095) / 4095 * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(right.images[row, 0], expected)
    few = [listing(Subset(ImageFolder(str(root), bit_depth=bits), 3), cache) for bits in (None, 12)]
    assert few[0].digest != few[1].digest
    assert few[1].bit_depth == 12


def test_colour_of_16_bits_is_told_to_be_saved_with_8(tmp_path):
    root = tmp_path / "d"
    for number in range(16):
        path = root / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(colour_png(np.stack([scene(3 * number + channel, 4095) for channel in range(3)], -1)))
    (finding,) = said(root)
    assert "none goes beyond 4,095 of 65,535" in finding.text
    assert finding.advice == "save those in colour with 8 bits a channel, scaled, as Pillow reads 8 of their 16"
    with pytest.raises(Undecodable, match="bit_depth=12 is for grey, and of its 16 bits in each channel of colour"):
        decode((root / "a" / "0.png").read_bytes(), bit_depth=12)
    full = colour_png(np.stack([scene(channel, 65535) for channel in range(3)], -1))
    assert decode(full, bit_depth=16).highest == 65535
