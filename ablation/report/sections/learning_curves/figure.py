"""Learning curves: what each recipe's runs did over the epochs, as a mean over seeds with a band of one sd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ablation.report.style import WIDTH, Style, drawing, figure, shortened

ACROSS = 3  # panels side by side


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


def draw_curves(info: CurvesInfo, look: Mapping[str, Style]) -> Figure:
    """A column of two panels a condition, accuracy over loss, three columns to a band; all share their scales."""
    bands = [info.panels[start : start + ACROSS] for start in range(0, len(info.panels), ACROSS)]
    across = max(len(band) for band in bands)
    legend_rows = -(-len(info.recipes) // 6)
    with drawing():
        made = figure(5.0 * len(bands) + 0.3 * legend_rows, WIDTH)
        made.get_layout_engine().set(hspace=0.05, h_pad=0.08)  # type: ignore[union-attr, call-arg]
        axes = made.subplots(2 * len(bands), across, squeeze=False, height_ratios=[3, 2] * len(bands))
        for place, panel in enumerate(info.panels):
            band, column = divmod(place, ACROSS)
            upper, lower = axes[2 * band][column], axes[2 * band + 1][column]
            upper.set_title(shortened(panel.title, 96 // across))
            _draw(upper, panel.accuracy, look)
            _draw(lower, panel.loss, look)
            lower.set_xlabel("epoch")
        _label(axes, len(info.panels), across)
        _legend(made, info, look)
    return made


def _draw(axes: Axes, curves: tuple[Curve, ...], look: Mapping[str, Style]) -> None:
    axes.grid(axis="y")
    for curve in curves:
        style = look[curve.recipe]
        band = np.nan_to_num(curve.sd)
        marker = style.marker if len(curve.epoch) == 1 else None
        axes.fill_between(curve.epoch, curve.mean - band, curve.mean + band, color=style.color, alpha=0.13, linewidth=0)
        axes.plot(curve.epoch, curve.mean, color=style.color, linestyle=style.dash, marker=marker)


def _label(axes: Any, panels: int, across: int) -> None:
    """Names on the left edge, one scale for each kind of panel, and no empty frames."""
    for kind, name in ((0, "validation accuracy (%)"), (1, "training loss (nats)")):
        rows = axes[kind::2]
        used = list(rows.flat)[:panels]
        low, high = min(a.get_ylim()[0] for a in used), max(a.get_ylim()[1] for a in used)
        for place, panel in enumerate(rows.flat):
            panel.set_ylim(low, high)
            panel.xaxis.get_major_locator().set_params(integer=True)
            if place % across == 0:
                panel.set_ylabel(name)
            else:
                panel.tick_params(labelleft=False)
            panel.set_visible(place < panels)


def _legend(made: Figure, info: CurvesInfo, look: Mapping[str, Style]) -> None:
    lines = [Line2D([], [], color=look[name].color, linestyle=look[name].dash, linewidth=2.4) for name in info.recipes]
    names = [shortened(name, 30) for name in info.recipes]
    made.legend(lines, names, loc="outside upper left", ncols=min(len(names), 6), handlelength=2.2)
