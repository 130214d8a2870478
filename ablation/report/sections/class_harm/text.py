"""What the recall of the classes says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, listing, percent
from ablation.evidence.measures import MeasureEffect
from ablation.report.sections.class_harm.compute import MIN_IMAGES, ClassHarm, RecipeClasses
from ablation.report.style import shortened
from ablation.report.text import MOST_NAMED, among, bounds, chance, interval, signed, size, verdict_text

POINTS = "accuracy"
"""The metric in whose unit, points, a recall is shown."""

LONGEST = 40
"""Characters of a class's name in a sentence."""


def named(harm: ClassHarm, label: int) -> str:
    """A class by its name, in quotation marks."""
    return f"“{shortened(harm.classes[label], LONGEST)}”"


def headline(harm: ClassHarm) -> tuple[str, ...]:
    """The worst class with a shown harm, in a sentence; () without one."""
    worst = harm.worst
    if worst is None:
        return ()
    own, label = worst
    every = sum(len(one.shown(harm.experiment.alpha, harm=True)) for one in harm.recipes)
    others = f", the largest of {every} losses of a class that are shown" if every > 1 else ""
    loss = f"{own.recipe} harms class {named(harm, label)}: {_change(harm, own.effects[label])}"
    return (f"{loss}{others}{_on_average(harm, own)}, {_holds(harm, own.effects[label])}.",)


def answer(harm: ClassHarm) -> tuple[str, ...]:
    """A sentence a recipe, those that harm first; where they are many, those of which something is shown."""
    if not harm.judged:
        return (
            f"No class has {MIN_IMAGES} test images or more in every run, so that no recall is compared "
            f"({counted(len(harm.classes), 'class', 'classes')}).",
        )
    alpha = harm.experiment.alpha
    judged = [own for own in harm.recipes if not own.note]
    ordered = sorted(judged, key=lambda own: (not own.shown(alpha, harm=True), not own.shown(alpha, harm=False)))
    shown = [own for own in ordered if own.shown(alpha, harm=True) or own.shown(alpha, harm=False)]
    sentences = [sentence(harm, own) for own in (ordered if len(judged) <= MOST_NAMED else shown[:MOST_NAMED])]
    if not harm.worst and len(judged) > 1:
        which = f"No recipe is shown to harm {_any_class(harm)}, {_holds(harm, _first(judged[0]))}."
        sentences.insert(0, which)
    if len(judged) > MOST_NAMED:
        sentences += _left(judged, shown)
    return (*sentences, *_unjudged(harm))


def _left(judged: Sequence[RecipeClasses], shown: Sequence[RecipeClasses]) -> list[str]:
    """The recipes that have no sentence of their own, counted."""
    more, none = len(shown) - MOST_NAMED, len(judged) - len(shown)
    texts = [f"{counted(more, 'more recipe')} changed the recall of a class: see the table."] if more > 0 else []
    other = counted(none, "other recipe" if shown else "recipe")
    return texts + ([f"Of {other} no change of a class is shown."] if none else [])


def _unjudged(harm: ClassHarm) -> list[str]:
    """The recipes of which nothing is claimed, by the reason."""
    notes: dict[str, list[str]] = {}
    for own in harm.recipes:
        if own.note:
            notes.setdefault(own.note, []).append(own.recipe)
    return [f"{among(names, 'recipe')}: {note}." for note, names in notes.items()]


def sentence(harm: ClassHarm, own: RecipeClasses) -> str:
    """'crop harms class “siamese”: recall falls by 6.2 points, ...'; 'crop is not shown to harm any of 10 classes'."""
    alpha = harm.experiment.alpha
    harmed, helped = own.shown(alpha, harm=True), own.shown(alpha, harm=False)
    text = f"{own.recipe} {_largest(harm, own, 'harms', harmed)}" if harmed else ""
    if harmed and (other := own.more_often(harmed[0])):
        text += f"; its images are more often taken for {named(harm, other[0])} ({signed(other[1], POINTS)} points)"
    if harmed:
        text += _on_average(harm, own)
    if helped:
        text += f"; it {_largest(harm, own, 'helps', helped)}" if harmed else f"{own.recipe} "
        text += "" if harmed else _largest(harm, own, "helps", helped)
    if not harmed:
        text = f"{text}; it is not shown to harm any" if helped else f"{own.recipe} is not shown to harm any"
        text += f" of {counted(len(harm.judged), 'class', 'classes')}: {_lowest(harm, own)}"
        text += _on_average(harm, own) if own.average and own.average.verdict == "worse" else ""
    return f"{text}, {_holds(harm, _first(own))}." if harmed or helped else f"{text}."


def _largest(harm: ClassHarm, own: RecipeClasses, verb: str, labels: Sequence[int]) -> str:
    """'harms 2 of 10 classes, most “siamese”: recall falls by 6.2 points ...'"""
    which = f"class {named(harm, labels[0])}"
    if len(labels) > 1:
        which = f"{len(labels)} of {len(harm.judged)} classes, most {named(harm, labels[0])}"
    return f"{verb} {which}: {_change(harm, own.effects[labels[0]])}"


def _change(harm: ClassHarm, effect: MeasureEffect) -> str:
    """'recall falls by 6.2 points, from 84.1 to 77.9 % (95 % interval 2.3 to 10.1; Holm p = .004)'."""
    down = effect.estimate < 0
    low, high = (-effect.high, -effect.low) if down else (effect.low, effect.high)
    by = f"recall {'falls' if down else 'rises'} by {size(abs(effect.estimate), POINTS)}"
    ends = f"from {100 * effect.baseline_mean:.1f} to {100 * effect.mean:.1f} %"
    span = f"{percent(1 - harm.experiment.alpha)} interval {interval(low, high, POINTS, sign=False)}"
    return f"{by}, {ends} ({span}; {chance(effect.p_adjusted, harm.experiment)})"


def _lowest(harm: ClassHarm, own: RecipeClasses) -> str:
    """'the largest loss is 2.0 points in “8” (...)', of what is not shown to be one."""
    label = own.by_change()[0]
    effect = own.effects[label]
    span = f"{percent(1 - harm.experiment.alpha)} interval {interval(effect.low, effect.high, POINTS)}"
    numbers = f"{span}; {chance(effect.p_adjusted, harm.experiment)}"
    if effect.estimate < 0:
        return f"the largest loss is {size(-effect.estimate, POINTS)} of recall in {named(harm, label)} ({numbers})"
    return f"the smallest difference is {size(effect.estimate, POINTS, sign=True)} in {named(harm, label)} ({numbers})"


def _on_average(harm: ClassHarm, own: RecipeClasses) -> str:
    """What `compare` says of the recipe: ', though on average it is better in accuracy (+2.4 points)'."""
    one = own.average
    if one is None or math.isnan(one.estimate):
        return ""
    verdict = verdict_text(one)
    numbers = f"{size(one.estimate, one.metric, sign=True)} of {METRICS[one.metric].title}"
    if verdict == "better":
        return f", though it is better on average ({numbers})"
    if verdict == "worse":
        return f", and it is worse on average ({numbers})"
    return f"; on average it is not shown to be better or worse ({numbers})"


def _any_class(harm: ClassHarm) -> str:
    what = f"any of {counted(len(harm.judged), 'class', 'classes')}"
    return f"{what} ({counted(len(harm.recipes), 'recipe')}, Holm's correction over {harm.family} comparisons)"


def _first(own: RecipeClasses) -> MeasureEffect:
    """Any effect of a recipe: all are judged in the same way."""
    return next(iter(own.effects.values()))


def _holds(harm: ClassHarm, effect: MeasureEffect) -> str:
    return bounds(harm.experiment, seeds_alone=not effect.over_images)


def cautions(harm: ClassHarm) -> tuple[str, ...]:
    """How large a loss had to be, classes that are not compared, and what a recall leaves out."""
    texts = []
    if widths := harm.half_widths:
        usual, worst = float(np.median(list(widths.values()))), max(widths, key=widths.__getitem__)
        fewest = min(harm.judged, key=lambda label: int(harm.images[label]))
        at = f" (median over classes; {size(widths[worst], POINTS)} in {named(harm, worst)})" if len(widths) > 1 else ""
        had = f"a change of recall had to be about {size(usual, POINTS)} to be shown{at}"
        texts.append(
            f"What is not shown is not absent: with {_images(harm, fewest)} of the smallest class, "
            f"{named(harm, fewest)}, and {counted(harm.family, 'comparison')}, "
            f"{had if usual < 0.95 else 'no change of recall could be shown in most classes'}."
        )
    few = [label for label in range(len(harm.classes)) if label not in set(harm.judged)]
    if few and harm.judged:
        names = listing([named(harm, label) for label in few]) if len(few) <= MOST_NAMED else f"{len(few)} classes"
        texts.append(f"Not compared, with fewer than {MIN_IMAGES} test images in some run: {names}.")
    texts.append(
        "A class can gain recall because more of everything is taken for it, at the cost of its neighbours: what a "
        "recipe does on average is said by the comparison of all test images."
    )
    return tuple(texts)


def _images(harm: ClassHarm, label: int) -> str:
    return counted(int(harm.images[label]), "test image")
