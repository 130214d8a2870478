"""Learning curves: validation accuracy and training loss by epoch, a mean over seeds with a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ablation.evidence.study import Study
from ablation.experiment.labels import condition_text
from ablation.report.charts import ACROSS, MOST_ENDS, label_ends, line_of
from ablation.report.section import Figure, Section
from ablation.report.style import WIDTH, Style, drawing, figure, marked, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES = {"val_accuracy": "validation accuracy (%)", "train_loss": "training loss (nats)"}
"""Columns of the curves -> what their axes are called."""

MOST_CONDITIONS = 2 * ACROSS
"""Conditions that are drawn."""

CAPTION = (
    "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over seeds. "
    "Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
)


def learning_curves(study: Study) -> Section | None:
    """None where no run has finished."""
    curves = curves_of(study)
    if curves.empty:
        return None
    drawn = Figure(curves, draw_curves, "Learning curves by recipe and condition", CAPTION, remarks=left_out)
    return Section("learning_curves", "Learning curves", figures=(drawn,))


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


def foremost(curves: pd.DataFrame) -> pd.DataFrame:
    """What is drawn: all, or the first conditions and the recipes with the best accuracy at the end."""
    kept = curves[curves["condition"].isin(curves["condition"].unique()[:MOST_CONDITIONS])]
    if kept["recipe"].nunique() <= MOST_ENDS:
        return kept
    ends = kept.dropna(subset=["val_accuracy"]).groupby(["recipe", "condition"], sort=False)["val_accuracy"].last()
    best = ends.groupby("recipe", sort=False).mean().sort_values(ascending=False, kind="stable").index
    return kept[kept["recipe"].isin(best[:MOST_ENDS])]


def left_out(curves: pd.DataFrame) -> tuple[str, ...]:
    """A sentence on what is not drawn; none where everything is."""
    drawn, parts = foremost(curves), []
    if drawn["recipe"].nunique() < curves["recipe"].nunique():
        best = "with the best validation accuracy at the end"
        parts.append(f"the {MOST_ENDS} of {curves['recipe'].nunique()} recipes {best}")
    if drawn["condition"].nunique() < curves["condition"].nunique():
        parts.append(f"the first {MOST_CONDITIONS} of {curves['condition'].nunique()} conditions")
    return (f"Drawn are {' under '.join(parts)}.",) if parts else ()


def draw_curves(curves: pd.DataFrame, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Accuracy over loss, a column a condition, on one scale each. curves: see `curves_of`.

    axes: two a condition (accuracy, loss, accuracy, ...), by default new ones.
    """
    conditions = list(foremost(curves).groupby("condition", sort=False))
    with drawing():
        axes = _new_axes(len(conditions)) if axes is None else axes
        for index, (title, condition) in enumerate(conditions):
            upper, lower = axes[2 * index : 2 * index + 2]
            upper.set_title(shortened(str(title), 90 // min(len(conditions), ACROSS)))
            lower.set_xlabel("epoch")
            for measure, panel in zip(MEASURES, (upper, lower), strict=True):
                panel.grid(axis="y")
                for recipe, curve in condition.dropna(subset=[measure]).groupby("recipe", sort=False):
                    with marked(panel, look[str(recipe)]):
                        sd = curve[f"{measure}_sd"].fillna(0)
                        _draw(panel, curve["epoch"], curve[measure], sd, look[str(recipe)])
        for row, name in enumerate(MEASURES.values()):
            _share_scale(axes[row::2], name)
        for index, (_, condition) in enumerate(conditions):
            if index % ACROSS == ACROSS - 1 or index == len(conditions) - 1:
                label_ends(axes[2 * index], _ends(condition, look))
    return axes


def _ends(condition: pd.DataFrame, look: Mapping[str, Style]) -> list[tuple[float, float, str, Style]]:
    """Where each recipe's accuracy ends."""
    last = condition.dropna(subset=["val_accuracy"]).groupby("recipe", sort=False)[["epoch", "val_accuracy"]].last()
    places = zip(map(str, last.index), last.to_numpy(float).tolist(), strict=True)
    return [(epoch, accuracy, recipe, look[recipe]) for recipe, (epoch, accuracy) in places]


def _new_axes(conditions: int) -> list[Axes]:
    """Two rows of axes to a band of at most three conditions."""
    bands, across = -(-conditions // ACROSS), min(conditions, ACROSS)
    made = figure(4.7 * bands, min(WIDTH, 2.0 + 4.0 * across))
    made.get_layout_engine().set(hspace=0.05, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(2 * bands, across, squeeze=False, height_ratios=[3, 2] * bands)
    pairs = [pair for band in range(bands) for pair in zip(grid[2 * band], grid[2 * band + 1], strict=True)]
    for empty in (axes for pair in pairs[conditions:] for axes in pair):
        empty.set_visible(False)
    return [axes for pair in pairs[:conditions] for axes in pair]


def _draw(axes: Axes, epochs: pd.Series, mean: pd.Series, sd: pd.Series, style: Style) -> None:
    axes.fill_between(epochs, mean - sd, mean + sd, color=style.color, alpha=0.11, linewidth=0)
    axes.plot(epochs, mean, **line_of(style, len(epochs)))


def _share_scale(row: Sequence[Axes], name: str) -> None:
    """One scale for all conditions, named on the left edge."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(axes.get_ylim()[0] for axes in row), max(axes.get_ylim()[1] for axes in row)
    for index, axes in enumerate(row):
        first = index % ACROSS == 0
        axes.set(ylim=(low, high), ylabel=name if first else "")
        axes.tick_params(labelleft=first)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.margins(x=0.01)
