"""Train and test score of each recipe on one line, and how the confusion of classes changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import MINUS
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

LINE, HEAD, FOOT = 0.34, 0.34, 0.55
"""Inches of a recipe, of the key above and of the axis below."""
LEFT, RIGHT = 0.2, 0.66
"""Where the axis begins and ends, in shares of the width; names stand on the left, numbers on the right."""

ACROSS = 3
"""Panels side by side, two where there are many classes."""
APART = 0.25
"""Inches between them."""
MANY = 14
"""Classes; of more no numbers stand in the cells."""
FEW = 6
"""Up to so many classes the numbers have a decimal."""
LONGEST = 16
"""Characters of a class's name."""
SCALE = 0.62
"""Inches of the colours' scale, under the panels."""


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
    """A line a recipe: a hollow mark is the training score, a filled one the test score, the line between the gap."""
    with drawing():
        axes = _gap_axes(len(info.rows)) if axes is None else axes
        across = _across(axes)
        for line, row in enumerate(info.rows):
            with marked(axes, look[row.name]):
                _draw_gap(axes, row, line, look[row.name])
        for x, text in ((0.745, "gap"), (1.0, "difference to the baseline")):
            axes.text(x, -0.9, text, transform=across, va="center", ha="right", color=SOFT, size=8.5)
        axes.text(0.012, -0.9, "hollow: training, filled: test", transform=across, va="center", color=SOFT, size=8.5)
        axes.set(ylim=(len(info.rows) - 0.4, -0.6), yticks=[], xlabel=info.axis)
        axes.margins(x=0.04)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
    return axes


def _draw_gap(axes: Axes, row: GapRow, line: int, style: Style) -> None:
    axes.plot([row.train, row.test], [line, line], color=style.color, linewidth=2.2, zorder=2)
    for x, face in ((row.train, PAPER), (row.test, style.color)):
        axes.plot([x], [line], marker=style.marker, markersize=7, color=face, markeredgecolor=style.color, zorder=3)
    texts = ((0.012, row.name, "left"), (0.745, row.gap, "right"), (1.0, row.difference, "right"))
    for x, text, side in texts:
        axes.text(x, line, shortened(text, 28), transform=_across(axes), va="center", ha=side, color=INK)


def _gap_axes(rows: int) -> Axes:
    height = HEAD + LINE * rows + FOOT
    made = figure(height)
    made.set_layout_engine("none")
    return made.add_axes((LEFT, FOOT / height, RIGHT - LEFT, LINE * rows / height))


def _across(axes: Axes) -> Any:
    """x in shares of the page's width, y in lines."""
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.figure.transFigure, axes.transData)


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
            mark(panel.set_title(shortened(recipe, 30), color=look[recipe].color), look[recipe])
            count = len(info.classes)
            panel.set(xlim=(0, count), ylim=(count, 0), facecolor="#f1f4f7")
            panel.spines[:].set_visible(False)
            _name_classes(panel, info, first=index % across == 0, last=index + across >= len(info.changes))
            if count <= MANY:
                _write_numbers(panel, change, info.most)
            for place in range(count):
                panel.plot(*_square(place), color=SOFT, linewidth=0.6, zorder=1.5)
        if axes is None:
            _draw_scale(panels[0], mesh)
    return panels


def _square(place: int) -> tuple[list[int], list[int]]:
    """The outline of a cell of the diagonal."""
    return [place, place + 1, place + 1, place, place], [place, place, place + 1, place + 1, place]


def _columns(info: ConfusionInfo) -> int:
    few = len(info.classes) <= MANY and len(info.changes) != 4
    return min(ACROSS if few else 2, len(info.changes))


def _names(info: ConfusionInfo) -> list[str]:
    return [shortened(name, LONGEST) for name in info.classes]


def _left(info: ConfusionInfo) -> float:
    """Inches of the names of the classes."""
    return 0.45 + 0.085 * max(map(len, _names(info)))


def _side(info: ConfusionInfo) -> float:
    """Inches of a panel: cells are larger where two panels or fewer stand side by side."""
    across, count = _columns(info), len(info.classes)
    most = (WIDTH - _left(info) - APART * across) / across
    return min(most, max(1.8, (0.4 if across <= 2 else 0.3) * count))


def _upright(info: ConfusionInfo) -> bool:
    """Are the names of the columns turned, as they are too long to stand side by side?"""
    return max(map(len, _names(info))) * 0.085 > _side(info) / len(info.classes)


def _confusion_axes(info: ConfusionInfo, across: int) -> list[Axes]:
    longest, left, side, top = max(map(len, _names(info))), _left(info), _side(info), 0.34
    foot = 0.42 + (0.085 * longest if _upright(info) else 0.15)
    rows = -(-len(info.changes) // across)
    height = rows * (side + top) + foot + SCALE
    made = figure(height)
    made.set_layout_engine("none")
    return [
        made.add_axes(
            (
                (left + (index % across) * (side + APART)) / WIDTH,
                1 - (index // across + 1) * (side + top) / height,
                side / WIDTH,
                side / height,
            )
        )
        for index in range(len(info.changes))
    ]


def _name_classes(panel: Axes, info: ConfusionInfo, first: bool, last: bool) -> None:
    names, at = _names(info), np.arange(len(info.classes)) + 0.5
    size = 8.5 if len(names) <= 20 else 6.5
    panel.tick_params(length=0, pad=2, labelsize=size)
    panel.set_yticks(at, names if first else [""] * len(names))
    panel.set_xticks(at, names if last else [""] * len(names), rotation=90 if _upright(info) else 0)
    if first:
        panel.set_ylabel("true class", size=8.5)
    if last:
        panel.set_xlabel("guessed class", size=8.5)


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
    bar = made.add_axes((box.x0, 0.42 / height, min(3.2, width * (0.98 - box.x0)) / width, 0.12 / height))
    made.colorbar(mesh, cax=bar, orientation="horizontal")
    bar.tick_params(length=2, labelsize=8)
    bar.set_xlabel("change of the share of a true class (points)", size=8.5, color=SOFT, labelpad=2, loc="left")
    for spine in bar.spines.values():
        spine.set_visible(False)
