"""What the areas under decision curves say of each recipe, in sentences and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.decision import RANGE
from ablation.core.text import MINUS, NONE, out_of, p_phrase, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.experiment.experiment import Experiment
from ablation.report.sections.decision_curves.compute import Decisions, RecipeAreas
from ablation.report.text import MOST_NAMED, among, bounds

PER = 1000
"""Images, of which net true positives are shown."""

UNIT = f"net true positives per {PER:,} images"


def number(x: float, sign: bool = False) -> str:
    """Net true positives per image as they are shown: per 1,000 images; a dash for nan."""
    if math.isnan(x):
        return NONE
    text = f"{abs(PER * x):.2f}"
    return text if not float(text) else f"{MINUS if x < 0 else '+' if sign else ''}{text}"


def span(low: float, high: float, sign: bool = True) -> str:
    """'+1.20 to +3.40'; a dash where there is none."""
    return NONE if math.isnan(low) or math.isnan(high) else f"{number(low, sign)} to {number(high, sign)}"


def answer(decisions: Decisions) -> tuple[str, ...]:
    """A sentence a recipe, that with the largest area first; the shown ones alone where they are many."""
    alpha, recipes = decisions.experiment.alpha, decisions.recipes
    largest = decisions.largest
    ordered = sorted(recipes, key=lambda one: one.recipe != largest)
    named = ordered if len(ordered) <= MOST_NAMED else _surest(ordered, alpha)
    rest = [one for one in ordered if one not in named]
    sentences = [sentence(one, decisions) for one in named]
    if differ := [one for one in rest if _shown(one, alpha)]:
        sentences.append(f"{len(differ)} more differ in their area; the table has their numbers.")
    if left := [one.recipe for one in rest if not _shown(one, alpha)]:
        sentences.append(f"Of {among(left, 'other recipe')} it is not shown that the area is larger or smaller.")
    if largest == decisions.experiment.baseline:
        sentences.append(f"{largest}, the baseline, has the largest area in these runs.")
    if decisions.lacking:
        sentences.append(f"Only areas as trained are compared: {decisions.lacking}.")
    return (*sentences, held(decisions))


def held(decisions: Decisions) -> str:
    """What the sentences count and hold for; seeds alone where any of them rests on these."""
    effects = [effect for one in decisions.recipes for effect in (one.raw, one.scaled) if effect and not effect.note]
    areas = f"Areas count {UNIT}, over thresholds from 0 to {RANGE:g}"
    if not effects:
        return f"{areas}."
    alone = not all(effect.over_images for effect in effects)
    return f"{areas}; differences hold {bounds(decisions.experiment, seeds_alone=alone)}."


def sentence(one: RecipeAreas, decisions: Decisions) -> str:
    """'crop has a larger area than none (+3.1, ...), also after temperature scaling (...).'"""
    raw, scaled, experiment = one.raw, one.scaled, decisions.experiment
    if raw.note == OWN_RUNS:
        return f"{one.recipe} is {OWN_RUNS}."
    if raw.note:
        so_far = "" if math.isnan(raw.estimate) else f"so far {number(raw.estimate, sign=True)} of {UNIT}, "
        return f"{one.recipe}: {raw.note}; {so_far}{out_of(raw.seeds, raw.planned, 'seed')}."
    first = one.recipe == decisions.largest
    return f"{one.recipe} {_verdict(raw, scaled, experiment, first)}."


def _verdict(raw: MeasureEffect, scaled: MeasureEffect | None, experiment: Experiment, first: bool) -> str:
    alpha, baseline = experiment.alpha, experiment.baseline
    largest = "has the largest area under the decision curve in these runs, and " if first else ""
    before = f"({numbers(raw, experiment)})"
    after = f"({numbers(scaled, experiment)})" if scaled else ""
    scaled_shown = scaled is not None and scaled.shown(alpha)
    if not raw.shown(alpha):
        if scaled is None:
            return f"{largest}is not shown to have another area under the decision curve than {baseline} {before}"
        if scaled_shown:
            verb = _compared(scaled, baseline)
            return f"{largest}{verb}, but only after temperature scaling {after}; as trained that is not shown {before}"
        what = "is not shown to have another area under the decision curve than"
        return f"{largest}{what} {baseline} {before}, nor after temperature scaling {after}"
    verb = f"{largest}{_compared(raw, baseline, first)} {before}"
    if scaled is None:
        return verb
    if scaled.note:
        return f"{verb}; after temperature scaling: {scaled.note}"
    if not scaled_shown:
        what = "after temperature scaling none is shown"
        return (
            f"{verb}, but only before temperature scaling: {what} {after}, so that it may be one of calibration alone"
        )
    if (raw.estimate > 0) != (scaled.estimate > 0):
        return (
            f"{verb}, but a {_size(scaled)} one after temperature scaling {after}: the difference is one of calibration"
        )
    return f"{verb}, also after temperature scaling {after}"


def _compared(effect: MeasureEffect, baseline: str, first: bool = False) -> str:
    """'has a larger area under the decision curve than none'; first: 'it is larger than that of none'."""
    if first:
        return f"it is {_size(effect)} than that of {baseline}"
    return f"has a {_size(effect)} area under the decision curve than {baseline}"


def _size(effect: MeasureEffect) -> str:
    return "larger" if effect.estimate > 0 else "smaller"


def numbers(effect: MeasureEffect, experiment: Experiment) -> str:
    """'+3.12, 95 % interval +1.20 to +5.04; Holm p = .004'; the reason where nothing is claimed."""
    if math.isnan(effect.estimate):
        return effect.note
    interval = f"{percent(1 - experiment.alpha)} interval {span(effect.low, effect.high)}"
    p = effect.note or f"Holm {p_phrase(effect.p_adjusted, experiment.alpha)}"
    return f"{number(effect.estimate, sign=True)}, {interval}; {p}"


def verdict(effect: MeasureEffect, alpha: float) -> str:
    """As in the table: better is the larger area."""
    if effect.note:
        return "no verdict"
    return "undecided" if not effect.shown(alpha) else "better" if effect.estimate > 0 else "worse"


def _shown(one: RecipeAreas, alpha: float) -> bool:
    return one.raw.shown(alpha) or (one.scaled is not None and one.scaled.shown(alpha))


def _surest(recipes: Sequence[RecipeAreas], alpha: float) -> list[RecipeAreas]:
    """At most `MOST_NAMED` of those whose difference is shown, the surest first, then in the order given."""

    def p(one: RecipeAreas) -> float:
        return min(x.p_adjusted for x in (one.raw, one.scaled) if x is not None and x.shown(alpha))

    chosen = sorted((one for one in recipes if _shown(one, alpha)), key=p)[:MOST_NAMED]
    return [one for one in recipes if one in chosen]
