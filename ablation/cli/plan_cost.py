"""What `ablation plan` prints of the cost: GPU memory and time of a run, and of the whole grid. Lays out estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from ablation.cli.console import console, say, table
from ablation.core.errors import attempt
from ablation.data.batches import steps
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.spec import RunSpec
from ablation.training.cost.estimate import Cost, Images, Memory, estimates_of, experience
from ablation.training.cost.rates import CPU, Machine, gpus, outdated, remembered

if TYPE_CHECKING:
    from ablation.data import Listing

MEASURE = "ablation doctor --measure"
NONE = "-"


def show_cost(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> None:
    """What the missing runs of a grid take; where that fails, why. torch is loaded for a network never counted.

    finished: records by the run's id.
    """
    attempt("what the runs take", lambda: _show_cost(cells, data, cache, finished), None, _caution)


def _show_cost(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> None:
    missing = {cell.spec.id: cell.spec for cell in cells if cell.spec.id not in finished}.values()
    if not missing:
        return
    images = _images_of(data)
    machine = attempt("how fast this machine is", lambda: remembered(cache), None, _caution)
    costs = estimates_of(cells, len(data.classes), images, cache, machine, finished)
    others: tuple[str, ...] = attempt("what else was measured here", lambda: outdated(cache), (), _caution)
    show_estimate(costs, machine, _workers(machine, len(missing)), others)
    short = {spec.ema for spec in missing if spec.ema and _steps(spec, images(spec)) < 3 / (1 - spec.ema)}
    for ema in sorted(short):
        console.print(
            f"[yellow]ema = {ema:g} remembers some {1 / (1 - ema):,.0f} steps, and a training has not three times as "
            "many: the average will be near where it began[/]"
        )


def _caution(text: str) -> None:
    console.print(f"[yellow]{escape(text)}[/]", highlight=False)


def _workers(machine: Machine | None, runs: int) -> int:
    """How many `ablation run` would start by itself: one for a GPU, or for a core, and no more than there are runs."""
    from ablation.training.sweep import cpu_count

    places = gpus() if machine is not None and machine.device != CPU else cpu_count()
    return max(1, min(places, runs))


def _images_of(data: Listing) -> Callable[[RunSpec], Images]:
    """The parts of each kind of split, drawn once."""
    drawn: dict[str, Images] = {}

    def images(spec: RunSpec) -> Images:
        kind = repr((spec.split, spec.train_size))
        if kind not in drawn:
            train, val, test = map(len, spec.parts(data))
            drawn[kind] = Images(train, val, test, cached=len(data.labels))
        return drawn[kind]

    return images


def _steps(spec: RunSpec, images: Images) -> int:
    return spec.epochs * steps(images.train, spec.batch_size)


def show_estimate(
    costs: Sequence[Cost], machine: Machine | None, workers: int = 1, other_software: Sequence[str] = ()
) -> None:
    """A line for each kind of run that is missing, and their total. machine: whose rates they are; None where unknown.

    workers: how many train at once, by which the total is divided. other_software: versions of torch that this machine
    was measured with, and that are not installed any more.
    """
    missing = [cost for cost in costs if cost.runs]
    factors = _telling(missing)
    right = ("runs", "MACs", "memory", *(("a run", "in all") if machine else ()))
    made = table("model", *(factor.replace("_", " ") for factor in factors), *right, right=right)
    scale, _ = experience(costs)
    for cost in missing:
        names = [cost.levels.get("model", cost.model), *(cost.levels[factor] for factor in factors)]
        told = [macs(cost.counts.macs) if cost.counts else NONE, *_told(cost, scale, machine is not None)]
        made.add_row(*map(escape, names), f"{cost.runs:,}", *told)
    console.print(made)
    for problem in dict.fromkeys(cost.problem for cost in missing if cost.problem):
        _caution(problem)
    for line in told_of(costs, machine, workers, other_software):
        say(line)


def _told(cost: Cost, scale: float, timed: bool) -> list[str]:
    """Memory of a run, time of a run and of all of its kind."""
    if cost.estimate is None:
        return [NONE] * (3 if timed else 1)
    memory = NONE if cost.estimate.memory is None else size(cost.estimate.memory.total)
    if cost.estimate.seconds is None:
        return [memory, *((NONE, NONE) if timed else ())]
    seconds = scale * cost.estimate.seconds
    return [memory, *((duration(seconds), duration(cost.runs * seconds)) if timed else ())]


def _telling(costs: Sequence[Cost]) -> list[str]:
    """The factors by which the rows differ. Recipes cost the same; the model has its column anyway."""
    factors = dict.fromkeys(factor for cost in costs for factor in cost.levels if factor not in ("recipe", "model"))
    return [factor for factor in factors if len({cost.levels.get(factor) for cost in costs}) > 1]


def told_of(
    costs: Sequence[Cost], machine: Machine | None, workers: int, other_software: Sequence[str] = ()
) -> list[str]:
    """The lines below the table: the largest run's memory in its parts, and the total time with its error."""
    told = [(cost.runs, cost.estimate) for cost in costs if cost.runs and cost.estimate]
    if not told:
        return []
    lines, memories = [], [estimate.memory for _, estimate in told if estimate.memory]
    if memories:
        largest = max(memories, key=lambda memory: memory.total)
        kind = machine.precision if machine else "bfloat16, as on a GPU"
        lines = [f"memory of the largest, in {kind}: {_parts(largest)}; workspaces and the driver's share come on top"]
    if machine is not None:
        timed = [(runs, estimate.seconds) for runs, estimate in told if estimate.seconds is not None]
        return [*lines, *([_time(costs, timed, machine, workers)] if timed else [])]
    others = f" (it was measured with torch {' and '.join(other_software)})" if other_software else ""
    return [*lines, f"for the time: `{MEASURE}`, once on this machine with torch {version('torch')}{others}"]


def _time(costs: Sequence[Cost], timed: Sequence[tuple[int, float]], machine: Machine, workers: int) -> str:
    """timed: how many runs, and what one of them takes."""
    scale, known = experience(costs)
    seconds = scale * sum(runs * one for runs, one in timed)
    with_workers = f", {duration(seconds / workers)} with {workers} workers" if workers > 1 else ""
    rates = machine.training
    trust = (
        f"{scale:.2g} times what the rates say, as {known} finished run{'s' * (known > 1)} took (median)"
        if known
        else f"by rates that told half of the measured steps within {rates.typical_error:.0%}, and the worst within"
        f" {rates.largest_error:.0%}; augmentation and reading images not counted"
    )
    runs = sum(runs for runs, _ in timed)
    left_out = sum(cost.runs for cost in costs) - runs
    without = f", {left_out:,} not counted" if left_out else ""
    time = f"{duration(seconds)} on one {machine.device}{with_workers}"
    return f"time of {runs:,} run{'s' * (runs > 1)}{without}: {time}; {trust}"


def _parts(memory: Memory) -> str:
    parts = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": memory.activations,
        "images": memory.images,
    }
    return ", ".join(f"{name} {size(number)}" for name, number in parts.items() if number)


def macs(number: float) -> str:
    """'4.09 G', '0.68 M': of one image, forward."""
    return f"{number / 1e9:,.2f} G" if number >= 1e8 else f"{number / 1e6:,.2f} M"


def size(number: float) -> str:
    """'4.9 kB', '97.5 MB', '3.2 GB': decimal units."""
    for unit, one, least in (("GB", 1e9, 1e9), ("MB", 1e6, 1e5)):
        if number >= least:
            return f"{number / one:,.1f} {unit}"
    return f"{number / 1e3:,.1f} kB"


def duration(seconds: float) -> str:
    """'0.4 s', '45 s', '12 min', '3.4 h', '2.1 days'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, length, limit in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172800)):
        if seconds < limit:
            return f"{seconds / length:.1f} {unit}" if unit == "h" else f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"
