"""Learning curves: validation accuracy and training loss by epoch, a mean over seeds with a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ablation.evidence.study import Study
from ablation.experiment.labels import condition_text
from ablation.report.charts import ACROSS
from ablation.report.section import Figure, Section
from ablation.report.style import WIDTH, Style, drawing, figure, marked, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES = {"val_accuracy": "validation accuracy (%)", "train_loss": "training loss (nats)"}
"""Columns of the curves -> what their axes are called."""

CAPTION = (
    "Validation accuracy and training loss over the epochs: mean over the seeds that finished, band ± 1 sd over seeds. "
    "Training loss is measured on augmented images, so a recipe that makes training harder lies higher."
)


def learning_curves(study: Study) -> Section | None:
    """None where no run has finished."""
    curves = curves_of(study)
    if curves.empty:
        return None
    drawn = Figure(curves, draw_curves, "Learning curves by recipe and condition", CAPTION)
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


def draw_curves(curves: pd.DataFrame, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Accuracy over loss, a column a condition, on one scale each. curves: see `curves_of`.

    axes: two a condition (accuracy, loss, accuracy, ...), by default new ones under a legend.
    """
    conditions = list(curves.groupby("condition", sort=False))
    with drawing():
        axes = _new_axes(len(conditions), list(dict.fromkeys(curves["recipe"])), look) if axes is None else axes
        for index, (title, condition) in enumerate(conditions):
            upper, lower = axes[2 * index : 2 * index + 2]
            upper.set_title(shortened(str(title), 96 // min(len(conditions), ACROSS)))
            lower.set_xlabel("epoch")
            for measure, panel in zip(MEASURES, (upper, lower), strict=True):
                panel.grid(axis="y")
                for recipe, curve in condition.dropna(subset=[measure]).groupby("recipe", sort=False):
                    with marked(panel, look[str(recipe)]):
                        sd = curve[f"{measure}_sd"].fillna(0)
                        _draw(panel, curve["epoch"], curve[measure], sd, look[str(recipe)])
        for row, name in enumerate(MEASURES.values()):
            _share_scale(axes[row::2], name)
    return axes


def _new_axes(conditions: int, recipes: Sequence[str], look: Mapping[str, Style]) -> list[Axes]:
    """Two rows of axes to a band of at most three conditions."""
    from matplotlib.lines import Line2D

    bands, across, legend_rows = -(-conditions // ACROSS), min(conditions, ACROSS), -(-len(recipes) // 6)
    made = figure(5.0 * bands + 0.3 * legend_rows, WIDTH)
    made.get_layout_engine().set(hspace=0.05, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(2 * bands, across, squeeze=False, height_ratios=[3, 2] * bands)
    pairs = [pair for band in range(bands) for pair in zip(grid[2 * band], grid[2 * band + 1], strict=True)]
    for empty in (axes for pair in pairs[conditions:] for axes in pair):
        empty.set_visible(False)
    lines = [Line2D([], [], color=look[name].color, linestyle=look[name].dash, linewidth=2.4) for name in recipes]
    names = [shortened(name, 30) for name in recipes]
    made.legend(lines, names, loc="outside upper left", ncols=min(len(names), 6), handlelength=2.2)
    return [axes for pair in pairs[:conditions] for axes in pair]


def _draw(axes: Axes, epochs: pd.Series, mean: pd.Series, sd: pd.Series, style: Style) -> None:
    axes.fill_between(epochs, mean - sd, mean + sd, color=style.color, alpha=0.13, linewidth=0)
    axes.plot(epochs, mean, color=style.color, linestyle=style.dash, marker=style.marker if len(epochs) == 1 else None)


def _share_scale(row: Sequence[Axes], name: str) -> None:
    """One scale for all conditions, named on the left edge."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(axes.get_ylim()[0] for axes in row), max(axes.get_ylim()[1] for axes in row)
    for index, axes in enumerate(row):
        first = index % ACROSS == 0
        axes.set(ylim=(low, high), ylabel=name if first else "")
        axes.tick_params(labelleft=first)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
