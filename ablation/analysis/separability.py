"""How well classes are separated in feature space, and a map of it in two dimensions. numpy and scikit-learn.

The map (t-SNE) is for the eye and bends distances; the measures look at the features themselves. Everything here is a
function of its arguments: no random numbers, one thread, so the same features give the same map to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Floats = NDArray[np.float32]

NEAR = 1e-5
"""Distances of unit vectors that float32 cannot tell from none."""

LAYOUT_SD = 1e-4  # of the first axis of an initial layout, as in van der Maaten's own code
ITERATIONS = 500  # of 1000 usual: on 600 digits trustworthiness is .9916 instead of .9919, in half the time
PERPLEXITY = 30.0
DIMENSIONS = 50
"""Principal components of the features that a map is made of, where there are more (van der Maaten and Hinton 2008)."""


@dataclass(frozen=True)
class Separability:
    """How well `classes` classes are separated among `images` images; nan where it is not defined.

    All are of features divided by their length, so that distances are sqrt(2 - 2 cosine).

    silhouette: mean over images of (b - a) / max(a, b), in [-1, 1], by Euclidean distance (Rousseeuw 1987); an image
    that is alone in its class counts 0.
    knn_accuracy: share of images that the majority of their `neighbours` nearest other images puts into the right
    class, in [0, 1].
    davies_bouldin: mean over classes of the largest (spread + spread) / distance of centres, >= 0; lower is better
    (Davies and Bouldin 1979).
    fisher_ratio: trace of the scatter between classes over that within them, >= 0 (Fukunaga 1990, section 10.2).
    distance_ratio: mean distance of two images of different classes over that of two of one class, > 0.
    overlap: share of images more than half of whose neighbours are of other classes, in [0, 1]; lower is better.
    """

    silhouette: float = math.nan
    knn_accuracy: float = math.nan
    davies_bouldin: float = math.nan
    fisher_ratio: float = math.nan
    distance_ratio: float = math.nan
    overlap: float = math.nan
    neighbours: int = 0
    images: int = 0
    classes: int = 0


@dataclass(frozen=True, eq=False)
class Embedding:
    """points (N, 2); trustworthiness in [0, 1]: 1 where the `neighbours` nearest on a map are near in the features."""

    points: Points
    trustworthiness: float
    neighbours: int
    perplexity: float


def normalized(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row of (N, F) divided by its length; a row of zeros stays one."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def separability(features: NDArray[np.float32], labels: NDArray[np.int64], neighbours: int = 20) -> Separability:
    """Measure how well the classes are separated. features (N, F), labels (N,); of few images (N - 1) / 2 neighbours.

    All is computed from one product of the features with themselves, in float32. Nothing is defined for fewer than two
    classes, without two images of one class, or for features that are not finite.
    """
    names, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    images, classes = len(labels), len(names)
    neighbours = max(min(neighbours, (images - 1) // 2), 0)
    nothing = Separability(neighbours=neighbours, images=images, classes=classes)
    if not 2 <= classes < images or not np.isfinite(features).all():
        return nothing
    unit, of_class = normalized(features), np.eye(classes, dtype=np.float32)[inverse]
    cosine = unit @ unit.T
    votes = _votes(cosine, inverse, classes, neighbours)
    own = votes[np.arange(images), inverse]
    davies_bouldin, fisher_ratio = _by_centres(unit, inverse, of_class, counts)
    silhouette, distance_ratio = _by_distances(unit, cosine, inverse, of_class, counts)
    return replace(
        nothing,
        silhouette=silhouette,
        knn_accuracy=float((votes.argmax(axis=1) == inverse).mean()) if neighbours else math.nan,
        davies_bouldin=davies_bouldin,
        fisher_ratio=fisher_ratio,
        distance_ratio=distance_ratio,
        overlap=float((2 * own < neighbours).mean()) if neighbours else math.nan,
    )


def _votes(cosine: Floats, inverse: NDArray[np.int64], classes: int, neighbours: int) -> NDArray[np.int64]:
    """(N, C): of each image's nearest other images, how many are of each class. A tied majority is the lower class."""
    images = len(cosine)
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argpartition(cosine, images - 1 - neighbours, axis=1)[:, images - neighbours :]
    np.fill_diagonal(cosine, 1)
    rows = np.arange(images)[:, None] * classes
    return np.bincount((rows + inverse[nearest]).ravel(), minlength=images * classes).reshape(images, classes)


def _by_distances(
    unit: Floats, cosine: Floats, inverse: NDArray[np.int64], of_class: Floats, counts: NDArray[np.int64]
) -> tuple[float, float]:
    """Silhouette and distance ratio. Overwrites `cosine`."""
    images, rows, squares = len(inverse), np.arange(len(inverse)), np.square(unit).sum(axis=1)
    cosine *= -2
    cosine += squares[:, None]
    cosine += squares
    np.fill_diagonal(np.maximum(cosine, 0, out=cosine), 0)
    sums = (np.sqrt(cosine, out=cosine) @ of_class).astype(np.float64)
    own, others = sums[rows, inverse], counts[inverse] - 1
    within = own / np.maximum(others, 1)
    means = sums / counts
    means[rows, inverse] = np.inf
    between = means.min(axis=1)
    longer = np.maximum(within, between)
    widths = np.divide(between - within, longer, out=np.zeros(images), where=(longer > 0) & (others > 0))
    alike = own.sum() / others.sum()
    apart = (sums.sum() - own.sum()) / (images * (images - 1) - others.sum())
    return float(widths.mean()), float(apart / alike) if alike > NEAR else math.nan


def _by_centres(
    unit: Floats, inverse: NDArray[np.int64], of_class: Floats, counts: NDArray[np.int64]
) -> tuple[float, float]:
    """Davies-Bouldin index, nan where two centres are one; Fisher ratio, nan where no class is spread."""
    centres = (of_class.T @ unit).astype(np.float64) / counts[:, None]
    squares = np.square(unit - centres[inverse]).sum(axis=1)
    spread = np.bincount(inverse, np.sqrt(squares)) / counts
    between = np.sqrt(np.square(centres[:, None] - centres).sum(axis=2))
    np.fill_diagonal(between, np.inf)
    overall = counts @ centres / counts.sum()
    scatter = counts @ np.square(centres - overall).sum(axis=1)
    worst = ((spread[:, None] + spread) / between).max(axis=1) if between.min() > NEAR else np.array([math.nan])
    return float(worst.mean()), float(scatter / squares.sum()) if squares.sum() > NEAR**2 * len(unit) else math.nan


def initial_layout(features: NDArray[np.float32]) -> Points:
    """(N, 2): the first two principal components, scaled so that the first has sd 1e-4 (Kobak and Berens 2019).

    Features that are all alike have none; their images start on a small spiral.
    """
    from sklearn.decomposition import PCA

    if features.shape[1] >= 2 and len(features) >= 2 and np.ptp(features, axis=0).any():
        layout = PCA(n_components=2, svd_solver="full").fit_transform(features.astype(np.float64))
        return np.asarray(layout / layout[:, 0].std() * LAYOUT_SD)
    turn = np.arange(len(features)) * math.pi * (3 - math.sqrt(5))
    radius = LAYOUT_SD * np.sqrt((np.arange(len(features)) + 1) / max(len(features), 1))
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def perplexity_of(images: int, perplexity: float = PERPLEXITY) -> float:
    """The perplexity that so many images allow: at most (N - 1) / 3, as each has three times as many neighbours."""
    return min(perplexity, (images - 1) / 3)


def embed(
    features: NDArray[np.float32], layout: Points, perplexity: float = PERPLEXITY, neighbours: int = 10
) -> Embedding:
    """A t-SNE map (van der Maaten and Hinton 2008) that starts at `layout`, and its trustworthiness.

    features (N, F), layout (N, 2), N >= 4. Maps of several sets of features of the same images may be compared when
    they start at one layout. Few images lower the perplexity to (N - 1) / 3 and the neighbours below N / 2.
    More than 50 features are first reduced to their first 50 principal components. Trustworthiness is about the
    features as they are given: Venna and Kaski (2001), equation 3.
    """
    from sklearn.manifold import TSNE, trustworthiness
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    perplexity, neighbours = perplexity_of(len(features), perplexity), min(neighbours, (len(features) - 1) // 2)
    tsne = TSNE(init=layout.astype(np.float32), perplexity=perplexity, max_iter=ITERATIONS, random_state=0)
    with threadpool_limits(limits=1):  # the order of a sum over threads would show in the last bits, and grow
        points = tsne.fit_transform(_components(features))
        trust = trustworthiness(features, points, n_neighbors=neighbours)
    return Embedding(points.astype(np.float64), float(trust), neighbours, perplexity)


def _components(features: NDArray[np.float32]) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    if min(features.shape) <= DIMENSIONS:
        return features
    reduced = PCA(DIMENSIONS, svd_solver="full").fit_transform(features.astype(np.float64))
    return np.asarray(reduced, np.float32)
