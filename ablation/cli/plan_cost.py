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
from ablation.training.cost.estimate import Cost, Ended, calibration, estimates_of
from ablation.training.cost.grid import RUN_SECONDS, GridTime, images_of, machine_of, others_of, time_of, workers_for
from ablation.training.cost.rates import Machine, outdated, remembered

__all__ = ["Estimate", "estimate", "images_of", "macs", "show_cautions", "show_cost", "show_estimate", "workers"]

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


def estimate(
    cells: Sequence[Cell], data: Listing, cache: Path, finished: Mapping[str, RunRecord], root: Path | None = None
) -> Estimate:
    """What the missing runs take. torch is loaded for a network never counted, and a machine never measured.

    finished: records by the run's id. root: where other runs of the experiment lie (`others_of`). Raises InputError
    where a network cannot be built, or does not take its images.
    """
    missing = [cell for cell in cells if cell.spec.id not in finished]
    if not missing:
        return Estimate()
    cautions, images = list[str](), images_of(data)
    nothing: list[Ended] = []
    beside = attempt("what other runs took", lambda: others_of(cells, root, finished), nothing, cautions.append)

    def costs_by(machine: Machine | None) -> tuple[Cost, ...]:
        try:
            costs = estimates_of(cells, len(data.classes), images, cache, machine, finished, beside)
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
    show_cautions(estimated)


def show_cautions(estimated: Estimate) -> None:
    """Print what could not be estimated, and why; and how the time is known better, where it is a guess."""
    problems = (cost.problem for cost in estimated.costs if cost.runs and cost.problem)
    for caution in dict.fromkeys((*problems, *estimated.cautions)):
        _caution(caution)
    attempt("time", lambda: say(_better(estimated)), None, _caution)


def _caution(text: str) -> None:
    say(text, "yellow")


def _show_kinds(estimated: Estimate) -> None:
    costs, machine = estimated.costs, estimated.machine
    missing = [cost for cost in costs if cost.runs]
    factors = _differing(missing)
    at_once = estimated.time.workers if estimated.time else 1
    columns = _columns(factors, calibration(costs).scale, at_once, timed=machine is not None)
    keep = (*factors, "runs", "in all" if machine else "memory")
    caption = f"a run: of one worker; in all: with {at_once} workers" if machine and at_once > 1 else ""
    if missing:
        spare = ("MACs", "a run", "memory")
        show_table(Table.of(columns, missing, caption, words=frozenset(factors), keep=keep, spare=spare))


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
    """What all runs take, and how far that can be trusted."""
    costs, machine = estimated.costs, estimated.machine
    if machine is not None and estimated.time is not None:
        say(_trust(estimated.time, costs, machine))


def _better(estimated: Estimate) -> str:
    """How the time is known, or known better; '' where that is not to be said."""
    machine = estimated.machine
    measured = machine is not None and (not machine.guessed or calibration(estimated.costs).known)
    if measured or not any(cost.runs and cost.counts for cost in estimated.costs):
        return ""
    better = "time" if machine is None else "time more exactly"
    others = f" (it was measured with torch {' and '.join(estimated.others)})" if estimated.others else ""
    return f"for the {better}: `{MEASURE}`, once on this machine with torch {version('torch')}{others}"


def _columns(factors: Sequence[str], scale: float, at_once: int, timed: bool) -> dict[str, Column]:
    """What one run takes, and all of its kind with so many workers at once; as `time_of` adds it up.

    scale: what runs really take, over their estimates.
    """

    def level(factor: str) -> Callable[[Cost], str]:
        return lambda cost: cost.levels[factor]

    def time(cost: Cost, runs: float) -> str:
        return NONE if cost.seconds is None else duration(runs * (scale * cost.seconds + RUN_SECONDS))

    columns: dict[str, Column] = {
        "model": ("model", lambda cost: cost.levels.get("model", cost.model)),
        **{factor: (factor.replace("_", " "), level(factor)) for factor in factors},
        "runs": ("runs", lambda cost: f"{cost.runs:,}"),
        "MACs": ("MACs", lambda cost: macs(cost.counts.macs) if cost.counts else NONE),
        "memory": ("memory", lambda cost: byte_size(cost.memory.total) if cost.memory else NONE),
    }
    if timed:
        columns["a run"] = ("a run", lambda cost: time(cost, 1))
        columns["in all"] = ("in all", lambda cost: time(cost, cost.runs / at_once))
    return columns


def _differing(costs: Sequence[Cost]) -> list[str]:
    """The factors by which the rows differ. Recipes cost the same; the model has its column anyway."""
    factors = dict.fromkeys(factor for cost in costs for factor in cost.levels if factor not in ("recipe", "model"))
    return [factor for factor in factors if len({cost.levels.get(factor) for cost in costs}) > 1]


def _trust(time: GridTime, costs: Sequence[Cost], machine: Machine) -> str:
    """The time of all runs for which it is known, and how far it can be trusted."""
    measured, rates = calibration(costs), machine.training
    if measured.known:
        trust = f"{measured.scale:.2g} times what the rates say, {time.basis} (median)"
    elif machine.guessed:
        trust = "a first guess from four small steps, right within a factor of about 2 where nothing else runs"
    else:
        trust = (
            f"by rates that are right within {rates.typical_error:.0%} for half of the measured steps, and within"
            f" {rates.largest_error:.0%} for the worst, where nothing else runs; augmentation and reading images not "
            "counted"
        )
    left_out = f", {time.left_out:,} not counted" if time.left_out else ""
    several = f" with {time.workers} workers" if time.workers > 1 else ""
    where = "this CPU" if machine.device == "cpu" else machine.device
    most = "at most " if time.at_most else ""
    return f"time of {counted(time.runs, 'run')}{left_out}: {most}{duration(time.seconds)} on {where}{several}; {trust}"


def macs(number: float, digits: int = 2) -> str:
    """'4.09 G', '0.68 M': of one image, forward."""
    return f"{number / 1e9:,.{digits}f} G" if number >= 1e8 else f"{number / 1e6:,.{digits}f} M"
