"""Whether a recipe helps only when data are few, as a section: sentences, a table and a figure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence

import numpy as np

from ablation.analysis.dose import DoseResponse
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, named, opening, out_of, p_phrase, p_text, percent, plain
from ablation.evidence.study import Study
from ablation.report.charts import CurvePanel
from ablation.report.openings import nobody, not_judged, who
from ablation.report.section import Column, Figure, Section, Table
from ablation.report.sections.train_size.compute import SizeCurve, size_curves
from ablation.report.sections.train_size.figure import SizesInfo, draw_sizes
from ablation.report.text import (
    MOST_NAMED,
    among,
    amount,
    bounds,
    chance,
    counting,
    gain,
    interval,
    margin_text,
    on_images,
    shaded,
    shown,
    signed,
    size,
    spanned,
    unit_text,
)

MOST_PANELS, MOST_SENTENCES = 12, 6
"""Of a figure: with more recipes it shows those whose gain changes most surely; so do the sentences."""

MOST_SIZES = 4
"""Columns of sizes in the table; of more, those between the first and the last stand apart."""


def train_size(study: Study) -> Section | None:
    """None where the train size does not vary."""
    curves = size_curves(study)
    if not curves:
        return None
    drawn = figure(curves)
    return Section(
        "train_size",
        "Does it help only when data are few?",
        f"Each recipe is compared with {named(study.experiment.baseline)} on the same training images. Read how the "
        "difference changes from few images to many.",
        answer(curves),
        (drawn,) if drawn else (),
        (table(curves),),
    )


def answer(curves: Sequence[SizeCurve]) -> tuple[str, ...]:
    """In a sentence; then one a recipe, or where they are many of those whose gain is shown to change."""
    if len(curves) <= MOST_SENTENCES:
        return (_foremost(curves), *map(sentence, curves))
    sentences = [sentence(curve) for curve in curves if curve.changes]
    rest = [curve.recipe for curve in curves if not curve.changes]
    if rest:
        what = f"that the gain depends on the number of images{on_images(curves[0].experiment)}"
        sentences.append(f"Of {among(rest, 'other recipe')} it is not shown {what}.")
    return (_foremost(curves), *sentences)


def _foremost(curves: Sequence[SizeCurve]) -> str:
    """Whose gain changes with the number of images, and by how much, in one short sentence."""
    judged = [curve for curve in curves if curve.response is not None and not curve.note]
    if not judged:
        return not_judged({curve.recipe: curve.note for curve in curves})
    changing = [(curve, curve.response) for curve in judged if curve.changes and curve.response is not None]
    if not changing:
        return f"{nobody([curve.recipe for curve in judged])} help more or less with more training images."
    metric, doubling = curves[0].experiment.metric, "for each doubling of the training images"
    if len(changing) > 1:
        largest = size(max(abs(response.linear.estimate) for _, response in changing), metric)
        recipes = who([curve.recipe for curve, _ in changing], len(curves))
        return f"The effects of {recipes} change by up to {largest} {doubling}."
    (curve, response), *_ = changing
    slope, verbs = response.linear.estimate, {_end(curve, response, index)[0] for index in (0, -1)}
    difference, _, changes = becomes(verbs, slope, metric).rpartition(" ")
    by, of = size(abs(slope), metric), f"of {named(curve.recipe)}"
    if difference == "the difference":
        of = f"between {named(curve.recipe)} and {named(curve.experiment.baseline)}"
    return f"{opening(difference)} {of} {changes} by {by} {doubling}."


def sentence(curve: SizeCurve) -> str:
    """'crop helps by 4.1 points of accuracy with 100 images (...), ... The gain shrinks by ...'"""
    response, metric, recipe = curve.response, curve.experiment.metric, named(curve.recipe)
    if response is None:
        return f"{recipe}: {curve.note}, {counted(curve.seeds, 'seed')} at all sizes."
    if curve.note:
        first, last = (size(end, metric, sign=True) for end in response.measured.value[[0, -1]].tolist())
        ends = f"{first} with {_images(curve, 0)} images, {last} with {_images(curve, -1)}"
        return f"{recipe}: {curve.note}. So far it has a difference of {ends}."
    (verb, few), (then, many) = (_end(curve, response, index) for index in (0, -1))
    helps = f"{verb} {few} and {then} {many}"
    if verb == then:
        helps = f"{verb} {few} {'or' if verb in (UNSHOWN, NOT_TESTED) else 'and'} {many}"
    slope = opening(_slope(curve, response, {verb, then}))
    return f"{recipe} {helps}. {slope} ({out_of(curve.seeds, curve.planned, 'seed')})."


def _images(curve: SizeCurve, index: int) -> str:
    return f"{curve.images[index]:,.0f}"


UNSHOWN, NOT_TESTED, DIFFERS = "is not shown to help or hurt", "is not tested", "has a difference of"
"""Where a comparison is undecided; where what comes first left it nothing; where a difference is no comparison."""


def _end(curve: SizeCurve, response: DoseResponse, index: int) -> tuple[str, str]:
    """At the first size or the last: 'helps', 'by 4.1 points of accuracy with 100 images (...)'.

    The verdict of the comparison there, and its numbers; or numbers alone.
    """
    experiment, first, tested = curve.experiment, index == 0, curve.ends[index]
    metric, images = experiment.metric, f"with {_images(curve, index)}{' images' if first else ''}"
    if tested is None:
        measured = response.measured
        difference, low, high = (float(x[index]) for x in (measured.value, measured.low_all, measured.high_all))
        return (DIFFERS, f"{size(difference, metric, sign=True)} {images} ({interval(low, high, metric)})")
    difference, p = tested.difference.estimate, chance(tested.p_adjusted, experiment, compared=True)
    if tested.p_adjusted < experiment.alpha:
        by = f"by {(amount if first else size)(abs(difference), metric)} {images}"
        span = spanned(tested.low, tested.high, experiment, difference)
        return ("helps" if gain(difference, metric) > 0 else "hurts", f"{by} ({span}; {p})")
    numbers = f"{signed(difference, metric)}, {interval(tested.low, tested.high, metric)}"
    if not tested.reached:
        return (NOT_TESTED, f"{images} ({numbers})")
    if tested.p_equivalent < experiment.alpha:
        within = f"is equivalent to {named(experiment.baseline)} within {margin_text(experiment)}"
        return (within, f"{images} ({numbers}; equivalence {p_phrase(tested.p_equivalent, experiment.alpha)})")
    return (UNSHOWN, f"{images} ({numbers}; {p})")


def _slope(curve: SizeCurve, response: DoseResponse, verbs: Collection[str]) -> str:
    """What becomes of the gain with each doubling."""
    slope, experiment, metric = response.linear.estimate, curve.experiment, curve.experiment.metric
    (low, high), p = response.linear.interval(experiment.alpha), chance(curve.p_slope, experiment)
    if not curve.changes:
        what = f"that this depends on their number is not shown{on_images(experiment)}"
        numbers = f"{signed(slope, metric)} for each doubling, {interval(low, high, metric)}"
        return f"{what} ({numbers}, {p})"
    far = f"{size(abs(slope), metric)} for each doubling{on_images(experiment)}"
    span = spanned(low, high, experiment, slope)
    return f"{becomes(verbs, slope, metric)} by {far} ({span}; {p})"


def becomes(verbs: Collection[str], slope: float, metric: str) -> str:
    """'the gain shrinks', 'the loss grows'; 'the difference falls' where neither is shown, or both are."""
    significant, better = {"helps", "hurts"} & set(verbs), gain(slope, metric) > 0
    if significant == {"helps"}:
        return f"the gain {'grows' if better else 'shrinks'}"
    if significant == {"hurts"}:
        return f"the loss {'shrinks' if better else 'grows'}"
    return f"the difference {'rises' if slope > 0 else 'falls'}"


def table(curves: Sequence[SizeCurve]) -> Table:
    """A row a recipe: its difference at each size, then the slope."""
    experiment, metric = curves[0].experiment, curves[0].experiment.metric

    def at(level: str) -> Callable[[SizeCurve], str]:
        def cell(curve: SizeCurve) -> str:
            if curve.response is None or level not in curve.levels:
                return NONE
            return signed(curve.response.measured.value[curve.levels.index(level)], metric)

        return cell

    def span(curve: SizeCurve) -> str:
        return NONE if curve.response is None else interval(*curve.response.linear.interval(experiment.alpha), metric)

    sizes = {f"at {level}": (head, at(level)) for level, head in size_headings(curves).items()}
    between = list(sizes)[1:-1] if len(sizes) > MOST_SIZES else []
    columns: dict[str, Column] = {
        "recipe": ("recipe", lambda curve: curve.recipe),
        "claim": ("claim", _claim),
        "slope": (
            counting("each doubling", metric),
            lambda curve: signed(curve.response.linear.estimate, metric) if curve.response else NONE,
        ),
        **sizes,
        "interval": (f"{percent(1 - experiment.alpha)} interval", span),
        "p_holm": ("Holm p", lambda curve: p_text(curve.p_slope, experiment.alpha)),
        "seeds": ("seeds", lambda curve: f"{curve.seeds} of {curve.planned}"),
    }
    return Table.of(
        columns,
        curves,
        _caption(curves),
        words=frozenset({"claim"}),
        keep=("claim", "slope"),
        spare=("seeds", *between, "p_holm", "interval"),
    )


def _claim(curve: SizeCurve) -> str:
    """What is shown of the difference with more images: 'gain shrinks', 'difference rises', 'not shown'."""
    if curve.response is None or curve.note:
        return "no claim"
    if not curve.changes:
        return "not shown"
    verbs = {_end(curve, curve.response, index)[0] for index in (0, -1)}
    return becomes(verbs, curve.response.linear.estimate, curve.experiment.metric).removeprefix("the ")


def size_headings(curves: Sequence[SizeCurve]) -> dict[str, str]:
    """Level -> how many images it is, ascending; with the level's own name where two are alike, or none is known."""
    images: dict[str, list[float]] = {}
    for curve in curves:
        for level, count in zip(curve.levels, curve.images, strict=True):
            images.setdefault(level, []).extend([] if math.isnan(count) else [count])
    means = {level: float(np.mean(counts)) if counts else math.inf for level, counts in images.items()}
    heads = {
        level: f"{means[level]:,.0f} images" if images[level] else level
        for level in sorted(means, key=means.__getitem__)
    }
    alike = Counter(heads.values())
    return {level: head if alike[head] == 1 else f"{head} ({level})" for level, head in heads.items()}


def _caption(curves: Sequence[SizeCurve]) -> str:
    """How the table is to be read."""
    experiment, over = curves[0].experiment, max(curve.over for curve in curves)
    pooled = f", each a mean over {over} conditions" if over > 1 else ""
    ends = (
        "Of one size nothing is claimed, as no comparison is made of these conditions together; intervals there hold "
        "for all sizes at once (Bonferroni)"
        if over > 1
        else "Whether a recipe helps at one size is what the comparison with the baseline says, with its numbers"
    )
    return (
        f"Differences to {named(experiment.baseline)} in {unit_text(experiment.metric)}, seed by seed{pooled}. {ends}. "
        "Each doubling: the slope of the straight line through the differences over log2 of the training images, "
        "judged over seeds, Holm's correction over the recipes; its interval is not corrected. Every size is trained "
        "for as many epochs, so with fewer images the network is also updated less often. "
        f"{'Everything' if over > 1 else 'The slope'} holds "
        f"{bounds(experiment, seeds_alone=True)}."
    )


def figure(curves: Sequence[SizeCurve]) -> Figure | None:
    """The differences against the images; None where no recipe has two seeds at all sizes."""
    known = [(curve, curve.response) for curve in curves if curve.response is not None]
    if not known:
        return None
    surest = sorted(known, key=lambda one: math.inf if math.isnan(one[0].p_slope) else one[0].p_slope)[:MOST_PANELS]
    chosen = {curve.recipe for curve, _ in surest}
    experiment, metric = curves[0].experiment, curves[0].experiment.metric
    panels = tuple(
        CurvePanel.of(curve.recipe, response, curve.differences, metric)
        for curve, response in known
        if curve.recipe in chosen
    )
    lower = METRICS[metric].lower_is_better
    info = SizesInfo(panels, shown(experiment.declared_margin or 0.0, metric), unit_text(metric), experiment.baseline)
    text = (
        f"{_finding(curves)} Across: the training images. Up: the difference to {named(experiment.baseline)} with as "
        f"many images; {'below' if lower else 'above'} 0 the recipe is better. Dots, joined by a thin line: one seed. "
        "Diamonds: means. Curve: a quadratic over the doublings (a straight line with two sizes), with its pointwise "
        f"{percent(1 - experiment.alpha)} interval over seeds. {shaded(experiment)}"
    )
    if len(panels) < len(known):
        text += f" Drawn are the {len(panels)} recipes of {len(known)} whose gain changes most surely."
    return Figure(info, draw_sizes, _alt(known), text)


def _finding(curves: Sequence[SizeCurve]) -> str:
    """Of how many recipes the difference is shown to change."""
    judged, baseline = [curve for curve in curves if curve.response and not curve.note], curves[0].experiment.baseline
    if not judged:
        return "No recipe is judged yet."
    number, whole = sum(curve.changes for curve in judged), counted(len(judged), "recipe")
    return (
        f"The difference to {named(baseline)} is shown to change with the number of images for {number or 'none'} of "
        f"{whole}."
    )


def _alt(known: Sequence[tuple[SizeCurve, DoseResponse]]) -> str:
    """The first size and the last in numbers, of the first recipes."""
    experiment, each = known[0][0].experiment, []
    for curve, response in known[:MOST_NAMED]:
        few, many = (signed(end, experiment.metric) for end in response.measured.value[[0, -1]].tolist())
        each.append(f"{named(curve.recipe)} {few} with {_images(curve, 0)} images and {many} with {_images(curve, -1)}")
    more = [f"{len(known) - MOST_NAMED} more"] if len(known) > MOST_NAMED else []
    return plain(
        f"A panel a recipe: its difference to {named(experiment.baseline)} in {unit_text(experiment.metric)} against "
        f"the number of training images: {'; '.join([*each, *more])}"
    )
