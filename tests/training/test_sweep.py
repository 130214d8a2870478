"""The sweep: only what is missing, the same bits however it is run, and no death that takes others along."""

import math
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from sweeps import Log, digests

from ablation import InputError, Results, sweep
from ablation.evidence.study import compare
from ablation.experiment.record import read_digest
from ablation.training.crew import choose_devices


@pytest.fixture(scope="module")
def undisturbed(tiny, cache, tmp_path_factory):
    """The tiny experiment, trained by two workers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, sweep(tiny, folder, cache, jobs=2, device="cpu")


def test_every_run_finishes(undisturbed):
    _, runs = undisturbed
    assert len(runs) == 12
    assert {run.status() for run in runs} == {"finished"}
    assert not any(run.checkpoint.exists() for run in runs)


def test_all_runs_show_in_a_line_how_they_ended(undisturbed):
    folder, runs = undisturbed
    assert repr(runs) == f"12 runs in {(folder / 'tiny').as_posix()}: 12 finished"
    assert isinstance(runs, tuple)


def test_one_worker_with_few_runs_and_two_with_many_give_the_same_bits(undisturbed, tiny, cache, tmp_path):
    """Alone, after others in the same worker, and beside another worker."""
    _, runs = undisturbed
    alone = replace(tiny, recipes={"crop": tiny.recipes["crop"]}, baseline="crop", seeds=(2,))
    for run in sweep(alone, tmp_path, cache, jobs=1, device="cpu"):
        assert read_digest(run.folder) == digests(runs)[run.spec.id]


@pytest.mark.slow
def test_one_worker_and_two_give_the_same_bits(undisturbed, tiny, cache, tmp_path):
    _, runs = undisturbed
    assert digests(sweep(tiny, tmp_path, cache, jobs=1, device="cpu")) == digests(runs)


def test_a_sweep_in_this_process_gives_the_same_bits_too(undisturbed, inside, tiny, cache, tmp_path):
    """So that what follows may be trained so."""
    _, runs = undisturbed
    for run in sweep(replace(tiny, seeds=(0,)), tmp_path, cache, jobs=1, device="cpu"):
        assert read_digest(run.folder) == digests(runs)[run.spec.id]


def test_again_trains_nothing_and_a_renamed_recipe_neither(undisturbed, tiny, cache):
    folder, _ = undisturbed
    renamed = replace(tiny, recipes={"plain": (), "crop and brightness": tiny.recipes["crop"]}, baseline="plain")
    for experiment in (tiny, renamed):
        log = Log()
        sweep(experiment, folder, cache, device="cpu", watch=log)
        assert (log.missing, log.events) == ((), [])


def test_a_new_recipe_trains_only_its_own_cells(undisturbed, inside, tiny, cache):
    folder, _ = undisturbed
    more = replace(tiny, recipes={**tiny.recipes, "new": tiny.recipes["crop"][:1]})
    log = Log()
    sweep(more, folder, cache, jobs=1, device="cpu", watch=log)
    assert len(log.missing) == 6
    assert {run.spec.recipe for run in log.missing} == {tiny.recipes["crop"][:1]}


def test_the_baseline_under_another_name_differs_by_exactly_nothing(undisturbed, tiny, cache):
    folder, _ = undisturbed
    twice = replace(tiny, recipes={**tiny.recipes, "none-again": ()})
    log = Log()
    sweep(twice, folder, cache, device="cpu", watch=log)
    assert log.missing == ()
    effects = [effect for effect in compare(Results.load(twice, folder, cache)) if effect.recipe == "none-again"]
    assert len(effects) == 3
    assert [(effect.estimate, math.isnan(effect.p)) for effect in effects] == [(0.0, True)] * 3, "nothing to test"


@pytest.mark.parametrize(("jobs", "seeds"), [(1, (0,)), pytest.param(2, (0, 1, 2), marks=pytest.mark.slow)])
def test_a_killed_worker_costs_one_run_and_the_same_call_completes_it(
    undisturbed, tiny, cache, tmp_path, request, jobs, seeds
):
    few, killed = replace(tiny, seeds=seeds), []

    def kill_once(run, event):
        if event["event"] == "epoch" and not killed:
            killed.append(run.spec.id)
            os.kill(run.journal.events()[0]["process"], signal.SIGKILL)

    left = sweep(few, tmp_path, cache, jobs=jobs, device="cpu", watch=Log(kill_once))
    assert {run.spec.id: run.status() for run in left if run.status() != "finished"} == {killed[0]: "failed"}
    assert "SIGKILL" in next(run.failure() for run in left if run.spec.id == killed[0])
    log = Log()
    if jobs == 1:
        request.getfixturevalue("inside")
    completed = sweep(few, tmp_path, cache, jobs=jobs, device="cpu", watch=log)
    assert [run.spec.id for run in log.missing] == killed
    assert digests(completed).items() <= digests(undisturbed[1]).items()


FAINT = """
from torch import nn

class Faint(nn.Sequential):
    steps = 0

    def forward(self, images):
        self.steps += self.training
        if self.steps > 3:
            raise RuntimeError("too much")
        return super().forward(images)

def network(classes):
    return Faint(nn.Flatten(), nn.Linear(192, classes))
"""


def test_a_run_that_raises_fails_alone_with_its_reason(inside, tiny, cache, tmp_path, monkeypatch):
    (tmp_path / "faint.py").write_text(FAINT)
    monkeypatch.chdir(tmp_path)
    impossible = replace(
        tiny, vary={"model": ("shallow_cnn", "faint:network")}, seeds=(0,), optimizers={"a": tiny.optimizers["adam"]}
    )
    runs = sweep(impossible, tmp_path / "runs", cache, jobs=1, device="cpu")
    assert {run.spec.model: run.status() for run in runs} == {"shallow_cnn": "finished", "faint:network": "failed"}
    assert "RuntimeError: too much" in next(run.failure() for run in runs if run.spec.model == "faint:network")


def test_an_interrupt_stops_the_workers_at_once(tiny, cache, tmp_path):
    started = threading.Event()
    workers = []

    def note(run, event):
        workers.append(run.journal.events()[0]["process"])
        started.set()

    def interrupt():
        started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        sweep(replace(tiny, epochs=500), tmp_path, cache, jobs=2, device="cpu", watch=Log(note))
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{worker}") for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived the sweep"
        time.sleep(0.05)
    assert not any(run.is_dir() and (run / "record.json").exists() for run in (tmp_path / "tiny").iterdir())


def test_devices():
    assert choose_devices("cpu", 3, 10) == ["cpu"] * 3
    assert choose_devices("cpu", 8, 2) == ["cpu"] * 2, "no more workers than runs"
    with pytest.raises(InputError, match="device = 'tpu': this machine has auto, cpu"):
        choose_devices("tpu", None, 1)
