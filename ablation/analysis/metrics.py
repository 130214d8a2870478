"""Test metrics from logits and labels. numpy and scikit-learn; no torch, so that anyone can recompute a record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15


def classification_metrics(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """The six metrics of a test part. logits (T, C), labels (T,).

    accuracy, macro_f1 and balanced_accuracy (mean recall) are in [0, 1], higher is better. log_loss (nats), brier and
    ece are lower is better.
    """
    from sklearn.metrics import f1_score, recall_score

    log_probability = log_softmax(logits)
    guess = logits.argmax(axis=1)
    return {
        "accuracy": float((guess == labels).mean()),
        "macro_f1": float(f1_score(labels, guess, average="macro", zero_division=0)),
        "balanced_accuracy": float(recall_score(labels, guess, average="macro", zero_division=0)),
        "log_loss": float(-log_probability[np.arange(len(labels)), labels].mean()),
        "brier": brier(np.exp(log_probability), labels),
        "ece": expected_calibration_error(np.exp(log_probability), labels),
    }


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T, C) logarithms of probabilities, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def brier(probability: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean over images of the squared distance to the one-hot truth, in [0, 2] (Brier 1950, equation 2)."""
    truth = np.eye(probability.shape[1])[labels]
    return float(((probability - truth) ** 2).sum(axis=1).mean())


def expected_calibration_error(
    probability: NDArray[np.float64], labels: NDArray[np.int64], bins: int = ECE_BINS
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence (Guo et al. 2017, equation 3)."""
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))
