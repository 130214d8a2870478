"""A disk that is full while a checkpoint is written: it costs no training, and a result that is lost says why."""

import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from faults import record_fault

from ablation import sweep
from ablation.experiment.record import read_digest
from ablation.training.checkpoint import _read, checkpoints, write_tensors
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
    assert [_read(path)["history"][-1]["epoch"] for path in checkpoints(run)] == [5, 4], "as soon as there is room"
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


def test_weights_that_cannot_be_written_name_the_file_and_the_cause(tmp_path):
    with no_file_above(20_000), pytest.raises(OSError, match="File too large") as error:
        write_tensors(tmp_path / "weights.pt", {"weight": torch.zeros(10_000)})
    assert error.value.filename == str(tmp_path / "weights.pt")
    assert os.listdir(tmp_path) == []


def test_a_record_that_cannot_be_written_is_a_failure_with_its_cause_and_the_run_goes_on_later(
    small, trained_once, cache, disk, inside
):
    _, record, arrays = trained_once(small)
    last = []

    class Filling(Silent):
        def event(self, run, event):
            last.append(event)

    real = sys.modules["ablation.training.loop"].finish

    def full(*arguments):
        fill(disk)
        return real(*arguments)

    sys.modules["ablation.training.loop"].finish = full
    try:
        [run] = sweep(small, disk / "runs", cache, jobs=1, device="cpu", watch=Filling(), checkpoint_every=1)
    finally:
        sys.modules["ablation.training.loop"].finish = real
    assert last[-1]["event"] == "failed"
    assert "no space left" in last[-1]["reason"].lower()
    assert str(run.folder) in last[-1]["reason"]
    (disk / "filler").unlink()
    reason = last[-1]["reason"]
    [run] = sweep(small, disk / "runs", cache, jobs=1, device="cpu", watch=Filling())
    assert read_digest(run.folder) == record.digest(arrays)
    assert [event["epoch"] for event in last[-2:] if event["event"] == "epoch"] == [3], "from the last checkpoint"
    record_fault(
        "kills", "the disk is full when a record is written", 1,
        "failed, with the cause; the same command goes on from the last checkpoint", reason.replace(str(disk), "DISK"),
    )  # fmt: skip
