"""Does the winner survive a change of optimizer? Ranks of recipes over conditions, and the best recipe's rivals.

A condition is a level of everything but recipe and seed. Ranks ask whether conditions order the recipes alike (few
conditions can say little: with two of them and three recipes p is never below 1/6); `winner` asks of each condition
whether another recipe really beats the one that is best on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.comparison import Difference, Test, Welch, holm


@dataclass(frozen=True)
class Ranks:
    """average: of each recipe over the conditions, 1 is best. kendall_w: agreement of the conditions, in [0, 1].

    chi2, f, p: Friedman's statistic, its form by Iman and Davenport, and p of the latter. critical_difference: average
    ranks further apart than this differ (Nemenyi).
    """

    average: tuple[float, ...]
    conditions: int
    chi2: float
    f: float
    p: float
    kendall_w: float
    critical_difference: float


def rank_stability(scores: ArrayLike, alpha: float = 0.05) -> Ranks:
    """scores (N conditions, k recipes), higher is better, N and k >= 2; no gaps. Equal scores share their mean rank."""
    from scipy.stats import rankdata

    scores = np.asarray(scores, float)
    if scores.ndim != 2 or min(scores.shape) < 2 or not np.isfinite(scores).all():
        raise ValueError(f"ranks need finite scores (conditions, recipes), at least 2 x 2: got shape {scores.shape}")
    return from_average_ranks(rankdata(-scores, axis=1).mean(axis=0), len(scores), alpha)


def from_average_ranks(average: Sequence[float], conditions: int, alpha: float = 0.05) -> Ranks:
    """Demsar (2006), "Statistical comparisons of classifiers", section 3.2.2, as printed: not corrected for ties.

    chi2 = 12 N / (k (k + 1)) (sum R_j^2 - k (k + 1)^2 / 4); F = (N - 1) chi2 / (N (k - 1) - chi2) with k - 1 and (k -
    1) (N - 1) degrees of freedom; CD = q sqrt(k (k + 1) / 6 N), q the studentized range over sqrt 2. Kendall's W is
    chi2 / (N (k - 1)). p is at least (k!)^(1 - N), the chance that all conditions repeat the order of the first: with
    full agreement F is infinite, and few conditions are no proof.
    """
    from scipy.stats import f as central
    from scipy.stats import studentized_range

    ranks, k = np.asarray(average, float), len(average)
    chi2 = float(12 * conditions / (k * (k + 1)) * (np.square(ranks).sum() - k * (k + 1) ** 2 / 4))
    w = min(1.0, max(0.0, chi2 / (conditions * (k - 1))))
    f = (conditions - 1) * w / (1 - w) if w < 1 - 1e-12 else math.inf
    tail = float(central.sf(f, k - 1, (k - 1) * (conditions - 1)))
    width = float(studentized_range.ppf(1 - alpha, k, math.inf)) / math.sqrt(2)
    return Ranks(
        tuple(ranks.tolist()),
        conditions,
        chi2,
        f,
        max(tail, math.factorial(k) ** (1.0 - conditions)),
        w,
        width * math.sqrt(k * (k + 1) / (6 * conditions)),
    )


@dataclass(frozen=True)
class Rival:
    """A recipe that stands before the overall winner under one condition. difference: rival - winner, in the metric.

    p_holm: corrected over every other recipe under every condition.
    """

    condition: str
    recipe: str
    difference: Difference
    p_holm: float


@dataclass(frozen=True)
class Winner:
    """overall: best mean over the conditions, each weighing the same. best: the best mean under each condition.

    same: is `overall` best under each of them? rivals: who stands before it somewhere, by condition. survives: is none
    of them better beyond chance, by the declared test after Holm's correction? A winner that survives may still be
    tied.
    """

    overall: str
    best: dict[str, str]
    same: bool
    rivals: tuple[Rival, ...]
    survives: bool


def winner(
    scores: Mapping[str, Mapping[str, Sequence[float]]],
    test: Test | None = None,
    test_share: float = 0.0,
    alpha: float = 0.05,
    higher_is_better: bool = True,
) -> Winner:
    """scores: condition -> recipe -> per-seed scores (n,), n >= 2 (the same seeds in one order if the test pairs them).

    test: the declared one, by default `Welch()`. Recipes that some condition lacks cannot win overall. Of equal means
    the first in order wins.
    """
    test = test or Welch()
    sign = 1.0 if higher_is_better else -1.0
    means = {
        where: {name: sign * float(np.mean(runs)) for name, runs in arms.items()} for where, arms in scores.items()
    }
    everywhere = [name for name in next(iter(means.values()), {}) if all(name in arms for arms in means.values())]
    if not everywhere:
        raise ValueError("no recipe has scores under every condition, so none can win overall")
    overall = max(everywhere, key=lambda name: sum(arms[name] for arms in means.values()))
    best = {where: max(arms, key=arms.__getitem__) for where, arms in means.items()}
    pairs = [(where, name) for where, arms in scores.items() for name in arms if name != overall]
    found = [test.difference(scores[where][name], scores[where][overall], test_share) for where, name in pairs]
    adjusted = holm([difference.p_value() for difference in found])
    rivals = tuple(
        Rival(where, name, difference, p)
        for (where, name), difference, p in zip(pairs, found, adjusted, strict=True)
        if sign * difference.estimate > 0
    )
    same = all(means[where][overall] == means[where][name] for where, name in best.items())
    return Winner(overall, best, same, rivals, not any(rival.p_holm < alpha for rival in rivals))
