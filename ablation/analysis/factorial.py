"""How much of the variance between runs goes with a recipe, an optimizer, or the two together? Partial eta squared.

An analysis of variance of recipe x every other varied factor, as a description: nothing is tested here, since an F test
supposes one variance in all cells. Whether the effect of a recipe depends on a condition is for `interaction`.

Sums of squares are of type II: each effect is judged beside all effects that do not contain it. In a complete grid all
types agree. Where runs are missing, type II does not depend on how levels are coded, and keeps a meaning where
`exclude` has left cells empty, which type III does not (Langsrud 2003, Statistics and Computing 13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import Floats


@dataclass(frozen=True)
class Term:
    """A main effect (one factor) or an interaction (several).

    partial_eta2: its share of the variance that is left when all other effects are taken out, SS / (SS + SS_rest), in
    [0, 1]; as an estimate it is too large with few runs. nan where the term has no degree of freedom, or where there is
    nothing to share.
    """

    factors: tuple[str, ...]
    df: int
    partial_eta2: float


@dataclass(frozen=True)
class Anova:
    """terms: main effects first, then interactions of 2 factors, and so on.

    df, mean_square: of the rest; mean_square is nan where no run is left for it, or nothing varies.
    """

    terms: tuple[Term, ...]
    df: int
    mean_square: float
    runs: int

    def term(self, *factors: str) -> Term:
        """The term of exactly these factors, in any order."""
        return next(term for term in self.terms if set(term.factors) == set(factors))


def anova(scores: ArrayLike, factors: Mapping[str, Sequence[object]], blocks: Sequence[object] | None = None) -> Anova:
    """scores (R,): one per finished run. factors: name -> the level of each run (R,), at least 2 levels each.

    blocks (R,): the seed of each run, where runs of one seed have something in common (the declared test is paired):
    its variance is taken out of the rest. All interactions are in the model. Raises ValueError with all mistakes.
    """
    scores = np.asarray(scores, float)
    _check(scores, factors, blocks)
    names = list(factors)
    effects = [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]
    columns = {effect: _columns([factors[name] for name in effect]) for effect in effects}
    always = [np.ones((len(scores), 1))] + ([_dummies(blocks)] if blocks is not None else [])
    centred = scores - scores.mean()
    rest, df = _residual(centred, always + list(columns.values()))
    terms, rounding = [], 1e-24 * np.square(scores).sum()
    for effect in effects:
        beside = always + [columns[other] for other in effects if not set(effect) <= set(other)]
        without, df_without = _residual(centred, beside)
        within, df_within = _residual(centred, [*beside, columns[effect]])
        squares, own_df = max(0.0, without - within), df_without - df_within  # below 0 by rounding alone
        known = own_df > 0 and squares + rest > rounding
        terms.append(Term(effect, own_df, squares / (squares + rest) if known else math.nan))
    return Anova(tuple(terms), df, rest / df if df > 0 and rest > rounding else math.nan, len(scores))


def _residual(scores: Floats, blocks: list[Floats]) -> tuple[float, int]:
    """(sum of squares, degrees of freedom) left by the columns, some of which may depend on others (empty cells)."""
    table = np.hstack(blocks)
    weights, _, rank, _ = np.linalg.lstsq(table, scores, rcond=None)
    return float(np.square(scores - table @ weights).sum()), len(scores) - int(rank)


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


def _check(scores: Floats, factors: Mapping[str, Sequence[object]], blocks: Sequence[object] | None) -> None:
    problems = [] if factors else ["no factors"]
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
