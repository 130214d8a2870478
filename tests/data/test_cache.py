"""The cache: pixels as they were decoded, beside what the listing told, and nothing half made, whatever is killed."""

import io
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.data import CsvFile, Digits, ImageFolder, ListFile, SkipBad, Subset, build, listing, load, mean_std
from ablation.data.cache import Dataset
from ablation.data.decode import to_square
from ablation.errors import DataError

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


def noise(height: int, width: int, number: int = 0) -> np.ndarray:
    """Smooth enough to survive JPEG."""
    grid = np.random.Generator(np.random.Philox(number)).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photos(root: Path, files: dict[str, bytes]) -> ImageFolder:
    """A folder with these files in class a, and one good picture in class b."""
    for name, content in {**{f"a/{name}": content for name, content in files.items()}, "b/good": GOOD}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return ImageFolder(str(root))


GOOD = encoded(Image.fromarray(noise(20, 30)))
JPEG = encoded(Image.fromarray(noise(90, 90)), "JPEG", quality=95)


# --- from photographs to squares


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera's right is up
    sideways = Image.fromarray(np.rot90(noise(20, 30)))
    data = build(listing(photos(tmp_path / "d", {"0": encoded(sideways, exif=exif)}), tmp_path), 12, tmp_path)
    upright, _ = to_square(Image.fromarray(noise(20, 30)), 12)
    assert np.array_equal(data.images[data.names.index("a/0")], upright)
    assert data.aspect.tolist() == [1.5, 1.5]
    assert data.aspect.dtype == np.float32


def test_bad_files_are_told_before_anything_is_built_or_left_out_of_it(tmp_path):
    cut = {f"{number}.jpg": JPEG[: 100 * number] for number in range(4)}
    source, cache = photos(tmp_path / "d", {**cut, "whole.jpg": JPEG}), tmp_path / "cache"
    with pytest.raises(DataError) as error:
        listing(source, cache)
    assert [problem.where for problem in error.value.problems[:-1]] == [f"{tmp_path}/d/a/{name}" for name in cut]
    assert [path.name for path in cache.iterdir()] == ["traits"]
    data = build(listing(SkipBad(source), cache), 8, cache)
    assert sorted(data.names) == ["a/whole.jpg", "b/good"]


def test_of_an_animation_the_first_frame_is_kept_when_asked(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    photos(tmp_path / "d", {"moving.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])})
    data = build(listing(ImageFolder(str(tmp_path / "d"), first_frame=True), tmp_path), 4, tmp_path)
    red = data.images[data.names.index("a/moving.gif")]
    assert red.transpose(1, 2, 0).reshape(-1, 3).tolist() == 16 * [[255, 0, 0]]


def test_names_of_any_bytes_go_through_listing_and_cache(tmp_path):
    root, classes = tmp_path / "猫 photos", ("虎斑", os.fsdecode(b"ta\xe9bby"))
    odd = ["猫 🐈.png", "a\nb.png", os.fsdecode(b"\xff\xfe.png"), " ", "it's.png", "-x.png"]
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        (root / name / "loop").symlink_to(root / name)
        for place, file in enumerate(odd):
            (root / name / file).write_bytes(encoded(Image.fromarray(noise(9, 9, 10 * number + place))))
    found = listing(ImageFolder(str(root)), tmp_path / "cache")
    shown = ["猫 🐈.png", r"a\nb.png", r"\xff\xfe.png", " ", "it's.png", "-x.png"]
    assert found.classes == (r"ta\xe9bby", "虎斑")
    assert sorted(found.names) == sorted(f"{name}/{file}" for name in found.classes for file in shown)
    data = build(found, 16, tmp_path / "cache")
    assert data.names == load(tmp_path / "cache", found.digest, 16).names == found.names
    (root / "虎斑" / os.fsdecode(b"\xfe.jpg")).write_text("no picture")
    with pytest.raises(DataError) as error:
        listing(ImageFolder(str(root)), tmp_path / "cache")
    assert str(error.value.problems[0]) == rf"{root}/虎斑/\xfe.jpg: cannot be decoded: a text, not an image"


def test_a_large_but_allowed_image_gives_no_warning(tmp_path):
    source = photos(tmp_path / "d", {"large.png": encoded(Image.new("1", (9_500, 9_500)))})
    assert build(listing(source, tmp_path), 4, tmp_path).images.shape == (2, 3, 4, 4)  # warnings are errors here


# --- the folder


def test_build_keeps_what_the_listing_told(tmp_path):
    told = listing(Subset(Digits(), 5), tmp_path)
    seen = []
    data = build(told, 8, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 50) for done in range(1, 51)]
    assert (data.digest, data.size, data.classes, data.names) == (told.digest, 8, told.classes, told.names)
    assert np.array_equal(data.labels, told.labels)
    assert np.array_equal(data.images, np.stack([origin().transpose(2, 0, 1) for origin in told.origins]))
    assert isinstance(data.images, np.memmap)
    assert not data.images.flags.writeable
    assert sorted(path.name for path in (tmp_path / f"{told.digest}-8").iterdir()) == [
        "images.npy",
        "meta.json",
        "samples.npz",
    ]


def test_parts_and_groups_are_kept(tmp_path):
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(encoded(Image.fromarray(noise(40, 40, number // 2))))
    rows = [f"{number}.png,{number // 2 % 2},{('train', 'test')[number // 4]}\n" for number in range(8)]
    (tmp_path / "table.csv").write_text("path,label,split\n" + "".join(rows))
    told = listing(CsvFile(str(tmp_path / "table.csv")), tmp_path)
    for data in (build(told, 8, tmp_path), load(tmp_path, told.digest, 8)):
        for name in ("labels", "parts", "near", "exact"):
            assert np.array_equal(getattr(data, name), getattr(told, name))
            assert getattr(data, name).dtype == getattr(told, name).dtype
    assert sorted(data.parts.tolist()) == [0, 0, 0, 0, 2, 2, 2, 2]
    assert np.bincount(data.exact).tolist() == [2, 2, 2, 2]


def test_built_once_then_only_opened_also_without_the_photographs(tmp_path):
    source = photos(tmp_path / "d", {"0": encoded(Image.fromarray(noise(9, 9, 1)))})
    told = listing(source, tmp_path)
    first = build(told, 6, tmp_path)
    for path in (tmp_path / "d").rglob("*.*"):
        path.unlink()
    calls = []
    again, opened = build(told, 6, tmp_path, lambda *done: calls.append(done)), load(tmp_path, told.digest, 6)
    assert calls == []
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.images, opened.images)
    assert opened.names == first.names


def test_a_renamed_photograph_is_called_by_its_new_name(tmp_path):
    source = photos(tmp_path / "d", {"old": encoded(Image.fromarray(noise(9, 9, 1)))})
    build(listing(source, tmp_path), 6, tmp_path)
    (tmp_path / "d" / "a" / "old").rename(tmp_path / "d" / "a" / "new")
    assert "a/new" in build(listing(source, tmp_path), 6, tmp_path).names


def test_a_file_that_changes_or_goes_between_listing_and_building_is_told(tmp_path):
    source = photos(tmp_path / "d", {"changes": JPEG, "goes": encoded(Image.fromarray(noise(9, 9, 1)))})
    told = listing(source, tmp_path)
    (tmp_path / "d" / "a" / "changes").write_bytes(GOOD)
    (tmp_path / "d" / "a" / "goes").unlink()
    with pytest.raises(DataError) as error:
        build(told, 6, tmp_path)
    assert "a/changes: has changed since it was listed" in str(error.value)
    assert "a/goes: cannot be read: No such file" in str(error.value)


def test_loading_what_is_absent_or_damaged(tmp_path):
    with pytest.raises(DataError, match="no images of data 0123456789abcdef are cached at 8 x 8"):
        load(tmp_path, "0123456789abcdef", 8)
    told = listing(Subset(Digits(), 2), tmp_path)
    build(told, 8, tmp_path)
    whole = (tmp_path / f"{told.digest}-8" / "images.npy").read_bytes()
    lies = [whole.replace(b"(20, 3", b"(19, 3"), whole.replace(b"|u1", b"|i1")]
    for path in sorted((tmp_path / f"{told.digest}-8").iterdir()):
        good = path.read_bytes()
        for place in range(10, 128, 9) if path.name == "images.npy" else range(0, len(good) - 60, 40):
            path.write_bytes(good[:place] + bytes([good[place] ^ 0x48]) + good[place + 1 :])
            with suppress(DataError):  # or it is a place that says nothing
                assert load(tmp_path, told.digest, 8).images.shape == (20, 3, 8, 8)
        for content in (b"", b"{}", good[:-100], *(lies if path.name == "images.npy" else [])):
            path.write_bytes(content)
            with pytest.raises(DataError, match=r"is damaged .*; delete that folder and build it again"):
                load(tmp_path, told.digest, 8)
        path.write_bytes(good)
    assert load(tmp_path, told.digest, 8).names == told.names


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_cache_that_may_not_be_read_is_not_called_damaged(tmp_path):
    told = listing(Subset(Digits(), 2), tmp_path)
    build(told, 8, tmp_path)
    path = tmp_path / f"{told.digest}-8" / "images.npy"
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"images\.npy"):
        load(tmp_path, told.digest, 8)


KILLED = """
import os, sys
from pathlib import Path
from ablation.data import ImageFolder, build, listing

cache = Path(sys.argv[1])
build(listing(ImageFolder(sys.argv[2]), cache), 8, cache, lambda done, total: os._exit(9) if done == {moment} else None)
"""


def many_photos(root: Path) -> ImageFolder:
    """30 small pictures in two classes."""
    return photos(root, {str(number): encoded(Image.fromarray(noise(9, 9, number))) for number in range(29)})


@pytest.mark.parametrize("moment", [1, 30])
def test_a_kill_while_building_leaves_no_half_cache_and_no_litter(tmp_path, moment):
    source, cache = many_photos(tmp_path / "d"), tmp_path / "cache"
    command = [sys.executable, "-c", KILLED.format(moment=moment), str(cache), source.path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    assert list(cache.glob(".*.unfinished"))  # the kill came in the middle
    told = listing(source, cache)
    with pytest.raises(DataError, match="no images"):
        load(cache, told.digest, 8)
    build(listing(Subset(source, 3), cache), 8, cache)
    assert not list(cache.glob(".*.unfinished"))  # a build of any data clears it away
    assert np.array_equal(build(told, 8, cache).labels, told.labels)


BUILDER = """
import sys, time
from pathlib import Path
from ablation.data import ImageFolder, build, listing

cache = Path(sys.argv[1])
steps = []
def slow(done, total):
    steps.append(done)
    time.sleep(0.05)
build(listing(ImageFolder(sys.argv[2]), cache), 8, cache, slow)
print(len(steps))
"""


def test_two_processes_do_not_build_at_once(tmp_path):
    source = many_photos(tmp_path / "d")
    command = [sys.executable, "-c", BUILDER, str(tmp_path), source.path]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0].strip() for process in both) == ["0", "30"]
    assert [process.returncode for process in both] == [0, 0]


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    told = listing(Subset(Digits(), 2), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build(told, 8, tmp_path, stop)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["traits"]


# --- mean and std


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_mean_and_std_are_numpys_and_the_order_changes_no_bit(count, size, seed, shuffler):
    images = np.random.Generator(np.random.Philox(seed)).integers(0, 256, (count + 3, 3, size, size), dtype=np.uint8)
    none = np.zeros(0, np.int64)
    data = Dataset("", size, (), (), none, np.zeros(0, np.float32), none.astype(np.int8), none, none, images)  # type: ignore[arg-type]
    rows = list(range(count))
    mean, std = mean_std(data, np.array(rows))
    pixels = images[:count].astype(np.float64) / 255
    assert mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-9)
    shuffler.shuffle(rows)
    assert all(np.array_equal(a, b) for a, b in zip(mean_std(data, np.array(rows)), (mean, std), strict=True))


def test_mean_and_std_of_nothing_is_refused(tmp_path):
    data = build(listing(Subset(Digits(), 2), tmp_path), 8, tmp_path)
    with pytest.raises(ValueError, match="at least one row"):
        mean_std(data, np.array([], np.int64))


# --- real photographs


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_all_cats_load_also_those_that_are_no_jpegs(tmp_path):
    odd = [path for path in (CATS / "cat_12_train").iterdir() if path.read_bytes()[:2] != b"\xff\xd8"]
    assert len(odd) == 9
    wanted = {f"cat_12_train/{path.name}" for path in odd}
    listed = (CATS / "train_list.txt").read_text().splitlines(keepends=True)
    lines = [line for row, line in enumerate(listed) if line.split("\t")[0] in wanted or row % 40 == 0]
    (tmp_path / "list.txt").write_text("".join(lines))
    (tmp_path / "cat_12_train").symlink_to(CATS / "cat_12_train")
    data = build(listing(ListFile(str(tmp_path / "list.txt")), tmp_path), 32, tmp_path)
    assert len(data.labels) == len(lines)
    for path in odd:
        row = data.names.index(f"cat_12_train/{path.name}")
        with Image.open(path) as image:
            assert data.aspect[row] == np.float32(image.width / image.height)
        assert data.images[row].std() > 10
    assert json.loads((tmp_path / f"{data.digest}-32" / "meta.json").read_text())["size"] == 32
