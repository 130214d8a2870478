"""Scores against costs: a point a recipe with intervals on both axes, and the Pareto front of the means."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.comparison import Difference
from ablation.report.charts import signed_ticks
from ablation.report.style import FAINT, PAPER, SOFT, WIDTH, Style, drawing, mark, marked, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

MOST_LABELS, MOST_ON_FRONT = 16, 8
"""Points with a name. Of more recipes only the baseline and some on the front are named."""

FRONT = FAINT
"""The colour of the front, a broad line behind everything else."""


@dataclass(frozen=True)
class CostPoint:
    """A recipe in shown units: x, what it costs beside the baseline in percent; y, its mean score. nan: no interval.

    front: is it on the Pareto front? named: is its name beside it?
    """

    recipe: str
    x: float
    x_low: float
    x_high: float
    y: float
    y_low: float
    y_high: float
    front: bool
    named: bool = True


@dataclass(frozen=True)
class CostPanel:
    """The points against one cost, which `axis` names."""

    axis: str
    points: tuple[CostPoint, ...]

    @property
    def front(self) -> tuple[CostPoint, ...]:
        """Those on it, from the cheapest."""
        return tuple(sorted((point for point in self.points if point.front), key=lambda point: point.x))


@dataclass(frozen=True)
class CostInfo:
    """axis: the score's name and unit."""

    panels: tuple[CostPanel, ...]
    axis: str
    lower_is_better: bool = False


def score_interval(mean: float, sd: float, seeds: int, alpha: float) -> tuple[float, float]:
    """Student's t interval of a mean over seeds at level 1 - alpha; nan under two seeds."""
    if seeds < 2:
        return math.nan, math.nan
    return Difference(mean, sd / math.sqrt(seeds), seeds - 1).interval(alpha)


def draw_costs(info: CostInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A panel a cost. axes: one a panel, by default new ones side by side."""
    with drawing():
        width = WIDTH if len(info.panels) > 1 else 7.2
        axes = new_panels([len(info.panels)], 2, 4.0, width) if axes is None else axes
        for spot, panel in zip(axes, info.panels, strict=True):
            _draw_front(spot, panel, info.lower_is_better)
            for point in panel.points:
                with marked(spot, look[point.recipe]):
                    _draw_point(spot, point, look[point.recipe], 1.5 if len(panel.points) <= MOST_LABELS else 0.6)
            spot.grid()
            spot.set_axisbelow(True)
            spot.margins(0.09, 0.1)
            spot.set(xlabel=panel.axis, ylabel=info.axis)
            spot.xaxis.set_major_formatter(signed_ticks)
        for spot, panel in zip(axes, info.panels, strict=True):
            _name(spot, panel, look)
    return axes


def _draw_front(axes: Axes, panel: CostPanel, lower_is_better: bool) -> None:
    """Steps through the points on the front: what a cost buys at most, up to the dearest recipe."""
    front = panel.front
    axes.axvline(0, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    across, up = [point.x for point in front], [point.y for point in front]
    axes.step(across, up, where="post", color=FRONT, linewidth=4, zorder=0.9, solid_joinstyle="round")
    if front:
        right = max(point.x for point in panel.points)
        axes.hlines(up[-1], across[-1], right, color=FRONT, linewidth=4, zorder=0.9)


def _draw_point(axes: Axes, point: CostPoint, style: Style, width: float) -> None:
    if not math.isnan(point.x_low):
        axes.plot([point.x_low, point.x_high], [point.y] * 2, color=style.color, linewidth=width, solid_capstyle="butt")
    if not math.isnan(point.y_low):
        axes.plot([point.x] * 2, [point.y_low, point.y_high], color=style.color, linewidth=width, solid_capstyle="butt")
    face, edge = (style.color, PAPER) if point.front else (PAPER, style.color)
    axes.plot(
        [point.x],
        [point.y],
        style.marker,
        markersize=8,
        color=face,
        markeredgecolor=edge,
        markeredgewidth=1.2,
        zorder=4,
    )


LETTER, LINE = 5.6, 12.0
"""Points (1/72 inch) that a letter and a line of a name take at most."""

STEPS = tuple(itertools.product((1.0, 2.0, 3.2, 4.6, 6.2), ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0))))
"""Where a name may stand: how far from its point, and on which side of it."""


def _name(axes: Axes, panel: CostPanel, look: Mapping[str, Style]) -> None:
    """Names beside the points; a thin line leads to one that had to move away."""
    made = axes.get_figure(root=True)
    assert made is not None
    made.draw_without_rendering()  # settles the layout, in which names are put
    pixel = 72 / made.dpi
    points = panel.points
    spots = axes.transData.transform([(point.x, point.y) for point in points]) * pixel
    window = axes.get_window_extent()
    frame = np.array([window.x0, window.y0, window.x1, window.y1]) * pixel
    names = [shortened(point.recipe, 24) for point in points]
    sizes = [
        (LETTER * len(name), LINE) if point.named else (0.0, 0.0) for name, point in zip(names, points, strict=True)
    ]
    boxes = placed(spots, np.array(sizes), _lines(axes, points, pixel), frame)
    for point, name, spot, box in zip(points, names, spots, boxes, strict=True):
        if not point.named:
            continue
        middle = (box[:2] + box[2:]) / 2 - spot
        near = np.clip(spot, box[:2], box[2:]) - spot
        leader = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
        text = axes.annotate(
            name, (point.x, point.y), tuple(middle), "data", "offset points",
            arrowprops=leader if math.hypot(*near) > 14 else None,
            ha="center", va="center", color=look[point.recipe].text, weight="bold", zorder=5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
        )  # fmt: skip
        text.set_in_layout(False)
        mark(text, look[point.recipe])


def _lines(axes: Axes, points: Sequence[CostPoint], pixel: float) -> Floats:
    """(L, 4) the intervals as thin boxes, left, bottom, right, top, in points of the page."""
    ends = [((p.x_low, p.y), (p.x_high, p.y)) for p in points if not math.isnan(p.x_low)]
    ends += [((p.x, p.y_low), (p.x, p.y_high)) for p in points if not math.isnan(p.y_low)]
    if not ends:
        return np.empty((0, 4))
    at = axes.transData.transform(np.array(ends).reshape(-1, 2)).reshape(-1, 4) * pixel
    return np.asarray(at + np.array([-1, -1, 1, 1]))


def placed(spots: Floats, sizes: Floats, lines: Floats, frame: Floats) -> Floats:
    """(K, 4) boxes for K names of these sizes (K, 2) near their spots (K, 2): left, bottom, right, top.

    No two names overlap, and none covers another's point, as long as there is room near the spots; of such places that
    is taken which covers least of lines (L, 4) and lies nearest. frame (4,): in which names stay.
    """
    marks = np.concatenate([spots - 7, spots + 7], axis=1)
    boxes = np.tile(np.array([math.inf, math.inf, -math.inf, -math.inf]), (len(spots), 1))
    for index, (spot, room) in enumerate(zip(spots, sizes, strict=True)):
        if not room[0]:
            continue
        best, taken = math.inf, boxes[index]
        for step, side in STEPS:
            middle = spot + np.array(side) * (room / 2 + 7 * step)
            box = np.concatenate([middle - room / 2, middle + room / 2])
            out = np.maximum(frame[:2] - box[:2], 0).sum() + np.maximum(box[2:] - frame[2:], 0).sum()
            names, dots = _covered(box, boxes) > 0, _covered(box, marks) > 0
            price = 1e6 * names.sum() + 1e5 * dots.sum() + 1e3 * out + 4 * _covered(box, lines).sum() + 8 * step
            if price < best:
                best, taken = float(price), box
        boxes[index] = taken
    return boxes


def _covered(box: Floats, others: Floats) -> Floats:
    """(N,) the area that each of the other boxes (N, 4) shares with this one."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    sides = np.maximum(high - low, 0)
    area: Floats = sides[:, 0] * sides[:, 1]
    return area
