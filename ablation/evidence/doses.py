"""Doses: how does the score change with the strength of an operation? A curve for each ladder and condition.

A ladder (`ablation.evidence.ladders`) is looked at seed by seed, whatever test is declared: each seed has its own
curve, and Student's t over seeds judges them (see `ablation.analysis.dose`). Of one curve two things are asked, whether
it rises and whether it bends; Holm's correction is over the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.comparison import holm
from ablation.analysis.dose import DoseResponse, dose_response
from ablation.evidence.ladders import Ladder, ladders
from ablation.evidence.scores import Scores, blocks
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.results import Results


@dataclass(frozen=True)
class DoseCurve:
    """One ladder under one condition, or pooled over all that have it. Scores in the metric's own unit.

    condition: factor -> level, {} where pooled. seeds: those that finished at all doses. scores: a row a seed, a column
    a dose. response: None with fewer than two seeds; its peak is where the score is best, for a loss the lowest point.
    p_slope, p_bend: by Holm's correction over the two. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    scores: tuple[tuple[float, ...], ...]
    response: DoseResponse | None
    p_slope: float
    p_bend: float
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
    found = [(ladder, blocks(results, ladder.recipes)) for ladder in ladders(experiment)]
    return tuple(
        Doses(ladder, tuple(_curve(experiment, ladder, scores) for scores in several))
        for ladder, several in found
        if several
    )


def _curve(experiment: Experiment, ladder: Ladder, found: Scores) -> DoseCurve:
    rows = found.rows()
    table = tuple(map(tuple, rows))
    if len(rows) < 2:
        return DoseCurve(
            found.condition, len(rows), found.planned, table, None, math.nan, math.nan, "too few finished seeds"
        )
    share, alpha = found.test_share, experiment.alpha
    response = dose_response(ladder.doses, rows, share, alpha)
    if experiment.metric in LOWER_IS_BETTER:
        lowest = dose_response(ladder.doses, -np.array(rows), share, alpha)
        response = replace(response, peak=lowest.peak, peak_low=lowest.peak_low, peak_high=lowest.peak_high)
    bend = response.curvature.p_value() if response.curvature else math.nan
    p_slope, p_bend = holm([response.linear.p_value(), bend])
    still = math.isnan(p_slope) and math.isnan(p_bend)
    note = found.note(len(rows)) or ("no spread over seeds: the test cannot judge" if still else "")
    return DoseCurve(found.condition, len(rows), found.planned, table, response, p_slope, p_bend, note)
