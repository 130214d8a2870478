"""What somebody means who names data: the source it becomes, and what is told where nothing fits."""

import subprocess
import sys
from pathlib import Path

import pytest

from ablation.core.errors import DataError, InputError
from ablation.data.guess import source_at
from ablation.data.sources import CsvFile, Digits, ImageFolder, ListFile, TorchvisionData

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"
ALLOWED = (
    "a folder with a folder of images for each class, a list (.txt) or a table (.csv, .tsv) of images, 'digits', or a "
    "data set of torchvision such as 'CIFAR10'"
)


def make(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def told(*arguments: str | None) -> str:
    with pytest.raises(InputError) as error:
        source_at(*arguments)
    return str(error.value)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_one_of_classes_or_of_parts(here):
    make(here, "cats/tabby/0.png", "cats/calico/1.png", "cats/labels.csv")
    make(here, "parts/train/a/0.png", "parts/train/b/0.png", "parts/test/a/1.png", "parts/test/b/1.png")
    assert source_at("cats") == ImageFolder("cats")
    assert source_at(str(here / "cats")) == ImageFolder(str(here / "cats"))
    assert source_at("parts") == ImageFolder("parts")
    make(here, "digits/0/0.png", "digits/1/1.png", "CIFAR10/a/0.png", "CIFAR10/b/0.png")
    assert source_at("digits") == ImageFolder("digits")
    assert source_at("CIFAR10") == ImageFolder("CIFAR10")


def test_a_file_is_a_table_or_a_list(here):
    make(here, "a.csv", "b.TSV", "lists/train.txt", "lists/with.classes")
    assert source_at("a.csv") == CsvFile("a.csv")
    assert source_at("b.TSV") == CsvFile("b.TSV")
    assert source_at("lists/train.txt") == ListFile("lists/train.txt")
    assert source_at("lists/train.txt", "names.txt") == ListFile("lists/train.txt", "names.txt")
    make(here, "lists/classes.txt", "classes.txt")
    assert source_at("lists/with.classes") == ListFile("lists/with.classes", "lists/classes.txt")
    assert source_at("lists/with.classes", "names.txt") == ListFile("lists/with.classes", "names.txt")
    make(here, "train.txt")
    assert source_at("train.txt") == ListFile("train.txt", "classes.txt")
    assert source_at("classes.txt") == ListFile("classes.txt")


def test_class_names_belong_to_lists_alone(here):
    make(here, "cats/tabby/0.png", "cats/calico/1.png", "a.csv")
    for given in ("cats", "a.csv", "digits"):
        assert told(given, "c.txt") == f"'c.txt' names the classes of a list, and {given!r} is no list"
    assert "'lost.txt' is no folder or file" in told("lost.txt", "c.txt")


def test_known_data_sets():
    assert source_at("digits") == Digits()
    assert source_at("CIFAR10") == TorchvisionData("CIFAR10", "data", "all")
    assert source_at("Country211", root="elsewhere") == TorchvisionData("Country211", "elsewhere", "all")
    assert source_at("FakeData") == TorchvisionData("FakeData", "data")
    assert source_at("Places365") == TorchvisionData("Places365", "data")


def test_nothing_fits(here):
    make(here, "photos/tabby/0.png")
    start = "is no folder or file ({}), and no data set that is known; give " + ALLOWED
    assert told("zebra") == f"'zebra' {start.format(here / 'zebra')}"
    assert told("photo") == f"'photo' {start.format(here / 'photo')}; did you mean 'photos'?"
    assert told("photos/taby").endswith("; did you mean 'tabby'?")
    assert told("cifar10").endswith("; did you mean 'CIFAR10'?")
    assert told("Digits").endswith("; did you mean 'digits'?")
    assert told("no/such/CIFAR1O").endswith("; did you mean 'CIFAR10'?")
    for odd in ("", "x" * 5000, "nul\0", "~nobody-of-that-name/x", "\udcff"):
        assert f"{odd!r} is no folder or file" in told(odd)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cats.py", "an experiment file or a program, not data"),
        ("cats.zip", "an archive; give the unpacked folder"),
        ("cats.tar.gz", "an archive; give the unpacked folder"),
        ("cats.xlsx", "a spreadsheet; save it as CSV"),
        ("cat.JPG", "one image; give the folder of the classes"),
    ],
)
def test_files_that_are_no_lists(here, name, why):
    make(here, name)
    assert told(name) == f"{name!r} is {why}"


def test_a_folder_that_holds_a_list_but_no_classes(here):
    make(here, "cats/all/a b.png", "cats/README.txt", "cats/classes.txt", "cats/notes.csv")
    make(here, "cats/notes.txt", text="page 3\n")
    assert source_at("cats") == ImageFolder("cats")  # no list yet: what is wrong is told when it is read
    make(here, "cats/train_list.txt", text="\ufeff\nall/a b.png\t0\n")
    assert told("cats") == "'cats' has no folder for each class; give the list in it: 'cats/train_list.txt'"
    assert told("cats/") == "'cats/' has no folder for each class; give the list in it: 'cats/train_list.txt'"
    make(here, "cats/all.csv", text="file;path;label\n")
    assert told("cats") == (
        "'cats' has no folder for each class; give one of the lists in it: 'cats/all.csv', 'cats/train_list.txt'"
    )
    make(here, "cats/others/b.png")
    assert source_at("cats") == ImageFolder("cats")


def test_flat_parts_beside_a_table(here):
    make(here, "train/0.png", "test/1.png")
    assert source_at(".") == ImageFolder(".")
    with pytest.raises(DataError, match="it has no class folders; train and test must have the same classes"):
        source_at(".").samples()
    make(here, "train.csv", text="path,label\n")
    assert told(".") == "'.' has no folder for each class; give the list in it: './train.csv'"


def test_a_folder_within_a_folder(here):
    make(here, "cats/cats/tabby/0.png", "cats/cats/calico/1.png", "cats/README.md")
    assert told("cats") == "'cats' has no folder for each class; give 'cats/cats'"
    make(here, "deep/deep/deep/tabby/0.png")
    assert source_at("deep") == ImageFolder("deep")


def test_a_list_that_cannot_be_opened_is_passed_over(here):
    make(here, "cats/all/a.png")
    (here / "cats" / "lost.txt").symlink_to(here / "nowhere")
    (here / "cats" / "folder.csv").mkdir()
    (here / "cats" / "folder.csv").rename(here / "cats" / ".csv")
    assert source_at("cats") == ImageFolder("cats")


@pytest.mark.skipif(not CATS.is_dir(), reason=f"the cats are not at {CATS}")
def test_the_cats_are_found_by_their_list():
    assert told(str(CATS)).endswith(f"; give the list in it: '{CATS}/train_list.txt'")
    source = source_at(f"{CATS}/train_list.txt")
    assert source == ListFile(f"{CATS}/train_list.txt", f"{CATS}/classes.txt")
    classes, samples = source.samples()
    assert (len(classes), len(samples)) == (12, 2160)


def test_a_folder_is_known_without_torch():
    script = (
        "import sys; from ablation.data.guess import source_at; source_at('.'); source_at('digits'); "
        "print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
