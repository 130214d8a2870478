"""The cache against its checksums: what is not as it was written is built again, and no other number comes of it."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from faults import record_fault
from pictures import encoded, noise, photos
from PIL import Image

from ablation.core.errors import DataError
from ablation.core.files import Damaged
from ablation.data import Digits, Subset, build, listing, load
from ablation.data import contents as of_files
from ablation.data.contents import remembered_traits
from ablation.data.files import Sample
from ablation.data.published import digest_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listed(tmp_path):
    """20 digits, listed; their cache is in `tmp_path`."""
    listed = listing(Subset(Digits(), 2), tmp_path)
    build(listed, 8, tmp_path)
    return listed


def numbers(data):
    """All that a training takes from a cache."""
    arrays = (data.images, data.labels, data.aspect, data.parts, data.near, data.exact)
    return (data.digest, data.size, data.classes, data.names, *(np.asarray(array).tobytes() for array in arrays))


def pixels_zeroed(folder, count=500):
    content = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(content[:-count] + bytes(count))


def meta_edited(**changed):
    def edit(folder):
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(meta | {name: new(meta[name]) for name, new in changed.items()}))

    return edit


def labels_changed(folder):
    with np.load(folder / "samples.npz") as file:
        samples = dict(file)
    np.savez(folder / "samples.npz", **samples | {"labels": samples["labels"][::-1]})


def of_another_data(folder):
    other = listing(Subset(Digits(), 3), folder.parent)
    build(other, 8, folder.parent)
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name(f"{other.digest}-8"), folder)


def a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no cache")


def lost(name):
    return lambda folder: (folder / name).unlink()


DAMAGES = {
    "pixels zeroed in place": (pixels_zeroed, "the pixels of 3 of 20 photographs, digits/"),
    "names edited": (meta_edited(names=lambda names: names[::-1]), "meta.json does not have its checksum"),
    "classes edited": (meta_edited(classes=lambda classes: classes[::-1]), "meta.json does not have its checksum"),
    "its version of Pillow edited": (meta_edited(pillow=lambda _: "9.0"), "meta.json does not have its checksum"),
    "labels changed": (labels_changed, "samples.npz does not have its checksum"),
    "the cache of other data": (of_another_data, "meta.json is that of "),
    "no images.npy": (lost("images.npy"), "images.npy: No such file or directory"),
    "no samples.npz": (lost("samples.npz"), "samples.npz: No such file or directory"),
    "no meta.json": (lost("meta.json"), "meta.json: No such file or directory"),
    "a file in its place": (a_file, "Not a directory"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_cache_that_is_not_as_it_was_written_is_built_again(damage, listed, tmp_path):
    change, reason = DAMAGES[damage]
    folder, good, notes = tmp_path / f"{listed.digest}-8", numbers(load(tmp_path, listed.digest, 8)), []
    change(folder)
    data = build(listed, 8, tmp_path, note=notes.append)
    assert numbers(data) == good
    assert numbers(load(tmp_path, listed.digest, 8)) == good
    assert len(notes) == 1
    assert notes[0].startswith(f"the cache {folder} was built again from the photographs: ")
    assert reason in notes[0]
    assert "runs that were trained" not in notes[0], "the squares are what they were"
    assert {path.suffix for path in tmp_path.glob(".*")} == {".lock"}, "nothing is left of the one before"
    calls = []
    build(listed, 8, tmp_path, lambda *call: calls.append(call), notes.append)
    assert (calls, len(notes)) == ([], 1)
    record_fault(
        "believed",
        f"the cache: {damage}",
        1,
        "built again from the photographs, with a line",
        notes[0].partition("photographs: ")[2],
    )


def test_a_cache_of_versions_without_checksums_is_built_again_once(listed, tmp_path):
    folder, good, notes = tmp_path / f"{listed.digest}-8", numbers(load(tmp_path, listed.digest, 8)), []
    without_checksums(folder)
    assert numbers(load(tmp_path, listed.digest, 8)) == good, "a report shows its photographs as before"
    for _ in range(2):
        assert numbers(build(listed, 8, tmp_path, note=notes.append)) == good
    assert notes == [
        f"the cache {folder} was built again from the photographs: it has no checksums, as earlier versions wrote none"
    ]


def without_checksums(folder):
    meta = json.loads((folder / "meta.json").read_text())
    del meta["checksum"], meta["samples"]
    (folder / "meta.json").write_text(json.dumps(meta))
    with np.load(folder / "samples.npz") as file:
        samples = {name: file[name] for name in file.files if name != "pixels"}
    np.savez(folder / "samples.npz", **samples)


def test_squares_that_come_out_otherwise_are_counted(listed, tmp_path):
    """As those of another Pillow, or of an old cache that was damaged: what runs before were trained with is gone."""
    folder, notes = tmp_path / f"{listed.digest}-8", []
    without_checksums(folder)
    pixels_zeroed(folder)
    build(listed, 8, tmp_path, note=notes.append)
    assert "; 3 of its 20 squares are not what they were (by Pillow " in notes[0]
    assert notes[0].endswith("runs that were trained with those are of other images, remove their folders")


def test_a_damaged_cache_whose_photographs_are_gone_is_one_clear_error(tmp_path):
    source = photos(tmp_path / "d", {"0": encoded(Image.fromarray(noise(9, 9, 1)))})
    listed = listing(source, tmp_path)
    build(listed, 6, tmp_path)
    folder = tmp_path / f"{listed.digest}-6"
    pixels_zeroed(folder, 50)
    for path in (tmp_path / "d").rglob("*.*"):
        path.unlink()
    (tmp_path / "d" / "a" / "0").unlink()
    with pytest.raises(DataError) as error:
        build(listed, 6, tmp_path)
    first, *others = map(str, error.value.problems)
    assert first.startswith(f"the cache {folder} is not to be used (the pixels of ")
    assert first.endswith("and cannot be built again:")
    assert "a/0: cannot be read: No such file or directory" in others[0]
    assert folder.exists(), "what there is is left for who wants to look"
    record_fault(
        "believed",
        "a damaged cache, and the photographs are gone",
        1,
        "one error that names both",
        first.partition("(")[2],
    )


def test_random_flips_of_a_bit_in_the_cache_are_noticed_or_change_nothing(listed, tmp_path):
    folder, good = tmp_path / f"{listed.digest}-8", numbers(load(tmp_path, listed.digest, 8))
    good = (*good[:2], listed.classes, listed.names, *good[4:])
    draws, counts = np.random.Generator(np.random.Philox(3)), {"noticed": 0, "changed nothing": 0}
    for name, flips in (("images.npy", 40), ("samples.npz", 30), ("meta.json", 30)):
        whole = (folder / name).read_bytes()
        for bit in draws.integers(0, 8 * len(whole), flips).tolist():
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(content)
            notes = []
            assert numbers(build(listed, 8, tmp_path, note=notes.append)) == good, f"{name}, bit {bit}"
            counts["noticed" if notes else "changed nothing"] += 1
            (folder / name).write_bytes(whole)
    assert counts["noticed"] > 95
    record_fault(
        "believed", "one bit of a cache flipped, in any of its files", sum(counts.values()),
        "noticed and built again, or nothing changed", ", ".join(f"{count} {what}" for what, count in counts.items()),
    )  # fmt: skip


def test_commands_that_open_a_cache_notice_what_is_no_pixel(listed, tmp_path):
    """`load` alone: each bit of meta.json and samples.npz that says anything."""
    folder, good = tmp_path / f"{listed.digest}-8", numbers(load(tmp_path, listed.digest, 8))
    draws = np.random.Generator(np.random.Philox(4))
    for name in ("samples.npz", "meta.json"):
        whole = (folder / name).read_bytes()
        for bit in draws.integers(0, 8 * len(whole), 60).tolist():
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(content)
            with suppress(DataError):
                assert numbers(load(tmp_path, listed.digest, 8)) == good
        (folder / name).write_bytes(whole)


AGAIN = """
import os, sys, time
from pathlib import Path
from ablation.data import ImageFolder, build, listing

cache, steps = Path(sys.argv[1]), []
def step(done, total):
    steps.append(done)
    time.sleep(0.01)
    if done == {moment}:
        os._exit(9)
build(listing(ImageFolder(sys.argv[2]), cache), 8, cache, step, lambda line: None)
print(len(steps))
"""


def test_a_kill_while_a_cache_is_built_again_leaves_no_half_one_and_two_processes_do_not_both(tmp_path):
    source = photos(
        tmp_path / "d", {str(number): encoded(Image.fromarray(noise(9, 9, number))) for number in range(29)}
    )
    cache = tmp_path / "cache"
    listed = listing(source, cache)
    good = numbers(build(listed, 8, cache))
    pixels_zeroed(cache / f"{listed.digest}-8")
    command = [sys.executable, "-c", AGAIN.format(moment=20), str(cache), source.path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    assert list(cache.glob(".*.unfinished"))
    command[2] = AGAIN.format(moment=-1)
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0].strip() for process in both) == ["0", "30"]
    assert not list(cache.glob(".*.unfinished"))
    assert numbers(build(listed, 8, cache, note=lambda line: pytest.fail(line))) == good


def test_a_kill_between_the_two_renames_costs_another_build(listed, tmp_path):
    folder, good = tmp_path / f"{listed.digest}-8", numbers(load(tmp_path, listed.digest, 8))
    folder.rename(tmp_path / f".{folder.name}.replaced")
    assert numbers(build(listed, 8, tmp_path, note=lambda line: pytest.fail(line))) == good
    assert {path.suffix for path in tmp_path.glob(".*")} == {".lock"}


# --- what is remembered of files


@pytest.fixture(scope="module")
def samples():
    """40 pictures in memory, some of them near-duplicates."""
    arrays = [noise(40, 40, number // 2) for number in range(40)]
    return [Sample(str(row), row % 2, lambda array=array: array, digest_of(array)) for row, array in enumerate(arrays)]


def test_random_flips_of_a_bit_in_what_is_remembered_of_files_change_nothing(samples, tmp_path):
    """Nor in the pairs of near-duplicates that are remembered."""
    index = tmp_path / "traits" / "index.npz"

    def everything():
        traits = np.stack(remembered_traits(samples, False, index, lambda *call: measured.append(call)))
        return traits.tobytes(), *(rows.tobytes() for rows in of_files._remembered_links(tmp_path, traits, labels))

    measured, labels = [], np.array([sample.label for sample in samples])
    good = everything()
    assert len(good[1]), "there are near-duplicates"
    [links] = set((tmp_path / "traits").iterdir()) - {index}
    draws, counts = np.random.Generator(np.random.Philox(5)), {"noticed": 0, "changed nothing": 0}
    for path, flips in ((index, 60), (links, 40)):
        whole = path.read_bytes()
        for bit in draws.integers(0, 8 * len(whole), flips).tolist():
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            assert everything() == good, f"{path.name}, bit {bit}"
            counts["changed nothing" if path.read_bytes() == content else "noticed"] += 1
            path.write_bytes(whole)
    assert counts["noticed"] > 60
    record_fault(
        "believed", "one bit flipped of what is remembered of files", sum(counts.values()),
        "measured again, or nothing changed", ", ".join(f"{count} {what}" for what, count in counts.items()),
    )  # fmt: skip


def test_what_is_remembered_of_other_files_or_was_edited_is_not_believed(samples, tmp_path):
    index, measured = tmp_path / "index.npz", []
    first = np.stack(remembered_traits(samples, False, index))
    with np.load(index) as file:
        arrays = dict(file)
    arrays["traits"]["hash"] += 1
    np.savez(index, **arrays)
    again = remembered_traits(samples, False, index, lambda *call: measured.append(call))
    assert np.array_equal(np.stack(again), first)
    assert len(measured) == len(samples)
    shutil.copy(index, tmp_path / "other.npz")
    with pytest.raises(Damaged, match="it does not have its checksum"):
        of_files._remembered(tmp_path / "other.npz", "states", "traits")
