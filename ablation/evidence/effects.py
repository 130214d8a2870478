"""Effects: what the results mean. Each recipe against the baseline, under each condition and pooled over them.

A condition is a level of everything but recipe and seed (the optimizer, and whatever else varies). All comparisons that
are shown, pooled ones too, are one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from ablation.analysis.comparison import MIN_SEEDS, Difference, holm
from ablation.evidence.photographs import ImageScores
from ablation.experiment import LOWER_IS_BETTER
from ablation.results import Results

OWN_RUNS = "the baseline's own runs under another name"

Verdict = Literal["baseline", "better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Effect:
    """One recipe under one condition, against the baseline there. Scores in the metric's own unit (0.01 is a point).

    condition: factor -> level, {} where pooled. low, high: the interval over seeds. new_low, new_high: over seeds and
    new photographs together (see `ablation.evidence.photographs`). p, p_holm: two-sided, before and after Holm's
    correction. p_equivalent: of the two one-sided tests, after Holm's correction. What cannot be computed is nan.
    `note` says why a verdict is missing, or that the runs are the baseline's own; `flag` what makes the recipe suspect,
    whatever its verdict: an operation that changed nothing.
    """

    recipe: str
    condition: dict[str, str]
    metric: str
    seeds: int
    planned: int
    mean: float
    sd: float
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    new_low: float = math.nan
    new_high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    p_equivalent: float = math.nan
    macro_f1_difference: float = math.nan
    verdict: Verdict = "undecided"
    note: str = ""
    flag: str = ""

    @property
    def pooled(self) -> bool:
        return not self.condition

    @property
    def tested(self) -> bool:
        """Is it a comparison, one of the family? Not the baseline's row, nor one where the grid has no baseline."""
        return self.verdict != "baseline" and self.planned > 0


def compare(results: Results) -> tuple[Effect, ...]:
    """Every recipe under every condition, then pooled, in the order of the experiment; the baseline has a row too.

    Holm's correction is made twice over the same comparisons: for differences, and for equivalence. Each holds its own
    family-wise error to alpha; a wrong verdict of either kind then has at most twice that.
    """
    experiment = results.experiment
    conditions = list(dict.fromkeys(cell.condition for cell in results.cells))
    images = ImageScores(results)
    effects = [effect for condition in conditions for effect in _under(results, [condition], images)]
    if len(conditions) > 1:
        effects += _under(results, conditions, images)
    tested = [effect for effect in effects if effect.tested]
    corrected = iter(
        zip(holm([effect.p for effect in tested]), holm([effect.p_equivalent for effect in tested]), strict=True)
    )
    return tuple(_judge(effect, *next(corrected), experiment.alpha) if effect.tested else effect for effect in effects)


def _under(results: Results, conditions: list[tuple[str, ...]], images: ImageScores) -> list[Effect]:
    """The effects, before correction, of every recipe over these conditions taken together."""
    experiment = results.experiment
    others = [factor for factor in results.factors if factor != "recipe"]
    table = results.table
    recipes = [recipe for recipe in experiment.recipes if recipe in set(_rows(table, others, conditions)["recipe"])]
    shared = _shared_conditions(table, others, conditions, recipes, experiment.baseline)
    named = dict(zip(others, conditions[0], strict=True)) if len(conditions) == 1 else {}
    return [_effect(results, recipe, shared[recipe], others, named, images) for recipe in recipes]


def _rows(table: pd.DataFrame, others: list[str], conditions: list[tuple[str, ...]]) -> pd.DataFrame:
    return table[[tuple(row) in set(conditions) for row in table[others].itertuples(index=False)]]


def _shared_conditions(table, others, conditions, recipes, baseline) -> dict[str, list[tuple[str, ...]]]:
    """For each recipe the conditions that have it and the baseline; `exclude` may have dropped either from some."""
    present = {condition: set(_rows(table, others, [condition])["recipe"]) for condition in conditions}
    return {recipe: [place for place in conditions if {recipe, baseline} <= present[place]] for recipe in recipes}


def _effect(
    results: Results,
    recipe: str,
    conditions: list[tuple[str, ...]],
    others: list[str],
    named: dict[str, str],
    images: ImageScores,
) -> Effect:
    experiment, metric = results.experiment, results.experiment.metric
    rows = _rows(results.table, others, conditions)
    arms = (recipe, experiment.baseline)
    scores, reference = (_per_seed(rows, arm, metric, len(conditions)) for arm in arms)
    own = rows[rows["recipe"] == recipe]
    effect = Effect(
        recipe, named, metric, len(scores), own["seed"].nunique(), _mean(scores), _sd(scores), flag=_flag(own)
    )
    if recipe == experiment.baseline:
        return replace(effect, verdict="baseline")
    if experiment.declared_test.paired:
        both = scores.index.intersection(reference.index)
        scores, reference = scores[both], reference[both]
    seeds = min(len(scores), len(reference))
    if seeds < 2:
        return replace(effect, note="too few finished seeds" if conditions else "nowhere beside the baseline")
    difference = _difference(results, rows, scores, reference)
    low, high = difference.interval(experiment.alpha)
    runs = [_runs(rows, arm, score.index) for arm, score in zip(arms, (scores, reference), strict=True)]
    new_low, new_high = images.interval(runs, experiment.declared_test.paired, experiment.alpha)
    f1, f1_reference = (_per_seed(rows, arm, "macro_f1", len(conditions)) for arm in arms)
    return replace(
        effect,
        estimate=difference.estimate,
        low=low,
        high=high,
        new_low=new_low,
        new_high=new_high,
        p=difference.p_value(),
        p_equivalent=difference.p_equivalent(experiment.margin),
        macro_f1_difference=_mean(f1[scores.index]) - _mean(f1_reference[reference.index]),
        note=_note(rows, recipe, experiment.baseline, seeds, difference),
    )


def _per_seed(rows: pd.DataFrame, recipe: str, metric: str, conditions: int) -> pd.Series:
    """The score of each seed, averaged over the conditions; a seed counts only where it finished in all of them."""
    done = rows[(rows["recipe"] == recipe) & (rows["status"] == "finished")]
    if done.empty:
        return pd.Series(dtype=float)
    by_seed = done.groupby("seed")[metric]
    return by_seed.mean()[by_seed.count() == conditions]


def _runs(rows: pd.DataFrame, recipe: str, seeds: pd.Index) -> dict[int, list[str]]:
    """The finished runs of each seed, one a condition."""
    own = rows[(rows["recipe"] == recipe) & (rows["status"] == "finished")]
    return {seed: own.loc[own["seed"] == seed, "id"].tolist() for seed in seeds}


def _difference(results: Results, rows: pd.DataFrame, scores: pd.Series, reference: pd.Series) -> Difference:
    """The declared test on the scores of either arm, those of shared seeds where the test pairs them."""
    done = rows[rows["status"] == "finished"]
    share = float((done["test_images"] / done["train_images"]).max())
    return results.experiment.declared_test.difference(scores.tolist(), reference.tolist(), share)


def _note(rows: pd.DataFrame, recipe: str, baseline: str, seeds: int, difference: Difference) -> str:
    arms = rows.groupby("recipe")["id"].apply(set)
    if seeds < MIN_SEEDS:
        return f"no verdict under {MIN_SEEDS} seeds"
    diverged = rows[rows["recipe"].isin([recipe, baseline]) & (rows["status"] == "diverged")]["id"].nunique()
    if diverged:
        return f"{diverged} diverged here: no verdict on those that are left"
    if arms[recipe] == arms[baseline]:
        return OWN_RUNS
    if difference.error == 0:
        return "no spread over seeds: the test cannot judge"
    return ""


def _flag(runs: pd.DataFrame) -> str:
    """Which operations changed no picture, and in how many runs; '' where all did something."""
    idle = runs.loc[runs["status"] == "finished", "idle"] if "idle" in runs else pd.Series(dtype=str)
    counts = Counter(name for names in idle for name in names.split(", ") if name)
    return "; ".join(
        f"{name} changed no picture" + ("" if count == len(idle) else f" in {count} of {len(idle)} runs")
        for name, count in counts.items()
    )


def _judge(effect: Effect, p_holm: float, p_equivalent: float, alpha: float) -> Effect:
    """The verdict from the corrected p-values; a difference that is real counts before one that is small."""
    effect = replace(effect, p_holm=p_holm, p_equivalent=p_equivalent)
    if effect.note:
        return replace(effect, verdict="equivalent") if effect.note == OWN_RUNS else effect
    if p_holm < alpha:
        gain = -effect.estimate if effect.metric in LOWER_IS_BETTER else effect.estimate
        return replace(effect, verdict="better" if gain > 0 else "worse")
    return replace(effect, verdict="equivalent") if p_equivalent < alpha else effect


def _mean(scores: pd.Series) -> float:
    return float(scores.mean()) if len(scores) else math.nan


def _sd(scores: pd.Series) -> float:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan
