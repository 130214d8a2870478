"""Does the winner survive a change of optimizer? Ranks of recipes over conditions, and the best recipe's rivals.

A condition is a level of everything but recipe and seed. Ranks describe whether conditions order the recipes alike,
without a p, as conditions share seeds and photographs; `winner` asks of each condition whether another recipe really
beats the one that is best on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.comparison import Difference, Test, Welch
from ablation.analysis.multiplicity import holm
from ablation.analysis.student import Floats


@dataclass(frozen=True)
class Ranks:
    """average: of each recipe over the conditions, 1 is best. kendall_w: agreement of the conditions, in [0, 1]."""

    average: tuple[float, ...]
    conditions: int
    kendall_w: float


def rank_stability(scores: ArrayLike) -> Ranks:
    """scores (N conditions, k recipes), higher is better, N and k >= 2; no gaps. Equal scores share their mean rank.

    Kendall's W is 12 sum (R_j - (k + 1) / 2)^2 / (k (k^2 - 1)) with average ranks R_j (Kendall and Babington Smith
    1939), not corrected for ties.

    >>> rank_stability([[0.7, 0.9, 0.8], [0.6, 0.8, 0.7]])
    Ranks(average=(3.0, 1.0, 2.0), conditions=2, kendall_w=1.0)
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or min(scores.shape) < 2 or not np.isfinite(scores).all():
        raise ValueError(f"ranks need finite scores (conditions, recipes), at least 2 x 2: got shape {scores.shape}")
    recipes, one, other = scores.shape[1], scores[:, :, None], scores[:, None, :]
    ranks = ((other > one).sum(axis=2) + (other >= one).sum(axis=2) + 1) / 2  # those that are ahead, and half the ties
    average = ranks.mean(axis=0)
    spread = float(np.square(average - (recipes + 1) / 2).sum())
    return Ranks(tuple(average.tolist()), len(scores), 12 * spread / (recipes * (recipes**2 - 1)))


@dataclass(frozen=True)
class Rival:
    """A recipe that stands before the overall winner under one condition. difference: rival - winner, in the metric.

    p: after correction; nan where the test cannot judge. declared: is it the p of a comparison with the baseline, in
    the declared family? Else it is corrected over the pairs of `Winner`.
    """

    condition: str
    recipe: str
    difference: Difference
    p: float
    declared: bool


@dataclass(frozen=True)
class Winner:
    """overall: best mean over the conditions, each weighing the same. best: the best mean under each condition.

    same: is `overall` best under each of them? rivals: who stands before it somewhere, by condition. survives: is none
    of them better beyond chance, by the declared test after correction? A winner that survives may still be
    tied. contenders: the others that may as well be the true best of all conditions, as no test puts them behind
    `overall` under any. pairs: how many comparisons with `overall` were made here, one family for Holm.
    """

    overall: str
    best: dict[str, str]
    same: bool
    rivals: tuple[Rival, ...]
    survives: bool
    contenders: tuple[str, ...]
    pairs: int


EVERYWHERE = ""
"""The key of all conditions together."""

Known = Mapping[tuple[str, str], tuple[float, float]]
"""(condition or `EVERYWHERE`, recipe) -> its difference to the baseline, and the corrected p of that comparison."""


def winner(
    scores: Mapping[str, Mapping[str, ArrayLike]],
    test: Test | None = None,
    overlap: float = 0.0,
    alpha: float = 0.05,
    higher_is_better: bool = True,
    baseline: str | None = None,
    known: Known | None = None,
) -> Winner:
    """scores: condition -> recipe -> per-seed scores (n,), n >= 1: the same seeds in one order if the test pairs them.

    nan stands for a run that is missing; a difference is made of the seeds that both have, if the test pairs them, and
    of two scores or more on each side. test: the declared one, by default `Welch()`. Recipes that some condition lacks
    cannot win overall. Of equal means the first in order wins. known: the comparisons with the baseline that have been
    judged; they are not judged again, so that no second answer is given to one question.

    That the winner is chosen by the same scores makes rivals look smaller than they are, so it is no reason for a false
    one. The true best is missing among `overall` and `contenders` only where another has beaten it by chance. For that
    each family allows with alpha: the declared one, and the others' by Bonferroni over the comparisons of one recipe,
    whichever of its rivals was picked (the reasoning of Hsu 1984, Annals of Statistics 12). Both together thus keep 2
    alpha, and all conditions are treated alike: to be behind under one is enough.
    """
    test = test or Welch()
    sign = 1.0 if higher_is_better else -1.0
    tables = {where: {name: np.asarray(runs, float) for name, runs in own.items()} for where, own in scores.items()}
    means = {
        where: {name: sign * float(np.nanmean(runs)) for name, runs in own.items()} for where, own in tables.items()
    }
    overall = _best_on_average(means)
    best = {where: max(own, key=own.__getitem__) for where, own in means.items()}
    pairs = [(where, name) for where, own in tables.items() for name in own if name != overall]
    declared = _beside(overall, baseline, known or {})
    gaps = {pair: _difference(test, tables[pair[0]][pair[1]], tables[pair[0]][overall], overlap) for pair in pairs}
    own = [pair for pair in pairs if pair not in declared]
    p_values = [gaps[pair].p_value() for pair in own]
    corrected = dict(zip(own, holm(p_values).tolist(), strict=True)) | {pair: p for pair, (_, p) in declared.items()}
    rivals = tuple(
        Rival(*pair, gaps[pair], corrected[pair], pair in declared) for pair in pairs if sign * gaps[pair].estimate > 0
    )
    bonferroni = [(pair[1], gaps[pair].estimate, len(own) * p) for pair, p in zip(own, p_values, strict=True)]
    judged = bonferroni + [(name, difference, p) for (_, name), (difference, p) in declared.items()]
    behind = {name for name, difference, p in judged if sign * difference < 0 and p < alpha}
    return Winner(
        overall,
        best,
        all(means[where][overall] == means[where][name] for where, name in best.items()),
        rivals,
        not any(rival.p < alpha for rival in rivals),
        tuple(name for name in dict.fromkeys(name for _, name in pairs) if name not in behind),
        len(own),
    )


def _best_on_average(means: Mapping[str, Mapping[str, float]]) -> str:
    """Of the recipes that every condition has. means: condition -> recipe -> its mean, higher is better."""
    everywhere = [name for name in next(iter(means.values()), {}) if all(name in own for own in means.values())]
    if not everywhere:
        raise ValueError("no recipe has scores under every condition, so none can win overall")
    return max(everywhere, key=lambda name: sum(own[name] for own in means.values()))


def _beside(overall: str, baseline: str | None, known: Known) -> Known:
    """(condition, rival) -> rival - overall and its p, of all comparisons of `overall` that are known."""
    if overall == baseline:
        return known
    return {
        (where, baseline): (-difference, p)
        for (where, recipe), (difference, p) in known.items()
        if baseline is not None and recipe == overall
    }


def _difference(test: Test, rival: Floats, reference: Floats, overlap: float) -> Difference:
    """By the declared test, rival - reference; without a standard error where there are too few scores."""
    there, beside = np.isfinite(rival), np.isfinite(reference)
    if test.paired:
        there = beside = there & beside
    if min(there.sum(), beside.sum()) < 2:
        return Difference(float(np.nanmean(rival) - np.nanmean(reference)), math.nan, math.nan)
    return test.difference(rival[there].tolist(), reference[beside].tolist(), overlap)
