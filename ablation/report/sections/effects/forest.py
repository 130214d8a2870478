"""Forest plot: each recipe's difference to the baseline with its interval, under each condition and pooled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from ablation.report.style import FAINT, INK, SOFT, WIDTH, Style, drawing, shortened

LINE, FOOT = 0.25, 0.55  # inches of a line, and of the axis below
LEFT, RIGHT = 0.225, 0.805  # of the axes, in shares of the width; names stand to the left, numbers to the right


@dataclass(frozen=True)
class ForestRow:
    """Differences in shown units (points for accuracy); nan where there is no interval. `text` repeats the numbers."""

    recipe: str
    estimate: float
    low: float
    high: float
    text: str
    verdict: str


@dataclass(frozen=True)
class ForestGroup:
    """The rows of one condition."""

    title: str
    rows: tuple[ForestRow, ...]
    pooled: bool = False


@dataclass(frozen=True)
class ForestInfo:
    """margin: half the width of the band of equivalence, in shown units. unit: what the axis counts."""

    groups: tuple[ForestGroup, ...]
    margin: float
    unit: str
    baseline: str
    lower_is_better: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis must show: every interval and the band, with a little room."""
        ends = [end for group in self.groups for row in group.rows for end in (row.low, row.high, row.estimate)]
        known = [end for end in ends if not math.isnan(end)] + [-self.margin, self.margin]
        room = 0.05 * (max(known) - min(known))
        return min(known) - room, max(known) + room


def draw_forest(info: ForestInfo, look: Mapping[str, Style]) -> Figure:
    """One line a recipe, grouped by condition; the band of equivalence is shaded, pooled rows are diamonds."""
    lines = sum(len(group.rows) + 1.35 for group in info.groups)
    height = LINE * lines + FOOT
    with drawing():
        made = Figure(figsize=(WIDTH, height))
        axes = made.add_axes((LEFT, FOOT / height, RIGHT - LEFT, 1 - FOOT / height))
        axes.axvspan(-info.margin, info.margin, color="#eef1f4", linewidth=0)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        place = 0.0
        for group in info.groups:
            place = _draw_group(axes, group, place, look)
        axes.set(xlim=info.limits, ylim=(place + 0.1, 0.1), yticks=[])
        axes.spines["left"].set_visible(False)
        _name_axis(axes, info)
    return made


def _draw_group(axes: Axes, group: ForestGroup, place: float, look: Mapping[str, Style]) -> float:
    """Draw from the line `place` downwards; where it ended. Words stand at fixed places of the page."""
    page = blended_transform_factory(axes.figure.transFigure, axes.transData)
    if group.pooled:
        axes.plot([0, 1], [place, place], transform=page, color=FAINT, linewidth=0.8, clip_on=False)
    place -= 0.65
    axes.text(0, place, shortened(group.title, 60), transform=page, weight="bold", va="center", color=INK)
    for row in group.rows:
        place -= 1
        style = look[row.recipe]
        axes.text(0.012, place, shortened(row.recipe, 28), transform=page, va="center")
        axes.text(1, place, row.text, transform=page, va="center", ha="right")
        if not math.isnan(row.low):
            axes.plot([row.low, row.high], [place, place], color=style.color, linewidth=2.2, solid_capstyle="butt")
        marker, size = ("D", 7.0) if group.pooled else (style.marker, 6.5)
        axes.plot([row.estimate], [place], marker=marker, markersize=size, color=style.color, markeredgecolor="white")
    return place - 0.7


def _name_axis(axes: Axes, info: ForestInfo) -> None:
    axes.set_xlabel(f"difference to {shortened(info.baseline, 30)}, {info.unit}")
    ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
    for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
        y = axes.xaxis.get_label().get_position()[1]
        axes.annotate(text, (x, y), (0, -27), "axes fraction", "offset points", ha=side, va="baseline", color=SOFT)
