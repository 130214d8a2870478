"""Welch's t-test with its level kept: p recalibrated to the ratio of variances at which it is boldest.

Welch's t with the degrees of freedom of Satterthwaite (1946) is nearly exact at 5 %, and too bold at the small levels
that Holm's correction asks for: with three seeds in each group, one of which varies much more, a p of .001 comes with
probability .0037. How often a p comes is known exactly for each ratio of the true variances (Welch 1947 starts from
it). So p is replaced by that probability at its worst, over all ratios, as Scheffe (1970) and Best and Rayner (1987)
judge solutions of this problem:

    g(p) = max over a of P_a(Welch's p <= p),    0 <= a <= 1,    b = 1 - a

a is the first group's share of the variance of the difference, n and m seeds, N = n + m - 2. With X chi-square with N
degrees of freedom and q ~ Beta((n - 1) / 2, (m - 1) / 2) independent, the squared standard error is
X (a q / (n - 1) + b (1 - q) / (m - 1)) in units of the true variance; q alone sets Satterthwaite's nu. So

    P_a = E_q[ 2 P(T_N > t_nu(p / 2) sqrt(N (a q / (n - 1) + b (1 - q) / (m - 1)))) ]

g(p) is a valid p whatever the ratio, as Holm's correction needs; it is never below p, since P_0 = p. Scores are taken
to be normal. Must not know scores, estimates or ratios in a sample: it is a function of p and of the numbers of seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil, exp, log
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_LEAST = 1e-12
"""Welch's p down to which g is tabulated. Below it Banerjee's bound is used, which is larger."""
_NO_LESS = 1e-150  # what is less counts as this: scipy's quantiles of t fail far beyond it
_KNOTS = 40  # of the table, over log p
_STEP = 0.4  # of the trapezoid rule over log(q / (1 - q)), which converges exponentially there
_CUT = 36.0  # log of what the density is cut off at: far below any g
_BEYOND = np.linspace(0, 6, 25)
"""Logs of the ratios that are tried, in units of p^(-2 / N), the size of the worst; a parabola gives the maximum."""


def calibrated(p: ArrayLike, n: int, m: int) -> Floats:
    """g(p) of Welch's two-sided p, in the shape given: no smaller than p, rising with it. nan stays nan.

    n, m >= 2 seeds in the groups. Right to two thousandths of itself; below p = 1e-12 too large rather than too small.
    """
    p = np.asarray(p, float)
    inside = np.exp(_curve(*sorted((n, m)))(np.log(np.clip(p, _LEAST, 1.0))))
    return np.asarray(np.maximum(p, np.where(p < _LEAST, np.minimum(inside, _banerjee(p, n, m)), inside)))


@cache
def level(alpha: float, n: int, m: int) -> float:
    """The p of Welch's that is calibrated to alpha: the level at which his interval keeps 1 - alpha whatever the ratio.

    0 < alpha <= 1; n, m >= 2 seeds in the groups.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtr, stdtrit

    curve, lowest = _curve(*sorted((n, m))), log(_LEAST)
    if alpha >= 1:
        return 1.0
    if log(alpha) <= curve(lowest):
        return float(2 * stdtr(n + m - 2, stdtrit(min(n, m) - 1, alpha / 2)))
    return min(alpha, exp(brentq(lambda log_p: float(curve(log_p)) - log(alpha), lowest, 0.0, xtol=1e-13)))


def how_often(p: ArrayLike, ratio: ArrayLike, n: int, m: int) -> Floats:
    """P_a(Welch's p <= p); p and ratio of shapes that broadcast, n, m >= 2.

    ratio: of the variance of the first group's mean to that of the second's, a / b in the formula above.
    """
    from scipy.special import expit, stdtr, stdtrit

    odds, weight = _odds(n - 1, m - 1)
    log_ratio, all_df = np.log(np.asarray(ratio, float))[..., None], n + m - 2
    one, two = expit(log_ratio) * expit(odds) / (n - 1), expit(-log_ratio) * expit(-odds) / (m - 1)
    df = (one + two) ** 2 / (one**2 / (n - 1) + two**2 / (m - 1))
    steps = -stdtrit(df, np.asarray(p, float)[..., None] / 2)
    return np.asarray(2 * stdtr(all_df, -steps * np.sqrt(all_df * (one + two))) @ weight)


def _odds(df: int, other: int) -> tuple[Floats, Floats]:
    """Nodes of log(q / (1 - q)) and their weights, sum 1, for q ~ Beta(df / 2, other / 2)."""
    from scipy.special import betaln, log_expit

    first, second = df / 2, other / 2
    step = min(_STEP, 0.6 * np.sqrt(1 / first + 1 / second))
    middle, spread = log(first / second), 9 * np.sqrt(1 / first + 1 / second)
    low, high = (ceil((_CUT / least + spread) / step) for least in (first, second))
    odds = middle + step * np.arange(-low, high + 1)
    density = first * log_expit(odds) + second * log_expit(-odds) - betaln(first, second)
    kept = density > -_CUT
    return odds[kept], step * np.exp(density[kept])


@cache
def _curve(n: int, m: int) -> Callable[[ArrayLike], Floats]:
    """log p -> log g(p) for log p from that of _LEAST to 0, n <= m; monotone between the knots (Fritsch, Butland)."""
    from scipy.interpolate import PchipInterpolator

    log_p = log(_LEAST) * np.linspace(1, 0, _KNOTS) ** 1.5
    log_ratio = _BEYOND - 2 * log_p[:, None] / (n + m - 2)
    sides = (1,) if n == m else (1, -1)
    peaks = [_peak(np.log(how_often(np.exp(log_p)[:, None], np.exp(side * log_ratio), n, m))) for side in sides]
    log_g = np.maximum.accumulate(np.minimum(np.maximum(log_p, np.max(peaks, axis=0)), 0.0))
    return cast(Callable[[ArrayLike], Floats], PchipInterpolator(log_p, log_g))


def _peak(table: Floats) -> Floats:
    """The maximum of each row (K, R) -> (K,), of the parabola through its largest entry and both beside it."""
    row, best = np.arange(len(table)), np.clip(table.argmax(axis=1), 1, table.shape[1] - 2)
    before, top, after = (table[row, best + step] for step in (-1, 0, 1))
    bend = 2 * top - before - after
    above = (after - before) ** 2 / (8 * np.where(bend > 0, bend, 1.0))
    return np.asarray(np.where(bend > 0, top + above, table.max(axis=1)))


def _banerjee(p: Floats, n: int, m: int) -> Floats:
    """The p of |t| with the degrees of freedom of the smaller group, which is never too bold (Banerjee 1960).

    t as it would be with all n + m - 2, the most that Satterthwaite gives, so this bounds every g.
    """
    from scipy.special import stdtr, stdtrit

    return np.asarray(2 * stdtr(min(n, m) - 1, stdtrit(n + m - 2, np.maximum(p, _NO_LESS) / 2)))
