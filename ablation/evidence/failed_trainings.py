"""Failed trainings: runs that finished near chance, or nearer to it than to the other runs of their arm.

A failed training is a result of its recipe. It is counted and shown beside the mean, never averaged away in silence.
"""

from __future__ import annotations

from functools import lru_cache

from ablation.analysis.failures import chance, failed
from ablation.experiment.results import NO_SCORE, Results

LOST = ("failed", "diverged", NO_SCORE)
"""The statuses of runs that ended without a score: they block a verdict, as why they ended may have to do with it."""


@lru_cache(maxsize=4)
def failed_trainings(results: Results) -> frozenset[str]:
    """The ids of the runs that are failed trainings, each judged beside the other seeds of its recipe and condition.

    By accuracy, whatever the primary metric: an overconfident network may lose more than chance and be well trained.
    """
    done = results.finished.drop_duplicates("id")
    metric = "accuracy" if "accuracy" in done else results.experiment.metric
    found: set[str] = set()
    level = chance(metric, max(2, len(results.classes)))
    for _, runs in done.groupby(results.factors, sort=False):
        scores, images = runs[metric].to_numpy(float), int(runs["test_images"].min())
        wrong = failed(scores, level, metric, images)
        found.update(runs["id"].to_numpy()[wrong])
    return frozenset(found)
