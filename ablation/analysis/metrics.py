"""Metrics of a test part, computed from logits and labels. No torch, so that anyone can recompute a record's.

To add one, write its function and give it a row in `METRICS`; runs of before have it too, as it is computed from the
logits that they stored. A name that is not in the table may bring a metric along (`Named`): a function of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.bootstrap import balanced_accuracy, cohen_kappa, macro_f1

ECE_BINS = 15

TOP = 5
"""Of so many classes one must be the label, for top-5 accuracy."""

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """How well a network does on a test part, as one number computed from its logits.

    Exactly one of the three functions says how. `per_image` takes logits (T, C) and labels (T,) and returns (T,) terms
    whose mean is the metric; `per_class` takes, for each class, the images guessed right, guessed to be it and labelled
    with it; `whole` takes logits and labels and returns the number, where it is neither. The first two kinds are judged
    for new test images as well as new seeds (`ablation.analysis.crossed`, `ablation.analysis.bootstrap`).

    >>> METRICS["accuracy"](np.array([[2.0, 0.0], [1.0, 3.0]], np.float32), np.array([0, 0]))
    0.5
    """

    title: str
    """The name in a sentence: "macro F1"."""
    unit: str = ""
    """What a difference is counted in: "points" (hundredths), "nats", another one, or "" without a unit."""
    lower_is_better: bool = False
    per_image: Callable[[Logits, Labels], Floats] | None = None
    per_class: Callable[[Floats, Floats, Floats], Floats] | None = None
    whole: Callable[[Logits, Labels], float] | None = None
    share: bool | None = False
    """Is each image right or wrong, so that this is a share of images, or a mean of such shares over classes? None of a
    `per_image` metric of which only its values say (`right_or_wrong`)."""

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """The metric of logits (T, C) and labels (T,)."""
        if self.per_image is not None:
            return float(self.per_image(logits, labels).mean())
        if self.per_class is not None:
            return float(self.per_class(*class_counts(logits, labels)))
        assert self.whole is not None
        return self.whole(logits, labels)


def classification_metrics(logits: Logits, labels: Labels) -> dict[str, float]:
    """The metrics that a record holds (`RECORDED`) of a test part, by name. logits (T, C), labels (T,)."""
    return {name: METRICS[name](logits, labels) for name in RECORDED}


def class_counts(logits: Logits, labels: Labels) -> tuple[Floats, Floats, Floats]:
    """Three arrays (C,): images of each class that were guessed right, guessed to be it, and labelled with it."""
    classes, guess = logits.shape[1], logits.argmax(axis=1)
    right = np.bincount(labels[guess == labels], minlength=classes)
    guessed, labelled = np.bincount(guess, minlength=classes), np.bincount(labels, minlength=classes)
    return right.astype(float), guessed.astype(float), labelled.astype(float)


def is_right(logits: Logits, labels: Labels) -> Floats:
    """(T,) 1 where the guess is right, else 0; their mean is the accuracy."""
    right: Floats = (logits.argmax(axis=1) == labels).astype(np.float64)
    return right


def right_or_wrong(terms: Floats) -> bool:
    """Is every one of the terms (T,) 1 or 0, so that their mean is a share of images?

    >>> right_or_wrong(np.array([1.0, 0.0])), right_or_wrong(np.array([0.3, 0.0]))
    (True, False)
    """
    return bool(np.isin(terms, (0.0, 1.0)).all())


def log_loss(logits: Logits, labels: Labels) -> Floats:
    """(T,) minus the logarithm of the probability given to the true class, in nats."""
    return -log_softmax(logits)[np.arange(len(labels)), labels]


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T, C) logarithms of probabilities, in float64."""
    shifted: Floats = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def brier(logits: Logits, labels: Labels) -> Floats:
    """(T,) squared distances to the one-hot truth, each in [0, 2] (Brier 1950, equation 2)."""
    truth = np.eye(logits.shape[1])[labels]
    distances: Floats = np.square(np.exp(log_softmax(logits)) - truth).sum(axis=1)
    return distances


def expected_calibration_error(logits: Logits, labels: Labels, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence (Guo et al. 2017, equation 3)."""
    probability = np.exp(log_softmax(logits))
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def in_top_five(logits: Logits, labels: Labels) -> Floats:
    """(T,) 1 where the label is among the five most probable classes, else 0.

    Of classes that are equally probable the first counts as the more probable, as in the accuracy.
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    before = np.arange(logits.shape[1]) < labels[:, None]
    ahead = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return np.asarray(ahead < TOP, np.float64)


def auroc(logits: Logits, labels: Labels) -> float:
    """Mean over classes of the area under the ROC curve of that class against the rest, by its probability.

    The area is the share of pairs of an image of the class and one of another in which the first has the higher
    probability, ties counting half (Hanley and McNeil 1982). Of two classes it is that of either. A class without a
    test image, or without one of another class, is left out; nan where that leaves none.
    """
    return _mean_over_classes(logits, labels, _area)


def average_precision(logits: Logits, labels: Labels) -> float:
    """Mean over classes of the average precision of that class against the rest, by its probability.

    The sum over thresholds of precision times the rise in recall, without interpolation, as scikit-learn's; images of
    one probability share a threshold. A class without a test image is left out.
    """
    return _mean_over_classes(logits, labels, _precision)


def _mean_over_classes(logits: Logits, labels: Labels, score: Callable[[Floats, Floats], float]) -> float:
    """The mean of `score` over the classes where it is a number.

    It is given how many images, and how many of the class, have each probability that occurs, the lowest first.
    """
    scores = []
    for one, probability in enumerate(_one_versus_rest(logits)):
        _, at, images = np.unique(probability, return_inverse=True, return_counts=True)
        of_class = np.bincount(at[labels == one], minlength=len(images))
        scores.append(score(images.astype(float), of_class.astype(float)))
    known = [one for one in scores if not np.isnan(one)]
    return float(np.mean(known)) if known else float("nan")


def _one_versus_rest(logits: Logits) -> Iterator[Floats]:
    """For each class (T,) numbers in the order of its probability. Of two they are one difference, which no
    probability near 1 rounds to a tie."""
    if logits.shape[1] == 2:
        difference = logits[:, 1].astype(np.float64) - logits[:, 0]
        yield from (-difference, difference)
        return
    probability = np.exp(log_softmax(logits))
    yield from probability.T


def _area(images: Floats, of_class: Floats) -> float:
    others = images - of_class
    pairs = of_class.sum() * others.sum()
    below = others.cumsum() - others / 2
    return float((of_class * below).sum() / pairs) if pairs else float("nan")


def _precision(images: Floats, of_class: Floats) -> float:
    found, shown = of_class[::-1].cumsum(), images[::-1].cumsum()
    return float((of_class[::-1] * found / shown).sum() / found[-1]) if found[-1] else float("nan")


@runtime_checkable
class Named(Protocol):
    """A name that brings its metric along."""

    @property
    def metric(self) -> Metric: ...


class Metrics(dict[str, Metric]):
    """Metrics by name; one that brings its metric along is not in the table, and is found nevertheless."""

    def __missing__(self, name: str) -> Metric:
        if isinstance(name, Named):
            return name.metric
        raise KeyError(name)


METRICS = Metrics(
    accuracy=Metric("accuracy", "points", per_image=is_right, share=True),
    macro_f1=Metric("macro F1", "points", per_class=macro_f1, share=True),
    balanced_accuracy=Metric("balanced accuracy", "points", per_class=balanced_accuracy, share=True),
    log_loss=Metric("log loss", "nats", lower_is_better=True, per_image=log_loss),
    brier=Metric("Brier score", lower_is_better=True, per_image=brier),
    ece=Metric("calibration error", lower_is_better=True, whole=expected_calibration_error),
    top5_accuracy=Metric("top-5 accuracy", "points", per_image=in_top_five, share=True),
    cohen_kappa=Metric("Cohen's kappa", per_class=cohen_kappa),
    auroc=Metric("AUROC", whole=auroc),
    average_precision=Metric("mean average precision", "points", whole=average_precision),
)
"""Every metric, by the name that an experiment gives. A new one is a new row."""

RECORDED = ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier", "ece")
"""Those that a record holds. Any other is computed from its logits when it is read: records keep their bytes."""


def reported(metric: str) -> tuple[str, ...]:
    """The metrics that are shown beside each other where an experiment is judged by `metric`.

    >>> reported("auroc")[-2:]
    ('ece', 'auroc')
    """
    return tuple(dict.fromkeys((*RECORDED, metric)))
