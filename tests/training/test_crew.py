"""Workers that are started early: they run while the data is read, and nothing is left of those that are not used."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablation import DataError, InputError, sweep
from ablation.experiment.runs import folder_of
from ablation.training import sweep as sweeping
from ablation.training.crew import Training, _may_have_gpu
from ablation.training.sweep import crew_for
from ablation.training.watch import Silent


@pytest.fixture
def children(monkeypatch):
    """The processes that are started."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return started


def alive(children):
    return [child for child in children if child.poll() is None]


@pytest.mark.parametrize("error", [DataError("no such file"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_workers_run_while_the_data_is_read_and_end_with_it(tiny, tmp_path, cache, monkeypatch, children, error):
    during = []

    def reading(*args):
        during.extend(alive(children))
        raise error

    monkeypatch.setattr(sweeping, "listing", reading)
    with pytest.raises(type(error)):
        sweep(tiny, tmp_path / "runs", cache, jobs=2, device="cpu")
    assert len(during) == 2
    assert not alive(children)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("error", [InputError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_they_end_where_photographs_cannot_be_cached(tiny, tmp_path, cache, monkeypatch, children, error):
    """In the middle of their dry run."""

    def building(*args):
        raise error

    monkeypatch.setattr(sweeping, "build", building)
    with pytest.raises(type(error)):
        sweep(tiny, tmp_path / "runs", cache, jobs=2, device="cpu")
    assert len(children) == 2
    assert not alive(children)
    assert not (tmp_path / "runs").exists()


def test_none_is_started_in_place_of_one_that_was_stopped(tiny, tmp_path, cache, monkeypatch, children):
    """Networks that were to be tried out next are not."""

    def building(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "build", building)
    with pytest.raises(KeyboardInterrupt):
        sweep(replace(tiny, vary={"image_size": (8, 12, 16)}), tmp_path / "runs", cache, jobs=1, device="cpu")
    time.sleep(1)
    assert len(children) == 1
    assert not alive(children)


def test_none_is_started_where_nothing_is_missing(finished, children):
    runs, cache = finished.folder / "runs", finished.folder / "cache"
    assert all(run.status() == "finished" for run in sweep(finished.experiment, runs, cache, device="cpu"))
    assert children == []


def test_so_many_are_started_as_runs_are_missing_for_certain(finished, tmp_path, cache, children):
    more = replace(finished.experiment, seeds=len(finished.experiment.seed_numbers) + 1)
    missing = len(more.cells("")) - len(finished.experiment.cells(""))
    for jobs in (1, missing + 1):
        with crew_for(more, finished.folder / "runs", cache, Training(jobs, "cpu")) as crew:
            assert len(crew.workers) == len(alive(children)) == min(jobs, missing)
        assert not alive(children)


def test_those_that_are_too_many_end_and_others_are_started(tiny, tmp_path, cache, children):
    with crew_for(tiny, tmp_path, cache, Training(3, "cpu")) as crew:
        first = crew.workers[0].process
        assert crew.start(1) == len(alive(children)) == 1
        assert crew.start(100) == len(alive(children)) == 3
        assert crew.workers[0].process is first
    assert not alive(children)
    assert not folder_of(tiny, tmp_path).exists()


OWN = """
import os
import sys

from torch import nn

print("the network is made")
if {ends}:
    print("and ends", file=sys.stderr, flush=True)
    os._exit(3)

def network(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, classes))
"""


def test_a_network_that_ends_its_process_is_reported_and_nothing_is_written(tiny, tmp_path, cache, monkeypatch):
    (tmp_path / "ending.py").write_text(OWN.format(ends=True))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        sweep(replace(tiny, model="ending:network"), tmp_path / "runs", cache, jobs=1, device="cpu")
    (problem,) = raised.value.problems
    assert problem.message == "ending:network cannot be tried out: the worker ended with status 3; and ends"
    assert not (tmp_path / "runs").exists()


def test_the_log_has_what_a_worker_printed_before_its_first_run(tiny, tmp_path, cache, monkeypatch):
    (tmp_path / "printing.py").write_text(OWN.format(ends=False))
    monkeypatch.chdir(tmp_path)
    few = replace(tiny, model="printing:network", seeds=(0,), optimizers={"adam": tiny.optimizers["adam"]})
    runs = sweep(few, tmp_path / "runs", cache, jobs=1, device="cpu")
    assert {run.status() for run in runs} == {"finished"}
    assert "the network is made\n" in (runs[0].root / "worker-0.log").read_text()


def test_a_failed_dry_run_ends_the_caching(tiny, tmp_path, cache, monkeypatch):
    """It would go on for an hour where there are many photographs."""
    calls = []

    def building(data, size, root, progress, note):
        for done in range(100_000):
            calls.append(done)
            progress(done, 100_000)
            time.sleep(0.01)

    monkeypatch.setattr(sweeping, "build", building)
    with pytest.raises(InputError, match="freeze = 99"):
        sweep(replace(tiny, freeze=99), tmp_path / "runs", cache, jobs=1, device="cpu", watch=Silent())
    assert 0 < len(calls) < 100_000


def test_a_worker_imports_no_torchvision_for_a_network_of_this_package():
    """Which takes it over a second."""
    script = (
        "import sys, ablation.training.loop, ablation.training.dry_run\n"
        "from ablation.models.networks import build\n"
        "build('lenet', 3), build('shallow_cnn', 3)\n"
        "print('torchvision' in sys.modules)\n"
        "build('resnet18', 3, stochastic_depth=0.5)\n"
        "print('torchvision' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_sweep_imports_no_torch_here(tmp_path, environment):
    """Only its workers do, where there is no GPU to be counted."""
    script = (
        "import sys\n"
        "from ablation import Adam, Digits, Experiment, Fixed, sweep\n"
        "e = Experiment('e', Digits(), {'none': ()}, {'adam': Adam()}, baseline='none', model='lenet', image_size=12,\n"
        "               epochs=1, seeds=1, split=Fixed(train=50, val=50, test=100))\n"
        "print(*[run.status() for run in sweep(e, jobs=1, device='cpu')])\n"
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'matplotlib', 'mlflow') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "finished"
    if not _may_have_gpu():
        assert done.stdout.splitlines()[1] == "[]"


def test_a_machine_where_torch_finds_a_gpu_is_one_that_may_have_it():
    assert _may_have_gpu() or torch.cuda.device_count() == 0


def test_workers_end_where_their_parent_is_killed(tmp_path, environment):
    """While they import torch, too: nobody else would end them."""
    script = (
        "import time\n"
        "from ablation import Adam, Digits, Experiment\n"
        "from pathlib import Path\n"
        "from ablation.training.crew import Training\n"
        "from ablation.training.sweep import crew_for\n"
        "e = Experiment('e', Digits(), {'none': ()}, {'adam': Adam()}, baseline='none', model='lenet', image_size=12)\n"
        "with crew_for(e, Path('runs'), Path('cache'), Training(jobs=2, device='cpu')) as crew:\n"
        "    print(*(worker.process.pid for worker in crew.workers), flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    with parent:
        workers = parent.stdout.readline().split()
        parent.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while any(running(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def running(process):
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
