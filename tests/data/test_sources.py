"""Sources: values that name where photographs are, and move with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from ablation.core.errors import InputError
from ablation.core.values import plain, restore
from ablation.data import Digits, ImageFolder, ListFile, Subset, TorchvisionData
from ablation.data.sources import CsvFile, SkipBad

ROOT = Path(__file__).parents[2]


def test_moved_to(tmp_path):
    source = ListFile("data/train.txt", classes="data/meta/classes.txt")
    there = str(tmp_path)
    assert ImageFolder("data").moved_to(there) == ImageFolder(there)
    assert source.moved_to(there) == ListFile(f"{there}/train.txt", f"{there}/classes.txt")
    assert source.moved_to(f"{there}/other.txt") == ListFile(f"{there}/other.txt", f"{there}/classes.txt")
    (tmp_path / "list").write_text("")
    assert ListFile("train.txt").moved_to(f"{there}/list") == ListFile(f"{there}/list")
    assert CsvFile("data/train.csv").moved_to(there) == CsvFile(f"{there}/train.csv")
    assert CsvFile("data/train.csv").moved_to(f"{there}/other.csv") == CsvFile(f"{there}/other.csv")
    assert Subset(SkipBad(source), 3).moved_to(there) == Subset(SkipBad(source.moved_to(there)), 3)
    with pytest.raises(InputError, match=r"Digits\(\) comes with scikit-learn"):
        Subset(Digits(), 3).moved_to(there)


@pytest.mark.parametrize(
    "source", [ImageFolder("a", True, True), ListFile("a", None, True, True), CsvFile("a", True, True)], ids=str
)
def test_what_moves_keeps_its_settings(source):
    moved = source.moved_to("b/a")
    assert (moved.first_frame, moved.outside) == (True, True)
    assert Subset(SkipBad(source), 2).first_frame is True


def test_only_files_can_have_several_frames():
    assert not any(source.first_frame for source in (Digits(), TorchvisionData("MNIST"), SkipBad(Digits())))
    assert not any(source.first_frame for source in (ImageFolder("a"), ListFile("a"), CsvFile("a")))
    with pytest.raises(InputError, match=r"first_frame = 1: expected True or False"):
        ImageFolder("a", first_frame=1)


def test_sources_are_values():
    source = Subset(SkipBad(ListFile("a.txt", "b.txt")), per_class=2)
    assert hash(source) == hash(Subset(SkipBad(ListFile("a.txt", "b.txt")), per_class=2))
    assert restore(plain(source), {"Subset": Subset, "ListFile": ListFile, "SkipBad": SkipBad}) == source
    assert restore(plain(CsvFile("a")), {"CsvFile": CsvFile}) == CsvFile("a")
    with pytest.raises(InputError, match="per_class = 0"):
        Subset(Digits(), 0)
    with pytest.raises(InputError, match="SkipBad: source = 'a'"):
        SkipBad("a")


def test_importing_needs_neither_torch_nor_scikit_learn():
    told = "import sys, ablation.data; print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
