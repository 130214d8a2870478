"""Decision curves: net benefit against the threshold, and the difference to the baseline's with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.report.charts import ACROSS, LONGEST, label_ends, line_of, name_curves, signed_ticks
from ablation.report.sections.decision_curves.compute import Band, CurvesInfo
from ablation.report.sections.decision_curves.text import PER, UNIT
from ablation.report.style import INK, SOFT, Style, drawing, mark, marked, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

NONE_DASH, ALL_DASH = (0, (1, 2)), (0, (4, 2))


KINDS = {"macro": "One class against the rest", "confident": "Act on the prediction when confident"}
"""Curves of a recipe -> what they are called."""


def draw_curves(info: CurvesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Two panels: one class against the rest, and acting on the guess where confident. axes: two, by default new."""
    with drawing():
        axes = new_panels([2], 2, 3.6) if axes is None else axes
        for spot, kind in zip(axes, KINDS, strict=True):
            label_ends(spot, _draw_kind(spot, info, kind, look))
        axes[0].set_ylabel(f"net benefit, {UNIT}")
    return axes


def draw_kind(info: CurvesInfo, look: Mapping[str, Style], kind: str, axes: Axes | None = None) -> Axes:
    """One of the two. axes: by default new ones, with names at the ends of the lines."""
    with drawing():
        spot = new_panels([1], 1, 3.9, 6.4)[0] if axes is None else axes
        ends = _draw_kind(spot, info, kind, look)
        spot.set_ylabel(f"net benefit, {UNIT}")
        name_curves(spot, ends, alone=axes is None)
    return spot


def _draw_kind(
    spot: Axes, info: CurvesInfo, kind: str, look: Mapping[str, Style]
) -> list[tuple[float, float, str, Style]]:
    """Returns where each line ends."""
    everyone = PER * (info.all_macro if kind == "macro" else info.all_confident)
    curves = {curve.recipe: PER * getattr(curve, kind) for curve in info.curves}
    top = max((float(values.max()) for values in curves.values()), default=1.0)
    low = min([-0.12 * top, *(float(values.min()) for values in curves.values())]) - 0.02 * top
    _draw_everyone(spot, info, everyone, (low, top), [*curves.values()])
    for recipe, values in curves.items():
        with marked(spot, look[recipe]):
            spot.plot(info.at, values, label=shortened(recipe, LONGEST), **line_of(look[recipe], len(info.at)))
    spot.set_title(KINDS[kind])
    spot.grid(axis="y")
    spot.set_axisbelow(True)
    spot.set(xlim=(0, float(info.at[-1])), ylim=(low, 1.06 * top), xlabel="threshold t")
    return [(info.at[-1], values[-1], recipe, look[recipe]) for recipe, values in curves.items()]


def _draw_everyone(
    axes: Axes, info: CurvesInfo, everyone: Floats, limits: tuple[float, float], curves: Sequence[Floats]
) -> None:
    """The two rules that know nothing of an image, named beside their lines."""
    axes.plot(info.at, everyone, color=SOFT, linewidth=1.2, linestyle=ALL_DASH, label="treat all")
    axes.axhline(0, color=SOFT, linewidth=1.2, linestyle=NONE_DASH, label="treat none")
    beside: Any = {"textcoords": "offset points", "color": SOFT, "size": 8.5}
    at, side = _beside_all(info.at, everyone, [*curves, np.zeros_like(everyone)], limits)
    away: Any = {"xytext": (6 * side, 0), "ha": "left" if side > 0 else "right"}
    axes.annotate("treat all", (info.at[at], everyone[at]), **away, **beside)
    where = _above_none(info.at, [*curves, everyone], limits)
    axes.annotate("treat none", (info.at[where], 0), (0, 4), ha="center", **beside)


BOX = (0.2, 0.06)
"""Width and height of a label, in shares of the axes."""


def _beside_all(at: Floats, everyone: Floats, curves: Sequence[Floats], limits: tuple[float, float]) -> tuple[int, int]:
    """The point of the falling line beside which a label covers least of the curves, and on which side of it."""
    low, top = limits
    start = int(np.argmax(everyone < 0.25 * top))
    inside = [k for k, y in enumerate(everyone) if low + 0.1 * (top - low) < y < 0.9 * top] or [start]
    width, best, taken = BOX[0] * float(at[-1]), np.inf, (start, 1)
    for k in inside:
        for side in (1, -1):
            ends = sorted((float(at[k]) + 0.02 * side * width, float(at[k]) + 1.1 * side * width))
            if ends[0] < 0 or ends[1] > at[-1]:
                continue
            covered = _crossings(at, [*curves, everyone], ends, float(everyone[k]), limits)
            price = 100 * covered + abs(k - start)
            if price < best:
                best, taken = price, (k, side)
    return taken


def _above_none(at: Floats, curves: Sequence[Floats], limits: tuple[float, float]) -> int:
    """The point of the zero line above which a label covers least of the curves; the middle where all are alike."""
    width, height = BOX[0] * float(at[-1]), BOX[1] * (limits[1] - limits[0])
    price = [
        100 * _crossings(at, curves, [x - width / 2, x + width / 2], 0.6 * height, limits)
        + abs(x - 0.45 * float(at[-1]))
        + 1e6 * (x < width / 2 or x + width / 2 > at[-1])
        for x in map(float, at)
    ]
    return int(np.argmin(price))


def _crossings(
    at: Floats, curves: Sequence[Floats], ends: Sequence[float], middle: float, limits: tuple[float, float]
) -> int:
    """How many points of curves lie in a box as high as a label."""
    near, half = (at >= ends[0]) & (at <= ends[1]), 0.5 * BOX[1] * (limits[1] - limits[0])
    return int(sum(int((np.abs(curve[near] - middle) < half).sum()) for curve in curves))


def draw_differences(info: CurvesInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A panel a recipe; zero is the baseline. axes: one a panel, by default new ones."""
    low, high = _limits(info)
    across = 2 if len(info.panels) in (2, 4) else ACROSS
    with drawing():
        axes = new_panels([len(info.panels)], across, 2.9) if axes is None else axes
        for index, (spot, panel) in enumerate(zip(axes, info.panels, strict=True)):
            color = look[panel.recipe].color
            spot.axhline(0, color=SOFT, linewidth=1)
            with marked(spot, look[panel.recipe]):
                _draw_band(spot, info, panel.raw, color)
                spot.plot(info.at, PER * panel.raw.value, color=color, linewidth=1.9, label="as trained")
            if panel.scaled is not None:
                half = panel.scaled.seeds if panel.scaled.both is None else panel.scaled.both
                for edge in (panel.scaled.value - half, panel.scaled.value + half):
                    spot.plot(info.at, PER * edge, color=INK, linewidth=0.8, linestyle=NONE_DASH)
                spot.plot(
                    info.at,
                    PER * panel.scaled.value,
                    color=INK,
                    linewidth=1.3,
                    linestyle=ALL_DASH,
                    label="temperature-scaled",
                )
            mark(spot.set_title(shortened(panel.recipe, 34), color=look[panel.recipe].text), look[panel.recipe])
            spot.grid(axis="y")
            spot.set_axisbelow(True)
            spot.set(xlim=(0, float(info.at[-1])), ylim=(low, high), xlabel="threshold t")
            spot.yaxis.set_major_formatter(signed_ticks)
            spot.tick_params(labelleft=index % across == 0)
            if index % across == 0:
                spot.set_ylabel(f"difference to {shortened(info.baseline, 16)}\n({UNIT})")
            if not index and panel.scaled is not None:
                spot.legend(loc="upper left")
    return axes


def _draw_band(axes: Axes, info: CurvesInfo, band: Band, color: str) -> None:
    for half, alpha in ((band.both, 0.12), (band.seeds, 0.2)):
        if half is not None:
            low, high = PER * (band.value - half), PER * (band.value + half)
            axes.fill_between(info.at, low, high, color=color, alpha=alpha, linewidth=0)
    if band.both is not None:
        for edge in (band.value - band.both, band.value + band.both):
            axes.plot(info.at, PER * edge, color=color, linewidth=0.7)


def _limits(info: CurvesInfo) -> tuple[float, float]:
    """One scale for all panels, that shows every band; with zero in it."""
    ends = [0.0]
    for panel in info.panels:
        for band in filter(None, (panel.raw, panel.scaled)):
            half = np.nan_to_num(band.seeds if band.both is None else np.fmax(band.both, band.seeds))
            ends += [float((PER * (band.value - half)).min()), float((PER * (band.value + half)).max())]
    room = 0.06 * max(max(ends) - min(ends), 1e-9)
    return min(ends) - room, max(ends) + 3 * room
