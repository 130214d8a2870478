"""Families: the declared test on every pair, corrected for how many there are. From pairs of arms to what is judged.

What the experiment declares as primary (`Experiment.primary`) has alpha to itself; everything else that is shown stands
behind it in a gatekeeping procedure (`ablation.analysis.gatekeeping`), and the family-wise error is that of all of it
together. Primary comparisons with nothing behind them are Holm's family; otherwise half of what each leaves goes there.
A test that judges the recipes of a condition at once (Dunnett's) corrects within each, and for the number of conditions
by Bonferroni. Comparisons that cannot be made yet count in their family all the same: whether a run failed may have
something to do with its score. So does the baseline under another name, of which nothing is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablation.analysis.comparison import Crossed, Difference, Dunnett, holm
from ablation.analysis.crossed import CrossedDifference
from ablation.analysis.gatekeeping import Gatekept, behind, gatekept
from ablation.evidence.image_intervals import image_scores
from ablation.evidence.pairs import Block, Pair
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

OTHER_IMAGES = "its runs were tested on different photographs; Paired() judges on those given"
MIN_SCORES = 2  # of either arm, for a difference with a standard error


@dataclass(frozen=True)
class Tested:
    """A difference with its interval and its p-values; nan where they are not known.

    low, high: simultaneous over those of its kind (Bonferroni); what is undecided has one that holds 0. alone_low,
    alone_high: at level 1 - alpha, as if nothing else were asked. p: before correction. p_adjusted, p_equivalent: after
    it. primary: is it of the primary family? reached: was it tested for a difference, or shown to be equivalent; or do
    the primary ones that it stands behind leave it nothing?
    """

    difference: Difference | CrossedDifference
    low: float
    high: float
    p: float
    p_adjusted: float
    p_equivalent: float
    alone_low: float = math.nan
    alone_high: float = math.nan
    primary: bool = True
    reached: bool = True
    note: str = ""
    """Why it cannot be judged, where that is known here."""


def judged(results: Results, pairs: Sequence[Pair]) -> list[Tested | None]:
    """The declared test on all comparisons of the experiment, in order; None where an arm has too few scores.

    Pooled over a single condition is that condition again: it is judged, and counted, once.
    """
    places = {_question(pair): place for place, pair in reversed(list(enumerate(pairs)))}
    once = sorted(places.values())
    answers = dict(zip(once, _judged(results, [pairs[place] for place in once]), strict=True))
    return [answers[places[_question(pair)]] for pair in pairs]


def _question(pair: Pair) -> tuple[str, Block]:
    return pair.own.recipe, pair.shared or pair.block


def distinct(pairs: Sequence[Pair]) -> list[Pair]:
    """The comparisons that are a question of their own, see `judged`."""
    return list({_question(pair): pair for pair in reversed(pairs)}.values())[::-1]


def are_primary(experiment: Experiment, pairs: Sequence[Pair]) -> list[bool]:
    """Of each comparison, whether it is of the primary family, whatever has finished; all are for Dunnett's test."""
    if isinstance(experiment.declared_test, Dunnett):
        return [True] * len(pairs)
    return [not parents for parents in _parents(experiment, pairs)]


def _judged(results: Results, pairs: Sequence[Pair]) -> list[Tested | None]:
    experiment = results.experiment
    found = [_tested(results, pair) for pair in pairs]
    if isinstance(experiment.declared_test, Dunnett):
        found = _simultaneous(experiment, pairs, found)
        equivalent = holm([one.difference.p_equivalent(experiment.margin) if one else math.nan for one in found])
        return [one and replace(one, p_equivalent=p) for one, p in zip(found, equivalent, strict=True)]
    parents = _parents(experiment, pairs)
    weights, transitions = behind(parents)
    by_difference, by_equivalence = (
        gatekept(p_values, weights, transitions, experiment.alpha)
        for p_values in (
            [one.p if one else math.nan for one in found],
            [one.difference.p_equivalent(experiment.margin) if one else math.nan for one in found],
        )
    )
    least = [
        min((weights[other] * transitions[other, place] for other in ahead), default=weights[place])
        for place, ahead in enumerate(parents)
    ]
    return [
        one and _corrected(experiment, one, place, not parents[place], least[place], by_difference, by_equivalence)
        for place, one in enumerate(found)
    ]


def _parents(experiment: Experiment, pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Of each comparison, those behind which it stands; () for the primary ones."""
    pooled: dict[str, int] = {}
    single: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        if len(pair.shared or pair.block) > 1:
            pooled[pair.own.recipe] = place
        else:
            single.setdefault(pair.own.recipe, []).append(place)
    first = experiment.primary == "pooled"
    found: list[tuple[int, ...]] = [()] * len(pairs)
    for recipe, place in pooled.items():
        for other in single.get(recipe, []) if first else []:
            found[other] = (place,)
        if not first:
            found[place] = tuple(single.get(recipe, []))
    return found


def _corrected(
    experiment: Experiment,
    one: Tested,
    place: int,
    primary: bool,
    least: float,
    by_difference: Gatekept,
    by_equivalence: Gatekept,
) -> Tested:
    """least: the smallest share of alpha that it is ever tested at, and its interval always has."""
    p_adjusted, p_equivalent = float(by_difference.adjusted[place]), float(by_equivalence.adjusted[place])
    reached = primary or by_difference.level[place] > 0 or p_equivalent < experiment.alpha
    low, high = one.difference.interval(experiment.alpha * least)
    return replace(
        one, low=low, high=high, p_adjusted=p_adjusted, p_equivalent=p_equivalent, primary=primary, reached=reached
    )


def _tested(results: Results, pair: Pair) -> Tested | None:
    """Before correction."""
    test, alpha = results.experiment.declared_test, results.experiment.alpha
    if pair.seeds < MIN_SCORES:
        return None
    if same_runs(pair):
        return Tested(Difference(0.0, 0.0, math.nan), *(math.nan,) * 5)
    treatment, baseline = (list(arm.scores.values()) for arm in (pair.treatment, pair.reference))
    difference: Difference | CrossedDifference = test.difference(treatment, baseline, pair.overlap)
    if isinstance(test, Crossed):
        found = image_scores(results).difference((pair.treatment.runs, pair.reference.runs), True, pair.overlap)
        if found is None:
            return Tested(Difference(difference.estimate, 0.0, math.nan), *(math.nan,) * 5, note=OTHER_IMAGES)
        difference = found
    span = difference.interval(alpha)
    return Tested(difference, *span, difference.p_value(), math.nan, math.nan, *span)


def _simultaneous(experiment: Experiment, pairs: Sequence[Pair], found: list[Tested | None]) -> list[Tested | None]:
    """With the variance, p-values and intervals of Dunnett's families: the recipes of a block that share a baseline."""
    families: dict[tuple[Block, Block], list[int]] = {}
    for place, pair in enumerate(pairs):
        families.setdefault((pair.block, pair.shared), []).append(place)
    made = list(found)
    for places in families.values():
        for place, one in _family(experiment, [pairs[place] for place in places], len(families)).items():
            made[places[place]] = one
    return made


def _family(experiment: Experiment, pairs: Sequence[Pair], families: int) -> dict[int, Tested]:
    """place in `pairs` -> what Dunnett's test says of it, where it can be made. Runs with two names count once."""
    test = experiment.declared_test
    assert isinstance(test, Dunnett)
    places: dict[frozenset[str], list[int]] = {}
    for place, pair in enumerate(pairs):
        if pair.seeds >= MIN_SCORES and not same_runs(pair):
            places.setdefault(pair.own.every, []).append(place)
    if not places:
        return {}
    arms = [pairs[first].treatment for first, *_ in places.values()]
    reference = pairs[next(iter(places.values()))[0]].reference
    family = test.family(
        [list(arm.scores.values()) for arm in arms], list(reference.scores.values()), len(pairs) - len(arms)
    )
    told = zip(
        family.differences, family.p_adjusted(families), family.intervals(experiment.alpha, families), strict=True
    )
    return {
        place: Tested(
            difference, *interval, difference.p_value(), p_adjusted, math.nan, *difference.interval(experiment.alpha)
        )
        for alike, (difference, p_adjusted, interval) in zip(places.values(), told, strict=True)
        for place in alike
    }


def hardest_bar(experiment: Experiment, comparisons: int, families: int) -> tuple[int, float]:
    """(comparisons, alpha) that one primary comparison is up against before any other has passed, for `power.Design`.

    comparisons: the primary ones. families: of how many the comparisons are made, all of one size, where the test is
    simultaneous.
    """
    if experiment.declared_test.simultaneous:
        return max(1, math.ceil(comparisons / max(families, 1))), experiment.alpha / max(families, 1)
    return max(comparisons, 1), experiment.alpha


def same_runs(pair: Pair) -> bool:
    """Is the recipe the baseline under another name?"""
    return pair.own.every == pair.reference.every
