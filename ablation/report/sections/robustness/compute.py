"""Each recipe against the baseline on changed test images: brightness, crop, rotation, noise, each at three strengths.

A recipe may do well on rotated images because it does well on all. What it bought beyond that is judged by itself: the
difference in the drop, image by image, from the clean images to the changed ones. Only that is called robustness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.metrics import METRICS, Metric
from ablation.evidence.effects import Effect, overall
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.experiment.robustness import MOST_SHARE, conditions_of, work_share

Floats = NDArray[np.float64]
Condition = tuple[str, float]
"""What is done to the images, and how strongly."""

UNTESTED = "runs of {} were not tested on changed images"


@dataclass(frozen=True, eq=False)
class RunScores:
    """What R test images gave in one run. sample: (R,) their rows in the data set; clean, and each of changed: (R,).

    operations: what was done to the images under each condition. side: of the images, to which some are in proportion.
    """

    sample: NDArray[np.int64]
    clean: Floats
    changed: Mapping[Condition, Floats]
    operations: Mapping[Condition, str]
    side: int


@dataclass(frozen=True)
class NameEffect:
    """A recipe against the baseline under one name: `mean` over its strengths, each of `strengths`, and `beyond`.

    beyond: the difference of the drop, which is the mean over the strengths less that on the same images unchanged.
    """

    name: str
    mean: MeasureEffect
    beyond: MeasureEffect
    strengths: tuple[MeasureEffect, ...]

    def sign(self, alpha: float) -> int:
        """+1 where a higher mean score is shown, -1 a lower one, 0 neither."""
        return _sign(self.mean.estimate) if self.mean.shown(alpha) else 0

    def invariant(self, alpha: float) -> bool:
        """Is the difference shown, and to be larger than that on clean images?"""
        sign = self.sign(alpha)
        return bool(sign) and self.beyond.shown(alpha) and _sign(self.beyond.estimate) == sign


@dataclass(frozen=True)
class RecipeRobustness:
    """One recipe. clean: what the comparison says of it, pooled; None where there is none."""

    recipe: str
    clean: Effect | None
    names: tuple[NameEffect, ...]


@dataclass(frozen=True)
class Robustness:
    """conditions: name -> its strengths, those that every tested run has. images: R; 0 where runs differ in it.

    metric: in which it is measured. baseline: mean scores, under () those on clean images. left_out: the names of
    conditions that some runs lack.
    """

    experiment: Experiment
    metric: str
    conditions: Mapping[str, tuple[float, ...]]
    recipes: tuple[RecipeRobustness, ...]
    baseline: Mapping[Condition | tuple[()], float]
    images: int
    left_out: tuple[str, ...]

    @property
    def comparisons(self) -> int:
        """Primary ones: of each recipe under each name."""
        return len(self.recipes) * len(self.conditions)

    @property
    def over_images(self) -> bool:
        """Do the claims hold for new test images, too?"""
        judged = [one.mean for recipe in self.recipes for one in recipe.names if not one.mean.note]
        return bool(judged) and all(one.over_images for one in judged)


@dataclass(frozen=True)
class Untested:
    """Why finished runs were not tested on changed images.

    refused: the experiment says so. share: (least, most) of the training's work that the tests would have taken, where
    that was too much; None where it was not. notes: what the runs say that went wrong.
    """

    runs: int
    finished: int
    refused: bool
    share: tuple[float, float] | None
    notes: tuple[str, ...]


def scored_runs(study: Study) -> dict[str, RunScores]:
    """The finished runs that were tested on changed images, by id. Reads their arrays."""
    metric = METRICS[score_of(study.experiment)]
    sides = {cell.spec.id: cell.spec.image_size for cell in study.results.cells}
    scores = {run: run_scores(study.results, run, metric, sides[run]) for run in _finished(study)}
    return {run: own for run, own in scores.items() if own is not None}


def _finished(study: Study) -> list[str]:
    return list(study.results.finished["id"].drop_duplicates())


def robustness_of(study: Study, known: Mapping[str, RunScores]) -> Robustness | None:
    """None where no finished run was tested on changed images, or nothing stands beside the baseline."""
    metric = score_of(study.experiment)
    if not known or not pooled_pairs(study):
        return None
    conditions, left_out = _common(known.values())
    counts = {len(one.sample) for one in known.values()}
    return Robustness(
        study.experiment,
        metric,
        conditions,
        _recipes(study, known, conditions, metric == "accuracy"),
        _baseline(study, known, conditions),
        counts.pop() if len(counts) == 1 else 0,
        left_out,
    )


def score_of(experiment: Experiment) -> str:
    """The experiment's metric where each image has its own part in it, else accuracy."""
    return experiment.metric if METRICS[experiment.metric].per_image is not None else "accuracy"


def run_scores(results: Results, run: str, metric: Metric, side: int) -> RunScores | None:
    """None where the run was not tested on changed images. side: of its images."""
    shown = results.corrupted(run)
    if shown is None or metric.per_image is None:
        return None
    sample, label, logits = results.test_predictions(run)
    order = np.argsort(sample)
    at = order[np.searchsorted(sample, shown.sample, sorter=order).clip(max=len(sample) - 1)]
    if not np.array_equal(sample[at], shown.sample):
        return None
    changed = {
        condition: metric.per_image(answers, shown.label)
        for condition, answers in zip(shown.conditions, shown.logits, strict=True)
    }
    operations = dict(zip(shown.conditions, shown.operations, strict=False))
    return RunScores(shown.sample, metric.per_image(logits[at], label[at]), changed, operations, side)


def untested(study: Study, known: Collection[str]) -> Untested | None:
    """Of the finished runs that are not known to be tested on changed images; None where all are."""
    finished = _finished(study)
    lacking = [run for run in finished if run not in known]
    if not lacking:
        return None
    experiment = study.experiment
    shares = _shares(study, lacking)
    too_much = experiment.robustness is None and bool(shares) and min(shares) > MOST_SHARE
    noted = {
        note
        for run in lacking
        if run in study.records
        for note in study.records[run].notes
        if note.startswith("robustness:")
    }
    share = (min(shares), max(shares)) if too_much else None
    return Untested(len(lacking), len(finished), experiment.robustness is False, share, tuple(sorted(noted)))


def _shares(study: Study, runs: Sequence[str]) -> list[float]:
    """What testing would have taken of the work of training, of those of these runs whose sizes are known."""
    specs, shares = {cell.spec.id: cell.spec for cell in study.results.cells}, []
    for run in runs:
        evidence = study.records[run].evidence if run in study.records else {}
        tested, trained, validated = (evidence.get(f"{part}_images") for part in ("test", "train", "val"))
        count = len(conditions_of(study.experiment, specs[run].image_size))
        if count and tested and trained and validated is not None:
            shares.append(work_share(count, tested, trained, validated, specs[run].epochs))
    return shares


def _common(known: Collection[RunScores]) -> tuple[dict[str, tuple[float, ...]], tuple[str, ...]]:
    """Name -> the strengths that all runs have, and the names of conditions that only some have.

    Runs that were given other operations under one name, with images of one size, do not have it in common.
    """
    every = [list(one.changed) for one in known]
    done: dict[tuple[Condition, int], set[str]] = {}
    for one in known:
        for condition in one.changed:
            done.setdefault((condition, one.side), set()).add(one.operations.get(condition, ""))
    unlike = {condition for (condition, _), operations in done.items() if len(operations) > 1}
    held = set.intersection(*map(set, every)) - unlike
    common: dict[str, tuple[float, ...]] = {}
    for name, strength in every[0]:
        if (name, strength) in held:
            common[name] = (*common.get(name, ()), strength)
    return common, tuple(dict.fromkeys(name for own in every for name, strength in own if (name, strength) not in held))


def _recipes(
    study: Study, known: Mapping[str, RunScores], conditions: Mapping[str, tuple[float, ...]], share: bool
) -> tuple[RecipeRobustness, ...]:
    """All comparisons, corrected together: first the mean under each name; behind it the drop, and each strength."""
    columns: list[tuple[MeasureEffect, ...]] = []
    parents: list[int | None] = []
    for name, strengths in conditions.items():
        first = len(columns)
        every = [(name, strength) for strength in strengths]
        columns.append(_measured(study, name, known, _mean_of(every), share))
        columns.append(_measured(study, name, known, _drop_of(every), share))
        columns += [_measured(study, name, known, _mean_of([one]), share) for one in every]
        parents += [None, *[first] * (len(every) + 1)]
    rows, width = len(columns[0]) if columns else 0, len(columns)
    flat = [columns[column][row] for row in range(rows) for column in range(width)]
    ahead = [() if parent is None else (row * width + parent,) for row in range(rows) for parent in parents]
    judged = corrected(flat, study.experiment.alpha, ahead)
    clean, recipes = _clean(study), []
    for row in range(rows):
        own, names = judged[row * width : (row + 1) * width], []
        for name, strengths in conditions.items():
            mean, beyond, *each = own[: len(strengths) + 2]
            own = own[len(strengths) + 2 :]
            names.append(NameEffect(name, mean, beyond, tuple(each)))
        recipe = columns[0][row].recipe
        recipes.append(RecipeRobustness(recipe, clean.get(recipe), tuple(names)))
    return tuple(recipes)


def _measured(
    study: Study, name: str, known: Mapping[str, RunScores], terms: Callable[[RunScores], Floats], share: bool
) -> tuple[MeasureEffect, ...]:
    def of(run: str) -> RunMeasure | None:
        return RunMeasure.mean(terms(known[run]), known[run].sample, share) if run in known else None

    return tuple(
        replace(effect, note=UNTESTED.format(effect.note.removeprefix("the records of ").partition(" lack")[0]))
        if effect.note.startswith("the records of ")
        else effect
        for effect in measure_effects(study, name, of)
    )


def _mean_of(conditions: Sequence[Condition]) -> Callable[[RunScores], Floats]:
    def terms(scores: RunScores) -> Floats:
        return np.asarray(np.mean([scores.changed[one] for one in conditions], axis=0), float)

    return terms


def _drop_of(conditions: Sequence[Condition]) -> Callable[[RunScores], Floats]:
    mean = _mean_of(conditions)
    return lambda scores: mean(scores) - scores.clean


def _baseline(
    study: Study, known: Mapping[str, RunScores], conditions: Mapping[str, tuple[float, ...]]
) -> dict[Condition | tuple[()], float]:
    """Its mean score on the clean images and under each condition, over all its runs; nan where none was tested."""
    own = {cell.spec.id for cell in study.results.cells if cell.factors["recipe"] == study.experiment.baseline}
    runs = [scores for run, scores in known.items() if run in own]
    if not runs:
        return {}
    means: dict[Condition | tuple[()], float] = {(): float(np.mean([run.clean.mean() for run in runs]))}
    for name, strengths in conditions.items():
        for one in strengths:
            means[name, one] = float(np.mean([run.changed[name, one].mean() for run in runs]))
    return means


def _clean(study: Study) -> dict[str, Effect]:
    """Of each recipe the effect pooled over all conditions, or that of the only one."""
    return {effect.recipe: effect for effect in overall(study.effects)}


def _sign(x: float) -> int:
    return 0 if math.isnan(x) else int(np.sign(x))
