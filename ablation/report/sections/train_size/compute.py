"""Does a recipe help only when data are few? Its difference to the baseline, against the training images.

For each seed a difference at each size, whatever test is declared; Student's t over seeds judges its slope over the
doublings of the images (see `ablation.analysis.dose`). Holm's correction is over the recipes. What varies beside the
train size is pooled. Whether a recipe helps at one size is a comparison with the baseline, and not judged here again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ablation.analysis.dose import DoseResponse, dose_response
from ablation.analysis.multiplicity import holm
from ablation.evidence.families import Compared, Tested
from ablation.evidence.pairs import Condition
from ablation.evidence.scores import RecipeScores, conditions_with, others, scores_over
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.report.text import unclaimed

FACTOR = "train_size"


@dataclass(frozen=True)
class SizeCurve:
    """One recipe. Differences to the baseline in the metric's own unit, positive where its score is higher.

    levels, images (K,): the sizes as the grid calls them, and how many images were trained on (a mean where that
    differs); ascending. seeds: those that finished at all sizes. differences: a row a seed, a column a size. ends: the
    comparisons with the baseline at the smallest size and the largest, as `compare` has them; None where several
    conditions are pooled. over: how many conditions beside the size these are. response: over log2 of the images; its
    slope is for each doubling. p_slope: by Holm's correction over the recipes. note: why nothing is claimed.
    """

    experiment: Experiment
    recipe: str
    levels: tuple[str, ...]
    images: tuple[float, ...]
    seeds: int
    planned: int
    differences: tuple[tuple[float, ...], ...]
    ends: tuple[Tested | None, Tested | None]
    over: int
    response: DoseResponse | None = None
    p_slope: float = math.nan
    note: str = "too few finished seeds"

    @property
    def changes(self) -> bool:
        """Is its gain shown to depend on the number of images?"""
        return self.p_slope < self.experiment.alpha and not self.note


@dataclass(frozen=True)
class AtSize:
    """The scores of a recipe and the baseline at one train size."""

    level: str
    images: float
    scores: RecipeScores


def size_curves(study: Study) -> tuple[SizeCurve, ...]:
    """Every recipe that stands beside the baseline at two sizes or more; () where the train size does not vary."""
    experiment, results, curves = study.experiment, study.results, []
    if len(experiment.factors.get(FACTOR, ())) < 2:
        return ()
    for recipe in experiment.recipes:
        pair = (recipe, experiment.baseline)
        by_level = _conditions(results, pair) if recipe != experiment.baseline else {}
        if len(by_level) > 1:
            scores = {level: scores_over(study, pair, conditions) for level, conditions in by_level.items()}
            sizes = [AtSize(level, _images(results, own), own) for level, own in scores.items()]
            curves.append(size_curve(experiment, recipe, sizes, study.compared))
    return corrected(curves)


def corrected(curves: Sequence[SizeCurve]) -> tuple[SizeCurve, ...]:
    """By Holm's correction over the recipes."""
    adjusted = holm([curve.p_slope for curve in curves]).tolist()
    return tuple(replace(curve, p_slope=p) for curve, p in zip(curves, adjusted, strict=True))


def size_curve(experiment: Experiment, recipe: str, sizes: Iterable[AtSize], compared: Compared) -> SizeCurve:
    """Before correction. compared: the comparisons with the baseline."""
    ordered = sorted(sizes, key=lambda at: at.images)
    every, images = [at.scores for at in ordered], tuple(at.images for at in ordered)
    seeds = [seed for seed in every[0].shared if all(seed in scores.shared for scores in every)]
    rows = [[scores.of[recipe][seed] - scores.of[experiment.baseline][seed] for scores in every] for seed in seeds]
    few, many = (compared.of(recipe, scores.conditions) for scores in (every[0], every[-1]))
    curve = SizeCurve(
        experiment, recipe, tuple(at.level for at in ordered), images, len(rows), every[0].planned,
        tuple(map(tuple, rows)), (few, many), len(every[0].conditions),
    )  # fmt: skip
    if len(rows) < 2:
        return curve
    if len(set(images)) < len(images):
        return replace(curve, note="two sizes have the same number of images")
    response = dose_response(np.log2(images), rows, max(scores.overlap for scores in every), experiment.alpha)
    p = response.linear.p_value()
    whole = replace(every[0], lost=sum(scores.lost for scores in every))
    return replace(curve, response=response, p_slope=p, note=unclaimed(whole, len(rows), not math.isnan(p)))


def _conditions(results: Results, pair: tuple[str, str]) -> dict[str, tuple[Condition, ...]]:
    """level -> its conditions with both recipes: those whose other levels are there with every size that has both."""
    index = others(results).index(FACTOR)
    by_level: dict[str, dict[Condition, Condition]] = {}
    for condition in conditions_with(results, pair):
        rest = condition[:index] + condition[index + 1 :]
        by_level.setdefault(condition[index], {})[rest] = condition
    common = set.intersection(*map(set, by_level.values())) if by_level else set()
    kept = {
        level: tuple(condition for rest, condition in own.items() if rest in common) for level, own in by_level.items()
    }
    return kept if common else {}


def _images(results: Results, scores: RecipeScores) -> float:
    """How many images were trained on, as a mean over the finished runs; nan without one."""
    factors, table = others(results), results.finished
    rows = [levels in scores.conditions for levels in table[factors].itertuples(index=False, name=None)]
    chosen = table[np.array(rows, bool) & table["recipe"].isin(list(scores.of)).to_numpy()]
    return float(chosen["train_images"].mean()) if len(chosen) else math.nan
