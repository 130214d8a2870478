"""Does the effect of a recipe depend on the optimizer? Analysis of variance of recipe x every other varied factor.

F tests of main effects and interactions, each with its partial eta squared. Knows scores and labels of levels only;
whether the ranks of recipes are stable, and whether the winner is the same everywhere, is for `ranks`.

Sums of squares are of type II: each effect is judged beside all effects that do not contain it. In a complete grid all
types agree. Where runs are missing, type II does not depend on how levels are coded, has more power than type III if
there is no interaction, and keeps a meaning where `exclude` has left cells empty, which type III does not (Langsrud
2003, Statistics and Computing 13). Where there is an interaction, main effects are averages that no type makes
meaningful: look at each condition.

F tests suppose one variance in all cells, where Welch's does not; `Anova.spread_ratio` says how far that is from true,
and `Anova.spread_by_chance` how far chance alone takes it with so few runs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import Floats, holm, quantile_nodes

HUGE = 1e6
"""An F from which on the limits of its noncentrality are those of an infinite one, to less than 1e-6 of a share."""


@dataclass(frozen=True)
class Term:
    """A main effect (one factor) or an interaction (several).

    p_holm: corrected over all terms of the analysis. partial_eta2: its share of the variance that is left when all
    other effects are taken out, SS / (SS + SS_rest), in [0, 1]; as an estimate it is too large with few runs. low,
    high: the interval of the share in the population (Steiger 2004) at level 1 - 2 alpha, at which low is above 0 just
    where p is below alpha.
    """

    factors: tuple[str, ...]
    df: int
    sum_of_squares: float
    f: float
    p: float
    p_holm: float
    partial_eta2: float
    low: float
    high: float


@dataclass(frozen=True)
class Anova:
    """terms: main effects first, then interactions of 2 factors, and so on. mean_square: of the rest, with df of it.

    spread_ratio: the largest sd of a cell over the smallest, 1 if all vary alike; nan without replication, inf where a
    cell does not vary. Above about 3, F tests are not to be trusted. spread_by_chance: what it stays below in 1 - alpha
    of all cases where the cells do vary alike, see `spread_by_chance`.
    """

    terms: tuple[Term, ...]
    df: int
    mean_square: float
    runs: int
    spread_ratio: float
    spread_by_chance: float

    def term(self, *factors: str) -> Term:
        """The term of exactly these factors, in any order."""
        return next(term for term in self.terms if set(term.factors) == set(factors))


def anova(
    scores: ArrayLike,
    factors: Mapping[str, Sequence[object]],
    blocks: Sequence[object] | None = None,
    alpha: float = 0.05,
    overlap: float = 0.0,
) -> Anova:
    """scores (R,): one per finished run. factors: name -> the level of each run (R,), at least 2 levels each.

    blocks (R,): the seed of each run, where runs of one seed have something in common (the declared test is paired):
    its variance is taken out of the rest. All interactions are in the model.

    overlap: n_test / n_train where the split is redrawn for each block. The training parts of two seeds then share
    images, so what a split does to an arm comes back in every seed: it moves the means, and the rest, which compares
    seeds, does not see it. The variance of a mean over n seeds is (1 / n + overlap) s^2 instead of s^2 / n (Nadeau and
    Bengio 2003, section 3.2); a mean square of means over the rest is then 1 + n overlap where nothing differs, and
    each F is divided by that. With two recipes and nothing else it is the square of their corrected resampled t.
    """
    scores = np.asarray(scores, float)
    _check(scores, factors, blocks, overlap)
    names = list(factors)
    effects = [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]
    columns = {effect: _columns([factors[name] for name in effect]) for effect in effects}
    always = [np.ones((len(scores), 1))] + ([_dummies(blocks)] if blocks is not None else [])
    centred = scores - scores.mean()
    rest, df = _residual(centred, always + list(columns.values()))
    found = []
    for effect in effects:
        beside = always + [columns[other] for other in effects if not set(effect) <= set(other)]
        without, df_without = _residual(centred, beside)
        within, df_within = _residual(centred, [*beside, columns[effect]])
        found.append((effect, df_without - df_within, max(0.0, without - within)))  # below 0 by rounding alone
    inflation = 1 + len(set(blocks)) * overlap if blocks is not None else 1.0
    return _result(found, rest, df, scores, factors, alpha, inflation)


def _result(found, rest: float, df: int, scores: Floats, factors, alpha: float, inflation: float) -> Anova:
    mean_square = rest / df if df > 0 and rest > 1e-24 * np.square(scores).sum() else math.nan
    f_values = [
        squares / effect_df / mean_square / inflation if effect_df else math.nan for _, effect_df, squares in found
    ]
    p_values = [_f_tail(f, effect_df, df) for f, (_, effect_df, _) in zip(f_values, found, strict=True)]
    terms = tuple(
        Term(
            effect,
            effect_df,
            squares,
            f,
            p,
            p_holm,
            squares / (squares + rest) if effect_df and squares + rest > 0 else math.nan,
            *partial_eta2_interval(f, effect_df, df, len(scores), alpha, inflation),
        )
        for (effect, effect_df, squares), f, p, p_holm in zip(
            found, f_values, p_values, holm(p_values).tolist(), strict=True
        )
    )
    return Anova(terms, df, mean_square, len(scores), *_spread(scores, factors, alpha))


def partial_eta2_interval(
    f: float, df: int, df_rest: int, runs: int, alpha: float = 0.05, inflation: float = 1.0
) -> tuple[float, float]:
    """At level 1 - 2 alpha, from an F value; nan where that is nan.

    The noncentralities l under which F lies at the upper and at the lower alpha quantile, turned into shares by
    l / (l + runs) (Steiger 2004, "Beyond the F test", Psychological Methods 9, equation 16). inflation: what F has been
    divided by (see `anova`); an effect then counts that much less in l than in the share.
    """
    if not math.isfinite(f):
        return math.nan, math.nan
    low, high = (inflation * _noncentrality(f, df, df_rest, quantile) for quantile in (1 - alpha, alpha))
    return low / (low + runs), high / (high + runs)


def spread_by_chance(cells: int, df: float, alpha: float = 0.05) -> float:
    """The 1 - alpha quantile of the largest sd over the smallest, of cells that vary alike (Hartley 1950).

    df: runs of a cell less one. With G the distribution of one variance, P(ratio < r) is the mean over u in (0, 1) of
    cells x (G(r^2 G^-1(u)) - u)^(cells - 1): one is smallest, at its quantile u, and all others lie within r^2 of it.
    """
    from scipy.optimize import brentq
    from scipy.special import gammainc, gammaincinv

    node, weight = quantile_nodes(200)
    u = node**4  # where df is small the integrand is steep near 0
    weight = 4 * node**3 * weight
    variance = gammaincinv(df / 2, u)

    def below(log_ratio: float) -> float:
        within = gammainc(df / 2, math.exp(2 * log_ratio) * variance) - u
        return float(weight @ (cells * np.maximum(within, 0.0) ** (cells - 1)))

    return math.exp(brentq(lambda x: below(x) - (1 - alpha), 0.0, 15.0, xtol=1e-9))


def _noncentrality(f: float, df: int, df_rest: int, quantile: float) -> float:
    """The l with P(F' <= f; l) = quantile, which falls with l; 0 where already F itself is below it.

    scipy's distribution fails where F is huge. There l is so large that the numerator of F' is a constant beside its
    denominator, a mean chi-square of the rest, which alone then decides.
    """
    from scipy.optimize import brentq
    from scipy.special import chdtri
    from scipy.stats import f as central
    from scipy.stats import ncf

    if central.cdf(f, df, df_rest) <= quantile:
        return 0.0
    if f > HUGE:
        return f * df * float(chdtri(df_rest, quantile)) / df_rest
    high = 1.0 + f * df
    while ncf.cdf(f, df, df_rest, high) > quantile:
        high *= 2
    return float(brentq(lambda l: ncf.cdf(f, df, df_rest, l) - quantile, 1e-12, high, xtol=1e-9))  # noqa: E741


def _f_tail(f: float, df: int, df_rest: int) -> float:
    from scipy.stats import f as central

    return float(central.sf(f, df, df_rest)) if math.isfinite(f) else math.nan


def _residual(scores: Floats, blocks: list[Floats]) -> tuple[float, int]:
    """(sum of squares, degrees of freedom) left by the columns, which may depend on each other where cells are empty.

    statsmodels counts with the rank, and warns that single coefficients then mean nothing; nobody looks at them.
    """
    from statsmodels.regression.linear_model import OLS  # type: ignore[import-untyped]
    from statsmodels.tools.sm_exceptions import SingularMatrixWarning  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        fitted = OLS(scores, np.hstack(blocks)).fit()
    return float(fitted.ssr), int(fitted.df_resid)


def _dummies(levels: Sequence[object]) -> Floats:
    """(R, levels - 1): 1 where a run has the level; the first level, in order of appearance, has none."""
    names = list(dict.fromkeys(levels))
    return np.array([[float(level == name) for name in names[1:]] for level in levels]).reshape(len(levels), -1)


def _columns(levels: Sequence[Sequence[object]]) -> Floats:
    """Products of the dummies of several factors."""
    product = _dummies(levels[0])
    for more in levels[1:]:
        product = (product[:, :, None] * _dummies(more)[:, None, :]).reshape(len(more), -1)
    return product


def _spread(scores: Floats, factors: Mapping[str, Sequence[object]], alpha: float) -> tuple[float, float]:
    """The spread ratio, and what it may be by chance: that of the smallest cell, which varies most."""
    cells: dict[tuple[object, ...], list[float]] = {}
    for score, *levels in zip(scores.tolist(), *factors.values(), strict=True):
        cells.setdefault(tuple(levels), []).append(score)
    several = [cell for cell in cells.values() if len(cell) > 1]
    if len(several) < 2:
        return math.nan, math.nan
    spreads = [float(np.std(cell, ddof=1)) for cell in several]
    ratio = max(spreads) / min(spreads) if min(spreads) > 1e-12 * np.abs(scores).max() else math.inf
    return ratio, spread_by_chance(len(several), min(map(len, several)) - 1, alpha)


def _check(
    scores: Floats, factors: Mapping[str, Sequence[object]], blocks: Sequence[object] | None, overlap: float
) -> None:
    problems = [] if factors else ["no factors"]
    if overlap and blocks is None:
        problems.append("overlap is of the splits of different blocks; give the blocks")
    for name, levels in [*factors.items(), *([("blocks", blocks)] if blocks is not None else [])]:
        if len(levels) != len(scores):
            problems.append(f"{name} has {len(levels)} levels for {len(scores)} scores; one per score is needed")
        elif len(set(levels)) < 2:
            problems.append(
                f"{name} has only the level {levels[0]!r}; leave it out" if len(levels) else f"{name}: empty"
            )
    if not np.isfinite(scores).all():
        problems.append(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite; leave those runs out")
    if problems:
        raise ValueError("analysis of variance: " + "; ".join(problems))
