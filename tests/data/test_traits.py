"""Traits: numbers held against numpy's own, hashes that stay when a picture is saved anew, and what is remembered."""

import io
import os
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ablation.core.seeds import stream
from ablation.data.contents import _read_index, remembered_traits
from ablation.data.decode import Undecodable
from ablation.data.files import Sample
from ablation.data.groups import NEAR
from ablation.data.published import digest_of
from ablation.data.traits import HASHED_FROM, MIRROR, TRAITS, traits_of, traits_of_array


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def photographs() -> list[Image.Image]:
    """Two photographs and 24 pictures cut out of them that do not overlap."""
    from sklearn.datasets import load_sample_images

    whole = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    places = [(left, top) for left in range(0, 640, 160) for top in range(0, 426, 142)]
    return whole + [image.crop((x, y, x + 160, y + 142)) for image in whole for x, y in places]


def variation(image: Image.Image) -> float:
    """Standard deviation of 32 x 32 means of the brightness, in levels of 256."""
    return float(np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float).std())


@cache
def clear() -> list[Image.Image]:
    """Those that are neither sky nor out of focus."""
    return [image for image in photographs() if variation(image) > 20]


@cache
def measured() -> list[np.void]:
    return [traits_of(encoded(image)) for image in photographs()]


def apart(one: np.void, other: np.void, turned: np.ndarray | int = 0) -> int:
    """In how many bits two hashes differ; the second one with some bits turned."""
    return int(np.bitwise_count(one["hash"] ^ other["hash"] ^ np.uint64(turned)).sum())


# --- the hash


def test_photographs_have_a_hash():
    assert (len(photographs()), len(clear())) == (26, 19)
    assert all(found["hashed"] for found in measured())


WAYS = {
    "JPEG of quality 30": lambda image: encoded(image, "JPEG", quality=30),
    "WEBP of quality 50": lambda image: encoded(image, "WEBP", quality=50),
    "GIF of 256 colours": lambda image: encoded(image, "GIF"),
    "half as large": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "twice as large": lambda image: encoded(image.resize((image.width * 2, image.height * 2))),
    "stretched": lambda image: encoded(image.resize((image.width, image.height * 2))),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.15)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.6)),
    "of less contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(0.6)),
    "grey": lambda image: encoded(image.convert("L")),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_saved_in_another_way_is_near(way):
    for image in clear():
        assert apart(traits_of(encoded(image)), traits_of(WAYS[way](image))) <= NEAR


def test_the_mirrored_picture_has_the_mirrored_hash():
    for image, found in zip(photographs(), measured(), strict=True):
        mirrored = traits_of(encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
        assert apart(found, mirrored, MIRROR) <= 2  # which the rounding of means may turn
        assert apart(found, mirrored) > 2 * NEAR


def test_where_nothing_is_rounded_the_mirrored_hash_is_exact():
    for number in range(20):
        pixels = np.kron(stream(number, "traits").integers(0, 256, (32, 32)), np.ones((2, 2), int))
        pixels = np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8)
        assert apart(traits_of_array(pixels), traits_of_array(np.ascontiguousarray(pixels[:, ::-1])), MIRROR) == 0
    assert int(np.bitwise_count(MIRROR).sum()) == 128


def test_different_pictures_are_far_apart_also_mirrored():
    for number, one in enumerate(measured()):
        for other in measured()[:number]:
            assert min(apart(one, other), apart(one, other, MIRROR)) > 2 * NEAR


def test_other_turns_of_a_picture_are_far_apart():
    for image, found in list(zip(photographs(), measured(), strict=True))[:6]:
        for turn in (Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90):
            turned = traits_of(encoded(image.transpose(turn)))
            assert min(apart(found, turned), apart(found, turned, MIRROR)) > 2 * NEAR


def test_flat_and_small_pictures_have_no_hash():
    assert HASHED_FROM == 32
    flat = np.full((64, 64, 3), 120, np.uint8) + stream(0, "traits").integers(0, 8, (64, 64, 3), dtype=np.uint8)
    small, large = (np.asarray(photographs()[0].resize((90, side))) for side in (31, 32))
    for pixels, hashed in ((flat, False), (small, False), (np.swapaxes(small, 0, 1).copy(), False), (large, True)):
        found = traits_of_array(pixels)
        assert (bool(found["hashed"]), bool(found["hash"].any())) == (hashed, hashed)


# --- the numbers


@pytest.mark.parametrize("number", range(6))
def test_means_squares_brightness_and_contrast_are_numpys(number):
    image = photographs()[number]
    found, levels = measured()[number], np.asarray(image) / 255
    assert found["mean"] == pytest.approx(levels.mean(axis=(0, 1)), abs=1e-12)
    assert found["square"] == pytest.approx((levels**2).mean(axis=(0, 1)), abs=1e-12)
    luma = levels @ (0.299, 0.587, 0.114)  # ITU-R 601; Pillow's is rounded to whole levels
    assert found["brightness"] == pytest.approx(luma.mean(), abs=0.5 / 255)
    assert found["contrast"] == pytest.approx(luma.std(), abs=0.5 / 255)
    assert (found["width"], found["height"]) == image.size


def test_black_and_white_are_at_the_ends():
    for level, expected in ((0, 0.0), (255, 1.0)):
        found = traits_of_array(np.full((5, 4, 3), level, np.uint8))
        assert found["brightness"] == pytest.approx(expected, abs=1e-12)
        assert found["contrast"] == pytest.approx(0, abs=1e-7)
    assert traits_of_array(np.array([[[0] * 3, [255] * 3]], np.uint8))["contrast"] == pytest.approx(0.5)


def test_grey_is_told_whatever_the_mode():
    image = photographs()[1]
    grey = image.convert("L")
    for mode in ("L", "RGB", "P", "LA"):
        assert traits_of(encoded(grey.convert(mode)))["grey"]
    assert traits_of(encoded(grey, "JPEG", quality=30))["grey"]
    assert traits_of(encoded(grey.convert("RGB"), "JPEG", quality=30))["grey"]
    assert not any(traits_of(encoded(image, kind))["grey"] for kind in ("PNG", "JPEG", "GIF"))
    sepia = np.clip(np.asarray(grey)[..., None] * (1.0, 0.85, 0.65), 0, 255).astype(np.uint8)
    assert not traits_of_array(sepia)["grey"]
    red = np.asarray(grey.convert("RGB")).copy()
    red[200:260, 300:360] = (200, 20, 20)  # a coloured spot is colour
    assert not traits_of_array(red)["grey"]


# --- what a file was


def test_the_same_pixels_have_the_same_digest_in_every_lossless_format():
    image = photographs()[5]
    every = [
        traits_of(content)
        for content in (
            *(encoded(image, kind) for kind in ("PNG", "BMP", "TIFF", "PPM")),
            encoded(image, "WEBP", lossless=True),
            encoded(image.convert("RGBA")),
        )
    ]
    assert {bytes(found["pixels"]).decode() for found in every} == {digest_of(np.asarray(image))}
    assert len({bytes(found["content"]) for found in every}) == len(every)
    assert traits_of_array(np.asarray(image))["pixels"] == every[0]["pixels"]
    assert traits_of(encoded(image, "JPEG"))["pixels"] != every[0]["pixels"]


def test_a_picture_taken_sideways_has_the_pixels_and_sides_of_the_upright_one():
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = photographs()[0]
    sideways = traits_of(encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif))
    assert (sideways["width"], sideways["height"], sideways["orientation"]) == (*upright.size, 6)
    assert sideways["pixels"] == traits_of(encoded(upright))["pixels"]


def test_what_the_file_was_is_told():
    image = photographs()[7]
    content = encoded(image.convert("CMYK"), "JPEG")
    found = traits_of(content)
    told = ("format", "mode", "orientation", "frames", "transparent")
    assert [found[name].item() for name in told] == [b"JPEG", b"CMYK", 1, 1, False]
    assert found["content"] == digest_of(content).encode()
    moving = encoded(image, "GIF", save_all=True, append_images=[photographs()[8]])
    assert [traits_of(moving, first_frame=True)[name].item() for name in told] == [b"GIF", b"P", 1, 2, False]
    with pytest.raises(Undecodable):
        traits_of(moving)
    assert traits_of(encoded(image.convert("LA")))["transparent"]


def test_pixels_from_memory_are_told_by_their_digest():
    pixels = np.asarray(photographs()[3])
    found = traits_of_array(pixels)
    assert found.dtype == TRAITS
    assert found["content"] == found["pixels"] == digest_of(pixels).encode()
    assert (found["format"], found["mode"], found["frames"]) == (b"", b"RGB", 1)


# --- what is remembered


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four pictures as bitmaps, whose size tells nothing, and a text."""
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(encoded(photographs()[2 + number], "BMP"))
    (tmp_path / "4").write_text("no picture")
    return [Sample(str(number), 0, tmp_path / str(number)) for number in range(5)]


def read(samples: list[Sample], index: Path, **options) -> tuple[list[bytes | str], list[tuple[int, int]]]:
    """What is told of each sample, and the calls of progress."""
    calls: list[tuple[int, int]] = []
    found = remembered_traits(
        samples, options.pop("first_frame", False), index, lambda *call: calls.append(call), **options
    )
    return [told if isinstance(told, str) else told.tobytes() for told in found], calls


def test_only_what_is_new_or_bad_is_read_again_unless_all_is_wanted(samples, tmp_path):
    index = tmp_path / "index"
    first, calls = read(samples[:3], index)
    assert first == [traits_of(sample.origin.read_bytes()).tobytes() for sample in samples[:3]]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert read(samples[:3], index) == (first, [])
    told, calls = read(samples, index)
    assert (told[:3], told[4]) == (first, "cannot be decoded: a text, not an image")
    assert calls == [(1, 2), (2, 2)]
    assert read(samples, index) == (told, [(1, 1)])  # another Pillow may read what this one cannot
    assert read(samples, index, full=True)[1] == [(done, 5) for done in range(1, 6)]


def test_a_file_changed_under_its_old_size_and_time_is_noticed(samples, tmp_path):
    (before, *others), _ = read(samples, tmp_path / "index")
    changed = samples[0].origin
    times = changed.stat()
    time.sleep(0.02)
    changed.write_bytes(encoded(photographs()[9], "BMP"))
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (changed.stat().st_size, changed.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    (after, *same), calls = read(samples, tmp_path / "index")
    assert (after != before, same == others, len(calls)) == (True, True, 2)


def test_an_animation_is_remembered_by_how_it_was_read(samples, tmp_path):
    moving = encoded(photographs()[2], "GIF", save_all=True, append_images=[photographs()[3]])
    samples[0].origin.write_bytes(moving)
    (taken, *_), _ = read(samples, tmp_path / "index", first_frame=True)
    assert taken == traits_of(moving, first_frame=True).tobytes()
    assert "it has 2 frames" in read(samples, tmp_path / "index")[0][0]


def test_a_damaged_memory_is_no_harm(samples, tmp_path):
    index, array = tmp_path / "index", io.BytesIO()
    known = read(samples[:2], index)[0]
    good = index.read_bytes()
    for place in range(0, len(good), 40):
        for bit in range(8):
            index.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            assert all(traits.tobytes() in known for traits in _read_index(index).values())
    np.save(array, np.zeros(3))
    for content in (b"", bytes(500), good[: len(good) // 2], array.getvalue()):
        index.write_bytes(content)
        assert read(samples[:2], index) == (known, [(1, 2), (2, 2)])
        assert read(samples[:2], index) == (known, [])
