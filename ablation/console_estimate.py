"""What `ablation plan` prints of the cost: GPU memory and time of a run, and of the whole grid. Lays out estimates."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from ablation.console import console, table
from ablation.errors import InputError
from ablation.estimate import Cost, Images, Memory, estimates_of
from ablation.experiment import Cell
from ablation.rates import Machine, remembered
from ablation.spec import RunSpec

if TYPE_CHECKING:
    from ablation.data import Listing

MEASURE = "ablation doctor --measure"


def show_cost(cells: Sequence[Cell], data: Listing, cache: Path) -> None:
    """What the runs of a grid take; where a network cannot be counted, why. torch is loaded for one never counted."""
    specs = {cell.spec.id: cell.spec for cell in cells}.values()
    if not specs:
        return
    images = _images_of(data)
    try:
        costs = estimates_of(specs, len(data.classes), images, cache)
    except InputError as error:
        for problem in error.problems:
            console.print(f"[yellow]what it costs cannot be told: {escape(problem.message)}[/]")
        return
    machine = remembered(cache)
    show_estimate(costs, machine, os.cpu_count() or 1 if machine and machine.device == "cpu" else 1)
    short = {spec.ema for spec in specs if spec.ema and _steps(spec, images(spec)) < 3 / (1 - spec.ema)}
    for ema in sorted(short):
        console.print(
            f"[yellow]ema = {ema:g} remembers some {1 / (1 - ema):,.0f} steps, and a training has not three times as "
            "many: the average will be near where it began[/]"
        )


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
    return spec.epochs * -(-images.train // spec.batch_size)


def show_estimate(costs: Sequence[Cost], machine: Machine | None, workers: int = 1) -> None:
    """A line for each kind of run, and the grid's total. machine: whose rates they are; None where none are stored.

    workers: how many train at once, by which the total is divided.
    """
    varied = [name for name in _DIFFERS if len({getattr(cost, name) for cost in costs}) > 1 or name == "model"]
    right = ("runs", "MACs", "memory", *(("a run", "in all") if machine else ()))
    made = table(*(_DIFFERS[name] for name in varied), *right, right=right)
    for cost in costs:
        levels = [escape(str(getattr(cost, name))) for name in varied]
        time = cost.estimate.seconds
        told = [duration(time), duration(cost.runs * time)] if time is not None else []
        memory = size(cost.estimate.memory.total)
        made.add_row(*levels, f"{cost.runs:,}", macs(cost.counts.macs), memory, *told)
    console.print(made)
    for line in told_of(costs, machine, workers):
        console.print(line, markup=False)


_DIFFERS = {
    "model": "model",
    "image_size": "size",
    "batch_size": "batch",
    "epochs": "epochs",
    "optimizer": "optimizer",
}
"""What tells kinds of runs apart, and the words for it."""


def told_of(costs: Sequence[Cost], machine: Machine | None, workers: int) -> list[str]:
    """The lines below the table: the largest run's memory in its parts, and the total time with its error."""
    largest = max((cost.estimate.memory for cost in costs), key=lambda memory: memory.total)
    lines = [f"memory of the largest: {_parts(largest)}; workspaces and the driver's share come on top"]
    if machine is None:
        return [*lines, f"for the time: `{MEASURE}`, once on this machine"]
    seconds = sum(cost.runs * (cost.estimate.seconds or 0.0) for cost in costs)
    error = machine.training.typical_error
    with_workers = f", {duration(seconds / workers)} with {workers} workers" if workers > 1 else ""
    return [
        *lines,
        f"time of the grid: {duration(seconds)} on one {machine.device} (give or take {error:.0%}){with_workers};"
        " augmentation and reading images not counted",
    ]


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
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if number >= one / 10:
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
