"""Whose decisions are worth most? The areas under decision curves, compared by the declared test, and the curves.

"The better augmentation has the largest area" is tested here: each recipe against the baseline in the area under the
macro-averaged one-vs-rest curve, with the probabilities as they are and temperature-scaled on the validation images;
one family for Holm's correction: recipes x {raw, scaled}. An augmentation that mixes or smooths changes calibration,
and with it the area; what is left after scaling is not that alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.comparison import MIN_SEEDS, Crossed
from ablation.analysis.crossed import difference_parts, half_width
from ablation.analysis.decision import (
    RANGE,
    area,
    confidence,
    net_benefit,
    one_vs_rest_area,
    one_vs_rest_net_benefit,
    one_vs_rest_weighted_area,
    probabilities,
    temperature,
    treat_all,
)
from ablation.evidence.image_intervals import photograph_groups
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.pairs import Pair
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.report.text import MOST_NAMED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RAW, SCALED = "raw", "scaled"
MEASURES = (RAW, SCALED, "weighted", "confident", "confident, scaled")
"""Areas of one run. The first two are tested; the others are described: weighted by 1 - t, and of acting on the guess
where the network is confident."""

THRESHOLDS = np.linspace(0, RANGE, 46)
"""At which curves are drawn."""


@dataclass(frozen=True, eq=False)
class RunAreas:
    """sample (T,): rows of the test images. terms: measure -> (T,) what each adds. temperature: nan without one."""

    sample: Ints
    terms: Mapping[str, Floats]
    temperature: float = math.nan


@dataclass(frozen=True)
class RecipeAreas:
    """One recipe against the baseline. raw, scaled: corrected; scaled is None where no run has validation images.

    others: measure -> its effect, uncorrected. temperature: a mean over the runs, of its logarithms; nan without one.
    """

    recipe: str
    raw: MeasureEffect
    scaled: MeasureEffect | None
    others: Mapping[str, MeasureEffect]
    temperature: float = math.nan


@dataclass(frozen=True, eq=False)
class Decisions:
    """temperature: of the baseline. lacking: why nothing is temperature-scaled, '' where it is. classes: C.

    temperatures: run id -> that of its validation images, of the runs that are compared.
    """

    experiment: Experiment
    recipes: tuple[RecipeAreas, ...]
    temperature: float
    lacking: str
    classes: int
    temperatures: Mapping[str, float] = field(default_factory=dict)

    @property
    def largest(self) -> str:
        """Whose mean area, as trained, is the furthest above the baseline's; the baseline's own name where none is.

        '' where none is known. It describes these runs, and claims nothing.
        """
        ahead = {one.recipe: one.raw.estimate for one in self.recipes if not math.isnan(one.raw.estimate)}
        best = max(ahead, key=ahead.__getitem__, default="")
        return best if not best or ahead[best] > 0 else self.experiment.baseline


def decisions_of(study: Study) -> Decisions | None:
    """None where no run has finished, or nothing stands beside the baseline."""
    pairs = pooled_pairs(study)
    if study.results.finished.empty or not pairs:
        return None
    areas = cache(lambda run: run_areas(study.results, run))
    used = {run for pair in pairs for runs in pair.runs for ids in runs.values() for run in ids}
    has_scaled = any(SCALED in areas(run).terms for run in used)
    by_measure = {
        name: measure_effects(study, name, _of(areas, name), pairs)
        for name in MEASURES
        if has_scaled or "scaled" not in name
    }
    tested = [name for name in (RAW, SCALED) if name in by_measure]
    family = corrected([effect for name in tested for effect in by_measure[name]], study.experiment.alpha)
    recipes = []
    for index, pair in enumerate(pairs):
        raw, *scaled = family[index :: len(pairs)]
        others = {name: by_measure[name][index] for name in by_measure if name not in tested}
        own = _temperature(pair.own.runs, areas)
        recipes.append(RecipeAreas(pair.own.recipe, raw, scaled[0] if scaled else None, others, own))
    reference = max((pair.reference for pair in pairs), key=lambda runs: len(runs.runs))
    lacking = "" if has_scaled else _lacking(study, used)
    beside = _temperature(reference.runs, areas)
    temperatures = {run: areas(run).temperature for run in used}
    return Decisions(study.experiment, tuple(recipes), beside, lacking, len(study.results.classes), temperatures)


def run_areas(results: Results, run: str) -> RunAreas:
    """What each test image adds to every area of a finished run."""
    sample, labels, logits = results.test_predictions(run)
    p = probabilities(logits)
    terms = {
        RAW: one_vs_rest_area(p, labels),
        "weighted": one_vs_rest_weighted_area(p, labels),
        "confident": area(*confidence(p, labels)),
    }
    by = run_temperature(results, run)
    if math.isnan(by):
        return RunAreas(sample, terms)
    scaled = probabilities(logits, by)
    terms |= {SCALED: one_vs_rest_area(scaled, labels), "confident, scaled": area(*confidence(scaled, labels))}
    return RunAreas(sample, terms, by)


def run_temperature(results: Results, run: str) -> float:
    """That of its validation images; nan where the record has none."""
    known = results.part(run, "val")
    return math.nan if known is None or not len(known.label) else temperature(known.logits, known.label)


def _of(areas: Callable[[str], RunAreas], name: str) -> Callable[[str], RunMeasure | None]:
    def measure(run: str) -> RunMeasure | None:
        known = areas(run)
        return RunMeasure.mean(known.terms[name], known.sample) if name in known.terms else None

    return measure


def _temperature(runs: Mapping[int, Sequence[str]], areas: Callable[[str], RunAreas]) -> float:
    """The geometric mean; nan where a run has none."""
    values = [areas(run).temperature for ids in runs.values() for run in ids]
    return float(np.exp(np.mean(np.log(values)))) if values else math.nan


def _lacking(study: Study, runs: set[str]) -> str:
    """Why there are no answers for validation images."""
    images = {study.records[run].evidence.get("val_images") if run in study.records else None for run in runs}
    if images == {0}:
        return "there is no validation part to take a temperature from"
    return (
        "the records of these runs lack the answers for the validation images (an older version made them; remove the "
        f"runs' folders and train them anew with `{study.command}`)"
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """Of one recipe: (K,) macro-averaged one-vs-rest net benefit, and that of acting on the guess where confident."""

    recipe: str
    macro: Floats
    confident: Floats


@dataclass(frozen=True, eq=False)
class Band:
    """A difference to the baseline at each threshold, (K,): half the interval over seeds, and over seeds and images.

    Pointwise, not corrected; nan where nothing varies. both is None where the test judges seeds alone.
    """

    value: Floats
    seeds: Floats
    both: Floats | None


@dataclass(frozen=True, eq=False)
class DifferencePanel:
    """One recipe against the baseline. scaled: None without temperatures."""

    recipe: str
    raw: Band
    scaled: Band | None


@dataclass(frozen=True, eq=False)
class CurvesInfo:
    """at (K,) thresholds; curves, the baseline's first; everything in net true positives per image.

    all_macro, all_confident (K,): acting on every image, for each class in turn and on the baseline's guess.
    """

    at: Floats
    curves: tuple[Curve, ...]
    panels: tuple[DifferencePanel, ...]
    all_macro: Floats
    all_confident: Floats
    baseline: str
    alpha: float


def curves_of(study: Study, recipes: Sequence[str], temperatures: Mapping[str, float] | None = None) -> CurvesInfo:
    """The curves of these recipes, at most `MOST_NAMED`, beside the baseline's. Reads their runs again.

    temperatures: of runs of which they are known. What each photograph adds is held of one recipe's runs and the
    baseline's at a time: of all runs it would be hundreds of MiB.
    """
    chosen = list(recipes[:MOST_NAMED])
    pairs = [pair for pair in pooled_pairs(study) if pair.own.recipe in chosen]
    means: dict[str, dict[str, Floats]] = {}
    terms: dict[str, dict[str, Floats]] = {}
    panels = []
    for pair in pairs:
        runs = _runs(pair)
        terms = {run: terms[run] for run in runs if run in terms}
        terms |= {run: _run_curves(study.results, run, temperatures or {}) for run in runs if run not in terms}
        means |= {run: {kind: of.mean(axis=1) for kind, of in terms[run].items()} for run in runs if run not in means}
        panels.append(_panel(study, pair, terms))
    baseline = study.experiment.baseline
    groups = {pair.own.recipe: pair.own.runs for pair in pairs if not pair.same_runs}
    reference = max((pair.reference.runs for pair in pairs), key=len, default={})
    curves = tuple(
        Curve(name, *(np.mean([means[run][part] for ids in runs.values() for run in ids], axis=0)
                      for part in (RAW, "confident")))
        for name, runs in {baseline: reference, **groups}.items() if runs
    )  # fmt: skip
    right = float(curves[0].confident[0]) if curves else math.nan  # at t = 0 every guess is acted on
    return CurvesInfo(
        THRESHOLDS,
        curves,
        tuple(filter(None, panels)),
        treat_all(1 / max(1, len(study.results.classes)), THRESHOLDS),
        treat_all(right, THRESHOLDS),
        baseline,
        study.experiment.alpha,
    )


def _runs(pair: Pair) -> dict[str, None]:
    """The ids of all runs of the recipe and the baseline."""
    every = (pair.own.runs, *pair.runs)
    return dict.fromkeys(run for runs in every for ids in runs.values() for run in ids)


def _run_curves(results: Results, run: str, temperatures: Mapping[str, float]) -> dict[str, Floats]:
    """What each photograph adds at each threshold, (K, G) by kind of curve."""
    sample, labels, logits = results.test_predictions(run)
    p = probabilities(logits)
    curves = {
        RAW: one_vs_rest_net_benefit(p, labels, THRESHOLDS),
        "confident": net_benefit(*confidence(p, labels), THRESHOLDS),
    }
    by = temperatures[run] if run in temperatures else run_temperature(results, run)
    if not math.isnan(by):
        curves[SCALED] = one_vs_rest_net_benefit(probabilities(logits, by), labels, THRESHOLDS)
    group = photograph_groups(results, sample)
    if group.max(initial=-1) + 1 == len(sample):
        return curves
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    return {
        kind: np.add.reduceat(terms[:, order], starts, axis=1) * len(starts) / len(sample)
        for kind, terms in curves.items()
    }


def _panel(study: Study, pair: Pair, terms: Mapping[str, dict[str, Floats]]) -> DifferencePanel | None:
    if pair.seeds < MIN_SEEDS or pair.same_runs:
        return None
    raw = _band(study, pair, RAW, terms)
    every = [terms[run] for runs in pair.runs for ids in runs.values() for run in ids]
    has_scaled = all(SCALED in one for one in every)
    return DifferencePanel(pair.own.recipe, raw, _band(study, pair, SCALED, terms) if has_scaled else None)


def _band(study: Study, pair: Pair, kind: str, terms: Mapping[str, dict[str, Floats]]) -> Band:
    test, alpha = study.experiment.declared_test, study.experiment.alpha
    groups = pair.runs
    if test.paired:
        shared = pair.shared_seeds
        groups = tuple({seed: runs[seed] for seed in shared} for runs in pair.runs)  # type: ignore[assignment]
    per_seed = [[_mean([terms[run][kind] for run in ids]) for ids in runs.values()] for runs in groups]
    own, reference = (np.array([one.mean(axis=1) for one in seeds]).T for seeds in per_seed)
    seeds = np.array(
        [
            np.diff(test.difference(one.tolist(), other.tolist(), pair.overlap).interval(alpha))[0] / 2
            for one, other in zip(own, reference, strict=True)
        ]
    )
    value = own.mean(axis=1) - reference.mean(axis=1)
    images = {one.shape[1] for group in per_seed for one in group}
    redrawn = any(cell.spec.split.redraws_test for cell in study.results.cells)
    if not isinstance(test, Crossed) or len(images) > 1 or images == {1} or redrawn:
        return Band(value, seeds, None)
    tables = [np.stack(group, axis=1) for group in per_seed]
    _, parts = difference_parts(tables[0], tables[1], True, pair.overlap)
    return Band(value, seeds, half_width(parts, alpha))


def _mean(terms: Sequence[Floats]) -> Floats:
    """Of the runs of one seed; where their images are not as many, the mean of each alone."""
    if len({one.shape for one in terms}) == 1:
        return np.asarray(np.mean(terms, axis=0))
    return np.asarray(np.mean([one.mean(axis=1) for one in terms], axis=0))[:, None]
