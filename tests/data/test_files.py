"""Folders: what their classes, parts and names are, and what a person is told is wrong with them."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ablation.core.errors import DataError
from ablation.data import ImageFolder, listing
from ablation.data.files import PART_OF, PARTS, printable


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


def test_a_link_to_a_folder_around_brings_no_other_class_in(folder, tmp_path):
    before = listing(ImageFolder(str(folder)), tmp_path / "cache")
    (folder / "tabby" / "up").symlink_to(folder)
    (folder / "calico" / "further").symlink_to(tmp_path)
    (folder / "black" / "other").symlink_to(folder / "tabby")
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


# --- a folder for each part


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """Two classes in three parts, each part called as people do."""
    for number in range(12):
        part, label = ("Training", "valid", "TEST")[number % 3], ("calico", "tabby")[number % 2]
        draw(tmp_path / "parted" / part / label / f"{number}.png", number)
    return tmp_path / "parted"


def test_folders_of_parts_tell_the_part_of_every_sample(parted):
    (parted / ".cache").mkdir()
    (parted / "README.md").write_text("cats")
    classes, samples = ImageFolder(str(parted)).samples()
    assert classes == ("calico", "tabby")
    assert {sample.name: (sample.part, sample.label) for sample in samples} == {
        f"{('Training', 'valid', 'TEST')[number % 3]}/{classes[number % 2]}/{number}.png": (
            PARTS[number % 3],
            number % 2,
        )
        for number in range(12)
    }
    assert all(sample.origin == parted / sample.name for sample in samples)


@pytest.mark.parametrize("other", ["val", "valid", "validation", "test", "testing", "Test", "VAL"])
def test_training_and_one_other_part_will_do(tmp_path, other):
    for part in ("train", other):
        for label in ("a", "b"):
            draw(tmp_path / part / label / "0.png", 0)
    classes, samples = ImageFolder(str(tmp_path)).samples()
    assert classes == ("a", "b")
    assert sorted(sample.part for sample in samples) == sorted(2 * ["train", PART_OF[other.lower()]])


@pytest.mark.parametrize(
    "names", [("train", "bus"), ("train", "training"), ("val", "test"), ("train",), ("train", "test", "bus")]
)
def test_folders_that_are_not_all_parts_are_classes(tmp_path, names):
    for number, name in enumerate(names):
        draw(tmp_path / name / f"{number}.png", number)
    classes, samples = ImageFolder(str(tmp_path)).samples()
    assert classes == tuple(sorted(names))
    assert {sample.part for sample in samples} == {""}


def test_a_class_that_not_every_part_has_is_told_with_all_others(parted, tmp_path):
    draw(parted / "valid" / "siamese" / "0.png", 20)
    draw(parted / "TEST" / "persian" / "0.png", 21)
    draw(parted / "Training" / "persian" / "0.png", 22)
    (parted / "Training" / "bombay").mkdir()
    draw(parted / "Training" / "stray.png", 23)
    draw(parted / "stray.png", 24)
    same = "train, val and test must have the same classes"
    assert problems(ImageFolder(str(parted)), tmp_path).splitlines() == [
        f"{parted / 'stray.png'}: an image outside the class folders",
        f"{parted / 'Training' / 'stray.png'}: an image outside the class folders",
        f"{parted / 'Training' / 'bombay'}: class 'bombay' is in train only; {same}",
        f"{parted / 'Training' / 'persian'}: class 'persian' is in train and test only; {same}",
        f"{parted / 'valid' / 'siamese'}: class 'siamese' is in val only; {same}",
        f"{parted / 'Training' / 'bombay'}: the class folder is empty; add images or remove it",
    ]


def test_parts_by_other_names_are_not_taken_for_classes(tmp_path):
    for number in range(8):
        draw(tmp_path / "k" / ("training_set", "Test-Set")[number % 2] / "ab"[number // 4] / f"{number}.png", number)
        draw(tmp_path / "u" / ("here", "there")[number % 2] / "ab"[number // 4] / f"{number}.png", number)
    assert {sample.part for sample in ImageFolder(str(tmp_path / "k")).samples().samples} == {"train", "test"}
    told = problems(ImageFolder(str(tmp_path / "u")), tmp_path)
    assert told.endswith(
        "here and there hold the same folders, so they seem to be parts; call them train, val and test"
    )


def test_folders_that_are_partly_parts_are_refused_not_taken_for_classes(parted, tmp_path):
    (parted / "train" / "tabby").mkdir(parents=True)
    (parted / "testing").mkdir()
    draw(parted / "testing" / "0.png", 30)
    assert problems(ImageFolder(str(parted)), tmp_path).splitlines() == [
        f"{parted / 'testing'}: it has no class folders; train, val and test must have the same classes",
        f"{parted / 'train'}: there is another folder for train; make them one",
    ]
    (parted / "train" / "tabby").rmdir()
    (parted / "train").rmdir()
    (parted / "testing" / "0.png").unlink()
    (parted / "testing").rename(parted / "annotations")
    told = problems(ImageFolder(str(parted)), tmp_path)
    assert told == f"{parted / 'annotations'}: a folder that is no part, beside train, val and test; put it elsewhere"
    (parted / "valid").rename(parted / "val2")
    (parted / "val").mkdir()
    assert problems(ImageFolder(str(parted)), tmp_path).splitlines() == [
        f"{parted / 'annotations'}: a folder that is no part, beside train, val and test; put it elsewhere",
        f"{parted / 'val'}: it has no class folders; train, val and test must have the same classes",
        f"{parted / 'val2'}: a folder that is no part, beside train, val and test; put it elsewhere",
    ]
    for number, part in enumerate(("train", "test")):
        draw(tmp_path / "flat" / part / "0.png", number)
    assert problems(ImageFolder(str(tmp_path / "flat")), tmp_path).splitlines() == [
        f"{tmp_path / 'flat' / part}: it has no class folders; train and test must have the same classes"
        for part in ("test", "train")
    ]


# --- names


@settings(max_examples=200)
@given(st.binary(max_size=12) | st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_name_becomes_text_that_can_be_written_on_one_line(content):
    name = content.decode("utf-8", "surrogateescape")
    shown = printable(name)
    assert len(shown.encode("utf-8").splitlines()) <= 1
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert printable(shown) == shown


def test_names_are_shown_as_they_are_where_that_can_be():
    for name in ("猫 🐈\u200d⬛/é ü.jpg", "a  b", "\u3000", r"back\slash"):
        assert printable(name) == name
    assert printable("a\u200e\u200f\u061c\u2066") == r"a\u200e\u200f\u061c\u2066"
    assert printable("a\n\x1b[31m\udcff\ud800\u2028.png") == r"a\n\x1b[31m\xff\ud800\u2028.png"


def test_names_of_any_bytes_are_listed(tmp_path):
    label = os.fsdecode(b"ta\xe9bby")
    odd = {"猫 🐈.png": "猫 🐈.png", "a\nb.png": r"a\nb.png", os.fsdecode(b"\xff\xfe.png"): r"\xff\xfe.png"}
    for name in odd:
        draw(tmp_path / "d" / label / name, 0)
        draw(tmp_path / "d" / "虎斑" / name, 1)
    classes, samples = ImageFolder(str(tmp_path / "d")).samples()
    assert classes == (r"ta\xe9bby", "虎斑")
    assert {sample.name for sample in samples} == {f"{name}/{shown}" for name in classes for shown in odd.values()}
    assert all(isinstance(sample.origin, Path) and sample.origin.is_file() for sample in samples)
    told = problems(ImageFolder(str(tmp_path / label)), tmp_path)
    assert told.encode() == f"there is no folder {str(tmp_path / label)!r} ({tmp_path}/ta\\xe9bby)".encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(folder, tmp_path):
    (folder / "tabby" / "deep").chmod(0)
    (folder / "calico").chmod(0)
    told = problems(ImageFolder(str(folder)), tmp_path)
    (folder / "tabby" / "deep").chmod(0o755)
    (folder / "calico").chmod(0o755)
    assert told.splitlines() == [
        f"{folder / 'calico'}: the folder cannot be read: Permission denied",
        f"{folder / 'tabby' / 'deep'}: the folder cannot be read: Permission denied",
    ]
