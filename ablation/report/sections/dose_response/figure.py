"""Dose curves: scores against the strength of an operation, seed by seed, with the fitted curve and its band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.report.charts import ACROSS, CurvePanel, common_limits, draw_curve, name_ticks
from ablation.report.style import COLORS, INK, SOFT, Style, drawing, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DosePanel:
    """A curve under one condition, or pooled. best: where it is best and the ends of its interval, where claimed.

    best_text: the same in words.
    """

    curve: CurvePanel
    best: tuple[float, float, float] | None = None
    best_text: str = ""
    pooled: bool = False


@dataclass(frozen=True)
class DoseRow:
    """One series. nothing: the recipe without the operation, and which of the doses it is, where it is one."""

    magnitude: str
    panels: tuple[DosePanel, ...]
    nothing: tuple[str, int] | None = None


@dataclass(frozen=True)
class DosesInfo:
    """measure: what the scores are."""

    rows: tuple[DoseRow, ...]
    measure: str
    lower_is_better: bool = False


def draw_doses(info: DosesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A panel a condition; the panels of one series share their scale. axes: one a panel, by default new ones."""
    panels = [(row, panel) for row in info.rows for panel in row.panels]
    with drawing():
        axes = new_panels([len(row.panels) for row in info.rows], ACROSS) if axes is None else axes
        for spot, (row, panel) in zip(axes, panels, strict=True):
            first = row.panels.index(panel) % ACROSS == 0
            _draw_panel(spot, row, panel, look, common_limits([other.curve for other in row.panels]))
            spot.tick_params(labelleft=first)
            spot.set_ylabel(info.measure if first else "")
    return axes


def _draw_panel(
    axes: Axes, row: DoseRow, panel: DosePanel, look: Mapping[str, Style], limits: tuple[float, float]
) -> None:
    curve, color = panel.curve, INK if panel.pooled else COLORS[0]
    axes.set_xlabel(shortened(row.magnitude, 60))
    axes.set_ylim(*limits)
    draw_curve(axes, curve, color)
    name_ticks(axes, curve.at, [f"{dose:g}" for dose in curve.at])
    if row.nothing:
        name, index = row.nothing
        grey = look[name].color
        axes.axhline(curve.mean[index], color=grey, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
        axes.plot(curve.at[index], curve.mean[index], "D", markersize=7, color=grey, markeredgecolor="white", zorder=5)
        right, frame = (1.0, curve.mean[index]), ("axes fraction", "data")
        axes.annotate(shortened(name, 20), right, (-2, 3), frame, "offset points", ha="right", color=SOFT, fontsize=8)
    if panel.best:
        best, low, high = panel.best
        foot = limits[0] + 0.03 * (limits[1] - limits[0])
        axes.plot([low, high], [foot, foot], color=color, linewidth=3, solid_capstyle="butt", alpha=0.45)
        axes.plot([best], [foot], marker="^", markersize=8, color=color, markeredgecolor="white", clip_on=False)
        axes.axvline(best, color=color, linewidth=0.9, linestyle=(0, (1, 2)))
        left = best < (curve.at[0] + curve.at[-1]) / 2  # the words stand where there is more room
        spot, side = ((high, foot), "left") if left else ((low, foot), "right")
        away = (6 if left else -6, 0)
        axes.annotate(
            panel.best_text, spot, away, "data", "offset points", ha=side, va="center", color=SOFT, fontsize=8
        ).set_in_layout(False)
