"""What the networks saw and made of it: t-SNE maps and augmented photographs, from one run a recipe.

One condition and one seed stand for all: the first in the order of the experiment that finished for the most recipes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.separability import embed, initial_layout, separability, stratified_subset
from ablation.experiment import Cell, Experiment
from ablation.figures.embedding import Map, MapsInfo
from ablation.figures.preview import PreviewInfo, PreviewRow
from ablation.record import Arrays
from ablation.report.scenes import Scene
from ablation.report.wording import MINUS, NONE, changed, condition_text, listing, recipe_text
from ablation.results import Results

MOST_IMAGES = 600
FEWEST_IMAGES = 12  # under this a map shows nothing


@dataclass(frozen=True)
class Choice:
    """The runs that are looked at: recipe -> id, under one condition and seed; `missing` recipes have not finished."""

    condition: str
    seed: int
    runs: dict[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        without = f"; not finished there: {listing(self.missing)}" if self.missing else ""
        return f"{self.condition}, seed {self.seed}{without}"


def chosen_runs(results: Results) -> Choice | None:
    """The first condition and seed with the most finished recipes; None where nothing has finished."""
    finished = set(results.finished["id"])
    places: dict[tuple[tuple[str, ...], int], list[Cell]] = {}
    for cell in results.cells:
        places.setdefault((cell.condition, cell.seed), []).append(cell)
    counts = {place: sum(cell.spec.id in finished for cell in cells) for place, cells in places.items()}
    best = max(places, key=counts.__getitem__)
    if not counts[best]:
        return None
    others = {factor: level for factor, level in places[best][0].factors.items() if factor != "recipe"}
    return Choice(
        condition_text(others, results.experiment),
        best[1],
        {cell.factors["recipe"]: cell.spec.id for cell in places[best] if cell.spec.id in finished},
        tuple(cell.factors["recipe"] for cell in places[best] if cell.spec.id not in finished),
    )


def maps_scene(results: Results, choice: Choice) -> Scene | None:
    """t-SNE of the test images, the same ones in every panel; None where they are too few."""
    arrays = {recipe: results.arrays(run_id) for recipe, run_id in choice.runs.items()}
    first = arrays.get(results.experiment.baseline) or next(iter(arrays.values()))
    arrays = {recipe: told for recipe, told in arrays.items() if np.array_equal(told.sample, first.sample)}
    picks = stratified_subset(first.label, MOST_IMAGES)
    if len(picks) < FEWEST_IMAGES:
        return None
    layout = initial_layout(first.features[picks])
    made: dict[str, Map] = {}
    for recipe, told in arrays.items():
        twin = next((name for name in made if choice.runs[name] == choice.runs[recipe]), None)
        made[recipe] = Map(recipe, made[twin].points, made[twin].notes) if twin else _map(recipe, told, picks, layout)
    info = MapsInfo(tuple(made.values()), first.label[picks], results.classes)
    return Scene(info, "t-SNE maps of the test images by recipe", _caption(info, choice, len(first.label)))


def _map(recipe: str, told: Arrays, picks: np.ndarray, layout: np.ndarray) -> Map:
    features, labels = told.features[picks], told.label[picks]
    made, measured = embed(features, layout), separability(features, labels)
    knn = NONE if math.isnan(measured.knn_accuracy) else f"{100 * measured.knn_accuracy:.1f} %"
    silhouette = NONE if math.isnan(measured.silhouette) else f"{measured.silhouette:.2f}".replace("-", MINUS)
    in_features = f"features: silhouette {silhouette}, {measured.neighbours}-NN {knn}"
    return Map(recipe, made.points, (f"map: trustworthiness {made.trustworthiness:.2f}", in_features))


def _caption(info: MapsInfo, choice: Choice, images: int) -> str:
    count = len(info.labels)
    which = f"all {count}" if count == images else f"{count} of {images}, each class in its share"
    unnamed = "" if info.named else f" The {len(info.classes)} classes are too many to be named one by one."
    return (
        f"t-SNE of the test images' features that go into the last layer ({choice}; {which}). Every panel shows the "
        "same images and starts from the same layout, the first two principal components of the first network's "
        f"features.{unnamed} Caution: t-SNE bends distances; the size of a cluster and the gaps between clusters mean "
        "little. Trustworthiness says how far neighbours on the map are neighbours in feature space (1 is best). "
        "Whether classes are better separated is measured in feature space: by the silhouette (1 is best, 0 is "
        "overlap) and by the leave-one-out accuracy of the nearest neighbours. It is one run a recipe: another seed "
        "gives other numbers."
    )


def preview_of(results: Results, choice: Choice) -> PreviewInfo:
    """The first training image as each recipe's run drew it."""
    seen = {}
    for recipe, run_id in choice.runs.items():
        arrays, record = results.arrays(run_id), results.run(run_id).record()
        seen[recipe] = (arrays.original, arrays.draws, record.evidence["captions"] if record else ())
    return preview_info(results.experiment, seen, "The first training image", str(choice))


def preview_info(
    experiment: Experiment,
    seen: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8], Sequence[str]]],
    image: str,
    place: str,
) -> PreviewInfo:
    """The recipes in one picture. seen: recipe -> (original, draws, captions) of one image. place: of the draws."""
    rows = tuple(
        PreviewRow(recipe, recipe_text(experiment, recipe), original, draws, tuple(captions))
        for recipe, (original, draws, captions) in seen.items()
    )
    side, count = rows[0].original.shape[0], len(rows[0].draws)
    note = (
        f"{image}, {side} × {side} pixels as the network sees it: without augmentation, and as each recipe "
        f"draws it for the first {count} epochs ({place})."
    )
    return PreviewInfo(f"{experiment.name}: what each recipe does", note, rows)


def changes_of(results: Results) -> tuple[dict[str, str], ...]:
    """What each operation did in the first epoch, as cells of a table: recipe, operation, images, pixels, flag."""
    rows = []
    for told in results.changes().to_dict("records"):
        images, pixels = changed(told["share_changed"], told["mean_change"])
        flag = "changed nothing" if told["idle"] else ""
        rows.append({"recipe": told["recipe"], "operation": told["operation"], "images": images, "pixels": pixels})
        rows[-1]["flag"] = flag
    return tuple(rows)
