"""`ablation status`: how the runs stand, why runs failed or are not used, and which operations changed no picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import click
from rich.markup import escape
from rich.text import Text

from ablation.cli.console import console, say, say_line, show_left_out, table
from ablation.cli.context import ExperimentOptions, on_experiment
from ablation.core.text import counted
from ablation.evidence.warnings import HOW_TO_MEND
from ablation.experiment.experiment import Cell
from ablation.experiment.labels import names_of
from ablation.experiment.results import Results
from ablation.report.text import images_changed, pixels_changed

STATUS_STYLE = {
    "finished": "green",
    "altered": "bold red",
    "failed": "bold red",
    "diverged": "red",
    "running": "cyan",
    "interrupted": "yellow",
}
"""How a run can stand -> its style; every other status is dim."""


@click.command()
@on_experiment
def status(options: ExperimentOptions) -> None:
    """Show how the runs stand: finished, diverged, altered, running, failed, interrupted, planned.

    \b
    Example:
      ablation status quickstart
    """
    results = options.results()
    runs = results.table.drop_duplicates("id")
    _show_counts(results)
    _show_changes(results)
    names = names_of(results.cells)
    for row in runs[runs["status"].isin(["altered", "failed", "diverged"])].to_dict("records"):
        reason = f"diverged at step {row['diverged_step']:.0f}" if row["status"] == "diverged" else row["reason"]
        say_line(Text.assemble((row["id"], "red"), f"  {names[row['id']]}: {reason}"))
    show_left_out(results.left_out)
    done, altered = int(runs["status"].isin(["finished", "diverged"]).sum()), int((runs["status"] == "altered").sum())
    say_line(f"{done} of {len(runs)} runs done, in {results.root}")
    if altered:
        say(f"{counted(altered, 'run')} altered after training, in no mean and no test. {HOW_TO_MEND}.", "bold red")
    if done + altered < len(runs) and not (runs["status"] == "running").any():
        say_line(Text.assemble("to train the rest: ", (options.command("run"), "bold")))


def show_grid(cells: Sequence[Cell], statuses: Mapping[str, str]) -> None:
    """Print every cell with its id and status. statuses: by the run's id."""
    made = table("run", "recipe", *[factor for factor in cells[0].factors if factor != "recipe"], "seed", "status")
    for cell in cells:
        levels = [escape(level) for level in cell.factors.values()]
        made.add_row(cell.spec.id, *levels, str(cell.seed), _styled(statuses[cell.spec.id]))
    console.print(made)


def _show_counts(results: Results) -> None:
    counts = Counter(zip(results.table["recipe"], results.table["status"], strict=True))
    statuses = [status for status in (*STATUS_STYLE, "planned") if any(status == other for _, other in counts)]
    made = table("recipe", *statuses)
    for column in made.columns[1:]:
        column.justify = "right"
    for recipe in results.experiment.recipes:
        made.add_row(escape(recipe), *(_styled(status, str(counts[recipe, status] or "·")) for status in statuses))
    console.print(made)


def _styled(status: str, text: str = "") -> Text:
    return Text(text or status, STATUS_STYLE.get(status, "dim"))


def _show_changes(results: Results) -> None:
    """What each operation did to the pictures of the first epoch, over the runs that have ended; flagged where
    nothing."""
    changes = results.changes()
    if changes.empty:
        return
    made = table("recipe", "operation", "images changed", "mean change")
    made.columns[2].justify = made.columns[3].justify = "right"
    last = ""
    for row in changes.to_dict("records"):
        idle = "  [bold red]changed nothing[/]" if row["idle"] else ""
        share, change = images_changed(row["share_changed"]), pixels_changed(row["mean_change"])
        made.add_row(escape(row["recipe"] if row["recipe"] != last else ""), f"{row['operation']}{idle}", share, change)
        last = row["recipe"]
    say("first epoch, mean over runs and pixels")
    console.print(made)
