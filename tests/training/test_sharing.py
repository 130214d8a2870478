"""How many workers share a GPU: decided by rates that are given here, and measured by real workers on a CPU."""

import threading
from dataclasses import replace

import pytest

from ablation import Execution, RandomResizedCrop, sweep
from ablation.core.errors import InputError
from ablation.data import build, listing
from ablation.training import crew as crewing
from ablation.training.crew import choose_devices
from ablation.training.sharing import ASIDE, Rate, best_count, rates
from ablation.training.worker import Worker

GB = 2**30


def of(table):
    """Measured: count -> what each of so many workers measures; the counts that were tried."""
    tried = []

    def measured(count):
        tried.append(count)
        return table[count]

    return measured, tried


@pytest.mark.parametrize(
    ("table", "most", "expected", "tried"),
    [
        ({1: [100], 2: [90, 90], 4: [60] * 4}, 9, 4, [1, 2, 4]),
        ({1: [100], 2: [53, 53]}, 9, 1, [1, 2]),  # 6 % more in all
        ({1: [100], 2: [90, 90], 4: [45] * 4}, 9, 2, [1, 2, 4]),
        ({1: [100], 2: [90, 90]}, 3, 2, [1, 2]),  # as many as there are runs
        ({1: [100]}, 1, 1, [1]),
        ({1: [100], 2: [190, 0]}, 9, 1, [1, 2]),  # one of them had no memory
        ({1: [0]}, 9, 1, [1]),
    ],
)
def test_as_many_workers_as_train_more_in_all(table, most, expected, tried):
    measured, called = of({count: [Rate(speed, 1, 100 * GB) for speed in each] for count, each in table.items()})
    assert best_count(measured, most) == expected
    assert called == tried


@pytest.mark.parametrize(("free", "expected"), [(3 * GB + ASIDE - 1, 1), (3 * GB + ASIDE, 2)])
def test_no_more_workers_than_have_memory(free, expected):
    measured, _ = of({1: [Rate(100, 3 * GB, free)], 2: [Rate(90, 3 * GB, 0)] * 2})
    assert best_count(measured, 9) == expected


def test_workers_on_each_gpu(monkeypatch):
    monkeypatch.setattr(crewing, "_gpus", lambda: 2)
    assert choose_devices("auto", None, 9, 2) == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert choose_devices("cuda:1", None, 9, 3) == ["cuda:1"] * 3
    assert choose_devices("auto", None, 3, 4) == ["cuda:0", "cuda:1", "cuda:0"], "no more workers than runs"
    assert choose_devices("auto", 1, 9, 4) == ["cuda:0"], "jobs says how many in all"
    assert set(choose_devices("cpu", None, 99, 4)) == {"cpu"}


def test_a_sweep_refuses_what_its_device_cannot_do_and_writes_nothing(small, cache, tmp_path):
    for execution in (Execution("graph"), Execution(per_device=2)):
        with pytest.raises(InputError):
            sweep(small, tmp_path / "runs", cache, device="cpu", execution=execution)
    assert not (tmp_path / "runs").exists()


def test_workers_measure_themselves_and_leave_nothing(small, cache, tmp_path):
    """Two at a time, with augmentation; then one of them trains a run."""
    experiment = replace(small, recipes={"none": (RandomResizedCrop(scale=(0.5, 1.0)),)})
    data = listing(experiment.data, cache)
    (cell,) = experiment.cells(data.digest)
    build(data, cell.spec.cache_size, cache)
    workers = [Worker("cpu", cache, tmp_path / "runs" / f"{number}.log") for number in range(2)]
    try:
        for rate in rates(workers, cell.spec):
            assert rate.images_per_second > 10
            assert (rate.taken, rate.free) == (0, 0)
        assert not (tmp_path / "runs").exists()
        assert rates(workers[:1], replace(cell.spec, data="0" * 64))[0].images_per_second == 0, "no such data"
        threading.Timer(1.0, workers[0].process.kill).start()
        assert workers[0].rate(cell.spec).images_per_second == 0, "it died"
    finally:
        for worker in workers:
            worker.stop()
