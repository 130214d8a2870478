"""`ablation new` for data of several kinds: the file that it writes is read, planned and run as it is."""

import csv
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ablation
from photos import folder, pictures, save

from ablation.data import CsvFile, Digits, Fixed, Given, ImageFolder, KFold, ListFile, Redrawn
from ablation.experiment.files import read


def two_classes(root: Path) -> str:
    folder(root / "photos", {"cat": 12, "dog": 11})
    return "photos"


def in_parts(root: Path) -> str:
    folder(root / "photos", {"train/cat": 6, "train/dog": 6})
    folder(root / "photos", {"test/cat": 3, "test/dog": 3}, first=12)
    return "photos"


def train_and_val(root: Path) -> str:
    folder(root / "photos", {"train/cat": 6, "train/dog": 6})
    folder(root / "photos", {"val/cat": 3, "val/dog": 3}, first=12)
    return "photos"


def as_table(root: Path) -> str:
    rows = [(f"{number}.png", ("tom", "kit")[number % 2]) for number in range(20)]
    for number, (name, _) in enumerate(rows):
        save(pictures()[number], root / "photos" / name)
    with (root / "photos" / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return "photos/table.csv"


def as_list(root: Path) -> str:
    for number in range(20):
        save(pictures()[number], root / "photos" / f"{number}.png")
    (root / "photos" / "list.txt").write_text("".join(f"{number}.png\t{number % 2}\n" for number in range(20)))
    (root / "photos" / "classes.txt").write_text("tom\nkit\n")
    return "photos/list.txt"


def odd_names(root: Path) -> str:
    folder(root / "my \"ph'otos", {'say """hi"""': 12, "back\\slash": 11})
    return "my \"ph'otos"


def digits(root: Path) -> str:
    return "digits"


KINDS = {
    "two classes": (two_classes, ImageFolder, KFold),
    "parts": (in_parts, ImageFolder, Given),
    "train and val": (train_and_val, ImageFolder, Given),
    "table": (as_table, CsvFile, KFold),
    "list": (as_list, ListFile, KFold),
    "odd names": (odd_names, ImageFolder, KFold),
    "digits": (digits, Digits, Fixed),
}


@pytest.mark.parametrize(("make", "source", "split"), KINDS.values(), ids=KINDS)
def test_the_file_is_read_planned_and_formatted(tmp_path, make, source, split):
    data = make(tmp_path)
    code, out, err = ablation(tmp_path, "new", "mine", "--data", data)
    assert (code, err) == (0, "")
    wrote, then, *commands = out.splitlines()
    assert wrote.startswith("wrote experiments/mine.py: ")
    assert then == "next: look at the data and at the plan, and try it, made small:"
    assert [shlex.split(command) for command in commands] == [
        ["ablation", "check", data],
        ["ablation", "plan", "mine"],
        ["ablation", "run", "mine", "--smoke"],
    ]
    file = tmp_path / "experiments" / "mine.py"
    experiment = read(file).experiment
    assert (type(experiment.data), type(experiment.split), experiment.name) == (source, split, "mine")
    assert experiment.baseline == "none"
    assert len(experiment.recipes) >= 4
    assert ablation(tmp_path, "plan", "mine").code == 0
    for width in ("88", "120"):
        command = ["ruff", "format", "--isolated", "--check", "--line-length", width, str(file)]
        subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    command = ["ruff", "check", "--isolated", "--select", "E,W,F,I", str(file)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


@pytest.mark.parametrize(
    "make", [two_classes, pytest.param(in_parts, marks=pytest.mark.slow)], ids=["two classes", "parts"]
)
def test_what_it_advises_runs(tmp_path, make, inside):
    """Its own last line is taken, word for word."""
    out = ablation(tmp_path, "new", "mine", "--data", make(tmp_path), "--seeds", "3").out
    advised = out.splitlines()[-1].split()
    assert advised == ["ablation", "run", "mine", "--smoke"]
    code, _, err = ablation(tmp_path, *advised[1:], "-j", "1", "--device", "cpu", "--no-tracking")
    assert code == 0, err
    assert len(list((tmp_path / "runs" / "mine-smoke").glob("*/record.json"))) == 10


def comments(file: Path) -> str:
    return " ".join(line.strip(" #") for line in file.read_text().splitlines() if line.strip().startswith("#"))


def test_numbers_in_comments_are_those_of_the_data(tmp_path):
    ablation(tmp_path, "new", "mine", "--data", two_classes(tmp_path))
    said = comments(tmp_path / "experiments" / "mine.py")
    assert "23 photographs, 11 to 12 of each (cat and dog); the usual size is 120 x 100 pixels." in said
    experiment = read(tmp_path / "experiments" / "mine.py").experiment
    assert (experiment.image_size, experiment.model, experiment.metric) == (64, "shallow_cnn", "accuracy")
    assert "One of the 23 photographs that are tested is 4.3 points of accuracy." in said


def test_large_classes_are_not_to_decide(tmp_path):
    folder(tmp_path / "photos", {"cat": 16, "dog": 7})
    assert ablation(tmp_path, "new", "mine", "--data", "photos").code == 0
    file = tmp_path / "experiments" / "mine.py"
    assert read(file).experiment.metric == "balanced_accuracy"
    said = comments(file)
    assert "The largest class has 2.3 times the photographs of the smallest." in said
    advised = re.findall(r'(\w+)="balanced"', said)
    assert advised == ["class_weights", "sampling"]
    for field in advised:  # what it advises can be done
        assert ablation(tmp_path, "plan", "mine", "--set", f"{field}=balanced").code == 0


def test_many_photographs_are_redrawn_for_each_seed(tmp_path):
    """A list of digits as files would be slow to write: the rule alone."""
    from ablation.data import listing
    from ablation.experiment.draft import _split

    data = listing(Digits(), tmp_path)
    assert _split(data, 5) == Fixed(0.6, 0.2, 0.2), "23 of a class for each seed are few"
    two = replace(data, labels=data.labels % 2, classes=("even", "odd"))
    assert _split(two, 5) == Redrawn()


def test_model_and_seeds_are_as_wanted(tmp_path):
    made = two_classes(tmp_path)
    assert ablation(tmp_path, "new", "mine", "--data", made, "--model", "resnet34", "--seeds", "7").code == 0
    experiment = read(tmp_path / "experiments" / "mine.py").experiment
    assert (experiment.model, experiment.seeds) == ("resnet34", 7)


def test_dry_run_prints_the_file_and_writes_none(tmp_path):
    made = two_classes(tmp_path)
    code, out, _ = ablation(tmp_path, "new", "mine", "--data", made, "--dry-run")
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["photos"], "not even what was read is remembered"
    ablation(tmp_path, "new", "mine", "--data", made)
    assert (tmp_path / "experiments" / "mine.py").read_text() == out


def test_a_file_that_is_there_stays(tmp_path):
    made = two_classes(tmp_path)
    file = tmp_path / "experiments" / "mine.py"
    file.parent.mkdir()
    file.write_text("mine")
    code, _, err = ablation(tmp_path, "new", "mine", "--data", made)
    assert (code, err) == (
        2,
        "error: experiments/mine.py is there already; --force replaces it, another NAME leaves it\n",
    )
    assert file.read_text() == "mine"
    assert ablation(tmp_path, "new", "mine", "--data", made, "--force").code == 0
    assert read(file).experiment.name == "mine"


BAD = {
    "a path": (["experiments/mine"], 2, "is no name of an experiment but a path; give the name alone"),
    "a file": (["mine.py"], 2, "is no name of an experiment but a path; give the name alone"),
    "blanks": (["my cats"], 2, "use at most 200 letters, digits, '-', '_' and '.', as it names a folder"),
    "smoke": (["mine-smoke"], 2, "names that end in -smoke are those of smoke runs"),
    "no data": (["mine", "--data", "photo"], 2, "'photo' is no folder or file"),
    "no model": (["mine", "--model", "resnt18"], 2, "--model resnt18: model = 'resnt18' is unknown; did you mean"),
    "no seeds": (["mine", "--seeds", "0"], 2, "0 is not in the range x>=1"),
    "claimed": (["taken"], 2, "experiments/other.py has an experiment called 'taken' already; use another name"),
}


@pytest.mark.parametrize(("arguments", "status", "message"), BAD.values(), ids=BAD)
def test_bad_inputs_have_one_error(tmp_path, arguments, status, message):
    two_classes(tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "other.py").write_text("experiment = Experiment(name='taken')\n")
    data = [] if "--data" in arguments else ["--data", "photos"]
    code, _, err = ablation(tmp_path, "new", *arguments, *data)
    assert code == status
    assert message in err
    assert len(re.findall("^(?:error|Error)", err, re.MULTILINE)) == 1
    assert [path.name for path in (tmp_path / "experiments").iterdir()] == ["other.py"]


def with_bad_files(root: Path) -> str:
    """A cut-off picture, a text and an empty file among good ones."""
    folder(root / "photos", {"cat": 14, "dog": 12})
    cut = root / "photos" / "cat" / "cut.jpg"
    save(pictures()[40], cut)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (root / "photos" / "cat" / "text.jpg").write_text("no picture")
    (root / "photos" / "dog" / "empty.png").touch()
    return "photos"


def test_bad_files_are_left_out_by_the_option_that_is_named(tmp_path, inside):
    data = with_bad_files(tmp_path)
    refused = ablation(tmp_path, "new", "mine", "--data", data)
    assert refused.code == 3
    option = re.search(r"leave them out: (--\S+) here", refused.err)
    assert option is not None, refused.err
    code, out, err = ablation(tmp_path, "new", "mine", "--data", data, option[1], "--seeds", "3")
    assert (code, err) == (0, "")
    assert "  ablation check photos --skip-bad" in out.splitlines()
    file = tmp_path / "experiments" / "mine.py"
    assert 'data=SkipBad(ImageFolder("photos")),' in file.read_text()
    assert "3 files that cannot be used are left out (SkipBad)." in comments(file)
    assert ablation(tmp_path, "check", data, "--skip-bad").code == 0
    run = ("run", "mine", "--smoke", "-j", "1", "--device", "cpu", "--no-tracking", "--only", "recipe=flip,seed=0")
    assert ablation(tmp_path, *run).code == 0


def test_a_run_says_how_bad_files_are_left_out_and_that_works(tmp_path):
    data = with_bad_files(tmp_path)
    ablation(tmp_path, "new", "mine", "--data", data, "--skip-bad")
    file = tmp_path / "experiments" / "mine.py"
    file.write_text(file.read_text().replace('data=SkipBad(ImageFolder("photos"))', 'data=ImageFolder("photos")'))
    refused = ablation(tmp_path, "run", "mine", "--dry-run")
    assert refused.code == 3
    remedy = re.search(r"leave them out: (data=SkipBad\(.*?\)\));", refused.err)
    assert remedy is not None, refused.err
    assert ablation(tmp_path, "run", "mine", "--dry-run", "--set", remedy[1]).code == 0
    file.write_text(file.read_text().replace('data=ImageFolder("photos")', remedy[1]))
    assert ablation(tmp_path, "run", "mine", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("make", "split"),
    [(in_parts, Given(duplicates="drop")), (train_and_val, Given(test="val", duplicates="drop"))],
    ids=["test", "val alone"],
)
def test_what_is_in_two_parts_is_left_out_of_training(tmp_path, make, split):
    """The file is written, says what is left out and why, and is planned."""
    data = make(tmp_path)
    tested = "val" if split.test == "val" else "test"
    shutil.copy(next((tmp_path / "photos" / "train" / "cat").iterdir()), tmp_path / "photos" / tested / "cat")
    code, _, err = ablation(tmp_path, "new", "mine", "--data", data)
    assert (code, err) == (0, ""), err
    file = tmp_path / "experiments" / "mine.py"
    assert read(file).experiment.split == split
    assert "1 photograph that belongs together with one in another part" in comments(file)
    assert "11 to train on" in comments(file) or "9 photographs to train on" in comments(file), comments(file)
    assert ablation(tmp_path, "plan", "mine").code == 0
    command = ["ruff", "format", "--isolated", "--check", "--line-length", "88", str(file)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


def test_data_that_would_stop_a_run_has_the_errors_of_check(tmp_path):
    two_classes(tmp_path)
    (tmp_path / "photos" / "cat" / "broken.jpg").write_bytes(b"no image")
    checked = ablation(tmp_path, "check", "photos")
    code, out, err = ablation(tmp_path, "new", "mine", "--data", "photos")
    assert (code, checked.code, out) == (3, 3, "")
    assert "photos/cat/broken.jpg: " in err
    shown = next(line for line in checked.out.splitlines() if "broken.jpg" in line)
    assert shown in err
    assert "`ablation check photos` shows more" in err
    assert not (tmp_path / "experiments").exists()
