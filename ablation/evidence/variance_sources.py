"""Where the variance comes from: the run, the choice of training photographs, and that of test photographs.

Of the differences to the baseline that answer the question, as means over recipes. What a design does not vary, or
cannot tell apart, is nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Pair
from ablation.evidence.target import target_of
from ablation.experiment.results import Results


@dataclass(frozen=True)
class Sources:
    """Standard deviations of one seed's difference to the baseline, in the metric's own unit.

    run: of runs that are trained on the same photographs. training: of what the choice of training photographs adds.
    both: of run and training photographs together. images: of what the choice of so many test photographs adds.
    """

    run: float
    training: float
    both: float
    images: float


def variance_sources(results: Results, pairs: Sequence[Pair], scores: ImageScores) -> Sources | None:
    """Over the pooled differences without a failed training, or those of the only condition.

    None where no recipe shares two seeds with the baseline.
    """
    every = [pair for pair in pairs if len(pair.shared_seeds) > 1 and not pair.same_runs]
    every = [pair for pair in every if not (pair.own.failed or pair.reference.failed)] or every
    pooled = [pair for pair in every if len(pair.block) > 1] or every
    if not pooled:
        return None
    variances = np.array([_variances(results, pair, scores) for pair in pooled])
    run, both, images = (float(value) for value in variances.mean(axis=0))
    training = target_of(results.experiment).training
    if not training:
        run = both
    extra = max(0.0, both - run) if training and not math.isnan(run) else math.nan
    return Sources(*(math.sqrt(value) for value in (run, extra, both, images)))


def _variances(results: Results, pair: Pair, scores: ImageScores) -> tuple[float, float, float]:
    """(of runs with one training part, of one run with its training part, of the mean over test photographs)."""
    within, runs, seed_of = [], 1, dict(zip(results.frame["id"], results.frame["seed"], strict=True))
    by_run = dict(zip(results.frame["id"], results.frame[results.experiment.metric], strict=True))
    for draw in pair.shared_seeds:
        treatment, baseline = (_by_seed(recipe[draw], seed_of, by_run) for recipe in pair.runs)
        gains = [treatment[seed] - baseline[seed] for seed in treatment if seed in baseline]
        runs = len(gains)
        if runs > 1:
            within.append(float(np.var(gains, ddof=1)))
    run = float(np.mean(within)) if within else math.nan
    means = [pair.treatment.scores[draw] - pair.reference.scores[draw] for draw in pair.shared_seeds]
    between = float(np.var(means, ddof=1))
    wider = 1 + pair.overlap  # the draws are alike by rho, so that they vary by 1 - rho of what is to be known
    both = wider * between if math.isnan(run) else wider * max(between - run / runs, 0.0) + run
    test = results.experiment.declared_test
    images, sd = scores.spread(pair.runs) if test.new_images and test.paired else (0, 0.0)
    return run, both, sd**2 / images if images else math.nan


def _by_seed(runs: Sequence[str], seed_of: dict[str, int], scores: dict[str, float]) -> dict[int, float]:
    """The score of each seed, a mean over the conditions."""
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(seed_of[run], []).append(scores[run])
    return {seed: float(np.mean(several)) for seed, several in by_seed.items()}
