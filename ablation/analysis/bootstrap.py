"""The multi-bootstrap over seeds and test images, for metrics that are no mean over images: macro-F1, curves.

Sellam et al. (2021), "The MultiBERTs", arXiv 2106.16163, section 3: seeds and images are resampled independently,
images alike for all runs, seeds alike for both groups where they are paired. A comparison needs three steps, the first
of which serves all runs of an experiment:

    counts = image_counts(len(labels), draws=1000, seed=0)
    treatment, baseline = (class_scores(labels, guesses, counts, macro_f1) for guesses in (...))
    low, high = multi_bootstrap(treatment, baseline, paired=False).interval(0.05)

Percentiles of such draws cover too little where seeds differ much and are few (83 % with 3, docs/honesty.md), and too
much where they differ little, since the rest is counted three times (Owen 2007, "The pigeonhole bootstrap"). So
`interval` takes from the draws only what images do to the score, and adds what seeds do as `crossed` does: for
accuracy both modules agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.analysis.crossed import CrossedDifference, Parts, few_images, half_width
from ablation.analysis.student import Floats, variance
from ablation.core.seeds import stream

Metric = Callable[[Floats, Floats, Floats], Floats]
"""Scores (...) from counts per class (classes, ...): of images guessed right, guessed to be it, labelled with it."""


def balanced_accuracy(right: Floats, guessed: Floats, labelled: Floats) -> Floats:
    """Mean recall over the classes that are there, in [0, 1]."""
    return _mean_where(right, labelled)


def macro_f1(right: Floats, guessed: Floats, labelled: Floats) -> Floats:
    """Mean over the classes that are there or are guessed of 2 right / (labelled + guessed), in [0, 1]."""
    return _mean_where(2 * right, labelled + guessed)


def cohen_kappa(right: Floats, guessed: Floats, labelled: Floats) -> Floats:
    """Agreement of guesses and labels beyond that of chance (Cohen 1960): (p_o - p_e) / (1 - p_e), at most 1.

    0 where all images are of one class and guessed to be it: agreement by chance is whole there.
    """
    images = labelled.sum(axis=0)
    observed, by_chance = right.sum(axis=0) / images, (guessed * labelled).sum(axis=0) / images**2
    beyond = np.asarray(1 - by_chance)
    return np.asarray(np.divide(observed - by_chance, beyond, out=np.zeros_like(beyond), where=beyond > 0))


def _mean_where(share: Floats, whole: Floats) -> Floats:
    shares = np.divide(share, whole, out=np.zeros_like(share), where=whole > 0)
    return np.asarray(shares.sum(axis=0) / (whole > 0).sum(axis=0))


@dataclass(frozen=True, eq=False)
class Scores:
    """Of one group: observed (seeds, ...) on the test images; resampled (draws, seeds, ...) on each draw of images.

    Axes after that of seeds are points of a curve.
    """

    observed: Floats
    resampled: Floats
    images: int


@dataclass(frozen=True, eq=False)
class MultiBootstrap:
    """treatment - baseline, of shape (...): one number for a metric, several for a curve.

    parts: what its variance is made of. more: what is added to that of images (`crossed.few_images`).
    """

    estimate: Floats
    parts: Parts
    more: float = 0.0

    @property
    def crossed(self) -> CrossedDifference:
        """The same for a metric of one number, as the two-way model gives it."""
        return CrossedDifference(float(self.estimate), self.parts, self.more)

    def interval(self, alpha: float) -> tuple[Floats, Floats]:
        """At level 1 - alpha, point by point, as in `crossed.half_width`."""
        half = half_width(self.parts, alpha, self.more)
        return self.estimate - half, self.estimate + half


def image_counts(images: int, draws: int = 1000, seed: int = 0) -> NDArray[np.float32]:
    """(images, draws): how often each image is in each resample of as many images, with replacement."""
    counts = np.empty((images, draws), np.float32)
    random = stream(seed, "resampled images", images)
    for draw in range(draws):
        counts[:, draw] = np.bincount(random.integers(0, images, images), minlength=images)
    return counts


def class_scores(labels: ArrayLike, guesses: ArrayLike, counts: NDArray[np.float32], metric: Metric) -> Scores:
    """labels (N,), guesses (seeds, N): whole numbers from 0 on; counts (N, draws) of `image_counts`.

    The metric sees counts per class only, of which accuracy, F1, recall, kappa and Matthews' coefficient are functions.
    """
    labels, guesses = np.asarray(labels), np.atleast_2d(guesses)
    if guesses.shape[1:] != labels.shape or len(counts) != len(labels):
        shapes = f"labels {labels.shape}, guesses {guesses.shape}, counts {counts.shape}"
        raise ValueError(
            f"labels (N,), guesses (seeds, N) and counts (N, draws) must be of the same N images: {shapes}"
        )
    once = np.ones((len(labels), 1), np.float32)
    classes = int(max(labels.max(), guesses.max())) + 1
    observed, resampled = (_metric_of(labels, guesses, weights, classes, metric) for weights in (once, counts))
    return Scores(observed[0], resampled, len(labels))


def _metric_of(
    labels: NDArray[np.int64], guesses: NDArray[np.int64], weights: NDArray[np.float32], classes: int, metric: Metric
) -> Floats:
    """(draws, seeds), from the diagonal and the margins of a confusion matrix per draw."""
    every = np.arange(len(labels))
    labelled = _sum_by(labels, every, weights, classes)
    scores = []
    for guess in guesses:
        right = np.flatnonzero(labels == guess)
        scores.append(
            metric(_sum_by(labels, right, weights, classes), _sum_by(guess, every, weights, classes), labelled)
        )
    return np.stack(scores, axis=1)


def _sum_by(group: NDArray[np.int64], chosen: NDArray[np.int64], weights: NDArray[np.float32], classes: int) -> Floats:
    """(classes, draws): the weights of the chosen images, summed by their group."""
    from scipy.sparse import csr_array

    ones = np.ones(len(chosen), np.float32)
    return np.asarray(csr_array((ones, (group[chosen], chosen)), shape=(classes, len(group))) @ weights, float)


def multi_bootstrap(
    treatment: Scores, baseline: Scores, paired: bool, overlap: float = 0.0, share: bool = False
) -> MultiBootstrap:
    """The difference of two groups over the same draws of the same images.

    paired: row i is the same seed in both groups. At least 2 seeds a group. overlap, share: as for `crossed`.
    """
    _check(treatment, baseline, paired)
    scale = max(float(np.abs(group.observed).max()) for group in (treatment, baseline))
    groups = [(treatment, 1), (baseline, -1)]
    if paired:
        both = Scores(
            treatment.observed - baseline.observed, treatment.resampled - baseline.resampled, treatment.images
        )
        groups = [(both, 1)]
    value = np.asarray(sum(sign * group.observed.mean(axis=0) for group, sign in groups))
    parts = _parts(groups, scale)
    parts = parts._replace(seeds=[(part * (1 + (df + 1) * overlap), df) for part, df in parts.seeds])
    return MultiBootstrap(value, parts, few_images(treatment.images) if share else 0.0)


def _parts(groups: list[tuple[Scores, int]], scale: float) -> Parts:
    """As in `crossed`, with the draws instead of the sums of squares over images."""
    last = groups[0][0].images - 1
    seeds, rest = [], []
    for group, _ in groups:
        size = len(group.observed)
        seeds.append((variance(np.moveaxis(group.observed, 0, -1), scale) / size, size - 1))
        own = group.resampled - group.resampled.mean(
            axis=1, keepdims=True
        )  # what a draw does to one seed and not to all
        rest.append((own.var(axis=0).sum(axis=0) / (size - 1) / size, (size - 1) * last))
    means = np.asarray(sum(sign * group.resampled.mean(axis=1) for group, sign in groups))
    return Parts(seeds, (means.var(axis=0), last), rest)


def _check(treatment: Scores, baseline: Scores, paired: bool) -> None:
    sizes = f"treatment {treatment.resampled.shape}, baseline {baseline.resampled.shape} (draws, seeds, ...)"
    if len(treatment.resampled) != len(baseline.resampled) or treatment.images != baseline.images:
        raise ValueError(f"both groups must be scored on the same draws of the same images: {sizes}")
    if min(len(treatment.observed), len(baseline.observed)) < 2:
        raise ValueError(f"the multi-bootstrap needs at least 2 seeds in each group: {sizes}")
    if paired and len(treatment.observed) != len(baseline.observed):
        raise ValueError(f"paired seeds are as many in both groups: {sizes}")
