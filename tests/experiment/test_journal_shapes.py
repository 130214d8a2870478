"""A journal or a declaration whose lines are well-formed and of another shape: noticed, named, and no traceback."""

import json
import re
import shutil
import zlib
from itertools import pairwise

import pytest
from faults import record_fault

from ablation import Results
from ablation.core.errors import DataError
from ablation.core.files import Journal
from ablation.evidence.study import Study
from ablation.experiment.preregistration import PREREGISTRATION_FILE, preregister, preregistered
from ablation.experiment.runs import runs_of

SHAPES = {
    "a list": [1, 2],
    "a number": 7,
    "no event": {"time": 1000.0, "epoch": 1},
    "an event that is no text": {"event": 1, "time": 1000.0},
    "no time": {"event": "started"},
    "a time that is a text": {"event": "started", "time": "now"},
    "a time beyond all days": {"event": "started", "time": 1e300},
    "a time that is true": {"event": "started", "time": True},
    "an epoch that is a text": {"event": "epoch", "time": 1000.0, "epoch": "1", "val_loss": 0.5},
    "an epoch without a number": {"event": "epoch", "time": 1000.0, "val_loss": 0.5},
    "a loss that is a text": {"event": "epoch", "time": 1000.0, "epoch": 1, "val_loss": "0.5"},
    "a loss that is a list": {"event": "epoch", "time": 1000.0, "epoch": 1, "val_loss": [0.5]},
    "a failure without a reason": {"event": "failed", "time": 1000.0},
    "a failure whose reason is a list": {"event": "failed", "time": 1000.0, "reason": ["no room"]},
    "a seal that is a list": {"event": "sealed", "time": 1000.0, "files": ["record.json"]},
    "a seal of numbers": {"event": "sealed", "time": 1000.0, "files": {"record.json": 1, "arrays.npz": 2}},
}


def line_of(shape: object) -> bytes:
    """With the checksum that fits."""
    text = json.dumps(shape).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_line_of_another_shape_is_a_lost_line(tiny, tmp_path, shape):
    run = runs_of(tiny.cells("0123456789abcdef"), tmp_path)[0]
    run.prepare()
    run.journal.append("started")
    run.journal.append("epoch", epoch=1, val_loss=None)
    expected = run.journal.events()
    with run.journal.path.open("ab") as file:
        file.write(line_of(shape))
    assert run.journal.read() == (expected, 1)
    assert (run.status(), run.failure(), run.held().lost) == ("interrupted", "", 1)
    run.journal.append("failed", reason="no room")
    assert (run.status(), run.failure(), run.held().lost) == ("failed", "no room", 1)
    record_fault("blocked", "a line of a journal is well-formed and of another shape", 1, "a warning", "1 line is lost")


def test_what_is_no_json_or_nested_without_end_is_a_lost_line(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for text in (b"{", b"\xff", b"[" * 100_000):
        journal.append("started")
        with journal.path.open("ab") as file:
            file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    assert (len(journal.read().events), journal.read().lost) == (3, 3)


@pytest.fixture
def load(finished, tmp_path):
    """A function that reads a copy of the finished runs, which lie in tmp_path / "runs" / "small"."""
    shutil.copytree(finished.folder / "runs", tmp_path / "runs")
    return lambda: Results.load(finished.experiment, tmp_path / "runs", finished.folder / "cache")


def test_lost_lines_are_a_warning_that_names_the_run_and_change_no_score(load, finished):
    run = load().run(finished.results.frame["id"][4])
    with run.journal.path.open("ab") as file:
        file.write(line_of([1]) + line_of({"event": "epoch", "time": 1.0, "epoch": "3"}))
    results = load()
    (warning,) = Study(results).warnings
    assert warning.startswith("2 lines of journals cannot be read, of \u2068crop · sgd · seed 1\u2069")
    assert run.spec.id in warning
    assert results.frame.equals(finished.results.frame)


DECLARATIONS = {
    "a list": lambda event: [event],
    "no declaration": lambda event: {name: item for name, item in event.items() if name != "declaration"},
    "a declaration that is a list": lambda event: event | {"declaration": [1]},
    "a declaration without a test": lambda event: event | {"declaration": {"metric": "accuracy"}},
    "a margin that is a text": lambda event: event | {"declaration": event["declaration"] | {"margin": "0.01"}},
    "results that are a text": lambda event: event | {"results": "0"},
    "no time": lambda event: {name: item for name, item in event.items() if name != "time"},
    "a time that is a text": lambda event: event | {"time": "today"},
}


@pytest.mark.parametrize("change", DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_declaration_of_another_shape_is_one_error_whose_remedy_works(load, finished, tmp_path, change):
    file = tmp_path / "runs" / "small" / PREREGISTRATION_FILE
    (event,) = Journal(file).events()
    file.write_bytes(line_of(change(event)))
    for read in (lambda: Study(load()).warnings, lambda: preregister(finished.experiment, load().cells, file.parent)):
        with pytest.raises(DataError) as raised:
            read()
        (problem,) = raised.value.problems
        assert str(file) in problem.message
        assert re.search("move (it|the file) away", problem.message)
    file.rename(tmp_path / "moved away")
    assert Study(load()).warnings == ("No plan was declared before the first result, nor after it.",)
    record_fault("blocked", "a line of declared.jsonl is of another shape", 1, "one error with a remedy", "one error")


def test_a_damaged_declaration_is_no_missing_one(load, tmp_path):
    """Else an edit of it would be as if nothing had been declared, or what was declared before."""
    file = tmp_path / "runs" / "small" / PREREGISTRATION_FILE
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"accuracy", b"macro_f1"))
    with pytest.raises(
        DataError, match=r"1 line of .*declared\.jsonl cannot be read, where plans were declared: restore"
    ):
        Study(load()).warnings  # noqa: B018  (it is computed when it is first read)
    file.write_bytes(whole.replace(b"\n", b"\r\n"))
    with pytest.raises(DataError, match=r"set core\.autocrlf to false"):
        preregistered(file.parent)
    file.write_bytes(whole)
    assert not Study(load()).warnings


def test_a_clock_that_is_set_back_gives_no_negative_duration(tmp_path):
    times = iter([1000.0, 1010.0, 400.0, 405.0, 1500.0])
    journal = Journal(tmp_path / "journal.jsonl", clock=lambda: next(times))
    for event in ("started", "epoch", "epoch", "sealed", "finished"):
        journal.append(event)
    read = [event["time"] for event in journal.events()]
    assert read == [1000.0, 1010.0, 1010.0, 1010.0, 1500.0]
    assert b'"time": 400.0' in journal.path.read_bytes(), "what the clock said is kept"
    durations = [after - before for before, after in pairwise(read)]
    record_fault(
        "blocked",
        "the clock was set back while a run was trained",
        1,
        "no negative duration",
        f"{min(durations)} s at least",
    )
