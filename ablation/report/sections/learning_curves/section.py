"""Learning curves: validation accuracy and training loss by epoch, mean and sd over the finished runs."""

from __future__ import annotations

import pandas as pd

from ablation.evidence.study import Study
from ablation.experiment.labels import condition_text
from ablation.report.section import Figure, Section
from ablation.report.sections.learning_curves.figure import MEASURES, draw_curves

CAPTION = (
    "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over seeds. "
    "Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
)


def learning_curves(study: Study) -> Section | None:
    """None where no run has finished."""
    curves = curves_of(study)
    if curves.empty:
        return None
    figure = Figure(curves, draw_curves, "Learning curves by recipe and condition", CAPTION)
    return Section("learning_curves", "Learning curves", figures=(figure,))


def curves_of(study: Study) -> pd.DataFrame:
    """A row an epoch of each condition and recipe, in the order of the grid.

    Columns: condition, recipe, epoch; val_accuracy (in percent) and train_loss as means over the runs that got so far;
    val_accuracy_sd and train_loss_sd, nan where only one did.
    """
    rows = []
    for cell in study.results.cells:
        record = study.records.get(cell.spec.id)
        if record is not None and record.outcome == "finished":
            others = {factor: level for factor, level in cell.factors.items() if factor != "recipe"}
            curve = {"condition": condition_text(others, study.experiment), "recipe": cell.factors["recipe"]}
            rows += [curve | {key: epoch.get(key) for key in ("epoch", *MEASURES)} for epoch in record.history]
    keys = ["condition", "recipe", "epoch"]
    epochs = pd.DataFrame(rows, columns=[*keys, *MEASURES]).astype(dict.fromkeys(MEASURES, float))
    epochs["val_accuracy"] *= 100
    by_epoch = epochs.groupby(keys, sort=False)
    curves = by_epoch.mean().join(by_epoch.std().add_suffix("_sd")).reset_index()
    return curves.sort_values("epoch", kind="stable", ignore_index=True)
