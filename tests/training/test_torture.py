"""Kills at every moment: whatever is killed and whenever, the same command ends with the same bits. Takes minutes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ablation import sweep
from ablation.data import listing
from ablation.experiment.files import read
from ablation.experiment.record import read_digest
from ablation.experiment.runs import folder_of, runs_of

ROOT = Path(__file__).parents[2]
FILE = """
from ablation import Adam, Brightness, Digits, Experiment, Fixed, RandomResizedCrop, SGD
experiment = Experiment(
    name="torture", data=Digits(), model="shallow_cnn", image_size=8, cache_size=8, epochs=60, batch_size=32,
    dropout=0.1,
    recipes={"none": (), "both": (RandomResizedCrop(), Brightness(0.3))},
    optimizers={"adam": Adam(), "sgd": SGD(lr=0.05, momentum=0.9)},
    split=Fixed(train=100, val=100, test=200), seeds=2, baseline="none",
)
"""


def children_of(parent):
    """The processes whose parent is `parent`, as the kernel tells."""
    found = []
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread, or all of it, that has just ended
            found += [int(child) for child in listed.read_text().split()]
    return found


def epochs_in(folder):
    """How many epochs the journals know."""
    return sum(journal.read_bytes().count(b'"epoch",') for journal in folder.glob("runs/*/*/journal.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads a process's children from /proc")
@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_twelve_kills_leave_no_trace_in_the_results(victim, tmp_path, cache):
    (tmp_path / "torture.py").write_text(FILE)
    experiment = read(tmp_path / "torture.py").experiment
    expected = {
        run.spec.id: read_digest(run.folder) for run in sweep(experiment, tmp_path / "calm", cache, device="cpu")
    }
    command = [sys.executable, "-m", "ablation.cli.main", "run", "torture.py", "--no-tracking", "--cache", str(cache)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    draws = np.random.Generator(np.random.Philox(5))
    in_training = 0
    for more in (0, 0, *draws.integers(0, 50, size=10)):  # epochs of this attempt: a machine's speed moves no kill
        epochs = epochs_in(tmp_path)
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not children_of(process.pid):
            time.sleep(0.01)
        while process.poll() is None and epochs_in(tmp_path) < epochs + more:
            time.sleep(0.01)
        time.sleep(draws.uniform(0.0, 0.05))  # within an epoch, or while a checkpoint is written
        workers = children_of(process.pid)
        in_training += bool(workers)
        if victim == "parent":
            process.kill()
        elif workers:
            os.kill(workers[0], signal.SIGKILL)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)  # so that there is something left for the next kill
        process.wait()
        gone = time.monotonic() + 10
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < gone, "a worker outlived its parent"
            time.sleep(0.01)
    assert in_training >= 10, "too few of the kills met a worker"
    last = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, check=False)
    assert last.returncode == 0
    runs = runs_of(experiment.cells(listing(experiment.data, cache).digest), folder_of(experiment, tmp_path / "runs"))
    assert {run.spec.id: read_digest(run.folder) for run in runs} == expected
    assert not list(tmp_path.glob("runs/**/*.tmp")), "temporary files are left"
