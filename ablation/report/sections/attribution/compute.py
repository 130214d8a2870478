"""Operations: what does each operation of a recipe contribute? Under each condition and pooled over them.

Which recipes answer that is found in `designs`. What an operation does alone, and what all of them do
together, is a comparison with the baseline and has all its numbers from there (`ablation.evidence.compared`): the same
runs may not be judged twice. Everything else, under all conditions and pooled, is one family for Holm's correction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ablation.analysis.attribution import Attribution, Design, attribute, needed
from ablation.analysis.comparison import Difference, holm
from ablation.evidence.compared import Compared, compared
from ablation.evidence.scores import Scores, blocks
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.report.sections.attribution.designs import Parts, Plan, plan_of


@dataclass(frozen=True)
class Gain:
    """Of an operation, of all together, or beyond the sum; in the metric's unit, positive where the score is higher.

    low, high: the interval over seeds. p, p_adjusted: before and after correction; nan where the test cannot judge.
    compared: is it a comparison with the baseline? Then each number, and the correction, is that of `compare`; so are
    p_equivalent, of equivalence after correction, and reached: was it tested at all?
    """

    name: str
    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    compared: bool
    p_equivalent: float = math.nan
    reached: bool = True


@dataclass(frozen=True)
class Contributions:
    """Under one condition, or pooled.

    condition: factor -> level, {} where pooled. seeds: of the recipe that has the fewest, or those that all have where
    the test pairs them; a comparison with the baseline may have more. each: of every part, () where a recipe has fewer
    than two finished seeds. together, beyond: what all of them gain, and how that differs from the sum of the parts;
    None where it is not known. alone, last: of each part, what it does alone and added to all the others; nan where
    these recipes were not run. note: why nothing is claimed.
    """

    condition: dict[str, str]
    seeds: int
    planned: int
    each: tuple[Gain, ...]
    together: Gain | None
    beyond: Gain | None
    alone: tuple[float, ...]
    last: tuple[float, ...]
    note: str

    @property
    def pooled(self) -> bool:
        return not self.condition

    @property
    def sums(self) -> tuple[Gain, ...]:
        """What is known of all operations together."""
        return tuple(gain for gain in (self.together, self.beyond) if gain is not None)


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
    return operations(results.experiment, plan, found, compared(results))


def operations(experiment: Experiment, plan: Plan, found: Sequence[Scores], known: Compared) -> Operations:
    """found: the scores under each condition, then pooled. known: the comparisons with the baseline."""
    return Operations(plan, tuple(_corrected([_contributions(experiment, plan, scores, known) for scores in found])))


def _contributions(experiment: Experiment, plan: Plan, found: Scores, known: Compared) -> Contributions:
    """By the declared test: over the seeds that all recipes have where it pairs them, else each recipe's own."""
    paired = experiment.declared_test.paired
    seeds = len(found.shared) if paired else found.seeds
    if seeds < 2:
        unknown = (math.nan,) * len(plan.parts)
        return Contributions(
            found.condition, seeds, found.planned, (), None, None, unknown, unknown, "too few finished seeds"
        )
    scores = {
        parts: [found.of[recipe][seed] for seed in (found.shared if paired else found.of[recipe])]
        for parts, recipe in plan.recipes.items()
    }
    attribution = attribute(scores, plan.parts, paired, found.overlap, experiment.alpha, plan.design)
    each, together, beyond = _gains(attribution, experiment, plan, found, known)
    still = any(math.isnan(gain.p) for gain in each)
    note = found.note(seeds) or ("no spread over seeds: the test cannot judge" if still else "")
    alone, last = _estimates(scores, plan.parts, "add_one_in"), _estimates(scores, plan.parts, "leave_one_out")
    return Contributions(found.condition, seeds, found.planned, each, together, beyond, alone, last, note)


def _gains(
    attribution: Attribution, experiment: Experiment, plan: Plan, found: Scores, known: Compared
) -> tuple[tuple[Gain, ...], Gain | None, Gain | None]:
    """(each, together, beyond); comparisons with the baseline as they are known, the rest before correction."""

    def gain(name: str, difference: Difference, recipe: str = "") -> Gain:
        tested = known.of(recipe, found.conditions)
        if tested is not None:
            return Gain(
                name, tested.difference.estimate, tested.low, tested.high, tested.p, tested.p_adjusted, True,
                tested.p_equivalent, tested.reached,
            )  # fmt: skip
        low, high = difference.interval(experiment.alpha)
        return Gain(name, difference.estimate, low, high, difference.p_value(), math.nan, compared=False)

    alone = {part: plan.recipes[frozenset({part})] for part in plan.parts} if plan.design == "add_one_in" else {}
    each = tuple(gain(one.operation, one.difference, alone.get(one.operation, "")) for one in attribution.contributions)
    together, beyond = attribution.total, attribution.remainder
    return (
        each,
        gain("all together", together, plan.recipes[frozenset(plan.parts)]) if together else None,
        gain("beyond the sum", beyond) if beyond else None,
    )


def _corrected(told: Sequence[Contributions]) -> list[Contributions]:
    """By Holm's correction over all that is no comparison. Conditions without scores count as much as the others."""
    families = [[gain.p for gain in (*one.each, *one.sums) if not gain.compared] for one in told]
    size = max(map(len, families))
    blank = [math.nan] * sum(size - len(family) for family in families)
    adjusted = iter(holm([p for family in families for p in family] + blank))

    def corrected(gain: Gain) -> Gain:
        return gain if gain.compared else replace(gain, p_adjusted=next(adjusted))

    return [
        replace(
            one,
            each=tuple(map(corrected, one.each)),
            together=one.together and corrected(one.together),
            beyond=one.beyond and corrected(one.beyond),
        )
        for one in told
    ]


def _estimates(scores: Mapping[Parts, Sequence[float]], parts: tuple[str, ...], design: Design) -> tuple[float, ...]:
    """What each part does by this design; nan where its recipes were not run."""
    if not needed(design, parts) <= scores.keys():
        return (math.nan,) * len(parts)
    return tuple(each.difference.estimate for each in attribute(scores, parts, design=design).contributions)
