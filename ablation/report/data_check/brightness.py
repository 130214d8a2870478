"""Brightness and contrast of every photograph: a cloud with what is unusual marked, and the ends of both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ablation.data.check import OUTLYING, Check
from ablation.data.contents import Listing
from ablation.report.data_check.findings import variations
from ablation.report.section import Figure
from ablation.report.style import COLORS, INK, SOFT, Style, drawing, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]

FEW, MANY = 3, 6
"""Of the darkest (brightest, ...) photographs so many are shown, and no more of those that are unusually so."""
RASTER_FROM = 800
"""Points from which on they are kept as pixels: an SVG would grow with each."""
ENDS = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", "strongest contrast"),
}
MARKS = (Style(INK, "v"), Style(COLORS[4], "^"), Style(COLORS[3], "<"), Style(COLORS[1], ">"))
"""Of the darkest, the brightest, the flattest, and those of the strongest contrast."""


@dataclass(frozen=True)
class End:
    """Photographs at one end of a trait: the first `rows`, which are shown, and all that are unusually so."""

    name: str
    trait: str
    rows: tuple[int, ...]
    unusual: tuple[int, ...]

    @property
    def marked(self) -> list[int]:
        """Both, each row once."""
        return list(dict.fromkeys(self.rows + self.unusual))


@dataclass(frozen=True, eq=False)
class BrightnessInfo:
    """brightness, contrast: (N,) mean and standard deviation of the luma, in [0, 1]. ends: as many as `MARKS`.

    usual: of brightness and of contrast, the range outside of which a photograph is far from the others.
    """

    brightness: Numbers
    contrast: Numbers
    usual: tuple[tuple[float, float], ...]
    ends: tuple[End, ...]


def ends_of(check: Check, data: Listing) -> Iterator[End]:
    """The darkest, the brightest, the flattest and those of the strongest contrast."""
    for trait, varies in variations(check).items():
        order = np.argsort(data.traits[trait], kind="stable")
        few = max(1, min(FEW, len(order) // 4))
        for name, rows, unusual in zip(ENDS[trait], (order, order[::-1]), (varies.low, varies.high), strict=True):
            yield End(name, trait, tuple(rows[: max(few, min(len(unusual), MANY))].tolist()), unusual)


def brightness_figure(check: Check, data: Listing) -> Figure:
    """The cloud; the photographs that the page shows beside it are marked."""
    usual = tuple(varies.usual for varies in variations(check).values())
    info = BrightnessInfo(data.traits["brightness"], data.traits["contrast"], usual, tuple(ends_of(check, data)))
    caption = (
        "Each point is a photograph: mean (brightness) and standard deviation (contrast) of its luma, in percent of "
        "white. Marked are the ends of both, and all that lies outside of the dashed lines, which is unusual here "
        f"(modified z-score above {OUTLYING:g}). Along the edges: how many photographs have each value."
    )
    return Figure(info, draw_brightness, "Brightness and contrast of every photograph", caption)


def draw_brightness(
    info: BrightnessInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """The cloud, what is usual between dashed lines, and how each of the two is distributed along its axis.

    axes: three, of the cloud, above it and beside it, by default new ones under a legend.
    """
    x, y = 100 * info.brightness, 100 * info.contrast
    across, up = _limits(x, 100), _limits(y, 50)
    with drawing():
        axes = _new_axes(info) if axes is None else axes
        cloud, above, beside = axes
        size, alpha = max(5.0, min(16.0, 16000 / len(x))), max(0.15, min(0.6, 800 / len(x)))
        raster = len(x) >= RASTER_FROM
        cloud.scatter(x, y, s=size, c=COLORS[0], alpha=alpha, linewidths=0, rasterized=raster)
        cloud.grid()
        cloud.set_axisbelow(True)
        for bounds, line in zip(info.usual, (cloud.axvline, cloud.axhline), strict=True):
            for bound in filter(math.isfinite, bounds):
                line(100 * bound, color=SOFT, linewidth=0.8, dashes=(4, 3))
        for end, mark in zip(info.ends, MARKS, strict=True):
            if at := end.marked:
                face, edge = mark.color, "white"
                cloud.scatter(x[at], y[at], s=44, c=face, marker=mark.marker, edgecolors=edge, linewidths=0.7)
        cloud.set(xlim=across, ylim=up, xlabel="brightness, % (black 0, white 100)", ylabel="contrast, %")
        _draw_margin(above, x, across, "vertical")
        _draw_margin(beside, y, up, "horizontal")
    return axes


def _limits(values: Numbers, most: float) -> tuple[float, float]:
    """Every photograph, with a little room."""
    room = max(0.06 * float(np.ptp(values)), 1.0)
    return max(-1.0, float(values.min()) - room), min(most + 1.0, float(values.max()) + room)


def _new_axes(info: BrightnessInfo) -> list[Axes]:
    from matplotlib.lines import Line2D

    made = figure(4.6)
    made.set_dpi(160)
    grid = made.subplots(2, 2, width_ratios=(8, 1), height_ratios=(1, 6), sharex="col", sharey="row")
    (above, corner), (cloud, beside) = grid
    corner.set_visible(False)
    marks = [
        Line2D([], [], linestyle="", marker=mark.marker, markersize=6.6, color=mark.color, markeredgecolor="white",
               markeredgewidth=0.7, label=end.name)
        for end, mark in zip(info.ends, MARKS, strict=True)
        if end.marked
    ]  # fmt: skip
    if marks:
        made.legend(handles=marks, loc="outside upper left", ncols=len(MARKS), handletextpad=0.1, columnspacing=1.4)
    return [cloud, above, beside]


def _draw_margin(
    axes: Axes, values: Numbers, limits: tuple[float, float], orientation: Literal["vertical", "horizontal"]
) -> None:
    """A histogram beside an axis, without numbers: its shape is what it tells."""
    axes.hist(values, bins=np.linspace(*limits, 61).tolist(), orientation=orientation, color="#9fc3dc", linewidth=0)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
