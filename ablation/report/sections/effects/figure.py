"""The figures of effects: a forest plot of differences to the baseline, and a heat map of mean scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.style import FAINT, INK, SOFT, Style, drawing, figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, FOOT = 0.25, 0.55  # inches of a line of the forest plot, and of the axis below
LEFT, RIGHT = 0.225, 0.805  # of its axes, in shares of the width; names stand to the left, numbers to the right


@dataclass(frozen=True)
class ForestRow:
    """Differences in shown units (points for accuracy); nan where there is no interval. `text` repeats the numbers."""

    recipe: str
    estimate: float
    low: float
    high: float
    text: str


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


def draw_forest(info: ForestInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """One line a recipe, grouped by condition; the band of equivalence is shaded, pooled rows are diamonds.

    axes: by default new ones, with room for names on the left and numbers on the right.
    """
    with drawing():
        axes = _forest_axes(info) if axes is None else axes
        axes.axvspan(-info.margin, info.margin, color="#eef1f4", linewidth=0)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        line = 0.0
        for group in info.groups:
            line = _draw_group(axes, group, line, look)
        axes.set(xlim=info.limits, ylim=(line + 0.1, 0.1), yticks=[])
        axes.spines["left"].set_visible(False)
        _name_axis(axes, info)
    return axes


def _forest_axes(info: ForestInfo) -> Axes:
    height = LINE * sum(len(group.rows) + 1.35 for group in info.groups) + FOOT
    made = figure(height)
    made.set_layout_engine("none")
    return made.add_axes((LEFT, FOOT / height, RIGHT - LEFT, 1 - FOOT / height))


def _draw_group(axes: Axes, group: ForestGroup, line: float, look: Mapping[str, Style]) -> float:
    """Draw downwards from this line, and return the line below the group. Words stand at the edges of the page."""
    from matplotlib.transforms import blended_transform_factory

    page = blended_transform_factory(axes.figure.transFigure, axes.transData)
    if group.pooled:
        axes.plot([0, 1], [line, line], transform=page, color=FAINT, linewidth=0.8, clip_on=False)
    line -= 0.65
    axes.text(0, line, shortened(group.title, 60), transform=page, weight="bold", va="center", color=INK)
    for row in group.rows:
        line -= 1
        style = look[row.recipe]
        axes.text(0.012, line, shortened(row.recipe, 28), transform=page, va="center")
        axes.text(1, line, row.text, transform=page, va="center", ha="right")
        if not math.isnan(row.low):
            axes.plot([row.low, row.high], [line, line], color=style.color, linewidth=2.2, solid_capstyle="butt")
        marker, size = ("D", 7.0) if group.pooled else (style.marker, 6.5)
        axes.plot([row.estimate], [line], marker=marker, markersize=size, color=style.color, markeredgecolor="white")
    return line - 0.7


def _name_axis(axes: Axes, info: ForestInfo) -> None:
    axes.set_xlabel(f"difference to {shortened(info.baseline, 30)}, {info.unit}")
    ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
    for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
        y = axes.xaxis.get_label().get_position()[1]
        axes.annotate(text, (x, y), (0, -27), "axes fraction", "offset points", ha=side, va="baseline", color=SOFT)


@dataclass(frozen=True)
class HeatCell:
    """A mean in shown units, nan where no run finished; `text` and `under` are what stands in the cell."""

    mean: float
    text: str
    under: str


@dataclass(frozen=True)
class HeatInfo:
    """cells: a tuple for each recipe, with a cell for each condition."""

    recipes: tuple[str, ...]
    conditions: tuple[str, ...]
    cells: tuple[tuple[HeatCell, ...], ...]
    lower_is_better: bool = False

    def shade(self, cell: HeatCell) -> float:
        """0 for the worst mean of the map, 1 for the best; nan without one, 0.5 where all are alike."""
        means = [other.mean for cells in self.cells for other in cells if not math.isnan(other.mean)]
        if math.isnan(cell.mean):
            return math.nan
        if max(means) == min(means):
            return 0.5
        share = (cell.mean - min(means)) / (max(means) - min(means))
        return 1 - share if self.lower_is_better else share


def draw_heat(info: HeatInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """Recipes by conditions, darker is better. Numbers are written into the cells, so that nothing rests on the shade.

    axes: by default new ones.
    """
    with drawing():
        room = 84 // max(len(info.conditions), 1)
        names = [_lines(name, room) for name in info.conditions]
        height = 0.47 * len(info.recipes) + 0.25 + 0.17 * max(name.count("\n") + 1 for name in names)
        axes = figure(height).add_subplot() if axes is None else axes
        for row, cells in enumerate(info.cells):
            for column, cell in enumerate(cells):
                _draw_cell(axes, column, row, cell, info.shade(cell))
        axes.set(xlim=(-0.5, len(info.conditions) - 0.5), ylim=(len(info.recipes) - 0.5, -0.5))
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(info.recipes)), [shortened(name, 28) for name in info.recipes])
        axes.tick_params(length=0, labelcolor=INK, labeltop=True, labelbottom=False, labelsize=9)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return axes


def _lines(name: str, room: int) -> str:
    """A condition's name on one line where it fits `room` characters, else a line for each of its levels."""
    return name if len(name) <= room else "\n".join(shortened(level, room) for level in name.split(", "))


def _draw_cell(axes: Axes, column: int, row: int, cell: HeatCell, shade: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    blues = LinearSegmentedColormap.from_list("ablation", ("#f4f7fa", "#cfe0ee", "#8fb9d8", "#3f83b5", "#0f5480"))
    box = Rectangle((column - 0.485, row - 0.46), 0.97, 0.92, linewidth=0)
    axes.add_patch(box)
    if math.isnan(shade):
        box.set(facecolor="white", edgecolor="#c9d0d7", hatch="////")
        axes.text(column, row, "no finished run", ha="center", va="center", color=SOFT, backgroundcolor="white")
        return
    fill = blues(shade * 0.9)
    box.set_facecolor(fill)
    color = "white" if sum(fill[:3]) / 3 < 0.55 else INK
    axes.text(column, row - 0.02, cell.text, ha="center", va="bottom", color=color, weight="bold")
    axes.text(column, row + 0.06, cell.under, ha="center", va="top", color=color, fontsize=8)
