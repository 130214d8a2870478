"""What a file is that is not read, in words; and that no decoder speaks past Python."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from pictures import encoded, noise
from PIL import Image

from ablation.data.decode import Undecodable, decode

PICTURE = Image.fromarray(noise(40, 40))


def reason(content: bytes) -> str:
    with pytest.raises(Undecodable) as error:
        decode(content)
    return str(error.value)


def container(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(200)


def targa(kind: int, depth: int) -> bytes:
    """One of before files of this kind had a footer."""
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, 10, 7, depth, 0)
    return head + bytes(range(10)) * (7 * depth // 8)


OTHERS = {
    "JPEG 2000": (encoded(PICTURE, "JPEG2000"), encoded(PICTURE, "JPEG2000", no_jp2=True)),
    "ICO": (encoded(PICTURE, "ICO"),),
    "TGA": (encoded(PICTURE, "TGA"), encoded(PICTURE.convert("P"), "TGA"), targa(2, 24), targa(3, 8)),
    "Photoshop (PSD)": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 4, 4, 8, 3) + bytes(80),),
    "HEIC": tuple(map(container, (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"))),
    "HEIF": tuple(map(container, (b"mif1", b"msf1"))),
    "AVIF": tuple(map(container, (b"avif", b"avis"))),
    "JPEG XL": (b"\xff\x0a" + bytes([1] * 30), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes([1] * 30)),
    "DICOM": (bytes(128) + b"DICM" + bytes(40),),
    "OpenEXR": (b"v/1\1\2\0\0\0" + bytes([1] * 40),),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_format_that_is_not_read_is_named(name):
    for content in OTHERS[name]:
        assert reason(content) == (
            f"an image of the format {name}, which is not read; convert it to one of JPEG, PNG, GIF, BMP, WEBP, TIFF, "
            "PPM"
        )


def test_what_only_looks_like_a_targa_file_is_none():
    assert not reason(targa(2, 24)[:-1]).startswith("an image of the format TGA")
    assert reason(bytes(18)) == "the file is all zeros, as an interrupted copy leaves it"


def tiff(pixels: np.ndarray, kind: int) -> bytes:
    """A grey TIFF with this sample format: 1 without a sign, 2 with one, 3 floating."""
    height, width = pixels.shape
    fields = {256: width, 257: height, 258: 8 * pixels.itemsize, 259: 1, 262: 1, 273: 0, 277: 1, 278: height}
    fields |= {279: pixels.nbytes, 339: kind}
    fields[273] = 14 + 12 * len(fields)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, number) for tag, number in sorted(fields.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + pixels.tobytes()


def test_signed_pixels_are_called_what_they_are():
    ramp = np.arange(1600).reshape(40, 40)
    assert reason(tiff(ramp.astype(np.int16), 2)) == (
        "its pixels are signed 16-bit numbers; save it without sign, with 8 or 16 bits a channel"
    )
    assert reason(tiff(ramp.astype(np.int32), 2)).startswith("its pixels are 32-bit numbers")
    assert decode(tiff(ramp.astype(np.uint16), 1)).highest == 1599


def damaged(**options: str) -> bytes:
    grain = np.random.Generator(np.random.Philox(1)).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = bytearray(encoded(Image.fromarray(grain), "TIFF", **options))
    content[len(content) // 3 : len(content) // 3 + 200] = bytes(200)
    return bytes(content)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_the_number_of_a_decoders_error_is_said_in_words(compression):
    assert reason(damaged(compression=compression)) == "its compressed data is damaged"


QUIET = """
import sys
from ablation.data.decode import Undecodable, decode
for path in sys.argv[1:]:
    try:
        decode(open(path, "rb").read())
    except Undecodable as error:
        print(error)
"""


def test_libtiff_writes_nothing_to_standard_error(tmp_path):
    fax = bytearray(encoded(Image.fromarray(noise(64, 64)[..., 0] > 99), "TIFF", compression="group4"))
    for place in range(20, len(fax) - 200, 37):
        fax[place] ^= 0x5A
    files = {
        "lzw": damaged(compression="tiff_lzw"),
        "zip": damaged(compression="tiff_adobe_deflate"),
        "fax": bytes(fax),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-W", "ignore", "-c", QUIET, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["its compressed data is damaged"] * 2
    spoken = "import io, sys\nfrom PIL import Image\nImage.open(sys.argv[1]).load()"
    alone = subprocess.run([sys.executable, "-c", spoken, str(tmp_path / "lzw")], capture_output=True, text=True)
    assert "LZWDecode" in alone.stderr, "what Pillow alone lets through"
