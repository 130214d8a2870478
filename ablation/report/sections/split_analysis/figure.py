"""Train and test score of each recipe on one line, and how the confusion of classes changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import MINUS
from ablation.report.charts import CHARACTER, LONGEST, Columns, across_the_page, columns_of, write_numbers
from ablation.report.style import (
    FAINT,
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

Floats = NDArray[np.float64]

LINE, HEAD, FOOT = 0.28, 0.4, 0.56
"""Inches of a recipe, of the headings above and of the axis below."""

ACROSS = 3
"""Panels side by side, two where there are many classes."""
APART = 0.25
"""Inches between them."""
MANY = 14
"""Classes; of more no numbers stand in the cells."""
FEW = 6
"""Up to so many classes the numbers have a decimal."""
LONGEST_CLASS = 20
"""Characters of a class's name."""
OUTLINE = "#66717d"
"""The colour of the outline of the diagonal, also on a dark page, as cells keep theirs."""
SCALE = 0.62
"""Inches of the colours' scale, under the panels."""
SCALE_WIDTH = 3.4
"""How wide it is, with its numbers."""
CELL = 0.29
"""Inches of a cell."""


@dataclass(frozen=True)
class GapRow:
    """Scores in shown units. text: the gap, and its difference to the baseline's."""

    name: str
    train: float
    test: float
    gap: str
    difference: str


@dataclass(frozen=True)
class GapInfo:
    """axis: what the scores are."""

    rows: tuple[GapRow, ...]
    axis: str


def draw_gaps(info: GapInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """A line a recipe: a hollow mark is the training score, a filled one the test score, the line between the gap.

    axes: by default new ones, with room for names and numbers; in axes that are given the names are those of the ticks,
    and the gap is to the right.
    """
    with drawing():
        alone, columns = axes is None, columns_of([row.difference for row in info.rows])
        axes = _gap_axes(info, columns) if axes is None else axes
        for line, row in enumerate(info.rows):
            with marked(axes, look[row.name]):
                _draw_gap(axes, row, line, look[row.name])
                if alone:
                    _write_gap(axes, row, line, columns)
        axes.set(ylim=(len(info.rows) - 0.4, -0.6), yticks=[], xlabel=info.axis)
        axes.margins(x=0.04)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        if alone:
            _head(axes, columns)
        else:
            _name_rows(axes, info, look)
        _name_marks(axes, info)
    return axes


def _head(axes: Axes, columns: Columns) -> None:
    """What the numbers are."""
    page = across_the_page(axes)
    for x, text in ((columns[0] + GAP, "gap"), (columns[0], "difference"), (0, "interval")):
        axes.text(1 - x / WIDTH, -1, text, transform=page, ha="right", va="center", color=SOFT, size=8.5)


def _name_marks(axes: Axes, info: GapInfo) -> None:
    """Over the first line what its marks are."""
    low, high = axes.get_xlim()
    marks = sorted([(info.rows[0].train, "training"), (info.rows[0].test, "test")])
    close = marks[1][0] - marks[0][0] < 0.25 * (high - low)  # the words would run into each other
    for (at, name), side in zip(marks, ("right", "left") if close else ("center", "center"), strict=True):
        axes.text(at, -0.68, name, ha=side, va="bottom", color=SOFT, size=8.5)


def _name_rows(axes: Axes, info: GapInfo, look: Mapping[str, Style]) -> None:
    """Names as those of ticks, which whoever arranges the axes leaves room for; the gap at the end of each line."""
    axes.set_yticks(range(len(info.rows)), [shortened(row.name, LONGEST) for row in info.rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    for line, (text, row) in enumerate(zip(axes.get_yticklabels(), info.rows, strict=True)):
        mark(text, look[row.name])
        axes.annotate(
            row.gap, (1, line), (6, 0), ("axes fraction", "data"), "offset points", va="center", color=INK, size=9,
            annotation_clip=False,
        )  # fmt: skip


def _draw_gap(axes: Axes, row: GapRow, line: int, style: Style) -> None:
    axes.plot([row.train, row.test], [line, line], color=style.color, linewidth=2.2, zorder=2)
    for x, face in ((row.train, PAPER), (row.test, style.color)):
        axes.plot([x], [line], marker=style.marker, markersize=7, color=face, markeredgecolor=style.color, zorder=3)


def _write_gap(axes: Axes, row: GapRow, line: int, columns: Columns) -> None:
    """The name at the left edge of the page and the numbers at its right."""
    page = across_the_page(axes)
    axes.text(0.005, line, shortened(row.name, LONGEST), transform=page, va="center", color=INK)
    axes.text(1 - (columns[0] + GAP) / WIDTH, line, row.gap, transform=page, va="center", ha="right", color=INK)
    write_numbers(axes, row.difference, line, columns)


GAP = 1.1
"""Inches from the gaps to their differences."""


def _gap_axes(info: GapInfo, columns: Columns) -> Axes:
    height = HEAD + LINE * len(info.rows) + FOOT
    left = 0.35 + CHARACTER * max(len(shortened(row.name, LONGEST)) for row in info.rows)
    width = WIDTH - left - columns[0] - GAP - 0.6
    made = figure(height)
    made.set_layout_engine("none")
    return made.add_axes((left / WIDTH, FOOT / height, width / WIDTH, LINE * len(info.rows) / height))


@dataclass(frozen=True, eq=False)
class ConfusionInfo:
    """changes: recipe -> (C, C), a row a true class, a column a guess, in points; nan: no image. classes: in order."""

    classes: tuple[str, ...]
    changes: Mapping[str, Floats]

    @property
    def most(self) -> float:
        """The end of the scale of colours, alike on both sides of 0; two points at least, so that luck stays pale."""
        return max(2.0, *(float(np.nanmax(np.abs(change), initial=0.0)) for change in self.changes.values()))


def draw_confusion(
    info: ConfusionInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """A panel a recipe and one scale of colours: on the diagonal more is better, off it less is."""
    with drawing():
        across = _columns(info)
        panels = _confusion_axes(info, across) if axes is None else axes
        for index, ((recipe, change), panel) in enumerate(zip(info.changes.items(), panels, strict=True)):
            mesh = panel.pcolormesh(
                change, cmap="PuOr_r", vmin=-info.most, vmax=info.most, edgecolors=FAINT, linewidth=0.4
            )
            mark(
                panel.set_title(shortened(recipe, round(_side(info) / CHARACTER / 1.2)), color=look[recipe].text),
                look[recipe],
            )
            count = len(info.classes)
            panel.set(xlim=(0, count), ylim=(count, 0), facecolor="#f1f4f7")
            panel.spines[:].set_visible(False)
            _name_classes(panel, info, first=index % across == 0, last=index + across >= len(info.changes))
            if count <= MANY:
                _write_numbers(panel, change, info.most)
            for place in range(count):
                panel.plot(*_square(place), color=OUTLINE, linewidth=0.6, zorder=1.5)
        if axes is None:
            _draw_scale(panels[0], mesh)
    return panels


def _square(place: int) -> tuple[list[int], list[int]]:
    """The outline of a cell of the diagonal."""
    return [place, place + 1, place + 1, place, place], [place, place, place + 1, place + 1, place]


def _columns(info: ConfusionInfo) -> int:
    many = len(info.classes) > MANY and len(info.changes) <= 4
    return min(2 if many or len(info.changes) == 4 else ACROSS, len(info.changes))


def _names(info: ConfusionInfo) -> list[str]:
    return [shortened(name, LONGEST_CLASS) for name in info.classes]


def _left(info: ConfusionInfo) -> float:
    """Inches of the names of the classes."""
    return 0.45 + 0.085 * max(map(len, _names(info)))


def _side(info: ConfusionInfo) -> float:
    """Inches of a panel: cells are larger where two panels or fewer stand side by side."""
    across, count = _columns(info), len(info.classes)
    most = (WIDTH - _left(info) - APART * across) / across
    return min(most, max(1.8, (0.5 if count <= FEW else CELL) * count))


def _upright(info: ConfusionInfo) -> bool:
    """Are the names of the columns turned, as they are too long to stand side by side?"""
    return max(map(len, _names(info))) * 0.085 > _side(info) / len(info.classes)


def _confusion_axes(info: ConfusionInfo, across: int) -> list[Axes]:
    longest, left, side, top = max(map(len, _names(info))), _left(info), _side(info), 0.34
    foot = 0.42 + (0.085 * longest if _upright(info) else 0.15)
    rows = -(-len(info.changes) // across)
    width, height = max(left + across * (side + APART), left + SCALE_WIDTH), rows * (side + top) + foot + SCALE
    made = figure(height, width)
    made.set_layout_engine("none")
    return [
        made.add_axes(
            (
                (left + (index % across) * (side + APART)) / width,
                1 - (index // across + 1) * (side + top) / height,
                side / width,
                side / height,
            )
        )
        for index in range(len(info.changes))
    ]


def _name_classes(panel: Axes, info: ConfusionInfo, first: bool, last: bool) -> None:
    names, at = _names(info), np.arange(len(info.classes)) + 0.5
    size = 8.5 if len(names) <= 20 else min(6.5, 68 * _side(info) / len(names))
    panel.tick_params(length=0, pad=2, labelsize=size)
    panel.set_yticks(at, names if first else [""] * len(names))
    panel.set_xticks(at, names if last else [""] * len(names), rotation=90 if _upright(info) else 0)
    if first:
        panel.set_ylabel("true class", size=8.5)
    if last:
        panel.set_xlabel("predicted class", size=8.5)


def _write_numbers(panel: Axes, change: Floats, most: float) -> None:
    """With one decimal where the classes are few, else in whole points, from one point on."""
    few = len(change) <= FEW
    for (line, column), x in np.ndenumerate(change):
        if abs(x) >= (0.05 if few else 1):
            color = ON_DARK if abs(x) > 0.6 * most else ON_LIGHT
            text = f"{x:+.{1 if few else 0}f}".replace("-", MINUS)
            size = 8.5 if few else 6.5
            panel.text(column + 0.5, line + 0.5, text, ha="center", va="center", size=size, color=color)


def _draw_scale(panel: Axes, mesh: Any) -> None:
    made = panel.get_figure(root=True)
    assert made is not None
    width, height = made.get_size_inches()
    box = panel.get_position()
    bar = made.add_axes((box.x0, 0.42 / height, (SCALE_WIDTH - 0.2) / width, 0.1 / height))
    made.colorbar(mesh, cax=bar, orientation="horizontal")
    bar.tick_params(length=2, labelsize=8)
    bar.set_xlabel("change of the share of a true class (points)", size=8.5, color=SOFT, labelpad=2, loc="left")
    for spine in bar.spines.values():
        spine.set_visible(False)
