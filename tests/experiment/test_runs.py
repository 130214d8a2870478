"""How a run stands is derived from what lies in its folder, and from nothing else."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ablation.experiment.record import Arrays, RunRecord, write_record
from ablation.experiment.runs import Run, folder_of, history_of, runs_of
from ablation.experiment.spec import RunSpec

DATA = "0123456789abcdef"


@pytest.fixture
def run(tiny, tmp_path) -> Run:
    return runs_of(tiny.cells(DATA), folder_of(tiny, tmp_path))[0]


def write(run: Run, outcome: str) -> None:
    none = np.zeros((0, 2), np.float32)
    labels = np.zeros(0, np.int64)
    write_record(
        run.folder,
        RunRecord(run.spec.id, outcome, (), {}, {}),
        Arrays(labels, labels, none, none, np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)),
    )


def test_a_run_lives_in_the_folder_of_its_experiment_under_its_id(tiny, tmp_path, run):
    assert run.folder == tmp_path / "tiny" / run.spec.id
    assert folder_of(tiny, tmp_path) == tmp_path / "tiny"


def test_two_names_for_the_same_values_are_one_run(tiny, tmp_path):
    cells = tiny.cells(DATA)
    runs = runs_of(cells + cells, tmp_path)
    assert [run.spec.id for run in runs] == [cell.spec.id for cell in cells]
    assert len(runs) == 12


def test_a_prepared_folder_tells_its_spec(run):
    run.prepare()
    assert RunSpec.from_plain(json.loads((run.folder / "spec.json").read_text())) == run.spec
    assert RunSpec.from_plain(json.loads((run.folder / "spec.json").read_text())).id == run.folder.name


@pytest.mark.parametrize("damage", [lambda text: text[:40], lambda text: text.replace('"epochs": 2', '"epochs": 7')])
def test_a_spec_that_is_damaged_or_of_another_run_is_written_again(run, damage):
    """A worker trains what the file says, so it may say nothing else than the name of its folder."""
    run.prepare()
    file = run.folder / "spec.json"
    whole = file.read_text("utf-8")
    assert damage(whole) != whole
    file.write_text(damage(whole), "utf-8")
    run.prepare()
    assert file.read_text("utf-8") == whole


def test_nothing_on_disk_is_planned(run):
    assert run.status() == "planned"
    assert not run.folder.exists(), "asking must not make anything"
    run.prepare()
    assert run.status() == "planned"


def test_started_and_not_ended_is_interrupted(run):
    run.prepare()
    run.journal.append("started")
    assert run.status() == "interrupted"
    run.journal.append("epoch", epoch=1)
    assert run.status() == "interrupted"
    assert run.failure() == ""


def test_failed_with_its_reason_until_it_is_started_again(run):
    run.prepare()
    run.journal.append("started")
    run.journal.append("failed", reason="OutOfMemoryError: no room")
    assert (run.status(), run.failure()) == ("failed", "OutOfMemoryError: no room")
    run.journal.append("started")
    assert (run.status(), run.failure()) == ("interrupted", "")


@pytest.mark.parametrize("outcome", ["finished", "diverged"])
def test_a_record_is_the_end_whatever_the_journal_says(run, outcome):
    run.prepare()
    run.journal.append("failed", reason="before")
    write(run, outcome)
    assert run.status() == outcome
    record = run.record()
    assert record is not None
    assert record.outcome == outcome


def test_arrays_without_a_record_are_not_finished(run):
    run.prepare()
    run.journal.append("started")
    write(run, "finished")
    (run.folder / "record.json").unlink()
    assert run.status() == "interrupted"


def test_a_torn_journal_is_read_as_far_as_it_goes(run):
    run.prepare()
    run.journal.append("started")
    with run.journal.path.open("ab") as file:
        file.write(b'deadbeef {"event": "fai')
    assert run.status() == "interrupted"


HOLDING = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_held_by_another_process_is_running_and_cannot_go_stale(run, environment):
    run.prepare()
    run.journal.append("started")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(run.folder / "lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    with holder:
        assert holder.stdout.readline().strip() == b"held"
        assert run.status() == "running"
        assert run.status() == "running"
        holder.kill()
    assert (run.folder / "lock").exists()
    assert run.status() == "interrupted"


def test_a_run_that_has_moved_stands_as_before(run, tmp_path):
    run.prepare()
    run.journal.append("failed", reason="why")
    shutil.move(run.root, tmp_path / "elsewhere")
    assert Run(tmp_path / "elsewhere", run.spec).status() == "failed"
    assert run.status() == "planned"


def test_an_epoch_repeated_after_a_kill_is_told_once_and_in_order(run):
    run.prepare()
    for event in ({"epoch": 1, "loss": 3}, {"epoch": 2, "loss": 2}, {"epoch": 2, "loss": 2}, {"epoch": 3, "loss": 1}):
        run.journal.append("epoch", **event)
        run.journal.append("started")
    assert [(epoch["epoch"], epoch["loss"]) for epoch in history_of(run)] == [(1, 3), (2, 2), (3, 1)]


def test_files_of_the_same_run_stay_in_its_folder(run, tmp_path):
    run.prepare()
    run.journal.append("started")
    run.status()
    write(run, "finished")
    assert os.listdir(tmp_path) == ["tiny"]
    assert os.listdir(run.root) == [run.spec.id]
    assert run.checkpoint.parent == run.folder
