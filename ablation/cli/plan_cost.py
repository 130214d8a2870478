"""What `ablation plan` prints of the cost: GPU memory and time of a run, and of the whole grid. Lays out estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from ablation.cli.console import console, say
from ablation.cli.progress import counting
from ablation.cli.sections import show_table
from ablation.core.errors import InputError, attempt
from ablation.core.text import byte_size, counted, duration
from ablation.data import Listing
from ablation.data.batches import steps
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.report.section import Column, Table
from ablation.training.cost.counts import NetworkRefused
from ablation.training.cost.estimate import Cost, calibration, estimates_of
from ablation.training.cost.grid import GridTime, images_of, machine_of, time_of, workers_for
from ablation.training.cost.rates import Machine, outdated, remembered

__all__ = ["Estimate", "estimate", "images_of", "macs", "show_cost", "show_estimate", "workers"]

MEASURE = "ablation doctor --measure"
NONE = "-"

workers = workers_for


@dataclass(frozen=True)
class Estimate:
    """What the missing runs of a grid take: of each kind, by whose rates, and in all; None where it is not known.

    others: versions of torch that this machine was measured with, and that are not installed any more. cautions: what
    could not be estimated, and why.
    """

    costs: tuple[Cost, ...] = ()
    machine: Machine | None = None
    time: GridTime | None = None
    others: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def estimate(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> Estimate:
    """What the missing runs take. torch is loaded for a network never counted, and a machine never measured.

    finished: records by the run's id. Raises InputError where a network cannot be built, or does not take its images.
    """
    missing = [cell for cell in cells if cell.spec.id not in finished]
    if not missing:
        return Estimate()
    cautions, images = list[str](), images_of(data)

    def costs_by(machine: Machine | None) -> tuple[Cost, ...]:
        try:
            costs = estimates_of(cells, len(data.classes), images, cache, machine, finished)
        except NetworkRefused as error:
            refused.append(error)
            return ()
        return costs

    refused: list[InputError] = []
    machine = attempt("how fast this machine is", lambda: remembered(cache), None, cautions.append)
    costs: tuple[Cost, ...] = attempt("what the runs take", lambda: costs_by(machine), (), cautions.append)
    if refused:
        raise refused[0]
    if machine is None and any(cost.counts for cost in costs):
        machine = attempt("how fast this machine is", lambda: _guess(cache), None, cautions.append)
        costs = attempt("what the runs take", lambda: costs_by(machine), costs, cautions.append)
    time = attempt("time", lambda: time_of(costs, machine) if machine else None, None, cautions.append)
    others: tuple[str, ...] = attempt("what else was measured here", lambda: outdated(cache), (), cautions.append)
    attempt("the average of weights", lambda: cautions.extend(_of_averages(missing, data)), None, cautions.append)
    return Estimate(costs, machine, time, others, tuple(dict.fromkeys(cautions)))


def _guess(cache: Path) -> Machine:
    with counting("measuring this machine", console) as progress:
        return machine_of(cache, progress)


def _of_averages(cells: Sequence[Cell], data: Listing) -> list[str]:
    """Of runs that average their weights over more steps than they have."""
    images, specs = images_of(data), {cell.spec.id: cell.spec for cell in cells}.values()
    averaged = [(spec.ema, spec.epochs * steps(images(spec).train, spec.batch_size)) for spec in specs if spec.ema]
    return [
        f"ema = {ema:g} remembers some {1 / (1 - ema):,.0f} steps, and a training has not three times as "
        "many: the average will be near where it began"
        for ema in sorted({ema for ema, taken in averaged if taken < 3 / (1 - ema)})
    ]


def show_cost(cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord]) -> None:
    """Print what the missing runs of a grid take; where that is not known, why. Arguments and errors as `estimate`."""
    show_estimate(estimate(cells, data, cache, finished))


def show_estimate(estimated: Estimate) -> None:
    """Print a line for each kind of run that is missing, and their total; where that fails, why."""
    for what, show in (("what the runs take", _show_kinds), ("memory", _show_memory), ("time", _show_time)):
        attempt(what, partial(show, estimated), None, _caution)
    for caution in estimated.cautions:
        _caution(caution)


def _caution(text: str) -> None:
    say(text, "yellow")


def _show_kinds(estimated: Estimate) -> None:
    costs, machine = estimated.costs, estimated.machine
    missing = [cost for cost in costs if cost.runs]
    factors = _differing(missing)
    columns = _columns(factors, calibration(costs)[0], timed=machine is not None)
    keep = (*factors, "runs", "in all" if machine else "memory")
    if missing:
        show_table(Table.of(columns, missing, words=frozenset(factors), keep=keep, spare=("MACs", "a run", "memory")))
    for problem in dict.fromkeys(cost.problem for cost in missing if cost.problem):
        _caution(problem)


def _show_memory(estimated: Estimate) -> None:
    """What the largest run holds, and of what."""
    costs, machine = estimated.costs, estimated.machine
    memories = [cost.memory for cost in costs if cost.runs and cost.memory]
    if memories:
        kind = machine.precision if machine else "bfloat16, as on a GPU"
        largest = asdict(max(memories, key=lambda memory: memory.total))
        parts = ", ".join(f"{name} {byte_size(number)}" for name, number in largest.items() if number)
        say(f"memory of the largest, in {kind}: {parts}; workspaces and the driver's share come on top")


def _show_time(estimated: Estimate) -> None:
    """What all runs take, how far that can be trusted, and how it is known better."""
    costs, machine = estimated.costs, estimated.machine
    if machine is not None and estimated.time is not None:
        say(_trust(estimated.time, costs, machine))
    if any(cost.runs and cost.counts for cost in costs) and (machine is None or machine.guessed):
        better = "time" if machine is None else "time more exactly"
        others = f" (it was measured with torch {' and '.join(estimated.others)})" if estimated.others else ""
        say(f"for the {better}: `{MEASURE}`, once on this machine with torch {version('torch')}{others}")


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


def _trust(time: GridTime, costs: Sequence[Cost], machine: Machine) -> str:
    """The time of all runs for which it is known, and how far it can be trusted."""
    scale, known = calibration(costs)
    rates = machine.training
    if known:
        trust = f"{scale:.2g} times what the rates say, as {counted(known, 'finished run')} took (median)"
    elif machine.guessed:
        trust = "a first guess from four small steps, right within a factor of about 2"
    else:
        trust = (
            f"by rates that are right within {rates.typical_error:.0%} for half of the measured steps, and within"
            f" {rates.largest_error:.0%} for the worst; augmentation and reading images not counted"
        )
    left_out = f", {time.left_out:,} not counted" if time.left_out else ""
    several = f" with {time.workers} workers" if time.workers > 1 else ""
    where = "this CPU" if machine.device == "cpu" else machine.device
    most = "at most " if time.at_most else ""
    return f"time of {counted(time.runs, 'run')}{left_out}: {most}{duration(time.seconds)} on {where}{several}; {trust}"


def macs(number: float, digits: int = 2) -> str:
    """'4.09 G', '0.68 M': of one image, forward."""
    return f"{number / 1e9:,.{digits}f} G" if number >= 1e8 else f"{number / 1e6:,.{digits}f} M"
