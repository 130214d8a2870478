"""Drawings that several sections share: curves over a scale with their band, and rows of estimates with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.dose import DoseResponse
from ablation.analysis.metrics import METRICS
from ablation.core.text import MINUS
from ablation.experiment.experiment import Experiment
from ablation.report.style import (
    BAND,
    FAINT,
    INK,
    PAPER,
    SOFT,
    WIDTH,
    Style,
    drawing,
    figure,
    mark,
    marked,
    settle,
    shortened,
)
from ablation.report.text import interval, shown, signed, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

Floats = NDArray[np.float64]

ACROSS = 3  # panels side by side


@dataclass(frozen=True, eq=False)
class CurvePanel:
    """One curve, in shown units. at (K,): where on the axis; scores (n seeds, K); mean (K,).

    curve_at, curve, low, high (P,): the fit with its pointwise band.
    """

    title: str
    at: Floats
    scores: Floats
    mean: Floats
    curve_at: Floats
    curve: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, title: str, response: DoseResponse, scores: Sequence[Sequence[float]], metric: str) -> CurvePanel:
        """A response with the scores behind it, in the metric's own unit."""
        measured, fit = response.measured, response.curve
        numbers = (shown(x, metric) for x in (fit.value, fit.low, fit.high))
        return cls(
            title, measured.doses, shown(np.array(scores), metric), shown(measured.value, metric), fit.doses, *numbers
        )

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis must show: every score and the fit, and of the band no more than as much again."""
        known = np.concatenate([self.scores.ravel(), self.curve])
        low, high = float(known.min()), float(known.max())
        room = max(high - low, 1e-9)
        band = np.clip(np.concatenate([self.low, self.high]), low - room, high + room)
        ends = [low, high, *band[np.isfinite(band)].tolist()]
        return min(ends) - 0.06 * room, max(ends) + 0.06 * room


def common_limits(panels: Sequence[CurvePanel]) -> tuple[float, float]:
    """Limits that show all of them."""
    return min(panel.limits[0] for panel in panels), max(panel.limits[1] for panel in panels)


def draw_curve(axes: Axes, panel: CurvePanel, color: str) -> None:
    """The band, the fit, each seed as dots that a thin line joins, and the means."""
    axes.set_title(shortened(panel.title, 44))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.fill_between(panel.curve_at, panel.low, panel.high, color=color, alpha=0.13, linewidth=0)
    for row in panel.scores:
        axes.plot(panel.at, row, "o-", color=color, markersize=2.6, linewidth=0.6, alpha=0.3)
    axes.plot(panel.curve_at, panel.curve, color=color, linewidth=1.8)
    axes.plot(panel.at, panel.mean, "D", color=color, markersize=6.5, markeredgecolor=PAPER, zorder=4)


def name_ticks(axes: Axes, at: Floats, names: Sequence[str]) -> None:
    """A tick at every value, named where there is room."""
    width, last = float(np.ptp(at)), -np.inf
    labels = []
    for value, name in zip(at, names, strict=True):
        fits = value - last >= (0.025 + 0.016 * len(name)) * width
        last = value if fits else last
        labels.append(name if fits else "")
    axes.set_xticks(at, labels)


def line_of(style: Style, points: int) -> dict[str, Any]:
    """How a recipe's line of so many points is drawn: with some markers, not where its neighbours have theirs."""
    step = max(1, points // 6)
    first = (style.index or 0) * step // 5 % step
    marks = {"marker": style.marker, "markevery": (first, step), "markeredgecolor": PAPER, "markeredgewidth": 0.7}
    return {"color": style.color, "linestyle": style.dash, "linewidth": 1.5, "markersize": 5.5, **marks}


APART, AWAY, LONGEST_END = 11.5, 9.0, 22
"""Points (1/72 inch) from one name at the end of a line to the next and from the axes to a name; its characters."""

MOST_ENDS = 12
"""Lines with their names at their ends; more have a legend."""


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, Style]]) -> None:
    """Names to the right of the lines that end at (x, y), each with a thin line to it; none overlaps another.

    It settles the layout of the figure, so that it comes when all else is drawn.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    made = axes.get_figure(root=True)
    assert made is not None
    beside = axes.transAxes + ScaledTranslation(AWAY / 72, 0, made.dpi_scale_trans)
    texts = []
    for x, y, name, style in ends:
        leader = {"arrowstyle": "-", "color": style.color, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 2}
        text = axes.annotate(
            shortened(name, LONGEST_END), (x, y), (1, y), "data", blended_transform_factory(beside, axes.transData),
            arrowprops=leader | {"relpos": (0, 0.5)}, va="center", color=style.text, weight="bold", size=8.5,
            annotation_clip=False,
        )  # fmt: skip
        mark(text, style)
        texts.append(text)
    settle(made)
    (_, low), (_, high) = axes.transAxes.transform([(0, 0), (0, 1)])
    apart = APART * made.dpi / 72
    at = np.array([axes.transData.transform((x, y))[1] for x, y, _, _ in ends])
    for text, place in zip(texts, spread(at, apart, low, high), strict=True):
        text.set_position((1, axes.transData.inverted().transform((0, place))[1]))


def name_curves(axes: Axes, ends: Sequence[tuple[float, float, str, Style]], alone: bool) -> None:
    """Names of the lines that end at (x, y). alone: beside their ends, where the axes have that room; else a legend."""
    from matplotlib.lines import Line2D

    if alone and len(ends) <= MOST_ENDS:
        label_ends(axes, ends)
        return
    lines = [Line2D([], [], **line_of(style, 1)) for *_, style in ends]
    for line, (*_, style) in zip(lines, ends, strict=True):
        mark(line, style)
    _legend_above(axes, lines, [shortened(name, LONGEST) for _, _, name, _ in ends])


def _legend_above(axes: Axes, lines: Sequence[Any], names: Sequence[str]) -> None:
    """A legend in as many columns as there is room for, in room that is made for it above what is drawn."""
    made = axes.get_figure(root=True)
    assert made is not None
    for columns in range(min(len(names), 4), 0, -1):
        legend = axes.legend(lines, names, handlelength=2.4, loc="upper left", ncols=columns, borderaxespad=0.2)
        made.draw_without_rendering()
        box, frame = legend.get_window_extent(), axes.get_window_extent()
        if box.width <= frame.width:
            break
    share, (low, high) = box.height / frame.height, axes.get_ylim()
    if share < 0.6:
        ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
        axes.set_ylim(low, high + (high - low) * share / (1 - share))
        axes.set_yticks(ticks)


def spread(at: Floats, apart: float, low: float, high: float) -> Floats:
    """(K,) the places nearest to `at` (K,), by least squares, that are so far apart, within low and high if they fit.

    In the same order: pools of neighbours that touch have the mean of their places (isotonic regression).
    """
    order = np.argsort(at, kind="stable")
    pools: list[tuple[float, int]] = []
    for index, place in enumerate(order):
        pools.append((float(at[place]) - index * apart, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (first, several), (second, more) = pools[-2:]
            pools[-2:] = [((several * first + more * second) / (several + more), several + more)]
    starts = np.repeat([place for place, _ in pools], [count for _, count in pools])
    spaced = np.clip(starts, low, max(low, high - apart * (len(at) - 1))) + apart * np.arange(len(at))
    return np.asarray(spaced[np.argsort(order)])


LINE, GAP, FOOT, HEAD = 0.25, 1.3, 0.56, 0.3
"""Of a chart of intervals: inches of a line, lines of a group's heading, inches below the axes and above them."""

CHARACTER = 0.076
"""Inches that a character of a name takes, about."""

LONGEST = 28
"""Characters of a name."""

MOST_LINES = 42
"""Lines of a chart of intervals: what a screen shows."""

Kind = Literal["one", "pooled", "together", "beyond"]


@dataclass(frozen=True)
class IntervalRow:
    """An estimate with its interval, in shown units; nan where there is none. text: the same in numbers.

    seeds: what each seed gave, in shown units. kind: what the estimate is of: one recipe or operation, also where it is
    "pooled" over conditions; several of them "together", or what these do "beyond" the sum of each. alone, last: of an
    operation, added to nothing and to all the others.
    """

    name: str
    estimate: float
    low: float
    high: float
    text: str
    kind: Kind = "one"
    alone: float = math.nan
    last: float = math.nan
    seeds: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, name: str, estimate: float, low: float, high: float, kind: Kind, metric: str,
        alone: float = math.nan, last: float = math.nan, digits: int = 0, seeds: Iterable[float] = (),
    ) -> IntervalRow:  # fmt: skip
        """From numbers in the metric's own unit. digits: decimals, as `ablation.report.text.points` takes them."""
        text = signed(estimate, metric, digits)
        text += "" if math.isnan(low) else f"  [{interval(low, high, metric, digits=digits)}]"
        middle, low, high, alone, last = (shown(x, metric) for x in (estimate, low, high, alone, last))
        return cls(name, middle, low, high, text, kind, alone, last, tuple(shown(x, metric) for x in seeds))


@dataclass(frozen=True)
class IntervalGroup:
    """The rows of one condition."""

    title: str
    rows: tuple[IntervalRow, ...]
    pooled: bool = False


@dataclass(frozen=True)
class IntervalsInfo:
    """margin: half the width of the band of equivalence, in shown units; 0 without one. axis: what it counts."""

    groups: tuple[IntervalGroup, ...]
    margin: float
    axis: str
    lower_is_better: bool = False

    @classmethod
    def of(cls, groups: Iterable[IntervalGroup], experiment: Experiment, what: str) -> IntervalsInfo:
        """Of differences in the experiment's metric. what: these are."""
        metric = experiment.metric
        axis, lower = f"{what}, {unit_text(metric)}", METRICS[metric].lower_is_better
        return cls(tuple(groups), shown(experiment.declared_margin or 0.0, metric), axis, lower)

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis must show: every interval, every mark and the band, with a little room."""
        rows = [row for group in self.groups for row in group.rows]
        ends = [end for row in rows for end in (row.low, row.high, row.estimate, row.alone, row.last, *row.seeds)]
        known = [end for end in ends if not math.isnan(end)] + [-self.margin, self.margin]
        room = 0.05 * (max(known) - min(known))
        return min(known) - room, max(known) + room

    @property
    def texts(self) -> tuple[str, ...]:
        """The numbers of all rows."""
        return tuple(row.text for group in self.groups for row in group.rows)

    @property
    def drawn(self) -> IntervalsInfo:
        """All, or where that is more than a screen the last group, and of it the largest estimates."""
        if sum(len(group.rows) + GAP for group in self.groups) <= MOST_LINES:
            return self
        group = self.groups[-1]
        several = [row for row in group.rows if row.kind in ("together", "beyond")]
        single = [row for row in group.rows if row not in several]
        largest = sorted(single, key=lambda row: -abs(np.nan_to_num(row.estimate)))[: MOST_LINES - 2 - len(several)]
        rows = tuple(row for row in group.rows if row in several or row in largest)
        return replace(self, groups=(replace(group, rows=rows),))

    def left_out(self) -> tuple[str, ...]:
        """A sentence on what is not drawn; none where everything is."""
        most, every = len(self.drawn.groups[-1].rows), len(self.groups[-1].rows)
        parts = ["the rows"] if most == every else [f"the {most} of {every} rows with the largest estimates"]
        if len(self.drawn.groups) < len(self.groups):
            parts.append(f"under the last heading of {len(self.groups)}")
        return () if self.drawn is self else (f"Drawn are {' '.join(parts)}; all are in the table.",)

    @property
    def marked(self) -> bool:
        """Are there marks for an operation alone and added last?"""
        return any(not math.isnan(row.alone + row.last) for group in self.groups for row in group.rows)


def draw_intervals(info: IntervalsInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """A line a row with a dot a seed below it, grouped by condition; the band of equivalence is shaded.

    look: how each name is drawn; what stands for several is a diamond, filled or hollow. axes: by default new ones,
    with room for names on the left and numbers on the right; in axes that are given the names are those of the ticks.
    """
    info = info.drawn
    with drawing():
        alone, columns = axes is None, columns_of(info.texts)
        axes = _interval_axes(info) if axes is None else axes
        axes.axvspan(-info.margin, info.margin, color=BAND, linewidth=0)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        line, places, headings = 0.0, list[tuple[float, IntervalRow]](), list[tuple[float, str]]()
        for group in info.groups:
            _draw_heading(axes, group, line, alone)
            headings.append((line - 0.65, shortened(group.title, 60)))
            for row in group.rows:
                line -= 1
                places.append((line - GAP / 2, row))
                style = _style(row, look)
                with marked(axes, style):
                    _draw_row(axes, row, line - GAP / 2, style, info.limits[1] - info.limits[0])
                    if alone:
                        _write_row(axes, row, line - GAP / 2, columns)
            line -= GAP
        axes.set(xlim=info.limits, ylim=(line + 0.1, 0.1), yticks=[], xlabel=info.axis)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(signed_ticks)
        if not alone:
            _name_rows(axes, places, headings, look)
        _draw_ends(axes, info, alone)
    return axes


def _name_rows(
    axes: Axes,
    places: Sequence[tuple[float, IntervalRow]],
    headings: Sequence[tuple[float, str]],
    look: Mapping[str, Style],
) -> None:
    """Names and headings as those of ticks, which whoever arranges the axes leaves room for."""
    names = [shortened(row.name, LONGEST) for _, row in places]
    at, titles = [at for at, _ in (*places, *headings)], [title for _, title in headings]
    axes.set_yticks(at, [*names, *titles])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    texts = axes.get_yticklabels()
    for text, (_, row) in zip(texts, places, strict=False):
        mark(text, _style(row, look))
    for text in texts[len(places) :]:
        text.set_fontweight("bold")


def _draw_ends(axes: Axes, info: IntervalsInfo, alone: bool) -> None:
    """Which way is better. alone: at the ends of the axis, where it is as wide as a page; else in the upper corners."""
    ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
    if not alone:
        for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
            corner = (3 if side == "left" else -3, -3)
            axes.annotate(text, (x, 1), corner, "axes fraction", "offset points", ha=side, va="top", color=SOFT, size=8)
        return
    for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
        axes.annotate(text, (x, 0), (0, -27), "axes fraction", "offset points", ha=side, va="baseline", color=SOFT)


def signed_ticks(x: float, _: object = None) -> str:
    """A number on the axis of a difference, with its sign."""
    return f"{'+' if x > 0 else ''}{round(x, 6):g}".replace("-", MINUS)


def _interval_axes(info: IntervalsInfo) -> Axes:
    height = LINE * sum(len(group.rows) + GAP for group in info.groups) + FOOT + HEAD
    names = [shortened(row.name, LONGEST) for group in info.groups for row in group.rows]
    columns = columns_of(info.texts)
    left, right = 0.35 + CHARACTER * max(map(len, names), default=4), columns[0] + 0.75
    made = figure(height)
    made.set_layout_engine("none")
    axes = made.add_axes((left / WIDTH, FOOT / height, 1 - (left + right) / WIDTH, 1 - (FOOT + HEAD) / height))
    for x, text in ((columns[0], info.axis.split(",")[0].split(" ")[0]), (0.0, "interval")):
        made.text(1 - x / WIDTH, 1 - 0.17 / height, text, color=SOFT, ha="right", size=8.5)
    return axes


Columns = tuple[float, float, float]
"""Inches from the right edge at which an estimate, the lower end of its interval and the word between end."""


def _parts(text: str) -> tuple[str, str, str]:
    """'+1.0  [0.5 to 1.5]' in three: '+1.0', '0.5' and '1.5'."""
    estimate, _, ends = text.partition("  ")
    low, _, high = ends.strip("[]").partition(" to ")
    return estimate, low, high


def columns_of(texts: Iterable[str]) -> Columns:
    """Where the columns of these numbers with intervals end."""
    _, low, high = (max(map(len, column), default=0) for column in zip(*map(_parts, texts), strict=True))
    return CHARACTER * (low + high + 6), CHARACTER * (high + 3.2), CHARACTER * (high + 0.6)


def _style(row: IntervalRow, look: Mapping[str, Style]) -> Style:
    if row.kind in ("together", "beyond"):
        return Style(INK if row.kind == "together" else SOFT, "D")
    return look[row.name] if row.kind == "one" else replace(look[row.name], marker="D")


def _draw_heading(axes: Axes, group: IntervalGroup, line: float, alone: bool) -> None:
    """At the left edge of the page, where the axes stand alone on it; a thin line above what is pooled."""
    page = across_the_page(axes) if alone else axes.get_yaxis_transform()
    if group.pooled and line:
        axes.plot([0, 1], [line, line], transform=page, color=FAINT, linewidth=0.8, clip_on=False)
    if alone:
        axes.text(0, line - 0.65, shortened(group.title, 60), transform=page, weight="bold", va="center", color=INK)


BELOW = 0.3
"""Lines from an interval down to the dots of its seeds."""


DOT, DEEP = 0.16, 0.44
"""Lines that a dot takes, and that a stack of dots may take."""

DOTS_ACROSS = 200
"""Dots side by side that fill the width of the axes, about."""


def stacked(values: Sequence[float], across: float) -> Floats:
    """(K,) how many lines below its place each dot is drawn, so that seeds of one value are as many dots.

    across: what the axes are wide, in the unit of the values.
    """
    before: dict[int, int] = {}
    depth = np.zeros(len(values))
    for index, value in enumerate(values):
        column = round(value / across * DOTS_ACROSS)
        depth[index] = before[column] = before.get(column, -1) + 1
    most = depth.max(initial=0)
    return np.asarray(depth * min(DOT, DEEP / max(float(most), 1.0)), float)


def _draw_row(axes: Axes, row: IntervalRow, line: float, style: Style, across: float) -> None:
    if row.seeds:
        dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2.8, "markeredgewidth": 0}
        axes.plot(row.seeds, line - BELOW - stacked(row.seeds, across), color=style.color, alpha=0.55, **dots)
    if not math.isnan(row.low):
        width = 1.4 if row.kind in ("together", "beyond") else 2.2
        axes.plot([row.low, row.high], [line, line], color=style.color, linewidth=width, solid_capstyle="butt")
    axes.plot([row.alone, row.last], [line, line], color=style.color, linewidth=0.9, linestyle=(0, (1, 2)))
    for x, marker in ((row.alone, "o"), (row.last, "s")):
        axes.plot([x], [line], marker=marker, markersize=6, color=PAPER, markeredgecolor=style.color)
    face, edge = (PAPER, style.color) if row.kind == "beyond" else (style.color, PAPER)
    axes.plot([row.estimate], [line], marker=style.marker, markersize=7, color=face, markeredgecolor=edge)


def _write_row(axes: Axes, row: IntervalRow, line: float, columns: Columns) -> None:
    """The name at the left edge of the page and the numbers at its right."""
    ink = SOFT if row.kind in ("together", "beyond") else INK
    page, name = across_the_page(axes), shortened(row.name, LONGEST)
    axes.text(0.12 / WIDTH, line, name, transform=page, va="center", color=ink)
    write_numbers(axes, row.text, line, columns)


def write_numbers(axes: Axes, text: str, line: float, columns: Columns) -> None:
    """An estimate with its interval at the right edge of the page, in columns, so that digits stand below digits."""
    page, (estimate, low, high) = across_the_page(axes), _parts(text)
    for x, part in zip((*columns, 0.0), (estimate, low, "to" if high else "", high), strict=True):
        color = INK if part == estimate else SOFT
        axes.text(1 - x / WIDTH, line, part, transform=page, va="center", ha="right", color=color)


def across_the_page(axes: Axes) -> Transform:
    """x in shares of the page's width, y in lines."""
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.figure.transFigure, axes.transData)
