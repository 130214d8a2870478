"""How large is the difference beside the noise of training? Hedges' g, and the chance that a new seed is better.

Both beside the difference in the metric's own unit, not instead of it: they grow when seeds vary less, points do not.
The chance is counted over the seeds that both groups share. Hedges' g takes the groups as independent; where they share
seeds, its interval is too wide rather than too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis import welch
from ablation.analysis.student import quantile_nodes, root_mean_chi2, satterthwaite, variance

LEAST_DF = 1.5
"""Of the unit of an effect size. Three seeds a group have two or more."""


@dataclass(frozen=True)
class Size:
    """An estimate with its interval at level 1 - alpha; nan where the scores do not vary, or no seed is shared."""

    estimate: float
    low: float
    high: float


def hedges_g(treatment: ArrayLike, baseline: ArrayLike, alpha: float = 0.05) -> Size:
    """The difference in units of the sd over seeds. treatment (n,), baseline (m,), n, m >= 2; without a unit.

    With the root mean of both variances as unit, and Welch's degrees of freedom, so that they may differ (Delacre et
    al. 2021, "Why Hedges' g*s based on the non-pooled standard deviation should be reported with Welch's t-test");
    for n = m that is also the pooled sd. Estimate: d J(df), J Hedges' (1981, equation 6e) correction for few seeds; all
    is nan where the unit has few degrees of freedom (two seeds in the group that varies), as J is 0 at one, and takes
    the estimate out of its interval. Interval: the noncentralities under which Welch's t lies at either end of its
    distribution (Cumming and Finch 2001), without J, since they need no correction; at the level at which Welch's test
    keeps alpha (see `welch`), so that the interval excludes 0 just where p < alpha.
    """
    groups = [np.asarray(scores, float) for scores in (treatment, baseline)]
    sizes, spreads = [len(scores) for scores in groups], [float(variance(scores)) for scores in groups]
    unit = math.sqrt(sum(spreads) / 2)
    dfs = [size - 1 for size in sizes]
    df_unit = float(satterthwaite(spreads, dfs))
    if unit == 0 or df_unit < LEAST_DF:
        return Size(math.nan, math.nan, math.nan)
    gap = float(groups[0].mean() - groups[1].mean())
    error = math.sqrt(sum(spread / size for spread, size in zip(spreads, sizes, strict=True)))
    df_t = float(satterthwaite([spread / size for spread, size in zip(spreads, sizes, strict=True)], dfs))
    level = welch.level(alpha, *sizes)
    low, high = (_noncentrality(gap / error, df_t, quantile) * error / unit for quantile in (1 - level / 2, level / 2))
    return Size(gap / unit * small_sample(df_unit), low, high)


def small_sample(df: float) -> float:
    """J(df) = Gamma(df / 2) / (sqrt(df / 2) Gamma((df - 1) / 2)) (Hedges 1981, equation 6e); df > 1."""
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def _noncentrality(t: float, df: float, quantile: float) -> float:
    """The l with P(T' <= t; l) = quantile, for noncentral T' with df degrees of freedom. Falls with l.

    Integrated over the sample's sd, since scipy's noncentral t fails far from 0.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    quantiles, weight = quantile_nodes(200)
    spread = root_mean_chi2(quantiles, df)
    wide = 10 + abs(t) * float(spread.max())
    return float(brentq(lambda l: (weight * ndtr(t * spread - l)).sum() - quantile, -wide, wide))  # noqa: E741


def p_better(wins: int, ties: int, seeds: int, alpha: float = 0.05) -> Size:
    """Chance that the recipe scores above the baseline when both are trained with a new seed, ties counting half.

    Of the seeds that both groups have, the recipe won in `wins` and drew level in `ties`. Interval: the exact one of
    Clopper and Pearson (1934), its lower limit from the wins and its upper limit from all that was not lost. A chance
    with half of its ties lies between those two shares, so the interval covers at least 1 - alpha whatever the
    distribution of the scores. Where the groups share no seed, all three are nan.
    """
    from scipy.special import betaincinv

    if min(wins, ties) < 0 or wins + ties > seeds:
        raise ValueError(f"of the seeds of both groups, no more can be won or tied: got {wins} + {ties} of {seeds}")
    if seeds == 0:
        return Size(math.nan, math.nan, math.nan)
    lost, level = seeds - wins - ties, wins + ties
    low = float(betaincinv(wins, seeds - wins + 1, alpha / 2)) if wins else 0.0
    high = float(betaincinv(level + 1, lost, 1 - alpha / 2)) if lost else 1.0
    return Size((wins + ties / 2) / seeds, low, high)
