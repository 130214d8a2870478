"""Classes: how many images each has, as bars, stacked by the parts of the data where it has any.

Up to `MOST` classes are all shown, the largest first. Of more, the largest and the smallest, under a curve of all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import listing
from ablation.data.check import Check
from ablation.data.contents import Listing
from ablation.report.data_check.findings import photographs
from ablation.report.section import Figure
from ablation.report.style import COLORS, FAINT, INK, SOFT, WIDTH, Style, drawing, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = NDArray[np.int64]

MOST = 40
ENDS = 15  # of more classes: so many of the largest, and of the smallest
ONE_COLUMN = 14  # up to so many classes stand under each other

LINE, HEAD, CURVE = 0.235, 0.3, 1.75  # inches: of a bar, of what stands above bars, and of the curve
LETTER = 0.077  # inches that names have for each letter
NUMBER = 0.8  # inches after a bar
PART_COLORS = {"": COLORS[0], "train": COLORS[0], "val": COLORS[5], "test": COLORS[4]}


@dataclass(frozen=True, eq=False)
class Column:
    """Bars under each other: labels of classes, and what stands above."""

    labels: tuple[int, ...]
    title: str = ""


@dataclass(frozen=True, eq=False)
class ClassesInfo:
    """names: of C classes. counts: (C,) images of each, by part; the only part of data without parts is ''."""

    names: Sequence[str]
    counts: Mapping[str, Rows]

    @cached_property
    def totals(self) -> Rows:
        """(C,) over all parts."""
        totals: Rows = np.sum(list(self.counts.values()), axis=0)
        return totals

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Labels, the largest class first; those of one size as they are numbered."""
        return tuple(np.argsort(-self.totals, kind="stable").tolist())

    @property
    def between(self) -> int:
        """How many classes have no bar."""
        return max(0, len(self.names) - 2 * ENDS) if len(self.names) > MOST else 0

    @property
    def columns(self) -> tuple[Column, ...]:
        """What stands side by side."""
        order = self.order
        if self.between:
            return Column(order[:ENDS], f"the {ENDS} largest"), Column(order[-ENDS:], f"the {ENDS} smallest")
        if len(order) <= ONE_COLUMN:
            return (Column(order),)
        half = -(-len(order) // 2)
        return Column(order[:half]), Column(order[half:])

    def number(self, label: int) -> str:
        """What stands at the end of a bar: '180', or '120 + 20 + 40' by part."""
        return " + ".join(f"{counts[label]:,}" for counts in self.counts.values())


def classes_figure(check: Check, data: Listing) -> Figure:
    """How many images each class has, by part."""
    counts: dict[str, Rows] = check.part_counts or {"": check.counts}
    info = ClassesInfo(data.classes, counts)
    parts = f", in the parts {listing(counts)}" if len(counts) > 1 else ""
    order = "the largest class first" if check.imbalance > 1 else "all have as many"
    caption = f"Images of each class{parts}; {order}."
    if info.between:
        caption += f" {info.between:,} classes between the ends have no bar; check.json has the number of every one."
    return Figure(info, draw_classes, f"Images of each class: {photographs(int(info.totals.sum()))}", caption)


def draw_classes(info: ClassesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Bars of one scale, each with its number, under a curve of all classes where some have no bar.

    axes: one a column, after one for the curve where there is any; by default new ones.
    """
    with drawing():
        axes = _new_axes(info) if axes is None else axes
        if info.between:
            _draw_curve(axes[0], info)
        for column, bars in zip(info.columns, axes[bool(info.between) :], strict=True):
            _draw_bars(bars, info, column)
    return axes


def _new_axes(info: ClassesInfo) -> list[Axes]:
    """Placed by the inch: every bar is as high, and names have the room that the longest one needs."""
    from matplotlib.figure import Figure as Drawing
    from matplotlib.patches import Patch

    columns, axes = info.columns, []
    curve, legend = CURVE if info.between else 0, HEAD if len(info.counts) > 1 else 0
    bars = LINE * max(len(column.labels) for column in columns)
    height = legend + curve + (HEAD if info.between else 0.06) + bars + 0.04
    pitch = WIDTH / len(columns)
    names = [named(info.names[label]) for column in columns for label in column.labels]
    name, number = 0.15 + LETTER * max(5, *map(width_of, names)), NUMBER + 0.5 * (len(info.counts) - 1)
    made = Drawing(figsize=(WIDTH, height), dpi=144)
    if curve:
        left, top = 0.55, height - legend - 0.1
        axes.append(
            made.add_axes(
                (left / WIDTH, (top - curve + 0.6) / height, 1 - (left + 0.1) / WIDTH, (curve - 0.6) / height)
            )
        )
    for index, column in enumerate(columns):
        share = LINE * len(column.labels) / height
        left, width = (index * pitch + name) / WIDTH, (pitch - name - number) / WIDTH
        axes.append(made.add_axes((left, (0.04 + bars) / height - share, width, share)))
    if legend:
        handles = [Patch(color=PART_COLORS[part], label=part) for part in info.counts]
        made.legend(handles=handles, loc="upper left", ncols=3, borderaxespad=0, handlelength=1, handleheight=1)
    return axes


def _draw_bars(axes: Axes, info: ClassesInfo, column: Column) -> None:
    at, labels = np.arange(len(column.labels)), list(column.labels)
    left = np.zeros(len(labels))
    for part, counts in info.counts.items():
        axes.barh(at, counts[labels], 0.62, left, color=PART_COLORS[part], linewidth=0)
        left += counts[labels]
    beside: Any = {"textcoords": "offset points", "va": "center", "color": INK, "annotation_clip": False}
    for y, label in enumerate(labels):
        axes.annotate(info.number(label), (info.totals[label], y), (6, 0), **beside)
        axes.annotate(named(info.names[label]), (0, y), (-6, 0), ha="right", **beside)
    axes.set(xlim=(0, info.totals.max()), ylim=(len(labels) - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    if column.title:
        axes.set_title(column.title, loc="left", pad=5)


def _draw_curve(axes: Axes, info: ClassesInfo) -> None:
    """Every class, the largest first: its images by part, one on the other."""
    order, edges = list(info.order), np.arange(len(info.names) + 1) + 0.5
    low = np.zeros(len(order))
    for part, counts in info.counts.items():
        high = low + counts[order]
        axes.stairs(high, edges, baseline=low, fill=True, color=PART_COLORS[part], linewidth=0)
        low = high
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None), ylabel="images")
    axes.set_xlabel(f"all {len(order):,} classes, the largest first")
    axes.spines["left"].set_color(FAINT)
    axes.tick_params(colors=SOFT)


def named(name: str, most: int = 27) -> str:
    """A class's name where it fits beside its bar: of letters that are twice as wide (Chinese, emoji), half as many."""
    return shortened(name, max(4, round(most * len(name) / width_of(name)))) if name else name


def width_of(text: str) -> int:
    """In letters, those of double width counted twice."""
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
