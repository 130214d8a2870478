"""Outlook: what an experiment could show, told before it is run. Between the grid and the statistics of `power`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.analysis.power import Design, detectable, seeds_needed
from ablation.experiment import Experiment

if TYPE_CHECKING:
    from ablation.results import Results

ASSUMED_SD = 0.01
"""Of the metric over seeds, where no run has told it yet: one point of accuracy."""

DIFFERENCES = (0.005, 0.01, 0.02)
"""Half a point, one and two points."""


@dataclass(frozen=True)
class Outlook:
    """In the metric's own unit (0.01 is a point). `smallest` is found with 80 % power after Holm's correction."""

    seeds: int
    comparisons: int
    sd: float
    runs: int
    """How many finished runs the sd was estimated from; 0 where it is assumed."""
    smallest: float
    needed: tuple[tuple[float, int | None], ...]
    """(difference, seeds per arm that find it with 80 % power); None where 1,000 are not enough."""


def outlook(
    experiment: Experiment, comparisons: int, test_share: float, sd: float = ASSUMED_SD, runs: int = 0
) -> Outlook:
    """What one of `comparisons` comparisons under one condition could show.

    test_share: n_test / n_train, the largest of the grid. sd, runs: as `seed_sd` gives them; by default assumed.
    """
    test, seeds = experiment.declared_test, len(experiment.seed_numbers)
    design = Design(test, seeds, sd, test_share=test_share, comparisons=max(comparisons, 1), alpha=experiment.alpha)
    needed = tuple((difference, seeds_needed(design, difference)) for difference in DIFFERENCES)
    return Outlook(seeds, comparisons, sd, runs, detectable(design), needed)


def seed_sd(results: Results) -> tuple[float, int]:
    """The metric's standard deviation over seeds, pooled over all arms with two finished seeds or more, and the runs.

    The root of the mean of the arms' variances, each weighing its degrees of freedom; `ASSUMED_SD` where no arm has
    two, or where none of them varies.
    """
    done = results.finished
    metric = results.experiment.metric
    if metric in done:
        by_arm = done.groupby(results.factors, sort=False)[metric].agg(["var", "count"]).dropna()
        freedom = by_arm["count"] - 1
        variance = float((by_arm["var"] * freedom).sum() / freedom.sum()) if len(by_arm) else 0.0
        if variance > 0:
            return math.sqrt(variance), int(by_arm["count"].sum())
    return ASSUMED_SD, 0
