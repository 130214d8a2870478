"""Failed trainings: runs that finished near chance, or nearer to it than to the other runs of their group.

A failed training is a result of its recipe. It is counted and shown beside the mean, never averaged away in silence.
"""

from __future__ import annotations

from ablation.analysis.failures import chance, failed
from ablation.experiment.results import NO_SCORE, Results

LOST = ("failed", "diverged", NO_SCORE)
"""The statuses of runs that ended without a score: they block a verdict, as why they ended may have to do with it."""


def failed_trainings(results: Results) -> frozenset[str]:
    """The ids of the runs that are failed trainings, each judged beside the other seeds of its recipe and condition.

    By accuracy, whatever the primary metric: an overconfident network may lose more than chance and be well trained.
    """
    done = results.finished.drop_duplicates("id")
    metric = "accuracy" if "accuracy" in done else results.experiment.metric
    level = chance(metric, max(2, len(results.classes)))
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, levels in enumerate(done[results.factors].itertuples(index=False, name=None)):
        groups.setdefault(levels, []).append(row)
    ids: list[str] = []
    for rows in groups.values():
        runs = done.iloc[rows]
        wrong = failed(runs[metric].to_numpy(float), level, metric, int(runs["test_images"].min()))
        ids += runs["id"].to_numpy()[wrong].tolist()
    return frozenset(ids)
