"""Interaction plot: the mean of each recipe under each level of a factor. Lines that are parallel: no interaction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablation.report.charts import ACROSS, MOST_ENDS, label_ends
from ablation.report.style import BAND, INK, PAPER, WIDTH, Style, drawing, mark, marked, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REACH, STEP = 0.6, 0.06  # of the way from one level to the next: what a level takes at most, and a recipe


@dataclass(frozen=True)
class Point:
    """A mean in shown units, nan where there is none, and its interval, nan where it has none."""

    mean: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class InteractionInfo:
    """levels: of `factor`, from left to right. scale: what the means count, with their unit.

    panels: the other factors, held at one level each -> recipe -> a point a level.
    """

    factor: str
    levels: tuple[str, ...]
    panels: Mapping[str, Mapping[str, tuple[Point, ...]]]
    scale: str

    @property
    def recipes(self) -> tuple[str, ...]:
        """Those that are drawn, in order."""
        return tuple(dict.fromkeys(recipe for lines in self.panels.values() for recipe in lines))

    @property
    def step(self) -> float:
        """From one recipe to the next at the same level, where levels are 1 apart."""
        return min(STEP, REACH / (len(self.recipes) + 1))

    def x(self, recipe: str, level: int) -> float:
        """Where a recipe stands at a level: beside the others, so that no interval hides another."""
        names = self.recipes
        return level + (names.index(recipe) - (len(names) - 1) / 2) * self.step


def draw_interaction(
    info: InteractionInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """A panel for each level of the other factors, all on one scale. axes: one a panel, by default new ones."""
    with drawing():
        across = min(len(info.panels), ACROSS)
        spots = _new_axes(info, across) if axes is None else axes
        for index, (spot, title) in enumerate(zip(spots, info.panels, strict=True)):
            _draw_panel(spot, info, title, look)
            _name_levels(spot, info, across)
            spot.tick_params(labelleft=index % across == 0)
            spot.set_ylabel(info.scale if index % across == 0 else "")
        limits = [spot.get_ylim() for spot in spots]
        for spot in spots:
            spot.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        last = [(spot, _ends(info, title, look)) for spot, title in zip(spots, info.panels, strict=True)]
        last = last[across - 1 :: across]
        if axes is None and all(len(ends) == len(info.recipes) <= MOST_ENDS for _, ends in last):
            for spot, ends in last:
                label_ends(spot, ends)
        else:
            _draw_legend(spots[0], info, look, above=axes is None)
    return spots


def _new_axes(info: InteractionInfo, across: int) -> list[Axes]:
    """Of a width for the levels, rather than over the whole page."""
    width = min(WIDTH, 0.8 + across * max(2.2, 1.6 * len(info.levels)) + 1.4)
    return new_panels([len(info.panels)], ACROSS, 3.9 if len(info.panels) <= ACROSS else 3.2, width)


def _ends(info: InteractionInfo, title: str, look: Mapping[str, Style]) -> list[tuple[float, float, str, Style]]:
    """Where each line ends: at the last level that has a mean."""
    ends = []
    for recipe, points in info.panels[title].items():
        known = [level for level, point in enumerate(points) if not math.isnan(point.mean)]
        if known:
            ends.append((info.x(recipe, known[-1]), points[known[-1]].mean, recipe, look[recipe]))
    return ends


def _draw_panel(axes: Axes, info: InteractionInfo, title: str, look: Mapping[str, Style]) -> None:
    reach = (len(info.recipes) + 1) / 2 * info.step
    for level in range(len(info.levels)):
        axes.axvspan(level - reach, level + reach, color=BAND, linewidth=0)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_title(shortened(title, 96 // min(len(info.panels), ACROSS)))
    for recipe, points in info.panels[title].items():
        style, xs = look[recipe], [info.x(recipe, level) for level in range(len(points))]
        with marked(axes, style):
            axes.plot(xs, [point.mean for point in points], color=style.color, linestyle=style.dash, linewidth=1.3)
            for x, point in zip(xs, points, strict=True):
                axes.plot([x, x], [point.low, point.high], color=style.color, linewidth=1.8, solid_capstyle="butt")
                axes.plot(
                    [x], [point.mean], style.marker, color=style.color, markersize=7, markeredgecolor=PAPER, zorder=3
                )


def _name_levels(axes: Axes, info: InteractionInfo, across: int) -> None:
    room = 96 // (across * len(info.levels))
    axes.set_xticks(range(len(info.levels)), [shortened(level, max(room, 6)) for level in info.levels])
    axes.tick_params(axis="x", length=0, labelcolor=INK, labelsize=9)
    axes.set(xlim=(-0.4, len(info.levels) - 0.65), xlabel=info.factor)


def _draw_legend(axes: Axes, info: InteractionInfo, look: Mapping[str, Style], above: bool) -> None:
    """above: in lines of its own over all panels; else within the axes."""
    from matplotlib.lines import Line2D

    names, styles = [shortened(name, 30) for name in info.recipes], [look[recipe] for recipe in info.recipes]
    handles = [Line2D([], [], color=s.color, linestyle=s.dash, marker=s.marker, linewidth=2) for s in styles]
    for handle, style in zip(handles, styles, strict=True):
        mark(handle, style)
    if not above:
        axes.legend(handles, names, handlelength=2.4)
        return
    made = axes.get_figure(root=True)
    assert made is not None
    columns = max(1, min(len(names), 6, int(12.5 * made.get_figwidth()) // (max(map(len, names)) + 9)))
    made.set_figheight(made.get_figheight() + 0.26 * -(-len(names) // columns))
    made.legend(handles, names, loc="outside upper left", ncols=columns, handlelength=2.4)
