"""t-SNE small multiples: the same test images through each recipe's network, from one initial layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.report.style import INK, SOFT, WIDTH, Style, class_style, drawing, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
        present = tuple(int(label) for label in np.unique(self.labels))
        return present if len(present) <= MOST_NAMES else ()


def draw_maps(info: MapsInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A square panel a recipe, without units. axes: one a map, by default new ones over a legend of the classes."""
    with drawing():
        axes = _new_axes(info) if axes is None else axes
        for panel, shown in zip(axes, info.maps, strict=True):
            _draw(panel, shown, info.labels)
    return axes


def shape(maps: int) -> tuple[int, int]:
    """Panels across and down, at most four across, with as few left empty as can be."""
    down = -(-maps // ACROSS)
    return max(-(-maps // down), 2), down


def _new_axes(info: MapsInfo) -> list[Axes]:
    across, down = shape(len(info.maps))
    legend = 0.24 * -(-len(info.named) // COLUMNS) + 0.1
    axes = new_panels([len(info.maps)], across, WIDTH / across + 0.62 + legend / down)
    if info.named:
        _legend(axes[0].get_figure(root=True), info)
    return axes


def _legend(made: Figure | None, info: MapsInfo) -> None:
    """The classes, to be read row by row (matplotlib fills columns)."""
    from matplotlib.lines import Line2D

    assert made is not None
    order = [label for column in range(COLUMNS) for label in info.named[column::COLUMNS]]
    names = [shortened(info.classes[label], 22) for label in order]
    dots = [
        Line2D([], [], linestyle="", marker=style.marker, markersize=5.5, color=style.color)
        for style in map(class_style, order)
    ]
    made.legend(dots, names, loc="outside lower left", ncols=COLUMNS, handletextpad=0.2, columnspacing=1.2)


def _draw(axes: Axes, shown: Map, labels: NDArray[np.int64]) -> None:
    centre = (shown.points.max(axis=0) + shown.points.min(axis=0)) / 2
    reach = np.ptp(shown.points, axis=0).max() / 2 * 1.06 or 1.0
    size = 9 if len(labels) > 250 else 16
    for label in np.unique(labels):
        style, points = class_style(int(label)), shown.points[labels == label]
        axes.scatter(points[:, 0], points[:, 1], s=size, c=style.color, marker=style.marker, linewidths=0, alpha=0.9)
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
    for spine in axes.spines.values():
        spine.set(visible=True, color="#e3e7eb")
    axes.set_title(shortened(shown.recipe, 30), color=INK)
    axes.set_xlabel("\n".join(shown.notes), color=SOFT, fontsize=8.5, linespacing=1.45)
