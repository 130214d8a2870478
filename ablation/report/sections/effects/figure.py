"""Heat map: each recipe's mean score under each condition, with its difference to the baseline there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.style import INK, SOFT, Style, drawing, figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
