"""What the recall of the classes says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.metrics import METRICS
from ablation.core.text import counted, listing, named, percent
from ablation.evidence.measures import MeasureEffect
from ablation.report.openings import nobody, not_judged
from ablation.report.sections.class_harm.compute import MIN_IMAGES, ClassHarm, RecipeClasses
from ablation.report.style import shortened
from ablation.report.text import MOST_NAMED, among, bounds, chance, interval, signed, size, verdict_text

POINTS = "accuracy"
"""The metric in whose unit, points, a recall is shown."""

LONGEST = 40
"""Characters of a class's name in a sentence."""

MOST_SHOWN = 0.95
"""A change of recall that would have to be larger to be shown could not be: there is hardly one."""


def class_name(harm: ClassHarm, label: int) -> str:
    """A class, marked as a name."""
    return named(shortened(harm.classes[label], LONGEST), recipe=False)


def headline(harm: ClassHarm) -> tuple[str, ...]:
    """The worst class with a shown harm, in a few sentences; () without one."""
    worst = harm.worst
    if worst is None:
        return ()
    own, label = worst
    every = sum(len(one.shown(harm.experiment.alpha, harm=True)) for one in harm.recipes)
    others = f" It is the largest of {every} losses of a class that are shown." if every > 1 else ""
    loss = f"{named(own.recipe)} harms class {class_name(harm, label)}: {_change(harm, own.effects[label])}."
    return (f"{loss}{others}{_on_average(own)} {_holds(harm, [own])}",)


def answer(harm: ClassHarm) -> tuple[str, ...]:
    """What is found, in a sentence; then one a recipe, those that harm first; of many, those that do."""
    if not harm.judged:
        return (f"No class has {MIN_IMAGES} test images or more in every run, so that no recall is compared.",)
    alpha = harm.experiment.alpha
    judged = [own for own in harm.recipes if not own.note]
    ordered = sorted(judged, key=lambda own: (not own.shown(alpha, harm=True), not own.shown(alpha, harm=False)))
    shown = [own for own in ordered if own.shown(alpha, harm=True) or own.shown(alpha, harm=False)]
    sentences = [sentence(harm, own) for own in (ordered if len(judged) <= MOST_NAMED else shown[:MOST_NAMED])]
    if len(judged) > MOST_NAMED:
        sentences += _left(judged, shown)
    first, unjudged = _opening(harm, judged), _unjudged(harm)
    held = [f"{_corrected(harm)} {_holds(harm, judged)}"] if judged else []
    return (first, *sentences, *(text for text in unjudged if judged or len(unjudged) > 1), *held)


def _opening(harm: ClassHarm, judged: Sequence[RecipeClasses]) -> str:
    """'“crop” harms class “tabby”: recall falls by 6.2 points.'"""
    if not judged:
        return not_judged({own.recipe: own.note for own in harm.recipes})
    alpha, classes = harm.experiment.alpha, counted(len(harm.judged), "class", "classes")
    if harm.worst:
        own, label = harm.worst
        losses = sum(len(one.shown(alpha, harm=True)) for one in judged)
        most = f", the largest of {losses} losses that are shown" if losses > 1 else ""
        return f"{named(own.recipe)} harms class {class_name(harm, label)}{most}: {_moves(own.effects[label])}."
    helped = [(own, label) for own in judged for label in own.shown(alpha, harm=False)[:1]]
    if helped:
        own, label = max(helped, key=lambda pair: pair[0].effects[pair[1]].estimate)
        gain = f"{named(own.recipe)} helps class {class_name(harm, label)}: {_moves(own.effects[label])}"
        return f"{nobody(_names(judged))} harm any of {classes}; {gain}."
    return f"{nobody(_names(judged))} harm or help any of {classes}{_needed(harm)}."


def _names(recipes: Sequence[RecipeClasses]) -> list[str]:
    return [own.recipe for own in recipes]


def _needed(harm: ClassHarm) -> str:
    """How large a change had to be to be shown; '' where nothing is known of that."""
    if not harm.half_widths:
        return ""
    usual = float(np.median(list(harm.half_widths.values())))
    if usual < MOST_SHOWN:
        return f": a change of recall had to be about {size(usual, POINTS)} to be shown"
    return f": with {counted(harm.family, 'comparison')} none could be shown in most classes"


def _left(judged: Sequence[RecipeClasses], shown: Sequence[RecipeClasses]) -> list[str]:
    """The recipes that have no sentence of their own, counted."""
    more, none = len(shown) - MOST_NAMED, len(judged) - len(shown)
    texts = [f"{counted(more, 'more recipe')} changed the recall of a class: see the table."] if more > 0 else []
    return texts + ([f"Of {counted(none, 'other recipe')} no change of a class is shown."] if none and shown else [])


def _unjudged(harm: ClassHarm) -> list[str]:
    """The recipes of which nothing is claimed, by the reason."""
    notes: dict[str, list[str]] = {}
    for own in harm.recipes:
        if own.note:
            notes.setdefault(own.note, []).append(own.recipe)
    return [f"{among(names, 'recipe')}: {note}." for note, names in notes.items()]


def sentence(harm: ClassHarm, own: RecipeClasses) -> str:
    """'“crop” harms class “tabby”: recall falls by 6.2 points, ...'; '“crop” is not shown to harm any of 10 ...'"""
    alpha = harm.experiment.alpha
    harmed, helped = own.shown(alpha, harm=True), own.shown(alpha, harm=False)
    none = f"is not shown to harm any of {counted(len(harm.judged), 'class', 'classes')}: {_lowest(harm, own)}"
    recipe = named(own.recipe)
    if harmed:
        texts = [f"{recipe} {_largest(harm, own, 'harms', harmed)}."]
        if other := own.more_often(harmed[0]):
            by = f"{signed(other[1], POINTS)} points"
            texts.append(f"Its images are more often taken for {class_name(harm, other[0])} ({by}).")
        texts += [f"{recipe} {_largest(harm, own, 'helps', helped)}."] if helped else []
        return " ".join(texts) + _on_average(own)
    text = f"{recipe} {_largest(harm, own, 'helps', helped)}. It {none}." if helped else f"{recipe} {none}."
    return text + (_on_average(own) if own.average and own.average.verdict == "worse" else "")


def _largest(harm: ClassHarm, own: RecipeClasses, verb: str, labels: Sequence[int]) -> str:
    """'harms 2 of 10 classes, most “siamese”: recall falls by 6.2 points ...'"""
    which = f"class {class_name(harm, labels[0])}"
    if len(labels) > 1:
        which = f"{len(labels)} of {len(harm.judged)} classes, most {class_name(harm, labels[0])}"
    return f"{verb} {which}: {_change(harm, own.effects[labels[0]])}"


def _moves(effect: MeasureEffect) -> str:
    """'recall falls by 6.2 points'"""
    return f"recall {'falls' if effect.estimate < 0 else 'rises'} by {size(abs(effect.estimate), POINTS)}"


def _change(harm: ClassHarm, effect: MeasureEffect) -> str:
    """'recall falls by 6.2 points, from 84.1 to 77.9 % (95 % interval 2.3 to 10.1; Holm p = .004)'."""
    low, high = (-effect.high, -effect.low) if effect.estimate < 0 else (effect.low, effect.high)
    ends = f"from {100 * effect.baseline_mean:.1f} to {100 * effect.mean:.1f} %"
    span = f"{percent(1 - harm.experiment.alpha)} interval {interval(low, high, POINTS, sign=False)}"
    return f"{_moves(effect)}, {ends} ({span}; {chance(effect.p_adjusted, harm.experiment)})"


def _lowest(harm: ClassHarm, own: RecipeClasses) -> str:
    """'the largest loss is 2.0 points of recall, of class “8” (...)', of what is not shown to be one."""
    label = own.by_change()[0]
    effect, name = own.effects[label], class_name(harm, label)
    span = f"{percent(1 - harm.experiment.alpha)} interval {interval(effect.low, effect.high, POINTS)}"
    numbers = f"{span}; {chance(effect.p_adjusted, harm.experiment)}"
    if effect.estimate < 0:
        return f"the largest loss is {size(-effect.estimate, POINTS)} of recall, of class {name} ({numbers})"
    return f"the smallest difference is {size(effect.estimate, POINTS, sign=True)}, of class {name} ({numbers})"


def _on_average(own: RecipeClasses) -> str:
    """What `compare` says of the recipe: ' On average it is better (+2.4 points of accuracy).'"""
    one = own.average
    if one is None or math.isnan(one.estimate):
        return ""
    verdict = verdict_text(one)
    what = f"it is {verdict}" if verdict in ("better", "worse") else "it is not shown to be better or worse"
    return f" On average {what} ({size(one.estimate, one.metric, sign=True)} of {METRICS[one.metric].title})."


def _corrected(harm: ClassHarm) -> str:
    of = f"{counted(len(harm.recipes), 'recipe')}, {counted(len(harm.judged), 'class', 'classes')}"
    return f"Holm's correction is over {counted(harm.family, 'comparison')} ({of})."


def _holds(harm: ClassHarm, recipes: Sequence[RecipeClasses]) -> str:
    """What claims of these recipes hold for; seeds alone where any of them rests on these."""
    over_images = all(effect.over_images for own in recipes for effect in own.effects.values())
    return f"This holds {bounds(harm.experiment, seeds_alone=not over_images)}."


def cautions(harm: ClassHarm) -> tuple[str, ...]:
    """How large a loss had to be, classes that are not compared, and what a recall leaves out."""
    texts = []
    if widths := harm.half_widths:
        usual, worst = float(np.median(list(widths.values()))), max(widths, key=widths.__getitem__)
        fewest = min(harm.judged, key=lambda label: int(harm.images[label]))
        at = (
            f" (median over classes; {size(widths[worst], POINTS)} in class {class_name(harm, worst)})"
            if len(widths) > 1
            else ""
        )
        had = f"a change of recall had to be about {size(usual, POINTS)} to be shown{at}"
        alike = len({int(harm.images[label]) for label in harm.judged}) == 1
        of = "each class" if alike else f"the smallest class, {class_name(harm, fewest)},"
        texts.append(
            f"What is not shown is not absent: with {_images(harm, fewest)} of {of} and "
            f"{counted(harm.family, 'comparison')}, "
            f"{had if usual < MOST_SHOWN else 'no change of recall could be shown in most classes'}."
        )
    few = [label for label in range(len(harm.classes)) if label not in set(harm.judged)]
    if few and harm.judged:
        names = listing([class_name(harm, label) for label in few]) if len(few) <= MOST_NAMED else f"{len(few)} classes"
        texts.append(f"Not compared, with fewer than {MIN_IMAGES} test images in some run: {names}.")
    texts.append(
        "A class can gain recall because more of everything is taken for it, at the cost of its neighbours: what a "
        "recipe does on average is said by the comparison of all test images."
    )
    return tuple(texts)


def _images(harm: ClassHarm, label: int) -> str:
    return counted(int(harm.images[label]), "test image")
