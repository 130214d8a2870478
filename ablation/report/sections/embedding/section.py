"""t-SNE of the test images for one run a recipe, with separability measured in feature space."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.separability import embed, initial_layout, separability, stratified_subset
from ablation.core.text import MINUS, NONE
from ablation.evidence.study import Choice, Study
from ablation.report.section import Figure, Section
from ablation.report.sections.embedding.figure import Map, MapsInfo, draw_maps

MOST_IMAGES = 600
FEWEST_IMAGES = 12  # under this a map shows nothing
CAUTION = (
    "t-SNE bends distances; the size of a cluster and the gaps between clusters mean little.",
    "It is one run a recipe: another seed gives other numbers.",
)


def embedding(study: Study) -> Section | None:
    """None where no run has finished, or the test images are too few for a map."""
    choice, results = study.shown_runs, study.results
    if choice is None:
        return None
    arrays = {recipe: results.arrays(run_id) for recipe, run_id in choice.runs.items()}
    first = arrays.get(study.experiment.baseline) or next(iter(arrays.values()))
    arrays = {recipe: of for recipe, of in arrays.items() if np.array_equal(of.sample, first.sample)}
    picks = stratified_subset(first.label, MOST_IMAGES)
    if len(picks) < FEWEST_IMAGES:
        return None
    labels = first.label[picks]

    def maps() -> MapsInfo:
        layout = initial_layout(first.features[picks])
        by_run = {choice.runs[recipe]: of for recipe, of in arrays.items()}  # equal recipes share a run
        made = {run_id: _map(of.features[picks], labels, layout) for run_id, of in by_run.items()}
        return MapsInfo(
            tuple(replace(made[choice.runs[recipe]], recipe=recipe) for recipe in arrays), labels, results.classes
        )

    caption = _caption(MapsInfo((), labels, results.classes), choice, len(first.label))
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
