"""Families: the declared test on every pair, corrected for how many there are. From pairs to what is judged.

What the experiment declares as primary (`Experiment.primary`) has alpha to itself; everything else that is shown stands
behind it in a gatekeeping procedure (`ablation.analysis.multiplicity`), and the family-wise error is that of all of it
together. Primary comparisons with nothing behind them are Holm's family; otherwise half of what each leaves goes there.
A test that judges the recipes of a condition at once (Dunnett's) corrects within each, and for the number of conditions
by Bonferroni. Comparisons that cannot be made yet count in their family all the same: whether a run failed may have
something to do with its score. So does the baseline under another name, of which nothing is tested.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ablation.analysis.comparison import Crossed, Difference, Dunnett
from ablation.analysis.crossed import CrossedDifference
from ablation.analysis.multiplicity import behind, gatekept, holm
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Block, Condition, Pair
from ablation.experiment.experiment import Experiment

OTHER_IMAGES = "its runs do not share two test photographs or more; Paired() judges on those given"
MIN_SCORES = 2  # of the recipe and of the baseline, for a difference with a standard error

Question = tuple[str, frozenset[Condition]]
"""A recipe against the baseline, over some conditions. Pooled over a single condition is that condition again."""


@dataclass(frozen=True)
class Tested:
    """A difference with its interval and its p-values; nan where they are not known.

    low, high: simultaneous over those of its kind (Bonferroni); what is undecided has one that holds 0. alone_low,
    alone_high: at level 1 - alpha, as if it were the only comparison. p: before correction. p_adjusted, p_equivalent:
    after it. reached: was it tested for a difference, or shown to be equivalent; or do the primary ones that it stands
    behind leave it nothing?
    """

    difference: Difference | CrossedDifference
    low: float
    high: float
    p: float
    p_adjusted: float
    p_equivalent: float
    alone_low: float = math.nan
    alone_high: float = math.nan
    reached: bool = True
    note: str = ""
    """Why it cannot be judged, where that is known here."""


@dataclass(frozen=True)
class Compared:
    """Every comparison of the experiment, judged once.

    Two tests of one question would sooner or later give two answers. Whoever asks about a recipe and the baseline looks
    here, and takes difference, interval and p-values together. primary: the questions of the primary family. bar:
    (comparisons, alpha) that one of these is up against before any other has passed, see `hardest_bar`.
    """

    tested: Mapping[Question, Tested | None]
    primary: frozenset[Question] = field(default_factory=frozenset)
    bar: tuple[int, float] = (1, 0.05)

    def of(self, recipe: str, conditions: Collection[Condition]) -> Tested | None:
        """The recipe against the baseline over just these conditions; None where one of them has too few scores, and
        where that is no comparison."""
        return self.tested.get((recipe, frozenset(conditions)))

    def is_primary(self, pair: Pair) -> bool:
        """Is it a comparison of the primary family?"""
        return _question(pair) in self.primary


def compare_pairs(experiment: Experiment, pairs: Sequence[Pair], scores: ImageScores) -> Compared:
    """The declared test on all comparisons, corrected. Which are primary does not depend on what has finished."""
    family: dict[Question, Pair] = {}
    for pair in pairs:
        if is_comparison(pair, experiment):
            family.setdefault(_question(pair), pair)
    each = list(family.values())
    if experiment.declared_test.simultaneous:
        parents: list[tuple[int, ...]] = [()] * len(each)
        judged = _judged_at_once(experiment, each, scores)
    else:
        parents = _parents(experiment, each)
        judged = _judged(experiment, each, scores, parents)
    primary = [pair for pair, ahead in zip(each, parents, strict=True) if not ahead]
    return Compared(
        dict(zip(family, judged, strict=True)),
        frozenset(map(_question, primary)),
        hardest_bar(experiment, len(primary), len({pair.block for pair in primary})),
    )


def is_comparison(pair: Pair, experiment: Experiment) -> bool:
    """Is it none of the baseline with itself, nor of a recipe that stands nowhere beside it?"""
    return pair.own.recipe != experiment.baseline and pair.own.planned > 0


def hardest_bar(experiment: Experiment, comparisons: int, families: int) -> tuple[int, float]:
    """(comparisons, alpha) that one primary comparison is up against before any other has passed, for `power.Design`.

    comparisons: the primary ones. families: of how many the comparisons are made, all of one size, where the test is
    simultaneous.
    """
    if experiment.declared_test.simultaneous:
        return max(1, math.ceil(comparisons / max(families, 1))), experiment.alpha / max(families, 1)
    return max(comparisons, 1), experiment.alpha


def _question(pair: Pair) -> Question:
    return pair.own.recipe, frozenset(pair.shared)


def _parents(experiment: Experiment, pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Of each comparison, those behind which it stands; () for the primary ones."""
    pooled: dict[str, int] = {}
    single: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        if len(pair.shared) > 1:
            pooled[pair.own.recipe] = index
        else:
            single.setdefault(pair.own.recipe, []).append(index)
    parents: list[tuple[int, ...]] = [()] * len(pairs)
    for recipe, index in pooled.items():
        if experiment.primary != "pooled":
            parents[index] = tuple(single.get(recipe, []))
            continue
        for other in single.get(recipe, []):
            parents[other] = (index,)
    return parents


def _judged(
    experiment: Experiment, pairs: Sequence[Pair], scores: ImageScores, parents: Sequence[tuple[int, ...]]
) -> list[Tested | None]:
    """By a test of one pair at a time, in the gatekeeping procedure. Its interval has the smallest share of alpha that
    a comparison is ever tested at."""
    alpha, each = experiment.alpha, [_tested(experiment, pair, scores) for pair in pairs]
    weights, transitions = behind(parents)
    p_values = [one.p if one else math.nan for one in each]
    by_difference = gatekept(p_values, weights, transitions, alpha)
    by_equivalence = gatekept(_equivalence(experiment, each), weights, transitions, alpha)
    corrected: list[Tested | None] = []
    for index, (one, ahead) in enumerate(zip(each, parents, strict=True)):
        least = min((weights[other] * transitions[other, index] for other in ahead), default=weights[index])
        p_equivalent = float(by_equivalence.adjusted[index])
        reached = not ahead or by_difference.level[index] > 0 or p_equivalent < alpha
        if one is not None:
            low, high = one.difference.interval(alpha * least)
            p = float(by_difference.adjusted[index])
            one = replace(one, low=low, high=high, p_adjusted=p, p_equivalent=p_equivalent, reached=bool(reached))
        corrected.append(one)
    return corrected


def _equivalence(experiment: Experiment, each: Sequence[Tested | None]) -> list[float]:
    """p of equivalence within the margin, before correction; nan for all of them where there is no margin."""
    margin = experiment.declared_margin
    return [one.difference.p_equivalent(margin) if one and margin is not None else math.nan for one in each]


def _tested(experiment: Experiment, pair: Pair, scores: ImageScores) -> Tested | None:
    """Before correction; None where one of them has too few scores."""
    test = experiment.declared_test
    if pair.seeds < MIN_SCORES:
        return None
    if pair.same_runs:
        return Tested(Difference(0.0, 0.0, math.nan), *(math.nan,) * 5)
    treatment, baseline = (list(one.scores.values()) for one in (pair.treatment, pair.reference))
    difference: Difference | CrossedDifference = test.difference(treatment, baseline, pair.overlap)
    if isinstance(test, Crossed):
        over_images = scores.difference(pair.runs, True, pair.overlap)
        if over_images is None:
            return Tested(Difference(difference.estimate, 0.0, math.nan), *(math.nan,) * 5, note=OTHER_IMAGES)
        difference = over_images
    interval = difference.interval(experiment.alpha)
    return Tested(difference, *interval, difference.p_value(), math.nan, math.nan, *interval)


def _judged_at_once(experiment: Experiment, pairs: Sequence[Pair], scores: ImageScores) -> list[Tested | None]:
    """By Dunnett's test: variance, p-values and intervals are those of families, the recipes of a block that share a
    baseline."""
    families: dict[tuple[Block, Block], list[int]] = {}
    for index, pair in enumerate(pairs):
        families.setdefault((pair.block, pair.shared), []).append(index)
    judged = [_tested(experiment, pair, scores) for pair in pairs]
    for members in families.values():
        for member, tested in _family(experiment, [pairs[index] for index in members], len(families)).items():
            judged[members[member]] = tested
    equivalent = holm(_equivalence(experiment, judged)).tolist()
    return [one and replace(one, p_equivalent=p) for one, p in zip(judged, equivalent, strict=True)]


def _family(experiment: Experiment, pairs: Sequence[Pair], families: int) -> dict[int, Tested]:
    """Index in `pairs` -> what Dunnett's test says of it, where it can be made. Runs with two names count once."""
    test = experiment.declared_test
    assert isinstance(test, Dunnett)
    by_runs: dict[frozenset[str], list[int]] = {}
    for index, pair in enumerate(pairs):
        if pair.seeds >= MIN_SCORES and not pair.same_runs:
            by_runs.setdefault(pair.own.every, []).append(index)
    if not by_runs:
        return {}
    first = [pairs[members[0]] for members in by_runs.values()]
    family = test.family(
        [list(pair.treatment.scores.values()) for pair in first],
        list(first[0].reference.scores.values()),
        len(pairs) - len(first),
    )
    judged = zip(
        family.differences, family.p_adjusted(families), family.intervals(experiment.alpha, families), strict=True
    )
    return {
        member: Tested(
            difference, *interval, difference.p_value(), p_adjusted, math.nan, *difference.interval(experiment.alpha)
        )
        for members, (difference, p_adjusted, interval) in zip(by_runs.values(), judged, strict=True)
        for member in members
    }
