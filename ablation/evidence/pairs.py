"""Pairs: a recipe's scores, seed by seed, and the baseline's beside them. From the table of results to plain values.

A condition is a level of everything but recipe and seed (the optimizer, and whatever else varies). Over several
conditions together the score of a seed is its mean over them, and a seed counts only where it finished in all. Where
several seeds are trained on one draw of the training part (`Redrawn.runs_per_draw`), what counts here as a seed is the
draw, with the mean of its runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablation.analysis.comparison import CorrectedResampled
from ablation.data.split import Redrawn
from ablation.evidence.failed_trainings import LOST
from ablation.experiment.results import Results

Condition = tuple[str, ...]
Block = tuple[Condition, ...]
"""The conditions that are taken together: one, or all of them, pooled."""


@dataclass(frozen=True)
class RecipeRuns:
    """The runs of one recipe over some conditions. Every dict is by seed, without the seeds that have not finished.

    planned: seeds in the grid. runs: the ids of each seed's runs, a run a condition. every: the ids of all runs,
    finished or not. lost: how many of them diverged, failed or have no finite score. failed: the finished ones that are
    failed trainings (`ablation.evidence.failed_trainings`), of `trained` many.
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

    def of(self, seeds: Sequence[int]) -> RecipeRuns:
        """The same with these seeds only, in their order."""
        scores, macro_f1 = ({seed: by_seed[seed] for seed in seeds} for by_seed in (self.scores, self.macro_f1))
        return replace(self, scores=scores, macro_f1=macro_f1, runs={seed: self.runs[seed] for seed in seeds})


@dataclass(frozen=True)
class Pair:
    """A recipe and the baseline over the conditions that have both; `exclude` may have dropped either from some.

    condition: factor -> level, {} where pooled. block: the conditions that are compared; shared: those that have
    both. own: the recipe's runs, by themselves all of them; where the test pairs seeds, `treatment` and `reference`
    have those that both finished. overlap: what the training parts of its seeds have in common, see `overlap_of`. flag:
    what makes the recipe suspect.
    """

    condition: dict[str, str]
    block: Block
    shared: Block
    own: RecipeRuns
    treatment: RecipeRuns
    reference: RecipeRuns
    overlap: float
    flag: str

    @property
    def seeds(self) -> int:
        """In the smaller of the two."""
        return min(len(self.treatment.scores), len(self.reference.scores))

    @property
    def runs(self) -> tuple[Mapping[int, Sequence[str]], Mapping[int, Sequence[str]]]:
        """The ids of the runs of each seed, of the recipe and of the baseline."""
        return self.treatment.runs, self.reference.runs

    @property
    def same_runs(self) -> bool:
        """Is the recipe the baseline under another name?"""
        return self.own.every == self.reference.every

    @property
    def shared_seeds(self) -> list[int]:
        """Those that both have."""
        return [seed for seed in self.treatment.scores if seed in self.reference.scores]


def pairs(results: Results, failed: frozenset[str]) -> tuple[Pair, ...]:
    """Every recipe of every block, beside the baseline; in the order of the experiment. The baseline has a pair too.

    failed: the ids of the failed trainings.
    """
    others, table = [factor for factor in results.factors if factor != "recipe"], drawn_table(results)
    conditions: list[Condition] = list(table[others].itertuples(index=False, name=None))
    present = set(zip(conditions, table["recipe"], strict=True))
    baseline, every = results.experiment.baseline, []
    for block in blocks(results):
        by_shared: dict[Block, _Together] = {}
        for recipe in results.experiment.recipes:
            held = [condition for condition in block if (condition, recipe) in present]
            shared = tuple(condition for condition in held if (condition, baseline) in present)
            if shared not in by_shared:
                by_shared[shared] = _Together(results, table[[condition in shared for condition in conditions]], failed)
            if held:
                named = dict(zip(others, block[0], strict=True)) if len(block) == 1 else {}
                every.append(by_shared[shared].pair(recipe, named, block, shared))
    return tuple(every)


class _Together:
    """The recipes over the same conditions, taken together. rows: the part of the table that is of these."""

    def __init__(self, results: Results, rows: pd.DataFrame, failed: frozenset[str]):
        self._results, self._failed = results, failed
        self._done = rows[rows["status"] == "finished"]
        self._by_recipe = dict(iter(rows.groupby("recipe", sort=False)))
        self._none = rows[:0]
        self._baseline = self._runs(results.experiment.baseline)

    def pair(self, recipe: str, named: dict[str, str], block: Block, shared: Block) -> Pair:
        experiment, reference = self._results.experiment, self._baseline
        own = reference if recipe == experiment.baseline else self._runs(recipe)
        treatment = own
        if experiment.declared_test.paired:
            both = [seed for seed in own.scores if seed in reference.scores]
            treatment, reference = own.of(both), reference.of(both)
        overlap = overlap_of(self._results, self._done, list(treatment.scores))
        return Pair(named, block, shared, own, treatment, reference, overlap, self._flag(recipe))

    def _runs(self, recipe: str) -> RecipeRuns:
        rows = self._by_recipe.get(recipe, self._none)
        ids, statuses = rows["id"].tolist(), dict(zip(rows["id"], rows["status"], strict=True))
        return RecipeRuns(
            recipe,
            rows["draw"].nunique(),
            means_by_seed(rows, self._results.experiment.metric),
            means_by_seed(rows, "macro_f1"),
            {seed: tuple(ids[row] for row in own) for seed, own in finished_seeds(rows).items()},
            frozenset(ids),
            sum(status in LOST for status in statuses.values()),
            self._failed & frozenset(ids),
            sum(status == "finished" for status in statuses.values()),
        )

    def _flag(self, recipe: str) -> str:
        """Which operations changed no picture, and in how many runs; '' where all did something."""
        rows = self._by_recipe.get(recipe, self._none)
        idle = rows.loc[rows["status"] == "finished", "idle"].tolist() if "idle" in rows else []
        counts = Counter(name for names in idle for name in names.split(", ") if name)
        return "; ".join(
            f"{name} changed no picture" + ("" if count == len(idle) else f" in {count} of {len(idle)} runs")
            for name, count in counts.items()
        )


def blocks(results: Results) -> list[Block]:
    """Each condition by itself, in the order of the grid, then all of them together where there are several."""
    conditions = tuple(dict.fromkeys(cell.condition for cell in results.cells))
    return [(condition,) for condition in conditions] + ([conditions] if len(conditions) > 1 else [])


def drawn_table(results: Results) -> pd.DataFrame:
    """The table of results with a column "draw": the seed, or the draw of the training part that seeds share."""
    draws = {cell.spec.id: cell.seed // cell.spec.split.runs_per_draw for cell in results.cells}
    return results.frame.assign(draw=results.frame["id"].map(draws))


def finished_seeds(rows: pd.DataFrame) -> dict[int, list[int]]:
    """Each seed (or draw) of which all runs have finished -> where these are in `rows`, counted from 0; ascending.

    rows: those of one recipe, from `drawn_table`.
    """
    by_draw: dict[int, list[int]] = {}
    for row, draw in enumerate(rows["draw"].tolist()):
        by_draw.setdefault(int(draw), []).append(row)
    done = (rows["status"] == "finished").tolist()
    return {draw: by_draw[draw] for draw in sorted(by_draw) if all(done[row] for row in by_draw[draw])}


def means_by_seed(rows: pd.DataFrame, column: str) -> dict[int, float]:
    """Each seed (or draw) of which all runs have finished -> the mean of a column over them."""
    seeds = finished_seeds(rows)
    values = rows[column].to_numpy(float) if seeds else None
    return {seed: float(values[own].mean()) for seed, own in seeds.items()} if values is not None else {}


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
