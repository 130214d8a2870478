"""Panels that several sections draw: scores over a scale, with a fitted curve and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    @property
    def limits(self) -> tuple[float, float]:
        """What the axis must show: every score and the fit, and of the band no more than as much again."""
        known = np.concatenate([self.scores.ravel(), self.curve])
        low, high = float(known.min()), float(known.max())
        room = max(high - low, 1e-9)
        band = np.clip(np.concatenate([self.low, self.high]), low - room, high + room)
        ends = [low, high, *band[np.isfinite(band)].tolist()]
        return min(ends) - 0.06 * room, max(ends) + 0.06 * room


def together(panels: Sequence[CurvePanel]) -> tuple[float, float]:
    """Limits that show all of them."""
    return min(panel.limits[0] for panel in panels), max(panel.limits[1] for panel in panels)


def draw_curve(axes: Axes, panel: CurvePanel, color: str) -> None:
    """The band, the fit, each seed as dots that a thin line joins, and the means."""
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.fill_between(panel.curve_at, panel.low, panel.high, color=color, alpha=0.13, linewidth=0)
    for row in panel.scores:
        axes.plot(panel.at, row, "o-", color=color, markersize=2.6, linewidth=0.6, alpha=0.3)
    axes.plot(panel.curve_at, panel.curve, color=color, linewidth=1.8)
    axes.plot(panel.at, panel.mean, "D", color=color, markersize=6.5, markeredgecolor="white", zorder=4)


def ticks(axes: Axes, at: Floats, names: Sequence[str]) -> None:
    """A tick at every place, named where there is room."""
    width, last = float(np.ptp(at)), -np.inf
    told = []
    for place, name in zip(at, names, strict=True):
        room = place - last >= (0.025 + 0.016 * len(name)) * width
        last = place if room else last
        told.append(name if room else "")
    axes.set_xticks(at, told)
