"""A heat map: a row a recipe, a column a strength of each condition, under bars with the baseline's own scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import MINUS
from ablation.report.style import FAINT, INK, ON_DARK, ON_LIGHT, SOFT, Style, drawing, figure, mark, marked, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

GAP = 0.35
"""Between the columns of two conditions, in columns."""

HIGH, LINE, ROOM = 1.25, 0.36, 1.15
"""Inches of the bars above, of a row of the map, and of the names and the scale around both."""

EMPTY = "#f3f4f6"
"""The colour of a cell without a number."""

MOST_CELLS = 24
"""Columns with a number in each cell; with more there is no room."""


@dataclass(frozen=True)
class MapRow:
    """A recipe, in shown units: clean first, then each strength of each condition. dots: is the difference shown?

    frames: of each condition 0 where the mean over its strengths is not shown, 1 where it is, 2 where it is also more
    than on clean images.
    """

    recipe: str
    values: tuple[float, ...]
    dots: tuple[bool, ...]
    frames: tuple[int, ...]


@dataclass(frozen=True)
class MapInfo:
    """conditions: names with their strengths in words. baseline: its scores, clean first. axis, scale: what bars and
    cells count. in_points: one decimal rather than two."""

    rows: tuple[MapRow, ...]
    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    baseline: tuple[float, ...]
    name: str
    axis: str
    scale: str
    in_points: bool = True
    lower_is_better: bool = False

    @property
    def at(self) -> Floats:
        """Where the middle of each column is."""
        places, x = [0.0], 1.0
        for _, strengths in self.conditions:
            x += GAP
            places += [x + index for index in range(len(strengths))]
            x += len(strengths)
        return np.array(places)

    @property
    def spans(self) -> tuple[tuple[float, int], ...]:
        """Of each condition its first column's middle, and how many it has."""
        first, spans, at = 1, [], self.at
        for _, strengths in self.conditions:
            spans.append((float(at[first]), len(strengths)))
            first += len(strengths)
        return tuple(spans)

    @property
    def most(self) -> float:
        """The largest difference, at which the colours end; one decimal's worth at least."""
        sizes = [abs(x) for row in self.rows for x in row.values if not math.isnan(x)]
        return max([*sizes, 0.1 if self.in_points else 0.01])


def draw_map(info: MapInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """axes: for the bars and for the map, by default new ones, one above the other."""
    with drawing():
        if axes is None:
            made = figure(HIGH + LINE * len(info.rows) + ROOM)
            heights = [HIGH, LINE * max(len(info.rows), 1)]
            axes = list(made.subplots(2, 1, sharex=True, height_ratios=heights))
        _draw_bars(axes[0], info)
        _draw_cells(axes[1], info, look)
        for spot in axes:
            spot.set_xlim(-0.6, float(info.at[-1]) + 0.6)
    return axes


def _draw_bars(axes: Axes, info: MapInfo) -> None:
    """The baseline's own scores, fainter where the images are changed less."""
    place, heights = info.at, np.array(info.baseline)
    strong = [1.0, *((index + 1) / len(own) for _, own in info.conditions for index in range(len(own)))]
    for x, height, depth in zip(place, heights, strong, strict=True):
        axes.bar([x], [height], 0.9, color=SOFT, alpha=0.35 + 0.5 * depth, linewidth=0)
    if not math.isnan(heights[0]):
        axes.axhline(heights[0], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    known = heights[np.isfinite(heights)]
    top = float(known.max()) if len(known) else 1.0
    axes.set_ylim(0, 1.12 * top or 1.0)
    axes.set_ylabel(info.axis.replace(", ", ",\n").replace(" (", "\n("), fontsize=8)
    axes.set_title(f"{shortened(info.name, 30)}: its own score")
    axes.tick_params(bottom=False, labelbottom=False)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _draw_cells(axes: Axes, info: MapInfo, look: Mapping[str, Style]) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    place, most = info.at, info.most
    colours = colormaps["RdBu_r" if info.lower_is_better else "RdBu"]
    scale = ScalarMappable(Normalize(-1.25 * most, 1.25 * most), colours)  # the darkest ends would hide the numbers
    for line, row in enumerate(info.rows):
        with marked(axes, look[row.recipe]):
            for x, value, dot in zip(place, row.values, row.dots, strict=True):
                colour: Any = EMPTY if math.isnan(value) else scale.to_rgba(np.array([value]))[0]
                _draw_cell(axes, (x, line), value, dot, info, colour)
            for (x, count), kind in zip(info.spans, row.frames, strict=True):
                _draw_frame(axes, x, line, count, kind)
    rows = len(info.rows)
    axes.set_ylim(rows - 0.45, -0.55)
    axes.set_yticks(range(rows), [shortened(row.recipe, 22) for row in info.rows])
    for label, row in zip(axes.get_yticklabels(), info.rows, strict=True):
        mark(label, look[row.recipe])
        label.set_color(look[row.recipe].text)
        label.set_fontweight("bold")
    axes.set_xticks(place, ["", *(text for _, own in info.conditions for text in own)], fontsize=7)
    axes.tick_params(bottom=False, pad=1)
    axes.annotate("strength", (0, 0), (-5, -9.5), "axes fraction", "offset points", ha="right", fontsize=7, color=SOFT)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    _name_conditions(axes, info)
    bar = axes.figure.colorbar(
        scale, ax=axes, orientation="horizontal", fraction=min(0.3, 0.3 / rows), shrink=0.45, aspect=45, pad=0.02
    )
    bar.ax.set_xlim(-most, most)
    bar.outline.set_visible(False)
    ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
    bar.set_label(info.scale, fontsize=8.5)
    for x, side, text in ((0, "right", ends[0]), (1, "left", ends[1])):
        off = (8 if side == "left" else -8, 0)
        bar.ax.annotate(
            text, (x, 0.5), off, "axes fraction", "offset points", ha=side, va="center", color=SOFT, fontsize=8.5
        )


def _draw_cell(axes: Axes, at: tuple[float, int], value: float, dot: bool, info: MapInfo, colour: Any) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    x, y = at
    ink = ON_LIGHT if sum(to_rgb(colour)) > 1.45 else ON_DARK
    axes.add_patch(Rectangle((x - 0.48, y - 0.44), 0.96, 0.88, facecolor=colour, linewidth=0))
    if dot:
        axes.plot([x + 0.36], [y - 0.29], "o", color=ink, markersize=2.8, markeredgewidth=0)
    if len(info.baseline) <= MOST_CELLS and not math.isnan(value):
        text = f"{abs(value):.{1 if info.in_points else 2}f}"
        sign = "" if not float(text) else MINUS if value < 0 else "+"
        font: dict[str, Any] = {
            "color": ink,
            "fontsize": min(7.6, 7.6 * 19 / len(info.baseline)),
            "fontweight": "bold" if dot else "normal",
        }
        axes.text(x, y + 0.03, sign + text, ha="center", va="center", **font)


def _draw_frame(axes: Axes, x: float, line: int, count: int, kind: int) -> None:
    from matplotlib.patches import Rectangle

    if kind:
        style = "-" if kind == 2 else (0, (3, 2))
        box = Rectangle(
            (x - 0.53, line - 0.47), count + 0.06, 0.94,
            fill=False, edgecolor=INK, linewidth=1.5 if kind == 2 else 1.0, linestyle=style, zorder=4,
        )  # fmt: skip
        axes.add_patch(box)


def _name_conditions(axes: Axes, info: MapInfo) -> None:
    """Under the strengths; each with a thin line over its columns."""
    under = axes.get_xaxis_transform()
    room = round(7 * max((count for _, count in info.spans), default=3) / 3 * 19 / max(len(info.baseline), 19) + 4)
    for (name, _), (x, count) in zip((("clean", ("",)), *info.conditions), ((0.0, 1), *info.spans), strict=True):
        middle = x + (count - 1) / 2
        axes.annotate(
            shortened(name, room), (middle, 1), (0, 4), xycoords=under, textcoords="offset points", ha="center",
            fontsize=8.5, color=INK, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    axes.plot([0.5 + GAP / 2] * 2, [0, 1], transform=under, color=FAINT, linewidth=0.8)
