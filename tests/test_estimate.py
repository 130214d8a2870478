"""Estimates: optimizer numbers against torch's own, sums by hand, a grid's costs, and a real training's time."""

import subprocess
import sys
import time
from dataclasses import fields, replace
from functools import cache
from typing import get_args

import pytest
import torch
from torch import Tensor

from ablation import SGD, Adam, AdamW
from ablation import optim as optimizers
from ablation.console import console
from ablation.console_estimate import duration, show_estimate, size
from ablation.estimate import Images, asked_of, estimate, estimates_of, memory_of, passes, state_numbers
from ablation.models.counts import Asked, Counts, count
from ablation.models.networks import build
from ablation.optim import Lookahead, build_optimizer
from ablation.rates import Load, Machine, Point, Rates, remember
from ablation.speed import Trial, measure
from ablation.values import label

IMAGES = Images(train=100, val=30, test=50, cached=180)
RATES = Rates(0.01, 0.0, 1e-11, 0.0, 0.0, 0.2, 0.5)


def machine(host: str, precision: str = "float32") -> Machine:
    point = Point("a", 32, 8, Load(1, 1, 1, 1), 0.5, Load(1, 1, 1, 1), 0.1, None, None)
    return Machine(host, "cpu", precision, "2.11", 1, 1.0, RATES, replace(RATES, per_step=0.002), (point,))


@pytest.fixture(scope="module")
def here() -> Machine:
    import platform

    return machine(platform.node())


@pytest.fixture
def spec(small):
    return small.cells("0" * 16)[0].spec


def tensors(state: object) -> list[Tensor]:
    """Every tensor with more than one number in a state dict, whatever it is nested in."""
    if isinstance(state, Tensor):
        return [state] if state.numel() > 1 else []
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for part in parts for tensor in tensors(part)]


VARIANTS = [
    *(SGD(lr=0.1), SGD(lr=0.1, momentum=0.9), Adam(amsgrad=True)),
    *(optimizers.RMSprop(), optimizers.RMSprop(momentum=0.9, centered=True), Lookahead(optimizer=Adam())),
]


@cache
def shallow() -> Counts:
    return count(Asked("shallow_cnn", 5, 8))


def every_optimizer() -> list[object]:
    plain = [cls for cls in get_args(optimizers.Optimizer) if "optimizer" not in {field.name for field in fields(cls)}]
    return [*VARIANTS, *(cls() for cls in plain if cls not in (SGD, optimizers.Muon))]


@pytest.mark.parametrize("optimizer", every_optimizer(), ids=label)
def test_an_optimizer_keeps_as_many_numbers_as_are_estimated(optimizer):
    """By torch's own state after two real steps. Tensors of one number (counts of steps) are left out."""
    model = build("shallow_cnn", classes=5, dropout=0.0, seed=0)
    built = build_optimizer(optimizer, model)

    def loss() -> Tensor:
        built.zero_grad()
        made = model(torch.ones(2, 3, 8, 8)).square().sum()
        made.backward()
        return made

    for _ in range(2):
        built.step(loss)
    held = sum(tensor.numel() for tensor in tensors(built.state_dict()))
    assert state_numbers(optimizer, shallow()) == held


def test_sam_takes_two_passes_and_a_copy_of_the_weights():
    counts = shallow()
    sam = optimizers.SAM(optimizer=Adam())
    assert (passes(sam), passes(Adam()), passes(Lookahead(optimizer=sam))) == (2, 1, 2)
    assert state_numbers(sam, counts) == 3 * counts.parameters


def test_memory_is_the_sum_of_its_parts(spec):
    counts = count(asked_of(spec, 10))
    memory = memory_of(SGD(lr=0.1, momentum=0.9), 32, counts, "bfloat16", averaged=True)
    assert memory.weights == 4 * (counts.parameters + counts.buffers)
    assert memory.gradients == 4 * counts.parameters
    assert memory.optimizer == 2 * 4 * counts.parameters  # momentum, and the average
    assert memory.activations == 32 * counts.kept_bfloat16 + counts.copies_bfloat16
    assert memory.total == memory.weights + memory.gradients + memory.optimizer + memory.activations


def test_seconds_by_hand(spec, here):
    """Three epochs of 4 steps on 100 images and 1 look at 30, then 2 looks at 50 test images, in batches of 32."""
    counts = count(asked_of(spec, 10))
    step = 0.01 + 1e-11 * 32 * counts.training_macs
    look = 0.002 + 1e-11 * 32 * counts.macs
    found = estimate(spec, counts, IMAGES, here)
    assert found.seconds == pytest.approx(3 * (4 * step + look) + 2 * look)
    assert found.error == 0.2
    assert found.memory.images == 0  # a CPU reads them from the file
    assert estimate(spec, counts, IMAGES, machine("x", "bfloat16")).memory.images == 180 * 3 * 8 * 8
    assert estimate(spec, counts, IMAGES, None).seconds is None


def test_a_grid_is_told_by_what_differs_in_cost(tiny, tmp_path, here):
    """Recipes and seeds cost the same; optimizers and batch sizes do not."""
    remember(here, tmp_path)
    grid = replace(tiny, optimizers={"adam": Adam(), "adamw": AdamW()}, vary={"batch_size": (16, 32)})
    specs = [cell.spec for cell in grid.cells("0" * 16)]
    costs = estimates_of(specs, 10, lambda spec: IMAGES, tmp_path)
    assert len(costs) == 4
    assert [cost.runs for cost in costs] == [2 * 3] * 4
    assert sum(cost.runs for cost in costs) == len({spec.id for spec in specs})
    with console.capture() as captured:
        show_estimate(costs, here, workers=2)
    told = captured.get()
    seconds = sum(cost.runs * cost.estimate.seconds for cost in costs)
    assert f"time of the grid: {duration(seconds)} on one cpu (give or take 20%)" in told
    assert f"{duration(seconds / 2)} with 2 workers" in told
    assert "shallow_cnn" in told
    assert size(max(cost.estimate.memory.total for cost in costs)) in told


def test_without_rates_memory_is_told_and_how_to_get_the_time(tiny, tmp_path):
    specs = [cell.spec for cell in tiny.cells("0" * 16)]
    costs = estimates_of(specs, 10, lambda spec: IMAGES, tmp_path)
    with console.capture() as captured:
        show_estimate(costs, None)
    assert "ablation doctor --measure" in captured.get()
    assert "memory" in captured.get()


def test_a_grid_that_was_counted_is_estimated_without_torch(tiny, tmp_path, environment):
    script = (
        "import sys; from pathlib import Path\n"
        "from ablation import Adam, Digits, Experiment\n"
        "from ablation.estimate import Images, estimates_of\n"
        "question = Experiment(name='x', data=Digits(), recipes={'none': ()}, optimizers={'adam': Adam()},\n"
        "                      baseline='none', model='shallow_cnn', image_size=8, cache_size=8)\n"
        "specs = [cell.spec for cell in question.cells('0' * 16)]\n"
        f"found = estimates_of(specs, 10, lambda spec: Images(1, 1, 1, 1), Path({str(tmp_path)!r}))\n"
        "print(len(found), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    for torch_is_there in ("True", "False"):
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.split() == ["1", torch_is_there]


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
def test_a_real_training_takes_what_was_estimated(small, trained):
    """Rates from four measured steps, then a network and size that was not among them: within a factor of two."""
    trials = (
        *(Trial("shallow_cnn", 8, 32), Trial("shallow_cnn", 32, 32), Trial("resnet18", 24, 16)),
        *(Trial("resnet18", 48, 16), Trial("mobilenet_v3_small", 48, 16)),
    )
    known = measure("cpu", trials)
    run, _, _ = trained(replace(small, model="resnet18", image_size=32))
    spec = replace(run.spec, model="resnet18")
    found = estimate(spec, count(asked_of(spec, 10)), Images(100, 100, 202, 1797), known)
    started = time.process_time()
    trained(replace(small, model="resnet18", image_size=32, dropout=0.01))
    assert 0.5 < found.seconds / (time.process_time() - started) < 2


def test_durations_and_sizes_are_told_in_fitting_units():
    told = [duration(seconds) for seconds in (0.44, 45.0, 720.0, 12240.0, 181440.0)]
    assert told == ["0.4 s", "45 s", "12 min", "3.4 h", "2.1 days"]
    assert [size(97.5e6), size(3.2e9)] == ["97.5 MB", "3.2 GB"]
