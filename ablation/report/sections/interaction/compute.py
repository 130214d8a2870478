"""Interplay: does the effect of a recipe depend on the optimizer, or what else varies, and does the winner survive it?

From the table of results to the statistics of `ablation.analysis`. A condition is a level of everything but recipe and
seed. Only finished runs have scores; what is missing is counted, and said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.factorial import Anova, anova
from ablation.analysis.interaction import Interaction, interactions
from ablation.analysis.metrics import METRICS
from ablation.analysis.ranks import EVERYWHERE, Known, Ranks, Winner, rank_stability, winner
from ablation.evidence.compared import compared
from ablation.evidence.failed_trainings import failed_trainings
from ablation.evidence.pairs import drawn_table, finished_seeds, overlap_of
from ablation.evidence.scores import conditions_with
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

TOO_FEW_RUNS = "there are so few runs that all are needed for the means, and none is left to measure chance by"
NO_SPREAD = "the scores do not vary from seed to seed"

Level = tuple[str, str]
"""(factor, name)."""


@dataclass(frozen=True)
class Standing:
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


@dataclass(frozen=True)
class Interplay:
    """What varies beside the recipe, how each recipe stands under each condition, and what may be concluded.

    factors: those beside the recipe that have several levels with finished runs. conditions: key -> factor -> level,
    where at least one run has finished; `silent` are those where none has. standings: recipe -> key of a condition ->
    standing; none where `exclude` keeps the recipe out. twins: (factor, name) -> another name for the very same runs,
    under which they are counted. statuses: status -> how many runs stand so. seeds: that have finished runs.

    interactions: does the effect of a recipe depend on a factor? Contrasts of all that the grid plans, also under the
    conditions that are silent. anova: how much each factor explains, a description; None where it cannot be made, and
    `no_anova` says why. overlap: of the training parts where they are redrawn, which these and the winner's test
    allow for (`ablation.evidence.pairs.overlap_of`).

    needed: the seeds that rank a recipe, under every condition: `MIN_SEEDS`, or 1 where fewer than two recipes have
    that many, and nothing is to be concluded. ranked: who has them. left_out: of each other recipe a condition where it
    has not. ranks, winner: None where fewer than two are ranked.
    """

    metric: str
    alpha: float
    factors: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str]]
    silent: tuple[Mapping[str, str], ...]
    standings: Mapping[str, Mapping[str, Standing]]
    twins: Mapping[Level, str]
    statuses: Mapping[str, int]
    seeds: int
    overlap: float
    interactions: tuple[Interaction, ...]
    anova: Anova | None
    no_anova: str
    needed: int
    ranked: tuple[str, ...]
    left_out: Mapping[str, str]
    ranks: Ranks | None
    winner: Winner | None


def interplay(results: Results) -> Interplay | None:
    """None where fewer than two recipes, or fewer than two conditions, have a finished run."""
    experiment, others = results.experiment, [factor for factor in results.factors if factor != "recipe"]
    table, twins = _each_run_once(results)
    conditions = {row["condition"]: {factor: row[factor] for factor in others} for row in table.to_dict("records")}
    done = table[table["status"] == "finished"]
    alive = {key: levels for key, levels in conditions.items() if key in set(done["condition"])}
    if len(alive) < 2 or done["recipe"].nunique() < 2:
        return None
    standings = _standings(table[table["condition"].isin(alive)], experiment, failed_trainings(results))
    needed, ranked = _ranked(standings, list(alive))
    factors = tuple(factor for factor in others if done[factor].nunique() > 1)
    overlap = overlap_of(results, done, sorted(set(done["draw"])))
    made, reason = _anova(experiment, done, factors, overlap)
    return Interplay(
        metric=experiment.metric,
        alpha=experiment.alpha,
        factors=factors,
        conditions=alive,
        silent=tuple(levels for key, levels in conditions.items() if key not in alive),
        standings=standings,
        twins=twins,
        statuses={str(status): int(runs) for status, runs in table["status"].value_counts().items()},
        seeds=done["draw"].nunique(),
        overlap=overlap,
        interactions=_interactions(results, table, conditions, overlap),
        anova=made,
        no_anova=reason,
        needed=needed,
        ranked=ranked,
        left_out={
            recipe: next(key for key in alive if not _enough(own, key, needed))
            for recipe, own in standings.items()
            if recipe not in ranked
        },
        ranks=_ranks(experiment, standings, ranked, list(alive)) if len(ranked) > 1 else None,
        winner=_winner(results, standings, twins, list(alive), needed, overlap) if len(ranked) > 1 else None,
    )


def _each_run_once(results: Results) -> tuple[pd.DataFrame, dict[Level, str]]:
    """The table with one name for each level and one row for each run, its condition's key, and the names given up."""
    table, twins = drawn_table(results), dict[Level, str]()
    for factor in results.factors:
        names = _one_name(table, factor, [*results.factors, "seed"], results.experiment.baseline)
        table[factor] = table[factor].map(names)
        twins |= {(factor, name): kept for name, kept in names.items() if name != kept}
    table = table.drop_duplicates("id")
    others = [factor for factor in results.factors if factor != "recipe"]
    levels = table[others].itertuples(index=False, name=None)
    keys = [_key(others, row, {}) for row in levels]
    return table.assign(condition=keys), twins


def _key(factors: Sequence[str], levels: Sequence[str], twins: Mapping[Level, str]) -> str:
    """'optimizer=adam, dropout=0.3', each level by the name under which its runs are counted."""
    named = zip(factors, levels, strict=True)
    return ", ".join(f"{factor}={twins.get((factor, level), level)}" for factor, level in named)


def _one_name(table: pd.DataFrame, factor: str, columns: list[str], baseline: str) -> dict[str, str]:
    """Each level -> the first one that has the same run wherever both are in the grid; the baseline comes first."""
    places = [column for column in columns if column != factor]
    runs = {
        str(level): dict(zip(rows[places].itertuples(index=False, name=None), rows["id"], strict=True))
        for level, rows in table.groupby(factor, sort=False)
    }
    kept: dict[str, str] = {}
    for level in sorted(runs, key=lambda name: factor == "recipe" and name != baseline):
        kept[level] = next((name for name in kept.values() if _same_runs(runs[name], runs[level])), level)
    return kept


def _same_runs(one: Mapping[tuple, str], other: Mapping[tuple, str]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[place] == other[place] for place in shared)


def _standings(table: pd.DataFrame, experiment: Experiment, failed: frozenset[str]) -> dict[str, dict[str, Standing]]:
    """recipe -> key of a condition -> standing, in the order of the experiment; recipes without a score too."""
    found: dict[str, dict[str, Standing]] = {recipe: {} for recipe in experiment.recipes}
    for (recipe, key), rows in table.groupby(["recipe", "condition"], sort=False):
        scores = {seed: float(runs[experiment.metric].mean()) for seed, runs in finished_seeds(rows).items()}
        diverged = int(((rows["status"] == "diverged") | rows["id"].isin(failed)).sum())
        found[str(recipe)][str(key)] = Standing(scores, rows["draw"].nunique(), diverged)
    return {recipe: own for recipe, own in found.items() if own}


def _anova(
    experiment: Experiment, done: pd.DataFrame, factors: tuple[str, ...], overlap: float
) -> tuple[Anova | None, str]:
    """With the seeds as blocks where the declared test pairs them; or why there is none."""
    blocks = done["draw"].tolist() if experiment.declared_test.paired and done["draw"].nunique() > 1 else None
    made = anova(
        done[experiment.metric].to_numpy(),
        {factor: done[factor].tolist() for factor in ("recipe", *factors)},
        blocks,
        experiment.alpha,
        overlap if blocks else 0.0,
    )
    if math.isfinite(made.mean_square):
        return made, ""
    return None, NO_SPREAD if made.df > 0 else TOO_FEW_RUNS


def _interactions(
    results: Results, table: pd.DataFrame, conditions: Mapping[str, Mapping[str, str]], overlap: float
) -> tuple[Interaction, ...]:
    """Of the whole grid; cells with a run that diverged or failed to train take no part."""
    experiment = results.experiment
    standings, paired = _standings(table, experiment, failed_trainings(results)), experiment.declared_test.paired
    scores = {
        key: {recipe: _by_seed(own[key], _seeds(standings)) for recipe, own in standings.items() if key in own}
        for key in conditions
    }
    return interactions(scores, conditions, experiment.baseline, paired, overlap, experiment.alpha)


def _by_seed(standing: Standing, seeds: list[int]) -> list[float]:
    scores = {} if standing.diverged else standing.scores
    return [scores.get(seed, math.nan) for seed in seeds]


def _seeds(standings: Mapping[str, Mapping[str, Standing]]) -> list[int]:
    """All that have finished somewhere."""
    return sorted({seed for own in standings.values() for standing in own.values() for seed in standing.scores})


def _enough(own: Mapping[str, Standing], key: str, needed: int) -> bool:
    return key in own and own[key].enough(needed)


def _ranked(standings: Mapping[str, Mapping[str, Standing]], keys: list[str]) -> tuple[int, tuple[str, ...]]:
    """(needed, ranked), see `Interplay`."""
    enough, some = (
        tuple(recipe for recipe, own in standings.items() if all(_enough(own, key, needed) for key in keys))
        for needed in (MIN_SEEDS, 1)
    )
    return (1, some) if len(enough) < 2 <= len(some) else (MIN_SEEDS, enough)


def _ranks(
    experiment: Experiment, standings: Mapping[str, Mapping[str, Standing]], ranked: tuple[str, ...], keys: list[str]
) -> Ranks:
    sign = -1 if METRICS[experiment.metric].lower_is_better else 1
    return rank_stability([[sign * standings[recipe][key].mean for recipe in ranked] for key in keys], experiment.alpha)


def _winner(
    results: Results,
    standings: Mapping[str, Mapping[str, Standing]],
    twins: Mapping[Level, str],
    keys: list[str],
    needed: int,
    overlap: float,
) -> Winner:
    """Recipes that are not ranked may be rivals, where they have enough scores."""
    experiment = results.experiment
    seeds = _seeds(standings)
    scores = {
        key: {
            recipe: [own[key].scores.get(seed, math.nan) for seed in seeds]
            for recipe, own in standings.items()
            if _enough(own, key, needed)
        }
        for key in keys
    }
    better = not METRICS[experiment.metric].lower_is_better
    known = {
        pair: told
        for pair, told in _known(results, twins).items()
        if pair[0] == EVERYWHERE or {pair[1], experiment.baseline} <= set(scores.get(pair[0], ()))
    }
    return winner(scores, experiment.declared_test, overlap, experiment.alpha, better, experiment.baseline, known)


def _known(results: Results, twins: Mapping[Level, str]) -> Known:
    """What the comparisons say of each recipe and the baseline, under each condition and pooled."""
    baseline, others = results.experiment.baseline, [factor for factor in results.factors if factor != "recipe"]
    judged, found = compared(results), dict[tuple[str, str], tuple[float, float]]()
    for recipe in results.experiment.recipes:
        conditions = conditions_with(results, (recipe, baseline)) if recipe != baseline else ()
        for place in [(condition,) for condition in conditions] + [conditions]:
            tested = judged.of(recipe, place)
            if tested is not None:
                key = _key(others, place[0], twins) if len(place) == 1 else EVERYWHERE
                found.setdefault((key, recipe), (tested.difference.estimate, tested.p_adjusted))
    return found
