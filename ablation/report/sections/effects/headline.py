"""The headline of the report: one short line with one number and its interval, how sure it is, and a small forest plot.

Everything here stands in the results section too; this is what a reader takes away in five seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ablation.core.text import named, opening, percent
from ablation.evidence.effects import Effect, primaries
from ablation.experiment.experiment import Experiment
from ablation.report.sections.effects.text import deciding, first_named, lead, p_of, picked, scope, won
from ablation.report.text import (
    bounds,
    difference_text,
    gain,
    interval_text,
    margin_text,
    possible,
    shaded,
    shown,
    unit_text,
    value_text,
    verdict_text,
)

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

    ends: what stands at its left and right end. caption: how to read it. more: recipes that are not in the rows.
    """

    rows: tuple[ForestRow, ...]
    zero: float
    margin: tuple[float, float]
    ends: tuple[str, str]
    caption: str
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
    """What is better, and the number of the recipe that is named first; where none is, that of the largest gain."""
    known = [effect for effect in deciding(effects) if not math.isnan(effect.estimate)]
    judged = [effect for effect in known if verdict_text(effect) != "no verdict"]
    if not judged:
        return Headline(lead(experiment, effects), forest=forest_of(experiment, known, effects))
    first = first_named(judged)
    return Headline(
        lead(experiment, effects),
        first.recipe,
        difference_text(first),
        unit_text(first.metric),
        f"{percent(1 - experiment.alpha)} interval {interval_text(first)}",
        verdict_text(first),
        tuple(_sure(first, effects, experiment)),
        forest_of(experiment, known, effects),
    )


def _sure(effect: Effect, effects: Sequence[Effect], experiment: Experiment) -> list[str]:
    """In order: the seeds, the test, what choosing the best costs, and what it holds for."""
    p, compared = p_of(effect, experiment), primaries(effects)
    over = f", corrected for {compared} comparisons" if compared > 1 else ""
    sentences = [
        won(effect, experiment),
        f"{p}{over}" if p else "",
        picked(effect, effects),
        f"it holds {bounds(experiment)}{scope(effect, effects, experiment)}",
    ]
    return [f"{opening(sentence)}." for sentence in sentences if sentence]


def forest_of(experiment: Experiment, known: Sequence[Effect], effects: Sequence[Effect]) -> Forest | None:
    """The known ones, which have a difference, by verdict and then by gain; None without one."""
    if not known:
        return None
    ranked = sorted(known, key=lambda one: (ORDER.index(verdict_text(one)), -gain(one.estimate, one.metric)))
    rows = ranked[:MOST_ROWS]
    numbers = [
        [float(shown(x, one.metric)) for x in (one.estimate, *possible(one.low, one.high, one.metric))] for one in rows
    ]
    margin = float(shown(experiment.declared_margin or 0.0, experiment.metric))
    every = [x for row in numbers for x in row if not math.isnan(x)] + [-margin, margin]
    least, most = min(every), max(every)
    room = 0.04 * (most - least)

    def share(x: float) -> float:
        return round((x - least + room) / (most - least + 2 * room), 4)

    def row(effect: Effect, at: Sequence[float]) -> ForestRow:
        texts = verdict_text(effect), difference_text(effect), interval_text(effect)
        return ForestRow(effect.recipe, *texts, *map(share, at))

    lower = gain(1, experiment.metric) < 0
    return Forest(
        tuple(map(row, rows, numbers)),
        share(0),
        (share(-margin), share(margin)),
        ("better", "worse") if lower else ("worse", "better"),
        _caption(experiment, known[0], effects),
        len(ranked) - len(rows),
    )


def _caption(experiment: Experiment, known: Effect, effects: Sequence[Effect]) -> str:
    """What is drawn, with the baseline's score and the margin in numbers."""
    metric, level = experiment.metric, percent(1 - experiment.alpha)
    baseline = next(one for one in effects if one.verdict == "baseline" and one.condition == known.condition)
    margin = margin_text(experiment)
    band = f"Shaded: the margin of equivalence, ±{margin}." if margin else shaded(experiment)
    score = "" if math.isnan(baseline.mean) else f" ({value_text(baseline.mean, metric)})"
    return (
        f"Difference to {named(experiment.baseline)}{score} in {unit_text(metric)}, with its {level} interval. "
        f"{band} A verdict rests on its adjusted p, and may be "
        "sharper than the interval."
    )
