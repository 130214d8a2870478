"""Learning curves: validation accuracy and training loss by epoch, mean and sd over the finished runs."""

from __future__ import annotations

from collections.abc import Mapping

from ablation.evidence.study import Study
from ablation.experiment.labels import condition_text
from ablation.experiment.record import RunRecord
from ablation.report.section import Figure, Section
from ablation.report.sections.learning_curves.figure import Curve, CurvesInfo, Panel, draw_curves, mean_and_sd

Groups = Mapping[str, list[RunRecord]]
"""Recipe -> its runs under one condition, one a seed."""


def learning_curves(study: Study) -> Section | None:
    """None where no run has finished."""
    panels = _finished(study)
    if not panels:
        return None
    trained = {recipe for groups in panels.values() for recipe in groups}
    info = CurvesInfo(
        tuple(
            Panel(title, _curves(groups, "val_accuracy", 100), _curves(groups, "train_loss", 1))
            for title, groups in panels.items()
        ),
        tuple(recipe for recipe in study.experiment.recipes if recipe in trained),
    )
    caption = (
        "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over "
        "seeds. Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
    )
    figure = Figure(info, draw_curves, "Learning curves by recipe and condition", caption)
    return Section("learning_curves", "Learning curves", figures=(figure,))


def _finished(study: Study) -> dict[str, dict[str, list[RunRecord]]]:
    """Condition -> recipe -> the records of its finished runs, in the order of the grid."""
    panels: dict[str, dict[str, list[RunRecord]]] = {}
    for cell in study.results.cells:
        record = study.records.get(cell.spec.id)
        if record is not None and record.outcome == "finished":
            others = {factor: level for factor, level in cell.factors.items() if factor != "recipe"}
            groups = panels.setdefault(condition_text(others, study.experiment), {})
            groups.setdefault(cell.factors["recipe"], []).append(record)
    return panels


def _curves(groups: Groups, column: str, scale: float) -> tuple[Curve, ...]:
    def scores(run: RunRecord) -> list[tuple[int, float]]:
        return [(epoch["epoch"], scale * epoch[column]) for epoch in run.history if epoch.get(column) is not None]

    return tuple(mean_and_sd(recipe, [scores(run) for run in runs]) for recipe, runs in groups.items())
