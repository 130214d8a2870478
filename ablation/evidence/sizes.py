"""Sizes: does a recipe help only when data are few? Its difference to the baseline, against the training images.

For each seed a difference at each size, whatever test is declared; Student's t over seeds judges its slope over the
doublings of the images (see `ablation.analysis.dose`). Holm's correction is over the recipes. What varies beside the
train size is pooled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.comparison import holm
from ablation.analysis.dose import DoseResponse, dose_response
from ablation.evidence.scores import Condition, Scores, conditions_with, others, scores_over
from ablation.results import Results

FACTOR = "train_size"


@dataclass(frozen=True)
class SizeCurve:
    """One recipe. Differences to the baseline in the metric's own unit, positive where its score is higher.

    levels, images (K,): the sizes as the grid calls them, and how many images were trained on (a mean where that
    differs); ascending. seeds: those that finished at all sizes. differences: a row a seed, a column a size. response:
    over log2 of the images; its slope is for each doubling. p_slope: by Holm's correction over the recipes. over: how
    many conditions beside the size are pooled. note: why nothing is claimed.
    """

    recipe: str
    levels: tuple[str, ...]
    images: tuple[float, ...]
    seeds: int
    planned: int
    differences: tuple[tuple[float, ...], ...]
    response: DoseResponse | None
    p_slope: float
    over: int
    note: str


def sizes(results: Results) -> tuple[SizeCurve, ...]:
    """Every recipe that stands beside the baseline at two sizes or more; () where the train size does not vary."""
    experiment = results.experiment
    if len(experiment.factors.get(FACTOR, ())) < 2:
        return ()
    recipes = [recipe for recipe in experiment.recipes if recipe != experiment.baseline]
    curves = [curve for recipe in recipes if (curve := _curve(results, recipe)) is not None]
    adjusted = holm([curve.p_slope for curve in curves])
    return tuple(replace(curve, p_slope=p) for curve, p in zip(curves, adjusted, strict=True))


def _curve(results: Results, recipe: str) -> SizeCurve | None:
    """Before correction; None where fewer than two sizes have the recipe and the baseline."""
    experiment = results.experiment
    arms = (recipe, experiment.baseline)
    by_level = _conditions(results, arms)
    if len(by_level) < 2:
        return None
    found = [(level, scores_over(results, arms, conditions)) for level, conditions in by_level.items()]
    counted = sorted((_images(results, scores), level, scores) for level, scores in found)
    images, levels, several = zip(*counted, strict=True)
    seeds = [seed for seed in several[0].shared if all(seed in scores.shared for scores in several)]
    rows = [[_difference(scores, arms, seed) for scores in several] for seed in seeds]
    made = SizeCurve(
        recipe, levels, images, len(rows), several[0].planned, tuple(map(tuple, rows)), None, math.nan,
        len(several[0].conditions), "too few finished seeds",
    )  # fmt: skip
    if len(rows) < 2 or len(set(images)) < len(images):
        return made if len(rows) < 2 else replace(made, note="two sizes have the same number of images")
    share = max(scores.test_share for scores in several)
    response = dose_response(np.log2(images), rows, share, experiment.alpha)
    p = response.linear.p_value()
    whole = replace(several[0], diverged=sum(scores.diverged for scores in several))
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


def _images(results: Results, found: Scores) -> float:
    """How many images were trained on, as a mean over the finished runs; nan without one."""
    factors, table = others(results), results.finished
    rows = [place in found.conditions for place in table[factors].itertuples(index=False, name=None)]
    chosen = table[np.array(rows, bool) & table["recipe"].isin(list(found.of)).to_numpy()]
    return float(chosen["train_images"].mean()) if len(chosen) else math.nan


def _difference(scores: Scores, arms: tuple[str, str], seed: int) -> float:
    return scores.of[arms[0]][seed] - scores.of[arms[1]][seed]
