"""Estimates: optimizer numbers against torch's own, sums by hand, a grid's costs, and a real training's time."""

import json
import platform
import re
import subprocess
import sys
import time
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import version
from typing import get_args

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ablation.cli.plan_cost
import ablation.training.cost.estimate
from ablation import SAM, SGD, Adam, AdamW
from ablation import optim as optimizers
from ablation.cli.console import console
from ablation.cli.main import cli
from ablation.cli.plan_cost import Estimate, show_cost, show_estimate
from ablation.core.text import byte_size, duration
from ablation.core.values import label, value
from ablation.data import listing
from ablation.data.batches import bounds, steps
from ablation.experiment.record import RunRecord
from ablation.models.networks import build
from ablation.optim import Lookahead, build_optimizer
from ablation.training.cost.benchmark import Trial, first_guess, measure
from ablation.training.cost.counts import Counts, ModelConfig, NetworkRefused, count
from ablation.training.cost.estimate import (
    Ended,
    Images,
    calibration,
    config_of,
    estimates_of,
    memory_of,
    passes,
    run_memory,
    run_seconds,
    state_numbers,
)
from ablation.training.cost.grid import RUN_SECONDS, START_SECONDS, GridTime, grid_time, time_of
from ablation.training.cost.rates import Load, Machine, Point, Rates, remember

IMAGES = Images(train=100, val=30, test=50, cached=180)
RATES = Rates(0.01, 0.0, 1e-11, 0.0, 0.0, 0.2, 0.5)


def machine(host: str, precision: str = "float32") -> Machine:
    point = Point("a", 32, 8, Load(1, 1, 1, 1), 0.5, Load(1, 1, 1, 1), 0.1, None, None)
    return Machine(host, "cpu", precision, version("torch"), 1, 1.0, RATES, replace(RATES, per_step=0.002), (point,))


@pytest.fixture(scope="module")
def here() -> Machine:
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
    return count(ModelConfig("shallow_cnn", 5, 8))


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
    counts = count(config_of(spec, 10))
    memory = memory_of(SGD(lr=0.1, momentum=0.9), 32, counts, "bfloat16", averaged=True)
    assert memory.weights == 4 * (counts.parameters + counts.buffers)
    assert memory.gradients == 4 * counts.parameters
    assert memory.optimizer == 2 * 4 * counts.parameters  # momentum, and the average
    assert memory.activations == 32 * counts.kept_bfloat16 + counts.copies_bfloat16
    assert memory.total == memory.weights + memory.gradients + memory.optimizer + memory.activations


def test_seconds_by_hand(spec, here):
    """Three epochs of 4 steps on 100 images and 1 look at 30, then 2 looks at 50 test images, in batches of 32."""
    counts = count(config_of(spec, 10))
    epoch = 4 * 0.01 + 1e-11 * 100 * counts.training_macs + 0.002 + 1e-11 * 30 * counts.macs
    last = 2 * 0.002 + 1e-11 * 50 * counts.macs
    assert run_seconds(spec, counts, IMAGES, here) == pytest.approx(3 * epoch + last)
    assert run_memory(spec, counts, IMAGES, here).images == 0  # a CPU reads them from the file
    assert run_memory(spec, counts, IMAGES, machine("x", "bfloat16")).images == 180 * 3 * 8 * 8


def test_an_epoch_has_as_many_steps_as_it_has_batches():
    """33 images make one batch of 33, as in training: none is left alone."""
    assert [steps(samples, 32) for samples in (1, 32, 33, 34, 64, 65, 66)] == [1, 1, 1, 2, 2, 2, 3]
    for samples in range(1, 40):
        cut = [sample for start, stop in bounds(samples, 8) for sample in range(start, stop)]
        assert cut == list(range(samples))


def test_a_left_over_image_takes_no_step_of_its_own(spec, here):
    counts = shallow()
    even, odd, more = (run_seconds(spec, counts, replace(IMAGES, train=number), here) for number in (96, 97, 98))
    image = spec.epochs * 1e-11 * counts.training_macs
    assert odd - even == pytest.approx(image, rel=1e-3)
    assert more - odd == pytest.approx(image + spec.epochs * 0.01, rel=1e-3)


def test_a_batch_has_no_more_images_than_there_are(spec, here):
    """An epoch of 100 images is one step of 100, whatever larger number a batch may have."""
    counts = shallow()
    whole, larger = (replace(spec, batch_size=size) for size in (100, 5000))
    assert run_seconds(whole, counts, IMAGES, here) == run_seconds(larger, counts, IMAGES, here)
    assert run_memory(whole, counts, IMAGES, here) == run_memory(larger, counts, IMAGES, here)


def costs_of(grid, tmp_path, machine=None, finished=None):
    return estimates_of(grid.cells("0" * 16), 10, lambda spec: IMAGES, tmp_path, machine, finished)


def shown(costs, known, workers=1, other_software=()) -> str:
    """What is printed, its lines as one."""
    with console.capture() as captured:
        show_estimate(Estimate(costs, known, time_of(costs, known, workers) if known else None, other_software))
    return " ".join(captured.get().split())


def test_a_grid_is_told_by_what_differs_in_cost(tiny, tmp_path, here):
    """Recipes and seeds cost the same; optimizers and batch sizes do not."""
    grid = replace(tiny, optimizers={"adam": Adam(), "adamw": AdamW()}, vary={"batch_size": (16, 32)})
    specs = [cell.spec for cell in grid.cells("0" * 16)]
    costs = costs_of(grid, tmp_path, here)
    assert len(costs) == 4
    assert [cost.runs for cost in costs] == [2 * 3] * 4
    assert sum(cost.runs for cost in costs) == len({spec.id for spec in specs})
    told = shown(costs, here, workers=2)
    seconds = sum(cost.runs * (cost.seconds + RUN_SECONDS) for cost in costs) / 2 + START_SECONDS
    assert f"time of 24 runs: {duration(seconds)} on this CPU with 2 workers" in told
    assert "within 20% for half of the measured steps, and within 50% for the worst, where nothing else runs" in told
    assert "shallow_cnn" in told
    assert byte_size(max(cost.memory.total for cost in costs)) in told


def test_rows_are_told_apart_by_the_factors_that_differ(tiny, tmp_path):
    varied = {"ema": (None, 0.9), "freeze": (0, "backbone"), "cache_size": (8, 16), "label_smoothing": (0.0, 0.1)}
    costs = costs_of(replace(tiny, vary=varied), tmp_path)
    with console.capture() as captured:
        show_estimate(Estimate(costs))
    heading, rows = captured.get().split("─", 1)
    columns = {"model", "optimizer", "ema", "freeze", "cache", "size", "runs", "MACs", "memory"}
    assert set(heading.split()) == columns
    rows = [row.split()[:5] for row in rows.splitlines() if row.strip().startswith("shallow_cnn")]
    assert len(rows) == len(set(map(tuple, rows))) == len(costs) == 16


def test_what_has_finished_is_not_counted_again(tiny, tmp_path, here):
    ids = [cell.spec.id for cell in tiny.cells("0" * 16)]
    records = {run: RunRecord(run, "finished", (), {}, {}) for run in ids[:4]}
    costs = costs_of(tiny, tmp_path, here, records)
    assert sum(cost.runs for cost in costs) == len(ids) - 4
    assert calibration(costs) == (1.0, 0, False)  # no record says how long it took
    assert "time of 8 runs:" in shown(costs, here)


def test_finished_runs_of_this_machine_scale_the_rest(small, tmp_path, here):
    """Three took 2, 3 and 7 times their estimates; those of another machine, or given up, say nothing."""
    grid = replace(small, seeds=7)
    ids = [cell.spec.id for cell in grid.cells("0" * 16)]
    (alone,) = costs_of(grid, tmp_path, here)
    seconds = alone.seconds
    mine = {"host": here.host, "device": "cpu"}
    told = [
        *(("finished", 2.0, mine), ("finished", 7.0, mine), ("finished", 3.0, mine), ("diverged", 50.0, mine)),
        *(("finished", 90.0, {**mine, "host": "elsewhere"}), ("finished", 90.0, {**mine, "device": "GPU"})),
    ]
    records = {
        run: RunRecord(run, outcome, (), {}, {}, {"seconds": times * seconds}, where)
        for run, (outcome, times, where) in zip(ids, told, strict=False)
    }
    costs = costs_of(grid, tmp_path, here, records)
    assert calibration(costs) == (pytest.approx(3.0), 3, False)
    line = shown(costs, here)
    assert f"time of 1 run: {duration(START_SECONDS + RUN_SECONDS + 3 * seconds)} on this CPU" in line
    assert "3 times what the rates say, as 3 finished runs took (median)" in line
    assert "not counted" not in line


def test_runs_of_a_variant_scale_a_grid_that_has_none(small, tmp_path, here):
    """Two took 3 and 5 times their estimates, one of them though it stopped after 1 of 4 epochs; another network's."""
    specs = [cell.spec for cell in replace(small, epochs=4, seeds=3).cells("0" * 16)]
    counts, where = count(config_of(specs[0], 10)), {"host": here.host, "device": "cpu"}
    seconds = run_seconds(specs[0], counts, IMAGES, here)
    told = ((3.0, ()), (5.0 / 4, ({"epoch": 1},)), (90.0, ()))
    others = [
        Ended(spec, RunRecord(spec.id, "finished", history, {}, {}, {"seconds": times * seconds}, where))
        for spec, (times, history) in zip(specs, told, strict=True)
    ]
    others[2] = others[2]._replace(spec=replace(specs[2], image_size=9))
    alone = costs_of(small, tmp_path, here)
    costs = estimates_of(small.cells("0" * 16), 10, lambda spec: IMAGES, tmp_path, here, {}, others)
    assert calibration(costs) == (pytest.approx(4.0), 2, True)
    took = START_SECONDS + RUN_SECONDS + 4 * alone[0].seconds
    assert time_of(costs, here, 1).seconds == pytest.approx(took)
    assert "4 times what the rates say, as 2 finished runs of the same network took (median)" in shown(costs, here)


def test_the_tables_times_add_up_to_that_of_the_plan(tiny, tmp_path, here):
    """With two workers half of what one takes, and it says so."""
    slow = replace(here, training=replace(RATES, per_step=20.0))
    costs = costs_of(tiny, tmp_path, slow)
    for workers in (1, 2):
        told = shown(costs, slow, workers)
        each = (cost.runs * (cost.seconds + RUN_SECONDS) / workers for cost in costs)
        assert [f" {duration(one)} " in told for one in each] == [True] * len(costs)
        assert ("a run: of one worker; in all: with 2 workers" in told) == (workers == 2)


NOT_COPIED = """
from torch import nn

class Net(nn.Sequential):
    def __deepcopy__(self, memo):
        raise RuntimeError("this is not to be copied")

def net(classes):
    return Net(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""


def test_a_network_that_cannot_be_counted_hides_no_other(tiny, tmp_path, here, monkeypatch):
    """One of the user's own that trains, and that no hook may enter."""
    (tmp_path / "not_copied.py").write_text(NOT_COPIED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    grid = replace(tiny, vary={"model": ("shallow_cnn", "not_copied:net")})
    costs = costs_of(grid, tmp_path, here)
    sys.modules.pop("not_copied", None)
    told = shown(costs, here)
    assert re.search(r"not_copied:net adam 6 - - - - ", told.replace("sgd", "adam"))
    assert re.search(r"shallow_cnn adam 6 [\d.]+ M [\d.]+ [kM]B", told)
    assert told.count("not_copied:net cannot be counted: this is not to be copied") == 1
    assert "time of 12 runs, 12 not counted:" in told


def test_networks_that_cannot_be_trained_are_refused_at_once(tiny, tmp_path, here):
    """Each once, with what would do; whatever else the grid has."""
    grid = replace(tiny, vary={"model": ("shallow_cnn", "inception_v3", "vgg11")})
    with pytest.raises(NetworkRefused) as refused:
        costs_of(grid, tmp_path, here)
    first, second = (problem.message for problem in refused.value.problems)
    assert first.startswith("inception_v3 does not take images of 8 x 8 pixels: ")
    assert first.endswith("; give image_size 75 or more")
    assert second.startswith("vgg11 does not take images of 8 x 8 pixels: ")
    least = int(second.split()[-3])
    costs = costs_of(replace(tiny, model="vgg11", image_size=least, cache_size=least), tmp_path, here)
    assert all(cost.counts for cost in costs), "the remedy works"


def test_without_rates_memory_is_a_gpus_and_how_to_get_the_time_is_told(tiny, tmp_path):
    costs = costs_of(tiny, tmp_path)
    told = shown(costs, None)
    largest = max((cost.memory for cost in costs), key=lambda memory: memory.total)
    assert f"memory of the largest, in bfloat16, as on a GPU: weights {byte_size(largest.weights)}" in told
    assert f"images {byte_size(largest.images)}" in told
    assert f"for the time: `ablation doctor --measure`, once on this machine with torch {version('torch')}" in told
    assert "measured with torch" not in told
    assert "in all" not in told
    assert "(it was measured with torch 1.0 and 1.1)" in shown(costs, None, other_software=("1.0", "1.1"))


def plan(grid, folder, records=()) -> str:
    """What `ablation plan` says of the cost, from what lies in the cache."""
    with console.capture() as captured:
        show_cost(grid.cells("0" * 16), listing(grid.data, folder), folder, dict(records))
    return " ".join(captured.get().split())


def test_one_run_has_one_worker(small, tmp_path, here):
    remember(here, tmp_path)
    told = plan(small, tmp_path)
    assert "time of 1 run:" in told
    assert "workers" not in told


def test_rates_of_another_torch_are_told_and_not_used(small, tmp_path, here):
    path = remember(replace(here, torch="1.0"), tmp_path)
    assert "(it was measured with torch 1.0)" in plan(small, tmp_path)
    old, guess = json.loads(path.read_text()).items()
    old[1].pop("evaluation")
    path.write_text(json.dumps(dict([old, guess])))
    told = plan(small, tmp_path)
    assert "for the time more exactly: `ablation doctor --measure`" in told
    assert "measured with torch" not in told


def test_a_finished_grid_costs_nothing(small, tmp_path):
    (cell,) = small.cells("0" * 16)
    assert plan(small, tmp_path, {cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, {})}) == ""


@value
class Lion(Adam):
    """An optimizer that the table of what is kept for each weight does not know."""


@pytest.mark.parametrize("optimizer", [Lion(), SAM(optimizer=Lion())], ids=label)
def test_an_optimizer_without_an_entry_has_a_time_and_no_memory(small, tmp_path, here, optimizer):
    remember(here, tmp_path)
    told = plan(replace(small, optimizers={"adam": Adam(), "lion": optimizer}), tmp_path)
    name = type(optimizer).__name__
    reason = "nothing says what the optimizer Lion keeps for each weight"
    assert f"memory of shallow_cnn with {name}: not known ({reason})" in told
    assert re.search(r"shallow_cnn adam 1 [\d.]+ M [\d.]+ [kM]B [\d.]+ s", told)
    assert re.search(r"shallow_cnn lion 1 [\d.]+ M - [\d.]+ s", told)
    assert "memory of the largest, in float32: weights" in told
    assert "time of 2 runs:" in told
    alone = plan(replace(small, optimizers={"lion": optimizer}), tmp_path)
    assert "memory of the largest" not in alone
    assert "time of 1 run:" in alone


def test_every_optimizer_has_an_entry():
    """What may be missing for a while should not be missing here."""
    for optimizer in every_optimizer():
        assert state_numbers(optimizer, shallow()) >= 0


def fails(*given, **named):
    raise ZeroDivisionError("it fails")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(
            (ablation.training.cost.estimate, name)
            for name in ("counted", "memory_of", "passes", "config_of", "label", "_cost")
        ),
        *(
            (ablation.cli.plan_cost, name)
            for name in ("remembered", "outdated", "estimates_of", "time_of", "_trust", "calibration", "steps")
        ),
    ],
)
def test_whatever_fails_in_an_estimate_costs_no_plan(small, tmp_path, here, monkeypatch, module, name):
    remember(here, tmp_path)
    monkeypatch.setattr(module, name, fails)
    assert "not known (ZeroDivisionError: it fails)" in plan(replace(small, ema=0.999), tmp_path)


def test_a_time_that_is_not_known_leaves_the_memory(small, tmp_path, here, monkeypatch):
    remember(here, tmp_path)
    monkeypatch.setattr(ablation.training.cost.estimate, "passes", fails)
    told = plan(small, tmp_path)
    assert re.search(r"shallow_cnn 1 [\d.]+ M [\d.]+ [kM]B - -", told)
    assert "time of shallow_cnn with Adam: not known" in told
    assert "time of 1 run" not in told


QUESTION = '''"""Does it help?"""
from ablation import Adam, Brightness, Digits, Experiment
experiment = Experiment(name="q", data=Digits(), recipes={"none": (), "bright": (Brightness(0.4),)}, baseline="none",
                        optimizers={"adam": Adam()}, model="shallow_cnn", image_size=8, cache_size=8, seeds=3)
'''


def test_the_command_plans_without_an_estimate(tmp_path, monkeypatch):
    """With a rate file that is a folder, counts that cannot be kept, and an estimate that fails."""
    (tmp_path / "q.py").write_text(QUESTION)
    cache = tmp_path / "cache"
    for name in ("rates.json", "counts.json"):
        (cache / name).mkdir(parents=True)
    monkeypatch.setattr(ablation.training.cost.estimate, "memory_of", fails)
    command = ["plan", str(tmp_path / "q.py"), "--all", "--cache", str(cache), "--runs", str(tmp_path / "runs")]
    with console.capture() as captured:
        done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    told = " ".join((captured.get() + done.output).split())
    assert "6 runs" in told
    assert "memory of shallow_cnn with Adam: not known (ZeroDivisionError: it fails)" in told
    assert re.search(r"shallow_cnn 6 [\d.]+ M -", told), "it was counted all the same"


def test_a_grid_that_was_counted_is_estimated_without_torch(small, tmp_path, environment):
    costs_of(small, tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from ablation import *\n"
        "from ablation.training.cost.estimate import Images, estimates_of\n"
        f"cells = {replace(small, model='shallow_cnn')!r}.cells('0' * 16)\n"
        f"costs = estimates_of(cells, 10, lambda spec: Images(1, 1, 1, 1), Path({str(tmp_path)!r}))\n"
        "print(len(costs), costs[0].counts is not None, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["1", "True", "False"]


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
    found = run_seconds(spec, count(config_of(spec, 10)), Images(100, 100, 202, 1797), known)
    started = time.process_time()
    trained(replace(small, model="resnet18", image_size=32, dropout=0.01))
    assert 0.5 < found / (time.process_time() - started) < 2


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("model", "size"), [("lenet", 12), ("shallow_cnn", 32), ("resnet18", 64)])
def test_a_real_training_takes_what_was_guessed_within_a_factor_of_two(small, trained, model, size):
    """In processor time, as other processes take theirs."""
    guess = first_guess("cpu")
    experiment = replace(small, model=model, image_size=size, cache_size=size, epochs=40 if size < 32 else 6)
    run, _, _ = trained(experiment)
    found = run_seconds(run.spec, count(config_of(run.spec, 10)), Images(100, 100, 202, 1797), guess)
    started = time.process_time()
    trained(replace(experiment, dropout=0.01))
    assert 0.5 < found / (time.process_time() - started) < 2


def test_a_sentence_says_what_a_time_rests_on():
    assert str(GridTime(4000, 10, 0, 1, "a first guess")) == "about 1 h 07 min here (a first guess)"
    text = str(GridTime(50, 10, 3, 2, "as 4 finished runs took"))
    assert text == "about 50 s here with 2 workers, 3 runs not counted (as 4 finished runs took)"


def test_a_time_is_at_most_that_where_a_missing_run_may_stop_early(tiny, tmp_path, cache):
    data = listing(tiny.data, cache)
    remember(machine(platform.node()), tmp_path)
    cells = replace(tiny, vary={"patience": (None, 1)}).cells(data.digest)
    time, never = (grid_time(some, data, tmp_path) for some in (cells, tiny.cells(data.digest)))
    assert (time.at_most, never.at_most) == (True, False)
    assert str(time).startswith("at most about ")
    assert str(never).startswith("about ")
    may_stop = [cell.spec.id for cell in cells if cell.spec.patience]
    done = {run: RunRecord(run, "finished", (), {}, {}) for run in may_stop}
    assert not grid_time(cells, data, tmp_path, done).at_most, "those that are left train all their epochs"
    assert not grid_time(replace(tiny, patience=tiny.epochs).cells(data.digest), data, tmp_path).at_most


def test_the_time_of_a_grid_is_that_of_its_plan(tiny, tmp_path, cache):
    """One function for whoever asks: with the machine's rates where there are any, and as many workers as are given."""
    data = listing(tiny.data, cache)
    remember(machine(platform.node()), tmp_path)
    cells = tiny.cells(data.digest)
    one, two = (grid_time(cells, data, tmp_path, jobs=jobs) for jobs in (1, 2))
    assert (one.runs, one.workers, two.workers, one.left_out) == (12, 1, 2, 0)
    assert one.seconds - START_SECONDS == pytest.approx(2 * (two.seconds - START_SECONDS))
    assert one.basis == "by measured rates, typically within 20% where nothing else runs"
    remember(replace(machine(platform.node()), guessed=True, measured=2.0), tmp_path)
    assert grid_time(cells, data, tmp_path, jobs=1) == one, "a first guess is newer, and worth less"
    done = {cell.spec.id: RunRecord(cell.spec.id, "finished", (), {}, {}) for cell in cells}
    assert grid_time(cells, data, tmp_path, done) is None
    assert grid_time(cells, data, tmp_path, dict(list(done.items())[:4]), jobs=1).runs == 8
