"""Whom an augmentation helps and whom it harms, as a section: sentences, a heat map, photographs that flip, tables."""

from __future__ import annotations

import math

import numpy as np

from ablation.core.text import counted, named
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.report.section import Figure, Section
from ablation.report.sections.class_harm.compute import ClassHarm, RecipeClasses, class_harm_of
from ablation.report.sections.class_harm.figure import HarmInfo, draw_harm
from ablation.report.sections.class_harm.strips import flip_strips
from ablation.report.sections.class_harm.tables import tables
from ablation.report.sections.class_harm.text import POINTS, answer, cautions, class_name, headline
from ablation.report.text import SYMBOL, size

MOST_CLASSES, MOST_RECIPES = 30, 12
"""Of the heat map."""


def class_harm(study: Study) -> Section | None:
    """None without a finished run of a recipe beside the baseline, or where the data have one class."""
    harm = class_harm_of(study)
    if harm is None or len(harm.classes) < 2:
        return None
    strips, lacking = flip_strips(study, harm)
    drawn = [figure(harm)] if harm.judged and any(own.by_change() for own in harm.recipes) else []
    return Section(
        "class_harm",
        "Whom does it help, and whom does it harm?",
        "Recall is the share of the test images of a class that are classified correctly"
        f"{', here sensitivity and specificity' * (len(harm.classes) == 2)}. Each recipe is compared with "
        f"{named(harm.experiment.baseline)}, class by class.",
        answer(harm),
        (*drawn, *([strips] if strips else [])),
        tables(harm),
        (*cautions(harm), *lacking),
        headline(harm),
    )


def most_changed(harm: ClassHarm) -> tuple[list[int], list[RecipeClasses]]:
    """The classes and recipes of the heat map, in order: where they are many, those with the largest changes."""
    known = [own for own in harm.recipes if own.by_change()]
    reach = {own.recipe: max(abs(one.estimate) for one in _known(own)) for own in known}
    recipes = sorted(known, key=lambda own: -reach[own.recipe])[:MOST_RECIPES]

    def change(label: int) -> float:
        return max((abs(x) for own in known if not math.isnan(x := own.effects[label].estimate)), default=0.0)

    classes = sorted(harm.judged, key=lambda label: -change(label))[:MOST_CLASSES]
    return sorted(classes), [own for own in known if own in recipes]


def _known(own: RecipeClasses) -> list[MeasureEffect]:
    return [one for one in own.effects.values() if not math.isnan(one.estimate)]


def figure(harm: ClassHarm) -> Figure:
    """The heat map of the classes and recipes with the largest changes."""
    labels, recipes = most_changed(harm)
    alpha = harm.experiment.alpha
    effects = [[own.effects[label] for own in recipes] for label in labels]
    before = [[one.baseline_mean for one in row if not math.isnan(one.baseline_mean)] for row in effects]
    info = HarmInfo(
        tuple(harm.classes[label] for label in labels),
        tuple(own.recipe for own in recipes),
        harm.experiment.baseline,
        tuple(int(harm.images[label]) for label in labels),
        100 * np.array([one[0] if one else math.nan for one in before]),
        100 * np.array([[one.estimate for one in row] for row in effects]).reshape(len(labels), len(recipes)),
        np.array([[one.shown(alpha) for one in row] for row in effects], bool).reshape(len(labels), len(recipes)),
    )
    baseline = named(harm.experiment.baseline)
    text = (
        f"{_largest(harm)} Each cell is a change of recall against {baseline}, in points: red is a loss, blue a gain. "
        f"{SYMBOL['worse']} and {SYMBOL['better']} mark what is shown after Holm's correction over "
        f"{counted(harm.family, 'comparison')}; any other number may be luck. Beside the names: test images of the "
        f"class, and its recall with {baseline}."
    )
    drawn_of = (len(labels), len(harm.judged), "classes"), (len(recipes), len(harm.recipes), "recipes")
    for drawn, every, what in drawn_of:
        if drawn < every:
            text += f" Drawn are {drawn} of {every:,} {what}, those with the largest changes."
    alt = (
        f"Heat map of the change of recall, a line for each of {counted(len(labels), 'class', 'classes')} and a column "
        f"for each of {counted(len(recipes), 'recipe')}"
    )
    return Figure(info, draw_harm, alt, text)


def _largest(harm: ClassHarm) -> str:
    """'The largest change is +6.2 points, of class “tabby” with “crop”; 3 of 40 changes are shown.'"""
    alpha, known = harm.experiment.alpha, [(own, label) for own in harm.recipes for label in own.by_change()]
    own, label = max(known, key=lambda one: abs(one[0].effects[one[1]].estimate))
    shown = sum(own.effects[label].shown(alpha) for own, label in known)
    of = f"{shown or 'none'} of {counted(len(known), 'change')} {'is' if shown <= 1 else 'are'} shown"
    change = size(own.effects[label].estimate, POINTS, sign=True)
    return f"The largest change is {change}, of class {class_name(harm, label)} with {named(own.recipe)}; {of}."
