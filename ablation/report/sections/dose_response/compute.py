"""How does the score change with the strength of an operation? A curve for each series of doses and each condition.

A series (`magnitudes`) is looked at seed by seed, whatever test is declared: each seed has its own curve, and Student's
t over seeds judges them (see `ablation.analysis.dose`). Of each curve the questions are whether it rises, whether it
bends, and whether a quadratic is enough. All of these together, of every series, under each condition and pooled, are
one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.dose import DoseResponse, dose_response
from ablation.analysis.multiplicity import holm
from ablation.evidence.scores import RecipeScores, recipe_scores
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.sections.dose_response.magnitudes import Series, dose_series
from ablation.report.text import unclaimed


@dataclass(frozen=True)
class DoseCurve:
    """One series under one condition, or pooled over all that have it. Scores in the metric's own unit.

    condition: factor -> level, {} where pooled. seeds: those that finished at all doses. scores: a row a seed, a column
    a dose. response: None with fewer than two seeds; its peak is where the fitted curve turns, the highest point or,
    where it bends up, the lowest. p_slope, p_bend, p_misfit: corrected over the family; p_misfit is nan with three
    doses, which a quadratic always follows. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    scores: tuple[tuple[float, ...], ...]
    response: DoseResponse | None = None
    p_slope: float = math.nan
    p_bend: float = math.nan
    p_misfit: float = math.nan
    note: str = "too few finished seeds"

    @property
    def pooled(self) -> bool:
        return not self.condition


@dataclass(frozen=True)
class Doses:
    """A series, and its curves under each condition that has all its recipes, then pooled where these are several."""

    experiment: Experiment
    series: Series
    curves: tuple[DoseCurve, ...]

    @property
    def deciding(self) -> DoseCurve:
        """What answers the question: pooled, or under the only condition."""
        return self.curves[-1]

    @property
    def questions(self) -> int:
        """How many p-values each curve adds to the family."""
        return 2 if len(self.series.doses) == 3 else 3


def doses(study: Study) -> tuple[Doses, ...]:
    """Every series of the experiment that some condition has whole."""
    experiment = study.experiment
    every = [(series, recipe_scores(study, series.recipes)) for series in dose_series(experiment)]
    return dose_curves(experiment, every)


def dose_curves(experiment: Experiment, every: Iterable[tuple[Series, Sequence[RecipeScores]]]) -> tuple[Doses, ...]:
    """every: each series with its scores under each condition, then pooled; those without are left out."""
    return _corrected(
        [
            Doses(experiment, series, tuple(_curve(experiment, series, scores) for scores in several))
            for series, several in every
            if several
        ]
    )


def _corrected(every: Sequence[Doses]) -> tuple[Doses, ...]:
    """By Holm's correction over all; what has no scores yet counts, too."""
    curves = [(curve, one.questions) for one in every for curve in one.curves]
    raw = [(curve.p_slope, curve.p_bend, curve.p_misfit)[:questions] for curve, questions in curves]
    adjusted = iter(holm([p for p_values in raw for p in p_values]).tolist())

    def corrected(curve: DoseCurve, questions: int) -> DoseCurve:
        slope, bend, misfit = (next(adjusted) if index < questions else math.nan for index in range(3))
        return replace(curve, p_slope=slope, p_bend=bend, p_misfit=misfit)

    return tuple(replace(one, curves=tuple(corrected(curve, one.questions) for curve in one.curves)) for one in every)


def _curve(experiment: Experiment, series: Series, scores: RecipeScores) -> DoseCurve:
    """With p-values before correction."""
    rows = scores.rows()
    curve = DoseCurve(scores.condition, len(rows), scores.planned, tuple(map(tuple, rows)))
    if len(rows) < 2:
        return curve
    response = _response(series.doses, rows, scores.overlap, experiment.alpha)
    slope, bend = (one.p_value() if one else math.nan for one in (response.linear, response.curvature))
    note = unclaimed(scores, len(rows), judged=not (math.isnan(slope) and math.isnan(bend)))
    return replace(curve, response=response, p_slope=slope, p_bend=bend, p_misfit=response.lack_of_fit, note=note)


def _response(at: tuple[float, ...], rows: list[list[float]], overlap: float, alpha: float) -> DoseResponse:
    """With the point where the curve turns, whichever way it bends."""
    response = dose_response(at, rows, overlap, alpha)
    if response.curvature is None or response.curvature.estimate <= 0:
        return response
    mirrored = dose_response(at, -np.array(rows), overlap, alpha)
    return replace(response, peak=mirrored.peak, peak_low=mirrored.peak_low, peak_high=mirrored.peak_high)
