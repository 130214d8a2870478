"""Whether the classes are better separated, as a section: sentences, tables, and a t-SNE map a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from ablation.analysis.separability import PERPLEXITY, perplexity_of
from ablation.core.text import MINUS, NONE, counted, listing, out_of, p_text, percent
from ablation.evidence.effects import OWN_RUNS
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.section import Column, Figure, Hover, Rows, Section, Table, cells, headings
from ablation.report.sections.embedding.compute import (
    KINDS,
    LOW_TRUST,
    MOST_MEASURED,
    Kind,
    Mapped,
    MapsInfo,
    Separation,
    Separations,
    mapped,
    maps_of,
    separations,
)
from ablation.report.sections.embedding.figure import MOST_NAMES, draw_maps, spots
from ablation.report.text import MOST_NAMED, SYMBOL, among, bounds, chance

CAUTION = (
    "t-SNE bends distances; the size of a cluster and the gaps between clusters mean little.",
    "Each map is of one run: another seed gives another. The verdicts are of all runs.",
)
MOST_NUMBERS = 2
"""Measures of a sentence with their numbers; the others are named."""


def embedding(study: Study) -> Section | None:
    """None where no run has finished."""
    measured, of = separations(study), mapped(study)
    if measured is None or (not measured.recipes and of is None):
        return None
    baseline = study.experiment.baseline
    tables = (table(measured), details(measured)) if measured.recipes else ()
    return Section(
        "embedding",
        "Are the classes better separated?",
        f"Test images in the space of the features that go into the last layer, beside {baseline}, by "
        f"{NUMBER.get(len(KINDS), str(len(KINDS)))} measures over all runs.",
        answer(measured),
        (figure(study, of),) if of else (),
        tables,
        (*caution(measured), *(CAUTION if of else ())),
    )


NUMBER = {6: "six"}


def answer(measured: Separations) -> tuple[str, ...]:
    """A sentence a recipe; where they are many, of those surest to differ. Then what all of it holds for."""
    if not measured.recipes:
        return ()
    experiment, rows = measured.experiment, measured.recipes
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
    return tuple(sentences)


def sentence(row: Separation, experiment: Experiment) -> str:
    """'crop separates the classes better by 2 of 6 measures: silhouette +0.046 (...), k-NN accuracy ...'"""
    better, worse = (row.shown(experiment.alpha, side) for side in (True, False))
    if better and worse:
        return (
            f"{row.recipe} separates the classes better by {_numbers(better, experiment)}, and worse by "
            f"{_numbers(worse, experiment)}: the measures disagree."
        )
    if shown := better or worse:
        how = f"{'better' if better else 'worse'} by {len(shown)} of {len(KINDS)} measures"
        return f"{row.recipe} separates the classes {how}: {_numbers(shown, experiment)}."
    first = row.effects[0]
    if first.note == OWN_RUNS:
        return f"{row.recipe} is {OWN_RUNS}."
    if math.isnan(first.estimate):
        return f"{row.recipe}: {first.note} ({out_of(first.seeds, first.planned, 'seed')} compared)."
    if all(effect.note for effect in row.effects):
        return f"{row.recipe}: {first.note}; so far a silhouette of {change(first.estimate, KINDS[0])}."
    what = f"to separate the classes better or worse by any of {len(KINDS)} measures"
    span = f"{percent(1 - experiment.alpha)} interval {between(first, KINDS[0])}"
    numbers = f"{change(first.estimate, KINDS[0])}, {span}; {chance(first.p_adjusted, experiment)}"
    return f"{row.recipe} is not shown {what} (silhouette {numbers})."


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
    """As verdicts are named everywhere."""
    if effect.note == OWN_RUNS:
        return "baseline"
    if effect.note:
        return "no verdict"
    if not effect.shown(experiment.alpha):
        return "undecided"
    return "better" if kind.gain(effect.estimate) > 0 else "worse"


def table(measured: Separations) -> Table:
    """A row a recipe: the difference in each measure, with the sign of its verdict where one is shown."""
    experiment = measured.experiment

    def at(index: int) -> Callable[[Separation], str]:
        def cell(row: Separation) -> str:
            kind, effect = KINDS[index], row.effects[index]
            name = verdict(kind, effect, experiment)
            sign = f" {SYMBOL[name]}" if name in ("better", "worse") else ""
            return value(effect.estimate, kind, sign=True) + sign

        return cell

    columns: dict[str, Column] = {"recipe": ("recipe", lambda row: row.recipe)}
    columns |= {kind.field: (_heading(kind), at(index)) for index, kind in enumerate(KINDS)}
    short = {kind.field: kind.short for kind in KINDS}
    return Table.of(columns, measured.recipes, _caption(measured), short=short, keep=("recipe", KINDS[0].field))


def _heading(kind: Kind) -> str:
    return kind.title + " (points)" * kind.points


def _caption(measured: Separations) -> str:
    experiment, k = measured.experiment, _span(measured.neighbours)
    lower = listing(kind.title for kind in KINDS if kind.lower_is_better)
    which = "all" if measured.whole else f"at most {MOST_MEASURED:,}"
    return (
        f"Differences to {experiment.baseline}, means over all seeds and conditions; {SYMBOL['better']} better, "
        f"{SYMBOL['worse']} worse after Holm's correction over all {len(KINDS)} measures of all recipes, judged over "
        f"seeds. Of {lower}, lower is better. Measured on {which} test images of each run, in features of length 1. "
        f"Silhouette: by Euclidean distance. k-NN accuracy: of the majority of the {k} nearest other images by cosine. "
        "Overlap: the share of images with most of these neighbours in other classes. Fisher ratio: scatter between "
        "over within classes. Distance ratio: mean distance between over within classes."
    )


def details(measured: Separations) -> Table:
    """A group a recipe, a row a measure: both means, the difference, its interval and p."""
    experiment = measured.experiment
    columns: dict[str, Column] = {
        "measure": ("measure", lambda item: item[0].title),
        "reference": (experiment.baseline, lambda item: value(item[1].baseline_mean, item[0])),
        "mean": ("recipe's mean", lambda item: value(item[1].mean, item[0])),
        "difference": ("difference", lambda item: value(item[1].estimate, item[0], sign=True)),
        "interval": (f"{percent(1 - experiment.alpha)} interval", lambda item: between(item[1], item[0])),
        "p_holm": ("Holm p", lambda item: p_text(item[1].p_adjusted, experiment.alpha)),
        "verdict": ("verdict", lambda item: verdict(item[0], item[1], experiment)),
    }

    def group(row: Separation) -> Rows:
        made = tuple(
            cells(columns, (kind, effect)) | {"note": effect.note}
            for kind, effect in zip(KINDS, row.effects, strict=True)
        )
        return Rows(made, f"{row.recipe}, {out_of(row.effects[0].seeds, row.effects[0].planned, 'seed')}")

    return Table(
        headings(columns),
        tuple(map(group, measured.recipes)),
        f"Accuracy and overlap in percent, their differences in points. Intervals hold for all {len(KINDS)} measures "
        "of all recipes at once (Bonferroni); Holm's correction is sharper, so a difference can be shown though its "
        "interval reaches 0.",
        keep=("measure", "difference", "verdict"),
        spare=("reference", "mean"),
        folded="Each measure with its interval",
    )


def caution(measured: Separations) -> tuple[str, ...]:
    """Where classes have fewer images than there are neighbours."""
    few, most = measured.smallest_class, measured.neighbours[1]
    if not measured.recipes or 2 * (few - 1) >= most:
        return ()
    return (
        f"The smallest class has {counted(few, 'image')} among those measured: most of {most} neighbours are always of "
        "other classes, so its images count as overlapping under every recipe.",
    )


def _span(ends: tuple[int, int]) -> str:
    return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def figure(study: Study, of: Mapped) -> Figure:
    """The maps, which take seconds, to be computed where they are drawn."""
    return Figure(
        partial(maps_of, study, of),
        draw_maps,
        "t-SNE maps of the test images by recipe",
        _figure_caption(study, of),
        Hover(spots, lambda info: info.photographs),
        remarks,
    )


def _figure_caption(study: Study, of: Mapped) -> str:
    count, present = len(of.labels), len(set(of.labels.tolist()))
    which = f"all {count}" if count == of.images else f"{count} of {of.images}, each class in its share"
    unnamed = f" The {present} classes are too many to be named one by one." if present > MOST_NAMES else ""
    perplexity = perplexity_of(count)
    few = f", the most that {count} images allow" if perplexity < PERPLEXITY else ""
    return (
        f"t-SNE of the same features, of length 1 ({of.choice}; {which}), reduced to 50 principal components where "
        f"they are more; perplexity {perplexity:.3g}{few}. Each network has a map of its own; every panel shows the "
        "same images and starts from the same layout, the first two principal components of the first network's "
        f"features.{unnamed} Trustworthiness says how far neighbours on the map are neighbours in feature space (1 is "
        "best). Point at an image to find it on every map."
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
