"""What is said of separation, in sentences: which recipes separate the classes better or worse, by which measures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation.core.text import MINUS, NONE, counted, listing, named, opening, out_of, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.experiment.experiment import Experiment
from ablation.report.openings import nobody, not_judged, up_to, whose
from ablation.report.sections.embedding.compute import KINDS, LOW_TRUST, Kind, MapsInfo, Separation, Separations
from ablation.report.text import MOST_NAMED, among, bounds, chance

MOST_NUMBERS = 2
"""Measures of a sentence with their numbers; the others are named."""


def answer(measured: Separations) -> tuple[str, ...]:
    """What is found, in a sentence; then one a recipe, where they are many of those surest to differ."""
    experiment, rows = measured.experiment, measured.recipes
    if not rows:
        return (f"There is no recipe to compare with {named(experiment.baseline)}.",)
    differ = [row for row in rows if row.differs(experiment.alpha)]
    chosen = list(rows)
    if len(rows) > MOST_NAMED:
        chosen = sorted(differ, key=lambda row: min(effect.p_adjusted for effect in row.effects if effect.p < 1))
        chosen = chosen[:MOST_NAMED]
    sentences = [sentence(row, experiment) for row in chosen]
    if more := [row for row in differ if row not in chosen]:
        sentences.append(f"{len(more)} more recipes differ in a measure; the table has their numbers.")
    if rest := [row.recipe for row in rows if row not in chosen and row not in differ]:
        sentences.append(f"Of {among(rest, 'other recipe')} no difference is shown in any measure.")
    if any(not effect.note for row in rows for effect in row.effects):
        sentences.append(f"All of this holds {bounds(experiment, seeds_alone=True)}.")
    return (finding(measured), *sentences)


def finding(measured: Separations) -> str:
    """'“crop” separates the classes better than “none”, by 2 of 6 measures.'"""
    alpha, baseline = measured.experiment.alpha, named(measured.experiment.baseline)
    if all(effect.note for row in measured.recipes for effect in row.effects):
        return not_judged({row.recipe: row.effects[0].note for row in measured.recipes})
    sides = {row.recipe: (len(row.shown(alpha, True)), len(row.shown(alpha, False))) for row in measured.recipes}
    both = [name for name, (more, less) in sides.items() if more and less]
    clauses = [
        _separate(sides, [name for name in sides if name not in both and sides[name][side]], side, word, baseline)
        for side, word in enumerate(("better", "worse"))
    ]
    if both:
        clauses.append(f"of {among(both, 'recipe')} the measures disagree")
    if said := [clause for clause in clauses if clause]:
        return f"{opening('; '.join(said))}."
    which = [row.recipe for row in measured.recipes if not all(effect.note for effect in row.effects)]
    within = all(
        effect.low <= 0 <= effect.high for row in measured.recipes for effect in row.effects if not effect.note
    )
    why = ": every interval includes 0" * within
    return f"{nobody(which)} separate the classes better or worse than {baseline} by any of {len(KINDS)} measures{why}."


def _separate(sides: dict[str, tuple[int, int]], recipes: Sequence[str], side: int, word: str, baseline: str) -> str:
    """'“crop” separates the classes better than “none”, by 2 of 6 measures'; '' where no recipe does."""
    if not recipes:
        return ""
    by = [sides[name][side] for name in recipes]
    count = f"{max(by)} of {len(KINDS)} measures"
    each = "each by " if len(by) > 1 and len(set(by)) == 1 else "by "
    number = each + (count if len(set(by)) == 1 else up_to(recipes, count))
    return f"{whose(recipes, len(sides), 'separates', 'separate')} the classes {word} than {baseline}, {number}"


def sentence(row: Separation, experiment: Experiment) -> str:
    """'“crop” separates the classes better by 2 of 6 measures: silhouette +0.046 (...), k-NN accuracy ...'"""
    better, worse = (row.shown(experiment.alpha, side) for side in (True, False))
    recipe = named(row.recipe)
    if better and worse:
        return (
            f"{recipe} separates the classes better by {_numbers(better, experiment)}, and worse by "
            f"{_numbers(worse, experiment)}: the measures disagree."
        )
    if shown := better or worse:
        how = f"{'better' if better else 'worse'} by {len(shown)} of {len(KINDS)} measures"
        return f"{recipe} separates the classes {how}: {_numbers(shown, experiment)}."
    first = row.effects[0]
    if first.note == OWN_RUNS:
        return f"{recipe} is {OWN_RUNS}."
    if math.isnan(first.estimate):
        return f"{recipe}: {first.note} ({out_of(first.seeds, first.planned, 'seed')} compared)."
    if all(effect.note for effect in row.effects):
        return f"{recipe}: {first.note}; so far a silhouette of {change(first.estimate, KINDS[0])}."
    what = f"to separate the classes better or worse by any of {len(KINDS)} measures"
    span = f"{percent(1 - experiment.alpha)} interval {between(first, KINDS[0])}"
    numbers = f"{change(first.estimate, KINDS[0])}, {span}; {chance(first.p_adjusted, experiment)}"
    return f"{recipe} is not shown {what} ({KINDS[0].title} {numbers})."


def _numbers(shown: Sequence[tuple[Kind, MeasureEffect]], experiment: Experiment) -> str:
    """'silhouette +0.046 (...), k-NN accuracy +1.2 points (...), also by Fisher ratio'."""
    texts = [f"{_number(kind, effect, experiment)}" for kind, effect in shown[:MOST_NUMBERS]]
    rest = listing(kind.title for kind, _ in shown[MOST_NUMBERS:]) if shown[MOST_NUMBERS:] else ""
    return ", ".join(texts) + (f", also {rest}" if rest else "")


def _number(kind: Kind, effect: MeasureEffect, experiment: Experiment) -> str:
    span = f"{percent(1 - experiment.alpha)} interval {between(effect, kind)}"
    return f"{kind.title} {change(effect.estimate, kind)} ({span}; {chance(effect.p_adjusted, experiment)})"


def value(x: float, kind: Kind, sign: bool = False) -> str:
    """A measure or a difference of it as shown: in percent or points with one decimal, else with three."""
    if math.isnan(x):
        return NONE
    text = f"{abs(100 * x):.1f}" if kind.points else f"{abs(x):.3f}"
    return text if not float(text) else f"{MINUS if x < 0 else '+' if sign else ''}{text}"


def change(x: float, kind: Kind) -> str:
    """A difference with its unit: '+1.2 points', '+0.046'."""
    return value(x, kind, sign=True) + (" points" if kind.points and not math.isnan(x) else "")


def between(effect: MeasureEffect, kind: Kind) -> str:
    """'+0.031 to +0.061'; a dash where there is no interval."""
    if math.isnan(effect.low) or math.isnan(effect.high):
        return NONE
    return f"{value(effect.low, kind, sign=True)} to {value(effect.high, kind, sign=True)}"


def verdict(kind: Kind, effect: MeasureEffect, experiment: Experiment) -> str:
    """Of one measure, as verdicts are named everywhere."""
    if effect.note == OWN_RUNS:
        return "baseline"
    if effect.note:
        return "no verdict"
    if not effect.shown(experiment.alpha):
        return "undecided"
    return "better" if kind.gain(effect.estimate) > 0 else "worse"


def verdict_of(row: Separation, experiment: Experiment) -> str:
    """Of all measures together: 'mixed' where they disagree."""
    each = {verdict(kind, effect, experiment) for kind, effect in zip(KINDS, row.effects, strict=True)}
    if {"better", "worse"} <= each:
        return "mixed"
    return next(name for name in ("better", "worse", "undecided", "no verdict", "baseline") if name in each)


def caution(measured: Separations) -> tuple[str, ...]:
    """Where classes have fewer images than there are neighbours."""
    few, most = measured.smallest_class, measured.neighbours[1]
    if not measured.recipes or 2 * (few - 1) >= most:
        return ()
    return (
        f"The smallest class has {counted(few, 'image')} among those measured: most of {most} neighbours are always of "
        "other classes, so its images count as overlapping under every recipe.",
    )


def remarks(info: MapsInfo) -> tuple[str, ...]:
    """What only the maps themselves can say: which are not to be trusted, and whether photographs are missing."""
    low = [shown for shown in info.maps if shown.trustworthiness < LOW_TRUST]
    said = []
    if low:
        names = among([shown.recipe for shown in low], "recipe")
        least = min(shown.trustworthiness for shown in low)
        said.append(
            f"The {'map' if len(low) == 1 else 'maps'} of {names} cannot be trusted: trustworthiness is below "
            f"{LOW_TRUST} ({least:.2f} at least), so many neighbours there are none in feature space."
        )
    if info.photographs is None:
        said.append("Photographs are not shown: the image cache is gone.")
    return tuple(said)
