"""Sources and listings: what is read, in an order that depends on content alone, and what a person is told is wrong."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.data import Digits, ImageFolder, ListFile, Subset, listing
from ablation.errors import DataError, InputError
from ablation.values import plain, restore

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"


def draw(path: Path, number: int) -> None:
    """A small picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.Philox(number)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of four pictures; one lies deeper."""
    for number in range(12):
        name = "deep/er/3.png" if number % 4 == 3 else f"{number % 4}.png"
        draw(tmp_path / "photos" / ("tabby", "calico", "black")[number // 4] / name, number)
    return tmp_path / "photos"


def write_list(folder: Path, *lines: str, classes: str | None = "tabby\ncalico\nblack\n") -> ListFile:
    (folder / "list.txt").write_text("".join(f"{line}\n" for line in lines))
    if classes is not None:
        (folder / "classes.txt").write_text(classes)
    return ListFile(str(folder / "list.txt"), None if classes is None else str(folder / "classes.txt"))


def problems(source, tmp_path: Path) -> str:
    with pytest.raises(DataError) as error:
        listing(source, tmp_path / "cache")
    return str(error.value)


# --- a folder for each class


def test_a_folder_gives_sorted_classes_and_nested_files_and_no_hidden_ones(folder, tmp_path):
    (folder / "tabby" / ".DS_Store").write_bytes(b"x")
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / "tabby" / ".thumbnails").mkdir()
    (folder / "tabby" / ".thumbnails" / "0.png").write_bytes(b"x")
    (folder / "README.md").write_text("cats")
    found = listing(ImageFolder(str(folder)), tmp_path / "cache")
    assert found.classes == ("black", "calico", "tabby")
    assert len(found.names) == 12
    assert "tabby/deep/er/3.png" in found.names
    assert {found.classes[label] for label in found.labels} == {"black", "calico", "tabby"}
    assert all(name.startswith(found.classes[label]) for name, label in zip(found.names, found.labels, strict=True))
    assert found.labels.dtype == np.int64
    assert len(found.digest) == 16


def test_links_that_loop_end(folder, tmp_path):
    before = listing(ImageFolder(str(folder)), tmp_path / "cache")
    (folder / "tabby" / "deep" / "up").symlink_to(folder / "tabby")
    (folder / "calico" / "self").symlink_to(folder / "calico")
    assert listing(ImageFolder(str(folder)), tmp_path / "cache").names == before.names


@pytest.mark.usefixtures("folder")
def test_a_missing_folder_is_named_as_given_and_in_full_with_a_suggestion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = problems(ImageFolder("photo"), tmp_path)
    assert told == f"there is no folder 'photo' ({tmp_path / 'photo'}); did you mean 'photos'?"
    assert "is not a folder" in problems(ImageFolder("photos/tabby/0.png"), tmp_path)


def test_empty_and_flat_folders_are_refused(folder, tmp_path):
    (folder / "persian").mkdir()
    (folder / "siamese").mkdir()
    draw(folder / "stray.png", 99)
    told = problems(ImageFolder(str(folder)), tmp_path)
    assert f"{folder / 'persian'}: the class folder is empty" in told
    assert f"{folder / 'siamese'}: the class folder is empty" in told
    assert f"{folder / 'stray.png'}: an image outside the class folders" in told
    assert "has no class folders" in problems(ImageFolder(str(folder / "tabby" / "deep" / "er")), tmp_path)
    assert "has one class, 'er'; there must be two or more" in problems(
        ImageFolder(str(folder / "tabby" / "deep")), tmp_path
    )


def test_a_link_to_nowhere_is_told(folder, tmp_path):
    (folder / "tabby" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert "gone.png: cannot be read: No such file" in problems(ImageFolder(str(folder)), tmp_path)


# --- a list


def test_a_list_may_use_tabs_or_spaces_blank_lines_and_a_byte_order_mark(tmp_path):
    for number, name in enumerate(("a.png", "my cat.png", "tab cat.png", "d/e.png")):
        draw(tmp_path / name, number)
    source = write_list(tmp_path, "\ufeffa.png\t0", "my cat.png   1", "", "  ", "tab cat.png\t2 ", "./d/e.png 0\r")
    found = listing(source, tmp_path / "cache")
    labels = dict(zip(found.names, found.labels.tolist(), strict=True))
    assert labels == {"a.png": 0, "my cat.png": 1, "tab cat.png": 2, "d/e.png": 0}
    assert found.classes == ("tabby", "calico", "black")


def test_without_class_names_classes_are_numbers_without_a_gap(tmp_path):
    for number in range(3):
        draw(tmp_path / f"{number}.png", number)
    assert listing(write_list(tmp_path, "0.png 0", "1.png 1", classes=None), tmp_path).classes == ("0", "1")
    told = problems(write_list(tmp_path, "0.png 0", "1.png 2", "2.png 99999999", classes=None), tmp_path)
    assert told == f"{tmp_path / 'list.txt'}: labels go up to 99999999, but no image has label 1; use 0, 1, 2, ..."


def test_every_mistake_in_a_list_is_told_at_once_with_its_line(tmp_path):
    for number in range(3):
        draw(tmp_path / "l" / f"{number}.png", number)
    draw(tmp_path / "outside.png", 9)
    source = write_list(
        tmp_path / "l",
        "0.png\t0",
        "1.png\tone",
        "nolabel.png",
        "gone.png\t7",
        "2.png\t-1",
        "../outside.png\t1",
        f"{tmp_path}/outside.png\t1",
        "./0.png\t0",
        "0.png\t2",
    )
    path, told = source.path, problems(source, tmp_path)
    assert told.splitlines() == [
        f"{path}:2: the label 'one' is not a whole number from 0 on",
        f"{path}:3: expected 'path<TAB>label', got 'nolabel.png'",
        f"{path}:4: label 7 has no name: {source.classes} names the labels 0 to 2",
        f"{path}:4: there is no image 'gone.png' in {tmp_path / 'l'}",
        f"{path}:5: the label '-1' is not a whole number from 0 on",
        f"{path}:6: '../outside.png' points outside the list's folder; paths are relative to it",
        f"{path}:7: '{tmp_path}/outside.png' points outside the list's folder; paths are relative to it",
        f"{path}:8: '0.png' is listed on line 1 already",
        f"{path}:9: '0.png' is listed on line 1 already, with label 2 here and label 0 there",
    ]


def test_many_mistakes_are_capped_at_ten(tmp_path):
    told = problems(write_list(tmp_path, *(f"{number}.png\t0" for number in range(37))), tmp_path)
    assert len(told.splitlines()) == 11
    assert told.endswith("... and 27 more")


def test_missing_and_broken_list_and_class_files(tmp_path):
    draw(tmp_path / "0.png", 0)
    draw(tmp_path / "1.png", 1)
    source = write_list(tmp_path, "0.png 0", "1.png 1")
    assert "did you mean 'list.txt'?" in problems(ListFile(str(tmp_path / "lists.txt")), tmp_path)
    assert "there is no file" in problems(ListFile(source.path, str(tmp_path / "names.txt")), tmp_path)
    assert "class 2 (black) has no image" in problems(source, tmp_path)
    assert "names no image" in problems(write_list(tmp_path, "", ""), tmp_path)
    told = problems(write_list(tmp_path, "0.png 0", "1.png 1", classes="a\n\na\n"), tmp_path)
    assert told.splitlines() == [
        f"{tmp_path / 'classes.txt'}:2: an empty line where the name of a class belongs",
        f"{tmp_path / 'classes.txt'}:3: the class 'a' is named on line 1 too",
    ]
    assert "names no class" in problems(write_list(tmp_path, "0.png 0", classes="\n"), tmp_path)
    write_list(tmp_path)
    (tmp_path / "list.txt").write_bytes(b"0.png\t0\n\xff\xfe")
    assert "list.txt: not UTF-8 text (byte 8)" in problems(source, tmp_path)


# --- the order and the digest depend on content and labels alone


@settings(deadline=None, max_examples=8)
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
    assert (found[0].names == found[1].names) == (list(names) == list(range(9)))


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


def test_a_file_changed_under_its_old_size_and_time_is_noticed(tmp_path):
    for name, content in (("a/0", b"one"), ("b/1", b"two")):
        (tmp_path / "d" / name).parent.mkdir(parents=True)
        (tmp_path / "d" / name).write_bytes(content)
    source, changed = ImageFolder(str(tmp_path / "d")), tmp_path / "d" / "a" / "0"
    before, times = listing(source, tmp_path / "cache").digest, changed.stat()
    time.sleep(0.02)
    changed.write_bytes(b"ONE")
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert listing(source, tmp_path / "cache").digest != before


def test_digests_are_remembered_and_a_damaged_memory_is_no_harm(folder, tmp_path):
    source, cache = ImageFolder(str(folder)), tmp_path / "cache"
    first = listing(source, cache)
    (index,) = (cache / "digests").iterdir()
    written = index.stat().st_mtime_ns
    assert listing(source, cache).contents == first.contents
    assert index.stat().st_mtime_ns == written
    remembered = index.read_text().replace(first.contents[0], "0" * 32)
    index.write_text(remembered)
    assert "0" * 32 in listing(source, cache).contents  # so it was the memory that was asked, not the file
    index.write_text('{"half a')
    assert listing(source, cache).contents == first.contents


# --- parts, moves, values


def test_a_subset_is_the_first_of_each_class_by_content(folder, tmp_path):
    whole = listing(ImageFolder(str(folder)), tmp_path / "cache")
    part = listing(Subset(ImageFolder(str(folder)), per_class=3), tmp_path / "cache")
    for label in range(3):
        mine = [name for name, other in zip(part.names, part.labels, strict=True) if other == label]
        assert mine == [name for name, other in zip(whole.names, whole.labels, strict=True) if other == label][:3]
    assert part.digest != whole.digest
    assert list(part.contents) == sorted(part.contents)
    assert listing(Subset(ImageFolder(str(folder)), per_class=9), tmp_path / "cache").digest == whole.digest


def test_moved_to(tmp_path):
    source = ListFile("data/train.txt", classes="data/meta/classes.txt")
    there = str(tmp_path)
    assert ImageFolder("data").moved_to(there) == ImageFolder(there)
    assert source.moved_to(there) == ListFile(f"{there}/train.txt", f"{there}/classes.txt")
    assert source.moved_to(f"{there}/other.txt") == ListFile(f"{there}/other.txt", f"{there}/classes.txt")
    (tmp_path / "list").write_text("")
    assert ListFile("train.txt").moved_to(f"{there}/list") == ListFile(f"{there}/list")
    assert Subset(source, 3).moved_to(there) == Subset(source.moved_to(there), 3)
    with pytest.raises(InputError, match=r"Digits\(\) comes with scikit-learn"):
        Subset(Digits(), 3).moved_to(there)


def test_sources_are_values():
    source = Subset(ListFile("a.txt", "b.txt"), per_class=2)
    assert hash(source) == hash(Subset(ListFile("a.txt", "b.txt"), per_class=2))
    assert restore(plain(source), {"Subset": Subset, "ListFile": ListFile}) == source
    with pytest.raises(InputError, match="per_class = 0"):
        Subset(Digits(), 0)


def test_importing_needs_neither_torch_nor_scikit_learn():
    told = "import sys, ablation.data; print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_cats_are_listed_quickly_the_second_time(tmp_path):
    source = ListFile(str(CATS / "train_list.txt"), classes=str(CATS / "classes.txt"))
    first = listing(source, tmp_path)
    started = time.perf_counter()
    again = listing(source, tmp_path)
    assert time.perf_counter() - started < 1
    assert again.digest == first.digest
    assert np.bincount(again.labels).tolist() == [180] * 12
    assert again.classes[0] == "Abyssinian"
