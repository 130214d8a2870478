"""Broken files of every kind, and files that lie: each gives traits or a reason, in little time and memory."""

import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded
from PIL import Image

from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.data import ImageFolder, SkipBad, build, listing
from ablation.data.decode import FORMATS, PIXEL_LIMIT
from ablation.data.readers import read_all
from ablation.data.traits import TRAITS

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12" / "cat_12_train"
COUNT = 500


# --- broken files


def whole() -> list[bytes]:
    """Good files: pieces of two photographs in every format, some in odd ways; and a few cats as they are."""
    from sklearn.datasets import load_sample_images

    exif = Image.Exif()
    exif[0x0112] = 6
    made = []
    for pixels in load_sample_images().images:
        image = Image.fromarray(pixels).crop((200, 100, 360, 230))
        made += [encoded(image, kind) for kind in FORMATS]
        made += [encoded(image, "JPEG", progressive=True, exif=exif), encoded(image.convert("CMYK"), "JPEG")]
        made += [encoded(image.convert(mode)) for mode in ("P", "LA", "RGBA", "1", "I;16")]
        made += [encoded(image, "TIFF", compression=way) for way in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
        made += [encoded(image, "WEBP", lossless=True), encoded(image.convert("P"), "BMP"), encoded(image, "MPO")]
        made += [encoded(image, kind, save_all=True, append_images=[image.rotate(9)]) for kind in ("GIF", "WEBP")]
    return made + [path.read_bytes() for path in islice(sorted(CATS.glob("*.jpg")), 0, None, 200)]


def broken(count: int) -> Iterator[bytes]:
    """Good files, each broken in one of seven ways, at random places."""
    files = whole()
    for number in range(count):
        draw = stream(number, "fuzz")
        content, other = (np.frombuffer(files[place], np.uint8).copy() for place in draw.integers(len(files), size=2))
        start, end = np.sort(draw.integers(len(content), size=2))
        way = number % 7
        if way == 0:  # bits turned, few or many
            places = draw.integers(len(content), size=int(draw.choice([1, 4, 64])))
            content[places] ^= (1 << draw.integers(8, size=len(places))).astype(np.uint8)
        elif way == 1:  # bits turned where sizes, offsets and tables are
            places = draw.integers(min(200, len(content)), size=3)
            content[places] = draw.integers(256, size=3)
        elif way == 2:
            content = content[:start]
        elif way == 3:  # the head of another file
            head = int(draw.integers(4, 64))
            content[:head] = other[:head]
        elif way == 4:  # halves of two files
            content = np.concatenate([content[:start], other[len(other) // 2 :]])
        elif way == 5:  # a piece that was lost
            content[start:end] = 0
        else:  # a piece that comes twice
            content = np.concatenate([content[:end], content[start:]])
        yield content.tobytes()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The broken files in two class folders."""
    root = tmp_path_factory.mktemp("broken")
    for name in ("a", "b"):
        (root / name).mkdir()
    for number, content in enumerate(broken(COUNT)):
        (root / "ab"[number % 2] / f"{number:03}.jpg").write_bytes(content)
    return root


# In a process of its own: Linux counts to a child's memory what its parent had when it was forked, and the tests'
# process may have more than a gigabyte.
READ = """
import pickle, resource, sys
from pathlib import Path
from ablation.data.readers import read_all
told = list(read_all(sorted(Path(sys.argv[1]).glob("*/*")), False, limit=10.0))
pickle.dump((told, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), sys.stdout.buffer)
"""


def test_of_a_broken_file_traits_or_a_reason_are_told_in_time(files, environment):
    command = [sys.executable, "-c", READ, str(files)]
    told, most = pickle.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    assert len(told) == COUNT
    good = [found for found in told if not isinstance(found, str)]
    reasons = [found for found in told if isinstance(found, str)]
    assert all(found.dtype == TRAITS and found["width"] > 0 and 0 <= found["brightness"] <= 1 for found in good)
    assert [reason for reason in reasons if not reason.startswith("cannot be decoded: ")] == []
    assert all(len(reason) < 300 and reason.isprintable() for reason in reasons)
    assert min(len(good), len(reasons)) > COUNT / 10  # so both were tried
    assert most <= 1 << 20  # KiB: a gigabyte


def test_broken_files_are_all_told_or_left_out_and_what_is_taken_can_be_built(files, tmp_path):
    with pytest.raises(DataError) as error:
        listing(ImageFolder(str(files)), tmp_path)
    found = listing(SkipBad(ImageFolder(str(files))), tmp_path)
    assert len(found.names) + len(found.left_out) == COUNT
    assert error.value.problems[:10] == found.left_out[:10]
    assert f"{len(found.left_out)} of the files cannot be used" in str(error.value)
    data = build(found, 16, tmp_path)
    assert data.images.shape == (len(found.names), 3, 16, 16)


# --- files that lie


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.png").write_bytes(encoded(Image.new("RGB", (30, 20), "red")))
    return tmp_path / "good.png"


def tiff(**fields: int) -> bytes:
    """A grey TIFF made by hand, with any numbers in its fields."""
    numbers = {"width": 256, "height": 257, "bits": 258, "compression": 259, "kind": 262, "place": 273, "samples": 277}
    numbers |= {"rows": 278, "size": 279, "tile_width": 322, "tile_height": 323, "tile_place": 324, "tile_size": 325}
    entries = [struct.pack("<HHII", numbers[name], 4, 1, value) for name, value in fields.items()]
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + b"".join(entries) + bytes(100)


SMALL = {"width": 10, "height": 10, "bits": 8, "compression": 8, "kind": 1}
TILE = {**SMALL, "tile_width": 1 << 20, "tile_height": 1 << 20, "tile_place": 8, "tile_size": 1 << 30}
GREEDY = {
    "strip.tif": tiff(**SMALL, place=8, samples=1, rows=10, size=2**32 - 1),
    "rows.tif": tiff(**SMALL, place=8, samples=1, rows=2**32 - 1, size=50),
    "samples.tif": tiff(**SMALL, place=8, samples=60_000, rows=10, size=50),
    "bits.tif": tiff(**{**SMALL, "bits": 2**31}, place=8, samples=1, rows=10, size=50),
    "tile.tif": tiff(**TILE),
    "raw tile.tif": tiff(**{**TILE, "compression": 1}),
}


def test_files_that_ask_for_much_get_a_reason_and_soon(tmp_path, good):
    for name, content in GREEDY.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "endless.jpg").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, of which nothing is on the disk
    told = list(read_all([*(tmp_path / name for name in GREEDY), tmp_path / "endless.jpg", good], False))
    assert told[-2] == "has 1099.5 GB, more than a photograph may have"
    assert [found for found in told[:-1] if not isinstance(found, str)] == []
    assert [found for found in told[:-1] if "seconds" in found or "crashed" in found] == []
    assert not isinstance(told[-1], str)


def claiming(width: int, height: int) -> dict[str, bytes]:
    """Files of a few bytes that claim to be this large."""
    small, pack = Image.linear_gradient("L").resize((30, 20)).convert("RGB"), struct.pack
    jpeg, gif, bmp = (encoded(small, kind) for kind in ("JPEG", "GIF", "BMP"))
    head = b"IHDR" + pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (head, b"IDAT" + zlib.compress(b""), b"IEND")
    png = [pack(">I", len(chunk) - 4) + chunk + pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    bits = {"bits": 8, "compression": 1, "kind": 1, "place": 8, "samples": 1, "rows": height, "size": 100}
    return {
        "PNG": b"\x89PNG\r\n\x1a\n" + b"".join(png),
        "JPEG": jpeg.replace(pack(">HH", 20, 30), pack(">HH", height, width)),
        "GIF": gif.replace(pack("<HH", 30, 20), pack("<HH", width, height)),
        "BMP": bmp.replace(pack("<ii", 30, 20), pack("<ii", width, height)),
        "PPM": f"P6 {width} {height} 255\n".encode(),
        "TIFF": tiff(width=width, height=height, **bits),
    }


CLAIMS = """
import resource, sys
from ablation.data.decode import Undecodable, decode
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
for path in sys.argv[1:]:
    try:
        print(decode(open(path, "rb").read()))
    except Undecodable as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux")
@pytest.mark.parametrize(
    ("width", "height", "told"),
    [
        (10_100, 10_000, "it has 10100 x 10000 pixels, more than 100 million"),
        (50_000, 50_000, "it claims more than 100 million pixels"),
    ],
)
def test_claims_of_too_many_pixels_are_refused_before_memory_is_taken(tmp_path, width, height, told):
    assert PIXEL_LIMIT == 100_000_000
    claims = claiming(width, height)
    for kind, content in claims.items():
        (tmp_path / kind).write_bytes(content)
    command = [sys.executable, "-W", "ignore", "-c", CLAIMS, *(str(tmp_path / kind) for kind in claims)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert dict(zip(claims, done.stdout.splitlines(), strict=True)) == dict.fromkeys(claims, told)
