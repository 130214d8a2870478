"""Every command on terminals of 60 to 120 columns, of other encodings, dumb ones: nothing is cut, nothing overflows."""

import json
import shutil
from pathlib import Path

import pytest
from commands import ablation
from terminal import in_a_process, lines, on_terminal, too_wide

from ablation.cli.main import COMMANDS
from ablation.core.text import MINUS

SCREENS = {
    "list": ((),),
    "check": (("digits",),),
    "new": (("mine", "--data", "digits", "--force"),),
    "plan": (("small",), ("small", "--all")),
    "preview": (("small", "--out", "preview.png"),),
    "run": (("small", "--no-tracking"),),
    "status": (("small",),),
    "compare": (("small",), ("small", "--all"), ("small", "--section", "split_analysis")),
    "report": (("small", "--section", "effects", "--no-pdf"),),
    "figures": (("small", "--section", "effects"),),
    "verify": (("small",),),
    "export": (("small", "--to", "pack.zip"),),
    "sync": (("small", "--tracking-uri", "http://127.0.0.1:9"),),
    "ui": (("--port", "70000"),),
    "summary": (("lenet", "--image-size", "28", "--classes", "10"),),
    "doctor": ((),),
    "cache": (("ls",),),
}
"""Command -> what stands behind it; its screens are looked at in a project with finished runs."""

ENDS = {"sync": 75, "ui": 2}
"""The exit status of those that have a mistake in them: a server that is away, a port that no machine has."""

EVERY = [(name, *more) for name, cases in SCREENS.items() for more in cases]


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Path:
    """Finished runs, of an experiment whose question takes more than a line."""
    folder = shutil.copytree(finished.folder, tmp_path_factory.mktemp("screens") / "project")
    file = folder / "experiments" / "small.py"
    other = "Does cropping a photograph to some part of it help as much as everybody seems to believe it does?"
    file.write_text(file.read_text().replace("Does cropping help?", other))
    return folder


@pytest.fixture
def folder(project) -> Path:
    """The same, without what the last command wrote."""
    (project / "pack.zip").unlink(missing_ok=True)
    return project


def test_every_command_has_its_screens_looked_at():
    assert set(SCREENS) == set(COMMANDS)


def check(folder: Path, command: tuple[str, ...], columns: int, encoding: str = "utf-8") -> None:
    shown = on_terminal(folder, *command, columns=columns, encoding=encoding)
    assert shown.code == ENDS.get(command[0], 0), shown.text
    assert too_wide(shown, columns) == []
    assert "…" not in shown.text, "nothing is cut"
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_at_60_columns_nothing_is_cut_and_no_line_is_wider(folder, command):
    check(folder, command, 60)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_at_other_widths_too(folder, command, columns):
    check(folder, command, columns)


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_what_the_output_cannot_show_is_replaced(folder, command):
    check(folder, command, 60, "ascii")


@pytest.mark.slow
@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_what_latin_1_cannot_show_is_replaced(folder, command):
    check(folder, command, 80, "latin-1")


@pytest.mark.slow
@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_a_dumb_terminal_has_its_own_width_too(folder, command, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    check(folder, command, 60)
    assert "\x1b" not in on_terminal(folder, "compare", "small").text


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
@pytest.mark.parametrize("command", [("compare", "small"), ("run", "small", "--no-tracking")], ids=" ".join)
def test_recipe_difference_interval_and_verdict_are_on_one_line(folder, command, columns):
    effects = json.loads(ablation(folder, "compare", "small", "--json", "-").out)
    shown = lines(on_terminal(folder, *command, columns=columns))
    for effect in effects:
        difference = "" if effect["verdict"] == "baseline" else f"{100 * effect['estimate']:+.1f}".replace("-", MINUS)
        words = (f" {effect['recipe']} ", difference, effect["verdict"])
        assert [line for line in shown if all(word in f"{line} " for word in words)], words


@pytest.mark.parametrize(
    "environment",
    [
        {"NO_COLOR": "1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        *(
            pytest.param(variables, marks=pytest.mark.slow)
            for variables in ({"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"})
        ),
    ],
    ids=lambda variables: "=".join(next(iter(variables.items()))),
)
def test_compare_in_a_process_of_its_own(folder, environment):
    shown = in_a_process(folder, "compare", "small", columns=60, **{"TERM": "xterm-256color"} | environment)
    assert shown.code == 0
    assert too_wide(shown, 60) == []
    assert any(line.split()[1:2] == ["crop"] and line.split()[-1] == "worse" for line in lines(shown))
    if "NO_COLOR" in environment or "TERM" in environment:
        assert "\x1b[3" not in shown.text, "no colour"


def test_an_error_is_broken_at_words_and_has_no_colour_where_none_is_wanted(folder, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = on_terminal(folder, "run", "smal", columns=60)
    assert too_wide(shown, 60) == []
    assert shown.text.startswith("\x1b[31merror: there is no experiment 'smal'")
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert on_terminal(folder, "run", "smal", columns=60).text.startswith(
                "error: there is no experiment 'smal'"
            )
