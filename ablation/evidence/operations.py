"""Operations: what does each operation of a recipe contribute? Under each condition and pooled over them.

Which recipes answer that is found in `ablation.evidence.designs`. Holm's correction is over the operations of one
condition, or of the pooled ones: each table is a family of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.analysis.attribution import Attribution, Design, attribute, needed
from ablation.evidence.designs import Parts, Plan, plan_of
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
    return Operations(plan, tuple(_contributions(results.experiment, plan, scores) for scores in found))


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


def _estimates(scores: Mapping[Parts, Sequence[float]], parts: tuple[str, ...], design: Design) -> tuple[float, ...]:
    """What each part does by this design; nan where its recipes were not run."""
    if not needed(design, parts) <= scores.keys():
        return (math.nan,) * len(parts)
    return tuple(each.difference.estimate for each in attribute(scores, parts, design=design).contributions)
