"""Metrics of a test part, computed from logits and labels. No torch, so that anyone can recompute a record's.

To add one, write its function and give it a row in `METRICS`; runs of before have it too, as it is computed from the
logits that they stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.bootstrap import balanced_accuracy, macro_f1

ECE_BINS = 15

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
    """What a difference is counted in: "points" (hundredths), "nats", or "" without a unit."""
    lower_is_better: bool = False
    per_image: Callable[[Logits, Labels], Floats] | None = None
    per_class: Callable[[Floats, Floats, Floats], Floats] | None = None
    whole: Callable[[Logits, Labels], float] | None = None

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """The metric of logits (T, C) and labels (T,)."""
        if self.per_image is not None:
            return float(self.per_image(logits, labels).mean())
        if self.per_class is not None:
            return float(self.per_class(*class_counts(logits, labels)))
        assert self.whole is not None
        return self.whole(logits, labels)


def classification_metrics(logits: Logits, labels: Labels) -> dict[str, float]:
    """Every metric of `METRICS` for a test part, by name. logits (T, C), labels (T,)."""
    return {name: metric(logits, labels) for name, metric in METRICS.items()}


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


METRICS = {
    "accuracy": Metric("accuracy", "points", per_image=is_right),
    "macro_f1": Metric("macro F1", "points", per_class=macro_f1),
    "balanced_accuracy": Metric("balanced accuracy", "points", per_class=balanced_accuracy),
    "log_loss": Metric("log loss", "nats", lower_is_better=True, per_image=log_loss),
    "brier": Metric("Brier score", lower_is_better=True, per_image=brier),
    "ece": Metric("calibration error", lower_is_better=True, whole=expected_calibration_error),
}
"""Every metric, by the name that an experiment gives. A new one is a new row."""
