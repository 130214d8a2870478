"""How strong an operation should be, as a section: sentences, a table and a picture. From evidence to what is told."""

from __future__ import annotations

import numpy as np

from ablation.analysis.metrics import METRICS
from ablation.core.text import NONE, opening, p_text, percent
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.report.charts import CurvePanel
from ablation.report.section import Figure, Rows, Section, Table
from ablation.report.sections.dose_response.compute import DoseCurve, Doses, doses, questions
from ablation.report.sections.dose_response.figure import DosePanel, DoseRow, DosesInfo, draw_doses
from ablation.report.sections.dose_response.text import asks, best_text, claimed_best, dose_text, sentence
from ablation.report.text import beside, heading, measure, scale, seeds_bounds, value_text

MOST_PANELS, MOST_LADDERS = 6, 6
"""Of a picture: with more conditions it shows the pooled curves only; the longest ladders."""


def dose_response(study: Study) -> Section | None:
    """None where the recipes hold no series of doses."""
    experiment = study.experiment
    found = doses(study.results)
    if not found:
        return None
    rows = tuple(rows for one in found for rows in _groups(one, experiment))
    shown = figure(found, experiment)
    return Section(
        "dose_response",
        "How strong should it be?",
        asks(found),
        tuple(sentence(one, experiment) for one in found),
        (shown,) if shown else (),
        (Table(headers(experiment), rows, caption(found, experiment), frozenset({"best"}), keep=("best",)),),
    )


def headers(experiment: Experiment) -> dict[str, str]:
    """Column -> heading."""
    return {
        "condition": "",
        "weakest": "at lowest dose",
        "strongest": "at highest dose",
        "measured": "best mean",
        "p_slope": "slope p",
        "p_bend": "bend p",
        "lack": "misfit p",
        "best": f"curve is best at, {percent(1 - experiment.alpha)} interval",
    }


def _groups(one: Doses, experiment: Experiment) -> tuple[Rows, ...]:
    return (Rows(tuple(_row(one, curve, experiment) for curve in one.found), one.ladder.magnitude),)


def _row(one: Doses, curve: DoseCurve, experiment: Experiment) -> dict[str, str]:
    row = dict.fromkeys(headers(experiment), NONE)
    row |= {"condition": beside(heading(curve.condition, len(one.found) - 1, experiment), curve.seeds, curve.planned)}
    if curve.response is None:
        return row | {"best": curve.note}
    means = curve.response.measured.value
    doses, metric = one.ladder.doses, experiment.metric
    top = int(np.argmin(means) if METRICS[metric].lower_is_better else np.argmax(means))
    return row | {
        "weakest": value_text(means[0], metric),
        "strongest": value_text(means[-1], metric),
        "p_slope": p_text(curve.p_slope, experiment.alpha),
        "p_bend": p_text(curve.p_bend, experiment.alpha),
        "lack": p_text(curve.p_misfit, experiment.alpha),
        "measured": f"{doses[top]:g} ({value_text(means[top], metric)})",
        "best": best_text(curve, experiment).replace(f"{percent(1 - experiment.alpha)} interval ", ""),
    }


def caption(found: tuple[Doses, ...], experiment: Experiment) -> str:
    """How the table is to be read."""
    family = sum(questions(one.ladder) * len(one.found) for one in found)
    return (
        f"{opening(METRICS[experiment.metric].title)} as a mean over the seeds that finished at all doses. "
        "Slope p and bend p: of each seed's own curve, judged over seeds. Misfit p: whether the means leave a "
        "quadratic by more than chance; where it is small the curve is not to be trusted. All "
        f"{family} of these p-values, of every ladder and row, are one family for Holm's correction. "
        "The best mean was chosen because it came out best, so it "
        f"flatters its dose. Everything holds {seeds_bounds(experiment)}."
    )


def figure(found: tuple[Doses, ...], experiment: Experiment) -> Figure | None:
    """The curves; None where no dose has two finished seeds."""
    drawn = [(one, _drawn(one)) for one in found]
    drawn = [(one, curves) for one, curves in drawn if curves][:MOST_LADDERS]
    if not drawn:
        return None
    rows = tuple(_dose_row(one, curves, experiment) for one, curves in drawn)
    lower = METRICS[experiment.metric].lower_is_better
    info = DosesInfo(rows, measure(experiment.metric), lower)
    told = (
        f"Dots, joined by a thin line: one seed. Diamonds: means. Curve: a quadratic in the dose, with its pointwise "
        f"{percent(1 - experiment.alpha)} interval over seeds; a quadratic cannot follow a cliff, so look at the "
        "means first."
    )
    if any(row.nothing for row in rows):
        told += " Dashed: the mean without the operation."
    if any(panel.best for row in rows for panel in row.panels):
        told += (
            f" Triangle and bar: where the curve is {'lowest' if lower else 'highest'}, and all doses at which it may "
            f"be ({percent(1 - experiment.alpha)}, Fieller 1954); only where it is shown to bend."
        )
    if any(len(_drawable(one)) > len(curves) for one, curves in drawn):
        told += " Drawn are the pooled curves."
    what = f"{opening(METRICS[experiment.metric].title)} against the dose, a curve for each condition"
    return Figure(info, draw_doses, what, told)


def _drawable(one: Doses) -> list[DoseCurve]:
    return [curve for curve in one.found if curve.response is not None]


def _drawn(one: Doses) -> list[DoseCurve]:
    curves = _drawable(one)
    return curves if len(curves) <= MOST_PANELS else curves[-1:]


def _dose_row(one: Doses, curves: list[DoseCurve], experiment: Experiment) -> DoseRow:
    ladder = one.ladder
    titles = [heading(curve.condition, len(one.found) - 1, experiment) for curve in curves]
    panels = tuple(_panel(title, curve, experiment) for title, curve in zip(titles, curves, strict=True))
    nothing = (ladder.nothing, ladder.recipes.index(ladder.nothing)) if ladder.nothing else None
    return DoseRow(ladder.magnitude, panels, nothing)


def _panel(title: str, curve: DoseCurve, experiment: Experiment) -> DosePanel:
    """In shown units."""
    assert curve.response is not None
    measured, fit, times = curve.response.measured, curve.response.curve, scale(experiment.metric)
    drawn = CurvePanel(
        title, measured.doses, times * np.array(curve.scores), times * measured.value, fit.doses, times * fit.value,
        times * fit.low, times * fit.high,
    )  # fmt: skip
    best = claimed_best(curve, experiment)
    top = "lowest" if METRICS[experiment.metric].lower_is_better else "highest"
    text = f"{top} at {dose_text(best[0], curve.response)}" if best else ""
    return DosePanel(drawn, best, text, curve.pooled)
