"""Decision curves: what acting on a network's probabilities is worth, at every threshold, and areas in closed form.

Net benefit (Vickers and Elkin 2006, "Decision curve analysis", Medical Decision Making 26): with n images, acted on
where the probability p is at least the threshold t,

    NB(t) = TP / n - FP / n * t / (1 - t)

in true positives per image, as t says how many false alarms a hit is worth. Every image adds its own term, so that NB
and its areas are means over images, exactly:

- over [0, T]: the mean of p' + (1 - y) ln(1 - p'), where p' = min(p, T) and y is 1 for what one acts on rightly;
- weighted by 1 - t over [0, 1]: the mean of y p - p^2 / 2, which is (prevalence - Brier score) / 2.

With several classes each is taken in turn (one against the rest), and the mean over classes is taken; or one acts
on the network's guess where its confidence is at least t, and y is whether it is right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANGE = 0.9
"""The threshold up to which areas go: above it one false alarm costs more than nine hits."""


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """(T, C): the softmax of logits (T, C) that are divided by a temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def area(p: ArrayLike, y: ArrayLike, upto: float = RANGE) -> Floats:
    """What each image adds to the area under its decision curve over thresholds from 0 to `upto` < 1.

    p (...) in [0, 1], y (...) 1 or 0 -> (...), whose mean is the area.
    """
    if not 0 < upto < 1:
        raise ValueError(f"an area goes up to a threshold between 0 and 1, not {upto}")
    capped = np.minimum(np.asarray(p, float), upto)
    return np.asarray(capped + (1 - np.asarray(y, float)) * np.log1p(-capped))


def weighted_area(p: ArrayLike, y: ArrayLike) -> Floats:
    """The same over all thresholds with the weight 1 - t: its mean is (prevalence - Brier score) / 2."""
    p = np.asarray(p, float)
    return np.asarray(np.asarray(y, float) * p - p**2 / 2)


def one_vs_rest_area(p: Floats, labels: Ints, upto: float = RANGE) -> Floats:
    """(T,): the mean over classes of `area`, each class against the rest. p (T, C), labels (T,)."""
    capped = np.minimum(p, upto)
    rest = np.log1p(-capped)
    own = rest[np.arange(len(labels)), labels]
    return np.asarray((capped.sum(axis=1) + rest.sum(axis=1) - own) / p.shape[1])


def one_vs_rest_weighted_area(p: Floats, labels: Ints) -> Floats:
    """(T,): the mean over classes of `weighted_area`. p (T, C), labels (T,)."""
    own = p[np.arange(len(labels)), labels]
    return np.asarray((own - np.square(p).sum(axis=1) / 2) / p.shape[1])


def confidence(p: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """(T,) the probability of the guess, and (T,) 1 where the guess is right, else 0."""
    guess = p.argmax(axis=1)
    return p[np.arange(len(p)), guess], (guess == labels).astype(float)


def odds(thresholds: ArrayLike) -> Floats:
    """t / (1 - t): the hits that one false alarm costs."""
    at = np.asarray(thresholds, float)
    return np.asarray(at / (1 - at))


def net_benefit(p: ArrayLike, y: ArrayLike, thresholds: ArrayLike) -> Floats:
    """(K, T): what each image adds to NB at each threshold. p, y (T,), thresholds (K,) in [0, 1)."""
    y, at = np.asarray(y, float), np.asarray(thresholds, float)
    return np.where(np.asarray(p, float) >= at[:, None], y - (1 - y) * odds(at)[:, None], 0.0)


def one_vs_rest_net_benefit(p: Floats, labels: Ints, thresholds: Floats) -> Floats:
    """(K, T): the same as a mean over classes, each against the rest. p (T, C), thresholds (K,) ascending."""
    images, classes = p.shape
    reached = np.searchsorted(thresholds, p, side="right")  # how many thresholds a probability is not below
    flat = np.arange(images)[:, None] * (len(thresholds) + 1) + reached
    counts = np.bincount(flat.ravel(), minlength=images * (len(thresholds) + 1)).reshape(images, -1)
    acted = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:].T  # of the classes, at each threshold
    own = np.arange(len(thresholds))[:, None] < reached[np.arange(images), labels]
    return np.asarray((own - odds(thresholds)[:, None] * (acted - own)) / classes)


def treat_all(prevalence: float, thresholds: ArrayLike) -> Floats:
    """NB of acting on every image; acting on none is worth 0. For one class against the rest, prevalence is a mean of
    1 / C over classes, whatever the class sizes."""
    return np.asarray(prevalence - (1 - prevalence) * odds(thresholds))


def temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature by which logits are divided so that the log loss is least (Guo et al. 2017, "On calibration").

    logits (V, C), labels (V,) of validation images; nan for logits that are not finite. The loss is convex in b =
    1 / temperature. To it (b - 1 - ln b) / V is added, a prior that weighs as much as one image: so there is a finite
    least value where all guesses are right, 1 without images, and hardly a difference where images are many.
    """
    from scipy.optimize import brentq

    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if not np.isfinite(logits).all():
        return float("nan")
    if not len(logits):
        return 1.0
    centred = logits - logits[np.arange(len(labels)), labels][:, None]

    def slope(b: float) -> float:
        """Of the sum of losses and prior, times b."""
        expected = (probabilities(b * centred) * centred).sum()
        return float(b * expected + b - 1)

    low, high = 0.5, 2.0
    while slope(low) > 0:
        low /= 4
    while slope(high) < 0:
        high *= 4
    return 1 / float(brentq(slope, low, high, rtol=1e-10))
