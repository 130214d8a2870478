"""Failed trainings: runs that finished near chance, or nearer to it than to the other runs of their group.

A failed training is a result of its recipe. It is counted and shown beside the mean, never averaged away in silence.
"""

from __future__ import annotations

import math

import pandas as pd

from ablation.analysis.failures import best_guess, chance, failed
from ablation.core.text import counted
from ablation.experiment.results import NO_SCORE, Results

LOST = ("failed", "diverged", NO_SCORE)
"""The statuses of runs that ended without a score: they block a verdict, as why they ended may have to do with it."""


def failed_trainings(results: Results) -> frozenset[str]:
    """The ids of the runs that are failed trainings, each judged beside the other seeds of its recipe and condition.

    By accuracy, whatever the primary metric: an overconfident network may lose more than chance and be well trained.
    """
    done = results.finished.drop_duplicates("id")
    metric, level = _judged_by(results)
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, levels in enumerate(done[results.factors].itertuples(index=False, name=None)):
        groups.setdefault(levels, []).append(row)
    ids: list[str] = []
    for rows in groups.values():
        runs = done.iloc[rows]
        wrong = failed(runs[metric].to_numpy(float), level, metric, int(runs["test_images"].min()))
        ids += runs["id"].to_numpy()[wrong].tolist()
    return frozenset(ids)


def guesses(results: Results, runs: pd.DataFrame) -> str:
    """Say what guesses reach by luck on these test images: "guesses among 3 classes reach 0.622 (24 test images)".

    The classes count as equally frequent. '' where trainings are judged by another metric than the primary one, or by
    one without a chance.
    """
    metric, level = _judged_by(results)
    fewest = int(runs["test_images"].min())
    reach = best_guess(level, metric, fewest)
    if metric != results.experiment.metric or math.isnan(reach):
        return ""
    images = counted(fewest, "test image") + " or more" * bool((runs["test_images"] > fewest).any())
    return f"guesses among {len(results.classes):,} classes reach {reach:.3f} ({images})"


def _judged_by(results: Results) -> tuple[str, float]:
    """The metric that says whether a training has failed, and the level of chance in it."""
    metric = "accuracy" if "accuracy" in results.finished else results.experiment.metric
    return metric, chance(metric, max(2, len(results.classes)))
