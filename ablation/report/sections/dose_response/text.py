"""How strong an operation should be, in sentences. Shared by the report and the terminal; no matplotlib, no jinja2."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ablation.analysis.dose import DoseResponse
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, counted, listing, opening, percent
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.sections.dose_response.compute import DoseCurve, Doses
from ablation.report.sections.dose_response.magnitudes import Ladder
from ablation.report.text import MOST_NAMED, gain, holm_phrase, on_images, seeds_of, value_text


def asks(found: Sequence[Doses]) -> str:
    """Which ladders there are."""
    each = [_ladder_text(one.ladder) for one in found]
    return f"{opening('; '.join(each))}. Does the score rise with the dose, does it bend, and where is it best?"


def _ladder_text(ladder: Ladder) -> str:
    told = (
        f"{counted(len(ladder.doses), 'dose')} of the {ladder.magnitude}, {ladder.doses[0]:g} to {ladder.doses[-1]:g}"
    )
    notes = [f"1 is {ladder.unit}"] if ladder.unit else []
    if ladder.nothing:
        notes.insert(0, f"{ladder.doses[ladder.recipes.index(ladder.nothing)]:g} is {ladder.nothing}")
    return f"{told} ({', '.join(notes)})" if notes else told


def sentence(one: Doses, experiment: Experiment) -> str:
    """What the curve of a ladder says, from the pooled one or that of the only condition."""
    curve, ladder = one.deciding, one.ladder
    response = curve.response
    images = f",{told}" if (told := on_images(experiment)) else ""
    where = f"{_where(one, experiment)}{images} ({seeds_of(curve.seeds, curve.planned)})"
    if response is None:
        return f"{opening(ladder.magnitude)}: no answer yet, {counted(curve.seeds, 'seed')} finished at all doses."
    ends = _ends(ladder, response, experiment)
    if curve.note:
        return (
            f"{opening(ladder.magnitude)}: {curve.note}; so far {METRICS[experiment.metric].title} is {ends}, {where}."
        )
    told = f"With the {ladder.magnitude} {METRICS[experiment.metric].title} {_shape(curve, ladder, experiment)}"
    if not fits(curve, experiment):
        chance = holm_phrase(curve.p_misfit, experiment)
        told = f"{opening(ladder.magnitude)}: a quadratic does not follow the means ({chance})"
        told += ", so read them, not the curve"
    return f"{told}. {opening(METRICS[experiment.metric].title)} is {ends}, {where}."


def _shape(curve: DoseCurve, ladder: Ladder, experiment: Experiment) -> str:
    """What is shown of the curve: a bend and where it turns, a slope, or nothing."""
    response = curve.response
    assert response is not None
    if curve.p_bend < experiment.alpha:
        return _bend(curve, ladder, experiment)
    slope, bend = (holm_phrase(p, experiment) for p in (curve.p_slope, curve.p_bend))
    if curve.p_slope < experiment.alpha:
        rises = "rises" if response.linear.estimate > 0 else "falls"
        return f"{rises} ({slope}); a bend is not shown ({bend})"
    return f"is not shown to change (slope {slope}, bend {bend})"


def _bend(curve: DoseCurve, ladder: Ladder, experiment: Experiment) -> str:
    """Whichever way: 'rises and then falls (bend Holm p < .001): the fitted curve is highest at 0.74 (...)'."""
    response = curve.response
    assert response is not None
    assert response.curvature is not None
    p, top = holm_phrase(curve.p_bend, experiment), "highest" if response.curvature.estimate < 0 else "lowest"
    rises = "rises" if response.linear.estimate > 0 else "falls"
    if response.peak is None:
        end = ladder.doses[-1 if (rises == "rises") == (top == "highest") else 0]
        overall = f"{rises} ({holm_phrase(curve.p_slope, experiment)}) and " if curve.p_slope < experiment.alpha else ""
        return f"{overall}bends ({p}): the fitted curve is {top} at {end:g}, an end of what was tried"
    before, after = ("falls", "rises") if top == "lowest" else ("rises", "falls")
    told = f"the fitted curve is {top} at {_turn_text(curve, experiment)}"
    starts, stops = response.peak_low <= ladder.doses[0], response.peak_high >= ladder.doses[-1]
    if starts and stops:
        return f"bends ({p}), but where it is {top} these data do not bound"
    if starts:
        return f"bends ({p}) and {after} in the end: {told}, and that it {before} at first is not shown"
    if stops:
        return f"{before} and bends ({p}): {told}, and that it {after} in the end is not shown"
    return f"{before} and then {after} (bend {p}): {told}"


def claimed_best(curve: DoseCurve, experiment: Experiment) -> tuple[float, float, float] | None:
    """Where the fitted curve is best, and both ends of its interval; where a bend is shown, and no lack of fit."""
    response = curve.response
    if response is None or response.peak is None:
        return None
    claimed = bends_to_worse(curve, experiment) and fits(curve, experiment)
    return (response.peak, response.peak_low, response.peak_high) if claimed else None


def best_text(curve: DoseCurve, experiment: Experiment) -> str:
    """'0.74 (95 % interval 0.52 to 0.89)'; a dash where no best dose is claimed."""
    return NONE if claimed_best(curve, experiment) is None else _turn_text(curve, experiment)


def _turn_text(curve: DoseCurve, experiment: Experiment) -> str:
    """The dose at which the fitted curve turns, with its interval."""
    response = curve.response
    assert response is not None
    assert response.peak is not None
    at, low, high = (dose_text(dose, response) for dose in (response.peak, response.peak_low, response.peak_high))
    return f"{at} ({percent(1 - experiment.alpha)} interval {low} to {high})"


def dose_text(dose: float, response: DoseResponse) -> str:
    """A dose with as many digits as a hundredth of the range has."""
    width = float(np.ptp(response.measured.doses))
    return f"{round(dose, max(0, 2 - math.floor(math.log10(width)))):g}"


def bends_to_worse(curve: DoseCurve, experiment: Experiment) -> bool:
    """Is it shown to bend so that it has a best place, rather than a worst?"""
    bend = curve.response.curvature if curve.response else None
    shown = bend is not None and curve.p_bend < experiment.alpha and not curve.note
    return bool(shown and bend and gain(bend.estimate, experiment.metric) < 0)


def fits(curve: DoseCurve, experiment: Experiment) -> bool:
    """No lack of fit is shown."""
    return curve.response is not None and not curve.p_misfit < experiment.alpha


def _ends(ladder: Ladder, response: DoseResponse, experiment: Experiment) -> str:
    """'96.2 % at 0, 97.3 % at 0.75 (the highest mean) and 94.8 % at 2'."""
    means, metric = response.measured.value.tolist(), experiment.metric
    best = max(range(len(means)), key=lambda place: gain(means[place], metric))
    told, top = [], "lowest" if METRICS[metric].lower_is_better else "highest"
    for place in sorted({0, best, len(means) - 1}):
        mark = f" (the {top} mean)" if place == best else ""
        told.append(f"{value_text(means[place], metric)} at {ladder.doses[place]:g}{mark}")
    return listing(told)


def _where(one: Doses, experiment: Experiment) -> str:
    if not one.deciding.pooled:
        return f"under {condition_text(one.deciding.condition, experiment)}"
    single = [condition_text(curve.condition, experiment) for curve in one.found if not curve.pooled]
    return f"pooled over {conditions_text(single, MOST_NAMED)}"
