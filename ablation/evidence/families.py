"""Families: the declared test on every pair, corrected for how many there are. From pairs of arms to what is judged.

By Holm's correction all comparisons that are shown, pooled ones too, are one family. A test that judges the recipes of
a condition at once (Dunnett's) corrects within each, and for the number of conditions by Bonferroni. Equivalence is
corrected by Holm's in both. Comparisons that cannot be made yet count in their family all the same: whether a run
failed may have something to do with its score. So does the baseline under another name, of which nothing is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablation.analysis.comparison import Difference, Dunnett, holm
from ablation.evidence.arms import Block, Pair
from ablation.experiment import Experiment

MIN_SCORES = 2  # of either arm, for a difference with a standard error


@dataclass(frozen=True)
class Tested:
    """A difference with its interval over seeds at level 1 - alpha, and its p-values; nan where they are not known.

    p: before correction. p_adjusted, p_equivalent: after it.
    """

    difference: Difference
    low: float
    high: float
    p: float
    p_adjusted: float
    p_equivalent: float


def judged(experiment: Experiment, pairs: Sequence[Pair]) -> list[Tested | None]:
    """The declared test on all comparisons of the experiment, in order; None where an arm has too few scores.

    Pooled over a single condition is that condition again: it is judged, and counted, once.
    """
    places = {_question(pair): place for place, pair in reversed(list(enumerate(pairs)))}
    once = sorted(places.values())
    answers = dict(zip(once, _judged(experiment, [pairs[place] for place in once]), strict=True))
    return [answers[places[_question(pair)]] for pair in pairs]


def _question(pair: Pair) -> tuple[str, Block]:
    return pair.own.recipe, pair.shared or pair.block


def distinct(pairs: Sequence[Pair]) -> list[Pair]:
    """The comparisons that are a question of their own, see `judged`."""
    return list({_question(pair): pair for pair in reversed(pairs)}.values())[::-1]


def _judged(experiment: Experiment, pairs: Sequence[Pair]) -> list[Tested | None]:
    found = [_tested(experiment, pair) for pair in pairs]
    if isinstance(experiment.declared_test, Dunnett):
        found = _simultaneous(experiment, pairs, found)
    else:
        adjusted = holm([one.p if one else math.nan for one in found])
        found = [one and replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]
    equivalent = holm([one.difference.p_equivalent(experiment.margin) if one else math.nan for one in found])
    return [one and replace(one, p_equivalent=p) for one, p in zip(found, equivalent, strict=True)]


def _tested(experiment: Experiment, pair: Pair) -> Tested | None:
    if pair.seeds < MIN_SCORES:
        return None
    if same_runs(pair):
        return Tested(Difference(0.0, 0.0, math.nan), *(math.nan,) * 5)
    treatment, baseline = (list(arm.scores.values()) for arm in (pair.treatment, pair.reference))
    difference = experiment.declared_test.difference(treatment, baseline, pair.test_share)
    return Tested(difference, *difference.interval(experiment.alpha), difference.p_value(), math.nan, math.nan)


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
        place: Tested(difference, *interval, difference.p_value(), p_adjusted, math.nan)
        for alike, (difference, p_adjusted, interval) in zip(places.values(), told, strict=True)
        for place in alike
    }


def hardest_bar(experiment: Experiment, comparisons: int, families: int) -> tuple[int, float]:
    """(comparisons, alpha) that one comparison is up against before any other has passed, as `power.Design` takes them.

    families: of how many the comparisons are made, all of one size, where the test is simultaneous.
    """
    if experiment.declared_test.simultaneous:
        return max(1, math.ceil(comparisons / max(families, 1))), experiment.alpha / max(families, 1)
    return max(comparisons, 1), experiment.alpha


def same_runs(pair: Pair) -> bool:
    """Is the recipe the baseline under another name?"""
    return pair.own.every == pair.reference.every
