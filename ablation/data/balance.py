"""Classes of unequal size: weights for the loss, and an order of an epoch in which each class comes equally often.

Arrays in, arrays out; no torch. Each is of the images that a run trains on, and no others.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

Sampling = Literal["shuffle", "balanced"]
"""How often an image comes in an epoch: once, or so that each class comes equally often."""


def balanced_weights(labels: Rows, classes: int) -> NDArray[np.float64]:
    """(classes,) images / (classes there are x images of the class): scikit-learn's `compute_class_weight("balanced")`.

    A class without an image among `labels` weighs 0, and does not count as there.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    counts = np.bincount(labels, minlength=classes)
    there = counts > 0
    return np.asarray(np.divide(len(labels), there.sum() * counts, out=np.zeros(classes), where=there))


def balanced_order(rows: Rows, labels: Rows, random: np.random.Generator) -> Rows:
    """(K,) as many rows as were given, each class as often as every other but for one image, in random order.

    rows: (K,) of the N images that `labels` are of, each once. In an epoch an image of a large class may not come at
    all, and one of a small class several times: its k-th occurrence is numbered `row + k * N`, and has draws of its own
    in augmentation. None of a class comes again before all others of it came. Over epochs each image comes as often as
    torch's `WeightedRandomSampler` would draw it with weights of 1 / images of its class.
    """
    own = labels[rows]
    there, counts = np.unique(own, return_counts=True)
    wanted = np.full(len(there), len(rows) // len(there))
    wanted[random.permutation(len(there))[: len(rows) % len(there)]] += 1
    drawn = []
    for one, count, number in zip(there, counts, wanted, strict=True):
        of_class = rows[own == one]
        for again in range(-(-number // count)):
            left = number - again * count
            drawn.append(random.permutation(of_class)[:left] + again * len(labels))
    return random.permutation(np.concatenate(drawn))
