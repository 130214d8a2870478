"""A disk that is full while a checkpoint is written: it costs no training, and a result that is lost says why."""

import os
import resource
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from faults import record_fault

from ablation import sweep
from ablation.core.errors import TryAgainError
from ablation.experiment.record import read_digest
from ablation.training import loop
from ablation.training.checkpoint import MOST_SHARE, Pace, _read, write_tensors
from ablation.training.watch import Silent

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounts a small disk, which needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Leave not a byte."""
    with open(folder / "filler", "ab", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def test_a_disk_that_is_full_for_some_epochs_costs_no_training(small, trained, trained_once, disk):
    experiment = replace(small, epochs=6)
    _, record, arrays = trained_once(experiment)
    notes = []

    def filling(event):
        if event["event"] == "note":
            notes.append(event["message"])
        elif event["epoch"] == 2:
            fill(disk)
        elif event["epoch"] == 4:
            (disk / "filler").unlink()

    run, again, arrays_again = trained(experiment, disk / "runs", report=filling)
    assert again.digest(arrays_again) == record.digest(arrays)
    [of_checkpoint] = [note for note in again.notes if note.startswith("a checkpoint could not be written")]
    assert f"no space left in {run.folder} (" in of_checkpoint
    assert of_checkpoint.endswith("training went on")
    assert notes == list(again.notes)
    assert [_read(path)["history"][-1]["epoch"] for path in run.checkpoints] == [5, 4], "as soon as there is room"
    assert not list(run.folder.glob(".*.tmp"))
    record_fault(
        "kills", "the disk is full while checkpoints are written, and has room again", 1,
        "training goes on, the same bits, a note", of_checkpoint.replace(str(disk), "DISK"),
    )  # fmt: skip


def test_the_checkpoint_before_is_there_while_the_newest_cannot_be_written(small, trained, trained_once, disk):
    experiment = replace(small, epochs=6)
    _, record, arrays = trained_once(experiment)

    def filling(event):
        if event.get("epoch") == 2:
            fill(disk)
        elif event.get("epoch") == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(experiment, disk / "runs", report=filling)
    (disk / "filler").unlink()
    epochs = []
    _, again, arrays_again = trained(experiment, disk / "runs", report=lambda event: epochs.append(event["epoch"]))
    assert epochs == [2, 3, 4, 5, 6]
    assert again.digest(arrays_again) == record.digest(arrays)


@contextmanager
def no_file_above(size):
    """Files of this process end there, as those of a user whose quota is used up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_short_writes_of_a_checkpoint_cost_no_training(small, trained, trained_once, tmp_path):
    """Without root, too: a file may not be longer than 200,000 bytes, and writing stops in its middle."""
    _, record, arrays = trained_once(small)
    with no_file_above(200_000):
        run, again, arrays_again = trained(small, tmp_path / "limited")
    assert again.digest(arrays_again) == record.digest(arrays)
    assert again.notes == (f"a checkpoint could not be written (File too large: {run.checkpoint}); training went on",)
    assert not list(run.folder.glob("*checkpoint*"))
    record_fault(
        "kills", "a checkpoint's write stops in its middle", 1, "training goes on, the same bits, a note",
        again.notes[0].replace(str(tmp_path), "RUNS"),
    )  # fmt: skip


def test_epochs_that_the_journal_cannot_hold_cost_no_training(small, trained, trained_once, tmp_path):
    """Their time is not in that of the run, and its record says so."""
    _, record, arrays = trained_once(small)
    before, reported = resource.getrlimit(resource.RLIMIT_FSIZE), []

    def limit(event):
        reported.append(event["event"])
        if event.get("epoch") in (1, 3):
            resource.setrlimit(resource.RLIMIT_FSIZE, (300 if event["epoch"] == 1 else before[0], before[1]))

    try:
        run, again, arrays_again = trained(small, tmp_path / "limited", report=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert again.digest(arrays_again) == record.digest(arrays)
    assert reported.count("epoch") == 3, "who watches hears of all"
    journal = run.folder / "journal.jsonl"
    assert (
        f"epochs could not be written (File too large: {journal}); training went on;"
        " what they took is not in the time of the run"
    ) in again.notes
    [first] = run.journal.events()
    assert again.cost["seconds"] == round(first["seconds"], 2)


def test_a_checkpoint_that_cannot_be_written_is_not_tried_at_every_epoch():
    """Trying takes time, too: as much as the disk needs to say that it is full."""
    now, tried = [0.0], []

    def write():
        now[0] += 1.0
        tried.append(now[0])
        raise OSError(28, "No space left on device")

    pace = Pace(clock=lambda: now[0])
    for _ in range(200):
        now[0] += 1.0
        if pace.due():
            with pytest.raises(OSError, match="No space"):
                pace.save(write)
    assert len(tried) == 4
    assert len(tried) / now[0] <= MOST_SHARE


def test_weights_that_cannot_be_written_name_the_file_and_the_cause(tmp_path):
    with no_file_above(20_000), pytest.raises(OSError, match="File too large") as error:
        write_tensors(tmp_path / "weights.pt", {"weight": torch.zeros(10_000)})
    assert error.value.filename == str(tmp_path / "weights.pt")
    assert os.listdir(tmp_path) == []


def test_a_record_that_cannot_be_written_is_a_failure_with_its_cause_and_the_run_goes_on_later(
    small, trained_once, cache, disk, inside, monkeypatch
):
    _, record, arrays = trained_once(small)
    epochs, finish = [], loop.finish

    class Listening(Silent):
        def event(self, run, event):
            epochs.append(event.get("epoch"))

    def full(*arguments):
        fill(disk)
        return finish(*arguments)

    monkeypatch.setattr(loop, "finish", full)
    with pytest.raises(TryAgainError) as error:
        sweep(small, disk / "runs", cache, jobs=1, device="cpu", checkpoint_every=1)
    monkeypatch.setattr(loop, "finish", finish)
    [folder] = (disk / "runs" / "small").glob("*/")
    assert str(error.value).startswith(f"no space left in {folder} (")
    (disk / "filler").unlink()
    [run] = sweep(small, disk / "runs", cache, jobs=1, device="cpu", watch=Listening())
    assert read_digest(run.folder) == record.digest(arrays)
    assert [epoch for epoch in epochs if epoch] == [3], "from the last checkpoint"
    record_fault(
        "kills", "the disk is full when a record is written", 1,
        "the cause is named; the same command goes on from the last checkpoint",
        str(error.value).replace(str(disk), "DISK"),
    )  # fmt: skip
