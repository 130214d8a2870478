"""Contributions: what each operation of a recipe does, with its interval, under each condition and pooled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ablation.report.style import COLORS, FAINT, INK, SOFT, WIDTH, Style, drawing, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE, FOOT, KEY = 0.27, 0.55, 0.3  # inches of a line, of the axis below, and of the key on top
LEFT, RIGHT = 0.225, 0.805  # of the axes, in shares of the width; names stand to the left, numbers to the right


@dataclass(frozen=True)
class ContributionRow:
    """In shown units; nan where there is none. alone, last: of the same operation added to nothing, to all others.

    kind: one operation, all of them together, or what all do beyond the sum of each.
    """

    name: str
    estimate: float
    low: float
    high: float
    text: str
    kind: Literal["one", "all", "beyond"] = "one"
    alone: float = math.nan
    last: float = math.nan


@dataclass(frozen=True)
class ContributionGroup:
    """The rows of one condition."""

    title: str
    rows: tuple[ContributionRow, ...]
    pooled: bool = False


@dataclass(frozen=True)
class ContributionsInfo:
    """margin: half the width of the band of equivalence, in shown units. unit: what the axis counts."""

    groups: tuple[ContributionGroup, ...]
    margin: float
    unit: str
    lower_is_better: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis must show: every interval, every mark and the band, with a little room."""
        rows = [row for group in self.groups for row in group.rows]
        ends = [end for row in rows for end in (row.low, row.high, row.estimate, row.alone, row.last)]
        known = [end for end in ends if not math.isnan(end)] + [-self.margin, self.margin]
        room = 0.05 * (max(known) - min(known))
        return min(known) - room, max(known) + room

    @property
    def marked(self) -> bool:
        """Are there marks for an operation alone and added last?"""
        return any(not math.isnan(row.alone + row.last) for group in self.groups for row in group.rows)


def draw_contributions(info: ContributionsInfo, look: Mapping[str, Style]) -> Axes:
    """A line an operation, then all together and what that is beyond the sum; the band of equivalence is shaded."""
    lines = sum(len(group.rows) + 1.5 for group in info.groups)
    key = KEY if info.marked else 0.0
    height = LINE * lines + FOOT + key
    with drawing():
        from matplotlib.figure import Figure

        made = Figure(figsize=(WIDTH, height))
        axes = made.add_axes((LEFT, FOOT / height, RIGHT - LEFT, 1 - (FOOT + key) / height))
        axes.axvspan(-info.margin, info.margin, color="#eef1f4", linewidth=0)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        place, styles = 0.0, _styles(info, look)
        for group in info.groups:
            place = _draw_group(axes, group, place, styles)
        axes.set(xlim=info.limits, ylim=(place + 0.1, 0.1), yticks=[])
        axes.spines["left"].set_visible(False)
        _name_axis(axes, info)
        if info.marked:
            _key(made)
    return axes


def _styles(info: ContributionsInfo, look: Mapping[str, Style]) -> dict[str, Style]:
    """An operation that is a recipe by itself looks like it; others have the colours in turn."""
    names = dict.fromkeys(row.name for group in info.groups for row in group.rows if row.kind == "one")
    return {name: look.get(name, Style(COLORS[place % len(COLORS)])) for place, name in enumerate(names)}


def _draw_group(axes: Axes, group: ContributionGroup, place: float, styles: Mapping[str, Style]) -> float:
    """Draw from the line `place` downwards; where it ended."""
    from matplotlib.transforms import blended_transform_factory

    page = blended_transform_factory(axes.figure.transFigure, axes.transData)
    if group.pooled:
        axes.plot([0, 1], [place, place], transform=page, color=FAINT, linewidth=0.8, clip_on=False)
    place -= 0.65
    axes.text(0, place, shortened(group.title, 60), transform=page, weight="bold", va="center", color=INK)
    for row in group.rows:
        place -= 1
        own = row.kind == "one"
        style = styles[row.name] if own else Style(INK if row.kind == "all" else SOFT, "D")
        axes.text(0.012, place, shortened(row.name, 28), transform=page, va="center", color=INK if own else SOFT)
        axes.text(1, place, row.text, transform=page, va="center", ha="right")
        if not math.isnan(row.low):
            width = 2.2 if own else 1.4
            axes.plot([row.low, row.high], [place] * 2, color=style.color, linewidth=width, solid_capstyle="butt")
        axes.plot([row.alone, row.last], [place] * 2, color=style.color, linewidth=0.9, linestyle=(0, (1, 2)))
        for x, marker in ((row.alone, "o"), (row.last, "s")):
            axes.plot([x], [place], marker=marker, markersize=6, color="white", markeredgecolor=style.color)
        face = "white" if row.kind == "beyond" else style.color
        edge = style.color if row.kind == "beyond" else "white"
        axes.plot([row.estimate], [place], marker=style.marker, markersize=6.5, color=face, markeredgecolor=edge)
    return place - 0.85


def _key(made: Figure) -> None:
    from matplotlib.lines import Line2D

    marks = {"over every order": ("o", SOFT), "added alone": ("o", "white"), "added to all the others": ("s", "white")}
    lines = [
        Line2D([], [], linestyle="none", marker=marker, color=face, markeredgecolor=SOFT, markersize=6.5)
        for marker, face in marks.values()
    ]
    made.legend(lines, list(marks), loc="upper center", ncols=3, handletextpad=0.3, borderaxespad=0.1)


def _name_axis(axes: Axes, info: ContributionsInfo) -> None:
    axes.set_xlabel(f"contribution, {info.unit}")
    ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
    for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
        axes.annotate(text, (x, 0), (0, -27), "axes fraction", "offset points", ha=side, va="baseline", color=SOFT)
