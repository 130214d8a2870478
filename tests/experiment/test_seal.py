"""A finished run is sealed: what was changed since is noticed, left out with an alarm, and not trained over."""

import hashlib
import json
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path

import forged
import numpy as np
import pytest

from ablation import Results, sweep
from ablation.core import files
from ablation.core.files import Journal
from ablation.evidence.study import Study
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, Arrays, RunRecord, read_digest, write_record
from ablation.experiment.runs import Run, runs_of
from ablation.experiment.seal import JOURNAL_FILE, read_seal
from ablation.training.watch import Silent


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def with_crlf(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


FORGERIES = {
    "accuracy": (forged.edit_accuracy, RECORD_FILE),
    "accuracy and digest": (forged.edit_accuracy_and_digest, RECORD_FILE),
    "predictions": (forged.replace_predictions, ARRAYS_FILE),
    "predictions and digest": (forged.replace_predictions_and_digest, RECORD_FILE),
    "half a record": (lambda folder: (folder / RECORD_FILE).write_text("{"), RECORD_FILE),
    "no arrays": (lambda folder: (folder / ARRAYS_FILE).unlink(), f"{ARRAYS_FILE} is missing"),
    "no seal": (forged.without_seal, JOURNAL_FILE),
    "half a journal": (forged.truncate_journal, JOURNAL_FILE),
    "a folder for a record": (lambda folder: as_folder(folder / RECORD_FILE), f"{RECORD_FILE} is missing"),
    "a folder for arrays": (lambda folder: as_folder(folder / ARRAYS_FILE), f"{ARRAYS_FILE} is missing"),
    "other line ends": (lambda folder: with_crlf(folder / JOURNAL_FILE), "set core.autocrlf to false and check the"),
    "no journal": (lambda folder: (folder / JOURNAL_FILE).unlink(), JOURNAL_FILE),
}


@pytest.fixture
def project(finished, tmp_path):
    """The finished experiment, and a function that reads a copy of its runs."""
    shutil.copytree(finished.folder / "runs", tmp_path / "runs")
    cache = finished.folder / "cache"
    return finished.experiment, lambda experiment: Results.load(experiment, tmp_path / "runs", cache), tmp_path / "runs"


def test_the_seal_holds_what_lies_there(finished):
    for run_id in finished.results.frame["id"]:
        folder = finished.results.root / run_id
        assert finished.results.seal(run_id) == {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (RECORD_FILE, ARRAYS_FILE)
        }


@pytest.mark.parametrize(("forge", "reason"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_run_is_named_left_out_and_kept(project, finished, forge, reason):
    experiment, load, runs = project
    folder = runs / "small" / load(experiment).frame["id"][4]
    forge(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    results = load(experiment)
    assert list(results.frame["status"]) == ["finished"] * 4 + ["altered", "finished"]
    assert reason in results.frame["reason"][4]
    assert folder.name not in results.records
    assert results.frame["accuracy"].isna().tolist() == [False] * 4 + [True, False]
    alarm = Study(results).warnings[0]
    assert f"Run \u2068crop · sgd · seed 1\u2069 ({folder.name}) was altered after its training: " in alarm
    assert reason in alarm
    assert "Restore the file, or remove the run's folder and `ablation run` trains it again" in alarm
    effect = Study(results).effects[1]
    assert (effect.seeds, effect.planned) == (2, 3)

    trained = []

    class Log(Silent):
        def planned(self, missing, finished, workers):
            trained.extend(missing)

    assert {run.status() for run in sweep(experiment, runs, finished.folder / "cache", watch=Log())} == {
        "finished",
        "altered",
    }
    assert trained == []
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_once_its_folder_is_removed_the_same_command_trains_it_again(project, finished):
    experiment, load, runs = project
    folder = runs / "small" / load(experiment).frame["id"][4]
    whole = read_digest(folder)
    forged.edit_accuracy_and_digest(folder)
    shutil.rmtree(folder)
    sweep(experiment, runs, finished.folder / "cache", jobs=1, device="cpu")
    assert set(load(experiment).frame["status"]) == {"finished"}
    assert read_digest(folder) == whole
    assert set(read_seal(folder)) == {RECORD_FILE, ARRAYS_FILE}


def test_of_many_altered_runs_the_first_few_are_named(project):
    experiment, load, runs = project
    for folder in (runs / "small").glob("*/record.json"):
        forged.edit_accuracy(folder.parent)
    warnings = Study(load(experiment)).warnings
    assert sum("was altered" in warning for warning in warnings) == 5
    assert "1 more run altered too: `ablation status` names them." in warnings


def test_a_run_of_an_older_version_has_no_seal_and_is_used(project):
    experiment, load, runs = project
    folder = runs / "small" / load(experiment).frame["id"][4]
    forged.make_older(folder)
    results = load(experiment)
    assert set(results.frame["status"]) == {"finished"}
    assert results.seal(folder.name) is None
    (warning,) = Study(results).warnings
    assert warning.startswith("1 of 6 finished runs is not sealed, unlike the others")


def test_a_seal_that_names_only_one_file_is_none(project):
    experiment, load, runs = project
    folder = runs / "small" / load(experiment).frame["id"][4]
    seal = read_seal(folder)
    Journal(folder / JOURNAL_FILE).append("sealed", files={RECORD_FILE: seal[RECORD_FILE]})
    forged.replace_predictions(folder)
    assert ARRAYS_FILE in load(experiment).frame["reason"][4]


def test_the_record_of_another_run_is_not_used(project):
    """Although its own seal fits, and whether or not it has one."""
    experiment, load, runs = project
    first, other = load(experiment).frame["id"][[4, 0]]
    for sealed in (True, False):
        for file in (RECORD_FILE, ARRAYS_FILE, JOURNAL_FILE):
            shutil.copy(runs / "small" / other / file, runs / "small" / first / file)
        if not sealed:
            forged.make_older(runs / "small" / first)
        results = load(experiment)
        assert list(results.frame["status"]) == ["finished"] * 4 + ["altered", "finished"]
        assert results.frame["reason"][4] == f"record.json is that of the run {other}, and not of {first}"
        assert len(results.finished) == 5


@pytest.mark.parametrize("name", [RECORD_FILE, ARRAYS_FILE])
def test_a_folder_where_a_file_of_an_older_run_should_be_is_named_and_leaves_that_run_out(project, name):
    experiment, load, runs = project
    folder = runs / "small" / load(experiment).frame["id"][4]
    forged.make_older(folder)
    as_folder(folder / name)
    results = load(experiment)
    assert list(results.frame["status"]) == ["finished"] * 4 + ["altered", "finished"]
    assert f"{name} is missing" in results.frame["reason"][4]


class Killed(BaseException):
    """No code handles it, as none handles a kill."""


def record_of(run: Run, accuracy: float) -> tuple[RunRecord, Arrays]:
    label, logits = np.zeros(2, np.int64), np.full((2, 3), accuracy, np.float32)
    picture = np.zeros((8, 8, 3), np.uint8)
    record = RunRecord(run.spec.id, "finished", (), {"accuracy": accuracy}, {})
    return record, Arrays(label, label, logits, logits, picture, picture[None])


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_kill_at_any_write_leaves_a_run_that_is_sealed_or_not_finished(tiny, tmp_path, monkeypatch, call, after):
    """And training again, which gives another record (it took other seconds), leaves it finished and sealed."""
    done = getattr(files.os, call)
    for moment in count():
        run = runs_of(tiny.cells("0123456789abcdef"), tmp_path / str(moment))[0]
        run.prepare()
        run.journal.append("started")
        calls = count()

        def killing(*arguments, moment=moment, calls=calls):
            at_last = next(calls) == moment
            if at_last and not after:
                raise Killed
            done(*arguments)
            if at_last:
                raise Killed

        monkeypatch.setattr(files.os, call, killing)
        try:
            write_record(run.folder, *record_of(run, 0.5))
        except Killed:
            finished = (run.folder / RECORD_FILE).exists()
            assert run.status() == ("finished" if finished else "interrupted")
            assert (run.record() is not None) == finished
        else:
            assert moment >= 2, "it writes arrays and record"
            break
        finally:
            monkeypatch.setattr(files.os, call, done)
        run.journal.append("started")
        write_record(run.folder, *record_of(run, 0.6))
        assert (run.status(), run.record().metrics) == ("finished", {"accuracy": 0.6})
        assert set(read_seal(run.folder)) == {RECORD_FILE, ARRAYS_FILE}


def test_the_mark_of_a_seal_is_no_part_of_what_must_repeat(tiny, tmp_path):
    run = runs_of(tiny.cells("0123456789abcdef"), tmp_path)[0]
    record, arrays = record_of(run, 0.5)
    write_record(run.folder, record, arrays)
    form = json.loads((run.folder / RECORD_FILE).read_text("utf-8"))
    assert form["sealed"] is True
    assert form["digest"] == record.digest(arrays) == replace(record, notes=("another",)).digest(arrays)
