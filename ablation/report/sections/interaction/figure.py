"""Interaction plot: the mean of each recipe under each level of a factor. Lines that are parallel: no interaction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.style import FAINT, INK, WIDTH, Style, drawing, figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

ACROSS = 3  # panels side by side
BAND, STEP = 0.6, 0.06  # of the way from one level to the next: what a level takes at most, and a recipe


@dataclass(frozen=True)
class Point:
    """A mean in shown units, nan where there is none, and its interval, nan where it has none."""

    mean: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class InteractionPanel:
    """The other factors held at one level each. lines: recipe -> a point a level."""

    title: str
    lines: Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True)
class InteractionInfo:
    """levels: of `factor`, from left to right. scale: what the means count, with their unit."""

    factor: str
    levels: tuple[str, ...]
    panels: tuple[InteractionPanel, ...]
    scale: str

    @property
    def recipes(self) -> tuple[str, ...]:
        """Those that are drawn, in order."""
        return tuple(dict.fromkeys(recipe for panel in self.panels for recipe in panel.lines))

    @property
    def step(self) -> float:
        """From one recipe to the next at the same level, where levels are 1 apart."""
        return min(STEP, BAND / (len(self.recipes) + 1))

    def place(self, recipe: str, level: int) -> float:
        """Where a recipe stands at a level: beside the others, so that no interval hides another."""
        names = self.recipes
        return level + (names.index(recipe) - (len(names) - 1) / 2) * self.step


def draw_interaction(info: InteractionInfo, look: Mapping[str, Style]) -> list[Axes]:
    """A panel for each level of the other factors, all on one scale."""
    across = min(len(info.panels), ACROSS)
    bands = -(-len(info.panels) // ACROSS)
    names = [shortened(name, 30) for name in info.recipes]
    columns = max(1, min(len(names), 6, 125 // (max(map(len, names)) + 9)))
    with drawing():
        made = figure((4.1 if bands == 1 else 3.3 * bands) + 0.26 * -(-len(names) // columns), WIDTH)
        axes = made.subplots(bands, across, squeeze=False, sharey=True)
        for place, panel in enumerate(axes.flat):
            if place < len(info.panels):
                _draw(panel, info, info.panels[place], look)
                _label(panel, info, across)
            else:
                panel.set_visible(False)
        for band in axes:
            band[0].set_ylabel(info.scale)
        handles = [_handle(look[recipe]) for recipe in info.recipes]
        made.legend(handles, names, loc="outside upper left", ncols=columns, handlelength=2.4)
    return list(axes.flat)


def _draw(axes: Axes, info: InteractionInfo, panel: InteractionPanel, look: Mapping[str, Style]) -> None:
    reach = (len(info.recipes) + 1) / 2 * info.step
    for level in range(len(info.levels)):
        axes.axvspan(level - reach, level + reach, color="#f1f4f7", linewidth=0)
    axes.grid(axis="y", color=FAINT)
    axes.set_axisbelow(True)
    axes.set_title(shortened(panel.title, 96 // min(len(info.panels), ACROSS)))
    for recipe, points in panel.lines.items():
        style, places = look[recipe], [info.place(recipe, level) for level in range(len(points))]
        axes.plot(places, [point.mean for point in points], color=style.color, linestyle=style.dash, alpha=0.55)
        for place, point in zip(places, points, strict=True):
            axes.plot([place, place], [point.low, point.high], color=style.color, linewidth=2, solid_capstyle="butt")
            axes.plot(
                [place], [point.mean], style.marker, color=style.color, markersize=7, markeredgecolor="white", zorder=3
            )


def _label(axes: Axes, info: InteractionInfo, across: int) -> None:
    room = 96 // (across * len(info.levels))
    axes.set_xticks(range(len(info.levels)), [shortened(level, max(room, 6)) for level in info.levels])
    axes.tick_params(axis="x", length=0, labelcolor=INK, labelsize=9)
    axes.set(xlim=(-0.4, len(info.levels) - 0.6), xlabel=info.factor)


def _handle(style: Style) -> Line2D:
    """What stands for a recipe in the legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=style.color, linestyle=style.dash, marker=style.marker, linewidth=2)
