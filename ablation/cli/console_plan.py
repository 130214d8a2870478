"""What `ablation plan` prints: the grid, the data it is split into, and what it could show. Trains nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.augment.operations.choice import every_operation
from ablation.cli.console import console, say, show_left_out, table
from ablation.core.text import counted
from ablation.core.values import label
from ablation.data.split import Given, groups_of
from ablation.evidence.pairs import Condition
from ablation.evidence.power import PlannedPower, Sizes, Spread, comparisons_of, overlap_planned, planned_power
from ablation.evidence.target import target_of
from ablation.experiment.spec import cautions
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.labels import condition_text
from ablation.experiment.preregistration import preregistration_of
from ablation.report import text as wording

if TYPE_CHECKING:
    from ablation.data import Listing


FEW_TO_TRAIN = 30
"""Photographs of a class: with fewer it is said why there are so few."""


def show_plan(
    experiment: Experiment, data: Listing, cells: Sequence[Cell], finished: int, single: Spread, pooled: Spread
) -> None:
    """What the experiment trains and how it will be judged, and what that could show.

    single, pooled: how much a score varies over seeds, under one condition and as a mean over all.
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
    sizes = _show_parts(experiment, data, cells)
    slow = [
        recipe
        for recipe, operations in experiment.factors["recipe"].items()
        if any(getattr(operation, "per_image", False) for operation in every_operation(operations))
    ]
    if slow:
        console.print(
            f"[yellow]{escape(', '.join(slow))}: works on one image at a time, which is slower than on a batch[/]"
        )
    told = planned_power(experiment, cells, sizes, single, pooled)
    say(
        f"each recipe against {experiment.baseline!r} by {label(experiment.declared_test)} on {experiment.metric}, "
        f"{len(experiment.seed_numbers)} seeds; {wording.corrected_by(experiment, comparisons_of(told))}; "
        f"alpha {experiment.alpha:g}, equivalent within {wording.amount(experiment.margin, experiment.metric)}; "
        f"plan {preregistration_of(experiment, cells).hash}"
    )
    lonely = [condition for condition in sizes if not any(condition in one.conditions for one in told)]
    if len(experiment.recipes) > 1 and lonely:
        names = "; ".join(map(escape, map(", ".join, lonely)))
        console.print(f"[yellow]nothing is compared under {names}: the baseline is not in the grid there[/]")
    if len(experiment.seed_numbers) < MIN_SEEDS:
        console.print(f"[yellow]fewer than {MIN_SEEDS} seeds: there will be differences, and no verdict[/]")
    elif told:
        _show_power(experiment, cells, told)


def _show_power(experiment: Experiment, cells: Sequence[Cell], told: Sequence[PlannedPower]) -> None:
    """What the design could detect, and how many seeds smaller differences need."""
    metric = experiment.metric
    name = METRICS[metric].title
    if all(math.isnan(one.spread.sd) for one in told):
        console.print(
            f"[yellow]how much {name} varies over seeds is not known before the first runs, and so not what these "
            "seeds could show; --sd gives a guess[/]"
        )
        return
    takes = [f"{wording.points(difference, metric)} takes" for difference, _ in told[0].needed]
    heads = ("comparison", "seeds", "test images", "sd", "finds", *takes)
    made = table(*heads, right=heads[1:])
    for one in told:
        low, high = one.test_images
        recipes = one.recipes[0] if len(one.recipes) == 1 else f"{len(one.recipes)} recipes"
        made.add_row(
            escape(f"{recipes} {_where(experiment, cells, one)}"),
            str(one.seeds),
            f"{low:,}" if low == high else f"{low:,} to {high:,}",
            wording.points(one.spread.of(experiment.declared_test), metric),
            wording.points(one.smallest, metric),
            *(f"{seeds:,}" if seeds else "> 1,000" for _, seeds in one.needed),
        )
    console.print(made)
    origins = dict.fromkeys(one.spread.origin for one in told)
    unit = METRICS[metric].unit or name
    say(
        f"in {unit}; sd: over seeds{' of a paired difference' * experiment.declared_test.paired}, "
        f"{'; '.join(origins)}; finds: the smallest difference that one comparison shows with 80 % power after "
        "correction; takes: seeds that others need",
        "dim",
    )
    say(_sources(experiment, told[-1]))
    for one in told:
        if not METRICS[metric].lower_is_better and one.smallest >= 1:
            where = escape(_where(experiment, cells, one))
            console.print(f"[bold yellow]{where}: no difference that {metric} can show would be significant[/]")


def _sources(experiment: Experiment, one: PlannedPower) -> str:
    """What varies in this design, so that a verdict holds for it, and what that costs."""
    target, metric = target_of(experiment), experiment.metric
    told = [f"Verdicts hold {target}, {counted(one.seeds, 'seed')}."]
    if target.images and not math.isnan(one.on_these_images):
        guessed = "" if one.spread.images is not None else " (how much they matter is assumed)"
        told.append(
            f"It finds {wording.points(one.smallest, metric)}; with the test photographs taken as given it would find "
            f"{wording.points(one.on_these_images, metric)}{guessed}."
        )
    if not math.isnan(one.without_overlap):
        told.append(
            "Training parts of different seeds share photographs; if they shared none it would find "
            f"{wording.points(one.without_overlap, metric)}: train on fewer, or give more photographs."
        )
    if not target.training:
        told.append("Which photographs are trained on does not vary; split=Redrawn(...) redraws them for each seed.")
    return " ".join(told)


def _where(experiment: Experiment, cells: Sequence[Cell], one: PlannedPower) -> str:
    """'under adam', 'under each of 2 conditions', 'pooled over 2 conditions'."""
    if len(one.conditions) == 1:
        levels = next(cell.factors for cell in cells if cell.condition == one.conditions[0])
        condition = {factor: level for factor, level in levels.items() if factor != "recipe"}
        return f"under {condition_text(condition, experiment)}"
    return f"{'pooled over' if one.pooled else 'under each of'} {len(one.conditions)} conditions"


def _show_parts(experiment: Experiment, data: Listing, cells: Sequence[Cell]) -> dict[Condition, Sizes]:
    """How many photographs each part has, and what is kept on one side, or left out; the sizes by condition."""
    specs = [cell.spec for cell in cells]
    first = {repr((spec.split, spec.train_size)): spec for spec in reversed(specs)}  # the first of each kind
    parts = {kind: [len(rows) for rows in spec.parts(data)] for kind, spec in first.items()}
    train, val, test = (
        f"{min(count):,}" if min(count) == max(count) else f"{min(count):,} to {max(count):,}"
        for count in zip(*parts.values(), strict=True)
    )
    console.print(
        f"{len(data.labels):,} images of {len(data.classes)} classes: "
        f"{train} to train on, {val} to validate, {test} to test"
    )
    each = min(count[0] for count in parts.values()) / len(data.classes)
    if each < FEW_TO_TRAIN and all(spec.split.redraws_training and not spec.split.redraws_test for spec in specs):
        say(
            f"Each seed is trained on about {each:.0f} photographs of a class, so that others are left for other "
            "seeds; split=Fixed(0.6, 0.2, 0.2) trains on more, for a verdict about that one split",
            "yellow",
        )
    for together in dict.fromkeys(spec.split.together for spec in specs if not isinstance(spec.split, Given)):
        several = [count for count in np.bincount(groups_of(data, together)) if count > 1]
        if several:
            groups = counted(len(several), "group")
            what = f"photographs that belong together ({sum(several):,} images)"
            console.print(f"{groups} of {what}, each kept on one side of the split")
    if (data.parts >= 0).any() and not any(isinstance(spec.split, Given) for spec in specs):
        console.print("[yellow]the data has parts of its own, which are dealt anew; split=Given() keeps them[/]")
    show_left_out(len(data.left_out))
    for caution in dict.fromkeys(
        caution for spec in specs for caution in cautions(spec, parts[repr((spec.split, spec.train_size))][0])
    ):
        console.print(f"[yellow]{escape(caution)}[/]")
    by_condition = {cell.condition: parts[repr((cell.spec.split, cell.spec.train_size))] for cell in cells}
    splits = {cell.condition: cell.spec.split for cell in cells}
    return {
        place: Sizes((test, test), overlap_planned(experiment, splits[place], len(data.labels), train, test))
        for place, (train, _, test) in by_condition.items()
    }
