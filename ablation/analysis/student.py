"""Student's t on arrays of per-seed scores: means, standard errors, degrees of freedom, p-values.

The arithmetic under every test and interval of this package, so that a simulation drives the very lines that judge an
experiment. The last axis holds seeds, any axes before it are repetitions.
Knows no experiments: what is compared with what is decided in `comparison`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.analysis import welch

Floats = NDArray[np.float64]

_ROUNDING = 1e-12  # of the scores: 0.1 three times averages to 0.10000000000000002


class Estimate(NamedTuple):
    """A weighted sum of means: its value, standard error and degrees of freedom, each of the shape of the repetitions.

    error is 0 and df nan where nothing varies, which no test can use. sizes: seeds of both groups where there are two
    whose variances may differ; Student's t is then too bold, and p and intervals are calibrated (see `welch`).
    """

    value: Floats
    error: Floats
    df: Floats
    sizes: tuple[int, int] | None = None


def variance(scores: ArrayLike, scale: ArrayLike | None = None) -> Floats:
    """Of a sample, ddof = 1. scores (..., n), n >= 2 -> (...).

    0 where they differ by no more than rounding does at the size of `scale` (by default of the scores themselves): that
    would pass for a tiny error and certain proof.
    """
    scores = np.asarray(scores, float)
    scale = np.abs(scores).max(axis=-1) if scale is None else scale
    return np.where(np.ptp(scores, axis=-1) > _ROUNDING * np.asarray(scale), scores.var(axis=-1, ddof=1), 0.0)


def contrast(groups: Sequence[ArrayLike], weights: Sequence[float]) -> Estimate:
    """Sum of weight x mean over independent groups of seeds, whose variances may differ. groups (..., n_g), n_g >= 2.

    Error and degrees of freedom by Welch (1947) and Satterthwaite (1946): with v_g = w_g^2 s_g^2 / n_g,
    error^2 = sum v_g and, for two groups, df = (sum v_g)^2 / sum v_g^2 / (n_g - 1): Welch's t-test, if weights are
    (1, -1). For more, df = min(n_g - 1), which is never too bold (Banerjee 1960, Sankhya 21). Groups of weight 0 do not
    count.
    """
    arrays = [np.asarray(group, float) for group in groups]
    parts = [weight**2 * variance(group) / group.shape[-1] for group, weight in zip(arrays, weights, strict=True)]
    value = sum(weight * group.mean(axis=-1) for group, weight in zip(arrays, weights, strict=True))
    df = satterthwaite(parts, [group.shape[-1] - 1 for group in arrays])
    sizes = [group.shape[-1] for group, weight in zip(arrays, weights, strict=True) if weight]
    if len(sizes) > 2:
        df = np.where(np.isnan(df), df, min(sizes) - 1.0)
    return Estimate(np.asarray(value), np.sqrt(sum(parts)), df, (sizes[0], sizes[1]) if len(sizes) == 2 else None)


def paired_contrast(groups: Sequence[ArrayLike], weights: Sequence[float], overlap: float = 0.0) -> Estimate:
    """Sum of weight x score, made for each seed, then averaged. groups (..., n): the same n >= 2 seeds in each.

    Student's t with n - 1 degrees of freedom, whatever the seeds have in common. overlap: n_test / n_train where the
    split is redrawn for each seed; error^2 = (1 / n + overlap) s^2 (Nadeau and Bengio 2003, section 3.2).
    """
    arrays = [weight * np.asarray(group, float) for group, weight in zip(groups, weights, strict=True)]
    per_seed = sum(arrays[1:], arrays[0])
    scale = np.max([np.abs(array).max(axis=-1) for array in arrays], axis=0)
    seeds, spread = per_seed.shape[-1], variance(per_seed, scale)
    return Estimate(
        np.asarray(per_seed.mean(axis=-1)),
        np.sqrt((1 / seeds + overlap) * spread),
        np.full(spread.shape, seeds - 1.0),
    )


def pooled_contrasts(groups: Sequence[ArrayLike]) -> Estimate:
    """Each group after the first minus the first, with one variance pooled over all of them (Dunnett 1955).

    groups: k + 1 of shape (..., n_g), n_g >= 2 -> (..., k).
    """
    arrays = [np.asarray(group, float) for group in groups]
    sizes = np.array([group.shape[-1] for group in arrays])
    df = int((sizes - 1).sum())
    pooled = sum((group.shape[-1] - 1) * variance(group) for group in arrays) / df
    means = np.stack([group.mean(axis=-1) for group in arrays], axis=-1)
    error = np.sqrt(np.asarray(pooled)[..., None] * (1 / sizes[1:] + 1 / sizes[0]))
    return Estimate(means[..., 1:] - means[..., :1], error, np.full(error.shape, float(df)))


def satterthwaite(parts: Sequence[ArrayLike], dfs: Sequence[float]) -> Floats:
    """Degrees of freedom of a sum of independent mean squares (Satterthwaite 1946); nan where all of them are 0."""
    spread = np.asarray(sum(np.square(part) / df for part, df in zip(parts, dfs, strict=True)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, np.square(sum(np.asarray(part) for part in parts)) / spread, np.nan)


def two_sided(estimate: Estimate) -> Floats:
    """p of a sum that is nothing but chance; 1 where it is exactly 0, nan where nothing varies."""
    return np.where(estimate.value == 0, 1.0, 2 * _tail(np.abs(estimate.value), estimate))


def equivalent(estimate: Estimate, margin: float) -> Floats:
    """p of the two one-sided tests that |value| < margin (Schuirmann 1987): the larger of the two."""
    return np.maximum(_tail(margin + estimate.value, estimate), _tail(margin - estimate.value, estimate))


def reach(estimate: Estimate, alpha: float) -> Floats:
    """Half the width of the interval at level 1 - alpha; nan where nothing varies."""
    from scipy.special import stdtrit

    level = welch.level(alpha, *estimate.sizes) if estimate.sizes else alpha
    return np.where(estimate.error > 0, -stdtrit(estimate.df, level / 2) * estimate.error, np.nan)


def _tail(distance: ArrayLike, estimate: Estimate) -> Floats:
    """P(T > distance / error), calibrated where it is below a half; nan with a zero standard error."""
    from scipy.special import stdtr

    with np.errstate(invalid="ignore", divide="ignore"):
        tail = np.where(estimate.error > 0, stdtr(estimate.df, -np.asarray(distance) / estimate.error), np.nan)
    if estimate.sizes is None:
        return tail
    return np.where(tail < 0.5, welch.calibrated(2 * np.fmin(tail, 0.5), *estimate.sizes) / 2, tail)


@cache
def quantile_nodes(count: int) -> tuple[Floats, Floats]:
    """Gauss and Legendre's nodes in (0, 1) and their weights, sum 1: a mean over a distribution, at its quantiles."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return (1 + node) / 2, weight / 2


def root_mean_chi2(quantile: Floats, df: float) -> Floats:
    """s / sigma of a sample, at these quantiles of its distribution."""
    from scipy.special import gammaincinv

    return np.asarray(np.sqrt(2 * gammaincinv(df / 2, quantile) / df))
