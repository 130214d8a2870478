"""What runs will take, before any is trained: seconds and GPU memory, from a network's counts and the machine's rates.

Time is that of the network and the optimizer. Augmentation, reading images and writing checkpoints are not in it: what
they take is known from runs that have finished, see `experience`. No estimate costs a plan: what cannot be estimated,
for whatever reason, is not known, and the reason is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from ablation.core.errors import InputError, attempt
from ablation.core.values import label
from ablation.data.batches import steps
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.spec import RunSpec
from ablation.training.cost.counts import Asked, Counts, counted
from ablation.training.cost.rates import Load, Machine

NUMBER = 4
"""Bytes of a weight, a gradient and an optimizer's number: training holds them in float32."""


@dataclass(frozen=True)
class Images:
    """How many images a run trains on, looks at after each epoch, tests on, and finds in its cache."""

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
class Estimate:
    """One run. Either is None where it is not known; seconds also where the machine's rates are not."""

    memory: Memory | None
    seconds: float | None


@dataclass(frozen=True)
class Cost:
    """Runs of one grid that cost the same: the levels of each factor that they have, and what one of them takes."""

    model: str
    levels: Mapping[str, str]
    """Factor -> name; of a factor that changes no cost, all the names that are among them."""
    runs: int
    """Those that are still to be trained."""
    counts: Counts | None
    estimate: Estimate | None
    """None, as counts, where the network cannot be counted."""
    problem: str = ""
    """Why it cannot, or why a part of the estimate is not known."""
    took: tuple[float, ...] = ()
    """Seconds of those that have finished on this machine."""


def asked_of(spec: RunSpec, classes: int) -> Asked:
    """The network that a run asks for."""
    return Asked(
        *(spec.model, classes, spec.image_size),
        stem=spec.stem,
        stochastic_depth=spec.stochastic_depth,
        freeze=spec.freeze,
        frozen_batch_norm=spec.frozen_batch_norm,
    )


def estimate(spec: RunSpec, counts: Counts, images: Images, machine: Machine | None) -> Estimate:
    """What one run takes on that machine; without one, its memory as on a GPU. Raises where a part is not known."""
    return Estimate(_memory(spec, counts, images, machine), _time(spec, counts, images, machine))


def _memory(spec: RunSpec, counts: Counts, images: Images, machine: Machine | None) -> Memory:
    precision = machine.precision if machine else "bfloat16"
    memory = memory_of(spec.optimizer, spec.batch_size, counts, precision, averaged=spec.ema is not None)
    if precision == "bfloat16":
        memory = replace(memory, images=3 * spec.cache_size**2 * images.cached)
    return memory


def _time(spec: RunSpec, counts: Counts, images: Images, machine: Machine | None) -> float | None:
    if machine is None:
        return None
    precision = machine.precision
    step = machine.training.seconds(training_load(counts, spec.batch_size, precision))
    look = machine.looking.seconds(looking_load(counts, spec.batch_size, precision))
    trained, glances, tests = (steps(part, spec.batch_size) for part in (images.train, images.val, images.test))
    return spec.epochs * (trained * step * passes(spec.optimizer) + glances * look) + tests * look


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


def looking_load(counts: Counts, batch_size: int, precision: str) -> Load:
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


@dataclass
class _Kind:
    """Runs that cost the same, as they are gathered."""

    spec: RunSpec
    asked: Asked
    images: Images
    levels: dict[str, dict[str, None]] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)


def estimates_of(
    cells: Sequence[Cell],
    classes: int,
    images_of: Callable[[RunSpec], Images],
    cache: Path,
    machine: Machine | None = None,
    finished: Mapping[str, RunRecord] | None = None,
) -> tuple[Cost, ...]:
    """What a grid costs, one entry for all runs that cost the same, in their order.

    machine: whose rates count. finished: records by the run's id, of those that need no training any more. The
    networks' counts are those remembered in `cache`; torch is imported only for a network that was never counted.
    """
    kinds: dict[tuple[Any, ...], _Kind] = {}
    for cell in cells:
        spec = cell.spec
        asked, images = asked_of(spec, classes), images_of(spec)
        size = (spec.batch_size, spec.epochs, spec.cache_size)
        kind = kinds.setdefault(
            (asked, images, size, label(spec.optimizer), spec.ema is None), _Kind(spec, asked, images)
        )
        kind.runs.add(spec.id)
        for factor, level in cell.factors.items():
            kind.levels.setdefault(factor, {})[level] = None
    counts = {asked: _counted(asked, cache) for asked in dict.fromkeys(kind.asked for kind in kinds.values())}
    return tuple(_cost(kind, counts[kind.asked], machine, finished or {}) for kind in kinds.values())


def _counted(asked: Asked, cache: Path) -> Counts | str:
    """What the network costs, or why that is not known."""
    problems: list[str] = []
    found = attempt(f"what {asked.model} takes", lambda: counted(asked, cache), None, problems.append)
    return problems[0] if found is None else found


def _cost(kind: _Kind, counts: Counts | str, machine: Machine | None, finished: Mapping[str, RunRecord]) -> Cost:
    levels = {factor: ", ".join(names) for factor, names in kind.levels.items()}
    runs = len(kind.runs - finished.keys())
    if isinstance(counts, str):
        return Cost(kind.spec.model, levels, runs, None, None, counts)
    given, problems = (kind.spec, counts, kind.images, machine), list[str]()
    what = f"{kind.spec.model} with {type(kind.spec.optimizer).__name__}"
    memory = attempt(f"memory of {what}", lambda: _memory(*given), None, problems.append)
    seconds = attempt(f"time of {what}", lambda: _time(*given), None, problems.append)
    took = [_seconds_of(finished[run], machine) for run in sorted(kind.runs & finished.keys()) if machine]
    told = Estimate(memory, seconds)
    return Cost(kind.spec.model, levels, runs, counts, told, "; ".join(problems), tuple(filter(None, took)))


def _seconds_of(record: RunRecord, machine: Machine) -> float | None:
    """What the run took on this machine; None for one that was trained elsewhere, or not to its end."""
    there = record.environment.get("host"), record.environment.get("device")
    if record.outcome != "finished" or there != (machine.host, machine.device):
        return None
    return record.cost.get("seconds")


def experience(costs: Sequence[Cost]) -> tuple[float, int]:
    """What runs that have finished took, in multiples of their estimates (the median), and how many these are."""
    ratios = [
        seconds / cost.estimate.seconds
        for cost in costs
        if cost.estimate and cost.estimate.seconds
        for seconds in cost.took
    ]
    return (median(ratios), len(ratios)) if ratios else (1.0, 0)
