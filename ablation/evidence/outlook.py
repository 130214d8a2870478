"""Outlook: what an experiment could show, told before it is run. Between the grid and the statistics of `power`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ablation.analysis.power import Design, detectable, seeds_needed
from ablation.evidence.arms import Block, Condition, pairs
from ablation.evidence.families import hardest_bar
from ablation.experiment import LOWER_IS_BETTER, Cell, Experiment
from ablation.results import Results

ASSUMED_SD = 0.01
"""Over seeds, where no run has told it yet: one point of a metric that is a share. Of a loss nothing can be assumed."""

DIFFERENCES = (0.005, 0.01, 0.02)
"""Half a point, one and two points. Of a loss, which has no natural size: as many halves, ones and twos of its sd."""


@dataclass(frozen=True)
class Spread:
    """The metric's sd over seeds, nan where nobody knows, and where that comes from."""

    sd: float = ASSUMED_SD
    origin: str = "assumed, as no run has told it yet"


@dataclass(frozen=True)
class Outlook:
    """What each comparison of these recipes could show, under each of these conditions, or pooled over them.

    In the metric's own unit (0.01 is a point). test_images: the fewest and the most of any run. smallest: the
    difference that is found with 80 % power after correction. needed: (difference, seeds per arm that find it with 80 %
    power), None where 1,000 are not enough. With an sd that is not known `smallest` is nan, and `needed` empty.
    """

    conditions: Block
    pooled: bool
    recipes: tuple[str, ...]
    seeds: int
    test_images: tuple[int, int]
    spread: Spread
    smallest: float
    needed: tuple[tuple[float, int | None], ...]


@dataclass(frozen=True)
class Sizes:
    """Of one condition: the fewest and the most test images, and n_test / n_train, the largest."""

    test_images: tuple[int, int]
    overlap: float


def outlooks(
    experiment: Experiment, cells: Sequence[Cell], sizes: dict[Condition, Sizes], single: Spread, pooled: Spread
) -> list[Outlook]:
    """One for all conditions that are alike in recipes and images, in the order of the grid, then one for the pooled.

    sizes: of each condition. single, pooled: the spread of a score under one condition, and of a seed's mean over all.
    """
    compared = {condition: _compared(experiment, cells, condition) for condition in sizes}
    held = [condition for condition in sizes if compared[condition]]
    places = Counter(recipe for condition in held for recipe in compared[condition])
    everywhere = tuple(recipe for recipe, count in places.items() if count > 1)
    single, pooled = (_of_metric(spread, experiment) for spread in (single, pooled))
    comparisons = places.total() + len(everywhere)
    bar = hardest_bar(experiment, comparisons, len(held) + bool(everywhere))
    alike: dict[object, list[Condition]] = {}
    for condition in held:
        alike.setdefault((compared[condition], sizes[condition]), []).append(condition)
    made = partial(_outlook, experiment, bar=bar, differences=_differences(experiment, single))
    told = [
        made(tuple(some), False, compared[some[0]], [sizes[place] for place in some], single) for some in alike.values()
    ]
    if everywhere:
        told.append(made(tuple(held), True, everywhere, [sizes[place] for place in held], pooled))
    return told


def _of_metric(spread: Spread, experiment: Experiment) -> Spread:
    """The spread, without an assumption that is made for accuracy where the metric is a loss."""
    if spread != Spread() or experiment.metric not in LOWER_IS_BETTER:
        return spread
    return Spread(math.nan, "not known before the first runs")


def _differences(experiment: Experiment, spread: Spread) -> tuple[float, ...]:
    """Those of which is told how many seeds they take."""
    if experiment.metric not in LOWER_IS_BETTER:
        return DIFFERENCES
    return tuple(difference / ASSUMED_SD * spread.sd for difference in DIFFERENCES)


def comparisons_of(told: Sequence[Outlook]) -> int:
    """How many comparisons are made in all."""
    return sum(len(one.recipes) * (1 if one.pooled else len(one.conditions)) for one in told)


def _compared(experiment: Experiment, cells: Sequence[Cell], condition: Condition) -> tuple[str, ...]:
    """The recipes that stand beside the baseline there."""
    here = dict.fromkeys(cell.factors["recipe"] for cell in cells if cell.condition == condition)
    return tuple(recipe for recipe in here if recipe != experiment.baseline) if experiment.baseline in here else ()


def _outlook(
    experiment: Experiment,
    conditions: Block,
    pooled: bool,
    recipes: tuple[str, ...],
    sizes: list[Sizes],
    spread: Spread,
    bar: tuple[int, float],
    differences: Sequence[float],
) -> Outlook:
    seeds, share = len(experiment.seed_numbers), max(size.overlap for size in sizes)
    comparisons, alpha = bar
    design = Design(experiment.declared_test, seeds, spread.sd, overlap=share, comparisons=comparisons, alpha=alpha)
    images = [images for size in sizes for images in size.test_images]
    known = not math.isnan(spread.sd)
    return Outlook(
        conditions,
        pooled,
        recipes,
        seeds,
        (min(images), max(images)),
        spread,
        detectable(design) if known else math.nan,
        tuple((difference, seeds_needed(design, difference)) for difference in differences if known),
    )


def seed_spread(results: Results, pooled: bool = False) -> Spread:
    """The sd over seeds, over all arms with two finished seeds or more: under one condition, or of means over all.

    The root of the mean of the arms' variances, each weighing its degrees of freedom. `ASSUMED_SD` where no arm has
    two, or where none of them varies.
    """
    arms = {
        (pair.own.every, pair.shared): pair.own
        for pair in pairs(results)
        if (len(pair.block) > 1) == pooled and len(pair.own.scores) > 1
    }
    variances = [float(np.var(list(arm.scores.values()), ddof=1)) for arm in arms.values()]
    freedom = [len(arm.scores) - 1 for arm in arms.values()]
    variance = float(np.average(variances, weights=freedom)) if arms else 0.0
    runs = sum(len(ids) for arm in arms.values() for ids in arm.runs.values())
    return Spread(math.sqrt(variance), f"estimated from {runs:,} finished runs") if variance > 0 else Spread()
