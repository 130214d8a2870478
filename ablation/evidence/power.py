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
from ablation.analysis.power import (
    POWER,
    Design,
    detectable,
    images_needed,
    sd_at_most,
    seeds_needed,
    seeds_to_decide,
)
from ablation.data.split import KFold, Redrawn, Split
from ablation.evidence.families import hardest_bar
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Block, Condition, Pair
from ablation.experiment.experiment import Cell, Experiment

DIFFERENCES = (0.005, 0.01, 0.02)
"""Half a point, one and two points. Of a loss, which has no natural size: as many halves, ones and twos of its sd."""

ASSUMED_IMAGE_SD = 0.2
"""Over test photographs, of the mean difference of two recipes: as if 1 in 25 were answered otherwise in every seed."""

ASSUMED_ACCURACY = 0.9
"""Before any run. A lower one makes the floor higher, down to one half."""

ALIKE_BY_SEED, ALIKE_BY_PHOTOGRAPH = 0.75, 0.5
"""Correlation over test photographs of right and wrong: of two recipes' runs with one seed, and of two seeds' runs of
one recipe. Measured in finished grids: 0.55 to 0.64 where an augmentation had an effect (0.68 to 0.89 where it had
none), and 0.29 to 0.45; rounded up, so that what follows is a floor."""

FEW_DF = 10
"""Degrees of freedom of an sd: with fewer a plan takes its upper limit (`ablation.analysis.power.sd_at_most`)."""


@dataclass(frozen=True)
class Spread:
    """The metric's sd over seeds, nan where nobody knows, and where that comes from.

    difference: the sd over seeds of a paired difference; None where only that of a score is known. images: the sd over
    test photographs of the mean difference; None where no run has shown it. df: degrees of freedom of what the test
    judges by; None where it was not estimated. score: the mean score of those runs. share: do they show that each image
    is right or wrong, by a metric of which that is not declared?
    """

    sd: float = math.nan
    origin: str = "not known before the first runs"
    difference: float | None = None
    images: float | None = None
    df: int | None = None
    score: float | None = None
    share: bool = False

    def of(self, test: Test) -> float:
        """What the test judges by: for paired tests the sd of a difference, by default as if seeds shared nothing."""
        if not test.paired:
            return self.sd
        return math.sqrt(2) * self.sd if self.difference is None else self.difference

    @property
    def few(self) -> bool:
        """Was it estimated, from so few runs that a plan takes its upper limit?"""
        return self.df is not None and self.df < FEW_DF

    def times(self, factor: float) -> Spread:
        """The same with other sds over seeds."""
        return replace(
            self, sd=factor * self.sd, difference=None if self.difference is None else factor * self.difference
        )


UNKNOWN = Spread()
"""Where no run has shown it, and nobody guesses."""


def floor_of(images: int, score: float = ASSUMED_ACCURACY, runs: int = 1, redrawn: bool = False) -> Spread:
    """The least sd over seeds that a share of so many test images has, whatever the training: that of a proportion.

    The variance of the share of right answers is score (1 - score) / images. Runs of several seeds err on the same
    photographs in part: `ALIKE_BY_PHOTOGRAPH` of it is no spread over seeds, unless the test part is `redrawn`. Two
    recipes' runs of one seed are alike by `ALIKE_BY_SEED`, which leaves 2 (1 - 0.75) of it to their difference.
    runs: over how many runs of a seed it is averaged. What test photographs add to that may be nothing.
    """
    binomial = math.sqrt(score * (1 - score) / images / runs)
    own = 1.0 if redrawn else 1 - ALIKE_BY_PHOTOGRAPH
    return Spread(
        math.sqrt(own) * binomial,
        f"the least that {images:,} test images allow",
        math.sqrt(2 * (1 - ALIKE_BY_SEED)) * binomial,
        0.0,
        score=score,
    )


def images_tested(split: Split, seeds: Sequence[int], total: int, test: int) -> int:
    """How many photographs are tested by any of the seeds. total, test: of the data, and of one test part.

    `KFold` tests other ones with each seed, until all were tested; `PerSeed` draws them anew, some of them again.
    """
    if isinstance(split, KFold):
        return min(total, test * len({seed % split.k for seed in seeds}))
    return round(total * (1 - (1 - test / total) ** len(seeds))) if split.redraws_test else test


def differing(score: float) -> float:
    """The share of test images that two recipes' runs of one seed answer differently, as `floor_of` takes it."""
    return 2 * (1 - ALIKE_BY_SEED) * score * (1 - score)


@dataclass(frozen=True)
class PlannedPower:
    """What each comparison of these recipes could show, under each of these conditions, or pooled over them.

    In the metric's own unit (0.01 is a point). test_images: the fewest and the most of any run. smallest: the
    difference that is detected with 80 % power after correction. needed: (difference, seeds per recipe that find it
    with 80 % power), None where 1,000 are not enough. spread: what both are of: where no run has shown it, the floor
    (`floor_of`), and where few have, its upper limit. Of a loss without runs `smallest` is nan, and `needed` empty.
    at_best: `smallest` with the floor, nan for a metric that is no share of images. estimated: the spread as runs have
    shown it; as_estimated: `smallest` with it, and with the floor where that is more.
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
    at_best: float = math.nan
    floor: Spread = UNKNOWN
    estimated: Spread = UNKNOWN
    as_estimated: float = math.nan


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
    experiment: Experiment,
    cells: Sequence[Cell],
    sizes: dict[Condition, Sizes],
    single: Spread,
    pooled: Spread,
    accuracy: float | None = None,
) -> list[PlannedPower]:
    """What the primary comparisons could show: one for all conditions that are alike in recipes and images, in the
    order of the grid, or one for the pooled ones, and those of recipes that only one condition has.

    sizes: of each condition. single, pooled: the spread of a score under one condition, and of a seed's mean over all.
    accuracy: that the floor is of; by default as finished runs have it, else `ASSUMED_ACCURACY`.
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
    if math.isnan(pooled.sd) and not math.isnan(single.sd):  # means over conditions vary less, nobody knows by how much
        pooled = replace(single, origin=f"{single.origin}, under one condition")
    differences = _differences(pooled if math.isnan(single.sd) else single, METRICS[experiment.metric].unit)
    made = partial(_power, experiment, bar=bar, differences=differences, accuracy=accuracy)
    every = [
        made(tuple(some), False, compared[some[0]], [sizes[condition] for condition in some], single)
        for some in alike.values()
    ]
    if everywhere and (together or simultaneous):
        every.append(made(tuple(held), True, everywhere, [sizes[condition] for condition in held], pooled))
    return every


def is_share(experiment: Experiment, spread: Spread = UNKNOWN) -> bool:
    """Is the metric a share of test images, or a mean of such shares over classes?

    As it is declared; of a metric of the author's own, as finished runs have shown it. No where they have not: then no
    floor is known, and nothing is added for few images.
    """
    declared = METRICS[experiment.metric].share
    return spread.share if declared is None else declared


def _differences(spread: Spread, unit: str) -> tuple[float, ...]:
    """Those for which the seeds that they need are given."""
    return DIFFERENCES if unit == "points" else tuple(100 * difference * spread.sd for difference in DIFFERENCES)


def _assumed(spread: Spread, floor: Spread) -> Spread:
    """What a plan is of: the spread as it is known; from few runs its upper limit, and the floor where that is more."""
    if math.isnan(spread.sd):
        return floor
    if spread.df is None or not spread.few:
        return spread
    limit = _at_least(spread.times(sd_at_most(1.0, spread.df)), floor)
    return replace(limit, origin=f"{spread.origin}: its upper limit at {100 * POWER:.0f} %")


def _at_least(spread: Spread, floor: Spread) -> Spread:
    """The spread, or the floor where that is more; either may be unknown."""
    difference = spread.difference and float(np.fmax(spread.difference, floor.difference or 0.0))
    return replace(spread, sd=float(np.fmax(spread.sd, floor.sd)), difference=difference)


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
    accuracy: float | None,
) -> PlannedPower:
    overlap, share = max(size.overlap for size in sizes), is_share(experiment, spread)
    images = [images for size in sizes for images in size.test_images]
    floor = UNKNOWN
    if share:
        floor = _floor(experiment, max(images), len(conditions) if pooled else 1, spread.score, accuracy)
    assumed = _assumed(spread, floor)
    design = _design(experiment, assumed, overlap, min(images), bar, share)
    best = _design(experiment, floor, overlap, max(images), bar, share)
    known = not math.isnan(assumed.sd)
    return PlannedPower(
        conditions,
        pooled,
        recipes,
        design.seeds,
        (min(images), max(images)),
        assumed,
        detectable(design) if known else math.nan,
        tuple((difference, seeds_needed(design, difference)) for difference in differences if known),
        detectable(replace(design, images=0)) if known and design.image_sd else math.nan,
        detectable(replace(design, overlap=0.0)) if known and design.overlap else math.nan,
        math.nan if math.isnan(floor.sd) else detectable(best),
        floor,
        spread,
        detectable(_design(experiment, _at_least(spread, floor), overlap, min(images), bar, share))
        if spread.few
        else math.nan,
    )


def _floor(experiment: Experiment, images: int, conditions: int, measured: float | None, given: float | None) -> Spread:
    """`floor_of` what is tested."""
    score = ASSUMED_ACCURACY if measured is None else (measured * images + 1) / (images + 2)  # never 0 or 1
    redrawn = all(split.redraws_test for split in experiment.levels("split").values())
    return floor_of(images, given or score, conditions * _runs_per_draw(experiment), redrawn)


def _design(
    experiment: Experiment, spread: Spread, overlap: float, images: int, bar: tuple[int, float], share: bool
) -> Design:
    """As `power` takes it. A paired difference has one sd: that of the recipe, the baseline's being 0."""
    test, (comparisons, alpha) = experiment.declared_test, bar
    image_sd = spread.images
    if image_sd is None:
        image_sd = ASSUMED_IMAGE_SD if share else 0.0
    return Design(
        test,
        len({seed // _runs_per_draw(experiment) for seed in experiment.seed_numbers}),
        spread.of(test),
        0.0 if test.paired else None,
        overlap=overlap,
        comparisons=comparisons,
        alpha=alpha,
        images=images if isinstance(test, Crossed) and METRICS[experiment.metric].whole is None else 0,
        image_sd=image_sd if isinstance(test, Crossed) else 0.0,
        share=share,
    )


def _runs_per_draw(experiment: Experiment) -> int:
    return max(int(split.runs_per_draw) for split in experiment.levels("split").values())


def seed_spread(experiment: Experiment, pairs: Sequence[Pair], scores: ImageScores, pooled: bool = False) -> Spread:
    """The sd over seeds, over all recipes with two finished seeds or more: under one condition, or of means over all.

    The root of the mean of their variances, each weighing its degrees of freedom; likewise of the paired differences to
    the baseline, and of what test photographs add to these. Not known where no recipe has two, or none varies.
    """
    held = [pair for pair in pairs if (len(pair.block) > 1) == pooled]
    recipes = {(pair.own.every, pair.shared): pair.own for pair in held if len(pair.own.scores) > 1}
    own = [list(runs.scores.values()) for runs in recipes.values()]
    score, variance = float(np.mean(np.concatenate(own))) if own else None, _mean_variance(own)
    share = METRICS[experiment.metric].share is None and scores.share
    if not variance > 0:
        return Spread(score=score, share=share)
    count = sum(len(ids) for recipe in recipes.values() for ids in recipe.runs.values())
    difference, images, df = None, None, sum(len(scores) - 1 for scores in own)
    beside = [pair for pair in held if pair.seeds > 1 and not pair.same_runs]
    if experiment.declared_test.paired and beside:
        changes = [
            [score - pair.reference.scores[seed] for seed, score in pair.treatment.scores.items()] for pair in beside
        ]
        difference, df = math.sqrt(_mean_variance(changes)), sum(len(some) - 1 for some in changes)
        spreads = [scores.spread(pair.runs)[1] for pair in beside]
        images = math.sqrt(float(np.mean(np.square(spreads)))) or None
    origin = f"estimated from {count:,} finished runs"
    return Spread(math.sqrt(variance), origin, difference or None, images, df, score, share)


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
    need = seeds_to_decide(design, difference, experiment.declared_margin or 0.0)
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
        share=bool(images) and scores.share,
    )


def _correlation(treatment: list[float], baseline: list[float]) -> float:
    """Of the recipe and the baseline over shared seeds; 0 where one of them does not vary."""
    if min(np.ptp(treatment), np.ptp(baseline)) == 0:
        return 0.0
    return float(np.corrcoef(treatment, baseline)[0, 1])
