"""Whether the classes are better separated, as a section: sentences, tables, and a t-SNE map a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import attrgetter

from ablation.analysis.separability import PERPLEXITY, perplexity_of
from ablation.core.text import NONE, listing, named, out_of, p_text, percent, plain
from ablation.evidence.measures import MeasureEffect
from ablation.evidence.study import Study
from ablation.report.section import Column, Figure, Hover, Rows, Section, Table, cells, headings
from ablation.report.sections.embedding.compute import (
    KINDS,
    MOST_MEASURED,
    Kind,
    Mapped,
    MapTask,
    Separation,
    Separations,
    map_tasks,
    mapped,
    maps_of,
    separations,
)
from ablation.report.sections.embedding.figure import MOST_NAMES, draw_maps, spots
from ablation.report.sections.embedding.text import (
    answer,
    between,
    caution,
    finding,
    remarks,
    value,
    verdict,
    verdict_of,
)
from ablation.report.text import SYMBOL, among

CAUTION = (
    "t-SNE bends distances; the size of a cluster and the gaps between clusters mean little.",
    "Each map is of one run: another seed gives another. The verdicts are of all runs.",
)
FIRST = ("silhouette", "knn_accuracy", "overlap")
"""Fields of the measures that a first reader needs; the others are a click away."""
MOST_LINES = 30
"""Recipes of a table in the order of the experiment; of more those that are surest to differ come first."""
MOST_MAPS = 12
"""Each of which takes a second or two."""


def embedding(study: Study) -> Section | None:
    """None where no run has finished."""
    measured = separations(study)
    of = mapped(study, _drawn(measured)) if measured else None
    if measured is None or (not measured.recipes and of is None):
        return None
    tables = (table(measured), details(measured)) if measured.recipes else ()
    return Section(
        "embedding",
        "Are the classes better separated?",
        "The better the classes are separated in the space of the features that go into the last layer, the easier "
        f"they are to tell apart. {NUMBER.get(len(KINDS), str(len(KINDS)))} measures say how well they are, on the "
        "test images of all runs.",
        answer(measured),
        (figure(study, of, measured),) if of else (),
        tables,
        (*caution(measured), *(CAUTION if of else ())),
    )


NUMBER = {6: "Six"}


def embedding_parts(study: Study) -> tuple[MapTask, ...]:
    """The parts of its figure, where they are known before anything is measured: those of few recipes."""
    recipes = study.experiment.recipes
    of = mapped(study, recipes) if len(recipes) <= MOST_MAPS else None
    return map_tasks(of) if of else ()


def _drawn(measured: Separations) -> list[str]:
    """The recipes that have a map: all, or where they are many the baseline and those that are surest to differ."""
    every, baseline = measured.experiment.recipes, measured.experiment.baseline
    if len(every) <= MOST_MAPS:
        return list(every)
    return [baseline, *(row.recipe for row in _surest_first(measured, MOST_MAPS - 1)[: MOST_MAPS - 1])]


def _surest_first(measured: Separations, most: int = MOST_LINES) -> list[Separation]:
    """As in the experiment; where they are more than so many, those that are surest to differ first."""
    if len(measured.recipes) <= most:
        return list(measured.recipes)

    def surest(row: Separation) -> tuple[float, float]:
        adjusted = [effect.p_adjusted for effect in row.effects if not effect.note]
        reach = abs(row.effects[0].estimate)
        return min(adjusted, default=math.inf), 0.0 if math.isnan(reach) else -reach

    return sorted(measured.recipes, key=surest)


def table(measured: Separations) -> Table:
    """A row a recipe: the difference in each measure, with the sign of its verdict where one is shown."""
    experiment = measured.experiment

    def at(index: int) -> Callable[[Separation], str]:
        def cell(row: Separation) -> str:
            kind, effect = KINDS[index], row.effects[index]
            if is_void(kind, effect):
                return NONE
            name = verdict(kind, effect, experiment)
            sign = f" {SYMBOL[name]}" if name in ("better", "worse") else ""
            return value(effect.estimate, kind, sign=True) + sign

        return cell

    def count(row: Separation) -> str:
        shown = len(row.shown(experiment.alpha, True)) + len(row.shown(experiment.alpha, False))
        return NONE if all(effect.note for effect in row.effects) else f"{shown} of {len(KINDS)}"

    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda row: row.recipe),
        "verdict": ("separation", lambda row: verdict_of(row, experiment)),
        "shown": ("measures that differ", count),
    }
    order = sorted(range(len(KINDS)), key=lambda index: KINDS[index].field not in FIRST)
    columns |= {KINDS[index].field: (_heading(KINDS[index]), at(index)) for index in order}
    short = {kind.field: kind.short for kind in KINDS} | {"verdict": "verdict", "shown": "differ"}
    spare = tuple(kind.field for kind in KINDS if kind.field not in FIRST)
    rows = _surest_first(measured)
    return Table.of(columns, rows, _caption(measured), short=short, keep=("verdict", FIRST[0]), spare=spare)


def is_void(kind: Kind, effect: MeasureEffect) -> bool:
    """Whether every image overlaps under both recipes, as where classes have fewer images than there are neighbours."""
    return kind.field == "overlap" and effect.mean == effect.baseline_mean == 1


def _heading(kind: Kind) -> str:
    return kind.title + " (points)" * kind.points


def _caption(measured: Separations) -> str:
    experiment, k = measured.experiment, _span(measured.neighbours)
    lower = listing(kind.title for kind in KINDS if kind.lower_is_better)
    which = "all" if measured.whole else f"at most {MOST_MEASURED:,}"
    return (
        f"Differences to {named(experiment.baseline)}, means over all seeds and conditions. {SYMBOL['better']} better, "
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
        "verdict": ("verdict", lambda item: verdict(item[0], item[1], experiment)),
        "difference": ("difference", lambda item: value(item[1].estimate, item[0], sign=True)),
        "mean": ("recipe", lambda item: value(item[1].mean, item[0])),
        "reference": ("baseline", lambda item: value(item[1].baseline_mean, item[0])),
        "interval": (f"{percent(1 - experiment.alpha)} interval", lambda item: between(item[1], item[0])),
        "p_holm": ("Holm p", lambda item: p_text(item[1].p_adjusted, experiment.alpha)),
    }

    def group(row: Separation) -> Rows:
        made = tuple(
            cells(columns, (kind, effect)) | {"note": effect.note}
            for kind, effect in zip(KINDS, row.effects, strict=True)
        )
        return Rows(made, f"{named(row.recipe)}, {out_of(row.effects[0].seeds, row.effects[0].planned, 'seed')}")

    return Table(
        headings(columns),
        tuple(map(group, _surest_first(measured))),
        f"Accuracy and overlap in percent, their differences in points. Intervals hold for all {len(KINDS)} measures "
        "of all recipes at once (Bonferroni); Holm's correction is sharper, so a difference can be shown though its "
        "interval reaches 0.",
        keep=("verdict", "difference"),
        spare=("interval", "p_holm"),
        folded="Each measure with its interval",
    )


def _span(ends: tuple[int, int]) -> str:
    return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def figure(study: Study, of: Mapped, measured: Separations) -> Figure:
    """The maps, which take seconds, to be computed where they are drawn."""
    return Figure(
        partial(maps_of, study, of),
        draw_maps,
        plain(
            f"t-SNE maps of the test images, a map each for {among(list(of.arrays), 'recipe')}, each image a point in "
            "the colour of its class"
        ),
        _figure_caption(of, measured),
        Hover(spots, attrgetter("photographs")),
        remarks,
        map_tasks(of),
    )


def _found(measured: Separations) -> str:
    """What the measures say of the maps, which show one run each."""
    if not measured.recipes:
        return f"Only {named(measured.experiment.baseline)} has a map: there is no recipe to compare it with."
    return f"By the measures over all runs: {_lower(finding(measured))}"


def _lower(sentence: str) -> str:
    """The sentence behind a colon; unchanged where it begins with a name."""
    return sentence[:1].lower() + sentence[1:]


def _figure_caption(of: Mapped, measured: Separations) -> str:
    count, present = len(of.labels), len(set(of.labels.tolist()))
    which = f"all {count}" if count == of.images else f"{count} of {of.images}, each class in its share"
    unnamed = f" The {present} classes are too many to be named one by one." if present > MOST_NAMES else ""
    every = len(measured.experiment.recipes)
    some = f" Drawn are {len(of.arrays)} of {every} recipes, those surest to differ." if every > MOST_MAPS else ""
    perplexity = perplexity_of(count)
    few = f", the most that {count} images allow" if perplexity < PERPLEXITY else ""
    return (
        f"{_found(measured)} The maps are t-SNE of the same features, of length 1 ({of.choice}; {which}), reduced to "
        f"50 principal components where they are more; perplexity {perplexity:.3g}{few}. Each network "
        "has a map of its own; every panel shows the same images and starts from the same layout, the first two "
        f"principal components of the first network's features.{unnamed} Trustworthiness says how far neighbours on "
        f"the map are neighbours in feature space (1 is best).{some}"
    )
