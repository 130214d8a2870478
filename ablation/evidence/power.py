"""Power: what an experiment could show before it is run, and what would decide what it leaves open.

Between the grid, or a pair, and the statistics of `ablation.analysis.power`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ablation.analysis.comparison import CorrectedResampled, Crossed, Test
from ablation.analysis.metrics import METRICS
from ablation.analysis.power import Design, detectable, images_needed, seeds_needed, seeds_to_decide
from ablation.data.split import Redrawn, Split
from ablation.evidence.families import hardest_bar
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Block, Condition, Pair
from ablation.experiment.experiment import Cell, Experiment

ASSUMED_SD = 0.01
"""Over seeds, where no run has shown it yet: one point of a share. Of a loss nothing can be assumed."""

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
    origin: str = "assumed, as no run has shown it yet"
    difference: float | None = None
    images: float | None = None

    def of(self, test: Test) -> float:
        """What the test judges by: for paired tests the sd of a difference, by default as if seeds shared nothing."""
        if not test.paired:
            return self.sd
        return math.sqrt(2) * self.sd if self.difference is None else self.difference


@dataclass(frozen=True)
class PlannedPower:
    """What each comparison of these recipes could show, under each of these conditions, or pooled over them.

    In the metric's own unit (0.01 is a point). test_images: the fewest and the most of any run. smallest: the
    difference that is detected with 80 % power after correction. needed: (difference, seeds per recipe that find it
    with 80 % power), None where 1,000 are not enough. With an sd that is not known `smallest` is nan, and `needed`
    empty.
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


def planned_power(
    experiment: Experiment, cells: Sequence[Cell], sizes: dict[Condition, Sizes], single: Spread, pooled: Spread
) -> list[PlannedPower]:
    """What the primary comparisons could show: one for all conditions that are alike in recipes and images, in the
    order of the grid, or one for the pooled ones, and those of recipes that only one condition has.

    sizes: of each condition. single, pooled: the spread of a score under one condition, and of a seed's mean over all.
    """
    compared = {condition: _compared(experiment, cells, condition) for condition in sizes}
    held = [condition for condition in sizes if compared[condition]]
    counts = Counter(recipe for condition in held for recipe in compared[condition])
    everywhere = tuple(recipe for recipe, count in counts.items() if count > 1)
    simultaneous = experiment.declared_test.simultaneous
    together = experiment.primary == "pooled" and not simultaneous
    if together:
        primary = len(counts)
        compared = {
            condition: tuple(recipe for recipe in recipes if counts[recipe] == 1)
            for condition, recipes in compared.items()
        }
    else:
        primary = counts.total() + (len(everywhere) if simultaneous else 0)
    alike: dict[object, list[Condition]] = {}
    for condition in (condition for condition in held if compared[condition]):
        alike.setdefault((compared[condition], sizes[condition]), []).append(condition)
    bar = hardest_bar(experiment, primary, len(held) + bool(everywhere))
    single, pooled = _of_metric(single, experiment), _of_metric(pooled, experiment)
    made = partial(_power, experiment, bar=bar, differences=_differences(experiment, single))
    every = [
        made(tuple(some), False, compared[some[0]], [sizes[condition] for condition in some], single)
        for some in alike.values()
    ]
    if everywhere and (together or simultaneous):
        every.append(made(tuple(held), True, everywhere, [sizes[condition] for condition in held], pooled))
    return every


def _of_metric(spread: Spread, experiment: Experiment) -> Spread:
    """The spread, without an assumption that is made for accuracy where the metric is a loss."""
    if spread != Spread() or not METRICS[experiment.metric].lower_is_better:
        return spread
    return Spread(math.nan, "not known before the first runs")


def _differences(experiment: Experiment, spread: Spread) -> tuple[float, ...]:
    """Those for which the seeds that they need are given."""
    if not METRICS[experiment.metric].lower_is_better:
        return DIFFERENCES
    return tuple(difference / ASSUMED_SD * spread.sd for difference in DIFFERENCES)


def comparisons_of(planned: Sequence[PlannedPower]) -> int:
    """How many primary comparisons are made in all."""
    return sum(len(one.recipes) * (1 if one.pooled else len(one.conditions)) for one in planned)


def _compared(experiment: Experiment, cells: Sequence[Cell], condition: Condition) -> tuple[str, ...]:
    """The recipes that stand beside the baseline there."""
    here = dict.fromkeys(cell.factors["recipe"] for cell in cells if cell.condition == condition)
    return tuple(recipe for recipe in here if recipe != experiment.baseline) if experiment.baseline in here else ()


def _power(
    experiment: Experiment,
    conditions: Block,
    pooled: bool,
    recipes: tuple[str, ...],
    sizes: list[Sizes],
    spread: Spread,
    bar: tuple[int, float],
    differences: Sequence[float],
) -> PlannedPower:
    share = max(size.overlap for size in sizes)
    images = [images for size in sizes for images in size.test_images]
    design = _design(experiment, spread, share, min(images), bar)
    seeds, known = design.seeds, not math.isnan(spread.sd)
    return PlannedPower(
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
    """As `power` takes it. A paired difference has one sd: that of the recipe, the baseline's being 0."""
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
    return max(int(split.runs_per_draw) for split in experiment.levels("split").values())


def seed_spread(experiment: Experiment, pairs: Sequence[Pair], scores: ImageScores, pooled: bool = False) -> Spread:
    """The sd over seeds, over all recipes with two finished seeds or more: under one condition, or of means over all.

    The root of the mean of their variances, each weighing its degrees of freedom; likewise of the paired differences to
    the baseline, and of what test photographs add to these. `ASSUMED_SD` where no recipe has two, or none varies.
    """
    held = [pair for pair in pairs if (len(pair.block) > 1) == pooled]
    recipes = {(pair.own.every, pair.shared): pair.own for pair in held if len(pair.own.scores) > 1}
    variance = _mean_variance([list(runs.scores.values()) for runs in recipes.values()])
    if not variance > 0:
        return Spread()
    count = sum(len(ids) for recipe in recipes.values() for ids in recipe.runs.values())
    difference, images = None, None
    beside = [pair for pair in held if pair.seeds > 1 and not pair.same_runs]
    if experiment.declared_test.paired and beside:
        changes = [
            [score - pair.reference.scores[seed] for seed, score in pair.treatment.scores.items()] for pair in beside
        ]
        difference = math.sqrt(_mean_variance(changes))
        spreads = [scores.spread(pair.runs)[1] for pair in beside]
        images = math.sqrt(float(np.mean(np.square(spreads)))) or None
    return Spread(math.sqrt(variance), f"estimated from {count:,} finished runs", difference or None, images)


def _mean_variance(groups: Sequence[Sequence[float]]) -> float:
    """Of the groups' sample variances, each weighing its degrees of freedom; 0 without one."""
    if not groups:
        return 0.0
    return float(np.average([np.var(group, ddof=1) for group in groups], weights=[len(group) - 1 for group in groups]))


@dataclass(frozen=True)
class Needs:
    """New seeds of each recipe, or test photographs with the seeds there are, for 80 % power; nan where none would do.

    decided_as: "different" or "equivalent"; "neither" where not even 1,000 seeds would.
    """

    seeds_needed: float
    images_needed: float
    decided_as: str


def needs_of(
    experiment: Experiment, pair: Pair, bar: tuple[int, float], difference: float, scores: ImageScores
) -> Needs:
    """What a new experiment like this one would take to decide a pair, if the truth is this difference.

    bar: (comparisons, alpha), see `ablation.evidence.families.hardest_bar`.
    """
    design = design_of(experiment, pair, bar, scores)
    need = seeds_to_decide(design, difference, experiment.margin)
    images = images_needed(design, difference)
    return Needs(need.seeds if need else math.nan, images or math.nan, need.verdict if need else "neither")


def design_of(experiment: Experiment, pair: Pair, bar: tuple[int, float], scores: ImageScores) -> Design:
    """A new experiment like this one, if the scores of the pair vary as they did."""
    treatment, baseline = (list(runs.scores.values()) for runs in (pair.treatment, pair.reference))
    test = experiment.declared_test
    images, image_sd = scores.spread(pair.runs) if test.new_images else (0, 0.0)
    return Design(
        test,
        pair.seeds,
        float(np.std(treatment, ddof=1)),
        float(np.std(baseline, ddof=1)),
        _correlation(treatment, baseline) if test.paired else 0.0,
        pair.overlap,
        *bar,
        images=images,
        image_sd=image_sd,
        share=not METRICS[experiment.metric].lower_is_better,
    )


def _correlation(treatment: list[float], baseline: list[float]) -> float:
    """Of the recipe and the baseline over shared seeds; 0 where one of them does not vary."""
    if min(np.ptp(treatment), np.ptp(baseline)) == 0:
        return 0.0
    return float(np.corrcoef(treatment, baseline)[0, 1])
