"""An effect as a sentence that a student understands and a statistician signs. From effects to text; no jinja2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablation.evidence.effects import OWN_RUNS
from ablation.experiment import Experiment
from ablation.report.wording import (
    NAME,
    NONE,
    UNIT,
    amount,
    condition_text,
    conditions_text,
    correction,
    interval,
    p_phrase,
    percent,
    points,
    seeds_text,
    size,
    verdict_text,
)

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect

BOUNDS = "on this data, model and budget"


def sentence(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """One effect by itself: the verdict with its numbers, where it holds, and what it would still take."""
    where = scope(effect, effects, experiment)
    if effect.verdict == "baseline":
        score = f"{points(effect.mean, effect.metric)}{' %' if UNIT[effect.metric] == 'points' else ''}"
        told = f"{NAME[effect.metric]} {score} ({seeds_text(effect, experiment)}{where})"
        return f"{effect.recipe} is the baseline: {told}."
    if effect.note == OWN_RUNS:
        return f"{finding(effect, experiment)}."
    more = filter(None, (chance(effect), need(effect), BOUNDS))
    return f"{finding(effect, experiment)}{where}; {'; '.join(more)}."


def finding(effect: Effect, experiment: Experiment, brief: bool = False) -> str:
    """The verdict on one recipe with its numbers, without an end: 'crop beats none by 4.1 points of accuracy (...)'.

    brief: without the interval for new photographs.
    """
    baseline, metric = experiment.baseline, effect.metric
    if math.isnan(effect.estimate):
        why = f"{effect.note or 'no scores'}: {seeds_text(effect, experiment)}"
        return f"{effect.recipe} cannot be compared with {baseline} ({why})"
    if effect.note == OWN_RUNS:
        return f"{effect.recipe} is {OWN_RUNS}"
    if effect.verdict in ("better", "worse"):
        numbers = evidence(effect, experiment, math.copysign(1, effect.estimate), brief)
        verb = "beats" if effect.verdict == "better" else "is worse than"
        return f"{effect.recipe} {verb} {baseline} by {amount(abs(effect.estimate), metric)} ({numbers})"
    difference = size(effect.estimate, metric, sign=True)
    numbers = evidence(effect, experiment, brief=brief)
    if effect.verdict == "equivalent":
        within = size(experiment.margin, metric)
        return f"{effect.recipe} is equivalent to {baseline} within {within} (difference {difference}, {numbers})"
    why = f"; {effect.note}" if effect.note else ""
    verdict = "has no verdict" if verdict_text(effect) == "no verdict" else "is undecided"
    return f"{effect.recipe} {verdict} (difference {difference} of {NAME[metric]}, {numbers}{why})"


def evidence(effect: Effect, experiment: Experiment, toward: float = 0, brief: bool = False) -> str:
    """What stands behind an estimate: '95 % interval 2.2 to 6.0 over seeds, 1.9 to 6.3 for new photographs; Holm p =
    .002; n = 5 seeds'.

    toward: 1 or -1 tells the interval as sizes in that direction, 0 with signs. An equivalence gives its own p. brief:
    without new photographs.
    """
    low, high = _toward(effect.low, effect.high, toward)
    new_low, new_high = _toward(effect.new_low, effect.new_high, toward)
    equivalent = effect.verdict == "equivalent"
    p = effect.p_equivalent if equivalent else effect.p_adjusted
    parts = []
    if not math.isnan(low):
        seeds = interval(low, high, effect.metric, sign=not toward)
        told = f"{percent(1 - experiment.alpha)} interval {seeds}" + ("" if brief else " over seeds")
        if not (brief or math.isnan(new_low)):
            told += f", {interval(new_low, new_high, effect.metric, sign=not toward)} for new photographs"
        parts.append(told)
    if not math.isnan(p):
        parts.append(f"{'equivalence' if equivalent else correction(experiment)} {p_phrase(p, experiment.alpha)}")
    return "; ".join([*parts, f"n = {seeds_text(effect, experiment)}"])


def _toward(low: float, high: float, toward: float) -> tuple[float, float]:
    return (min(low * toward, high * toward), max(low * toward, high * toward)) if toward else (low, high)


def scope(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> str:
    """', under adam', or ', pooled over adam and sgd': the conditions that have the recipe and the baseline.

    ', under adam alone' where only one has them.
    """
    if not effect.pooled:
        return f", under {condition_text(effect.condition, experiment)}"
    told = [
        condition_text(other.condition, experiment)
        for other in effects
        if other.recipe == effect.recipe and not other.pooled and (other.tested or other.verdict == "baseline")
    ]
    return f", under {told[0]} alone" if len(told) == 1 else f", pooled over {conditions_text(told)}"


def chance(effect: Effect) -> str:
    """What runs say of the next ones, where the recipe is better or worse: of whichever of the two wins.

    'a new run of it beats one of the baseline's with a chance of 92 % (58 to 99)', or, as no sample shows that a chance
    is 100 %, 'it won all 25 pairs of runs, so that a new run of it beats one of the baseline's with a chance of at
    least 56 %'.
    """
    if effect.verdict not in ("better", "worse") or math.isnan(effect.p_better):
        return ""
    share, low, high = effect.p_better, effect.p_better_low, effect.p_better_high
    who, winner, loser = "it", "it", "the baseline's"
    if effect.verdict == "worse":
        share, low, high = 1 - share, 1 - high, 1 - low
        who, winner, loser = "the baseline", "the baseline", "this recipe"
    beats = f"a new run of {winner} beats one of {loser} with a chance of"
    if share < 1:
        return f"{beats} {in_percent(share)} % ({round(100 * low)} to {round(100 * high)})"
    pairs = f"all {effect.seeds * effect.baseline_seeds} pairs of runs"
    return f"{who} won {pairs}, so that {beats} at least {round(100 * low)} %"


def in_percent(share: float) -> int:
    """A share of pairs: 0 or 100 only where that is exact."""
    return round(100 * share) if share in (0, 1) else min(99, max(1, round(100 * share)))


def chance_text(effect: Effect) -> str:
    """'92 (58 to 99)', in percent: of the pairs of runs, with the interval of the chance; a dash for nan."""
    shares = (effect.p_better, effect.p_better_low, effect.p_better_high)
    if any(map(math.isnan, shares)):
        return NONE
    low, high = (round(100 * share) for share in shares[1:])
    return f"{in_percent(effect.p_better)} ({low} to {high})"


def need(effect: Effect) -> str:
    """What an undecided recipe lacks: '23 seeds would show it to be different (power 80 %) if ...'."""
    if not effect.decided_as:
        return ""
    if effect.decided_as == "neither":
        told = "not even 1,000 seeds would decide it"
    elif effect.seeds_needed <= effect.seeds:
        told = f"{effect.seeds_needed:.0f} seeds of the baseline would show it to be {effect.decided_as} (power 80 %)"
    else:
        told = f"{effect.seeds_needed:.0f} seeds would show it to be {effect.decided_as} (power 80 %)"
    return f"{told} if the truth is what was seen so far"
