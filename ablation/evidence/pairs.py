"""Arms: a recipe's scores, seed by seed, and the baseline's beside them. From the table of results to pairs of arms.

A condition is a level of everything but recipe and seed (the optimizer, and whatever else varies). Over several
conditions together the score of a seed is its mean over them, and a seed counts only where it finished in all. Where
several seeds are trained on one draw of the training part (`Redrawn.runs_per_draw`), what counts here as a seed is the
draw, with the mean of its runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ablation.analysis.comparison import CorrectedResampled
from ablation.data.split import Redrawn
from ablation.evidence.failed_trainings import LOST, failed_trainings
from ablation.experiment.results import Results

Condition = tuple[str, ...]
Block = tuple[Condition, ...]
"""The conditions that are taken together: one, or all of them, pooled."""


@dataclass(frozen=True)
class Arm:
    """One recipe over some conditions. Every dict is by seed; a seed that has not finished is in none of them.

    planned: seeds in the grid. runs: the ids of each seed's runs, a run a condition. every: the ids of all runs,
    finished or not. lost: how many of them diverged, failed or have no finite score. failed: how many of the finished
    ones are failed trainings (`ablation.evidence.failed_trainings`), of `trained`.
    """

    recipe: str
    planned: int
    scores: dict[int, float]
    macro_f1: dict[int, float]
    runs: dict[int, tuple[str, ...]]
    every: frozenset[str]
    lost: int
    failed: frozenset[str]
    trained: int

    def of(self, seeds: list[int]) -> Arm:
        """The same arm with these seeds only, in their order."""
        return Arm(
            self.recipe,
            self.planned,
            {seed: self.scores[seed] for seed in seeds},
            {seed: self.macro_f1[seed] for seed in seeds},
            {seed: self.runs[seed] for seed in seeds},
            self.every,
            self.lost,
            self.failed,
            self.trained,
        )


@dataclass(frozen=True)
class Pair:
    """A recipe and the baseline over the conditions that have both; `exclude` may have dropped either from some.

    condition: factor -> level, {} where pooled. own: the recipe's arm, by itself the whole of it; where the test pairs
    seeds, `treatment` and `reference` have those that both finished. block: the conditions that were asked for.
    overlap: what the training parts of its seeds have in common, see `overlap_of`. flag: what makes the recipe suspect.
    """

    condition: dict[str, str]
    block: Block
    shared: Block
    own: Arm
    treatment: Arm
    reference: Arm
    overlap: float
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
    others, table = [factor for factor in results.factors if factor != "recipe"], drawn_table(results)
    places: list[Condition] = list(table[others].itertuples(index=False, name=None))
    present, failed = set(zip(places, table["recipe"], strict=True)), failed_trainings(results)
    for block in blocks(results):
        named = dict(zip(others, block[0], strict=True)) if len(block) == 1 else {}
        for recipe in results.experiment.recipes:
            held = [place for place in block if (place, recipe) in present]
            if held:
                shared = tuple(place for place in held if (place, results.experiment.baseline) in present)
                rows = table[[place in shared for place in places]]
                yield _pair(results, rows, recipe, named, block, shared, failed)


def drawn_table(results: Results) -> pd.DataFrame:
    """The table of results with a column "draw": the seed, or the draw of the training part that seeds share."""
    draws = {cell.spec.id: cell.seed // cell.spec.split.runs_per_draw for cell in results.cells}
    return results.table.assign(draw=results.table["id"].map(draws))


def _pair(
    results: Results,
    rows: pd.DataFrame,
    recipe: str,
    named: dict[str, str],
    block: Block,
    shared: Block,
    failed: frozenset[str],
) -> Pair:
    experiment = results.experiment
    own, reference = (
        _arm(rows[rows["recipe"] == name], name, experiment.metric, failed) for name in (recipe, experiment.baseline)
    )
    treatment = own
    if experiment.declared_test.paired:
        both = [seed for seed in own.scores if seed in reference.scores]
        treatment, reference = own.of(both), reference.of(both)
    overlap = overlap_of(results, rows[rows["status"] == "finished"], list(treatment.scores))
    return Pair(named, block, shared, own, treatment, reference, overlap, _flag(rows[rows["recipe"] == recipe]))


def overlap_of(results: Results, done: pd.DataFrame, draws: Sequence[int]) -> float:
    """By how much, in multiples of the variance over seeds, the mean over these draws varies more than 1 / n of it.

    rho / (1 - rho) where the training parts have photographs in common (see `ablation.data.split.Redrawn.overlap`);
    n_test / n_train for the corrected resampled t; 0 where nothing is redrawn. done: the finished runs.
    """
    if done.empty:
        return 0.0
    if isinstance(results.experiment.declared_test, CorrectedResampled):
        return float((done["test_images"] / done["train_images"]).max())
    trained = float(done["train_images"].max())
    splits = {cell.spec.split for cell in results.cells if isinstance(cell.spec.split, Redrawn)}
    return max((split.overlap(results.images, draws, trained) for split in splits), default=0.0)


def _arm(rows: pd.DataFrame, recipe: str, metric: str, failed: frozenset[str]) -> Arm:
    found, statuses = finished_seeds(rows), rows.drop_duplicates("id").set_index("id")["status"]
    return Arm(
        recipe,
        rows["draw"].nunique(),
        {seed: float(runs[metric].mean()) for seed, runs in found.items()},
        {seed: float(runs["macro_f1"].mean()) for seed, runs in found.items()},
        {seed: tuple(runs["id"]) for seed, runs in found.items()},
        frozenset(rows["id"]),
        int(statuses.isin(LOST).sum()),
        failed & frozenset(rows["id"]),
        int((statuses == "finished").sum()),
    )


def finished_seeds(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The runs of each seed (or draw) of which all have finished. rows: those of one recipe, from `drawn_table`."""
    return {int(str(draw)): runs for draw, runs in rows.groupby("draw") if (runs["status"] == "finished").all()}


def _flag(runs: pd.DataFrame) -> str:
    """Which operations changed no picture, and in how many runs; '' where all did something."""
    idle = runs.loc[runs["status"] == "finished", "idle"] if "idle" in runs else pd.Series(dtype=str)
    counts = Counter(name for names in idle for name in names.split(", ") if name)
    return "; ".join(
        f"{name} changed no picture" + ("" if count == len(idle) else f" in {count} of {len(idle)} runs")
        for name, count in counts.items()
    )
