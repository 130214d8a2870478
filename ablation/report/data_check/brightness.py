"""Light: the brightness and contrast of every photograph as a cloud, those far from the others marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.report.style import COLORS, INK, SOFT, Style, drawing, figure

Numbers = NDArray[np.float64]

RASTER_FROM = 800  # points from which on they are kept as pixels: an SVG would grow with each
MARKS = (
    Style(INK, "v"),
    Style(COLORS[4], "^"),
    Style(COLORS[3], "<"),
    Style(COLORS[1], ">"),
)
"""Of the darkest, the brightest, the flattest, and those of the strongest contrast."""


class Mark(NamedTuple):
    """Some of the photographs, and what they are called."""

    name: str
    rows: Sequence[int]


@dataclass(frozen=True, eq=False)
class LightInfo:
    """brightness, contrast: (N,) mean and standard deviation of the luma, in [0, 1]. marks: as many as `MARKS`.

    usual: of brightness and of contrast, the range outside of which a photograph is far from the others.
    """

    brightness: Numbers
    contrast: Numbers
    usual: tuple[tuple[float, float], tuple[float, float]]
    marks: tuple[Mark, ...]

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What the axes show, in percent: every photograph, with a little room."""
        return _limits(100 * self.brightness, 100), _limits(100 * self.contrast, 50)


def _limits(values: Numbers, most: float) -> tuple[float, float]:
    room = max(0.06 * float(np.ptp(values)), 1.0)
    return max(-1.0, float(values.min()) - room), min(most + 1.0, float(values.max()) + room)


def draw_light(info: LightInfo) -> Figure:
    """The cloud, what is usual between dashed lines, and how each of the two is distributed along its axis."""
    x, y = 100 * info.brightness, 100 * info.contrast
    across, up = info.limits
    with drawing():
        made = figure(4.6)
        made.set_dpi(160)
        above, _, axes, beside = made.subplots(
            2, 2, width_ratios=(8, 1), height_ratios=(1, 6), sharex="col", sharey="row"
        ).flat
        _.set_visible(False)
        size, alpha = max(5.0, min(16.0, 16000 / len(x))), max(0.15, min(0.6, 800 / len(x)))
        raster = len(x) >= RASTER_FROM
        axes.scatter(x, y, s=size, c=COLORS[0], alpha=alpha, linewidths=0, rasterized=raster)
        axes.set(xlim=across, ylim=up)
        axes.grid()
        axes.set_axisbelow(True)
        for bounds, line in zip(info.usual, (axes.axvline, axes.axhline), strict=True):
            for bound in bounds:
                if math.isfinite(bound):
                    line(100 * bound, color=SOFT, linewidth=0.8, dashes=(4, 3))
        axes.set(xlim=across, ylim=up)
        for mark, style in zip(info.marks, MARKS, strict=True):
            _draw_mark(axes, x, y, mark, style)
        if any(mark.rows for mark in info.marks):
            made.legend(loc="outside upper left", ncols=len(MARKS), handletextpad=0.1, columnspacing=1.4)
        axes.set_xlabel("brightness, % (black 0, white 100)")
        axes.set_ylabel("contrast, %")
        _draw_margin(above, x, across, "vertical")
        _draw_margin(beside, y, up, "horizontal")
    return made


def _draw_mark(axes: Axes, x: Numbers, y: Numbers, mark: Mark, style: Style) -> None:
    rows = list(mark.rows)
    if rows:
        axes.scatter(
            x[rows],
            y[rows],
            s=44,
            c=style.color,
            marker=style.marker,
            label=mark.name,
            edgecolors="white",
            linewidths=0.7,
        )


def _draw_margin(
    axes: Axes, values: Numbers, limits: tuple[float, float], orientation: Literal["vertical", "horizontal"]
) -> None:
    """A histogram beside an axis, without numbers: its shape is what it tells."""
    axes.hist(values, bins=np.linspace(*limits, 61).tolist(), orientation=orientation, color="#9fc3dc", linewidth=0)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
