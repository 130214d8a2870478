"""Are the classes better separated? t-SNE of the test images for one run a recipe, measured in feature space.

The same test images through each recipe's network, from one initial layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.sampling import stratified_subset
from ablation.analysis.separability import embed, initial_layout, separability
from ablation.core.text import MINUS, NONE
from ablation.evidence.study import Choice, Study
from ablation.report.section import Figure, Section
from ablation.report.style import INK, SOFT, WIDTH, Style, class_style, drawing, new_panels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MOST_IMAGES = 600
FEWEST_IMAGES = 12  # under this a map shows nothing
CAUTION = (
    "t-SNE bends distances; the size of a cluster and the gaps between clusters mean little.",
    "It is one run a recipe: another seed gives other numbers.",
)
ACROSS = 4  # panels
COLUMNS = 6  # of the legend
MOST_NAMES = 30  # more classes cannot be distinguished in a legend


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


def embedding(study: Study) -> Section | None:
    """None where no run has finished, or the test images are too few for a map."""
    choice, classes = study.shown_runs, study.results.classes
    if choice is None:
        return None
    every = study.shown_arrays
    first = every.get(study.experiment.baseline) or next(iter(every.values()))
    arrays = {recipe: of for recipe, of in every.items() if np.array_equal(of.sample, first.sample)}
    picks = stratified_subset(first.label, MOST_IMAGES)
    if len(picks) < FEWEST_IMAGES:
        return None
    labels = first.label[picks]

    def maps() -> MapsInfo:
        layout = initial_layout(first.features[picks])
        by_run = {choice.runs[recipe]: of for recipe, of in arrays.items()}  # equal recipes share a run
        made = {run_id: _map(of.features[picks], labels, layout) for run_id, of in by_run.items()}
        return MapsInfo(tuple(replace(made[choice.runs[recipe]], recipe=recipe) for recipe in arrays), labels, classes)

    caption = _caption(MapsInfo((), labels, classes), choice, len(first.label))
    figure = Figure(maps, draw_maps, "t-SNE maps of the test images by recipe", caption)  # seconds, where it is drawn
    return Section("embedding", "Are the classes better separated?", figures=(figure,), caution=CAUTION)


def _map(features: NDArray[np.float32], labels: NDArray[np.int64], layout: NDArray[np.float64]) -> Map:
    made, measured = embed(features, layout), separability(features, labels)
    knn = NONE if math.isnan(measured.knn_accuracy) else f"{100 * measured.knn_accuracy:.1f} %"
    silhouette = NONE if math.isnan(measured.silhouette) else f"{measured.silhouette:.2f}".replace("-", MINUS)
    in_features = f"features: silhouette {silhouette}, {measured.neighbours}-NN {knn}"
    return Map("", made.points, (f"map: trustworthiness {made.trustworthiness:.2f}", in_features))


def _caption(info: MapsInfo, choice: Choice, images: int) -> str:
    count = len(info.labels)
    which = f"all {count}" if count == images else f"{count} of {images}, each class in its share"
    unnamed = "" if info.named else f" The {len(info.classes)} classes are too many to be named one by one."
    return (
        f"t-SNE of the test images' features that go into the last layer ({choice}; {which}). Every panel shows the "
        "same images and starts from the same layout, the first two principal components of the first network's "
        f"features.{unnamed} Trustworthiness says how far neighbours on the map are neighbours in feature space (1 is "
        "best). Whether classes are better separated is measured in feature space: by the silhouette (1 is best, 0 is "
        "overlap) and by the leave-one-out accuracy of the nearest neighbours."
    )


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


def _legend(made: Drawing | None, info: MapsInfo) -> None:
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
