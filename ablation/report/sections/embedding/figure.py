"""The t-SNE maps, a panel a recipe, and what is shown beside the pointer. matplotlib when it draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.core.text import MINUS, NONE
from ablation.report.section import Spot
from ablation.report.sections.embedding.compute import LOW_TRUST, Map, MapsInfo
from ablation.report.style import (
    FAINT,
    SOFT,
    WIDTH,
    Style,
    class_style,
    drawing,
    fractions,
    mark,
    new_panels,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ACROSS = 4  # panels
COLUMNS = 6  # of the legend
MOST_NAMES = 30  # more classes cannot be distinguished in a legend


def named(info: MapsInfo) -> tuple[int, ...]:
    """The classes in the legend: those that occur, unless they are too many to tell apart."""
    present = tuple(int(label) for label in np.unique(info.labels))
    return present if len(present) <= MOST_NAMES else ()


def notes(shown: Map) -> tuple[str, str]:
    """What is printed under a map: how far it can be trusted, and the same run's measures in feature space."""
    measured = shown.measures
    knn = NONE if math.isnan(measured.knn_accuracy) else f"{100 * measured.knn_accuracy:.1f} %"
    silhouette = NONE if math.isnan(measured.silhouette) else f"{measured.silhouette:.2f}".replace("-", MINUS)
    low = ": low" if shown.trustworthiness < LOW_TRUST else ""
    return (
        f"map: trustworthiness {shown.trustworthiness:.2f}{low}",
        f"features: silhouette {silhouette}, {measured.neighbours}-NN {knn}",
    )


def spots(info: MapsInfo, axes: Sequence[Axes]) -> list[Spot]:
    """Every point of every map with the number of its image, its class and what the network takes it for."""
    every = []
    for panel, shown in zip(axes, info.maps, strict=True):
        at = fractions(panel, shown.points).tolist()
        every += [Spot(x, y, index, words(info, shown, index)) for index, (x, y) in enumerate(at)]
    return every


def words(info: MapsInfo, shown: Map, index: int) -> str:
    """'tabby', or 'tabby, taken for persian': of one image under one recipe."""
    label, guess = int(info.labels[index]), int(shown.guesses[index])
    return info.classes[label] if guess == label else f"{info.classes[label]}, taken for {info.classes[guess]}"


def draw_maps(info: MapsInfo, look: Mapping[str, Style], axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """A square panel a recipe, without units. axes: one a map, by default new ones over a legend of the classes."""
    with drawing():
        axes = _new_axes(info) if axes is None else axes
        for panel, shown in zip(axes, info.maps, strict=True):
            _draw(panel, shown, info.labels)
            mark(panel.set_title(shortened(shown.recipe, 30), color=look[shown.recipe].text), look[shown.recipe])
    return axes


def shape(maps: int) -> tuple[int, int]:
    """Panels across and down, at most four across, with as few left empty as can be."""
    down = -(-maps // ACROSS)
    return max(-(-maps // down), 2), down


def _new_axes(info: MapsInfo) -> list[Axes]:
    across, down = shape(len(info.maps))
    legend = 0.24 * -(-len(named(info)) // COLUMNS) + 0.1
    axes = new_panels([len(info.maps)], across, WIDTH / across + 0.62 + legend / down)
    if named(info):
        _legend(axes[0].get_figure(root=True), info)
    return axes


def _legend(made: Drawing | None, info: MapsInfo) -> None:
    """The classes, to be read row by row (matplotlib fills columns)."""
    from matplotlib.lines import Line2D

    assert made is not None
    order = [label for column in range(COLUMNS) for label in named(info)[column::COLUMNS]]
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
        spine.set(visible=True, color=FAINT)
    axes.set_xlabel("\n".join(notes(shown)), color=SOFT, fontsize=8.5, linespacing=1.45)
