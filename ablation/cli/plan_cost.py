"""What `ablation plan` prints of the cost: GPU memory and time of a run, and of the whole grid. Lays out estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from ablation.cli.console import say
from ablation.cli.sections import show_table
from ablation.core.errors import attempt
from ablation.core.text import byte_size, counted, duration
from ablation.data import Listing
from ablation.data.batches import steps
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.spec import RunSpec
from ablation.report.section import Column, Table
from ablation.training.cost.estimate import Cost, Images, calibration, estimates_of
from ablation.training.cost.rates import CPU, Machine, gpus, outdated, remembered
from ablation.training.crew import cpu_count

MEASURE = "ablation doctor --measure"
NONE = "-"


def show_cost(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> None:
    """Print what the missing runs of a grid take; where that fails, why. torch is loaded for a network never counted.

    finished: records by the run's id.
    """
    attempt("what the runs take", lambda: _show_cost(cells, data, cache, finished), None, _caution)


def _show_cost(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> None:
    missing = {cell.spec.id: cell.spec for cell in cells if cell.spec.id not in finished}.values()
    if not missing:
        return
    images = images_of(data)
    machine = attempt("how fast this machine is", lambda: remembered(cache), None, _caution)
    costs = estimates_of(cells, len(data.classes), images, cache, machine, finished)
    others: tuple[str, ...] = attempt("what else was measured here", lambda: outdated(cache), (), _caution)
    show_estimate(costs, machine, _workers(machine, len(missing)), others)
    averaged = [(spec.ema, spec.epochs * steps(images(spec).train, spec.batch_size)) for spec in missing if spec.ema]
    for ema in sorted({ema for ema, taken in averaged if taken < 3 / (1 - ema)}):
        _caution(
            f"ema = {ema:g} remembers some {1 / (1 - ema):,.0f} steps, and a training has not three times as "
            "many: the average will be near where it began"
        )


def _caution(text: str) -> None:
    say(text, "yellow")


def images_of(data: Listing) -> Callable[[RunSpec], Images]:
    """How many images the parts of a run have; each kind of split is drawn once."""
    drawn: dict[str, Images] = {}

    def images(spec: RunSpec) -> Images:
        kind = repr((spec.split, spec.train_size))
        if kind not in drawn:
            train, val, test = map(len, spec.parts(data))
            drawn[kind] = Images(train, val, test, cached=len(data.labels))
        return drawn[kind]

    return images


def _workers(machine: Machine | None, runs: int) -> int:
    """How many `ablation run` would start by itself: one for a GPU, or for a core, and no more than there are runs."""
    devices = gpus() if machine is not None and machine.device != CPU else cpu_count()
    return max(1, min(devices, runs))


def show_estimate(
    costs: Sequence[Cost], machine: Machine | None, workers: int = 1, other_software: Sequence[str] = ()
) -> None:
    """Print a line for each kind of run that is missing, and their total.

    machine: whose rates they are; None where unknown. workers: how many train at once, by which the total is divided.
    other_software: versions of torch that this machine was measured with, and that are not installed any more.
    """
    missing = [cost for cost in costs if cost.runs]
    factors = _differing(missing)
    columns = _columns(factors, calibration(costs)[0], timed=machine is not None)
    keep = (*factors, "runs", "in all" if machine else "memory")
    show_table(Table.of(columns, missing, words=frozenset(factors), keep=keep, spare=("MACs", "a run", "memory")))
    for problem in dict.fromkeys(cost.problem for cost in missing if cost.problem):
        _caution(problem)
    memories = [cost.memory for cost in missing if cost.memory]
    if memories:
        kind = machine.precision if machine else "bfloat16, as on a GPU"
        largest = asdict(max(memories, key=lambda memory: memory.total))
        parts = ", ".join(f"{name} {byte_size(number)}" for name, number in largest.items() if number)
        say(f"memory of the largest, in {kind}: {parts}; workspaces and the driver's share come on top")
    if machine is None and any(cost.counts for cost in missing):
        others = f" (it was measured with torch {' and '.join(other_software)})" if other_software else ""
        say(f"for the time: `{MEASURE}`, once on this machine with torch {version('torch')}{others}")
    elif machine is not None and any(cost.seconds is not None for cost in missing):
        say(_time(costs, machine, workers))


def _columns(factors: Sequence[str], scale: float, timed: bool) -> dict[str, Column]:
    """What one run takes, and all of its kind. scale: what runs really take, over their estimates."""

    def level(factor: str) -> Callable[[Cost], str]:
        return lambda cost: cost.levels[factor]

    def time(cost: Cost, runs: int) -> str:
        return NONE if cost.seconds is None else duration(runs * scale * cost.seconds)

    columns: dict[str, Column] = {
        "model": ("model", lambda cost: cost.levels.get("model", cost.model)),
        **{factor: (factor.replace("_", " "), level(factor)) for factor in factors},
        "runs": ("runs", lambda cost: f"{cost.runs:,}"),
        "MACs": ("MACs", lambda cost: macs(cost.counts.macs) if cost.counts else NONE),
        "memory": ("memory", lambda cost: byte_size(cost.memory.total) if cost.memory else NONE),
    }
    if timed:
        columns["a run"] = ("a run", lambda cost: time(cost, 1))
        columns["in all"] = ("in all", lambda cost: time(cost, cost.runs))
    return columns


def _differing(costs: Sequence[Cost]) -> list[str]:
    """The factors by which the rows differ. Recipes cost the same; the model has its column anyway."""
    factors = dict.fromkeys(factor for cost in costs for factor in cost.levels if factor not in ("recipe", "model"))
    return [factor for factor in factors if len({cost.levels.get(factor) for cost in costs}) > 1]


def _time(costs: Sequence[Cost], machine: Machine, workers: int) -> str:
    """The time of all runs for which it is known, and how far it can be trusted."""
    scale, known = calibration(costs)
    timed = [(cost.runs, cost.seconds) for cost in costs if cost.seconds is not None]
    seconds, runs = scale * sum(count * one for count, one in timed), sum(count for count, _ in timed)
    with_workers = f", {duration(seconds / workers)} with {workers} workers" if workers > 1 else ""
    rates = machine.training
    trust = (
        f"{scale:.2g} times what the rates say, as {counted(known, 'finished run')} took (median)"
        if known
        else f"by rates that are right within {rates.typical_error:.0%} for half of the measured steps, and within"
        f" {rates.largest_error:.0%} for the worst; augmentation and reading images not counted"
    )
    left_out = sum(cost.runs for cost in costs) - runs
    which = f"{counted(runs, 'run')}{f', {left_out:,} not counted' if left_out else ''}"
    return f"time of {which}: {duration(seconds)} on one {machine.device}{with_workers}; {trust}"


def macs(number: float, digits: int = 2) -> str:
    """'4.09 G', '0.68 M': of one image, forward."""
    return f"{number / 1e9:,.{digits}f} G" if number >= 1e8 else f"{number / 1e6:,.{digits}f} M"
