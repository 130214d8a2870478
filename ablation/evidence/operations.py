"""Operations: what does each operation of a recipe contribute? Under each condition and pooled over them.

Which recipes answer that is found in `ablation.evidence.designs`. What an operation does alone is a comparison with the
baseline, and keeps the p-value that it has in the family of all comparisons: the same runs may not be judged twice.
Other contributions, under all conditions and pooled, are one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ablation.analysis.attribution import Attribution, Design, attribute, needed
from ablation.analysis.comparison import holm
from ablation.evidence.arms import pairs
from ablation.evidence.designs import Parts, Plan, plan_of
from ablation.evidence.families import judged
from ablation.evidence.scores import Scores, blocks
from ablation.experiment import Experiment
from ablation.results import Results


@dataclass(frozen=True)
class Contributions:
    """Under one condition, or pooled. Differences are in the metric's own unit, positive where the score is higher.

    condition: factor -> level, {} where pooled. seeds: of the recipe that has the fewest. alone, last: of each part,
    what it does alone and what it does when it is added to all the others; nan where these recipes were not run.
    attribution: None where a recipe has fewer than two finished seeds. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    attribution: Attribution | None
    alone: tuple[float, ...]
    last: tuple[float, ...]
    note: str

    @property
    def pooled(self) -> bool:
        return not self.condition


@dataclass(frozen=True)
class Operations:
    """The design, and what it found: the conditions that have all its recipes, then pooled where these are several."""

    plan: Plan
    found: tuple[Contributions, ...]

    @property
    def deciding(self) -> Contributions:
        """What answers the question: pooled, or under the only condition."""
        return self.found[-1]


def contributions(results: Results) -> Operations | None:
    """None where no recipes make a complete design, or no condition has all of them."""
    plan = plan_of(results.experiment)
    found = blocks(results, list(plan.recipes.values())) if plan else []
    if plan is None or not found:
        return None
    told = [_contributions(results.experiment, plan, scores) for scores in found]
    adjusted = _as_comparisons(results, plan, told) if plan.design == "add_one_in" else _as_one_family(told)
    return Operations(plan, tuple(_corrected(one, adjusted) for one in told))


def _contributions(experiment: Experiment, plan: Plan, found: Scores) -> Contributions:
    """By the declared test: over the seeds that all recipes have where it pairs them, else each recipe's own."""
    paired = experiment.declared_test.paired
    seeds = len(found.shared) if paired else found.seeds
    if seeds < 2:
        unknown = (math.nan,) * len(plan.parts)
        return Contributions(found.condition, seeds, found.planned, None, unknown, unknown, "too few finished seeds")
    scores = {
        parts: [found.of[recipe][seed] for seed in (found.shared if paired else found.of[recipe])]
        for parts, recipe in plan.recipes.items()
    }
    attribution = attribute(scores, plan.parts, paired, found.test_share, experiment.alpha, plan.design)
    still = any(math.isnan(contribution.p) for contribution in attribution.contributions)
    note = found.note(seeds) or ("no spread over seeds: the test cannot judge" if still else "")
    alone, last = _estimates(scores, plan.parts, "add_one_in"), _estimates(scores, plan.parts, "leave_one_out")
    return Contributions(found.condition, seeds, found.planned, attribution, alone, last, note)


def _as_comparisons(results: Results, plan: Plan, told: Sequence[Contributions]) -> Iterator[float]:
    """The p of each contribution as the declared test has it, corrected over all comparisons of the experiment."""
    family = [pair for pair in pairs(results) if pair.own.planned and pair.own.recipe != results.experiment.baseline]
    answers = zip(family, judged(results.experiment, family), strict=True)
    found = {
        (pair.own.recipe, frozenset(pair.condition.items())): one.p_adjusted if one else math.nan
        for pair, one in answers
    }
    for one in told:
        for part in plan.parts if one.attribution else ():
            yield found[plan.recipes[frozenset({part})], frozenset(one.condition.items())]


def _as_one_family(told: Sequence[Contributions]) -> Iterator[float]:
    return iter(holm([each.p for one in told if one.attribution for each in one.attribution.contributions]))


def _corrected(one: Contributions, adjusted: Iterator[float]) -> Contributions:
    """With the next of the corrected p-values."""
    if one.attribution is None:
        return one
    each = tuple(replace(each, p_holm=next(adjusted)) for each in one.attribution.contributions)
    return replace(one, attribution=replace(one.attribution, contributions=each))


def _estimates(scores: Mapping[Parts, Sequence[float]], parts: tuple[str, ...], design: Design) -> tuple[float, ...]:
    """What each part does by this design; nan where its recipes were not run."""
    if not needed(design, parts) <= scores.keys():
        return (math.nan,) * len(parts)
    return tuple(each.difference.estimate for each in attribute(scores, parts, design=design).contributions)
