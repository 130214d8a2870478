"""Where the variance comes from: the run, the choice of training photographs, and that of test photographs.

Of the differences to the baseline that answer the question, as means over recipes. What a design does not vary, or
cannot tell apart, is nan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ablation.evidence.families import same_runs
from ablation.evidence.image_intervals import image_scores
from ablation.evidence.pairs import Pair, pairs
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


def sources(results: Results) -> Sources | None:
    """Over the pooled differences without a failed training, or those of the only condition.

    None where no recipe shares two seeds with it.
    """
    every = [pair for pair in pairs(results) if len(_shared(pair)) > 1 and not same_runs(pair)]
    every = [pair for pair in every if not (pair.own.failed or pair.reference.failed)] or every
    pooled = [pair for pair in every if len(pair.block) > 1] or every
    if not pooled:
        return None
    found = np.array([_variances(results, pair) for pair in pooled])
    run, both, images = (float(value) for value in found.mean(axis=0))
    training = target_of(results.experiment).training
    if not training:
        run = both
    extra = max(0.0, both - run) if training and not math.isnan(run) else math.nan
    return Sources(*(math.sqrt(value) for value in (run, extra, both, images)))


def _variances(results: Results, pair: Pair) -> tuple[float, float, float]:
    """(of runs with one training part, of one run with its training part, of the mean over test photographs)."""
    shared, within, runs = _shared(pair), [], 1
    for draw in shared:
        gains = _gains(results, pair, draw)
        runs = len(gains)
        if runs > 1:
            within.append(float(np.var(gains, ddof=1)))
    run = float(np.mean(within)) if within else math.nan
    means = [pair.treatment.scores[draw] - pair.reference.scores[draw] for draw in shared]
    between = float(np.var(means, ddof=1))
    wider = 1 + pair.overlap  # the draws are alike by rho, so that they vary by 1 - rho of what is to be known
    both = wider * between if math.isnan(run) else wider * max(between - run / runs, 0.0) + run
    arms = pair.treatment.runs, pair.reference.runs
    known = results.experiment.declared_test.new_images
    images, sd = image_scores(results).spread(arms) if known and results.experiment.declared_test.paired else (0, 0.0)
    return run, both, sd**2 / images if images else math.nan


def _shared(pair: Pair) -> list[int]:
    """The draws that both arms have."""
    return [draw for draw in pair.treatment.scores if draw in pair.reference.scores]


def _gains(results: Results, pair: Pair, draw: int) -> list[float]:
    """The difference of each seed that is trained on this draw, a mean over the conditions."""
    table, metric = results.table, results.experiment.metric
    by_seed = [
        table[table["id"].isin(arm.runs[draw])].groupby("seed")[metric].mean()
        for arm in (pair.treatment, pair.reference)
    ]
    return (by_seed[0] - by_seed[1]).dropna().tolist()
