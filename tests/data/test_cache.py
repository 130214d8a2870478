"""The cache: pixels as they were decoded, beside what the listing told, and nothing half made, whatever is killed."""

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
from pictures import GOOD, JPEG, encoded, noise, photos
from PIL import Image

from ablation.core.errors import DataError
from ablation.data import CsvFile, Digits, ImageFolder, Subset, build, listing, load, mean_std
from ablation.data.cache import Dataset
from ablation.data.contents import remembered_traits

ROOT = Path(__file__).parents[2]


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


def without_checksums(folder: Path) -> None:
    """As versions wrote a cache that knew none."""
    meta = json.loads((folder / "meta.json").read_text())
    del meta["checksum"], meta["samples"]
    (folder / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    "wrong", [lambda array: array[1:], lambda array: array[:, None], lambda array: array.astype(str)]
)
@pytest.mark.parametrize("name", ["labels", "aspect", "parts", "near", "exact"])
def test_samples_of_other_images_are_not_believed(tmp_path, name, wrong):
    told = listing(Subset(Digits(), 2), tmp_path)
    build(told, 8, tmp_path)
    path = tmp_path / f"{told.digest}-8" / "samples.npz"
    with np.load(path) as stored:
        samples = dict(stored)
    np.savez(path, **samples | {name: wrong(samples[name])})
    with pytest.raises(DataError, match=r"is damaged \(samples\.npz does not have its checksum\); delete that folder"):
        load(tmp_path, told.digest, 8)
    without_checksums(path.parent)
    with pytest.raises(DataError, match=rf"is damaged \(samples\.npz has {name} of .*; delete that folder"):
        load(tmp_path, told.digest, 8)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_cache_that_may_not_be_read_is_not_called_damaged(tmp_path):
    told = listing(Subset(Digits(), 2), tmp_path)
    build(told, 8, tmp_path)
    path = tmp_path / f"{told.digest}-8" / "images.npy"
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"images\.npy"):
        load(tmp_path, told.digest, 8)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process, as Linux has them")
def test_a_machine_without_a_file_to_spare_is_no_damage(tmp_path):
    """Nor is a disk that fails: deleting the cache would not help."""
    import resource

    told = listing(Subset(Digits(), 2), tmp_path)
    build(told, 8, tmp_path)
    _, samples = Digits().samples()
    [index] = (tmp_path / "traits").glob("*.npz")
    known = index.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            load(tmp_path, told.digest, 8)
        with pytest.raises(OSError, match="Too many open files"):
            remembered_traits(samples, False, index)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert index.read_bytes() == known


def test_a_damaged_memory_of_files_is_found_anew(tmp_path):
    _, samples = many_photos(tmp_path / "d").samples()
    index = tmp_path / "index.npz"
    first = np.stack(remembered_traits(samples, False, index))
    whole = index.read_bytes()
    for content in (b"", whole[:-9], whole[:200], bytes(len(whole)), whole[:300] + b"?" * 40 + whole[340:]):
        index.write_bytes(content)
        measured: list[int] = []
        again = remembered_traits(samples, False, index, lambda done, _, measured=measured: measured.append(done))
        assert np.array_equal(np.stack(again), first)
        assert len(measured) == len(samples)
        known = remembered_traits(samples, False, index, lambda *_: pytest.fail("it was not remembered"))
        assert np.array_equal(np.stack(known), first)


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
