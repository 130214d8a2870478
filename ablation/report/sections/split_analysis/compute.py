"""Did it reduce overfitting? What a network reaches on the images it was trained on, and on those it was not.

The generalization gap of a run is its training score less its test score, for losses the reverse, so that a larger gap
is more overfitting. Both are of images without augmentation. It is measured in the experiment's metric where that is a
mean over images, otherwise in accuracy. Each recipe's gap against the baseline's, pooled over all conditions, by the
experiment's declared test over new test images; one family for Holm's correction: the recipes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.confusion import confusion_counts, row_shares
from ablation.analysis.metrics import METRICS, reported, right_or_wrong
from ablation.evidence.effects import Effect
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.pairs import Pair, RecipeRuns
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import Part, Predictions
from ablation.experiment.results import Results

Floats = NDArray[np.float64]
Values = Mapping[Part, Mapping[str, float]]
"""part -> metric -> value; without the parts that are not known."""

PARTS: tuple[Part, ...] = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class RunParts:
    """One run. images: of each part that is kept. gap: None without the training part. shares (C, C): on the test part.

    trained: how many images it was trained on, None where that is not recorded.
    """

    values: Values
    images: Mapping[Part, int]
    trained: int | None
    gap: RunMeasure | None
    shares: Floats


@dataclass(frozen=True, eq=False)
class RecipeParts:
    """One recipe. values: means over its compared runs; baseline: the same of the baseline's runs beside them.

    effect: in the gap, corrected; None of the baseline. average: the effect in the experiment's metric. change (C, C):
    of the test confusion to the baseline's, as shares of each class; None without runs of both. same_train: have all
    compared runs one training score, so that the gaps differ by the test score alone?
    """

    recipe: str
    values: Values
    baseline: Values
    effect: MeasureEffect | None
    average: Effect | None
    change: Floats | None
    same_train: bool

    def shown(self, alpha: float) -> bool:
        """Is a difference of the gaps shown? Where it is one of test scores alone, only if the comparison shows it."""
        if self.effect is None or not self.effect.shown(alpha):
            return False
        return not self.same_train or (self.average is not None and self.average.verdict in ("better", "worse"))

    def gap(self, metric: str) -> float:
        """The mean gap; nan without the training part."""
        return gap_of(self.values, metric)


@dataclass(frozen=True, eq=False)
class SplitAnalysis:
    """metric: of the gap. order: every recipe, the baseline among them, as in the experiment. confusion (C, C): shares.

    kept: of a training part the images that the records have, and how many there are, where that is less; else None.
    """

    experiment: Experiment
    metric: str
    classes: tuple[str, ...]
    baseline: RecipeParts
    recipes: tuple[RecipeParts, ...]
    confusion: Floats
    kept: tuple[int, int] | None

    @cached_property
    def rows(self) -> tuple[RecipeParts, ...]:
        """The baseline, then the recipes."""
        return (self.baseline, *self.recipes)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that some run has kept."""
        return tuple(part for part in PARTS if any(part in row.values for row in self.rows))

    @property
    def moved(self) -> tuple[RecipeParts, ...]:
        """The recipes whose test confusion can be held against the baseline's, the largest change first."""
        known = [row for row in self.recipes if row.change is not None and np.nanmax(np.abs(row.change), initial=0) > 0]
        return tuple(sorted(known, key=lambda row: -largest(row.change)))


def largest(change: Floats | None) -> float:
    """The largest change of a cell; 0 without one."""
    return 0.0 if change is None else float(np.nanmax(np.abs(change), initial=0.0))


def gap_of(values: Values, metric: str) -> float:
    """Training score less test score, for losses the reverse; nan where either is missing."""
    if "train" not in values or "test" not in values:
        return math.nan
    return gap_metric(metric, values["train"][metric], values["test"][metric])


def gap_metric(metric: str, train: float, test: float) -> float:
    """train - test, or test - train where lower is better."""
    return test - train if METRICS[metric].lower_is_better else train - test


def split_analysis_of(study: Study) -> SplitAnalysis | None:
    """Reads the answers of every compared run for each part, once; None without a finished run of the baseline."""
    experiment, results = study.experiment, study.results
    metric = experiment.metric if METRICS[experiment.metric].per_image is not None else "accuracy"
    pairs, alone = pooled_pairs(study), _baseline_runs(study)
    known = _read(results, metric, [*_ids(pairs), *alone])
    if not any(run in known for run in alone):
        return None
    effects = measure_effects(study, "gap", lambda run: known[run].gap, pairs)
    judged = corrected(effects, experiment.alpha)
    runs = [known[run] for run in alone]
    own = mean_values(runs)
    recipes = [_recipe(study, pair, effect, metric, known) for pair, effect in zip(pairs, judged, strict=True)]
    return SplitAnalysis(
        experiment,
        metric,
        results.classes,
        RecipeParts(experiment.baseline, own, own, None, None, None, False),
        tuple(recipes),
        _mean_shares(runs),
        _kept(known.values()),
    )


def _baseline_runs(study: Study) -> list[str]:
    finished = study.results.finished
    return list(dict.fromkeys(finished.loc[finished["recipe"] == study.experiment.baseline, "id"]))


def _ids(pairs: Iterable[Pair]) -> list[str]:
    return [run for pair in pairs for group in pair.runs for of_seed in group.values() for run in of_seed]


def _read(results: Results, metric: str, ids: Iterable[str]) -> dict[str, RunParts]:
    return {run: _run(results, metric, run) for run in dict.fromkeys(ids)}


def _run(results: Results, metric: str, run: str) -> RunParts:
    parts = {part: one for part in PARTS if (one := results.part(run, part)) is not None and len(one.label)}
    shown = reported(results.experiment.metric)
    values = {part: {name: METRICS[name](one.logits, one.label) for name in shown} for part, one in parts.items()}
    test, record = parts["test"], results.records.get(run)
    classes = test.logits.shape[1]
    shares = row_shares(confusion_counts(test.label, test.logits.argmax(axis=1), classes))
    images = {part: len(one.label) for part, one in parts.items()}
    trained = record.evidence.get("train_images") if record else None
    gap = _gap(metric, values["train"][metric], test) if "train" in parts else None
    return RunParts(values, images, trained, gap, shares)


def _gap(metric: str, train: float, test: Predictions) -> RunMeasure:
    """As a mean over test images, so that a claim is about new ones, too; the training score is the run's own."""
    per_image, lower, share = METRICS[metric].per_image, METRICS[metric].lower_is_better, METRICS[metric].share
    assert per_image is not None
    terms = per_image(test.logits, test.label)
    share = right_or_wrong(terms) if share is None else share
    return RunMeasure.mean(terms - train if lower else train - terms, test.sample, share)


def _recipe(study: Study, pair: Pair, effect: MeasureEffect, metric: str, known: Mapping[str, RunParts]) -> RecipeParts:
    own, other = (_of(runs, known) for runs in (pair.treatment, pair.reference))
    scores = {one.values["train"][metric] if "train" in one.values else math.nan for one in (*own, *other)}
    change = _mean_shares(own) - _mean_shares(other) if own and other else None
    same = (one for one in study.effects if (one.recipe, one.condition) == (pair.own.recipe, pair.condition))
    return RecipeParts(
        pair.own.recipe, mean_values(own), mean_values(other), effect, next(same, None), change, len(scores) == 1
    )


def _of(runs: RecipeRuns, known: Mapping[str, RunParts]) -> list[RunParts]:
    return [known[run] for of_seed in runs.runs.values() for run in of_seed]


def mean_values(runs: Sequence[RunParts]) -> dict[Part, dict[str, float]]:
    """The means over runs, of the parts that all of them have kept."""
    return {
        part: {name: float(np.mean([run.values[part][name] for run in runs])) for name in runs[0].values[part]}
        for part in PARTS
        if runs and all(part in run.values for run in runs)
    }


def _mean_shares(runs: Sequence[RunParts]) -> Floats:
    """(C, C) over the runs that tested an image of the class."""
    shares = np.array([run.shares for run in runs])
    known = (~np.isnan(shares)).sum(axis=0)
    mean: Floats = np.divide(np.nansum(shares, axis=0), known, out=np.full(known.shape, np.nan), where=known > 0)
    return mean


def _kept(runs: Iterable[RunParts]) -> tuple[int, int] | None:
    fewer = [
        (run.images["train"], run.trained)
        for run in runs
        if "train" in run.images and run.trained is not None and run.images["train"] < run.trained
    ]
    return min(fewer) if fewer else None
