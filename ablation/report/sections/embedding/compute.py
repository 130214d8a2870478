"""How well each recipe separates the classes in feature space, compared with the baseline over all runs; and the maps.

Every measure is of L2-normalised features of test images, a number a run, and is judged over seeds. All measures of all
recipes are one Holm family.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ablation.analysis.sampling import stratified_subset
from ablation.analysis.separability import (
    Separability,
    embed,
    initial_layout,
    normalized,
    separability,
)
from ablation.core.errors import DataError
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.study import Choice, Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import Arrays
from ablation.experiment.results import Results

MOST_MEASURED = 1000
"""Test images of a run, of which the measures are taken: with more, the products of a thousand runs take minutes."""
MOST_IMAGES = 600
FEWEST_IMAGES = 12  # under this a map shows nothing
LOW_TRUST = 0.85
"""Below this trustworthiness a map misplaces so many neighbours that no cluster is to be read off it."""
TILE = 48  # pixels of a photograph's side beside the pointer
WORKERS = 2


@dataclass(frozen=True)
class Kind:
    """A measure: the field of `Separability` with its names, and which way is better. points: shown times 100."""

    field: str
    title: str
    short: str
    lower_is_better: bool = False
    points: bool = False

    def gain(self, difference: float) -> float:
        """Above 0 where classes are better separated."""
        return -difference if self.lower_is_better else difference


KINDS = (
    Kind("silhouette", "silhouette", "silh."),
    Kind("knn_accuracy", "k-NN accuracy", "k-NN", points=True),
    Kind("davies_bouldin", "Davies-Bouldin index", "DB", lower_is_better=True),
    Kind("fisher_ratio", "Fisher ratio", "Fisher"),
    Kind("distance_ratio", "distance ratio", "dist."),
    Kind("overlap", "overlap", "overlap", lower_is_better=True, points=True),
)
"""In the order in which they are named."""


@dataclass(frozen=True)
class Separation:
    """One recipe against the baseline in every measure, in the order of KINDS."""

    recipe: str
    effects: tuple[MeasureEffect, ...]

    def differs(self, alpha: float) -> bool:
        """Is a difference shown in any measure?"""
        return any(effect.shown(alpha) for effect in self.effects)

    def shown(self, alpha: float, better: bool) -> tuple[tuple[Kind, MeasureEffect], ...]:
        """The measures in which it is shown to separate the classes better, or worse."""
        return tuple(
            (kind, effect)
            for kind, effect in zip(KINDS, self.effects, strict=True)
            if effect.shown(alpha) and (kind.gain(effect.estimate) > 0) == better
        )


@dataclass(frozen=True)
class Separations:
    """recipes: in the order of the experiment, without the baseline.

    neighbours: of the measures, the fewest and most over the runs. smallest_class: images of the smallest class among
    those measured. whole: are they all test images?
    """

    experiment: Experiment
    recipes: tuple[Separation, ...]
    neighbours: tuple[int, int]
    smallest_class: int
    whole: bool


def separations(study: Study) -> Separations | None:
    """None where no run has finished. Reads the features of every run that is compared, once."""
    compared = pooled_pairs(study)
    ids = dict.fromkeys(id_ for pair in compared for runs in pair.runs for group in runs.values() for id_ in group)
    ids |= dict.fromkeys(study.shown_runs.runs.values() if study.shown_runs else ())
    if not ids:
        return None
    measured = measure_runs(study.results, tuple(ids))

    def of(kind: Kind) -> tuple[MeasureEffect, ...]:
        def value(id_: str) -> RunMeasure:
            return RunMeasure(getattr(measured[id_].measures, kind.field))

        return tuple(_named(effect, kind) for effect in measure_effects(study, kind.field, value, compared))

    by_kind = [of(kind) for kind in KINDS]
    judged = corrected([effect for effects in by_kind for effect in effects], study.experiment.alpha)
    rows = [judged[index :: len(compared)] for index in range(len(compared))]
    every = measured.values()
    neighbours = [one.measures.neighbours for one in every]
    return Separations(
        study.experiment,
        tuple(Separation(pair.own.recipe, row) for pair, row in zip(compared, rows, strict=True)),
        (min(neighbours), max(neighbours)),
        min(one.smallest_class for one in every),
        all(one.whole for one in every),
    )


def _named(effect: MeasureEffect, kind: Kind) -> MeasureEffect:
    """With the measure's name in a note that is about it."""
    about, it = effect.note, "it is "
    return replace(effect, note=f"the {kind.title} is {about[len(it) :]}") if about.startswith(it) else effect


@dataclass(frozen=True)
class Measured:
    """The measures of one run. smallest_class: images; whole: are they of all its test images?"""

    measures: Separability
    smallest_class: int
    whole: bool


def measure_runs(results: Results, ids: Sequence[str]) -> Mapping[str, Measured]:
    """The measures of each run, by at most MOST_MEASURED of its test images, each class in its share."""

    def one(id_: str) -> Measured:
        _, labels, features = results.features(id_)
        picks = stratified_subset(labels, MOST_MEASURED)
        _, counts = np.unique(labels[picks], return_counts=True)
        measures = separability(features[picks], labels[picks])
        return Measured(measures, int(counts.min()) if len(counts) else 0, len(picks) == len(labels))

    with threadpool_limits(limits=1), ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(ids, pool.map(one, ids), strict=True))


@dataclass(frozen=True, eq=False)
class Map:
    """One recipe's map: points (N, 2), how far it can be trusted, and the same run's measures in feature space.

    guesses: (N,) the class that the network answers for each image.
    """

    recipe: str
    points: NDArray[np.float64]
    trustworthiness: float
    perplexity: float
    measures: Separability
    guesses: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MapsInfo:
    """labels (N,): the class of each image, the same in every map. photographs: (N, S, S, 3); None without a cache."""

    maps: tuple[Map, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    photographs: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Mapped:
    """What the maps are of: `picks` of the test images of one run a recipe, all with the same test images."""

    choice: Choice
    arrays: Mapping[str, Arrays]
    picks: NDArray[np.int64]
    labels: NDArray[np.int64]
    images: int


def mapped(study: Study, recipes: Collection[str]) -> Mapped | None:
    """The maps of these recipes. None where no run has finished, or the test images are too few for a map."""
    choice = study.shown_runs
    if choice is None:
        return None
    every = study.shown_arrays
    first = every.get(study.experiment.baseline) or next(iter(every.values()))
    arrays = {
        recipe: of
        for recipe, of in every.items()
        if recipe in recipes and np.array_equal(of.sample, first.sample) and np.isfinite(of.features).all()
    }
    picks = stratified_subset(first.label, MOST_IMAGES)
    if len(picks) < FEWEST_IMAGES or not arrays:
        return None
    return Mapped(choice, arrays, picks, first.label[picks], len(first.label))


@dataclass(frozen=True)
class MapTask:
    """Computes the map of one run, in a second or two. Two of one run, among those of one report, are the same.

    features (N, F), labels (N,), logits (N, C): of its images. first: the features of the same images in the run from
    whose layout all maps start.
    """

    run: str
    features: NDArray[np.float32] = field(compare=False, repr=False)
    labels: NDArray[np.int64] = field(compare=False, repr=False)
    logits: NDArray[np.float32] = field(compare=False, repr=False)
    first: NDArray[np.float32] = field(compare=False, repr=False)

    def __call__(self) -> Map:
        made = embed(normalized(self.features), _layout(self.first.tobytes(), self.first.shape[1]))
        guesses = self.logits.argmax(axis=1).astype(np.int64)
        measures = separability(self.features, self.labels)
        return Map("", made.points, made.trustworthiness, made.perplexity, measures, guesses)


@lru_cache(1)
def _layout(content: bytes, width: int) -> NDArray[np.float64]:
    """The layout of features, which are the bytes of (N, width) float32: once for all maps that start from it."""
    return initial_layout(normalized(np.frombuffer(content, np.float32).reshape(-1, width).copy()))


def map_tasks(of: Mapped) -> tuple[MapTask, ...]:
    """What computes each map: one a run, in the order of `of.arrays`."""
    first = next(iter(of.arrays.values())).features[of.picks]
    return tuple(
        MapTask(run, arrays.features[of.picks], arrays.label[of.picks], arrays.logits[of.picks], first)
        for run, arrays in _by_run(of).items()
    )


def _by_run(of: Mapped) -> dict[str, Arrays]:
    """Recipes that share a run share its map."""
    return {of.choice.runs[recipe]: arrays for recipe, arrays in of.arrays.items()}


def map_of(study: Study, of: Mapped, recipe: str) -> MapsInfo:
    """The map of one of the recipes by itself, as `maps_of` has it; without photographs."""
    task = next(task for task in map_tasks(of) if task.run == of.choice.runs[recipe])
    return MapsInfo((replace(task(), recipe=recipe),), of.labels, study.results.classes)


def maps_of(study: Study, of: Mapped, *made: Map) -> MapsInfo:
    """The maps as they are shown. made: those of `map_tasks`; without any they are computed."""
    by_run = dict(zip(_by_run(of), made or [task() for task in map_tasks(of)], strict=True))
    maps = tuple(replace(by_run[of.choice.runs[recipe]], recipe=recipe) for recipe in of.arrays)
    first = next(iter(of.arrays.values()))
    try:
        photographs = study.results.photographs(first.sample[of.picks], TILE)
    except DataError:
        photographs = None
    return MapsInfo(maps, of.labels, study.results.classes, photographs)
