"""Outlook: what an experiment could show, told before it is run. Between the grid and the statistics of `power`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ablation.analysis.comparison import CorrectedResampled, Crossed, Test
from ablation.analysis.metrics import METRICS
from ablation.analysis.power import Design, detectable, seeds_needed
from ablation.data.split import Redrawn, Split
from ablation.evidence.families import hardest_bar, same_runs
from ablation.evidence.image_intervals import image_scores
from ablation.evidence.pairs import Block, Condition, pairs
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results

ASSUMED_SD = 0.01
"""Over seeds, where no run has told it yet: one point of a metric that is a share. Of a loss nothing can be assumed."""

DIFFERENCES = (0.005, 0.01, 0.02)
"""Half a point, one and two points. Of a loss, which has no natural size: as many halves, ones and twos of its sd."""


ASSUMED_IMAGE_SD = 0.2
"""Over test photographs, of the mean difference of two recipes: as if 1 in 25 were answered otherwise in every seed."""


@dataclass(frozen=True)
class Spread:
    """The metric's sd over seeds, nan where nobody knows, and where that comes from.

    difference: the sd over seeds of a paired difference; None where only that of a score is known. images: the sd over
    test photographs of the mean difference; None where no run has shown it.
    """

    sd: float = ASSUMED_SD
    origin: str = "assumed, as no run has told it yet"
    difference: float | None = None
    images: float | None = None

    def of(self, test: Test) -> float:
        """What the test judges by: for paired tests the sd of a difference, by default as if seeds shared nothing."""
        if not test.paired:
            return self.sd
        return math.sqrt(2) * self.sd if self.difference is None else self.difference


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
    on_these_images: float = math.nan
    """`smallest` if the test photographs were taken as given, where they count as drawn."""
    without_overlap: float = math.nan
    """`smallest` if no training parts shared a photograph, where some do."""


@dataclass(frozen=True)
class Sizes:
    """Of one condition: the fewest and the most test images, and what its test allows for (`overlap_planned`)."""

    test_images: tuple[int, int]
    overlap: float


def overlap_planned(experiment: Experiment, split: Split, total: int, train: int, test: int) -> float:
    """The overlap that the declared test allows for, before any run: see `ablation.evidence.pairs.overlap_of`.

    total, train, test: images of the data, and of the parts.
    """
    if isinstance(experiment.declared_test, CorrectedResampled):
        return test / train
    draws = sorted({seed // split.runs_per_draw for seed in experiment.seed_numbers})
    return split.overlap(total, draws, train) if isinstance(split, Redrawn) else 0.0


def outlooks(
    experiment: Experiment, cells: Sequence[Cell], sizes: dict[Condition, Sizes], single: Spread, pooled: Spread
) -> list[Outlook]:
    """What the primary comparisons could show: one for all conditions that are alike in recipes and images, in the
    order of the grid, or one for the pooled ones, and those of recipes that only one condition has.

    sizes: of each condition. single, pooled: the spread of a score under one condition, and of a seed's mean over all.
    """
    compared = {condition: _compared(experiment, cells, condition) for condition in sizes}
    held = [condition for condition in sizes if compared[condition]]
    places = Counter(recipe for condition in held for recipe in compared[condition])
    everywhere = tuple(recipe for recipe, count in places.items() if count > 1)
    single, pooled = (_of_metric(spread, experiment) for spread in (single, pooled))
    together = experiment.primary == "pooled" and not experiment.declared_test.simultaneous
    if together:
        compared = {
            condition: tuple(recipe for recipe in recipes if places[recipe] == 1)
            for condition, recipes in compared.items()
        }
    several = [condition for condition in held if compared[condition]]
    primary = len(places) if together else places.total()
    every = places.total() + len(everywhere)
    simultaneous = experiment.declared_test.simultaneous
    bar = hardest_bar(experiment, every if simultaneous else primary, len(held) + bool(everywhere))
    alike: dict[object, list[Condition]] = {}
    for condition in several:
        alike.setdefault((compared[condition], sizes[condition]), []).append(condition)
    made = partial(_outlook, experiment, bar=bar, differences=_differences(experiment, single))
    told = [
        made(tuple(some), False, compared[some[0]], [sizes[place] for place in some], single) for some in alike.values()
    ]
    if everywhere and (together or simultaneous):
        told.append(made(tuple(held), True, everywhere, [sizes[place] for place in held], pooled))
    return told


def _of_metric(spread: Spread, experiment: Experiment) -> Spread:
    """The spread, without an assumption that is made for accuracy where the metric is a loss."""
    if spread != Spread() or not METRICS[experiment.metric].lower_is_better:
        return spread
    return Spread(math.nan, "not known before the first runs")


def _differences(experiment: Experiment, spread: Spread) -> tuple[float, ...]:
    """Those of which is told how many seeds they take."""
    if not METRICS[experiment.metric].lower_is_better:
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
    share = max(size.overlap for size in sizes)
    images = [images for size in sizes for images in size.test_images]
    design = _design(experiment, spread, share, min(images), bar)
    seeds, known = design.seeds, not math.isnan(spread.sd)
    return Outlook(
        conditions,
        pooled,
        recipes,
        seeds,
        (min(images), max(images)),
        spread,
        detectable(design) if known else math.nan,
        tuple((difference, seeds_needed(design, difference)) for difference in differences if known),
        detectable(replace(design, image_sd=0.0)) if known and design.image_sd else math.nan,
        detectable(replace(design, overlap=0.0)) if known and design.overlap else math.nan,
    )


def _design(experiment: Experiment, spread: Spread, overlap: float, images: int, bar: tuple[int, float]) -> Design:
    """As `power` takes it. A difference that is paired has the sd of one arm, the other being nothing."""
    test, (comparisons, alpha) = experiment.declared_test, bar
    image_sd = spread.images
    if image_sd is None:
        image_sd = 0.0 if METRICS[experiment.metric].lower_is_better else ASSUMED_IMAGE_SD
    return Design(
        test,
        len({seed // _runs_per_draw(experiment) for seed in experiment.seed_numbers}),
        spread.of(test),
        0.0 if test.paired else None,
        overlap=overlap,
        comparisons=comparisons,
        alpha=alpha,
        images=images,
        image_sd=image_sd if isinstance(test, Crossed) else 0.0,
        share=not METRICS[experiment.metric].lower_is_better,
    )


def _runs_per_draw(experiment: Experiment) -> int:
    return max(split.runs_per_draw for split in experiment.levels("split").values())


def seed_spread(results: Results, pooled: bool = False) -> Spread:
    """The sd over seeds, over all arms with two finished seeds or more: under one condition, or of means over all.

    The root of the mean of the arms' variances, each weighing its degrees of freedom; likewise of the paired
    differences to the baseline, and of what test photographs add to these. `ASSUMED_SD` where no arm has two, or none
    varies.
    """
    held = [pair for pair in pairs(results) if (len(pair.block) > 1) == pooled]
    arms = {(pair.own.every, pair.shared): pair.own for pair in held if len(pair.own.scores) > 1}
    variance = _mean_variance([list(arm.scores.values()) for arm in arms.values()])
    if not variance > 0:
        return Spread()
    runs = sum(len(ids) for arm in arms.values() for ids in arm.runs.values())
    difference, images = None, None
    beside = [pair for pair in held if pair.seeds > 1 and not same_runs(pair)]
    if results.experiment.declared_test.paired and beside:
        changes = [
            [score - pair.reference.scores[seed] for seed, score in pair.treatment.scores.items()] for pair in beside
        ]
        difference = math.sqrt(_mean_variance(changes))
        spreads = [image_scores(results).spread((pair.treatment.runs, pair.reference.runs))[1] for pair in beside]
        images = math.sqrt(float(np.mean(np.square(spreads)))) or None
    return Spread(math.sqrt(variance), f"estimated from {runs:,} finished runs", difference or None, images)


def _mean_variance(groups: Sequence[Sequence[float]]) -> float:
    """Of the groups' sample variances, each weighing its degrees of freedom; 0 without one."""
    if not groups:
        return 0.0
    return float(np.average([np.var(group, ddof=1) for group in groups], weights=[len(group) - 1 for group in groups]))
