"""What `ablation doctor` prints: what the machine has, what to do where something is wrong, and how fast it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ablation.cli.console import console, table
from ablation.training.cost.doctor import Fact
from ablation.training.cost.rates import Machine


def show_facts(facts: Sequence[Fact]) -> None:
    """A line each; trouble is marked, with what to do."""
    grid = Table.grid(padding=(0, 2))
    for fact in facts:
        mark = f"[yellow]{escape(fact.advice)}[/]" if fact.advice else ""
        grid.add_row(
            "[yellow]![/]" if fact.advice else "[green]ok[/]", f"[bold]{escape(fact.name)}[/]", escape(fact.value), mark
        )
    console.print(grid)


def show_machine(machine: Machine, path: Path) -> None:
    """The measured steps beside what the fitted rates say of them, and how well they say it."""
    right = ("size", "batch", "training step", "images/s", "fitted", "looking")
    made = table("network", *right, right=right)
    for point in machine.points:
        fitted = machine.training.seconds(point.training)
        made.add_row(
            point.network,
            f"{point.image_size} px",
            str(point.batch_size),
            _milliseconds(point.training_seconds),
            f"{point.batch_size / point.training_seconds:,.0f}",
            _milliseconds(fitted),
            _milliseconds(point.looking_seconds),
        )
    console.print(f"\n{escape(machine.device)}, {machine.precision}, torch {machine.torch}, threads: {machine.threads}")
    console.print(made)
    rates = machine.training
    console.print(
        f"for a network that was not measured: typically within {rates.typical_error:.0%},"
        f" at worst {rates.largest_error:.0%} (each network told by the others)"
    )
    if any(point.memory for point in machine.points):
        console.print(f"memory at the peak of a step: {machine.memory_factor:.2f} times what was expected (median)")
    console.print(f"stored in {path}; `ablation plan` tells time from it", markup=False)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"
