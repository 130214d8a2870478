"""How large is the difference beside the noise of training? Hedges' g, and the chance that a new seed is better.

Both beside the difference in the metric's own unit, not in its place: they grow when seeds vary less, points do not.
Seeds are taken as independent; where the arms share them, intervals are too wide rather than too narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import quantile_nodes, root_mean_chi2, satterthwaite, variance

LEAST_DF = 1.5
"""Of the unit of an effect size. Three seeds an arm have two or more."""


@dataclass(frozen=True)
class Size:
    """An estimate with its interval at level 1 - alpha; nan where the scores do not vary."""

    estimate: float
    low: float
    high: float


def hedges_g(treatment: ArrayLike, baseline: ArrayLike, alpha: float = 0.05) -> Size:
    """The difference in units of the sd over seeds. treatment (n,), baseline (m,), n, m >= 2; without a unit.

    With the root mean of both variances as unit, and Welch's degrees of freedom, so that they may differ (Delacre et
    al. 2021, "Why Hedges' g*s based on the non-pooled standard deviation should be reported with Welch's t-test");
    for n = m that is also the pooled sd. Estimate: d J(df), J Hedges' (1981, equation 6e) correction for few seeds; all
    is nan where the unit has few degrees of freedom (two seeds in the arm that varies), as J is 0 at one, and takes the
    estimate out of its interval. Interval: the noncentralities under which Welch's t lies at either end of its
    distribution (Cumming and Finch 2001), without J, since they need no correction.
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
    low, high = (_noncentrality(gap / error, df_t, quantile) * error / unit for quantile in (1 - alpha / 2, alpha / 2))
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


def p_better(treatment: ArrayLike, baseline: ArrayLike, alpha: float = 0.05) -> Size:
    """Chance that a new seed of the recipe scores above a new seed of the baseline, ties counting half.

    treatment (n,), baseline (m,), n, m >= 2; give the negatives of a metric of which less is better. Estimate: the
    share of all n m pairs, A of Vargha and Delaney (2000). Interval: all theta with |A - theta| <= t
    sqrt(V(theta)), V the variance of A under theta (Hanley and McNeil 1982 with (n + m) / 2 in place of either size:
    Newcombe 2006, part 2, method 5), with Student's t for n + m - 2 degrees of freedom in place of the normal
    quantile. Every pair won still leaves an interval: V does not come from
    the sample, as that of Brunner and Munzel (2000) does, which is then 0.
    """
    from scipy.stats import t

    first, second = np.asarray(treatment, float), np.asarray(baseline, float)
    if min(len(first), len(second)) < 2:
        raise ValueError(f"the chance to be better needs 2 seeds in each arm: got {len(first)} and {len(second)}")
    pairs = first[:, None] - second
    share = float((pairs > 0).mean() + (pairs == 0).mean() / 2)
    steps = float(t.ppf(1 - alpha / 2, len(first) + len(second) - 2))
    high = _score_limit(share, len(first), len(second), steps)
    return Size(share, 1 - _score_limit(1 - share, len(second), len(first), steps), high)


def _score_limit(share: float, n: int, m: int, steps: float) -> float:
    """The largest theta that is no more than `steps` standard errors above `share`."""
    from scipy.optimize import brentq

    if share >= 1:
        return 1.0

    def excess(theta: float) -> float:
        pull = ((n + m) / 2 - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return theta - share - steps * math.sqrt(max(theta * (1 - theta) * (1 + pull), 0.0) / (n * m))

    return float(brentq(excess, share, 1.0)) if excess(share) < 0 else float(brentq(excess, share + 1e-12, 1.0))
