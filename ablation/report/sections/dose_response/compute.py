"""Doses: how does the score change with the strength of an operation? A curve for each ladder and condition.

A ladder (`magnitudes`) is looked at seed by seed, whatever test is declared: each seed has its own
curve, and Student's t over seeds judges them (see `ablation.analysis.dose`). Of each curve it is asked whether it
rises, whether it bends, and whether a quadratic is enough. All of these together, of every ladder, under each condition
and pooled, are one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.comparison import holm
from ablation.analysis.dose import DoseResponse, dose_response
from ablation.evidence.scores import Scores, blocks
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.report.sections.dose_response.magnitudes import Ladder, ladders


@dataclass(frozen=True)
class DoseCurve:
    """One ladder under one condition, or pooled over all that have it. Scores in the metric's own unit.

    condition: factor -> level, {} where pooled. seeds: those that finished at all doses. scores: a row a seed, a column
    a dose. response: None with fewer than two seeds; its peak is where the fitted curve turns, the highest point or,
    where it bends up, the lowest. p_slope, p_bend, p_misfit: corrected over the family; p_misfit is nan with three
    doses, which a quadratic always follows. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    scores: tuple[tuple[float, ...], ...]
    response: DoseResponse | None
    p_slope: float
    p_bend: float
    p_misfit: float
    note: str

    @property
    def pooled(self) -> bool:
        return not self.condition


@dataclass(frozen=True)
class Doses:
    """A ladder, and its curves under each condition that has all its recipes, then pooled where these are several."""

    ladder: Ladder
    found: tuple[DoseCurve, ...]

    @property
    def deciding(self) -> DoseCurve:
        """What answers the question: pooled, or under the only condition."""
        return self.found[-1]


def doses(results: Results) -> tuple[Doses, ...]:
    """Every ladder of the experiment that some condition has whole."""
    experiment = results.experiment
    return curves(experiment, [(ladder, blocks(results, ladder.recipes)) for ladder in ladders(experiment)])


def curves(experiment: Experiment, found: Iterable[tuple[Ladder, Sequence[Scores]]]) -> tuple[Doses, ...]:
    """found: each ladder with its scores under each condition, then pooled; those without are left out."""
    return _corrected(
        [
            Doses(ladder, tuple(_curve(experiment, ladder, scores) for scores in several))
            for ladder, several in found
            if several
        ]
    )


def questions(ladder: Ladder) -> int:
    """How many p-values each curve of the ladder adds to the family."""
    return 2 if len(ladder.doses) == 3 else 3


def _corrected(found: Sequence[Doses]) -> tuple[Doses, ...]:
    """By Holm's correction over all; what has no scores yet counts, too."""
    curves = [(curve, questions(one.ladder)) for one in found for curve in one.found]
    adjusted = iter(holm([p for curve, asked in curves for p in _p_values(curve)[:asked]]))

    def corrected(curve: DoseCurve, asked: int) -> DoseCurve:
        slope, bend, misfit = (next(adjusted) if place < asked else math.nan for place in range(3))
        return replace(curve, p_slope=slope, p_bend=bend, p_misfit=misfit)

    return tuple(
        replace(one, found=tuple(corrected(curve, questions(one.ladder)) for curve in one.found)) for one in found
    )


def _p_values(curve: DoseCurve) -> tuple[float, float, float]:
    return curve.p_slope, curve.p_bend, curve.p_misfit


def _curve(experiment: Experiment, ladder: Ladder, found: Scores) -> DoseCurve:
    """With p-values before correction."""
    rows, unknown = found.rows(), (math.nan,) * 3
    table = tuple(map(tuple, rows))
    if len(rows) < 2:
        return DoseCurve(
            found.condition, len(rows), found.planned, table, None, *unknown, note="too few finished seeds"
        )
    response = _response(ladder.doses, rows, found.overlap, experiment.alpha)
    slope, bend = (one.p_value() if one else math.nan for one in (response.linear, response.curvature))
    still = math.isnan(slope) and math.isnan(bend)
    note = found.note(len(rows)) or ("no spread over seeds: the test cannot judge" if still else "")
    return DoseCurve(
        found.condition, len(rows), found.planned, table, response, slope, bend, response.lack_of_fit, note
    )


def _response(at: tuple[float, ...], rows: list[list[float]], share: float, alpha: float) -> DoseResponse:
    """With the point where the curve turns, whichever way it bends."""
    found = dose_response(at, rows, share, alpha)
    if found.curvature is None or found.curvature.estimate <= 0:
        return found
    mirrored = dose_response(at, -np.array(rows), share, alpha)
    return replace(found, peak=mirrored.peak, peak_low=mirrored.peak_low, peak_high=mirrored.peak_high)
