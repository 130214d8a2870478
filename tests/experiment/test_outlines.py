"""Names and questions are read off experiment files; only the file that somebody names is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import record_fault

from ablation.core.errors import InputError
from ablation.experiment.files import claims, experiment_names, find, outlines, read

RUNS = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
"""
WHOLE = '''"""{question}

More about it.
"""
from ablation import Adam, Brightness, Digits, Experiment
{before}
experiment = Experiment(
    {name}, data=Digits(), recipes={{"none": (), "light": (Brightness(0.4),)}}, optimizers={{"adam": Adam()}},
    baseline="none",{more}
)
'''


def write(folder: Path, stem: str, name: str = "", question: str = "Does it help?", before: str = RUNS, more: str = ""):
    folder.mkdir(exist_ok=True)
    text = WHOLE.format(name=name or f'name="{stem}"', question=question, before=before, more=more)
    (folder / f"{stem}.py").write_text(text, "utf-8")
    return folder / f"{stem}.py"


def ran(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.ran"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that leave a trace when they are run, called by several ways of giving a name."""
    here = tmp_path / "experiments"
    write(here, "plain", question="Does light help?")
    write(here, "other", 'name="called"')
    write(here, "first", '"positional"')
    write(here, "computed", "name='a' + 'b'")
    write(here, "asks", more='question="Asked in the call?"')
    write(here, "_private")
    return here


def test_names_and_questions_are_those_of_the_text_and_nothing_is_run(folder):
    read_off = {one.path.stem: (one.name, one.is_literal, one.question) for one in outlines(folder)}
    assert read_off == {
        "plain": ("plain", True, "Does light help?"),
        "other": ("called", True, "Does it help?"),
        "first": ("positional", True, "Does it help?"),
        "computed": ("computed", False, "Does it help?"),
        "asks": ("asks", True, "Asked in the call?"),
    }
    assert ran(folder) == []


def test_code_that_experiments_import_is_listed_as_none(folder):
    """Whatever may have an experiment is listed all the same: by its class, its variable or all of another file."""
    before = experiment_names(folder)
    (folder / "my_metrics.py").write_text('"""Mine."""\ndef cost(probabilities, labels):\n    return 1.0\n')
    assert experiment_names(folder) == before
    with pytest.raises(InputError, match="defines no `experiment"):
        read(find("my_metrics", folder))
    rest = {
        "called.py": "import ablation\nfirst = ablation.Experiment('x')\n",
        "star.py": "from grids import *\n",
        "taken.py": "from grids import experiment\n",
        "renamed.py": "from grids import big as experiment\n",
        "made.py": "experiment = make()\n",
    }
    for name, text in rest.items():
        (folder / name).write_text(text)
    assert {one.path.name for one in outlines(folder)} >= set(rest)


def test_they_are_what_running_the_file_gives(folder):
    """But for the name that is computed, which is why it has a mark."""
    for one in outlines(folder):
        file = read(one.path)
        assert (file.experiment.name == one.name) == one.is_literal
        assert (file.experiment.question or file.question) == one.question


def test_an_experiment_is_found_by_its_file_first_then_by_the_name_in_it_and_none_is_run(folder):
    for name, stem in (("plain", "plain"), ("called", "other"), ("other", "other"), ("positional", "first")):
        assert find(name, folder) == folder / f"{stem}.py"
    write(folder, "called", 'name="another"')
    assert find("called", folder) == folder / "called.py"
    assert experiment_names(folder) == [
        *("another", "asks", "called", "computed", "first", "other", "plain", "positional")
    ]
    with pytest.raises(InputError, match=r"there is no experiment 'caled'; did you mean 'called'\?"):
        find("caled", folder)
    assert ran(folder) == []
    record_fault(
        "safety",
        "an experiment is looked up among files that are programs",
        6,
        "no file is run",
        f"{len(ran(folder))} of {len(outlines(folder))} files run",
    )


def test_a_name_in_two_files_is_said_to_be_and_found_by_path_alone(folder):
    write(folder, "again", 'name="called"')
    assert claims(outlines(folder)) == {"called": (folder / "again.py", folder / "other.py")}
    with pytest.raises(InputError) as raised:
        find("called", folder)
    assert str(raised.value) == (
        f"'called' is the name in {folder / 'again.py'} and {folder / 'other.py'}; give the path of one of them"
    )
    assert find(str(folder / "again.py")) == folder / "again.py"
    write(folder, "positional", 'name="x"')
    assert claims(outlines(folder))["positional"] == (folder / "positional.py", folder / "first.py")


@pytest.mark.parametrize(
    "text",
    ["x = (", "x = \x00", "x = " + "(" * 5000, "x = " + "-" * 100_000 + "1", "\ud800", "experiment = '\\d'"],
    ids=["open", "zero", "brackets", "minus", "surrogate", "escape"],
)
def test_a_file_that_is_no_program_is_listed_with_its_reason_and_read_with_a_clear_error(folder, text):
    (folder / "broken.py").write_bytes(text.encode("utf-8", "surrogatepass"))
    broken = next(one for one in outlines(folder) if one.path.stem == "broken")
    assert (broken.name, broken.is_literal) == ("broken", False)
    assert broken.problem is not None or text == "experiment = '\\d'"
    with pytest.raises(InputError, match=r"broken\.py"):
        read(folder / "broken.py")


def test_what_is_no_file_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.py")
    (folder / "folder.py").mkdir()
    assert {"pipe", "folder"} & {one.path.stem for one in outlines(folder)} == set()


def test_ablation_list_runs_no_file_and_names_those_with_one_name(folder, environment):
    write(folder, "again", 'name="called"', question="What?\x1b]0;owned\x07")
    (folder / "bad.py").write_text("x = (")
    command = [sys.executable, "-m", "ablation.cli.main", "list"]
    listed = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=True)
    assert ran(folder) == []
    lines = {" ".join(line.split()) for line in listed.stdout.splitlines()}
    assert "called (again.py) What?\\x1b]0;owned\\x07" in lines
    assert "computed * Does it help?" in lines
    assert "bad * cannot be read: experiments/bad.py:1: '(' was never closed" in lines
    assert (
        "called: experiments/again.py and experiments/other.py go by this name; give the path of one of them" in lines
    )
    record_fault(
        "safety",
        "`ablation list` in a folder of files that are programs",
        1,
        "no file is run",
        f"{len(ran(folder))} of {len(outlines(folder))} files run",
    )
