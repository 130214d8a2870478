"""What each operation of a recipe contributes, under each condition and pooled over them.

Which recipes answer that is determined in `designs`. What an operation does alone, and what all of them do together, is
a comparison with the baseline and has all its numbers from there (`Study.compared`): the same runs may not be judged
twice. Everything else, under all conditions and pooled, is one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ablation.analysis.attribution import Attribution, Design, attribute
from ablation.analysis.comparison import Difference
from ablation.analysis.multiplicity import holm
from ablation.evidence.families import Compared, Tested
from ablation.evidence.scores import RecipeScores, recipe_scores
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.sections.attribution.designs import Plan, plan_of
from ablation.report.text import unclaimed


@dataclass(frozen=True)
class Gain:
    """Of one operation, of all together, or what all do beyond the sum of each; positive where the score is higher.

    In the metric's unit. low, high: the interval over seeds. p, p_adjusted: before and after correction; nan where the
    test cannot judge. alpha: what p_adjusted is held to. compared: is it a comparison with the baseline? Then each
    number, and the correction, is that of `compare`; so are p_equivalent, of equivalence after correction, and reached:
    was it tested at all? alone, last: of one operation, what it does alone and added to all the others; nan where not
    every combination was run.
    """

    name: str
    kind: Literal["one", "together", "beyond"]
    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    alpha: float
    compared: bool = False
    p_equivalent: float = math.nan
    reached: bool = True
    alone: float = math.nan
    last: float = math.nan

    @property
    def verdict(self) -> Literal["shown", "equivalent", "not shown", "not tested"]:
        """What is claimed after correction; only of a comparison that it is equivalent, or was not tested."""
        if self.p_adjusted < self.alpha:
            return "shown"
        if not self.reached:
            return "not tested"
        return "equivalent" if self.p_equivalent < self.alpha else "not shown"


@dataclass(frozen=True)
class Contributions:
    """Under one condition, or pooled.

    condition: factor -> level, {} where pooled. seeds: of the recipe that has the fewest, or those that all have where
    the test pairs them; a comparison with the baseline may have more. gains: of each part, then what is known of all of
    them together; () where a recipe has fewer than two finished seeds. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    gains: tuple[Gain, ...]
    note: str

    @property
    def pooled(self) -> bool:
        return not self.condition

    @property
    def each(self) -> list[Gain]:
        """Of each part."""
        return [gain for gain in self.gains if gain.kind == "one"]

    @property
    def together(self) -> Gain | None:
        """What all of them gain; None where it is not known."""
        return next((gain for gain in self.gains if gain.kind == "together"), None)

    @property
    def beyond(self) -> Gain | None:
        """How that differs from the sum of the parts; None where it is not known."""
        return next((gain for gain in self.gains if gain.kind == "beyond"), None)


@dataclass(frozen=True)
class DesignResult:
    """A design and its contributions: under each condition that has all its recipes, then pooled over several."""

    experiment: Experiment
    plan: Plan
    blocks: tuple[Contributions, ...]

    @property
    def deciding(self) -> Contributions:
        """What answers the question: pooled, or under the only condition."""
        return self.blocks[-1]

    @property
    def single(self) -> list[Contributions]:
        """Those under one condition."""
        return [block for block in self.blocks if not block.pooled]


def contributions(study: Study) -> DesignResult | None:
    """None where no recipes make a complete design, or no condition has all of them."""
    plan = plan_of(study.experiment)
    scores = recipe_scores(study, list(plan.recipes.values())) if plan else []
    return design_result(study.experiment, plan, scores, study.compared) if plan and scores else None


def design_result(
    experiment: Experiment, plan: Plan, scores: Sequence[RecipeScores], compared: Compared
) -> DesignResult:
    """scores: under each condition, then pooled. compared: the comparisons with the baseline."""
    each = [_contributions(experiment, plan, block, compared) for block in scores]
    return DesignResult(experiment, plan, tuple(_corrected(each)))


def _contributions(experiment: Experiment, plan: Plan, block: RecipeScores, compared: Compared) -> Contributions:
    """By the declared test: over the seeds that all recipes have where it pairs them, else each recipe's own."""
    paired = experiment.declared_test.paired
    seeds = len(block.shared) if paired else block.seeds
    if seeds < 2:
        return Contributions(block.condition, seeds, block.planned, (), "too few finished seeds")
    scores = {
        parts: [block.of[recipe][seed] for seed in (block.shared if paired else block.of[recipe])]
        for parts, recipe in plan.recipes.items()
    }
    attributed = attribute(scores, plan.parts, paired, block.overlap, plan.design)
    gains = _gains(attributed, plan, experiment.alpha, lambda recipe: compared.of(recipe, block.conditions))
    if plan.design == "shapley":
        designs: tuple[Design, ...] = ("add_one_in", "leave_one_out")
        alone, last = (attribute(scores, plan.parts, design=design).contributions for design in designs)
        gains = [
            replace(one, alone=alone[one.name].estimate, last=last[one.name].estimate) if one.kind == "one" else one
            for one in gains
        ]
    return Contributions(
        block.condition,
        seeds,
        block.planned,
        tuple(gains),
        unclaimed(block, seeds, judged=not any(math.isnan(one.p) for one in gains if one.kind == "one")),
    )


def _gains(result: Attribution, plan: Plan, alpha: float, compared: Callable[[str], Tested | None]) -> list[Gain]:
    """Comparisons with the baseline as they are known, the rest before correction."""

    def gain(name: str, kind: Literal["one", "together", "beyond"], difference: Difference, recipe: str) -> Gain:
        tested = compared(recipe) if recipe else None
        if tested is None:
            p = difference.p_value()
            return Gain(name, kind, difference.estimate, *difference.interval(alpha), p, math.nan, alpha)
        numbers = tested.difference.estimate, tested.low, tested.high, tested.p, tested.p_adjusted
        return Gain(name, kind, *numbers, alpha, True, tested.p_equivalent, tested.reached)

    alone = {part: plan.recipes[frozenset({part})] for part in plan.parts} if plan.design == "add_one_in" else {}
    each = result.contributions.items()
    gains = [gain(name, "one", difference, alone.get(name, "")) for name, difference in each]
    if result.total:
        gains.append(gain("all together", "together", result.total, plan.recipes[frozenset(plan.parts)]))
    if result.remainder:
        gains.append(gain("beyond the sum", "beyond", result.remainder, ""))
    return gains


def _corrected(every: Sequence[Contributions]) -> list[Contributions]:
    """By Holm's correction over all that is no comparison. Conditions without scores count as much as the others."""
    families = [[gain.p for gain in block.gains if not gain.compared] for block in every]
    most = max(map(len, families))
    without = [math.nan] * sum(most - len(family) for family in families)
    adjusted = iter(holm([p for family in families for p in family] + without).tolist())
    return [
        replace(
            block,
            gains=tuple(gain if gain.compared else replace(gain, p_adjusted=next(adjusted)) for gain in block.gains),
        )
        for block in every
    ]
