"""Does the effect of a recipe depend on the optimizer, or on what else varies, and does the winner survive it?

From the table of results to the statistics of `ablation.analysis`. A condition is a level of everything but recipe and
seed. Only finished runs have scores; what is missing is counted, and said.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.factorial import Anova, anova
from ablation.analysis.interaction import Interaction, interactions
from ablation.analysis.metrics import METRICS
from ablation.analysis.ranks import EVERYWHERE, Known, Ranks, Winner, rank_stability, winner
from ablation.evidence.pairs import drawn_table, means_by_seed, overlap_of
from ablation.evidence.scores import others
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

TOO_FEW_RUNS = "there are so few runs that all are needed for the means, and none is left to measure chance by"
NO_SPREAD = "the scores do not vary from seed to seed"

Level = tuple[str, str]
"""(factor, name)."""


@dataclass(frozen=True)
class CellMean:
    """A recipe under a condition. scores: of the finished runs, by seed. planned: seeds in the grid.

    Where several seeds are trained on one draw of the training part, a seed is here the draw, with the mean of its runs
    (`ablation.evidence.pairs`).
    """

    scores: Mapping[int, float]
    planned: int
    diverged: int

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.scores.values()))) if self.scores else math.nan

    def enough(self, seeds: int) -> bool:
        """Has it a mean that can be ranked? One of the runs that did not diverge would flatter the recipe."""
        return len(self.scores) >= seeds and not self.diverged


Cells = Mapping[str, Mapping[str, CellMean]]
"""recipe -> key of a condition -> cell; none where `exclude` keeps the recipe out."""


@dataclass(frozen=True)
class Conditions:
    """What varies beside the recipe, how each recipe does under each condition, and what may be concluded.

    factors: those beside the recipe that have several levels with finished runs. levels: key of a condition -> factor
    -> level, where at least one run has finished; `silent` are the conditions where none has. duplicates: (factor,
    name) -> another name for the very same runs, under which they are counted. statuses: status -> how many runs have
    it. seeds: that have finished runs.

    contrasts: does the effect of a recipe depend on a factor? Of all that the grid plans, also under the conditions
    that are silent. anova: how much each factor explains, a description; `no_anova` says why it explains nothing.
    overlap: of the training parts where they are redrawn, which contrasts and the winner's test allow for
    (`ablation.evidence.pairs.overlap_of`).

    needed: the seeds that rank a recipe, under every condition: `MIN_SEEDS`, or 1 where fewer than two recipes have
    that many, and nothing is to be concluded. ranked: who has them. left_out: of each other recipe a condition where it
    has not. ranks, winner: None where fewer than two are ranked.
    """

    experiment: Experiment
    factors: tuple[str, ...]
    levels: Mapping[str, Mapping[str, str]]
    silent: tuple[Mapping[str, str], ...]
    cells: Cells
    duplicates: Mapping[Level, str]
    statuses: Mapping[str, int]
    seeds: int
    overlap: float
    contrasts: tuple[Interaction, ...]
    anova: Anova
    needed: int
    ranked: tuple[str, ...]
    left_out: Mapping[str, str]
    ranks: Ranks | None
    winner: Winner | None

    @property
    def conclusive(self) -> bool:
        """Are there enough seeds to conclude anything?"""
        return self.seeds >= MIN_SEEDS and self.needed >= MIN_SEEDS

    @property
    def no_anova(self) -> str:
        """Why there is no analysis of variance; '' where there is."""
        if math.isfinite(self.anova.mean_square):
            return ""
        return NO_SPREAD if self.anova.df > 0 else TOO_FEW_RUNS


def conditions(study: Study) -> Conditions | None:
    """None where fewer than two recipes, or fewer than two conditions, have a finished run."""
    experiment, beside = study.experiment, others(study.results)
    table, duplicates = _each_run_once(study.results)
    planned = {row["condition"]: {factor: row[factor] for factor in beside} for row in table.to_dict("records")}
    done = table[table["status"] == "finished"]
    levels = {key: planned[key] for key in planned if key in set(done["condition"])}
    if len(levels) < 2 or done["recipe"].nunique() < 2:
        return None
    cells = _cells(table, experiment, study.failed_trainings)
    alive = {recipe: {key: own[key] for key in own if key in levels} for recipe, own in cells.items()}
    alive = {recipe: own for recipe, own in alive.items() if own}
    needed, ranked = _ranked(alive, levels)
    factors = tuple(factor for factor in beside if done[factor].nunique() > 1)
    overlap, paired = overlap_of(study.results, done, sorted(set(done["draw"]))), experiment.declared_test.paired
    return Conditions(
        experiment=experiment,
        factors=factors,
        levels=levels,
        silent=tuple(own for key, own in planned.items() if key not in levels),
        cells=alive,
        duplicates=duplicates,
        statuses={str(status): int(runs) for status, runs in table["status"].value_counts().items()},
        seeds=done["draw"].nunique(),
        overlap=overlap,
        contrasts=interactions(
            _by_seed(cells, planned), planned, experiment.baseline, paired, overlap, experiment.alpha
        ),
        anova=_anova(experiment, done, ("recipe", *factors)),
        needed=needed,
        ranked=ranked,
        left_out={
            recipe: next(key for key in levels if not _enough(own, key, needed))
            for recipe, own in alive.items()
            if recipe not in ranked
        },
        ranks=_ranks(experiment, alive, ranked, levels) if len(ranked) > 1 else None,
        winner=_winner(experiment, alive, levels, needed, _known(study, duplicates), overlap)
        if len(ranked) > 1
        else None,
    )


def _each_run_once(results: Results) -> tuple[pd.DataFrame, dict[Level, str]]:
    """The table with one name for each level and one row for each run, its condition's key, and the names given up."""
    table, duplicates = drawn_table(results), dict[Level, str]()
    for factor in results.factors:
        names = _one_name(table, factor, [*results.factors, "seed"], results.experiment.baseline)
        table[factor] = table[factor].map(names)
        duplicates |= {(factor, name): kept for name, kept in names.items() if name != kept}
    table, beside = table.drop_duplicates("id"), others(results)
    keys = [_key(beside, row, {}) for row in table[beside].itertuples(index=False, name=None)]
    return table.assign(condition=keys), duplicates


def _key(factors: Sequence[str], levels: Sequence[str], duplicates: Mapping[Level, str]) -> str:
    """'optimizer=adam, dropout=0.3', each level by the name under which its runs are counted."""
    named = zip(factors, levels, strict=True)
    return ", ".join(f"{factor}={duplicates.get((factor, level), level)}" for factor, level in named)


def _one_name(table: pd.DataFrame, factor: str, columns: list[str], baseline: str) -> dict[str, str]:
    """Each level -> the first one that has the same run wherever both are in the grid; the baseline comes first."""
    rest = [column for column in columns if column != factor]
    runs = {
        str(level): dict(zip(rows[rest].itertuples(index=False, name=None), rows["id"], strict=True))
        for level, rows in table.groupby(factor, sort=False)
    }
    kept: dict[str, str] = {}
    for level in sorted(runs, key=lambda name: factor == "recipe" and name != baseline):
        kept[level] = next((name for name in kept.values() if _same_runs(runs[name], runs[level])), level)
    return kept


def _same_runs(one: Mapping[tuple[str, ...], str], other: Mapping[tuple[str, ...], str]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[rest] == other[rest] for rest in shared)


def _cells(table: pd.DataFrame, experiment: Experiment, failed: frozenset[str]) -> dict[str, dict[str, CellMean]]:
    """In the order of the experiment; recipes without a score too."""
    cells: dict[str, dict[str, CellMean]] = {recipe: {} for recipe in experiment.recipes}
    for (recipe, key), rows in table.groupby(["recipe", "condition"], sort=False):
        diverged = int(((rows["status"] == "diverged") | rows["id"].isin(failed)).sum())
        cells[str(recipe)][str(key)] = CellMean(
            means_by_seed(rows, experiment.metric), rows["draw"].nunique(), diverged
        )
    return cells


def _anova(experiment: Experiment, done: pd.DataFrame, factors: Sequence[str]) -> Anova:
    """With the seeds as blocks where the declared test pairs them."""
    blocks = done["draw"].tolist() if experiment.declared_test.paired and done["draw"].nunique() > 1 else None
    levels = {factor: done[factor].tolist() for factor in factors}
    return anova(done[experiment.metric].to_numpy(), levels, blocks)


def _by_seed(cells: Cells, keys: Iterable[str]) -> dict[str, dict[str, list[float]]]:
    """condition -> recipe -> a score for each seed that has one anywhere; nan without, and in a cell that diverged."""
    seeds = sorted({seed for own in cells.values() for cell in own.values() for seed in cell.scores})

    def scores(cell: CellMean) -> list[float]:
        return [math.nan if cell.diverged else cell.scores.get(seed, math.nan) for seed in seeds]

    return {key: {recipe: scores(own[key]) for recipe, own in cells.items() if key in own} for key in keys}


def _enough(own: Mapping[str, CellMean], key: str, needed: int) -> bool:
    return key in own and own[key].enough(needed)


def _ranked(cells: Cells, keys: Collection[str]) -> tuple[int, tuple[str, ...]]:
    """(needed, ranked), see `Conditions`."""
    enough, some = (
        tuple(recipe for recipe, own in cells.items() if all(_enough(own, key, needed) for key in keys))
        for needed in (MIN_SEEDS, 1)
    )
    return (1, some) if len(enough) < 2 <= len(some) else (MIN_SEEDS, enough)


def _ranks(experiment: Experiment, cells: Cells, ranked: tuple[str, ...], keys: Iterable[str]) -> Ranks:
    sign = -1 if METRICS[experiment.metric].lower_is_better else 1
    return rank_stability([[sign * cells[recipe][key].mean for recipe in ranked] for key in keys])


def _winner(
    experiment: Experiment, cells: Cells, keys: Iterable[str], needed: int, known: Known, overlap: float
) -> Winner:
    """Recipes that are not ranked may be rivals, where they have enough scores."""
    scores = {
        key: {recipe: own[recipe] for recipe in own if cells[recipe][key].enough(needed)}
        for key, own in _by_seed(cells, keys).items()
    }
    known = {
        (key, recipe): numbers
        for (key, recipe), numbers in known.items()
        if key == EVERYWHERE or {recipe, experiment.baseline} <= set(scores.get(key, ()))
    }
    better = not METRICS[experiment.metric].lower_is_better
    return winner(scores, experiment.declared_test, overlap, experiment.alpha, better, experiment.baseline, known)


def _known(study: Study, duplicates: Mapping[Level, str]) -> Known:
    """What the comparisons say of each recipe and the baseline, under each condition and pooled."""
    known, beside = dict[tuple[str, str], tuple[float, float]](), others(study.results)
    for (recipe, together), tested in study.compared.tested.items():
        if tested is not None:
            key = _key(beside, next(iter(together)), duplicates) if len(together) == 1 else EVERYWHERE
            known.setdefault((key, recipe), (tested.difference.estimate, tested.p_adjusted))
    return known
