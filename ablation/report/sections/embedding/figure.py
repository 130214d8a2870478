"""t-SNE small multiples: the same test images through each recipe's network, from one initial layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ablation.report.style import INK, SOFT, WIDTH, class_style, drawing, figure, quiet, shortened

ACROSS = 4  # panels
COLUMNS = 6  # of the legend
MOST_NAMES = 30  # more classes are not told apart by a legend


@dataclass(frozen=True, eq=False)
class Map:
    """One recipe's map: points (N, 2), and what is printed under it."""

    recipe: str
    points: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MapsInfo:
    """labels (N,): the class of each image, the same in every map."""

    maps: tuple[Map, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def named(self) -> tuple[int, ...]:
        """The classes in the legend: those that occur, unless they are too many to tell apart."""
        present = tuple(int(place) for place in np.unique(self.labels))
        return present if len(present) <= MOST_NAMES else ()


def draw_maps(info: MapsInfo) -> Figure:
    """A square panel a recipe, axes without units; the legend names the classes."""
    across, down = shape(len(info.maps))
    with drawing():
        made = figure(down * (WIDTH / across + 0.62) + 0.24 * -(-len(info.named) // COLUMNS) + 0.1, WIDTH)
        axes = made.subplots(down, across, squeeze=False)
        for place, panel in enumerate(axes.flat):
            if place < len(info.maps):
                _draw(panel, info.maps[place], info.labels)
            panel.set_visible(place < len(info.maps))
        if info.named:
            _legend(made, info)
    return made


def shape(maps: int) -> tuple[int, int]:
    """Panels across and down, at most four across, with as few places left empty as can be."""
    down = -(-maps // ACROSS)
    return max(-(-maps // down), 2), down


def _legend(made: Figure, info: MapsInfo) -> None:
    """The classes, to be read row by row (matplotlib fills columns)."""
    order = [place for column in range(COLUMNS) for place in info.named[column::COLUMNS]]
    names = [shortened(info.classes[place], 22) for place in order]
    handles = [_handle(place) for place in order]
    made.legend(handles, names, loc="outside lower left", ncols=COLUMNS, handletextpad=0.2, columnspacing=1.2)


def _draw(axes: Axes, shown: Map, labels: NDArray[np.int64]) -> None:
    centre = (shown.points.max(axis=0) + shown.points.min(axis=0)) / 2
    reach = np.ptp(shown.points, axis=0).max() / 2 * 1.06 or 1.0
    size = 9 if len(labels) > 250 else 16
    for place in np.unique(labels):
        style, points = class_style(int(place)), shown.points[labels == place]
        axes.scatter(points[:, 0], points[:, 1], s=size, c=style.color, marker=style.marker, linewidths=0, alpha=0.9)
    quiet(axes)
    axes.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach), aspect="equal")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#e3e7eb")
    axes.set_title(shortened(shown.recipe, 30), color=INK)
    axes.set_xlabel("\n".join(shown.notes), color=SOFT, fontsize=8.5, linespacing=1.45)


def _handle(place: int) -> Line2D:
    style = class_style(place)
    return Line2D([], [], linestyle="", marker=style.marker, markersize=5.5, color=style.color)
