"""`ablation run` ends with a status that says what is to be done: each is tried, and its remedy works."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from commands import ablation
from faults import record_fault
from filelock import FileLock
from project import write_experiment

from ablation.cli.run import Seconds
from ablation.data import listing
from ablation.experiment.files import read
from ablation.experiment.runs import Run, folder_of, runs_of
from ablation.training.rounds import LOCK_FILE

RUN = ("run", "small", "--no-tracking", "--device", "cpu", "--jobs", "1")

OWN = '''
"""Does cropping help?"""
from ablation import Digits, Experiment, Fixed, RandomResizedCrop, SGD
experiment = Experiment(
    name="small", data=Digits(), model="own:network", image_size=8, cache_size=8, epochs=1, batch_size=32,
    recipes={"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)),)},
    optimizers={"sgd": SGD(lr=0.05)}, split=Fixed(train=0.2, val=0.2, test=0.4), seeds=2, baseline="none",
)
'''

NETWORK = """
from pathlib import Path

from torch import nn

class Own(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 2 and Path("fails.txt").exists():
            Path("fails.txt").unlink()
            raise RuntimeError("a bad day")
        return super().forward(images)

def network(classes):
    return Own(nn.Flatten(), nn.Linear(192, classes))
"""


def runs_in(folder: Path) -> list[Run]:
    """Those of its experiment, in grid order."""
    experiment = read(folder / "experiments" / "small.py").experiment
    data = listing(experiment.data, folder / "cache")
    return list(runs_of(experiment.cells(data.digest), folder_of(experiment, folder / "runs")))


@pytest.fixture
def project(finished, tmp_path):
    """A finished project, two runs of which are missing."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    for run in (runs_in(folder)[0], runs_in(folder)[5]):
        shutil.rmtree(run.folder)
    return folder


@pytest.fixture
def own(tmp_path):
    """A project with a network of its own that fails once."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "small.py").write_text(OWN)
    (tmp_path / "own.py").write_text(NETWORK)
    (tmp_path / "fails.txt").touch()
    return tmp_path


def words(ended):
    """What was printed, however its lines were broken."""
    return " ".join(ended.out.split())


def statuses(folder):
    return [run.status() for run in runs_in(folder)]


def test_only_trains_what_it_names_and_the_verdicts_are_of_all_that_have_finished(project, inside):
    ended = ablation(project, *RUN, "--only", "recipe=crop,optimizer=sgd")
    assert ended.code == 0, ended.err
    assert "1 of 3 runs to train" in ended.out
    assert "did not finish" not in ended.err
    assert statuses(project) == ["planned"] + ["finished"] * 5
    assert "2 of 3 seeds (“crop” and “none”)" in words(ended), "the baseline has two of its three seeds"
    assert ablation(project, *RUN, "--only", "seed=0", "--only", "seed=1").code == 0
    assert statuses(project) == ["finished"] * 6
    assert "all 2 chosen runs are finished: nothing to train" in ablation(project, *RUN, "--only", "seed=0").out


def test_1_a_run_that_failed_and_the_same_command_tries_it_again(own, inside, monkeypatch):
    monkeypatch.syspath_prepend(own)
    ended = ablation(own, *RUN)
    assert ended.code == 1
    assert "failed: RuntimeError: a bad day" in ended.out
    assert "1 run did not finish" in ended.err
    assert statuses(own) == ["failed"] + ["finished"] * 3
    again = ablation(own, *RUN, "--no-retry-failed")
    assert again.code == 1
    assert "nothing to train: 3 of 4 runs finished, 1 failed and is not tried again (--no-retry-failed)" in words(again)
    assert ablation(own, *RUN).code == 0
    assert statuses(own) == ["finished"] * 4
    record_fault("blocked", "a run fails", 1, "exit status 1; the same command tries it again", f"exit {ended.code}")


def test_a_lock_that_is_a_folder_is_named_until_it_is_removed(project, inside):
    run, other = runs_in(project)[0], runs_in(project)[5]
    lock = run.folder / "lock"
    lock.mkdir(parents=True)
    ended, status = ablation(project, *RUN), ablation(project, "status", "small")
    wrong = f"{lock.relative_to(project)} is a folder, and must be a file: remove it"
    assert ended.code == 1
    assert wrong in words(ended)
    assert (run.failure(), other.status()) == (wrong, "finished")
    assert "is a folder, and must be a file" in words(status)
    lock.rmdir()
    assert ablation(project, *RUN).code == 0
    assert statuses(project) == ["finished"] * 6
    record_fault(
        "blocked", "a folder has the name of a run's lock", 1, "named by run and status; without it the run goes on",
        f"exit {ended.code}: {wrong.rpartition('/')[2]}",
    )  # fmt: skip


def test_1_fail_fast_says_which_and_leaves_the_rest(own, inside, monkeypatch):
    monkeypatch.syspath_prepend(own)
    ended = ablation(own, *RUN, "--fail-fast")
    assert ended.code == 1
    first = runs_in(own)[0]
    assert (
        f"ended at the first failure, of run {first.spec.id} (--fail-fast), and 3 runs were not trained: "
        "RuntimeError: a bad day"
    ) in " ".join(ended.err.split())
    assert statuses(own) == ["failed"] + ["planned"] * 3
    (own / "fails.txt").touch()
    ended = ablation(own, *RUN, "--max-retries", "1")
    assert ended.code == 0, ended.err
    assert re.search(
        r"failed: RuntimeError: a bad day \(line 10 of \S*own\.py\); it is tried again \(1 of 1\)", words(ended)
    )


def test_a_time_is_typed_in_the_units_that_a_person_uses():
    typed = {"90": 90, "90s": 90, "1.5h": 5400, "1h30m": 5400, "1d 2h": 93600, " 2 m 3 s ": 123, "0s": 0}
    assert {text: Seconds().convert(text, None, None) for text in typed} == typed


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--only", "recipe=corp"), "only recipe=corp (--only): no such recipe; did you mean 'crop'? (none, crop)"),
        (("--only", "crop"), "--only 'crop': expected FACTOR=LEVEL"),
        (("--timeout", "soon"), "'--timeout': 'soon' is no time: give it as 90s, 30m, 2h or 1h30m"),
        (("--timeout", "0"), "'--timeout': '0' is too short: give a time above 0, as 90s, 30m, 2h or 1h30m"),
        (("--timeout", "30m1h"), "'30m1h' is no time"),
        (("--timeout", ""), "'' is no time"),
        (("--grace", "-1s"), "'--grace': '-1s' is no time: give it as 90s, 30m, 2h or 1h30m"),
        (("--max-retries", "-1"), "-1 is not in the range x>=0"),
        (("--timeout", "99999999999999999d"), "(--timeout): must be above 0 seconds, and at most 31536000 (365 days)"),
        (("--grace", "2h"), "grace = 7200.0 (--grace): must be at least 0 seconds, and at most 3600 (1 hour)"),
    ],
)
def test_2_what_cannot_be(project, options, error):
    ended = ablation(project, *RUN, *options)
    assert ended.code == 2
    assert error in " ".join(ended.err.split())
    assert statuses(project).count("planned") == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--cluster", value) for value in ("", "local:abc", "local:0", "local:257", "http://x")),
        *(("--device", value) for value in ("tpu", "", "cuda:", "cuda:x", "CPU")),
        ("--timeout", "366d"),
    ],
)
def test_2_what_cannot_be_where_nothing_is_missing(finished, option, value):
    ended = ablation(finished.folder, "run", "small", "--no-tracking", option, value)
    assert ended.code == 2
    assert f"({option}): " in ended.err


def test_checkpoints_that_a_kill_left_of_a_finished_run_are_removed(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    newest, before = runs_in(folder)[0].checkpoints
    newest.write_bytes(b"gigabytes")
    before.symlink_to("nowhere")
    other = runs_in(folder)[1].checkpoint
    other.mkdir()
    assert ablation(folder, *RUN).code == 0
    assert not os.path.lexists(newest)
    assert not os.path.lexists(before)
    assert other.is_dir(), "which is none of ours"


def test_3_data_that_is_not_there(tmp_path):
    write_experiment(tmp_path, data="ImageFolder('photos')")
    file = tmp_path / "experiments" / "small.py"
    file.write_text(file.read_text().replace("Digits,", "ImageFolder,"))
    ended = ablation(tmp_path, *RUN)
    assert (ended.code, "there is no folder 'photos'" in ended.err) == (3, True)


def test_4_another_process_trains_it_and_nobody_is_to_wait(project, inside):
    run = runs_in(project)[0]
    run.prepare()
    with FileLock(run.folder / "lock"):
        run.journal.append("started", device="cpu", host="elsewhere", process=78, command=77)
        ended = ablation(project, *RUN, "--no-join")
    assert ended.code == 4
    assert ended.err.startswith("error: process 77 on elsewhere trains the runs in runs/small; without --no-join")
    assert statuses(project).count("finished") == 4
    assert ablation(project, *RUN).code == 0
    record_fault(
        "blocked", "another process trains the experiment, --no-join", 1, "exit status 4, host and process named",
        f"exit {ended.code}: " + ended.err.partition(";")[0].removeprefix("error: "),
    )  # fmt: skip


def test_no_join_refuses_only_where_something_is_missing(project, finished, inside):
    copy = shutil.copytree(finished.folder, project / "all")
    held = ("run", "small", "--no-tracking", "--no-join")
    with FileLock(copy / "runs" / "small" / LOCK_FILE), FileLock(project / "runs" / "small" / LOCK_FILE):
        done, refused = ablation(copy, *held), ablation(project, *held)
        chosen = ablation(project, *held, "--only", "recipe=crop,optimizer=sgd,seed=0")
    assert done.code == 0, done.err
    assert "all 6 runs are finished: nothing to train" in done.out
    assert chosen.code == 0, chosen.err
    assert refused.code == 4
    assert statuses(project).count("planned") == 2


@contextmanager
def small_disk(folder: Path, size: str):
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system")
def test_75_a_full_disk_ends_the_sweep_at_its_first_run(inside, tmp_path):
    write_experiment(tmp_path)
    with small_disk(tmp_path / "runs", "64k"):
        ended = ablation(tmp_path, *RUN)
        assert ended.code == 75, ended.err
        assert "\nerror: no space left in runs/small/" in ended.err
        assert ended.err.strip().endswith("make room: the same command goes on")
        assert len(list(tmp_path.glob("runs/small/*/journal.jsonl"))) == 1, "and no other was tried"
        subprocess.run(["mount", "-o", "remount,size=10m", tmp_path / "runs"], check=True)
        again = ablation(tmp_path, *RUN)
        assert again.code == 0, again.err
        assert statuses(tmp_path) == ["finished"] * 6
    record_fault(
        "kills", "the disk of the runs is full (a file system of 64 kB)", 1,
        "exit status 75 at the first run, the folder named; with room the same command goes on",
        f"exit {ended.code}: " + ended.err.rpartition("error: ")[2].partition(";")[0],
    )  # fmt: skip


def test_143_sigterm_leaves_a_checkpoint_of_the_epoch_in_which_it_came(tmp_path, environment):
    write_experiment(tmp_path, epochs=400)
    command = [sys.executable, "-m", "ablation.cli.main", *RUN]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("runs/small/*/checkpoint.pt")):
            assert process.poll() is None
            time.sleep(0.02)
        signalled = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out = process.stdout.read()
        process.wait()
    seconds = time.monotonic() - signalled
    assert process.returncode == 143
    assert "terminated; the same command goes on: ablation run small" in " ".join(out.split())
    run = runs_in(tmp_path)[0]
    events = run.journal.events()
    assert [event["event"] for event in events[-2:]] == ["epoch", "interrupted"]
    assert seconds < 8 + 2, "the grace time and what it takes to end"
    assert run.status() == "interrupted"
    checkpoint = torch.load(run.checkpoint, weights_only=True)
    assert len(checkpoint["history"]) == events[-2]["epoch"], "of the epoch in which the signal came"
    record_fault(
        "blocked", "SIGTERM to `ablation run`", 1, "a checkpoint at the epoch's end, exit status 143, a message",
        f"exit {process.returncode} after {seconds:.1f} s; the checkpoint is of epoch {events[-2]['epoch']}",
    )  # fmt: skip
