"""Sizes: does a recipe help only when data are few? Its difference to the baseline, against the training images.

For each seed a difference at each size, whatever test is declared; Student's t over seeds judges its slope over the
doublings of the images (see `ablation.analysis.dose`). Holm's correction is over the recipes. What varies beside the
train size is pooled. Whether a recipe helps at one size is a comparison with the baseline, and not judged here again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.comparison import holm
from ablation.analysis.dose import DoseResponse, dose_response
from ablation.evidence.families import Compared
from ablation.evidence.study import compared
from ablation.evidence.families import Tested
from ablation.evidence.scores import Condition, Scores, conditions_with, others, scores_over
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

FACTOR = "train_size"


@dataclass(frozen=True)
class SizeCurve:
    """One recipe. Differences to the baseline in the metric's own unit, positive where its score is higher.

    levels, images (K,): the sizes as the grid calls them, and how many images were trained on (a mean where that
    differs); ascending. seeds: those that finished at all sizes. differences: a row a seed, a column a size. response:
    over log2 of the images; its slope is for each doubling. p_slope: by Holm's correction over the recipes. ends: the
    comparisons with the baseline at the smallest size and the largest, as `compare` has them; None where several
    conditions are pooled. over: how many conditions beside the size these are. note: why nothing is claimed.
    """

    recipe: str
    levels: tuple[str, ...]
    images: tuple[float, ...]
    seeds: int
    planned: int
    differences: tuple[tuple[float, ...], ...]
    response: DoseResponse | None
    p_slope: float
    ends: tuple[Tested | None, Tested | None]
    over: int
    note: str


def sizes(results: Results) -> tuple[SizeCurve, ...]:
    """Every recipe that stands beside the baseline at two sizes or more; () where the train size does not vary."""
    experiment = results.experiment
    if len(experiment.factors.get(FACTOR, ())) < 2:
        return ()
    known, curves = compared(results), []
    for recipe in experiment.recipes:
        by_level = {} if recipe == experiment.baseline else _conditions(results, (recipe, experiment.baseline))
        if len(by_level) > 1:
            found = [_at(results, recipe, level, conditions) for level, conditions in by_level.items()]
            curves.append(curve(experiment, recipe, found, known))
    return corrected(curves)


@dataclass(frozen=True)
class AtSize:
    """The scores of a recipe and the baseline at one train size."""

    level: str
    images: float
    scores: Scores


def corrected(curves: Sequence[SizeCurve]) -> tuple[SizeCurve, ...]:
    """By Holm's correction over the recipes."""
    adjusted = holm([curve.p_slope for curve in curves])
    return tuple(replace(curve, p_slope=p) for curve, p in zip(curves, adjusted, strict=True))


def curve(experiment: Experiment, recipe: str, found: Iterable[AtSize], known: Compared) -> SizeCurve:
    """Before correction. known: the comparisons with the baseline."""
    ordered = sorted(found, key=lambda at: at.images)
    several, images = [at.scores for at in ordered], tuple(at.images for at in ordered)
    seeds = [seed for seed in several[0].shared if all(seed in scores.shared for scores in several)]
    rows = [[scores.of[recipe][seed] - scores.of[experiment.baseline][seed] for scores in several] for seed in seeds]
    few, many = (known.of(recipe, scores.conditions) for scores in (several[0], several[-1]))
    made = SizeCurve(
        recipe, tuple(at.level for at in ordered), images, len(rows), several[0].planned, tuple(map(tuple, rows)), None,
        math.nan, (few, many), len(several[0].conditions), "too few finished seeds",
    )  # fmt: skip
    if len(rows) < 2 or len(set(images)) < len(images):
        return made if len(rows) < 2 else replace(made, note="two sizes have the same number of images")
    share = max(scores.overlap for scores in several)
    response = dose_response(np.log2(images), rows, share, experiment.alpha)
    p = response.linear.p_value()
    whole = replace(several[0], lost=sum(scores.lost for scores in several))
    note = whole.note(len(rows)) or ("no spread over seeds: the test cannot judge" if math.isnan(p) else "")
    return replace(made, response=response, p_slope=p, note=note)


def _conditions(results: Results, arms: tuple[str, str]) -> dict[str, tuple[Condition, ...]]:
    """level -> its conditions with both arms: those whose other levels are there with every size that has both."""
    place = others(results).index(FACTOR)
    having: dict[str, list[Condition]] = {}
    for condition in conditions_with(results, arms):
        having.setdefault(condition[place], []).append(condition)
    beside = [{_without(condition, place) for condition in conditions} for conditions in having.values()]
    common = set.intersection(*beside) if beside else set()
    kept = {
        level: tuple(condition for condition in conditions if _without(condition, place) in common)
        for level, conditions in having.items()
    }
    return kept if common else {}


def _without(condition: Condition, place: int) -> Condition:
    return condition[:place] + condition[place + 1 :]


def _at(results: Results, recipe: str, level: str, conditions: tuple[Condition, ...]) -> AtSize:
    scores = scores_over(results, (recipe, results.experiment.baseline), conditions)
    return AtSize(level, _images(results, scores), scores)


def _images(results: Results, found: Scores) -> float:
    """How many images were trained on, as a mean over the finished runs; nan without one."""
    factors, table = others(results), results.finished
    rows = [place in found.conditions for place in table[factors].itertuples(index=False, name=None)]
    chosen = table[np.array(rows, bool) & table["recipe"].isin(list(found.of)).to_numpy()]
    return float(chosen["train_images"].mean()) if len(chosen) else math.nan
