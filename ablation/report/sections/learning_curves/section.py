"""Learning curves: loss and accuracy by epoch, mean and sd over runs."""

from __future__ import annotations

from collections.abc import Mapping

from ablation.experiment.labels import condition_text
from ablation.experiment.record import RunRecord
from ablation.experiment.results import Results
from ablation.report.section import Scene
from ablation.report.sections.learning_curves.figure import Curve, CurvesInfo, Panel, mean_and_sd


def curves_scene(results: Results, records: Mapping[str, RunRecord]) -> Scene | None:
    """Learning curves of the finished runs; None where there is none."""
    experiment = results.experiment
    panels: dict[str, dict[str, list[RunRecord]]] = {}
    for cell in results.cells:
        record = records.get(cell.spec.id)
        if record is not None and record.outcome == "finished":
            others = {factor: level for factor, level in cell.factors.items() if factor != "recipe"}
            arms = panels.setdefault(condition_text(others, experiment), {})
            arms.setdefault(cell.factors["recipe"], []).append(record)
    if not panels:
        return None
    seen = {recipe for arms in panels.values() for recipe in arms}
    info = CurvesInfo(
        tuple(
            Panel(title, _curves(arms, "val_accuracy", 100), _curves(arms, "train_loss", 1))
            for title, arms in panels.items()
        ),
        tuple(recipe for recipe in experiment.recipes if recipe in seen),
    )
    caption = (
        "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over "
        "seeds. Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
    )
    return Scene(info, "Learning curves by recipe and condition", caption)


def _curves(arms: Mapping[str, list[RunRecord]], column: str, scale: float) -> tuple[Curve, ...]:
    told = []
    for recipe, runs in arms.items():
        scores = [[(e["epoch"], scale * e[column]) for e in run.history if e.get(column) is not None] for run in runs]
        told.append(mean_and_sd(recipe, scores))
    return tuple(told)
