"""Alarms: what makes results less than the experiment planned, or not what it says. Told wherever results are told."""

from __future__ import annotations

from ablation.data.contents import left_out_words
from ablation.results import Results

UNFINISHED = {
    "failed": "failed",
    "diverged": "diverged",
    "interrupted": "interrupted",
    "running": "still running",
    "planned": "not started",
}
"""How a run can stand other than finished, in words."""

ENVIRONMENT = {
    "device": "devices",
    "precision": "precisions",
    "torch": "versions of torch",
    "torchvision": "versions of torchvision",
    "numpy": "versions of NumPy",
}
"""What can change bits although the spec is the same."""


def alarms(results: Results) -> list[str]:
    """What makes these results less than the experiment planned, a sentence each; [] when all is well."""
    table, found = results.table, []
    missing = table.drop_duplicates("id")["status"].value_counts()
    for status, told in UNFINISHED.items():
        if missing.get(status):
            found.append(f"{missing[status]} of {table['id'].nunique()} runs {told}: in no mean and no test")
    if results.left_out:
        found.append(left_out_words(results.left_out))
    done = results.finished
    for column, what in ENVIRONMENT.items():
        if column in done and done[column].nunique() > 1:
            found.append(f"runs on different {what} are compared: {', '.join(sorted(map(str, done[column].unique())))}")
    if len(done):
        redrawn = {cell.spec.id: cell.spec.split.drawn_from(cell.seed) for cell in results.cells}
        split = [done[factor] for factor in ("split", "train_size") if factor in results.factors]
        if (done.groupby([*split, done["id"].map(redrawn)])["split_digest"].nunique() > 1).any():
            found.append("runs that should share a split do not: the comparison does not hold")
        sizes = [factor for factor in ("image_size", "cache_size", "batch_size") if factor in results.factors]
        if (done.groupby(["split_digest", *sizes])["first_test_batch"].nunique() > 1).any():
            found.append("the test images are not the same in all runs of one split: the comparison does not hold")
        suspect = done[done["idle"] != ""] if "idle" in done else done[:0]
        for recipe, runs in suspect.groupby("recipe", sort=False):
            names = ", ".join(dict.fromkeys(name for told in runs["idle"] for name in told.split(", ")))
            alike = (done["recipe"] == recipe).sum()
            found.append(f"{recipe}: {names} changed no picture in the first epoch of {len(runs)} of {alike} runs")
    return found
