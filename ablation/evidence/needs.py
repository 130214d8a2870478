"""Needs: what a new experiment like this one would take to decide what this one leaves open. From a pair to `power`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ablation.analysis.metrics import METRICS
from ablation.analysis.power import Design, images_needed, seeds_to_decide
from ablation.evidence.image_intervals import image_scores
from ablation.evidence.pairs import Pair
from ablation.experiment.results import Results


@dataclass(frozen=True)
class Needs:
    """New seeds of each arm, or test photographs with the seeds there are, for 80 % power; nan where none would do.

    decided_as: "different" or "equivalent"; "neither" where not even 1,000 seeds would.
    """

    seeds_needed: float
    images_needed: float
    decided_as: str


def needs_of(results: Results, pair: Pair, bar: tuple[int, float], difference: float) -> Needs:
    """If the truth is this difference. bar: (comparisons, alpha), see `ablation.evidence.families.hardest_bar`."""
    design = design_of(results, pair, bar)
    need = seeds_to_decide(design, difference, results.experiment.margin)
    images = images_needed(design, difference)
    return Needs(need.seeds if need else math.nan, images or math.nan, need.verdict if need else "neither")


def design_of(results: Results, pair: Pair, bar: tuple[int, float]) -> Design:
    """What a new experiment like this one could show of the pair, if its scores vary as they did."""
    treatment, baseline = (list(arm.scores.values()) for arm in (pair.treatment, pair.reference))
    test = results.experiment.declared_test
    arms = pair.treatment.runs, pair.reference.runs
    images, image_sd = image_scores(results).spread(arms) if test.new_images else (0, 0.0)
    return Design(
        test,
        pair.seeds,
        float(np.std(treatment, ddof=1)),
        float(np.std(baseline, ddof=1)),
        _correlation(treatment, baseline) if test.paired else 0.0,
        pair.overlap,
        *bar,
        images=images,
        image_sd=image_sd,
        share=not METRICS[results.experiment.metric].lower_is_better,
    )


def _correlation(treatment: list[float], baseline: list[float]) -> float:
    """Of the two arms over shared seeds; 0 where one of them does not vary."""
    if min(np.ptp(treatment), np.ptp(baseline)) == 0:
        return 0.0
    return float(np.corrcoef(treatment, baseline)[0, 1])
