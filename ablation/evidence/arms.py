"""Arms: a recipe's scores, seed by seed, and the baseline's beside them. From the table of results to pairs of arms.

A condition is a level of everything but recipe and seed (the optimizer, and whatever else varies). Over several
conditions together the score of a seed is its mean over them, and a seed counts only where it finished in all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from ablation.results import Results

Condition = tuple[str, ...]
Block = tuple[Condition, ...]
"""The conditions that are taken together: one, or all of them, pooled."""


@dataclass(frozen=True)
class Arm:
    """One recipe over some conditions. Every dict is by seed; a seed that has not finished is in none of them.

    planned: seeds in the grid. runs: the ids of each seed's runs, a run a condition. every: the ids of all runs,
    finished or not. diverged: how many of them did.
    """

    recipe: str
    planned: int
    scores: dict[int, float]
    macro_f1: dict[int, float]
    runs: dict[int, tuple[str, ...]]
    every: frozenset[str]
    diverged: int

    def of(self, seeds: list[int]) -> Arm:
        """The same arm with these seeds only, in their order."""
        return Arm(
            self.recipe,
            self.planned,
            {seed: self.scores[seed] for seed in seeds},
            {seed: self.macro_f1[seed] for seed in seeds},
            {seed: self.runs[seed] for seed in seeds},
            self.every,
            self.diverged,
        )


@dataclass(frozen=True)
class Pair:
    """A recipe and the baseline over the conditions that have both; `exclude` may have dropped either from some.

    condition: factor -> level, {} where pooled. own: the recipe's arm, by itself the whole of it; where the test pairs
    seeds, `treatment` and `reference` have those that both finished. block: the conditions that were asked for.
    test_share: n_test / n_train, the largest of the finished runs. flag: what makes the recipe suspect.
    """

    condition: dict[str, str]
    block: Block
    shared: Block
    own: Arm
    treatment: Arm
    reference: Arm
    test_share: float
    flag: str

    @property
    def seeds(self) -> int:
        """In the smaller of the two arms."""
        return min(len(self.treatment.scores), len(self.reference.scores))


def blocks(results: Results) -> list[Block]:
    """Each condition by itself, in the order of the grid, then all of them together where there are several."""
    conditions = tuple(dict.fromkeys(cell.condition for cell in results.cells))
    return [(condition,) for condition in conditions] + ([conditions] if len(conditions) > 1 else [])


def pairs(results: Results) -> Iterator[Pair]:
    """Every recipe of every block, beside the baseline; in the order of the experiment. The baseline has a pair too."""
    others, table = [factor for factor in results.factors if factor != "recipe"], results.table
    places: list[Condition] = list(table[others].itertuples(index=False, name=None))
    present = set(zip(places, table["recipe"], strict=True))
    for block in blocks(results):
        named = dict(zip(others, block[0], strict=True)) if len(block) == 1 else {}
        for recipe in results.experiment.recipes:
            held = [place for place in block if (place, recipe) in present]
            if held:
                shared = tuple(place for place in held if (place, results.experiment.baseline) in present)
                rows = table[[place in shared for place in places]]
                yield _pair(results, rows, recipe, named, block, shared)


def _pair(
    results: Results, rows: pd.DataFrame, recipe: str, named: dict[str, str], block: Block, shared: Block
) -> Pair:
    experiment = results.experiment
    own, reference = (
        _arm(rows[rows["recipe"] == name], name, experiment.metric, len(shared))
        for name in (recipe, experiment.baseline)
    )
    treatment = own
    if experiment.declared_test.paired:
        both = [seed for seed in own.scores if seed in reference.scores]
        treatment, reference = own.of(both), reference.of(both)
    done = rows[rows["status"] == "finished"]
    share = float((done["test_images"] / done["train_images"]).max()) if len(done) else 0.0
    return Pair(named, block, shared, own, treatment, reference, share, _flag(rows[rows["recipe"] == recipe]))


def _arm(rows: pd.DataFrame, recipe: str, metric: str, conditions: int) -> Arm:
    found = finished_seeds(rows, conditions)
    return Arm(
        recipe,
        rows["seed"].nunique(),
        {seed: float(runs[metric].mean()) for seed, runs in found.items()},
        {seed: float(runs["macro_f1"].mean()) for seed, runs in found.items()},
        {seed: tuple(runs["id"]) for seed, runs in found.items()},
        frozenset(rows["id"]),
        rows.loc[rows["status"] == "diverged", "id"].nunique(),
    )


def finished_seeds(rows: pd.DataFrame, conditions: int) -> dict[int, pd.DataFrame]:
    """The runs of each seed that finished under all of so many conditions. rows: those of one recipe."""
    done = rows[rows["status"] == "finished"]
    return {int(runs["seed"].iloc[0]): runs for _, runs in done.groupby("seed") if len(runs) == conditions}


def _flag(runs: pd.DataFrame) -> str:
    """Which operations changed no picture, and in how many runs; '' where all did something."""
    idle = runs.loc[runs["status"] == "finished", "idle"] if "idle" in runs else pd.Series(dtype=str)
    counts = Counter(name for names in idle for name in names.split(", ") if name)
    return "; ".join(
        f"{name} changed no picture" + ("" if count == len(idle) else f" in {count} of {len(idle)} runs")
        for name, count in counts.items()
    )
