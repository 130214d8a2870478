"""Sizes: width and height of every photograph on one map, and how long or tall they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.data.check import EXTREME_RATIO, SMALL_SIDE
from ablation.data.contents import Listing
from ablation.report.data_check.brightness import RASTER_FROM
from ablation.report.section import Figure
from ablation.report.style import COLORS, SOFT, Style, drawing, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = NDArray[np.int64]

RATIOS = ("1:4", "1:3", "1:2", "2:3", "1:1", "3:2", "2:1", "3:1", "4:1")
"""Width to height, as people write it."""


@dataclass(frozen=True, eq=False)
class SizesInfo:
    """width, height: (N,) pixels."""

    width: Rows
    height: Rows

    @cached_property
    def sizes(self) -> tuple[Rows, Rows]:
        """(S, 2) the sizes that occur, and (S,) how often."""
        return np.unique(np.stack([self.width, self.height], axis=1), axis=0, return_counts=True)


def sizes_figure(data: Listing) -> Figure | None:
    """Width, height and proportions; None where all photographs have one size."""
    info = SizesInfo(data.traits["width"].astype(np.int64), data.traits["height"].astype(np.int64))
    if len(info.sizes[1]) == 1:
        return None
    caption = (
        "Left: width and height of every photograph; a point is the larger, the more have that size, and in the tinted "
        f"band a side is under {SMALL_SIDE} pixels. Right: how long or tall they are. Beyond the dashed lines at "
        f"{EXTREME_RATIO:g}:1 a centre crop shows little of a photograph."
    )
    return Figure(info, draw_sizes, "Width, height and proportions of the photographs", caption)


def draw_sizes(info: SizesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Left the map, its points as large as a size is frequent; right how many have each proportion.

    axes: two, by default new ones.
    """
    with drawing():
        if axes is None:
            made = figure(4.0)
            made.set_dpi(160)
            axes = list(made.subplots(1, 2, width_ratios=(1, 1.15)))
        _draw_map(axes[0], info)
        _draw_ratios(axes[1], info)
    return axes


def _draw_map(axes: Axes, info: SizesInfo) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    sizes, counts = info.sizes
    low, high = info.sizes[0].min() / 1.25, info.sizes[0].max() * 1.25  # every side, with a little room
    small = min(max(SMALL_SIDE, low), high)
    axes.fill_between([low, high], [low, low], [small, small], color="#fdf1dc", linewidth=0)
    axes.fill_betweenx([small, high], [low, low], [small, small], color="#fdf1dc", linewidth=0)
    extreme = {EXTREME_RATIO: f"{EXTREME_RATIO:g}:1", 1 / EXTREME_RATIO: f"1:{EXTREME_RATIO:g}"}
    for ratio, name in {1.0: "1:1", **extreme}.items():
        axes.plot([low, high], [low / ratio, high / ratio], color="#c3cad2", linewidth=0.8, dashes=(4, 3))
        x, y = min(high, high * ratio), min(high, high / ratio)
        if min(x, y) > low:
            axes.annotate(name, (x, y), (-3, -3), textcoords="offset points", ha="right", va="top", color=SOFT, size=8)
    area = 14 + 500 * counts / counts.sum() * (counts > 1)
    alpha, raster = max(0.25, min(0.75, 300 / len(sizes))), len(sizes) >= RASTER_FROM
    axes.scatter(sizes[:, 0], sizes[:, 1], s=area, c=COLORS[0], alpha=alpha, linewidths=0, rasterized=raster, zorder=3)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    ticks = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set(xlabel="width, pixels", ylabel="height, pixels")


def _draw_ratios(axes: Axes, info: SizesInfo) -> None:
    ratio = np.log(info.width / info.height)
    reach = max(np.log(2), np.abs(ratio).max()) + np.log(1.12)  # the longest or tallest, at least 2:1
    axes.hist(ratio, bins=np.linspace(-reach, reach, 58).tolist(), color=COLORS[0], linewidth=0)
    at = {name: np.log(int(name[0]) / int(name[2])) for name in RATIOS}
    shown = {name: log for name, log in at.items() if abs(log) < reach}
    axes.set_xticks(list(shown.values()), list(shown))
    for bound in (-np.log(EXTREME_RATIO), np.log(EXTREME_RATIO)):
        if abs(bound) < reach:
            axes.axvline(bound, color="#c3cad2", linewidth=0.8, dashes=(4, 3))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set(xlim=(-reach, reach), xlabel="width : height   (left tall, right wide)", ylabel="photographs")
