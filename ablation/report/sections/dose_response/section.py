"""How strong an operation should be, as a section: sentences, a table and a figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ablation.analysis.dose import DoseResponse
from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, bare, counted, listing, named, opening, out_of, p_text, percent, plain
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.charts import CurvePanel
from ablation.report.section import Column, Figure, Rows, Section, Table, headings
from ablation.report.sections.dose_response.compute import DoseCurve, Doses, doses
from ablation.report.sections.dose_response.figure import DosePanel, DoseRow, draw_doses, left_out
from ablation.report.sections.dose_response.magnitudes import Series
from ablation.report.text import bounds, chance, gain, heading, measure, on_images, value_text, where

MOST_PANELS, MOST_SERIES = 6, 6
"""Of a figure: with more conditions it shows the pooled curves only; the longest series."""


def dose_response(study: Study) -> Section | None:
    """None where the recipes hold no series of doses."""
    every = doses(study)
    if not every:
        return None
    drawn = figure(every)
    return Section(
        "dose_response",
        "How strong should it be?",
        f"{opening('; '.join(_series_text(one.series) for one in every))}. "
        "Read the means first; the fitted curve says whether they rise, bend, and where they are best.",
        (foremost(every), *(sentence for one in every for sentence in sentences(one))),
        (drawn,) if drawn else (),
        (table(every),),
    )


def _series_text(series: Series) -> str:
    """'4 doses of the amount of Brightness, 0 to 0.6 (0 is none)'."""
    text = (
        f"{counted(len(series.doses), 'dose')} of the {series.magnitude}, {series.doses[0]:g} to {series.doses[-1]:g}"
    )
    notes = (
        [f"{series.doses[series.recipes.index(series.nothing)]:g} is {named(series.nothing)}"] if series.nothing else []
    )
    notes += [f"1 is {series.unit}"] if series.unit else []
    return f"{text} ({', '.join(notes)})" if notes else text


def foremost(every: Sequence[Doses]) -> str:
    """The answer in one short sentence: the shape of the only curve, or in how many series the score changes."""
    if len(every) == 1:
        return _foremost(every[0])
    experiment, whole = every[0].experiment, len(every)
    judged = [one for one in every if one.deciding.response is not None and not one.deciding.note]
    if not judged:
        return f"No answer yet in any of {whole} series of doses."
    number = sum(_changes(one.deciding, experiment) for one in judged)
    title = opening(METRICS[experiment.metric].title)
    return f"{title} is shown to change with the dose in {number or 'none'} of {whole} series."


def _changes(curve: DoseCurve, experiment: Experiment) -> bool:
    """Is the score shown to depend on the dose, in whatever way?"""
    return any(p < experiment.alpha for p in (curve.p_slope, curve.p_bend, curve.p_misfit))


def _foremost(one: Doses) -> str:
    curve, magnitude, title = one.deciding, one.series.magnitude, METRICS[one.experiment.metric].title
    if curve.response is None or curve.note:
        return _unjudged(one)
    if _fits(curve, one.experiment):
        return f"With the {magnitude}, {title} {_shape(curve, one, curve.response, numbers=False)}."
    return f"{opening(magnitude)}: the means follow no quadratic, so read them, not the curve."


def _unjudged(one: Doses) -> str:
    """Why nothing is claimed of a series."""
    curve = one.deciding
    missing = f"no answer yet, {counted(curve.seeds, 'seed')} finished at all doses"
    return f"{opening(one.series.magnitude)}: {missing if curve.response is None else curve.note}."


def sentences(one: Doses) -> tuple[str, ...]:
    """What the curve of a series says in numbers, from the pooled one or that of the only condition."""
    curve, magnitude, experiment = one.deciding, one.series.magnitude, one.experiment
    title = METRICS[experiment.metric].title
    if curve.response is None:
        return (_unjudged(one),)
    under = where((other.condition for other in one.curves), experiment, on_images(experiment))
    level = f"{title} is {_ends(one, curve.response)}, {under} ({out_of(curve.seeds, curve.planned, 'seed')})."
    if curve.note:
        return _unjudged(one), f"So far {level}"
    if _fits(curve, experiment):
        return f"With the {magnitude}, {title} {_shape(curve, one, curve.response)}.", opening(level)
    p = chance(curve.p_misfit, experiment)
    return f"{opening(magnitude)}: a quadratic does not follow the means ({p}).", opening(level)


def _shape(curve: DoseCurve, one: Doses, response: DoseResponse, numbers: bool = True) -> str:
    """What is shown of the curve: a bend and where it turns, a slope, or nothing. numbers: with its p-values?"""
    if curve.p_bend < one.experiment.alpha:
        return _bend(curve, one, response, numbers)
    slope, bend = (chance(p, one.experiment) for p in (curve.p_slope, curve.p_bend))
    if curve.p_slope < one.experiment.alpha:
        rises = "rises" if response.linear.estimate > 0 else "falls"
        return f"{rises} ({slope}); a bend is not shown ({bend})" if numbers else rises
    return f"is not shown to change{f' (slope {slope}, bend {bend})' * numbers}"


def _bend(curve: DoseCurve, one: Doses, response: DoseResponse, numbers: bool) -> str:
    """Whichever way: 'rises and then falls (bend Holm p < .001): the fitted curve is highest at 0.74 (...)'."""
    at, experiment = one.series.doses, one.experiment
    down = response.curvature is not None and response.curvature.estimate < 0
    p, top = f" ({chance(curve.p_bend, experiment)})" * numbers, "highest" if down else "lowest"
    rises = "rises" if response.linear.estimate > 0 else "falls"
    if response.peak is None:
        end = at[-1 if (rises == "rises") == down else 0]
        slope = f" ({chance(curve.p_slope, experiment)})" * numbers
        overall = f"{rises}{slope} and " if curve.p_slope < experiment.alpha else ""
        return f"{overall}bends{p}: the fitted curve is {top} at {end:g}, an end of what was tried"
    before, after = ("rises", "falls") if down else ("falls", "rises")
    peak = _turn_text(response, experiment) if numbers else _dose_text(response.peak, response)
    turn = f"the fitted curve is {top} at {peak}"
    starts, stops = response.peak_low <= at[0], response.peak_high >= at[-1]
    if starts and stops:
        return f"bends{p}, but where it is {top} these data do not bound"
    if starts:
        return f"bends{p} and {after} in the end: {turn}{f', and that it {before} at first is not shown' * numbers}"
    if stops:
        return f"{before} and bends{p}: {turn}{f', and that it {after} in the end is not shown' * numbers}"
    return f"{before} and then {after}{p.replace('(', '(bend ')}: {turn}"


def _best(curve: DoseCurve, experiment: Experiment) -> tuple[float, float, float] | None:
    """Where the fitted curve is best, and both ends of its interval.

    Only where it is shown to bend so that it has a best dose, rather than a worst, and no lack of fit is shown.
    """
    response = curve.response
    if response is None or response.peak is None or response.curvature is None or curve.note:
        return None
    bends = curve.p_bend < experiment.alpha and gain(response.curvature.estimate, experiment.metric) < 0
    claimed = bends and _fits(curve, experiment)
    return (response.peak, response.peak_low, response.peak_high) if claimed else None


def _fits(curve: DoseCurve, experiment: Experiment) -> bool:
    """No lack of fit is shown."""
    return not curve.p_misfit < experiment.alpha


def _turn_text(response: DoseResponse, experiment: Experiment) -> str:
    """The dose at which the fitted curve turns: '0.74 (95 % interval 0.52 to 0.89)'."""
    assert response.peak is not None
    at, low, high = (_dose_text(dose, response) for dose in (response.peak, response.peak_low, response.peak_high))
    return f"{at} ({percent(1 - experiment.alpha)} interval {low} to {high})"


def _dose_text(dose: float, response: DoseResponse) -> str:
    """A dose with as many digits as a hundredth of the range has."""
    width = float(np.ptp(response.measured.doses))
    return f"{round(dose, max(0, 2 - math.floor(math.log10(width)))):g}"


def _ends(one: Doses, response: DoseResponse) -> str:
    """'96.2 % at 0, 97.3 % at 0.75 (the highest mean) and 94.8 % at 2'."""
    means, metric = response.measured.value.tolist(), one.experiment.metric
    best, top = _best_mean(response, metric), "lowest" if METRICS[metric].lower_is_better else "highest"
    return listing(
        f"{value_text(means[index], metric)} at {one.series.doses[index]:g}{f' (the {top} mean)' * (index == best)}"
        for index in sorted({0, best, len(means) - 1})
    )


def _best_mean(response: DoseResponse, metric: str) -> int:
    """Which dose has it."""
    means = response.measured.value
    return int(np.argmin(means) if METRICS[metric].lower_is_better else np.argmax(means))


def table(every: Sequence[Doses]) -> Table:
    """A row a curve, a group a series."""
    experiment, level = every[0].experiment, f"{percent(1 - every[0].experiment.alpha)} interval"
    metric, alpha = experiment.metric, experiment.alpha

    def mean(index: int) -> Callable[[tuple[Doses, DoseCurve]], str]:
        return lambda row: value_text(row[1].response.measured.value[index], metric) if row[1].response else NONE

    def best_mean(row: tuple[Doses, DoseCurve]) -> str:
        one, curve = row
        if curve.response is None:
            return NONE
        top = _best_mean(curve.response, metric)
        return f"{one.series.doses[top]:g} ({value_text(curve.response.measured.value[top], metric)})"

    def best(row: tuple[Doses, DoseCurve]) -> str:
        _, curve = row
        if curve.response is None:
            return NONE
        return _turn_text(curve.response, experiment).replace(f"{level} ", "") if _best(curve, experiment) else NONE

    columns: dict[str, Column] = {
        "condition": ("condition", lambda row: _condition(*row)),
        "claim": ("claim", lambda row: _claim(*row)),
        "best": (f"curve is best at, {level}", best),
        "measured": ("best mean", best_mean),
        "weakest": ("at lowest dose", mean(0)),
        "strongest": ("at highest dose", mean(-1)),
        "p_slope": ("slope p", lambda row: p_text(row[1].p_slope, alpha)),
        "p_bend": ("bend p", lambda row: p_text(row[1].p_bend, alpha)),
        "lack": ("misfit p", lambda row: p_text(row[1].p_misfit, alpha)),
    }
    groups = tuple(
        Rows.of(columns, [(one, curve) for curve in one.curves], opening(one.series.magnitude)) for one in every
    )
    return Table(
        headings(columns),
        groups,
        _caption(every),
        words=frozenset({"claim", "best"}),
        keep=("claim", "measured"),
        spare=("p_slope", "p_bend", "lack"),
    )


def _claim(one: Doses, curve: DoseCurve) -> str:
    """What is shown of a curve, in a word or two: 'rises', 'bends', 'no quadratic', 'not shown'."""
    alpha = one.experiment.alpha
    if curve.response is None or curve.note:
        return curve.note if curve.response is None else "no claim"
    if not _fits(curve, one.experiment):
        return "no quadratic"
    if curve.p_bend < alpha:
        return "bends"
    if curve.p_slope < alpha:
        return "rises" if curve.response.linear.estimate > 0 else "falls"
    return "not shown"


def _condition(one: Doses, curve: DoseCurve) -> str:
    """'adam', or 'adam, 4 of 5 seeds'."""
    name = bare(heading(curve.condition, len(one.curves) - 1, one.experiment))
    missing = "" if curve.seeds == curve.planned else f", {out_of(curve.seeds, curve.planned, 'seed')}"
    return name + missing


def _caption(every: Sequence[Doses]) -> str:
    """How the table is to be read."""
    experiment, family = every[0].experiment, sum(one.questions * len(one.curves) for one in every)
    return (
        f"{opening(METRICS[experiment.metric].title)} as a mean over the seeds that finished at all doses. "
        "Slope p and bend p: of each seed's own curve, judged over seeds. Misfit p: whether the means leave a "
        "quadratic by more than chance; where it is small the curve is not to be trusted. All "
        f"{family} of these p-values, of every series and row, are one family for Holm's correction. "
        "The best mean was chosen because it came out best, so it "
        f"flatters its dose. Everything holds {bounds(experiment, seeds_alone=True)}."
    )


def figure(every: Sequence[Doses]) -> Figure | None:
    """The curves; None where no dose has two finished seeds."""
    known = [(one, [curve for curve in one.curves if curve.response is not None]) for one in every]
    drawn = [
        (one, curves if len(curves) <= MOST_PANELS else curves[-1:]) for one, curves in known if curves
    ][:MOST_SERIES]  # fmt: skip
    if not drawn:
        return None
    experiment, metric = every[0].experiment, METRICS[every[0].experiment.metric]
    level, rows = percent(1 - experiment.alpha), tuple(_dose_row(one, curves) for one, curves in drawn)
    text = (
        f"{_finding([one for one, _ in drawn])} Dots, joined by a thin line: one seed. Diamonds: means. Curve: a "
        f"quadratic in the dose, with its pointwise {level} interval over seeds; a quadratic cannot follow a cliff, so "
        "look at the means first."
    )
    if any(row.nothing for row in rows):
        text += " Dashed: the mean without the operation."
    if any(panel.best for row in rows for panel in row.panels):
        text += (
            f" Triangle and bar: where the curve is {'lowest' if metric.lower_is_better else 'highest'}, and all doses "
            f"at which it may be ({level}, Fieller 1954); only where it is shown to bend."
        )
    if any(len(curves) > MOST_PANELS for _, curves in known):
        text += " Drawn are the pooled curves."
    return Figure(rows, draw_doses, _alt([one for one, _ in drawn]), text, remarks=left_out)


def _finding(every: Sequence[Doses]) -> str:
    """Where the means are best: '89.0 % at 0.3 is the highest mean.'"""
    parts = []
    for one in every:
        response = next(curve.response for curve in reversed(one.curves) if curve.response is not None)
        best, metric = _best_mean(response, one.experiment.metric), one.experiment.metric
        value = f"{value_text(response.measured.value.tolist()[best], metric)} at {one.series.doses[best]:g}"
        parts.append(f"{value} ({one.series.magnitude})" if len(every) > 1 else value)
    top = "lowest" if METRICS[every[0].experiment.metric].lower_is_better else "highest"
    return f"The {top} {'mean is' if len(parts) == 1 else 'means are'} {listing(parts)}."


def _alt(every: Sequence[Doses]) -> str:
    """A curve of each series in numbers, of the condition that decides where it is known."""
    title, parts = METRICS[every[0].experiment.metric].title, []
    for one in every:
        response = next(curve.response for curve in reversed(one.curves) if curve.response is not None)
        parts.append(f"{one.series.magnitude}, {_ends(one, response)}")
    panels = counted(max(len(one.curves) for one in every), "panel")
    return plain(f"{opening(title)} against the dose, in {panels}: {'; '.join(parts)}")


def _dose_row(one: Doses, curves: Sequence[DoseCurve]) -> DoseRow:
    series = one.series
    names = [bare(heading(curve.condition, len(one.curves) - 1, one.experiment)) for curve in curves]
    panels = tuple(_panel(name, curve, one.experiment) for name, curve in zip(names, curves, strict=True))
    nothing = (series.nothing, series.recipes.index(series.nothing)) if series.nothing else None
    return DoseRow(series.magnitude, measure(one.experiment.metric), panels, nothing)


def _panel(title: str, curve: DoseCurve, experiment: Experiment) -> DosePanel:
    """In shown units."""
    assert curve.response is not None
    best, top = _best(curve, experiment), "lowest" if METRICS[experiment.metric].lower_is_better else "highest"
    text = f"{top} at {_dose_text(best[0], curve.response)}" if best else ""
    drawn = CurvePanel.of(title, curve.response, curve.scores, experiment.metric)
    return DosePanel(drawn, best, text, curve.pooled)
