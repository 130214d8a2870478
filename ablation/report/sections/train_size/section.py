"""Whether a recipe helps only when data are few, as a section: sentences, a table and a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, p_phrase, p_text, percent
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.charts import CurvePanel
from ablation.report.section import Figure, Rows, Section, Table
from ablation.report.sections.train_size.compute import SizeCurve, sizes
from ablation.report.sections.train_size.figure import SizesInfo, draw_sizes
from ablation.report.text import (
    among,
    amount,
    compared_phrase,
    gain,
    holm_phrase,
    interval,
    on_images,
    points,
    scale,
    seeds_bounds,
    seeds_of,
    shown,
    size,
    spanned,
    unit_text,
)

MOST_PANELS = 12
"""Of a picture: with more recipes it shows those whose gain changes most surely."""


def train_size(study: Study) -> Section | None:
    """None where the train size does not vary."""
    experiment = study.experiment
    found = sizes(study.results)
    if not found:
        return None
    heads, drawn = headers(found, experiment), figure(found, experiment)
    rows = Rows(tuple(_row(curve, heads, experiment) for curve in found))
    return Section(
        "train_size",
        "Does it help only when data are few?",
        f"Each recipe against {experiment.baseline} with the same training images: does its gain change with their "
        "number?",
        sentences(found, experiment),
        (drawn,) if drawn else (),
        (Table(heads, (rows,), caption(found, experiment), keep=("recipe", "slope", "interval", "p_holm")),),
    )


def sentences(found: tuple[SizeCurve, ...], experiment: Experiment) -> tuple[str, ...]:
    """One a recipe; where they are many, those whose gain is shown to change, and how many are not."""
    if len(found) <= 6:
        return tuple(sentence(curve, experiment) for curve in found)
    claimed = [curve for curve in found if _changes(curve, experiment)]
    left = [curve.recipe for curve in found if not _changes(curve, experiment)]
    told = [sentence(curve, experiment) for curve in claimed]
    if left:
        what = f"that the gain depends on the number of images{on_images(experiment)}"
        told.append(f"Of {among(left, 'other recipe')} it is not shown {what}.")
    return tuple(told)


def sentence(curve: SizeCurve, experiment: Experiment) -> str:
    """'crop helps by 4.1 points of accuracy with 100 images (...), ...: the gain shrinks by ...'"""
    response = curve.response
    if response is None:
        return f"{curve.recipe}: {curve.note}, {counted(curve.seeds, 'seed')} at all sizes."
    if curve.note:
        few, many = (size(end, experiment.metric, sign=True) for end in response.measured.value[[0, -1]].tolist())
        ends = f"{few} with {_images(curve, 0)} images, {many} with {_images(curve, -1)}"
        return f"{curve.recipe}: {curve.note}; so far a difference of {ends}."
    told = f"{_helps(curve, experiment)}: {_slope(curve, experiment)}"
    return f"{curve.recipe} {told} ({seeds_of(curve.seeds, curve.planned)})."


def _images(curve: SizeCurve, place: int) -> str:
    return f"{curve.images[place]:,.0f}"


UNSHOWN, NOT_TESTED, DIFFERS = "is not shown to help or hurt", "is not tested", "has a difference of"
"""Where a comparison is undecided; where what comes first left it nothing; where a difference is no comparison."""


def _helps(curve: SizeCurve, experiment: Experiment) -> str:
    """'helps by 4.1 points of accuracy with 100 images (...) and by 0.3 points with 800 (...)'."""
    (verb, few), (other, many) = (_end(curve, place, experiment) for place in (0, -1))
    if verb == other:
        return f"{verb} {few} {'or' if verb in (UNSHOWN, NOT_TESTED) else 'and'} {many}"
    return f"{verb} {few} and {other} {many}"


def _end(curve: SizeCurve, place: int, experiment: Experiment) -> tuple[str, str]:
    """At one size: the verdict of the comparison there, and its numbers; or numbers alone."""
    assert curve.response is not None
    metric, first, tested = experiment.metric, place == 0, curve.ends[place]
    images = f"with {_images(curve, place)}{' images' if first else ''}"
    if tested is None:
        measured = curve.response.measured
        difference, low, high = (float(x[place]) for x in (measured.value, measured.low_all, measured.high_all))
        return DIFFERS, f"{size(difference, metric, sign=True)} {images} ({interval(low, high, metric)})"
    difference, chance = tested.difference.estimate, compared_phrase(tested.p_adjusted, experiment)
    if not tested.p_adjusted < experiment.alpha:
        numbers = f"{points(difference, metric, sign=True)}, {interval(tested.low, tested.high, metric)}"
        if not tested.reached:
            return NOT_TESTED, f"{images} ({numbers})"
        if tested.p_equivalent < experiment.alpha:
            within = f"is equivalent to {experiment.baseline} within {size(experiment.margin, metric)}"
            return within, f"{images} ({numbers}; equivalence {p_phrase(tested.p_equivalent, experiment.alpha)})"
        return UNSHOWN, f"{images} ({numbers}; {chance})"
    far = (amount if first else size)(abs(difference), metric)
    span = spanned(tested.low, tested.high, experiment, math.copysign(1, difference))
    return "helps" if gain(difference, metric) > 0 else "hurts", f"by {far} {images} ({span}; {chance})"


def _slope(curve: SizeCurve, experiment: Experiment) -> str:
    """What becomes of the gain with each doubling."""
    assert curve.response is not None
    slope, metric = curve.response.linear, experiment.metric
    low, high = slope.interval(experiment.alpha)
    if not _changes(curve, experiment):
        numbers = f"{points(slope.estimate, metric, sign=True)} for each doubling, {interval(low, high, metric)}"
        what = f"that this depends on their number is not shown{on_images(experiment)}"
        return f"{what} ({numbers}, {holm_phrase(curve.p_slope, experiment)})"
    numbers = (
        f"{spanned(low, high, experiment, math.copysign(1, slope.estimate))}; {holm_phrase(curve.p_slope, experiment)}"
    )
    verbs = {_end(curve, place, experiment)[0] for place in (0, -1)}
    far = f"{size(abs(slope.estimate), metric)} for each doubling{on_images(experiment)}"
    return f"{becomes(verbs, slope.estimate, metric)} by {far} ({numbers})"


def becomes(verbs: Collection[str], slope: float, metric: str) -> str:
    """'the gain shrinks', 'the loss grows'; 'the difference falls' where neither is shown, or both are."""
    shown_to, better = {"helps", "hurts"} & set(verbs), gain(slope, metric) > 0
    if shown_to == {"helps"}:
        return f"the gain {'grows' if better else 'shrinks'}"
    if shown_to == {"hurts"}:
        return f"the loss {'shrinks' if better else 'grows'}"
    return f"the difference {'rises' if slope > 0 else 'falls'}"


def _changes(curve: SizeCurve, experiment: Experiment) -> bool:
    return curve.p_slope < experiment.alpha and not curve.note


def headers(found: tuple[SizeCurve, ...], experiment: Experiment) -> dict[str, str]:
    """Column -> heading: a difference at each size, then its slope."""
    unit = f" ({METRICS[experiment.metric].unit})" if METRICS[experiment.metric].unit else ""
    return {
        "recipe": "recipe",
        "seeds": "seeds",
        **{f"at {level}": head for level, head in columns(found).items()},
        "slope": f"each doubling{unit}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p_holm": "Holm p",
    }


def columns(found: tuple[SizeCurve, ...]) -> dict[str, str]:
    """Level -> how many images it is, ascending; with the level's own name where two are alike, or none is known."""
    images: dict[str, list[float]] = {}
    for curve in found:
        for level, count in zip(curve.levels, curve.images, strict=True):
            images.setdefault(level, []).extend([] if math.isnan(count) else [count])
    means = {level: float(np.mean(counts)) if counts else math.inf for level, counts in images.items()}
    told = {
        level: f"{means[level]:,.0f} images" if images[level] else level
        for level in sorted(means, key=means.__getitem__)
    }
    alike = Counter(told.values())
    return {level: head if alike[head] == 1 else f"{head} ({level})" for level, head in told.items()}


def _row(curve: SizeCurve, heads: Mapping[str, str], experiment: Experiment) -> dict[str, str]:
    metric, response = experiment.metric, curve.response
    row = dict.fromkeys(heads, NONE)
    row |= {"recipe": curve.recipe, "seeds": f"{curve.seeds} of {curve.planned}"}
    if response is None:
        return row
    at = zip(curve.levels, response.measured.value.tolist(), strict=True)
    return (
        row
        | {f"at {level}": points(difference, metric, sign=True) for level, difference in at}
        | {
            "slope": points(response.linear.estimate, metric, sign=True),
            "interval": interval(*response.linear.interval(experiment.alpha), metric),
            "p_holm": p_text(curve.p_slope, experiment.alpha),
        }
    )


def caption(found: tuple[SizeCurve, ...], experiment: Experiment) -> str:
    """How the table is to be read."""
    over = max(curve.over for curve in found)
    pooled = f", each a mean over {over} conditions" if over > 1 else ""
    ends = (
        "Of one size nothing is claimed, as no comparison is made of these conditions together; intervals there hold "
        "for all sizes at once (Bonferroni)"
        if over > 1
        else "Whether a recipe helps at one size is what the comparison with the baseline says, with its numbers"
    )
    return (
        f"Differences to {experiment.baseline} in {unit_text(experiment.metric)}, seed by seed{pooled}. {ends}. Each "
        "doubling: the slope of the straight line through the differences over log2 of the training images, judged "
        "over seeds, Holm's correction over the recipes. Every size is trained for as many epochs, so with fewer "
        f"images the network is also updated less often. {'Everything' if over > 1 else 'The slope'} holds "
        f"{seeds_bounds(experiment)}."
    )


def figure(found: tuple[SizeCurve, ...], experiment: Experiment) -> Figure | None:
    """The differences against the images; None where no recipe has two seeds at all sizes."""
    known = [curve for curve in found if curve.response is not None]
    if not known:
        return None
    surest = sorted(known, key=lambda curve: math.inf if math.isnan(curve.p_slope) else curve.p_slope)[:MOST_PANELS]
    drawn = [curve for curve in known if curve in surest]
    metric = experiment.metric
    info = SizesInfo(
        tuple(_panel(curve, metric) for curve in drawn), shown(experiment.margin, metric), unit_text(metric),
        experiment.baseline, METRICS[metric].lower_is_better,
    )  # fmt: skip
    margin = f"±{points(experiment.margin, metric)} {METRICS[metric].unit}".strip()
    told = (
        f"Difference to {experiment.baseline} with as many images; {'below' if info.lower_is_better else 'above'} 0 "
        "the recipe is better. Dots, joined by a thin line: one seed. Diamonds: means. Curve: a quadratic over the "
        f"doublings (a straight line with two sizes), with its pointwise {percent(1 - experiment.alpha)} interval "
        f"over seeds. Shaded: the margin within which recipes count as equivalent ({margin})."
    )
    if len(drawn) < len(known):
        told += f" Drawn are the {len(drawn)} recipes of {len(known)} whose gain changes most surely."
    return Figure(
        info, draw_sizes, "Difference of each recipe to the baseline against the number of training images", told
    )


def _panel(curve: SizeCurve, metric: str) -> CurvePanel:
    assert curve.response is not None
    measured, fit, times = curve.response.measured, curve.response.curve, scale(metric)
    return CurvePanel(
        curve.recipe, measured.doses, times * np.array(curve.differences), times * measured.value, fit.doses,
        times * fit.value, times * fit.low, times * fit.high,
    )  # fmt: skip
