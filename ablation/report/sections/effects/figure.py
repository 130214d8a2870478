"""Heat map: the mean score of each recipe under each condition, with the difference to the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ablation.report.charts import CHARACTER, LONGEST
from ablation.report.style import (
    INK,
    ON_DARK,
    ON_LIGHT,
    PAPER,
    SOFT,
    WIDTH,
    Style,
    drawing,
    figure,
    mark,
    marked,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BROADEST = 1.5
"""Inches of a cell, at most."""
LINE, LOW_LINE = 0.42, 0.22
"""Inches of a row with two lines of text, and of one where recipes are many."""
MANY, MOST = 24, 40
"""Recipes from which on rows are low, and as many as are drawn."""
SHADES = ("#f4f7fa", "#cfe0ee", "#8fb9d8", "#3f83b5", "#0f5480")


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

    @property
    def drawn(self) -> HeatInfo:
        """All recipes, or those with the best means where they are more than a screen shows."""
        if len(self.recipes) <= MOST:
            return self
        best = [np.nan_to_num([self.shade(cell) for cell in cells], nan=-1).max() for cells in self.cells]
        kept = sorted(sorted(range(len(best)), key=lambda index: -best[index])[:MOST])
        cells = tuple(self.cells[index] for index in kept)
        return replace(self, recipes=tuple(self.recipes[index] for index in kept), cells=cells)

    def left_out(self) -> tuple[str, ...]:
        """A sentence on the recipes that are not drawn; none where all are."""
        most, every = len(self.drawn.recipes), len(self.recipes)
        return (f"Drawn are the {most} of {every} recipes with the best means; all are in the table.",) * (most < every)


def draw_heat(info: HeatInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """Recipes by conditions, darker is better. Numbers are written into the cells, so that nothing rests on the shade.

    axes: by default new ones.
    """
    shown = info.drawn
    with drawing():
        width = _cell_width(shown)
        names = [_lines(name, round(width / CHARACTER)) for name in shown.conditions]
        axes = _new_axes(shown, width, max(name.count("\n") + 1 for name in names)) if axes is None else axes
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(shown.recipes) - 0.5, -0.5))
        for row, (name, cells) in enumerate(zip(shown.recipes, shown.cells, strict=True)):
            with marked(axes, look[name]):
                for column, cell in enumerate(cells):
                    _draw_cell(axes, column, row, cell, info.shade(cell), low=len(shown.recipes) > MANY)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(shown.recipes)), [shortened(name, LONGEST) for name in shown.recipes])
        axes.tick_params(length=0, labelcolor=INK, labeltop=True, labelbottom=False, labelsize=9, pad=4)
        for label, name in zip(axes.get_yticklabels(), shown.recipes, strict=True):
            mark(label, look[name])
            label.set(color=look[name].text, weight="bold")
        axes.spines[:].set_visible(False)
    return axes


def _left(info: HeatInfo) -> float:
    """Inches of the names of the recipes."""
    return 0.2 + 1.15 * CHARACTER * max(len(shortened(name, LONGEST)) for name in info.recipes)


def _cell_width(info: HeatInfo) -> float:
    return min(BROADEST, (WIDTH - _left(info)) / len(info.conditions))


def _new_axes(info: HeatInfo, cell: float, lines: int) -> Axes:
    left, top = _left(info), 0.1 + 0.17 * lines
    high = (LINE if len(info.recipes) <= MANY else LOW_LINE) * len(info.recipes)
    width, height = left + cell * len(info.conditions), high + top + 0.02
    made = figure(height, width)
    made.set_layout_engine("none")
    return made.add_axes((left / width, 0.02 / height, 1 - left / width, high / height))


def _lines(name: str, room: int) -> str:
    """A condition's name on one line where it fits `room` characters, else a line for each of its levels."""
    return name if len(name) <= room else "\n".join(shortened(level, room) for level in name.split(", "))


def _draw_cell(axes: Axes, column: int, row: int, cell: HeatCell, shade: float, low: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    lack = "no finished run" if axes.get_xlim()[1] < 7 else "no run"
    box = Rectangle((column - 0.49, row - 0.47), 0.98, 0.94, linewidth=0)
    axes.add_patch(box)
    if math.isnan(shade):
        box.set(facecolor=PAPER, edgecolor="#c9d0d7", hatch="////")
        axes.text(column, row, lack, ha="center", va="center", color=SOFT, backgroundcolor=PAPER, size=8)
        return
    fill = LinearSegmentedColormap.from_list("shades", SHADES)(shade * 0.9)
    box.set_facecolor(fill)
    color = ON_DARK if sum(fill[:3]) / 3 < 0.55 else ON_LIGHT
    if low:
        axes.text(column, row, f"{cell.text}  {cell.under}", ha="center", va="center", color=color, size=8)
    else:
        axes.text(column, row - 0.02, cell.text, ha="center", va="bottom", color=color, weight="bold")
        axes.text(column, row + 0.06, cell.under, ha="center", va="top", color=color, size=8)
