"""How does the score change with a magnitude, or with the number of training images? A curve with a band.

A quadratic, not a monotone fit: an augmentation helps and then, when it is too strong, hurts, and the question is
where it turns. Its value at any dose is a weighted sum of the scores at the measured doses, so for each seed it is one
number, and Student's t over seeds gives its interval, whatever runs of a seed have in common and however much each
dose varies (a summary per subject: Matthews et al. 1990, BMJ 300). An isotonic fit has no such interval with 3 to 10
seeds. Whether a quadratic is enough is itself tested (`lack_of_fit`).

For train-size curves give log2 of the sizes as doses, and as scores the differences of two recipes, per seed: then
`linear` asks whether the recipe helps more when data are few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.comparison import Difference
from ablation.analysis.multiplicity import holm
from ablation.analysis.student import Estimate, Floats, paired_contrast, reach

CURVE_POINTS = 61


@dataclass(frozen=True, eq=False)
class Band:
    """doses (K,), ascending; value, low, high (K,): pointwise at level 1 - alpha.

    low_all, high_all: wider, so that with that confidence all measured doses are inside at once (Bonferroni).
    """

    doses: Floats
    value: Floats
    low: Floats
    high: Floats
    low_all: Floats
    high_all: Floats


@dataclass(frozen=True, eq=False)
class DoseResponse:
    """measured: means at the doses that were run. curve: the fit, at even steps between the first and the last.

    linear, curvature: contrasts of orthogonal polynomials over the doses: does the score rise, does it bend? linear is
    the slope of the straight line of least squares, a score for each unit of dose; the estimate of curvature has no
    unit of its own, its sign and p count. curvature is None with two doses. lack_of_fit:
    Holm-corrected p of what a quadratic cannot follow, nan with three doses or fewer; where it is small, trust
    `measured` alone.

    peak: the dose at which a curve that bends down is highest; None where it does not bend down, or is highest at an
    end. peak_low, peak_high: all doses at which the slope cannot be distinguished from 0 at level 1 - alpha (Fieller
    1954).
    """

    seeds: int
    left_out: int
    measured: Band
    curve: Band
    linear: Difference
    curvature: Difference | None
    lack_of_fit: float
    peak: float | None
    peak_low: float
    peak_high: float


def dose_response(doses: ArrayLike, scores: ArrayLike, overlap: float = 0.0, alpha: float = 0.05) -> DoseResponse:
    """doses (K,), K >= 2 different ones; scores (n seeds, K), a row a seed, nan where a run is missing.

    Only seeds with all doses count (`seeds` of them, at least 2; `left_out` says how many do not). overlap: n_test /
    n_train where the split is redrawn per seed, as for `CorrectedResampled`.
    """
    at, table = np.asarray(doses, float), np.asarray(scores, float)
    _check(at, table)
    complete, order = np.isfinite(table).all(axis=1), np.argsort(at)
    at, table = at[order], table[complete][:, order]
    contrasts = [Difference.of(_weighted(table, column, overlap)) for column in _orthogonal(at).T[1:]]
    slope = Difference.of(_weighted(table, (at - at.mean()) / ((at - at.mean()) ** 2).sum(), overlap))
    beyond = [p for p in holm([contrast.p_value() for contrast in contrasts[2:]]).tolist() if not math.isnan(p)]
    grid = np.linspace(at[0], at[-1], CURVE_POINTS)
    return DoseResponse(
        len(table),
        int((~complete).sum()),
        _band(at, table, np.eye(len(at)), overlap, alpha),
        _band(grid, table, _fit(at, grid, min(2, len(at) - 1)), overlap, alpha),
        slope,
        contrasts[1] if len(at) > 2 else None,
        min(beyond, default=math.nan),
        *_peak(at, table, overlap, alpha),
    )


def _orthogonal(doses: Floats) -> Floats:
    """(K, K): orthonormal polynomials over the doses, of degree 0, 1, 2, ..., the leading coefficient positive."""
    scaled = (doses - doses.mean()) / np.ptp(doses)
    basis, triangle = np.linalg.qr(np.vander(scaled, increasing=True))
    return basis * np.sign(np.diag(triangle))


def _fit(doses: Floats, at: Floats, degree: int, derivative: int = 0) -> Floats:
    """(points, K): weights of the measured means in the least-squares polynomial, or its slope, at `at`."""
    middle, width = doses.mean(), np.ptp(doses)
    powers = np.arange(degree + 1)
    where = ((at - middle) / width)[:, None]
    rows = where**powers if not derivative else powers * where ** np.maximum(powers - 1, 0) / width
    return np.asarray(rows @ np.linalg.pinv(((doses - middle) / width)[:, None] ** powers))


def _weighted(scores: Floats, weights: Floats, overlap: float) -> Estimate:
    """scores (seeds, K), weights (..., K) -> estimates of shape (...)."""
    parts = [weights[..., k, None] * column for k, column in enumerate(scores.T)]
    return paired_contrast(parts, [1.0] * len(parts), overlap)


def _band(at: Floats, scores: Floats, weights: Floats, overlap: float, alpha: float) -> Band:
    estimate = _weighted(scores, weights, overlap)
    value, one, every = estimate.value, reach(estimate, alpha), reach(estimate, alpha / scores.shape[1])
    return Band(at, value, value - one, value + one, value - every, value + every)


def _peak(doses: Floats, scores: Floats, overlap: float, alpha: float) -> tuple[float | None, float, float]:
    """The vertex of the mean curve, and the doses whose slope may be 0, between the first dose and the last.

    The slope is a straight line in the dose, so both ends solve a quadratic equation: slope^2 = t^2 error^2. Where it
    has no two such roots the data do not bound the peak, and all doses are left.
    """
    from scipy.special import stdtrit

    if len(doses) < 3:
        return None, math.nan, math.nan
    slopes = scores @ _fit(doses, doses[[0, -1]], 2, derivative=1).T  # (seeds, 2): at the first dose and the last
    first, last = slopes.mean(axis=0)
    if not first > 0 > last:
        return None, math.nan, math.nan
    seeds = len(slopes)
    reach2 = stdtrit(seeds - 1, 1 - alpha / 2) ** 2 * (1 / seeds + overlap)
    spread = np.cov(np.stack([slopes[:, 0], slopes[:, 1] - slopes[:, 0]]))
    line = np.array([first, last - first])
    (constant, mixed), (_, square) = np.outer(line, line) - reach2 * spread
    ends = np.array([0.0, 1.0])
    if square > 0:
        root = math.sqrt(max(mixed**2 - square * constant, 0.0))
        ends = np.clip([(-mixed - root) / square, (-mixed + root) / square], 0.0, 1.0)
    low, high = doses[0] + np.ptp(doses) * ends
    return float(doses[0] + np.ptp(doses) * first / (first - last)), float(low), float(high)


def _check(doses: Floats, scores: Floats) -> None:
    if doses.ndim != 1 or scores.ndim != 2 or scores.shape[1] != len(doses):
        raise ValueError(f"scores are (seeds, doses): got {scores.shape} for {doses.shape} doses")
    if len(set(doses.tolist())) != len(doses) or len(doses) < 2 or not np.isfinite(doses).all():
        raise ValueError(f"a curve needs at least 2 different, finite doses: got {doses.tolist()}")
    complete = int(np.isfinite(scores).all(axis=1).sum())
    if complete < 2:
        raise ValueError(f"a curve needs at least 2 seeds with all doses: got {complete} of {len(scores)}")
