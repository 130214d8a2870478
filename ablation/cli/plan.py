"""`ablation plan`: what an experiment would train, on which photographs, and what it could show. Trains nothing.

What that takes is printed by `ablation.cli.plan_cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import click
import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.augment.operations.choice import every_operation
from ablation.cli.console import say, show_left_out
from ablation.cli.context import ExperimentOptions, on_experiment
from ablation.cli.plan_cost import images_of, show_cost
from ablation.cli.sections import show_table
from ablation.cli.status import show_grid
from ablation.core.text import counted, plain
from ablation.core.values import label
from ablation.data import Listing
from ablation.data.split import Given, groups_of, own_parts
from ablation.evidence.pairs import Condition
from ablation.evidence.power import PlannedPower, Sizes, Spread, comparisons_of, overlap_planned, planned_power
from ablation.evidence.study import Study
from ablation.evidence.target import target_of
from ablation.experiment.balance import imbalance
from ablation.experiment.classes import refuse_misfits
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.labels import condition_text
from ablation.experiment.preregistration import preregistration_of
from ablation.experiment.runs import folder_of, held_of, runs_of
from ablation.experiment.spec import cautions
from ablation.report import text as wording
from ablation.report.section import Column, Rows, Table
from ablation.training.cost.estimate import Images

FEW_TO_TRAIN = 30
"""Photographs of a class: with fewer it is said why there are so few."""


@click.command()
@click.option("--all", "every", is_flag=True, help="Every run with its id and how it stands.")
@click.option(
    "--sd",
    metavar="X",
    type=click.FloatRange(min=0, min_open=True),
    help="The metric's sd over seeds, in points (or the metric's own unit), instead of an estimate.",
)
@on_experiment
def plan(options: ExperimentOptions, every: bool, sd: float | None) -> None:
    """Show what an experiment would train, and what it could show.

    \b
    Example:
      ablation plan quickstart
      ablation plan cats12 --data ~/cats12 --sd 1.5 --all
    """
    experiment = options.experiment()
    data = options.listing(experiment)
    refuse_misfits(experiment, data.classes)
    cells = experiment.cells(data.digest)
    root = folder_of(experiment, options.runs)
    runs = runs_of(cells, root)
    held = held_of(runs)
    finished = {run_id: one.record for run_id, one in held.items() if one.record is not None}
    single = pooled = Spread()
    if sd is not None:
        single = pooled = Spread(sd / 100 if METRICS[experiment.metric].unit == "points" else sd, "given")
    elif finished:
        from ablation.experiment.results import Results  # pandas

        results = Results.read(experiment, cells, data, root, len(data.left_out), options.cache, held)
        study = Study(results)
        single, pooled = study.seed_spread(), study.seed_spread(pooled=True)
    show_plan(experiment, data, cells, len(finished), single, pooled)
    show_cost(cells, data, options.cache, finished)
    if every:
        show_grid(cells, {run.spec.id: run.status() for run in runs})


def show_plan(
    experiment: Experiment, data: Listing, cells: Sequence[Cell], finished: int, single: Spread, pooled: Spread
) -> None:
    """Print what the experiment trains and how it will be judged, and what that could show.

    finished: how many runs. single, pooled: how much a score varies over seeds, under one condition and as a mean over
    all.
    """
    if experiment.question:
        say(experiment.question, "bold")
    _show_factors(experiment)
    if not cells:
        say("the grid is empty: `exclude` drops every cell", "bold yellow")
        return
    _show_runs(cells, finished)
    images = images_of(data)
    parts = {cell.condition: images(cell.spec) for cell in cells}
    _show_parts(data, cells, parts)
    if caution := imbalance(experiment.metric, data.classes, np.bincount(data.labels, minlength=len(data.classes))):
        say(plain(caution), "yellow")
    slow = [
        name
        for name, operations in experiment.factors["recipe"].items()
        if any(getattr(operation, "per_image", False) for operation in every_operation(operations))
    ]
    if slow:
        say(f"{', '.join(slow)}: works on one image at a time, which is slower than on a batch", "yellow")
    splits, total = {cell.condition: cell.spec.split for cell in cells}, len(data.labels)
    sizes = {
        condition: Sizes((part.test,) * 2, overlap_planned(experiment, splits[condition], total, part.train, part.test))
        for condition, part in parts.items()
    }
    _show_power(experiment, cells, list(sizes), planned_power(experiment, cells, sizes, single, pooled))


def _show_factors(experiment: Experiment) -> None:
    """The levels of each factor with their values, and the seeds."""
    rows = []
    for factor, levels in experiment.factors.items():
        for index, (name, level) in enumerate(levels.items()):
            value = " + ".join(map(label, level)) or "no augmentation" if isinstance(level, tuple) else label(level)
            mark = " (baseline)" if factor == "recipe" and name == experiment.baseline else ""
            rows.append({"factor": "" if index else factor, "level": name + mark, "value": value})
    rows.append({"factor": "seeds", "level": ", ".join(map(str, experiment.seed_numbers))})
    columns = ("factor", "level", "value")
    show_table(Table({name: name for name in columns}, (Rows(tuple(rows)),), words=frozenset(columns), keep=columns))


def _show_runs(cells: Sequence[Cell], finished: int) -> None:
    runs = {cell.spec.id: cell.spec for cell in cells}
    shared = "" if len(cells) == len(runs) else f" ({len(cells)} cells, some with the same values)"
    epochs = sum(spec.epochs for spec in runs.values())
    say(f"{len(runs)} runs{shared}, {finished} finished; {epochs:,} epochs in all")


def _show_parts(data: Listing, cells: Sequence[Cell], parts: Mapping[Condition, Images]) -> None:
    """How many photographs each part has, what is kept on one side or left out, and what may be a mistake."""
    train, val, test = (
        _range([getattr(images, part) for images in parts.values()]) for part in ("train", "val", "test")
    )
    say(
        f"{len(data.labels):,} images of {len(data.classes)} classes: "
        f"{train} to train on, {val} to validate, {test} to test"
    )
    splits = [cell.spec.split for cell in cells]
    each = min(images.train for images in parts.values()) / len(data.classes)
    if each < FEW_TO_TRAIN and all(split.redraws_training and not split.redraws_test for split in splits):
        say(
            f"Each seed is trained on about {each:.0f} photographs of a class, so that others are left for other "
            "seeds; split=Fixed(0.6, 0.2, 0.2) trains on more, for a verdict about that one split",
            "yellow",
        )
    for together in dict.fromkeys(split.together for split in splits if not isinstance(split, Given)):
        several = [count for count in np.bincount(groups_of(data, together)) if count > 1]
        if several:
            what = f"photographs that belong together ({sum(several):,} images)"
            say(f"{counted(len(several), 'group')} of {what}, each kept on one side of the split")
    own = own_parts(data)
    if own is not None and not any(isinstance(split, Given) for split in splits):
        say(f"the data has parts of its own, which are dealt anew; split={label(own)} keeps them", "yellow")
    show_left_out(len(data.left_out))
    for caution in dict.fromkeys(text for cell in cells for text in cautions(cell.spec, parts[cell.condition].train)):
        say(caution, "yellow")


def _range(numbers: Sequence[int]) -> str:
    """'120', '100 to 120'."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _show_power(
    experiment: Experiment, cells: Sequence[Cell], conditions: Sequence[Condition], planned: Sequence[PlannedPower]
) -> None:
    """How recipes are compared, and where they cannot be, or without a verdict; else what that could show."""
    seeds, metric = len(experiment.seed_numbers), experiment.metric
    say(
        f"each recipe against {experiment.baseline!r} by {label(experiment.declared_test)} on {metric}, "
        f"{seeds} seeds; {wording.corrected_by(experiment, comparisons_of(planned))}; "
        f"alpha {experiment.alpha:g}, equivalent within {wording.amount(experiment.margin, metric)}; "
        f"plan {preregistration_of(experiment, cells).hash}"
    )
    lonely = [condition for condition in conditions if not any(condition in power.conditions for power in planned)]
    if len(experiment.recipes) > 1 and lonely:
        names = "; ".join(map(", ".join, lonely))
        say(f"nothing is compared under {names}: the baseline is not in the grid there", "yellow")
    if seeds < MIN_SEEDS:
        say(f"fewer than {MIN_SEEDS} seeds: there will be differences, and no verdict", "yellow")
    elif planned and all(math.isnan(power.spread.sd) for power in planned):
        say(
            f"how much {METRICS[metric].title} varies over seeds is not known before the first runs, and so not what "
            "these seeds could show; --sd gives a guess",
            "yellow",
        )
    elif planned:
        show_table(_power_table(experiment, cells, planned))
        say(_sources(experiment, planned[-1]))
        for power in planned:
            if not METRICS[metric].lower_is_better and power.smallest >= 1:
                where = _where(experiment, cells, power)
                say(f"{where}: no difference that {metric} can show would be significant", "bold yellow")


def _power_table(experiment: Experiment, cells: Sequence[Cell], planned: Sequence[PlannedPower]) -> Table:
    """What the design could detect, and how many seeds smaller differences need."""
    metric, test = experiment.metric, experiment.declared_test

    def comparison(power: PlannedPower) -> str:
        recipes = power.recipes[0] if len(power.recipes) == 1 else f"{len(power.recipes)} recipes"
        return f"{recipes} {_where(experiment, cells, power)}"

    def takes(index: int) -> Callable[[PlannedPower], str]:
        return lambda power: f"{power.needed[index][1]:,}" if power.needed[index][1] else "> 1,000"

    smaller = [f"{wording.points(difference, metric)} takes" for difference, _ in planned[0].needed]
    columns: dict[str, Column] = {
        "comparison": ("comparison", comparison),
        "seeds": ("seeds", lambda power: str(power.seeds)),
        "test images": ("test images", lambda power: _range(power.test_images)),
        "sd": ("sd", lambda power: wording.points(power.spread.of(test), metric)),
        "finds": ("finds", lambda power: wording.points(power.smallest, metric)),
        **{name: (name, takes(index)) for index, name in enumerate(smaller)},
    }
    caption = (
        f"in {METRICS[metric].unit or METRICS[metric].title}; sd: over seeds{' of a paired difference' * test.paired}, "
        f"{'; '.join(dict.fromkeys(power.spread.origin for power in planned))}; finds: the smallest difference that "
        "one comparison shows with 80 % power after correction; takes: seeds that others need"
    )
    return Table.of(columns, planned, caption, keep=("finds", *smaller), spare=("test images", "seeds", "sd"))


def _sources(experiment: Experiment, power: PlannedPower) -> str:
    """What varies in this design, so that a verdict holds for it, and what that costs."""
    target, metric = target_of(experiment), experiment.metric
    sentences = [f"Verdicts hold {target}, {counted(power.seeds, 'seed')}."]
    if target.images and not math.isnan(power.on_these_images):
        guessed = "" if power.spread.images is not None else " (how much they matter is assumed)"
        sentences.append(
            f"It finds {wording.points(power.smallest, metric)}; with the test photographs taken as given it would "
            f"find {wording.points(power.on_these_images, metric)}{guessed}."
        )
    if not math.isnan(power.without_overlap):
        sentences.append(
            "Training parts of different seeds share photographs; if they shared none it would find "
            f"{wording.points(power.without_overlap, metric)}: train on fewer, or give more photographs."
        )
    if not target.training:
        sentences.append(
            "Which photographs are trained on does not vary; split=Redrawn(...) redraws them for each seed."
        )
    return " ".join(sentences)


def _where(experiment: Experiment, cells: Sequence[Cell], power: PlannedPower) -> str:
    """'under adam', 'under each of 2 conditions', 'pooled over 2 conditions'."""
    if len(power.conditions) == 1:
        levels = next(cell.factors for cell in cells if cell.condition == power.conditions[0])
        condition = {factor: level for factor, level in levels.items() if factor != "recipe"}
        return f"under {condition_text(condition, experiment)}"
    return f"{'pooled over' if power.pooled else 'under each of'} {len(power.conditions)} conditions"
