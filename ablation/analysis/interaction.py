"""Does the effect of a recipe depend on the level of a factor? Contrasts of cell means, whatever the cells' variances.

For each recipe and each level: its effect against the baseline under that level, less its mean effect under the other
levels. With two levels that is one number. Each is a weighted sum of cell means, judged by its own cells alone: a cell
that varies more than the others makes its own contrasts uncertain, and no other. The F test of an interaction pools one
variance over all cells instead, and rejects too often where they differ (Scheffé 1959, "The Analysis of Variance",
section 10.4).

Knows arrays and the names of levels; how much of the variance an interaction explains is for `factorial`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis import student
from ablation.analysis.comparison import MIN_SEEDS, Difference
from ablation.analysis.multiplicity import holm
from ablation.analysis.student import Floats

UNJUDGED = Difference(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Interaction:
    """How much the effect of a recipe against the baseline is larger under one level than under the others.

    effect, elsewhere: under the level, and the mean of those under `others`. difference: the first less the second. All
    in the metric's unit, whatever its direction. low, high: the interval at level 1 - alpha, not corrected. p_adjusted:
    by Holm's correction over the family. p is nan where it cannot be judged: `others` is empty where too few cells have
    enough scores; else the scores do not vary.
    """

    recipe: str
    factor: str
    level: str
    others: tuple[str, ...]
    effect: float
    elsewhere: float
    difference: Difference
    low: float
    high: float
    p: float
    p_adjusted: float


def interactions(
    scores: Mapping[str, Mapping[str, ArrayLike]],
    conditions: Mapping[str, Mapping[str, str]],
    baseline: str,
    paired: bool = False,
    overlap: float = 0.0,
    alpha: float = 0.05,
) -> tuple[Interaction, ...]:
    """All contrasts that the grid plans: one family for Holm's correction, in which those without a p count too.

    scores: condition -> recipe -> (n,) scores, nan for a seed that has none; the same seeds in one order if paired. A
    cell that is not planned is absent; one that may not be judged, as a run of it diverged, is all nan. conditions:
    condition -> factor -> level. Levels are compared where all other factors are the same, and the mean is taken.

    Cells with fewer than `MIN_SEEDS` scores take no part. paired: one number for each seed that all cells of the
    contrast have, and Student's t over these, which is exact whatever the variances of the cells; overlap: of the
    training parts, where they are redrawn for each seed (`student.paired_contrast`). Else cells are independent samples
    (`student.contrast`).
    """
    grid = _Grid(
        {where: {name: np.asarray(runs, float) for name, runs in own.items()} for where, own in scores.items()},
        conditions,
        baseline,
        paired,
        overlap,
    )
    recipes = dict.fromkeys(name for own in scores.values() for name in own if name != baseline)
    factors = dict.fromkeys(factor for levels in conditions.values() for factor in levels)
    contrasts = [
        _interaction(grid, recipe, factor, level, alpha)
        for recipe in recipes
        for factor in factors
        for level in _each_once(grid.levels(recipe, factor))
    ]
    adjusted = holm([one.p for one in contrasts]).tolist()
    return tuple(replace(one, p_adjusted=p) for one, p in zip(contrasts, adjusted, strict=True))


@dataclass(frozen=True)
class _Grid:
    """cells: condition -> recipe -> (n,) scores; the other fields as in `interactions`."""

    cells: Mapping[str, Mapping[str, Floats]]
    conditions: Mapping[str, Mapping[str, str]]
    baseline: str
    paired: bool
    overlap: float

    def levels(self, recipe: str, factor: str, least: int = 0) -> tuple[str, ...]:
        """Those to be compared, with so many scores in each cell: another has the same of all other factors."""
        strata = self.strata(recipe, factor, least)
        return tuple(dict.fromkeys(level for own in strata for level in own))

    def strata(self, recipe: str, factor: str, least: int) -> list[dict[str, str]]:
        """level -> condition, two or more that differ in this factor alone, and have both the recipe and baseline."""
        strata: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        for where, own in self.cells.items():
            if all(name in own and np.isfinite(own[name]).sum() >= least for name in (recipe, self.baseline)):
                levels = self.conditions[where]
                rest = tuple(item for item in levels.items() if item[0] != factor)
                strata.setdefault(rest, {})[levels[factor]] = where
        return [own for own in strata.values() if len(own) > 1]

    def weights(self, recipe: str, factor: str, level: str) -> tuple[dict[str, float], dict[str, float]]:
        """condition -> weight of its effect: in the mean under the level, and in that under the others."""
        strata = [own for own in self.strata(recipe, factor, MIN_SEEDS) if level in own]
        under = {own[level]: 1 / len(strata) for own in strata}
        others = {
            where: 1 / len(strata) / (len(own) - 1) for own in strata for name, where in own.items() if name != level
        }
        return under, others

    def scores(self, recipe: str, conditions: Sequence[str]) -> dict[tuple[str, str], Floats]:
        """(condition, recipe or baseline) -> the scores that count: of all seeds, or of the shared ones if paired."""
        scores = {(where, name): self.cells[where][name] for where in conditions for name in (recipe, self.baseline)}
        if not self.paired or not scores:
            return {key: runs[np.isfinite(runs)] for key, runs in scores.items()}
        shared = np.isfinite(np.stack(list(scores.values()))).all(axis=0)
        return {key: runs[shared] for key, runs in scores.items()}

    def estimate(self, groups: Sequence[Floats], weights: Sequence[float]) -> student.Estimate:
        if self.paired:
            return student.paired_contrast(groups, weights, self.overlap)
        return student.contrast(groups, weights)


def _each_once(levels: tuple[str, ...]) -> tuple[str, ...]:
    """The levels whose contrasts differ: of two levels, one contrast is the other with its sign turned."""
    return levels[:1] if len(levels) == 2 else levels


def _interaction(grid: _Grid, recipe: str, factor: str, level: str, alpha: float) -> Interaction:
    """One contrast, before correction."""
    nan = math.nan
    none = Interaction(recipe, factor, level, (), nan, nan, UNJUDGED, nan, nan, nan, nan)
    levels = grid.levels(recipe, factor, MIN_SEEDS)
    if level not in _each_once(levels):
        return none
    under, others = grid.weights(recipe, factor, level)
    scores = grid.scores(recipe, [*under, *others])
    if min(map(len, scores.values())) < MIN_SEEDS:
        return none
    total = under | {where: -weight for where, weight in others.items()}
    weights = [total[where] * (1 if name == recipe else -1) for where, name in scores]
    effects = {where: float(scores[where, recipe].mean() - scores[where, grid.baseline].mean()) for where in total}
    difference = Difference.of(grid.estimate(list(scores.values()), weights))
    return Interaction(
        recipe,
        factor,
        level,
        tuple(name for name in levels if name != level),
        sum(weight * effects[where] for where, weight in under.items()),
        sum(weight * effects[where] for where, weight in others.items()),
        difference,
        *difference.interval(alpha),
        difference.p_value(),
        nan,
    )
