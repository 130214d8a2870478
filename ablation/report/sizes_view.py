"""Whether a recipe helps only when data are few, as a section: sentences, a table and a picture."""

from __future__ import annotations

import math

import numpy as np

from ablation.evidence.sizes import SizeCurve, sizes
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.figures.dose import CurvePanel
from ablation.figures.train_sizes import SizesInfo
from ablation.report.scenes import Scene, shown, unit_text
from ablation.report.told import Rows, Told, among, gain, holm_phrase, scale, seeds_of, sized, spanned
from ablation.report.wording import NONE, UNIT, amount, counted, interval, opening, p_text, percent, points
from ablation.results import Results

MOST_PANELS = 12
"""Of a picture: with more recipes it shows those whose gain changes most surely."""


def sizes_told(results: Results) -> Told | None:
    """None where the train size does not vary."""
    found, experiment = sizes(results), results.experiment
    if not found:
        return None
    images = sorted({size for curve in found for size in curve.images if not math.isnan(size)})
    return Told(
        "Does it help only when data are few?",
        f"Each recipe against {experiment.baseline} with the same training images: does its gain change with their "
        "number?",
        sentences(found, experiment),
        headers(images, experiment),
        (Rows("", tuple(_row(curve, images, experiment) for curve in found)),),
        caption(found, experiment),
        scene(found, experiment),
    )


def sentences(found: tuple[SizeCurve, ...], experiment: Experiment) -> tuple[str, ...]:
    """One a recipe; where they are many, those whose gain is shown to change, and how many are not."""
    if len(found) <= 6:
        return tuple(sentence(curve, experiment) for curve in found)
    claimed = [curve for curve in found if _changes(curve, experiment)]
    left = [curve.recipe for curve in found if not _changes(curve, experiment)]
    told = [sentence(curve, experiment) for curve in claimed]
    if left:
        told.append(f"Of {among(left, 'other recipe')} it is not shown that the gain depends on the number of images.")
    return tuple(told)


def sentence(curve: SizeCurve, experiment: Experiment) -> str:
    """'Crop helps by 4.1 points of accuracy with 100 images (2.2 to 6.0), ...: the gain shrinks by ...'"""
    response = curve.response
    if response is None:
        return f"{opening(curve.recipe)}: {curve.note}, {counted(curve.seeds, 'seed')} at all sizes."
    if curve.note:
        few, many = (sized(end, experiment.metric) for end in response.measured.value[[0, -1]].tolist())
        ends = f"{few} with {_images(curve, 0)} images, {many} with {_images(curve, -1)}"
        return f"{opening(curve.recipe)}: {curve.note}; so far a difference of {ends}."
    told = f"{_helps(curve, experiment)}: {_slope(curve, experiment)}"
    return f"{opening(curve.recipe)} {told} ({seeds_of(curve.seeds, curve.planned)})."


def _images(curve: SizeCurve, place: int) -> str:
    return f"{curve.images[place]:,.0f}"


UNSHOWN = "is not shown to help or hurt"


def _helps(curve: SizeCurve, experiment: Experiment) -> str:
    """'helps by 4.1 points of accuracy with 100 images (2.2 to 6.0) and by 0.3 points with 800 (0.1 to 0.5)'."""
    (verb, few), (other, many) = (_end(curve, place, experiment) for place in (0, -1))
    if verb == other:
        return f"{verb} {few} {'or' if verb == UNSHOWN else 'and'} {many}"
    return f"{verb} {few} and {other} {many}"


def _end(curve: SizeCurve, place: int, experiment: Experiment) -> tuple[str, str]:
    """At one size, by the interval of all sizes at once: what is shown, and its numbers."""
    assert curve.response is not None
    metric, measured, first = experiment.metric, curve.response.measured, place == 0
    difference, low, high = (float(x[place]) for x in (measured.value, measured.low_all, measured.high_all))
    images = f"with {_images(curve, place)}{' images' if first else ''}"
    if not (low > 0 or high < 0):
        return UNSHOWN, f"{images} ({points(difference, metric, sign=True)}, {interval(low, high, metric)})"
    size = amount(abs(difference), metric) if first else sized(abs(difference), metric).removeprefix("+")
    nearer, further = sorted((abs(low), abs(high)))
    numbers = f"by {size} {images} ({interval(nearer, further, metric, sign=False)})"
    return "helps" if gain(difference, metric) > 0 else "hurts", numbers


def _slope(curve: SizeCurve, experiment: Experiment) -> str:
    """What becomes of the gain with each doubling."""
    assert curve.response is not None
    slope, metric = curve.response.linear, experiment.metric
    few, many = curve.response.measured.value[[0, -1]].tolist()
    low, high = slope.interval(experiment.alpha)
    if not _changes(curve, experiment):
        numbers = f"{points(slope.estimate, metric, sign=True)} for each doubling, {interval(low, high, metric)}"
        return f"that this depends on their number is not shown ({numbers}, {holm_phrase(curve.p_slope)})"
    size = f"{points(abs(slope.estimate), metric)} {UNIT[metric]}".strip()
    numbers = f"{spanned(low, high, experiment, math.copysign(1, slope.estimate))}; {holm_phrase(curve.p_slope)}"
    return f"{becomes(few, many, slope.estimate, metric)} by {size} for each doubling ({numbers})"


def becomes(few: float, many: float, slope: float, metric: str) -> str:
    """'the gain shrinks', 'the loss grows'; 'the difference falls' where it changes sides."""
    ends, better = (gain(few, metric), gain(many, metric)), gain(slope, metric) > 0
    if min(ends) >= 0:
        return f"the gain {'grows' if better else 'shrinks'}"
    if max(ends) <= 0:
        return f"the loss {'shrinks' if better else 'grows'}"
    return f"the difference {'rises' if slope > 0 else 'falls'}"


def _changes(curve: SizeCurve, experiment: Experiment) -> bool:
    return curve.p_slope < experiment.alpha and not curve.note


def headers(images: list[float], experiment: Experiment) -> dict[str, str]:
    """Column -> heading: a difference at each size, then its slope."""
    unit = f" ({UNIT[experiment.metric]})" if UNIT[experiment.metric] else ""
    return {
        "recipe": "recipe",
        "seeds": "seeds",
        **{f"at {size:g}": f"{size:,.0f} images" for size in images},
        "slope": f"each doubling{unit}",
        "interval": f"{percent(1 - experiment.alpha)} interval",
        "p_holm": "Holm p",
    }


def _row(curve: SizeCurve, images: list[float], experiment: Experiment) -> dict[str, str]:
    metric, response = experiment.metric, curve.response
    row = dict.fromkeys(headers(images, experiment), NONE)
    row |= {"recipe": curve.recipe, "seeds": f"{curve.seeds} of {curve.planned}"}
    if response is None:
        return row
    at = zip(curve.images, response.measured.value.tolist(), strict=True)
    return (
        row
        | {f"at {size:g}": points(difference, metric, sign=True) for size, difference in at}
        | {
            "slope": points(response.linear.estimate, metric, sign=True),
            "interval": interval(*response.linear.interval(experiment.alpha), metric),
            "p_holm": p_text(curve.p_slope),
        }
    )


def caption(found: tuple[SizeCurve, ...], experiment: Experiment) -> str:
    """How the table is to be read."""
    over = max(curve.over for curve in found)
    pooled = f", each a mean over {over} conditions" if over > 1 else ""
    return (
        f"Differences to {experiment.baseline} in {unit_text(experiment.metric)}, seed by seed{pooled}; intervals at "
        "a size hold for all sizes at once (Bonferroni). Each doubling: the slope of the straight line through them "
        "over log2 of the training images, judged over seeds, Holm's correction over the recipes. Every size is "
        "trained for as many epochs, so with fewer images the network is also updated less often. Everything holds on "
        "this data, model and budget."
    )


def scene(found: tuple[SizeCurve, ...], experiment: Experiment) -> Scene | None:
    """The differences against the images; None where no recipe has two seeds at all sizes."""
    known = [curve for curve in found if curve.response is not None]
    if not known:
        return None
    surest = sorted(known, key=lambda curve: math.inf if math.isnan(curve.p_slope) else curve.p_slope)[:MOST_PANELS]
    drawn = [curve for curve in known if curve in surest]
    metric = experiment.metric
    info = SizesInfo(
        tuple(_panel(curve, metric) for curve in drawn), shown(experiment.margin, metric), unit_text(metric),
        experiment.baseline, metric in LOWER_IS_BETTER,
    )  # fmt: skip
    margin = f"±{points(experiment.margin, metric)} {UNIT[metric]}".strip()
    told = (
        f"Difference to {experiment.baseline} with as many images; {'below' if info.lower_is_better else 'above'} 0 "
        "the recipe is better. Dots, joined by a thin line: one seed. Diamonds: means. Curve: a quadratic over the "
        f"doublings (a straight line with two sizes), with its pointwise {percent(1 - experiment.alpha)} interval "
        f"over seeds. Shaded: the margin within which recipes count as equivalent ({margin})."
    )
    if len(drawn) < len(known):
        told += f" Drawn are the {len(drawn)} recipes of {len(known)} whose gain changes most surely."
    return Scene(info, "Difference of each recipe to the baseline against the number of training images", told)


def _panel(curve: SizeCurve, metric: str) -> CurvePanel:
    assert curve.response is not None
    measured, fit, times = curve.response.measured, curve.response.curve, scale(metric)
    return CurvePanel(
        curve.recipe, measured.doses, times * np.array(curve.differences), times * measured.value, fit.doses,
        times * fit.value, times * fit.low, times * fit.high,
    )  # fmt: skip
