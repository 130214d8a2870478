"""Scores against the dose: a panel a condition, with each seed, the means, and the curve with its band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablation.report.charts import ACROSS, LONGEST_END, CurvePanel, common_limits, draw_curve, name_ticks
from ablation.report.style import COLORS, INK, PAPER, SOFT, WIDTH, Style, drawing, mark, marked, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    """One series. measure: what the scores are. nothing: the recipe without the operation, and which dose it is."""

    magnitude: str
    measure: str
    panels: tuple[DosePanel, ...]
    nothing: tuple[str, int] | None = None


MOST_BANDS = 4
"""Rows of panels."""


def drawn(rows: Sequence[DoseRow]) -> tuple[DoseRow, ...]:
    """All panels, or the last of each series, the pooled one, where a screen does not show all."""
    bands = sum(-(-len(row.panels) // ACROSS) for row in rows)
    return tuple(rows) if bands <= MOST_BANDS else tuple(replace(row, panels=row.panels[-1:]) for row in rows)


def left_out(rows: Sequence[DoseRow]) -> tuple[str, ...]:
    """A sentence on what is not drawn; none where everything is."""
    return ("Drawn is the last curve of each series; all are in the table.",) * (drawn(rows) != tuple(rows))


def draw_doses(
    rows: Sequence[DoseRow], look: Mapping[str, Style], axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """A panel a condition; the panels of one series share their scale. axes: one a panel, by default new ones."""
    rows = drawn(rows)
    panels = [(row, index, panel) for row in rows for index, panel in enumerate(row.panels)]
    with drawing():
        axes = _new_axes(rows) if axes is None else axes
        for spot, (row, index, panel) in zip(axes, panels, strict=True):
            _draw_panel(spot, panel, look, row, common_limits([other.curve for other in row.panels]))
            spot.tick_params(labelleft=index % ACROSS == 0)
            spot.set_ylabel(row.measure if index % ACROSS == 0 else "")
            if row.nothing and (index % ACROSS == ACROSS - 1 or index == len(row.panels) - 1):
                _name_nothing(spot, panel.curve, row.nothing, look)
    return axes


def _new_axes(rows: Sequence[DoseRow]) -> list[Axes]:
    """Series of one panel stand side by side, others below each other."""
    single = all(len(row.panels) == 1 for row in rows)
    blocks = [len(rows)] if single else [len(row.panels) for row in rows]
    return new_panels(blocks, ACROSS, 3.3 if len(blocks) < 3 else 2.9, min(WIDTH, 1.3 + 3.2 * max(blocks)))


def _name_nothing(axes: Axes, curve: CurvePanel, nothing: tuple[str, int], look: Mapping[str, Style]) -> None:
    """The recipe without the operation, beside its line."""
    name, index = nothing
    text = axes.annotate(
        shortened(name, LONGEST_END), (1, curve.mean[index]), (4, 0), ("axes fraction", "data"), "offset points",
        va="center", color=look[name].text, weight="bold", size=8.5, annotation_clip=False,
    )  # fmt: skip
    mark(text, look[name])


def _draw_panel(
    axes: Axes, panel: DosePanel, look: Mapping[str, Style], row: DoseRow, limits: tuple[float, float]
) -> None:
    curve, color = panel.curve, INK if panel.pooled else COLORS[0]
    axes.set_xlabel(shortened(row.magnitude, 44))
    axes.set_ylim(*limits)
    draw_curve(axes, curve, color)
    name_ticks(axes, curve.at, [f"{dose:g}" for dose in curve.at])
    if row.nothing:
        name, index = row.nothing
        with marked(axes, look[name]):
            grey = look[name].color
            axes.axhline(curve.mean[index], color=grey, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
            at = curve.at[index], curve.mean[index]
            axes.plot(*at, "D", markersize=7, color=grey, markeredgecolor=PAPER, zorder=5)
    if panel.best:
        best, low, high = panel.best
        foot = limits[0] + 0.03 * (limits[1] - limits[0])
        axes.plot([low, high], [foot, foot], color=color, linewidth=3, solid_capstyle="butt", alpha=0.45)
        axes.plot([best], [foot], marker="^", markersize=8, color=color, markeredgecolor=PAPER, clip_on=False)
        axes.axvline(best, color=color, linewidth=0.9, linestyle=(0, (1, 2)))
        left = curve.at[-1] - high > low - curve.at[0]  # the words stand where there is more room
        spot, side = ((high, foot), "left") if left else ((low, foot), "right")
        away = (6 if left else -6, 0)
        axes.annotate(
            panel.best_text, spot, away, "data", "offset points", ha=side, va="center", color=SOFT, fontsize=8
        ).set_in_layout(False)
