"""Drawings that several sections share: curves over a scale with their band, and rows of estimates with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.dose import DoseResponse
from ablation.analysis.metrics import METRICS
from ablation.experiment.experiment import Experiment
from ablation.report.style import BAND, FAINT, INK, PAPER, SOFT, Style, drawing, figure, marked, shortened
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


LINE, GAP, FOOT, KEY = 0.26, 1.35, 0.55, 0.3
"""Of a chart of intervals: inches of a line, lines of a group's heading, inches of the axis below and a key above."""

LEFT, RIGHT = 0.225, 0.805
"""Of its axes, in shares of the width; names stand to the left, numbers to the right."""


Kind = Literal["one", "pooled", "together", "beyond"]


@dataclass(frozen=True)
class IntervalRow:
    """An estimate with its interval, in shown units; nan where there is none. text: the same in numbers.

    kind: what the estimate is of: one recipe or operation, also where it is "pooled" over conditions; several of them
    "together", or what these do "beyond" the sum of each. alone, last: of an operation, added to nothing and to all the
    others.
    """

    name: str
    estimate: float
    low: float
    high: float
    text: str
    kind: Kind = "one"
    alone: float = math.nan
    last: float = math.nan

    @classmethod
    def of(
        cls, name: str, estimate: float, low: float, high: float, kind: Kind, metric: str,
        alone: float = math.nan, last: float = math.nan,
    ) -> IntervalRow:  # fmt: skip
        """From numbers in the metric's own unit."""
        text = signed(estimate, metric)
        text += "" if math.isnan(low) else f"  [{interval(low, high, metric)}]"
        middle, low, high, alone, last = (shown(x, metric) for x in (estimate, low, high, alone, last))
        return cls(name, middle, low, high, text, kind, alone, last)


@dataclass(frozen=True)
class IntervalGroup:
    """The rows of one condition."""

    title: str
    rows: tuple[IntervalRow, ...]
    pooled: bool = False


@dataclass(frozen=True)
class IntervalsInfo:
    """margin: half the width of the band of equivalence, in shown units. axis: what it counts, with the unit."""

    groups: tuple[IntervalGroup, ...]
    margin: float
    axis: str
    lower_is_better: bool = False

    @classmethod
    def of(cls, groups: Iterable[IntervalGroup], experiment: Experiment, what: str) -> IntervalsInfo:
        """Of differences in the experiment's metric. what: these are."""
        metric = experiment.metric
        axis, lower = f"{what}, {unit_text(metric)}", METRICS[metric].lower_is_better
        return cls(tuple(groups), shown(experiment.margin, metric), axis, lower)

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


def draw_intervals(info: IntervalsInfo, look: Mapping[str, Style], axes: Axes | None = None) -> Axes:
    """A line a row, grouped by condition; the band of equivalence is shaded.

    look: how each name is drawn; what stands for several is a diamond, filled or hollow. axes: by default new ones,
    with room for names on the left and numbers on the right.
    """
    with drawing():
        axes = _interval_axes(info) if axes is None else axes
        axes.axvspan(-info.margin, info.margin, color=BAND, linewidth=0)
        axes.axvline(0, color=SOFT, linewidth=1)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        line = 0.0
        for group in info.groups:
            _draw_heading(axes, group, line)
            for row in group.rows:
                line -= 1
                style = _style(row, look)
                with marked(axes, style):
                    _draw_row(axes, row, line - GAP / 2, style)
            line -= GAP
        axes.set(xlim=info.limits, ylim=(line + 0.1, 0.1), yticks=[], xlabel=info.axis)
        axes.spines["left"].set_visible(False)
        ends = ("← better", "worse →") if info.lower_is_better else ("← worse", "better →")
        for x, side, text in ((0, "left", ends[0]), (1, "right", ends[1])):
            axes.annotate(text, (x, 0), (0, -27), "axes fraction", "offset points", ha=side, va="baseline", color=SOFT)
    return axes


def _interval_axes(info: IntervalsInfo) -> Axes:
    key = KEY if info.marked else 0.0
    height = LINE * sum(len(group.rows) + GAP for group in info.groups) + FOOT + key
    made = figure(height)
    made.set_layout_engine("none")
    return made.add_axes((LEFT, FOOT / height, RIGHT - LEFT, 1 - (FOOT + key) / height))


def _style(row: IntervalRow, look: Mapping[str, Style]) -> Style:
    if row.kind in ("together", "beyond"):
        return Style(INK if row.kind == "together" else SOFT, "D")
    return look[row.name] if row.kind == "one" else replace(look[row.name], marker="D")


def _draw_heading(axes: Axes, group: IntervalGroup, line: float) -> None:
    """At the left edge of the page; a thin line above what is pooled."""
    page = _across_the_page(axes)
    if group.pooled:
        axes.plot([0, 1], [line, line], transform=page, color=FAINT, linewidth=0.8, clip_on=False)
    axes.text(0, line - 0.65, shortened(group.title, 60), transform=page, weight="bold", va="center", color=INK)


def _draw_row(axes: Axes, row: IntervalRow, line: float, style: Style) -> None:
    page, sum_of_several = _across_the_page(axes), row.kind in ("together", "beyond")
    ink = SOFT if sum_of_several else INK
    axes.text(0.012, line, shortened(row.name, 28), transform=page, va="center", color=ink)
    axes.text(1, line, row.text, transform=page, va="center", ha="right")
    if not math.isnan(row.low):
        width = 1.4 if sum_of_several else 2.2
        axes.plot([row.low, row.high], [line, line], color=style.color, linewidth=width, solid_capstyle="butt")
    axes.plot([row.alone, row.last], [line, line], color=style.color, linewidth=0.9, linestyle=(0, (1, 2)))
    for x, marker in ((row.alone, "o"), (row.last, "s")):
        axes.plot([x], [line], marker=marker, markersize=6, color=PAPER, markeredgecolor=style.color)
    face, edge = (PAPER, style.color) if row.kind == "beyond" else (style.color, PAPER)
    axes.plot([row.estimate], [line], marker=style.marker, markersize=6.5, color=face, markeredgecolor=edge)


def _across_the_page(axes: Axes) -> Transform:
    """x in shares of the page's width, y in lines."""
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.figure.transFigure, axes.transData)
