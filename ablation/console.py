"""The tables that the commands print. Computes nothing: it lays out what `effects` and `runs` say."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablation.analysis.comparison import MIN_SEEDS
from ablation.augment.choice import every_operation
from ablation.data.contents import left_out_words
from ablation.data.split import Given, groups_of
from ablation.durable import atomic
from ablation.experiment import Cell, Experiment
from ablation.report import wording
from ablation.values import label

if TYPE_CHECKING:
    from ablation.data import Listing
    from ablation.effects import Effect
    from ablation.results import Results
    from ablation.spec import RunSpec

console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, emoji=False)

EFFECT_COLUMNS = {
    "recipe": "recipe",
    "seeds": "seeds",
    "mean": "mean ± sd",
    "difference": "difference",
    "interval": "interval",
    "p": "p",
    "p_holm": "Holm p",
    "macro_f1": "macro-F1 diff.",
    "verdict": "verdict",
}
"""What the terminal shows of `wording.row`, with short headings."""

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "baseline": "dim",
}
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


def show_plan(experiment: Experiment, data: Listing, cells: Sequence[Cell], finished: int) -> None:
    """What the experiment trains and how it will be judged, with a warning where no verdict is possible."""
    runs = {cell.spec.id: cell.spec for cell in cells}
    if experiment.question:
        console.print(f"[bold]{escape(experiment.question)}[/]\n")
    made = table("factor", "level", "value")
    for factor, levels in experiment.factors.items():
        for place, (name, level) in enumerate(levels.items()):
            value = " + ".join(map(label, level)) or "no augmentation" if isinstance(level, tuple) else label(level)
            mark = " (baseline)" if factor == "recipe" and name == experiment.baseline else ""
            made.add_row(factor if place == 0 else "", escape(name + mark), escape(value))
    made.add_row("seeds", ", ".join(map(str, experiment.seed_numbers)), "")
    console.print(made)
    spec = next(iter(runs.values()), None)
    if spec is None:
        console.print("[bold yellow]the grid is empty: `exclude` drops every cell[/]")
        return
    console.print(
        f"{len(runs)} runs{'' if len(cells) == len(runs) else f' ({len(cells)} cells, some with the same values)'}, "
        f"{finished} finished; {sum(run.epochs for run in runs.values()):,} epochs in all"
    )
    _show_parts(data, list(runs.values()))
    slow = [
        recipe
        for recipe, operations in experiment.factors["recipe"].items()
        if any(getattr(operation, "per_image", False) for operation in every_operation(operations))
    ]
    if slow:
        console.print(
            f"[yellow]{escape(', '.join(slow))}: works on one image at a time, which is slower than on a batch[/]"
        )
    comparisons = len(
        {(cell.factors["recipe"], cell.condition) for cell in cells if cell.factors["recipe"] != experiment.baseline}
    )
    conditions = len({cell.condition for cell in cells})
    pooled = len(experiment.recipes) - 1 if conditions > 1 else 0
    console.print(
        f"judged by {label(experiment.declared_test)} on {experiment.metric}, {len(experiment.seed_numbers)} seeds, "
        f"Holm-corrected over {comparisons + pooled} comparisons with {escape(experiment.baseline)!r}, "
        f"alpha {experiment.alpha:g}, equivalent within {wording.amount(experiment.margin, experiment.metric)}"
    )
    if len(experiment.seed_numbers) < MIN_SEEDS:
        console.print(f"[yellow]fewer than {MIN_SEEDS} seeds: there will be differences, and no verdict[/]")


def _show_parts(data: Listing, specs: Sequence[RunSpec]) -> None:
    """How many photographs each part has, and what is kept on one side of the split, or left out."""
    first = {repr((spec.split, spec.train_size)): spec for spec in reversed(specs)}  # the first of each kind
    sizes = np.array([[len(rows) for rows in spec.parts(data)] for spec in first.values()])
    train, val, test = (
        f"{low:,}" if low == high else f"{low:,} to {high:,}"
        for low, high in zip(sizes.min(axis=0), sizes.max(axis=0), strict=True)
    )
    console.print(
        f"{len(data.labels):,} images of {len(data.classes)} classes: "
        f"{train} to train on, {val} to validate, {test} to test"
    )
    for together in dict.fromkeys(spec.split.together for spec in specs if not isinstance(spec.split, Given)):
        several = [count for count in np.bincount(groups_of(data, together)) if count > 1]
        if several:
            groups = wording.counted(len(several), "group")
            what = f"photographs that belong together ({sum(several):,} images)"
            console.print(f"{groups} of {what}, each kept on one side of the split")
    if (data.parts >= 0).any() and not any(isinstance(spec.split, Given) for spec in specs):
        console.print("[yellow]the data has parts of its own, which are dealt anew; split=Given() keeps them[/]")
    show_left_out(len(data.left_out))


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


def show_effects(experiment: Experiment, effects: Sequence[Effect]) -> None:
    """The comparison, a block for each condition."""
    if not effects:
        console.print("no finished run to compare")
        return
    rows = [{key: wording.row(effect)[key] for key in EFFECT_COLUMNS} for effect in effects]
    widths = [max(len(row[key]) for row in [EFFECT_COLUMNS, *rows]) for key in EFFECT_COLUMNS]
    for condition, group in itertools.groupby(zip(effects, rows, strict=True), key=lambda pair: pair[0].condition):
        made = table(*EFFECT_COLUMNS.values(), right=list(EFFECT_COLUMNS.values())[1:-1])
        where = escape(wording.condition_text(condition, experiment))
        made.title, made.title_justify = f"[bold]{'' if condition else 'pooled over '}{where}[/]", "left"
        for column, width in zip(made.columns, widths, strict=True):
            column.min_width = width
        for effect, row in group:
            *texts, verdict = map(escape, row.values())
            made.add_row(*texts, f"[{VERDICT_STYLE[effect.verdict]}]{verdict}[/]")
        console.print(made)
    unit = wording.UNIT[experiment.metric]
    measure = wording.NAME[experiment.metric] + (f" in {unit}" if unit else "")
    compared = sum(effect.tested for effect in effects)
    console.print(
        f"[dim]{measure}; difference to {escape(experiment.baseline)} by {label(experiment.declared_test)} over seeds, "
        f"Holm over all {compared} comparisons[/]"
    )
    notes: dict[str, dict[str, None]] = {}
    for effect in effects:
        for note in (effect.flag, effect.note):
            notes.setdefault(note, {})[effect.recipe] = None
    for note, recipes in notes.items():
        if note:
            console.print(f"[yellow]{escape(', '.join(recipes))}: {note}[/]")


def write_effects(effects: Sequence[Effect], path: Path, form: str, left_out: int = 0) -> None:
    """The effects as CSV or JSON, to a file or ('-') to standard output. What is not known is empty or null.

    left_out: files of the data that are in no run, told in every row.
    """
    rows: list[dict[str, Any]] = []
    for effect in effects:
        row = asdict(effect)
        condition = row.pop("condition")
        rows.append({"recipe": row.pop("recipe"), "condition": condition or "pooled", **row, "left_out": left_out})
    if form == "csv":
        import pandas as pd

        flat = [{**row, "condition": _condition(row["condition"])} for row in rows]
        _write(path, pd.DataFrame(flat).to_csv(index=False))
    else:
        _write(path, json.dumps([_without_nan(row) for row in rows], indent=1, ensure_ascii=False) + "\n")


def _condition(condition: Any) -> str:
    return (
        condition
        if isinstance(condition, str)
        else ", ".join(f"{factor}={level}" for factor, level in condition.items())
    )


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(item, float) and math.isnan(item) else item for name, item in row.items()}


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with atomic(path, "w") as file:
        file.write(text)
    print(f"wrote {path}", file=sys.stderr)
