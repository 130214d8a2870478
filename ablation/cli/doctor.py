"""`ablation doctor`: what this machine has, what to do where something is wrong, and how fast it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from ablation.cli.console import PlainTable, console, say, say_line
from ablation.cli.context import FOLDER
from ablation.cli.progress import counting
from ablation.cli.sections import show_table
from ablation.report.section import Column, Table
from ablation.training.cost.benchmark import measure
from ablation.training.cost.doctor import Fact, examine
from ablation.training.cost.rates import Machine, remember
from ablation.training.crew import choose_devices


@click.command()
@click.option("--measure", "measured", is_flag=True, help="Train a few steps to learn how fast it is: about a minute.")
@click.option("--device", default="auto", show_default=True, help="What to measure: auto, cpu, cuda or cuda:N.")
@click.option("--runs", type=FOLDER, default="runs", show_default=True, help="Folder of the runs.")
@click.option("--cache", type=FOLDER, default="cache", show_default=True, help="Where the rates are kept.")
def doctor(measured: bool, device: str, runs: Path, cache: Path) -> None:
    """Look at this machine: software, devices, memory, disk; with --measure, how fast it trains.

    \b
    Example:
      ablation doctor
      ablation doctor --measure --device cuda:0
    """
    show_facts(examine(runs))
    if measured:
        with counting("measuring", console) as progress:
            machine = measure(choose_devices(device, 1, 1)[0], progress=progress)
        show_machine(machine, remember(machine, cache))


def show_facts(facts: Sequence[Fact]) -> None:
    """Print a line each; trouble is marked, with what to do."""
    grid = PlainTable.grid(padding=(0, 2))
    for fact in facts:
        mark = Text("!", "yellow") if fact.advice else Text("ok", "green")
        grid.add_row(mark, Text(fact.name, "bold"), fact.value, Text(fact.advice, "yellow"))
    console.print(grid)


def show_machine(machine: Machine, path: Path) -> None:
    """Print the measured steps beside what the fitted rates say, and how well they say it. path: of the rates."""
    console.print()
    say(f"{machine.device}, {machine.precision}, torch {machine.torch}, threads: {machine.threads}")
    columns: dict[str, Column] = {
        "network": ("network", lambda point: point.network),
        "size": ("size", lambda point: f"{point.image_size} px"),
        "batch": ("batch", lambda point: str(point.batch_size)),
        "training step": ("training step", lambda point: _milliseconds(point.training_seconds)),
        "images/s": ("images/s", lambda point: f"{point.batch_size / point.training_seconds:,.0f}"),
        "fitted": ("fitted", lambda point: _milliseconds(machine.training.seconds(point.training))),
        "evaluation": ("evaluation", lambda point: _milliseconds(point.evaluation_seconds)),
    }
    show_table(Table.of(columns, machine.points, keep=("size", "batch", "training step")))
    rates = machine.training
    say(
        f"for a network that was not measured: typically within {rates.typical_error:.0%}, "
        f"at worst {rates.largest_error:.0%} (each network by rates fitted to the others)"
    )
    if any(point.memory for point in machine.points):
        say(f"memory at the peak of a step: {machine.memory_factor:.2f} times what was expected (median)")
    say_line(f"stored in {path}")
    say("`ablation plan` computes time from it")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"
