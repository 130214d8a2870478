"""Real worker processes that hang, die, babble or are told to end: the cause is named, and nothing is left of them."""

import os
import platform
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from faults import record_fault

from ablation.core.files import is_locked
from ablation.data import build, listing
from ablation.experiment.record import read_digest
from ablation.experiment.runs import folder_of, runs_of
from ablation.training.worker import Worker, WorkerDied

ENDING = """
import ctypes
import fcntl
import os
import signal
import time
from pathlib import Path

from torch import nn

def pipes():
    for name in os.listdir("/proc/self/fd"):
        try:
            pipe = os.readlink(f"/proc/self/fd/{name}").startswith("pipe:")
            if pipe and fcntl.fcntl(int(name), fcntl.F_GETFL) & os.O_WRONLY:
                yield int(name)
        except OSError:
            pass

def hang():
    print("hanging")
    if os.fork() == 0:
        Path("forked.txt").write_text(str(os.getpid()))
        time.sleep(600)
    time.sleep(600)

def babble():
    for pipe in pipes():
        os.write(pipe, b"Epoch 1: loss 0.5\\n")
    time.sleep(600)

def close():
    for pipe in pipes():
        os.close(pipe)
    time.sleep(600)

WAYS = {
    "hang": hang,
    "babble": babble,
    "close": close,
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crash": lambda: ctypes.string_at(0),
    "fine": lambda: None,
}

class Ending(nn.Sequential):
    def forward(self, images):
        WAYS[Path("how.txt").read_text()]()
        return super().forward(images)

def network(classes):
    return Ending(nn.Flatten(), nn.Linear(192, classes))
"""


@pytest.fixture
def first(tiny, cache, tmp_path, monkeypatch):
    """A function: the first run of the tiny experiment, changed so, in tmp_path/runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ending.py").write_text(ENDING)
    (tmp_path / "how.txt").write_text("fine")

    def made(**changes):
        experiment = replace(tiny, **changes)
        data = listing(experiment.data, cache)
        build(data, experiment.cache_size, cache)
        run = runs_of(experiment.cells(data.digest), folder_of(experiment, tmp_path / "runs"))[0]
        run.prepare()
        return run

    return made


def death_of(worker, run):
    """How the worker died in the run, and how long that took since it had begun."""
    begun = 0.0
    try:
        for event in worker.train(run):
            begun = time.monotonic() if event["event"] == "started" else begun
    except WorkerDied as death:
        return death, time.monotonic() - begun
    raise AssertionError("it did not die")


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_that_hangs_fails_with_its_limit_and_what_it_forked_dies_too(first, cache, tmp_path):
    (tmp_path / "how.txt").write_text("hang")
    run, worker = first(model="ending:network"), Worker("cpu", cache, tmp_path / "w.log", timeout=1.5)
    try:
        death, seconds = death_of(worker, run)
        assert death.cause == "timeout"
        line = 1 + ENDING.splitlines().index("    time.sleep(600)")
        log = tmp_path / "w.log"
        assert str(death) == f"no end after 1.5 s (--timeout), at line {line} of ending.py; see {log}"
        title, said, *_ = log.read_text().splitlines()
        assert title.endswith(f" UTC: run {run.spec.id} of tiny on cpu")
        assert said == "hanging"
        assert f'ending.py", line {line} in hang' in log.read_text()
        assert 1.5 <= seconds < 12
        forked, deadline = int((tmp_path / "forked.txt").read_text()), time.monotonic() + 5
        while is_running(forked) and time.monotonic() < deadline:  # SIGKILL was sent; a busy system takes its time
            time.sleep(0.01)
        assert not is_running(forked)
        assert not is_locked(run.folder / "lock"), "which the forked child held as well"
        (tmp_path / "how.txt").write_text("fine")
        worker.timeout = 100.0
        assert [event["event"] for event in worker.train(run)][-1] == "finished", "another child trains the next run"
        assert log.read_text().splitlines()[-1].endswith(f": run {run.spec.id} of tiny on cpu")
    finally:
        worker.stop()
    record_fault(
        "blocked", "a network hangs for ever and has forked a child (--timeout)", 1,
        "ended with its children, and named", f"{death}".partition(";")[0] + "; the forked child was gone",
    )  # fmt: skip


WORDS = {
    "crash": ("crash", "the worker crashed in native code, as of an extension or a driver: SIGSEGV (it had up to "),
    "exit": ("exit", "the worker ended with status 3"),
    "kill": ("killed", "the worker was killed by SIGKILL, as by the system where memory runs out (it had up to "),
    "babble": ("pipe", "the worker sent what is no event ('Epoch 1: loss 0.5'), and was ended"),
    "close": ("pipe", "the worker closed its pipe and did not end, so that it was ended"),
}


@pytest.mark.parametrize("how", [pytest.param(how, marks=[pytest.mark.slow] * (how != "crash")) for how in WORDS])
def test_the_end_of_a_worker_is_named_and_nothing_is_left_of_it(first, cache, tmp_path, how):
    (tmp_path / "how.txt").write_text(how)
    run, worker = first(model="ending:network"), Worker("cpu", cache, tmp_path / "w.log")
    try:
        death, seconds = death_of(worker, run)
    finally:
        worker.stop()
    cause, words = WORDS[how]
    assert death.cause == cause
    assert str(death).startswith(words)
    spoke = how == "crash"  # Python itself, before the signal ends it
    assert (f"; see {tmp_path / 'w.log'}" in str(death)) == spoke, "nobody is sent to a log that has nothing of the run"
    assert (", at line " in str(death)) == spoke
    assert seconds < 15
    process = run.journal.events()[0]["process"]
    assert not is_running(process)
    record_fault("blocked", f"a worker ends in the middle of a run: {how}", 1, "the cause is named", str(death))


def test_a_worker_that_is_told_to_end_leaves_a_checkpoint_and_the_run_goes_on_with_the_same_bits(
    first, tiny, cache, tmp_path, inside
):
    run, worker, last, signalled = first(epochs=60), Worker("cpu", cache, tmp_path / "w.log"), {}, 0.0
    try:
        for last in worker.train(run):
            if last["event"] == "epoch" and not signalled:
                signalled = time.monotonic()
                os.kill(run.journal.events()[0]["process"], signal.SIGTERM)
        seconds = time.monotonic() - signalled
        assert last["event"] == "interrupted"
        assert run.status() == "interrupted"
        epochs = [event["epoch"] for event in run.journal.events() if event["event"] == "epoch"]
        assert 1 <= len(epochs) < 60
        started = run.journal.events()[0]
        assert (started["host"], started["device"], started["command"]) == (platform.node(), "cpu", os.getpid())
    finally:
        worker.stop()
    from inside import Inside

    assert [event["event"] for event in Inside("cpu", cache, None).train(run)][-1] == "finished"
    again = [event["epoch"] for event in run.journal.events() if event["event"] == "epoch"]
    assert again == list(range(1, 61)), "no epoch was trained twice: the checkpoint is of the last one"
    calm = type(run)(tmp_path / "calm", run.spec)
    calm.prepare()
    list(Inside("cpu", cache, None).train(calm))
    assert read_digest(run.folder) == read_digest(calm.folder)
    record_fault(
        "blocked", "SIGTERM to a worker in training", 1, "a checkpoint at the epoch's end, interrupted, the same bits",
        f"interrupted after epoch {epochs[-1]} of 60, {seconds:.1f} s after the signal; the same bits",
    )  # fmt: skip
