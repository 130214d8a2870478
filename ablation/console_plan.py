"""What `ablation plan` prints: the grid, the data it is split into, and what it could show. Trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape

from ablation.analysis.comparison import MIN_SEEDS
from ablation.augment.choice import every_operation
from ablation.console import console, show_left_out, table
from ablation.data.split import Given, groups_of
from ablation.evidence.outlook import Outlook, outlook
from ablation.experiment import Cell, Experiment
from ablation.report import wording
from ablation.values import label

if TYPE_CHECKING:
    from ablation.data import Listing
    from ablation.spec import RunSpec


def show_plan(
    experiment: Experiment, data: Listing, cells: Sequence[Cell], finished: int, sd: float, sd_runs: int
) -> None:
    """What the experiment trains and how it will be judged, and what that could show.

    sd: of the metric over seeds, estimated from `sd_runs` finished runs, or assumed (0).
    """
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
    test_share = _show_parts(data, list(runs.values()))
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
    elif comparisons:
        _show_outlook(outlook(experiment, comparisons + pooled, test_share, sd, sd_runs), experiment.metric)


def _show_outlook(told: Outlook, metric: str) -> None:
    """What the design could detect, and how many seeds a smaller difference needs."""
    origin = f"estimated from {told.runs:,} finished runs" if told.runs else "assumed, as no run has told it yet"
    differences = " / ".join(wording.points(difference, metric) for difference, _ in told.needed)
    seeds = " / ".join(f"{seeds:,}" if seeds else "over 1,000" for _, seeds in told.needed)
    console.print(
        f"with {wording.points(told.sd, metric)} sd from seed to seed ({origin}) one comparison under one condition "
        f"finds {wording.amount(told.smallest, metric)} with 80 % power after Holm; {differences} need {seeds} seeds"
    )


def _show_parts(data: Listing, specs: Sequence[RunSpec]) -> float:
    """How many photographs each part has, and what is kept on one side of the split, or left out; n_test / n_train."""
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
    return float((sizes[:, 2] / sizes[:, 0]).max())
