"""Contributions of operations: a line each with its interval, and marks for what it adds alone and last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ablation.report.charts import IntervalsInfo, draw_intervals
from ablation.report.style import COLORS, PAPER, SOFT, Style, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"over every order": ("o", SOFT), "added alone": ("o", PAPER), "added to all the others": ("s", PAPER)}
"""What a mark stands for -> the mark, and the colour within."""


def draw_contributions(info: IntervalsInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """A line an operation, then all together and what that is beyond the sum. With a key where there are other marks.

    look: of an operation that is a recipe by itself; the others have the colours in turn. axes: by default new ones.
    """
    names = dict.fromkeys(row.name for group in info.groups for row in group.rows if row.kind == "one")
    styles = {
        name: replace(look.get(name, Style(COLORS[turn % len(COLORS)])), marker="o") for turn, name in enumerate(names)
    }
    axes = draw_intervals(info, styles, axes)
    if info.marked:
        with drawing():
            _draw_key(axes)
    return axes


def _draw_key(axes: Axes) -> None:
    """Above the axes, in the middle of the page."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], linestyle="none", marker=marker, color=face, markeredgecolor=SOFT, markersize=6.5)
        for marker, face in MARKS.values()
    ]
    above = {"bbox_to_anchor": (0.5, 1.0), "ncols": 3, "handletextpad": 0.3, "borderaxespad": 0.1}
    axes.legend(lines, list(MARKS), loc="lower center", **above)
