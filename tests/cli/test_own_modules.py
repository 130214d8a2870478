"""An experiment file uses code of its own: found beside it and where one starts, by workers too; it leaves no trace."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ablation

from ablation.core import own_modules
from ablation.core.errors import InputError
from ablation.experiment.files import find, load, outlines, read
from ablation.experiment.spec import RunSpec
from ablation.training.cluster.session import code_of

PARTS = "from ablation import {operation}\n\nFLIP = ({operation}({amount}),)\n"
FILE = '''"""Does it help?"""
from __future__ import annotations
from dataclasses import dataclass
from ablation import Adam, Digits, Experiment, Fixed, ImageFunction
{imports}

@dataclass(frozen=True)
class Plan:
    epochs: int = 1

experiment = Experiment(
    name="own", data=Digits(), recipes={{"none": (), "own": {recipe}}}, optimizers={{"adam": Adam()}}, baseline="none",
    model={model!r}, image_size=8, cache_size=8, epochs=Plan().epochs, seeds=1, robustness=False,
    split=Fixed(train=0.1, val=0.1, test=0.1),
)
'''
NETS = """from torch import nn
from blocks import WIDTH

class Net(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.maps, self.hidden, self.head = nn.Conv2d(3, 3, 1), nn.Linear(192, WIDTH), head

    def forward(self, images):
        return self.head(self.hidden(self.maps(images).view(len(images), 192)).relu())

def make(classes):
    import heads
    return Net(heads.head(WIDTH, classes))
"""
"""With `view`, which torch refuses for maps whose channels are last in memory."""
HEADS = "from torch import nn\n\ndef head(width, classes):\n    return nn.Linear(width, classes)\n"
OPS = "from levels import BY\n\ndef darker(picture, rng):\n    return picture * BY\n"


FILES = ("nets.py", "blocks.py", "heads.py", "ops.py", "levels.py", "other.py")


@pytest.fixture(autouse=True)
def _forgotten():
    """The file that was read last is of no meaning to the next test."""
    yield
    own_modules.use("")


def write(
    folder: Path, name: str = "own", imports: str = "from my_parts import FLIP", recipe="FLIP", model="lenet"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(FILE.format(imports=imports, recipe=recipe, model=model))
    return path


def write_parts(folder: Path, operation: str = "RandomHorizontalFlip", amount: float = 0.5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my_parts.py").write_text(PARTS.format(operation=operation, amount=amount))


def project(folder: Path) -> Path:
    """An experiment whose network and operation are its own, each with parts in other files; its file."""
    path = write(folder / "experiments", imports="", recipe='(ImageFunction("ops.py:darker"),)', model="nets:make")
    for name, text in {"nets": NETS, "heads": HEADS, "blocks": "WIDTH = 8\n", "ops": OPS}.items():
        (path.parent / f"{name}.py").write_text(text)
    (folder / "levels.py").write_text("BY = 0.5\n")
    return path


@pytest.mark.parametrize(
    "imports",
    ["from my_parts import FLIP", "import my_parts\nFLIP = my_parts.FLIP", "from experiments.my_parts import FLIP"],
)
@pytest.mark.parametrize("start", ["project", "elsewhere"])
def test_code_beside_the_file_is_imported_and_leaves_no_trace(tmp_path, monkeypatch, imports, start):
    home = tmp_path / "my project" / "experiments"
    path = write(home, imports=imports)
    write_parts(home)
    monkeypatch.chdir(home.parent if start == "project" else tmp_path)
    before = list(sys.path)
    recipe = read(path).experiment.recipes["own"]
    assert [type(operation).__name__ for operation in recipe] == ["RandomHorizontalFlip"]
    assert sys.path == before
    assert not sys.modules.keys() & {"my_parts", "experiments", "experiments.my_parts"}


def test_code_in_the_folder_that_one_starts_in_is_imported(tmp_path, monkeypatch):
    path = write(tmp_path / "experiments")
    write_parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read(path).experiment.recipes["own"]


def test_two_files_get_each_its_own_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [write(tmp_path / name) for name in ("a", "b")]
    write_parts(tmp_path / "a", "RandomHorizontalFlip")
    write_parts(tmp_path / "b", "RandomVerticalFlip")
    names = [type(read(path).experiment.recipes["own"][0]).__name__ for path in (*paths, paths[0])]
    assert names == ["RandomHorizontalFlip", "RandomVerticalFlip", "RandomHorizontalFlip"]
    (tmp_path / "b" / "my_parts.py").unlink()
    with pytest.raises(InputError, match="No module named 'my_parts'"):
        read(paths[1])


def test_two_experiments_get_each_its_own_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [write(tmp_path / name, imports="", recipe="()", model="nets:make") for name in ("a", "b")]
    for path, width in zip(paths, (8, 9), strict=True):
        (path.parent / "nets.py").write_text(NETS)
        (path.parent / "blocks.py").write_text(f"WIDTH = {width}\n")
        (path.parent / "heads.py").write_text(HEADS)
    experiments = [read(path).experiment for path in paths]
    sources = [experiment.cells("")[0].spec.model_source for experiment in experiments]
    assert sources[0] != sources[1]
    assert [read(path).experiment.cells("")[0].spec.model_source for path in paths[::-1]] == sources[::-1]


def test_what_a_network_or_an_operation_imports_is_part_of_the_id(tmp_path, monkeypatch):
    path = project(tmp_path / "made")
    (path.parent / "other.py").write_text("")
    monkeypatch.chdir(tmp_path)

    def ids(name: str = "") -> list[str]:
        """Of the run without and with the operation, once a file has been changed: in a process that knows no other."""
        copy = tmp_path / f"with {name}" / "experiments" / "own.py"
        shutil.copytree(tmp_path / "made", copy.parents[1])
        for file in (copy.parent / name, copy.parents[1] / name) if name else ():
            if file.exists():
                file.write_text(file.read_text() + "# changed\n")
        return [cell.spec.id for cell in read(copy).experiment.cells("")]

    before = ids()
    changed = {name: [a != b for a, b in zip(before, ids(name), strict=True)] for name in FILES}
    of_network, of_operation, of_none = [True, True], [False, True], [False, False]
    assert changed == {
        **dict.fromkeys(("nets.py", "blocks.py", "heads.py"), of_network),
        **dict.fromkeys(("ops.py", "levels.py"), of_operation),
        "other.py": of_none,
    }


def test_workers_find_the_code_from_another_folder_in_a_path_with_spaces(tmp_path):
    path = project(tmp_path / "my project")
    start = tmp_path / "else where %20%2F?#"  # signs that have a meaning in an address of MLflow's store
    start.mkdir()
    code, out, err = ablation(start, "run", str(path))
    assert code == 0, out + err
    assert len(list(start.glob("runs/own/*/record.json"))) == 2
    assert {path.name for path in start.iterdir()} >= {"mlflow.db", "runs", "cache"}
    assert "unable to open" not in out + err


def test_workers_know_pythonpath_and_say_that_they_do_not_know_what_a_script_put_into_sys_path(tmp_path):
    flip = "(RandomHorizontalFlip(0.5),)"
    path = write(tmp_path / "mine", imports="from ablation import RandomHorizontalFlip", recipe=flip, model="nets:make")
    for name, text in {"nets": NETS, "heads": HEADS, "blocks": "WIDTH = 8\n"}.items():
        (path.parent / f"{name}.py").write_text(text)
    start = tmp_path / "start"
    start.mkdir()
    (start / "train.py").write_text(
        f"import sys\nsys.path.append({str(path.parent)!r})\nfrom ablation import sweep\nfrom own import experiment\n"
        "print([run.status() for run in sweep(experiment, jobs=1, device='cpu')])\n"
    )

    def train(**settings):
        environment = {**os.environ, **settings}
        command = [sys.executable, "train.py"]
        return subprocess.run(command, cwd=start, env=environment, capture_output=True, text=True, check=False)

    refused = train()
    assert refused.returncode == 1
    assert f"no module 'nets' on Python's path or in {start}; a process that trains knows PYTHONPATH" in refused.stderr
    done = train(PYTHONPATH=str(path.parent))
    assert done.stdout == "['finished', 'finished']\n", done.stdout + done.stderr


def test_a_network_beside_the_experiments_has_a_summary(tmp_path):
    project(tmp_path)
    code, out, err = ablation(tmp_path, "summary", "nets:make", "--image-size", "8", "--classes", "10")
    assert code == 0, out + err
    assert "Linear" in out


def test_the_code_goes_to_other_machines(tmp_path, monkeypatch):
    path = project(tmp_path)
    monkeypatch.chdir(tmp_path)
    specs = [cell.spec for cell in read(path).experiment.cells("")]
    files = code_of(specs)
    assert sorted(files) == ["blocks.py", "heads.py", "levels.py", "nets.py", "ops.py"]
    there = tmp_path / "there"
    there.mkdir()
    for name, content in files.items():
        (there / name).write_bytes(content)
    own_modules.use("")
    with contextlib.chdir(there):  # as a machine has them: beside one another in the working folder
        form = json.loads(json.dumps([spec.to_plain() for spec in specs]))
        assert [RunSpec.from_plain(one).id for one in form] == [spec.id for spec in specs]
        from ablation.models.own import source_digest

        assert source_digest("nets:make") == specs[0].model_source


MISTAKES = {
    "no such file": (
        "import my_part",
        "own.py:6: ModuleNotFoundError: No module named 'my_part'; did you mean 'my_parts'?",
    ),
    "no such name": ("from my_parts import FLOP", "own.py:6: ImportError: cannot import name 'FLOP' from 'my_parts'"),
    "an error": ("import fails", "own.py:6: ZeroDivisionError: division by zero (line 2 of fails.py)"),
    "a wrong value": ("import wrong", "wrong.py:2: RandomHorizontalFlip: p = 7.0: must be at least 0 and at most 1"),
    "a misspelt name": ("import spelt", "spelt.py:1: ablation has no 'Adamm'; did you mean 'Adam'?"),
    "a hidden file": ("from sklearn import mine", "hides {folder}/sklearn.py: give your file another name"),
}


@pytest.mark.parametrize(("imports", "wrong"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_an_import_says_where_it_is(tmp_path, monkeypatch, imports, wrong):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, imports=f"from my_parts import FLIP\n{imports}")
    write_parts(tmp_path)
    (tmp_path / "spelt.py").write_text("from ablation import Adamm\n")
    (tmp_path / "fails.py").write_text("\n1 / 0\n")
    (tmp_path / "wrong.py").write_text("from ablation import RandomHorizontalFlip\nRandomHorizontalFlip(7.0)\n")
    (tmp_path / "sklearn.py").write_text("mine = 1\n")
    with pytest.raises(InputError) as raised:
        read(path)
    assert wrong.format(folder=tmp_path) in str(raised.value)


TWO = FILE.replace("experiment = ", "first = ") + FILE[FILE.index("experiment = ") :].replace(
    "experiment = ", "second = "
).replace('"own", data', '"other", data')


@pytest.fixture
def two(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "experiments", "two")
    path.write_text(TWO.format(imports="", recipe="()", model="lenet"))
    return path


@pytest.mark.parametrize(
    ("name", "experiment"),
    [
        ("two:first", "own"),
        ("two:second", "other"),
        ("experiments/two.py:second", "other"),
        ("experiments/two.py:other", "other"),
        ("other", "other"),
        ("own", "own"),
    ],
)
def test_one_of_two_experiments_in_a_file_is_chosen(two, name, experiment):
    assert load(name).experiment.name == experiment
    assert find(name) == two.relative_to(Path.cwd())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("two", "has no `experiment`; give experiments/two.py:first or experiments/two.py:second"),
        ("two:secnd", "has no experiment 'secnd'; did you mean 'second'?; give experiments/two.py:first or"),
        ("nowhere.py:first", "there is no file nowhere.py"),
    ],
)
def test_two_experiments_are_named_where_neither_is_chosen(two, name, wrong):
    with pytest.raises(InputError, match=f"^.*{wrong.replace('?', '[?]')}"):
        load(name)


def test_the_names_that_the_error_gives_work(two):
    code, _, err = ablation(Path.cwd(), "status", "two")
    assert code == 2
    said = " ".join(err.split())
    for name in said.partition("; give ")[2].strip(". ").split(" or "):
        assert load(name).experiment


def test_the_list_shows_both_and_runs_neither(two):
    two.write_text("raise SystemExit('run')\n" + two.read_text().replace("from __future__ import annotations", ""))
    every = [(one.name, one.file) for one in outlines()]
    assert every == [("own", "two.py:first"), ("other", "two.py:second")]
    code, out, _ = ablation(Path.cwd(), "list")
    assert code == 0
    assert "own (two.py:first)" in out
    assert "other (two.py:second)" in out
    assert "go by this name" not in out


def test_the_file_stands_for_the_one_called_experiment(two):
    two.write_text(two.read_text().replace("second = ", "experiment = "))
    assert load("two").experiment.name == load("other").experiment.name == "other"
    assert [(one.name, one.file) for one in outlines()] == [("other", "two.py"), ("own", "two.py:first")]
