"""Listings: an order and a digest that depend on content alone, every bad file told, and nothing read twice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import draw, three_classes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.data import CsvFile, Digits, ImageFolder, ListFile, SkipBad, Subset, listing, readers
from ablation.data.files import PARTS

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "photos")


def write_list(folder: Path, *lines: str, classes: str | None = None) -> ListFile:
    (folder / "list.txt").write_text("".join(f"{line}\n" for line in lines))
    if classes is not None:
        (folder / "classes.txt").write_text(classes)
    return ListFile(str(folder / "list.txt"), None if classes is None else str(folder / "classes.txt"))


def write_table(folder: Path, header: str, *lines: str) -> CsvFile:
    (folder / "table.csv").write_text("".join(f"{line}\n" for line in (header, *lines)))
    return CsvFile(str(folder / "table.csv"))


def together(found, groups: np.ndarray) -> set[frozenset[str]]:
    """The names in each group of two or more."""
    every = [frozenset(found.names[row] for row in np.flatnonzero(groups == group)) for group in set(groups.tolist())]
    return {names for names in every if len(names) > 1}


# --- the order and the digest depend on content and labels alone


@settings(deadline=None, max_examples=5)
@given(st.permutations(range(9)), st.permutations(range(9)))
def test_names_order_and_place_change_neither_digest_nor_order(tmp_path_factory, order, names):
    root, found = tmp_path_factory.mktemp("data"), []
    for place, order_here, names_here in (("one", range(9), range(9)), ("other", order, names)):
        for number in range(9):
            draw(root / place / f"{names_here[number]}.png", number)
        lines = [f"{names_here[number]}.png\t{number % 3}" for number in order_here]
        found.append(listing(write_list(root / place, *lines), root / "cache"))
    assert found[0].digest == found[1].digest
    assert np.array_equal(found[0].labels, found[1].labels)
    assert found[0].contents == found[1].contents
    assert np.array_equal(found[0].traits, found[1].traits)
    assert (found[0].names == found[1].names) == (list(names) == list(range(9)))


def test_a_renamed_file_changes_nothing_but_the_name(folder, tmp_path):
    source = ImageFolder(str(folder))
    before = listing(source, tmp_path / "cache")
    (folder / "tabby" / "0.png").rename(folder / "tabby" / "zoë.jpeg")
    after = listing(source, tmp_path / "cache")
    assert (after.digest, after.contents) == (before.digest, before.contents)
    row = before.names.index("tabby/0.png")
    assert after.names == (*before.names[:row], "tabby/zoë.jpeg", *before.names[row + 1 :])


def test_a_folder_and_a_list_of_the_same_pictures_are_the_same_data(folder, tmp_path):
    from_folder = listing(ImageFolder(str(folder)), tmp_path / "cache")
    lines = [f"{name}\t{label}" for name, label in zip(from_folder.names, from_folder.labels, strict=True)]
    from_list = listing(write_list(folder, *reversed(lines), classes="x\ny\nz"), tmp_path / "cache")
    assert from_list.digest == from_folder.digest
    assert from_list.classes == ("x", "y", "z")


def test_content_label_and_number_of_images_change_the_digest(folder, tmp_path):
    source = ImageFolder(str(folder))
    first = listing(source, tmp_path / "cache").digest
    shutil.move(folder / "tabby" / "0.png", folder / "black" / "moved.png")
    relabelled = listing(source, tmp_path / "cache").digest
    draw(folder / "black" / "moved.png", 77)
    redrawn = listing(source, tmp_path / "cache").digest
    (folder / "black" / "moved.png").unlink()
    assert len({first, relabelled, redrawn, listing(source, tmp_path / "cache").digest}) == 4


def test_samples_stand_in_the_order_of_their_content(folder, tmp_path):
    found = listing(ImageFolder(str(folder)), tmp_path / "cache")
    assert list(found.contents) == sorted(found.contents)
    for row, origin in enumerate(found.origins):
        assert origin == folder / found.names[row]
        assert found.names[row].startswith(found.classes[found.labels[row]])
        assert (found.traits["width"][row], found.traits["height"][row]) == (72, 48)
    assert (found.labels.dtype, len(found.digest), set(found.parts.tolist())) == (np.int64, 16, {-1})


# --- parts and groups


@pytest.fixture
def eight(tmp_path: Path) -> Path:
    """0.png to 7.png, of two classes by turns."""
    for number in range(8):
        draw(tmp_path / f"{number}.png", number)
    return tmp_path


def test_parts_are_told_and_change_the_digest(eight):
    digests = set()
    for parts in (
        8 * [""],
        4 * ["train"] + 4 * ["test"],
        4 * ["train"] + 4 * ["val"],
        2 * ["train", "train", "test", "test"],
    ):
        rows = [f"{number}.png,{number % 2},{part}" for number, part in enumerate(parts)]
        found = listing(write_table(eight, "path,label,split", *rows), eight / "cache")
        digests.add(found.digest)
        told = dict(zip(found.names, found.parts.tolist(), strict=True))
        assert [(*PARTS, "")[told[f"{number}.png"]] for number in range(8)] == parts
    assert len(digests) == 4


def test_groups_of_a_table_are_joined_and_change_the_digest_by_who_is_in_them(eight):
    digests = {}
    for groups in ("        ", "aabb    ", "yyzz    ", "aaaa    ", "abab    "):
        rows = [f"{number}.png,{number % 2},{group.strip()}" for number, group in enumerate(groups)]
        found = listing(write_table(eight, "path,label,group", *rows), eight / "cache")
        digests[groups.strip()] = found.digest
        of = {group: [f"{number}.png" for number in range(8) if groups[number] == group] for group in groups.strip()}
        assert together(found, found.near) == together(found, found.exact) == set(map(frozenset, of.values()))
    assert digests["aabb"] == digests["yyzz"]
    assert len(set(digests.values())) == 4


def test_copies_and_near_duplicates_are_together_and_with_the_groups_that_they_touch(tmp_path):
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "copy.bmp", 1, "BMP")  # the same pixels
    draw(tmp_path / "near.jpg", 1, "JPEG", quality=85)
    with Image.open(tmp_path / "a.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    for number in (2, 3, 4):
        draw(tmp_path / f"other{number}.png", number)
    rows = ["a.png,0,", "copy.bmp,1,", "near.jpg,0,", "mirrored.png,0,cat", "other2.png,1,cat", "other3.png,1,"]
    found = listing(write_table(tmp_path, "path,label,group", *rows, "other4.png,0,"), tmp_path / "cache")
    alike = frozenset({"a.png", "copy.bmp", "near.jpg", "mirrored.png", "other2.png"})
    assert together(found, found.near) == {alike}
    assert together(found, found.exact) == {frozenset({"a.png", "copy.bmp"}), frozenset({"mirrored.png", "other2.png"})}


def test_groups_of_much_data_are_remembered_and_a_damaged_memory_is_no_harm(folder, tmp_path, monkeypatch):
    shutil.copy(folder / "tabby" / "0.png", folder / "black" / "copy.png")
    with Image.open(folder / "black" / "1.png") as image:
        image.save(folder / "black" / "near.jpg", quality=85)
    source, cache = ImageFolder(str(folder)), tmp_path / "cache"
    expected = listing(source, cache)
    before = set((cache / "traits").iterdir())
    monkeypatch.setattr("ablation.data.contents._REMEMBERED_FROM", 1)
    assert len(together(expected, expected.near)) == 2
    assert listing(source, cache).digest == expected.digest
    (memory,) = set((cache / "traits").iterdir()) - before
    written = memory.stat().st_mtime_ns
    assert np.array_equal(listing(source, cache).near, expected.near)
    assert memory.stat().st_mtime_ns == written
    for content in (
        b"",
        b"half",
        memory.read_bytes()[:-30],
        memory.read_bytes()[:200] + b"?" + memory.read_bytes()[201:],
    ):
        memory.write_bytes(content)
        assert np.array_equal(listing(source, cache).near, expected.near)


# --- what is known is not read again


def test_a_second_listing_reads_no_file_and_a_third_only_what_is_new(folder, tmp_path):
    source, cache, calls = ImageFolder(str(folder)), tmp_path / "cache", []

    def read() -> list[tuple[int, int]]:
        calls.clear()
        listing(source, cache, lambda done, total: calls.append((done, total)))
        return calls

    assert read() == [(done, 12) for done in range(1, 13)]
    assert read() == []
    (index,) = (cache / "traits").iterdir()
    with np.load(index) as file:
        states, traits = file["states"], file["traits"]
    traits["content"][0] = b"0" * 32
    np.savez(index, states=states, traits=traits)
    assert "0" * 32 in listing(source, cache).contents  # so it was the memory that was asked, not the file
    draw(folder / "tabby" / "new.png", 50)
    assert read() == [(1, 1)]
    listing(Subset(SkipBad(source), 2), cache, lambda *call: calls.append(call))  # of the same files
    assert calls == [(1, 1)]


# --- subsets, and other sources


def test_a_subset_is_the_first_of_each_class_and_part_by_content(folder, tmp_path):
    whole = listing(ImageFolder(str(folder)), tmp_path / "cache")
    part = listing(Subset(ImageFolder(str(folder)), per_class=3), tmp_path / "cache")
    for label in range(3):
        mine = [name for name, other in zip(part.names, part.labels, strict=True) if other == label]
        assert mine == [name for name, other in zip(whole.names, whole.labels, strict=True) if other == label][:3]
    assert part.digest != whole.digest
    assert list(part.contents) == sorted(part.contents)
    assert part.traits["content"].tolist() == [content.encode() for content in part.contents]
    assert listing(Subset(ImageFolder(str(folder)), per_class=9), tmp_path / "cache").digest == whole.digest


def test_pixels_from_memory_are_measured_once_too(tmp_path):
    calls = []
    found = listing(Digits(), tmp_path, lambda *call: calls.append(call))
    assert (calls[0], calls[-1], len(calls)) == ((1, 1797), (1797, 1797), 1797)
    assert listing(Digits(), tmp_path, lambda *call: calls.append(call)).digest == found.digest
    assert len(calls) == 1797


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_cats_are_read_once(cache, monkeypatch):
    source = ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt"))
    first = listing(source, cache)
    monkeypatch.setattr(readers, "_Reader", None)  # no file can be read
    again = listing(source, cache)
    assert again.digest == first.digest
    assert np.bincount(again.labels).tolist() == [180] * 12
    assert again.classes[0] == "Abyssinian"
    assert len(together(again, again.near)) > len(together(again, again.exact)) > 0
