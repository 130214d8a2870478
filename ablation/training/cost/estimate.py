"""What runs will take, before any is trained: seconds and GPU memory, from a network's counts and the machine's rates.

Time is that of the network and the optimizer. Augmentation, reading images and writing checkpoints are not in it: what
they take is known from runs that have finished, see `calibration`. No estimate costs a plan: what cannot be estimated,
for whatever reason, is not known, and the reason is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ablation.core.errors import InputError, attempt
from ablation.core.values import label
from ablation.data.batches import bounds
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.spec import RunSpec
from ablation.training.cost.counts import Counts, ModelConfig, NetworkRefused, counted
from ablation.training.cost.rates import Load, Machine, Rates

NUMBER = 4
"""Bytes of a weight, a gradient and an optimizer's number: training holds them in float32."""


@dataclass(frozen=True)
class Images:
    """How many images a run trains on, validates on after each epoch, tests on, and has in its cache."""

    train: int
    val: int
    test: int
    cached: int


@dataclass(frozen=True)
class Memory:
    """Bytes that training holds on a device; workspaces of single operations and the driver's share come on top."""

    weights: int
    gradients: int
    optimizer: int
    """The optimizer's numbers, and an average of the weights where one is kept."""
    activations: int
    """What a batch keeps for the backward pass."""
    images: int
    """The image cache, which lies on a GPU whole if it fits into half its memory."""

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.images


@dataclass(frozen=True)
class Cost:
    """Runs of one grid that cost the same: the levels of each factor that they have, and what one of them takes."""

    model: str
    levels: Mapping[str, str]
    """Factor -> name; of a factor that changes no cost, all the names that are among them."""
    runs: int
    """Those that are still to be trained."""
    counts: Counts | None = None
    """None, as memory and seconds, where the network cannot be counted."""
    memory: Memory | None = None
    """None where it is not known."""
    seconds: float | None = None
    """None where it is not known, as without a machine's rates."""
    problem: str = ""
    """Why the network cannot be counted, or why a part of the estimate is not known."""
    at_most: bool = False
    """Whether some of the runs may stop before their last epoch, by `patience`."""
    measured: tuple[float, ...] = ()
    """Seconds of those that have finished on this machine, as if none had stopped before its last epoch."""
    alike: Mapping[str, float] = field(default_factory=dict)
    """Other finished runs of the same network on this machine, as of a variant: id -> time, in multiples of its
    estimate."""


def config_of(spec: RunSpec, classes: int) -> ModelConfig:
    """The network that a run requests."""
    same = {each.name: getattr(spec, each.name) for each in fields(ModelConfig) if each.name != "classes"}
    return ModelConfig(classes=classes, **same)


def run_memory(spec: RunSpec, counts: Counts, images: Images, machine: Machine | None) -> Memory:
    """What one run holds on that machine, or without one on a GPU. Raises InputError for an unknown optimizer."""
    precision = machine.precision if machine else "bfloat16"
    batch = min(spec.batch_size, images.train)
    memory = memory_of(spec.optimizer, batch, counts, precision, averaged=spec.ema is not None)
    if precision == "bfloat16":
        memory = replace(memory, images=3 * spec.cache_size**2 * images.cached)
    return memory


def run_seconds(spec: RunSpec, counts: Counts, images: Images, machine: Machine) -> float:
    """What one run takes on that machine: all its steps of training and of evaluation."""

    def once(rates: Rates, load: Callable[[Counts, int, str], Load], samples: int) -> float:
        sizes = Counter(stop - start for start, stop in bounds(samples, spec.batch_size))
        return sum(number * rates.seconds(load(counts, size, machine.precision)) for size, number in sizes.items())

    epoch = once(machine.training, training_load, images.train) * passes(spec.optimizer)
    epoch += once(machine.evaluation, evaluation_load, images.val)
    return spec.epochs * epoch + once(machine.evaluation, evaluation_load, images.test)


def memory_of(optimizer: Any, batch_size: int, counts: Counts, precision: str, averaged: bool = False) -> Memory:
    """What training holds for a batch, without the image cache."""
    extra = counts.parameters if averaged else 0
    copies = counts.copies_bfloat16 if precision == "bfloat16" else 0
    return Memory(
        weights=NUMBER * (counts.parameters + counts.buffers),
        gradients=NUMBER * counts.trainable,
        optimizer=NUMBER * (state_numbers(optimizer, counts) + extra),
        activations=batch_size * counts.kept(precision) + copies,
        images=0,
    )


def training_load(counts: Counts, batch_size: int, precision: str) -> Load:
    """One step forward, backward, and of the optimizer."""
    kept = batch_size * counts.kept(precision)
    return Load(counts.calls, batch_size * counts.training_macs, kept, counts.trainable)


def evaluation_load(counts: Counts, batch_size: int, precision: str) -> Load:
    """One step forward: predictions of the validation and test parts."""
    kept = batch_size * counts.kept(precision)
    return Load(counts.calls, batch_size * counts.macs, kept, counts.parameters)


def passes(optimizer: Any) -> int:
    """Forward and backward passes in one step: sharpness-aware minimisation (SAM) needs two."""
    inner = getattr(optimizer, "optimizer", None)
    return (2 if type(optimizer).__name__ == "SAM" else 1) * (passes(inner) if inner is not None else 1)


def state_numbers(optimizer: Any, counts: Counts) -> int:
    """How many numbers an optimizer keeps between steps, beside the weights and their gradients.

    Raises InputError for one of which that is not known.
    """
    name, weights = type(optimizer).__name__, counts.trainable
    inner = getattr(optimizer, "optimizer", None)
    if inner is not None:  # SAM and Lookahead keep a copy of the weights beside what is inside them
        return weights + state_numbers(inner, counts)
    if name == "Adafactor":
        return counts.factored
    if name == "Muon":  # momentum for matrices, AdamW's two moments for the rest
        return counts.matrices + 2 * (weights - counts.matrices)
    if name not in PER_WEIGHT:
        raise InputError(f"nothing says what the optimizer {name} keeps for each weight")
    return weights * PER_WEIGHT[name](optimizer)


PER_WEIGHT: dict[str, Callable[[Any], int]] = {
    "SGD": lambda optimizer: int(optimizer.momentum > 0),
    "Adam": lambda optimizer: 2 + optimizer.amsgrad,
    "AdamW": lambda optimizer: 2 + optimizer.amsgrad,
    "NAdam": lambda optimizer: 2,
    "RAdam": lambda optimizer: 2,
    "Adamax": lambda optimizer: 2,
    "Adagrad": lambda optimizer: 1,
    "Adadelta": lambda optimizer: 2,
    "RMSprop": lambda optimizer: 1 + (optimizer.momentum > 0) + optimizer.centered,
    "Rprop": lambda optimizer: 2,
    "ASGD": lambda optimizer: 1,
}
"""Tensors of a weight's own shape that torch's optimizer of that name keeps for it."""


class Ended(NamedTuple):
    """A run that has finished, with what it was."""

    spec: RunSpec
    record: RunRecord


def estimates_of(
    cells: Sequence[Cell],
    classes: int,
    images_of: Callable[[RunSpec], Images],
    cache: Path,
    machine: Machine | None = None,
    finished: Mapping[str, RunRecord] | None = None,
    others: Sequence[Ended] = (),
) -> tuple[Cost, ...]:
    """What a grid costs, one entry for all runs that cost the same, in their order.

    machine: whose rates count. finished: records by the run's id, of those that need no training any more. others:
    runs that have finished and are not among these cells, see `Cost.alike`. The networks' counts are those remembered
    in `cache`; torch is imported only for a network that was never counted.
    Raises NetworkRefused with all that cannot be trained: that is a mistake, and no estimate that is not known.
    """
    kinds: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        spec = cell.spec
        size = (spec.batch_size, spec.epochs, spec.cache_size)
        optimizer = (label(spec.optimizer), spec.ema is None)
        kinds.setdefault((config_of(spec, classes), images_of(spec), size, optimizer), []).append(cell)
    counts = {config: _counted(config, cache) for config in dict.fromkeys(config for config, *_ in kinds)}
    refused = [problem for one in counts.values() if isinstance(one, NetworkRefused) for problem in one.problems]
    if refused:
        raise NetworkRefused(dict.fromkeys(refused))
    known = {config: one for config, one in counts.items() if not isinstance(one, NetworkRefused)}
    costs = tuple(
        _cost(alike, images, known[config], machine, finished or {}) for (config, images, *_), alike in kinds.items()
    )
    if machine is None or not others:
        return costs
    ours = {config: one for config, one in known.items() if isinstance(one, Counts)}
    times = {config: _times(config, one, classes, images_of, machine, others) for config, one in ours.items()}
    return tuple(replace(cost, alike=times.get(config, {})) for cost, (config, *_) in zip(costs, kinds, strict=True))


def _times(
    config: ModelConfig,
    counts: Counts,
    classes: int,
    images_of: Callable[[RunSpec], Images],
    machine: Machine,
    others: Sequence[Ended],
) -> dict[str, float]:
    """What those of the other runs took that train this network: see `Cost.alike`."""
    times = {}
    for spec, record in others:
        seconds = _seconds_of(spec, record, machine) if config_of(spec, classes) == config else None
        if seconds:
            times[spec.id] = seconds / run_seconds(spec, counts, images_of(spec), machine)
    return times


def _counted(config: ModelConfig, cache: Path) -> Counts | str | NetworkRefused:
    """What the network costs, or why that is not known, or why it cannot be trained."""

    def count() -> Counts | NetworkRefused:
        try:
            return counted(config, cache)
        except NetworkRefused as error:
            return error

    problems: list[str] = []
    counts = attempt(f"what {config.model} takes", count, None, problems.append)
    return problems[0] if counts is None else counts


def _cost(
    cells: Sequence[Cell],
    images: Images,
    counts: Counts | str,
    machine: Machine | None,
    finished: Mapping[str, RunRecord],
) -> Cost:
    """What runs that cost the same take, from the first of them."""
    spec, ids = cells[0].spec, {cell.spec.id for cell in cells}
    names = {factor: ", ".join(dict.fromkeys(cell.factors[factor] for cell in cells)) for factor in cells[0].factors}
    missing = {cell.spec.id: cell.spec for cell in cells if cell.spec.id not in finished}
    cost = Cost(spec.model, names, len(missing), at_most=any(one.may_stop_early for one in missing.values()))
    if isinstance(counts, str):
        return replace(cost, problem=counts)
    what, problems = f"{spec.model} with {type(spec.optimizer).__name__}", list[str]()
    memory = attempt(f"memory of {what}", lambda: run_memory(spec, counts, images, machine), None, problems.append)
    if machine is None:
        return replace(cost, counts=counts, memory=memory, problem="; ".join(problems))
    seconds = attempt(f"time of {what}", lambda: run_seconds(spec, counts, images, machine), None, problems.append)
    took = tuple(filter(None, (_seconds_of(spec, finished[run], machine) for run in sorted(ids & finished.keys()))))
    return replace(cost, counts=counts, memory=memory, seconds=seconds, problem="; ".join(problems), measured=took)


def _seconds_of(spec: RunSpec, record: RunRecord, machine: Machine) -> float | None:
    """What a run of that spec took on this machine, had it stopped at no epoch before its last.

    None for one that was trained elsewhere, or not to its end.
    """
    there = record.environment.get("host"), record.environment.get("device")
    seconds = record.cost.get("seconds")
    if record.outcome != "finished" or there != (machine.host, machine.device) or not seconds:
        return None
    return float(seconds) * spec.epochs / (len(record.history) or spec.epochs)


class Calibration(NamedTuple):
    """What runs that have finished took, in multiples of their estimates (the median), and how many these are."""

    scale: float = 1.0
    known: int = 0
    alike: bool = False
    """Are these runs of the same network, and none of the grid's own?"""


def calibration(costs: Sequence[Cost]) -> Calibration:
    """By the grid's own finished runs; without any by those that are alike."""
    own = [seconds / cost.seconds for cost in costs if cost.seconds for seconds in cost.measured]
    others = {run: ratio for cost in costs for run, ratio in cost.alike.items()}
    ratios = own or list(others.values())
    return Calibration(median(ratios), len(ratios), not own) if ratios else Calibration()
