"""What the areas under decision curves say of each recipe, in sentences and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.analysis.decision import RANGE
from ablation.core.text import MINUS, NONE, named, out_of, p_phrase, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.experiment.experiment import Experiment
from ablation.report.openings import nobody, not_judged, up_to, who, whose
from ablation.report.sections.decision_curves.compute import Decisions, RecipeAreas
from ablation.report.text import MOST_NAMED, among, bounds

PER = 1000
"""Images, of which net true positives are shown."""

UNIT = f"net true positives per {PER:,} images"
AREA = "area under the decision curve"


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
    """What is found, in a sentence; then one a recipe, where they are many of those whose difference is shown."""
    alpha, recipes = decisions.experiment.alpha, decisions.recipes
    largest = decisions.largest
    ordered = sorted(recipes, key=lambda one: one.recipe != largest)
    chosen = ordered if len(ordered) <= MOST_NAMED else _surest(ordered, alpha)
    rest = [one for one in ordered if one not in chosen]
    sentences = [sentence(one, decisions) for one in chosen]
    if differ := [one for one in rest if shown(one, alpha)]:
        sentences.append(f"{len(differ)} more differ in their area; the table has their numbers.")
    if left := [one.recipe for one in rest if not shown(one, alpha)]:
        sentences.append(f"Of {among(left, 'other recipe')} it is not shown that the area is larger or smaller.")
    if largest:
        sentences.append(f"The largest area in these runs is that of {named(largest)}; which is largest is not tested.")
    if decisions.lacking:
        sentences.append(f"Only areas as trained are compared: {decisions.lacking}.")
    return (_opening(decisions), *sentences, held(decisions))


def held(decisions: Decisions) -> str:
    """What the sentences count and hold for; seeds alone where any of them rests on these."""
    effects = [effect for one in decisions.recipes for effect in (one.raw, one.scaled) if effect and not effect.note]
    areas = f"Areas count {UNIT}, over thresholds from 0 to {RANGE:g}."
    if not effects:
        return areas
    alone = not all(effect.over_images for effect in effects)
    return f"{areas} Differences hold {bounds(decisions.experiment, seeds_alone=alone)}."


def _opening(decisions: Decisions) -> str:
    """'“crop” has a larger area under the decision curve than “none”, by 3.12 net true positives per 1,000 images.'"""
    recipes, alpha = decisions.recipes, decisions.experiment.alpha
    judged = [one for one in recipes if not one.raw.note]
    if not judged:
        return not_judged({one.recipe: one.raw.note for one in recipes})
    found = [(one, one.raw) for one in judged if one.raw.shown(alpha)]
    later = "" if found else ", but only after temperature scaling"
    found = found or [(one, one.scaled) for one in judged if one.scaled is not None and one.scaled.shown(alpha)]
    if not found:
        return f"{nobody(_names(judged))} change the {AREA}{_farthest(judged)}."
    found.sort(key=lambda pair: -abs(pair[1].estimate))
    larger, smaller = ([one for one, effect in found if (effect.estimate > 0) == sign] for sign in (True, False))
    first, size = (larger, "larger") if larger else (smaller, "smaller")
    by = next(abs(effect.estimate) for one, effect in found if one is first[0])
    has = f"{whose(_names(first), len(recipes), 'has', 'have')} a {size} {AREA}"
    text = f"{has} than {named(decisions.experiment.baseline)}, by {up_to(_names(first), number(by))} {UNIT}{later}"
    if not later:
        text += _before_scaling(first, alpha, len(recipes))
    if larger and smaller:
        text += f"; {whose(_names(smaller), len(recipes), 'has', 'have')} a smaller one"
    return f"{text}."


def _before_scaling(recipes: Sequence[RecipeAreas], alpha: float, every: int) -> str:
    """Of which of these the difference may be one of calibration."""
    alone = [one for one in recipes if one.scaled and not one.scaled.note and not _lasts(one.raw, one.scaled, alpha)]
    if not alone:
        return ""
    which = "" if len(alone) == len(recipes) else f" of {who(_names(alone), every)}"
    return f", but{which} only before temperature scaling"


def _lasts(raw: MeasureEffect, scaled: MeasureEffect, alpha: float) -> bool:
    return scaled.shown(alpha) and (raw.estimate > 0) == (scaled.estimate > 0)


def _names(recipes: Sequence[RecipeAreas]) -> list[str]:
    return [one.recipe for one in recipes]


def _farthest(judged: Sequence[RecipeAreas]) -> str:
    """The largest difference as trained, none of which is shown, and why it is not."""
    effect = max((one.raw for one in judged), key=lambda effect: abs(effect.estimate))
    within = ", and its interval includes 0" if effect.low <= 0 <= effect.high else ""
    which = "largest difference" if len(judged) > 1 else "difference"
    return f": the {which} is {number(effect.estimate, sign=True)} {UNIT}{within}"


def sentence(one: RecipeAreas, decisions: Decisions) -> str:
    """'“crop” has a larger area than “none” (+3.1, ...), also after temperature scaling (...).'"""
    raw, scaled, experiment = one.raw, one.scaled, decisions.experiment
    if raw.note == OWN_RUNS:
        return f"{named(one.recipe)} is {OWN_RUNS}."
    if raw.note:
        so_far = "" if math.isnan(raw.estimate) else f"so far {number(raw.estimate, sign=True)} {UNIT}, "
        return f"{named(one.recipe)}: {raw.note}; {so_far}{out_of(raw.seeds, raw.planned, 'seed')}."
    said = _compared(raw, scaled, experiment) if raw.shown(experiment.alpha) else _open(raw, scaled, experiment)
    return f"{named(one.recipe)} {said}."


def _open(raw: MeasureEffect, scaled: MeasureEffect | None, experiment: Experiment) -> str:
    """Of a recipe whose area as trained is not shown to differ."""
    before = f"({numbers(raw, experiment)})"
    if scaled is None:
        return f"is not shown to change the area {before}"
    after = f"({numbers(scaled, experiment)})"
    if scaled.shown(experiment.alpha):
        area = f"has a {_size(scaled)} area than {named(experiment.baseline)}"
        return f"{area}, but only after temperature scaling {after}. As trained that is not shown {before}"
    return f"is not shown to change the area {before}, nor after temperature scaling {after}"


def _compared(raw: MeasureEffect, scaled: MeasureEffect | None, experiment: Experiment) -> str:
    """Of a recipe whose area as trained is shown to differ: what is left of that after temperature scaling."""
    verb = f"has a {_size(raw)} area than {named(experiment.baseline)} ({numbers(raw, experiment)})"
    if scaled is None:
        return verb
    if scaled.note:
        return f"{verb}. After temperature scaling: {scaled.note}"
    after = f"({numbers(scaled, experiment)})"
    if not scaled.shown(experiment.alpha):
        left = f"After it no difference is shown {after}, so that it may be one of calibration alone"
        return f"{verb}, but only before temperature scaling. {left}"
    if not _lasts(raw, scaled, experiment.alpha):
        other = f"a {_size(scaled)} one after temperature scaling {after}"
        return f"{verb}, but {other}: the difference is one of calibration"
    return f"{verb}, also after temperature scaling {after}"


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


def shown(one: RecipeAreas, alpha: float) -> bool:
    """Is a difference shown, as trained or temperature-scaled?"""
    return one.raw.shown(alpha) or (one.scaled is not None and one.scaled.shown(alpha))


def _surest(recipes: Sequence[RecipeAreas], alpha: float) -> list[RecipeAreas]:
    """At most `MOST_NAMED` of those whose difference is shown, the surest first, then in the order given."""

    def p(one: RecipeAreas) -> float:
        return min(x.p_adjusted for x in (one.raw, one.scaled) if x is not None and x.shown(alpha))

    chosen = sorted((one for one in recipes if shown(one, alpha)), key=p)[:MOST_NAMED]
    return [one for one in recipes if one in chosen]
