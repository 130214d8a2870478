"""`ablation plan`: what an experiment would train, how long that takes, and what it could show. The answer comes first.

Trains nothing, but for a pilot where one is wanted (`ablation.cli.pilot`). What runs take is printed by
`ablation.cli.plan_cost`, what they could show by `ablation.cli.plan_power`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import click
import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.metrics import METRICS
from ablation.augment.operations.choice import every_operation
from ablation.cli.console import console, say, say_line, show_left_out
from ablation.cli.context import DRY_RUN, ONLY, ExperimentOptions, on_experiment
from ablation.cli.plan_cost import Estimate, estimate, images_of, show_cautions, show_estimate
from ablation.cli.plan_power import answer, show_power, show_uncompared, shows_nothing, spanned, verdicts_hold, warnings
from ablation.cli.sections import show_table
from ablation.cli.status import show_grid
from ablation.core.text import counted, plain
from ablation.core.values import label
from ablation.data import Listing
from ablation.data.split import Given, groups_of, own_parts
from ablation.evidence.pairs import Condition
from ablation.evidence.power import UNKNOWN, Sizes, Spread, overlap_planned, planned_power
from ablation.evidence.study import Study
from ablation.experiment.classes import imbalance, refuse_misfits
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.record import RunRecord
from ablation.experiment.runs import Held, folder_of, held_of, runs_of
from ablation.experiment.spec import cautions
from ablation.report.section import Rows, Table
from ablation.training.cost.estimate import Images

FEW_TO_TRAIN = 30
"""Photographs of a class: with fewer it is said why there are so few."""


@click.command()
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Also the power of each comparison, the cost of each kind of run, every run.",
)
@click.option(
    "--sd",
    metavar="X",
    type=click.FloatRange(min=0, min_open=True),
    help="The metric's sd over seeds, in points (or the metric's own unit), instead of an estimate.",
)
@click.option(
    "--accuracy",
    metavar="PERCENT",
    type=click.FloatRange(min=0, max=100, min_open=True, max_open=True),
    help="That you expect, for what could be found at best; by default that of finished runs, else 90.",
)
@click.option(
    "--pilot", is_flag=True, help="Train two runs of the baseline first, and plan from them; `run` keeps them."
)
@DRY_RUN
@ONLY
@on_experiment
def plan(
    options: ExperimentOptions, every: bool, sd: float | None, accuracy: float | None, pilot: bool, dry_run: bool
) -> None:
    """Show what an experiment would train, what that takes, and what it could show.

    \b
    Example:
      ablation plan quickstart
      ablation plan quickstart --pilot --dry-run
      ablation plan cats12 --data ~/cats12 --sd 1.5 --all
    """
    if pilot and sd is not None:
        raise click.UsageError("--pilot measures what --sd gives: leave one of them out")
    experiment = options.experiment()
    with options.writing(dry_run) as scratch:
        data = scratch.listing(experiment)
    refuse_misfits(experiment, data.classes)
    cells = experiment.cells(data.digest)
    chosen = options.chosen(cells)
    root = folder_of(experiment, options.runs)
    runs = runs_of(cells, root)
    held = held_of(runs)
    complete = True
    if pilot:
        from ablation.cli.pilot import train_pilot  # and with it what trains

        complete = train_pilot(options, experiment, data, cells, _finished(held), dry_run)
        held = held_of(runs)
    finished = _finished(held)
    with options.writing(dry_run) as scratch:
        estimated = estimate(chosen, data, scratch.cache, finished, root)
    single = pooled = UNKNOWN
    if sd is not None:
        single = pooled = Spread(sd / 100 if METRICS[experiment.metric].unit == "points" else sd, "given")
    elif finished:
        from ablation.experiment.results import Results  # pandas

        results = Results.read(experiment, cells, data, root, len(data.left_out), options.cache, held)
        study = Study(results)
        single, pooled = study.seed_spread(), study.seed_spread(pooled=True)
    ended = len(finished.keys() & {cell.spec.id for cell in chosen})
    left = any(cell.factors["recipe"] == experiment.baseline and cell.spec.id not in finished for cell in cells)
    baseline = replace(options, cells=(f"recipe={experiment.baseline}",)).command("run", only=True) if left else ""
    known = Known(ended, single, pooled, None if accuracy is None else accuracy / 100, baseline)
    show_plan(experiment, data, cells, known, estimated, options.command("plan"), chosen, every)
    if every:
        show_grid(chosen, {run.spec.id: run.status() for run in runs})
    if not complete:
        sys.exit(1)


def _finished(held: Mapping[str, Held]) -> dict[str, RunRecord]:
    return {run_id: one.record for run_id, one in held.items() if one.record is not None}


@dataclass(frozen=True)
class Known:
    """What a plan starts from: how many runs have finished, how much a score varies over seeds, under one condition and
    as a mean over all, and the accuracy that is expected, where one is. baseline: the command that trains what is
    missing of the baseline; '' where nothing is."""

    finished: int = 0
    single: Spread = UNKNOWN
    pooled: Spread = UNKNOWN
    accuracy: float | None = None
    baseline: str = ""


def show_plan(
    experiment: Experiment,
    data: Listing,
    cells: Sequence[Cell],
    known: Known,
    estimated: Estimate,
    command: str,
    chosen: Sequence[Cell] = (),
    every: bool = False,
) -> None:
    """Print the answer first: how many runs, how long, what could be found. Then the design; `every`: and the grounds.

    command: that makes this plan, without options of its own. chosen: the cells whose runs are counted, by default all;
    what could be found is said of the whole experiment, over which is corrected.
    """
    if experiment.question:
        say(experiment.question, "bold")
    if not cells:
        _show_factors(experiment)
        say("the grid is empty: `exclude` drops every cell", "bold yellow")
        return
    images = images_of(data)
    parts = {cell.condition: images(cell.spec) for cell in cells}
    splits, total = {cell.condition: cell.spec.split for cell in cells}, len(data.labels)
    sizes = {
        condition: Sizes((part.test,) * 2, overlap_planned(experiment, splits[condition], total, part.train, part.test))
        for condition, part in parts.items()
    }
    planned = planned_power(experiment, cells, sizes, known.single, known.pooled, known.accuracy)
    console.print()
    _show_runs(chosen or cells, known.finished, estimated)
    if chosen and len(chosen) < len(cells):
        whole = counted(len({cell.spec.id for cell in cells}), "run")
        say(f"--only: these are some of {whole}; what can be found is said of the whole experiment")
    if found := answer(experiment, planned, f"{command} --pilot", known.baseline):
        little = len(experiment.seed_numbers) < MIN_SEEDS or all(shows_nothing(experiment, one) for one in planned)
        say(found, "bold yellow" if little else "bold")
    for warning in warnings(experiment, splits, parts):
        say(warning, "yellow")
    _show_factors(experiment)
    _show_parts(data, cells, parts)
    if caution := imbalance(
        experiment.metric, data.classes, np.bincount(data.labels, minlength=len(data.classes)).tolist()
    ):
        say(plain(caution), "yellow")
    slow = [
        name
        for name, operations in experiment.factors["recipe"].items()
        if any(getattr(operation, "per_image", False) for operation in every_operation(operations))
    ]
    if slow:
        say(f"{', '.join(slow)}: works on one image at a time, which is slower than on a batch", "yellow")
    show_uncompared(experiment, cells, list(sizes), planned)
    if every:
        show_power(experiment, cells, planned)
        show_estimate(estimated)
        return
    show_cautions(estimated)
    say(verdicts_hold(experiment, planned))
    say_line(f"each comparison's power, costs, every run: {command} --all")


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


def _show_runs(cells: Sequence[Cell], finished: int, estimated: Estimate) -> None:
    """How many runs, and how long the missing ones take."""
    runs = {cell.spec.id: cell.spec for cell in cells}
    shared = "" if len(cells) == len(runs) else f" ({len(cells)} cells, some with the same values)"
    epochs = sum(spec.epochs for spec in runs.values())
    takes = f"; {'the rest takes ' if finished else ''}{estimated.time}" if estimated.time else ""
    most = "at most " if any(spec.may_stop_early for spec in runs.values()) else ""
    say(f"{counted(len(runs), 'run')}{shared} of {most}{epochs:,} epochs in all, {finished} finished{takes}", "bold")


def _show_parts(data: Listing, cells: Sequence[Cell], parts: Mapping[Condition, Images]) -> None:
    """How many photographs each part has, what is kept on one side or left out, and what may be a mistake."""
    train, val, test = (
        spanned([getattr(images, part) for images in parts.values()]) for part in ("train", "val", "test")
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
        say(f"the data has parts of its own, and this split draws others; split={label(own)} keeps them", "yellow")
    show_left_out(len(data.left_out))
    for caution in dict.fromkeys(text for cell in cells for text in cautions(cell.spec, parts[cell.condition].train)):
        say(caution, "yellow")
