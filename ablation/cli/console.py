"""The tables that the commands print, and the console itself. Computes nothing: it lays out what `runs` say."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ablation.core.text import tied
from ablation.data.contents import left_out_words
from ablation.experiment.experiment import Cell
from ablation.report import text as wording

if TYPE_CHECKING:
    from ablation.experiment.results import Results

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)

STATUS_STYLE = {
    "finished": "green",
    "failed": "bold red",
    "diverged": "red",
    "running": "cyan",
    "interrupted": "yellow",
}


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table in the house style."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return made


def say(text: str, style: str = "", bullet: str = "") -> None:
    """Set in lines of the console's width. Not by rich, which ends a line between '95' and '%' too."""
    lines = textwrap.wrap(
        tied(text),
        console.width,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
    )
    for line in lines:
        console.print(Text(line.replace("\u00a0", " "), style), soft_wrap=True)


def head(title: str) -> None:
    """The heading of a section, set apart from what is above."""
    console.print()
    say(title, "bold")


def names_of(cells: Sequence[Cell]) -> dict[str, str]:
    """Run id -> what people call the run: 'crop · adam · seed 0', by its first name where it has several."""
    names: dict[str, str] = {}
    for cell in cells:
        names.setdefault(cell.spec.id, " · ".join([*cell.factors.values(), f"seed {cell.seed}"]))
    return names


def show_experiments(rows: Sequence[tuple[str, str, str]]) -> None:
    """A line an experiment: name, number of runs, question."""
    made = table("experiment", "runs", "question", right=("runs",))
    for row in rows:
        made.add_row(*map(escape, row))
    console.print(made)


def show_left_out(count: int) -> None:
    """Said below every table: files that `SkipBad` left out."""
    if count:
        console.print(f"[yellow]{left_out_words(count)}[/]")


def show_grid(cells: Sequence[Cell], statuses: Mapping[str, str]) -> None:
    """Every cell with its id and status."""
    made = table("run", "recipe", *[factor for factor in cells[0].factors if factor != "recipe"], "seed", "status")
    for cell in cells:
        status = statuses[cell.spec.id]
        levels = [escape(level) for level in cell.factors.values()]
        made.add_row(cell.spec.id, *levels, str(cell.seed), f"[{STATUS_STYLE.get(status, 'dim')}]{status}[/]")
    console.print(made)


def show_status(results: Results, command: str) -> None:
    """How many runs of each recipe stand how, and why runs failed."""
    runs = results.table.drop_duplicates("id")
    counts = Counter(zip(results.table["recipe"], results.table["status"], strict=True))
    statuses = [status for status in (*STATUS_STYLE, "planned") if any(status == counted for _, counted in counts)]
    made = table("recipe", *statuses, right=statuses)
    for recipe in results.experiment.recipes:
        numbers = [f"[{STATUS_STYLE.get(status, 'dim')}]{counts[recipe, status] or '·'}[/]" for status in statuses]
        made.add_row(escape(recipe), *numbers)
    console.print(made)
    _show_changes(results)
    names = names_of(results.cells)
    for row in runs[runs["status"].isin(["failed", "diverged"])].to_dict("records"):
        reason = row["reason"] if row["status"] == "failed" else f"diverged at step {row['diverged_step']:.0f}"
        console.print(f"[red]{row['id']}[/]  {escape(names[row['id']])}: {escape(reason)}", soft_wrap=True)
    show_left_out(results.left_out)
    done = int(runs["status"].isin(["finished", "diverged"]).sum())
    console.print(f"{done} of {len(runs)} runs done, in {results.root}")
    if done < len(runs) and not (runs["status"] == "running").any():
        console.print(f"to train the rest: [bold]{command}[/]")


def _show_changes(results: Results) -> None:
    """What each operation did to the pictures of the first epoch, over the runs that have ended; flagged where
    nothing."""
    changes = results.changes()
    if changes.empty:
        return
    made = table("recipe", "operation", "images changed", "mean change", right=("images changed", "mean change"))
    last = ""
    for row in changes.to_dict("records"):
        idle = "  [bold red]changed nothing[/]" if row["idle"] else ""
        share, change = wording.changed(row["share_changed"], row["mean_change"])
        made.add_row(escape(row["recipe"] if row["recipe"] != last else ""), f"{row['operation']}{idle}", share, change)
        last = row["recipe"]
    console.print("first epoch, mean over runs and pixels")
    console.print(made)
