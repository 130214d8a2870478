"""Sizes: width and height of every photograph on one map, and how long or tall they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from ablation.report.style import COLORS, SOFT, drawing, figure

Rows = NDArray[np.int64]

RATIOS = {
    1 / 4: "1:4",
    1 / 3: "1:3",
    1 / 2: "1:2",
    2 / 3: "2:3",
    1.0: "1:1",
    3 / 2: "3:2",
    2.0: "2:1",
    3.0: "3:1",
    4.0: "4:1",
}
"""Width to height, as people write it."""

RASTER_FROM = 800


@dataclass(frozen=True, eq=False)
class SizesInfo:
    """width, height: (N,) pixels. small: the side below which a photograph is very small; extreme: the ratio of the
    longer to the shorter side from which on it is long or tall."""

    width: Rows
    height: Rows
    small: int
    extreme: float

    @cached_property
    def sizes(self) -> tuple[Rows, Rows]:
        """(S, 2) the sizes that occur, and (S,) how often."""
        return np.unique(np.stack([self.width, self.height], axis=1), axis=0, return_counts=True)

    @property
    def ratio(self) -> NDArray[np.float64]:
        """(N,) width over height."""
        return self.width / self.height

    @property
    def limits(self) -> tuple[float, float]:
        """Of both axes of the map, in pixels: every side, with a little room."""
        sides = np.concatenate([self.width, self.height])
        return float(sides.min()) / 1.25, float(sides.max()) * 1.25

    @property
    def longest(self) -> float:
        """What the axis of ratios reaches in both directions: the longest or tallest, at least 2:1."""
        return max(2.0, float(np.exp(np.abs(np.log(self.ratio)).max()))) * 1.12


def draw_sizes(info: SizesInfo) -> Figure:
    """Left the map, its points as large as a size is frequent; right how many have each proportion."""
    with drawing():
        made = figure(4.0)
        made.set_dpi(160)
        left, right = made.subplots(1, 2, width_ratios=(1, 1.15))
        _draw_map(left, info)
        _draw_ratios(right, info)
    return made


def _draw_map(axes: Axes, info: SizesInfo) -> None:
    sizes, counts = info.sizes
    low, high = info.limits
    small = min(max(info.small, low), high)
    axes.fill_between([low, high], [low, low], [small, small], color="#fdf1dc", linewidth=0)
    axes.fill_betweenx([small, high], [low, low], [small, small], color="#fdf1dc", linewidth=0)
    for ratio, name in ((1.0, "1:1"), (info.extreme, f"{info.extreme:g}:1"), (1 / info.extreme, f"1:{info.extreme:g}")):
        axes.plot([low, high], [low / ratio, high / ratio], color="#c3cad2", linewidth=0.8, dashes=(4, 3))
        x, y = min(high, high * ratio), min(high, high / ratio)
        if min(x, y) > low:
            axes.annotate(name, (x, y), (-3, -3), textcoords="offset points", ha="right", va="top", color=SOFT, size=8)
    area = 14 + 500 * counts / counts.sum() * (counts > 1)
    alpha = max(0.25, min(0.75, 300 / len(sizes)))
    raster = len(sizes) >= RASTER_FROM
    axes.scatter(sizes[:, 0], sizes[:, 1], s=area, c=COLORS[0], alpha=alpha, linewidths=0, rasterized=raster, zorder=3)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    ticks = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("width, pixels")
    axes.set_ylabel("height, pixels")


def _draw_ratios(axes: Axes, info: SizesInfo) -> None:
    reach = np.log(info.longest)
    axes.hist(np.log(info.ratio), bins=np.linspace(-reach, reach, 58).tolist(), color=COLORS[0], linewidth=0)
    shown = {ratio: name for ratio, name in RATIOS.items() if abs(np.log(ratio)) < reach}
    axes.set_xticks(np.log(list(shown)), list(shown.values()))
    axes.set_xlim(-reach, reach)
    for bound in (-np.log(info.extreme), np.log(info.extreme)):
        if abs(bound) < reach:
            axes.axvline(bound, color="#c3cad2", linewidth=0.8, dashes=(4, 3))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_xlabel("width : height   (left tall, right wide)")
    axes.set_ylabel("photographs")
