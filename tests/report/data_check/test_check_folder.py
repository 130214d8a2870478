"""The folder of a check: its own data's, whatever else is called so, and however it is spelled."""

import json
from pathlib import Path

import pytest

from ablation.data import CsvFile, Digits, ImageFolder, ListFile, SkipBad, TorchvisionData
from ablation.report.data_check.folder import folder_of, place_of


def written(root: Path, source, digest: str = "") -> str:
    """Write what a check writes; the name of the folder."""
    folder = folder_of(source, root, digest)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "check.json").write_text(json.dumps({"place": place_of(source), "digest": digest}))
    return folder.name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/train", "b/train", "c/b/train"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_folders_of_one_name_are_told_apart_and_each_overwrites_its_own(here):
    root = here / "reports"
    for _ in range(2):
        assert written(root, ImageFolder("a/train")) == "train"
        assert written(root, ImageFolder("b/train/")) == "b-train"
        assert written(root, SkipBad(ImageFolder(str(here / "b" / ".." / "a" / "train")))) == "train"
        assert written(root, ImageFolder("c/b/train")) == "c-b-train"
    (here / "linked").symlink_to(here / "b")
    assert folder_of(ImageFolder("linked/train"), root).name == "linked-train", "that name is free, and is its own"


def test_the_same_content_elsewhere_is_the_same_data(here):
    root = here / "reports"
    assert written(root, ImageFolder("a/train"), "0123") == "train"
    assert folder_of(ImageFolder("b/train"), root, "0123").name == "train"
    assert folder_of(ImageFolder("b/train"), root, "4567").name == "b-train"
    assert folder_of(ImageFolder("b/train"), root).name == "b-train"


def test_lists_in_one_folder_are_told_apart(here):
    root = here / "reports"
    names = [written(root, source) for source in (ListFile("a/list.txt"), ListFile("a/labels.txt"), CsvFile("a/t.csv"))]
    assert names == ["a", "a-labels", "t"]
    assert written(root, CsvFile("b/t.csv")) == "b-t"
    assert written(root, TorchvisionData("CIFAR10", "one")) == "CIFAR10"
    assert written(root, TorchvisionData("CIFAR10", "two")) == "CIFAR10-2"
    assert [written(root, Digits()), written(root, Digits())] == ["digits", "digits"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}"])
def test_what_cannot_be_told_to_be_its_own_is_left(here, content):
    folder = here / "reports" / "train"
    folder.mkdir(parents=True)
    (folder / "check.json").write_bytes(content)
    assert folder_of(ImageFolder("a/train"), here / "reports").name == "a-train"


def test_a_check_of_an_earlier_version_is_known_by_its_source(here):
    folder = here / "reports" / "train"
    folder.mkdir(parents=True)
    (folder / "check.json").write_text(json.dumps({"source": "ImageFolder(path='a/train')"}))
    assert folder_of(ImageFolder("a/train"), here / "reports") == folder
    assert folder_of(ImageFolder("b/train"), here / "reports").name == "b-train"
