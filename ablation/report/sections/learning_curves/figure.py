"""Learning curves: what each recipe's runs did over the epochs, as a mean over seeds with a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.report.charts import ACROSS
from ablation.report.style import WIDTH, Style, drawing, figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES = ("validation accuracy (%)", "training loss (nats)")


@dataclass(frozen=True, eq=False)
class Curve:
    """One recipe over the epochs: epoch, mean and sd (E,), sd nan where fewer than two runs got so far."""

    recipe: str
    epoch: NDArray[np.float64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    seeds: int


@dataclass(frozen=True)
class Panel:
    """One condition: validation accuracy in percent, and training loss in nats."""

    title: str
    accuracy: tuple[Curve, ...]
    loss: tuple[Curve, ...]


@dataclass(frozen=True)
class CurvesInfo:
    """Every condition, and the recipes that any of them has."""

    panels: tuple[Panel, ...]
    recipes: tuple[str, ...]


def mean_and_sd(recipe: str, runs: list[list[tuple[int, float]]]) -> Curve:
    """The curve of a recipe from its runs, each a list of (epoch, score)."""
    scores: dict[int, list[float]] = {}
    for run in runs:
        for epoch, score in run:
            scores.setdefault(epoch, []).append(score)
    epochs = sorted(scores)
    means = np.array([np.mean(scores[epoch]) for epoch in epochs])
    sds = np.array([np.std(scores[epoch], ddof=1) if len(scores[epoch]) > 1 else np.nan for epoch in epochs])
    return Curve(recipe, np.array(epochs, dtype=float), means, sds, len(runs))


def draw_curves(info: CurvesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Accuracy over loss, a column a condition, on one scale each.

    axes: two a condition (accuracy, loss, accuracy, ...), by default new ones with a legend above them.
    """
    with drawing():
        axes = _new_axes(info, look) if axes is None else axes
        for index, panel in enumerate(info.panels):
            upper, lower = axes[2 * index : 2 * index + 2]
            upper.set_title(shortened(panel.title, 96 // min(len(info.panels), ACROSS)))
            lower.set_xlabel("epoch")
            _draw(upper, panel.accuracy, look)
            _draw(lower, panel.loss, look)
        for row, name in enumerate(MEASURES):
            _share_scale(axes[row::2], name)
    return axes


def _new_axes(info: CurvesInfo, look: Mapping[str, Style]) -> list[Axes]:
    """Two rows of axes to a band of at most three conditions."""
    from matplotlib.lines import Line2D

    count = len(info.panels)
    bands, across, legend_rows = -(-count // ACROSS), min(count, ACROSS), -(-len(info.recipes) // 6)
    made = figure(5.0 * bands + 0.3 * legend_rows, WIDTH)
    made.get_layout_engine().set(hspace=0.05, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    grid = made.subplots(2 * bands, across, squeeze=False, height_ratios=[3, 2] * bands)
    pairs = [pair for band in range(bands) for pair in zip(grid[2 * band], grid[2 * band + 1], strict=True)]
    for empty in (axes for pair in pairs[count:] for axes in pair):
        empty.set_visible(False)
    lines = [Line2D([], [], color=look[name].color, linestyle=look[name].dash, linewidth=2.4) for name in info.recipes]
    names = [shortened(name, 30) for name in info.recipes]
    made.legend(lines, names, loc="outside upper left", ncols=min(len(names), 6), handlelength=2.2)
    return [axes for pair in pairs[:count] for axes in pair]


def _draw(axes: Axes, curves: tuple[Curve, ...], look: Mapping[str, Style]) -> None:
    axes.grid(axis="y")
    for curve in curves:
        style, band = look[curve.recipe], np.nan_to_num(curve.sd)
        marker = style.marker if len(curve.epoch) == 1 else None
        axes.fill_between(curve.epoch, curve.mean - band, curve.mean + band, color=style.color, alpha=0.13, linewidth=0)
        axes.plot(curve.epoch, curve.mean, color=style.color, linestyle=style.dash, marker=marker)


def _share_scale(row: Sequence[Axes], name: str) -> None:
    """One scale for all conditions, named on the left edge."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(axes.get_ylim()[0] for axes in row), max(axes.get_ylim()[1] for axes in row)
    for index, axes in enumerate(row):
        first = index % ACROSS == 0
        axes.set_ylim(low, high)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.set_ylabel(name if first else "")
        axes.tick_params(labelleft=first)
