"""The distribution behind Dunnett's test: the largest |t| of several groups that share a baseline and a variance.

By quadrature, so the same data give the same digits: `scipy.stats.dunnett` integrates over random points (it is the
oracle of the tests). Knows no scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = np.linspace(-8.5, 8.5, 341)  # the trapezoid rule is nearly exact for what decays like a Gaussian
_NODES = 96  # of Gauss and Legendre over the pooled standard deviation
_CUT = 1e-12  # probability left out at either end of it


def loadings(sizes: Sequence[int], baseline: int) -> tuple[float, ...]:
    """l_i = sqrt(n_i / (n_i + n_0)): groups i and j have correlation l_i l_j (Dunnett 1955). Seeds per group."""
    return tuple(float(np.sqrt(size / (size + baseline))) for size in sizes)


def largest_beyond(t: float, loading: tuple[float, ...], df: float) -> float:
    """P(the largest |t_i| > t) where no group differs from the baseline: the adjusted p (Dunnett 1955).

    Absolute error below 1e-6, and of a p near alpha far less; with 2 degrees of freedom t = 300 has two digits right.
    """
    from scipy.special import ndtr

    within = np.ones((_NODES, _NORMAL.size))
    spread, weight = _spread(df)
    for own in loading:
        rest = np.sqrt(1 - own**2)
        within *= ndtr((own * _NORMAL + t * spread[:, None]) / rest) - ndtr(
            (own * _NORMAL - t * spread[:, None]) / rest
        )
    density = np.exp(-(_NORMAL**2) / 2) / np.sqrt(2 * np.pi) * (_NORMAL[1] - _NORMAL[0])
    return float(np.clip(1 - weight @ (within @ density), 0.0, 1.0))


@cache
def critical(alpha: float, loading: tuple[float, ...], df: float) -> float:
    """The t that the largest |t_i| passes with probability alpha: half a simultaneous interval in standard errors."""
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    one, all_of_them = (float(stdtrit(df, 1 - alpha / 2 / groups)) for groups in (1, len(loading)))
    if len(loading) == 1:
        return one
    return float(brentq(lambda t: largest_beyond(t, loading, df) - alpha, one * 0.999, all_of_them * 1.001, xtol=1e-9))


@cache
def _spread(df: float) -> tuple[Floats, Floats]:
    """Nodes and weights over s / sigma, the root of a mean chi-square with df degrees of freedom."""
    from scipy.special import gammainccinv, gammaincinv

    node, weight = np.polynomial.legendre.leggauss(_NODES)
    low, high = np.sqrt(2 * gammaincinv(df / 2, _CUT)), np.sqrt(2 * gammainccinv(df / 2, _CUT))
    chi = (high + low) / 2 + (high - low) / 2 * node
    log_density = (df - 1) * np.log(chi) - chi**2 / 2  # of chi, but for a factor
    weight = weight * np.exp(log_density - log_density.max())
    return chi / np.sqrt(df), weight / weight.sum()
