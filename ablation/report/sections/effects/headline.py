"""The headline of the report: one short line with one number and its interval, how sure it is, and a small forest plot.

Everything here stands in the results section too; this is what a reader takes away in five seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.core.text import listing, named, opening, percent
from ablation.evidence.effects import Effect
from ablation.experiment.experiment import Experiment
from ablation.report.sections.effects.text import answer, deciding, picked, scope, won
from ablation.report.text import MOST_NAMED, bounds, chance, gain, interval, shown, signed, unit_text, verdict_text

MOST_ROWS = 12
"""Of the small forest plot; the results section has all."""

ORDER = ("better", "undecided", "equivalent", "not tested", "no verdict", "worse")


@dataclass(frozen=True)
class ForestRow:
    """A recipe beside the baseline; estimate, low and high are shares of the axis, nan where unknown."""

    recipe: str
    verdict: str
    difference: str
    interval: str
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Forest:
    """The recipes that answer, the best first. zero, margin: on the axis, as shares of its length.

    ends: what stands at its left and right end. more: recipes that are not in the rows.
    """

    rows: tuple[ForestRow, ...]
    zero: float
    margin: tuple[float, float]
    ends: tuple[str, str]
    unit: str
    baseline: str
    more: int = 0


@dataclass(frozen=True)
class Headline:
    """What was found, in one line. recipe, number, interval and verdict are '' where there is no number to give."""

    lead: str
    recipe: str = ""
    number: str = ""
    unit: str = ""
    interval: str = ""
    verdict: str = ""
    sure: tuple[str, ...] = ()
    """How sure it is, in sentences."""
    forest: Forest | None = None


def headline_of(experiment: Experiment, effects: Sequence[Effect]) -> Headline:
    """The best recipe with its number; where none is better, that this is so, with the largest gain."""
    known = [effect for effect in deciding(effects) if not math.isnan(effect.estimate)]
    judged = [effect for effect in known if verdict_text(effect) != "no verdict"]
    if not judged:
        return Headline(answer(experiment, effects)[0], forest=forest_of(experiment, known))
    ranked = sorted(judged, key=lambda effect: -gain(effect.estimate, effect.metric))
    best = next((effect for effect in ranked if effect.verdict == "better"), ranked[0])
    return Headline(
        _lead(experiment, judged, best),
        best.recipe,
        signed(best.estimate, best.metric),
        unit_text(best.metric),
        f"{percent(1 - experiment.alpha)} interval {interval(best.low, best.high, best.metric)}",
        verdict_text(best),
        tuple(_sure(best, effects, experiment)),
        forest_of(experiment, known),
    )


def _lead(experiment: Experiment, judged: Sequence[Effect], best: Effect) -> str:
    baseline = named(experiment.baseline)
    better = [effect for effect in judged if effect.verdict == "better"]
    if not better:
        return f"No recipe is shown to be better than {baseline}."
    others = sorted(
        (effect for effect in better if effect is not best), key=lambda one: -gain(one.estimate, one.metric)
    )
    if not others:
        return f"{named(best.recipe)} is better than {baseline}."
    if len(better) > MOST_NAMED:
        return f"{named(best.recipe)} and {len(others)} more recipes are better than {baseline}."
    return f"{listing(named(one.recipe) for one in (best, *others))} are better than {baseline}."


def _sure(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> list[str]:
    """In order: the test, the seeds, what choosing the best costs, and what it holds for."""
    tested = not math.isnan(effect.p_adjusted) and verdict_text(effect) != "not tested"
    sentences = [chance(effect.p_adjusted, experiment, compared=True)] if tested else []
    sentences += filter(None, [won(effect, experiment), picked(effect, effects)])
    sentences.append(f"it holds {bounds(experiment)}{scope(effect, effects, experiment)}")
    return [f"{opening(sentence)}." for sentence in sentences]


def forest_of(experiment: Experiment, known: Sequence[Effect]) -> Forest | None:
    """The recipes with a difference, by verdict and then by gain; None without one."""
    if not known:
        return None
    ranked = sorted(known, key=lambda one: (ORDER.index(verdict_text(one)), -gain(one.estimate, one.metric)))
    rows = ranked[:MOST_ROWS]
    numbers = [[float(shown(x, one.metric)) for x in (one.estimate, one.low, one.high)] for one in rows]
    margin = float(shown(experiment.margin, experiment.metric))
    every = [x for row in numbers for x in row if not math.isnan(x)] + [-margin, margin]
    least, most = min(every), max(every)
    room = 0.04 * (most - least)

    def share(x: float) -> float:
        return round((x - least + room) / (most - least + 2 * room), 4)

    def row(effect: Effect, at: Sequence[float]) -> ForestRow:
        texts = signed(effect.estimate, effect.metric), interval(effect.low, effect.high, effect.metric)
        return ForestRow(effect.recipe, verdict_text(effect), *texts, *map(share, at))

    lower = gain(1, experiment.metric) < 0
    return Forest(
        tuple(map(row, rows, numbers)),
        share(0),
        (share(-margin), share(margin)),
        ("better", "worse") if lower else ("worse", "better"),
        unit_text(experiment.metric),
        experiment.baseline,
        len(ranked) - len(rows),
    )
