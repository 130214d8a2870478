"""Confusion matrices, and an order of the classes in which those that are taken for each other stand together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion_counts(labels: Ints, guesses: Ints, classes: int) -> Ints:
    """(C, C) how many of the images of each class, a row, are taken for each class, a column. labels, guesses (T,)."""
    return np.bincount(labels * classes + guesses, minlength=classes * classes).reshape(classes, classes)


def row_shares(counts: NDArray[np.int64] | Floats) -> Floats:
    """Counts (C, C) as shares of each row; nan in the row of a class without an image."""
    sums = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(counts, sums, out=np.full(counts.shape, np.nan), where=sums > 0)
    return shares


def confused_order(shares: Floats) -> Ints:
    """(C,) the classes of a confusion matrix (C, C) in an order that sets those that are confused side by side.

    Hierarchical clustering by average linkage, where two classes are the nearer the larger the mean of the two shares
    in which one is taken for the other, and the leaves ordered so that neighbours are as near as the tree allows
    (Bar-Joseph, Gifford and Jaakkola 2001). As they were where no class is taken for another. nan counts as 0.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    known = np.nan_to_num(shares)
    above = np.triu_indices(len(known), 1)
    alike = ((known + known.T) / 2)[above]
    if len(known) < 3 or not alike.any():
        return np.arange(len(known))
    apart = alike.max() - alike
    order: Ints = leaves_list(optimal_leaf_ordering(linkage(apart, "average"), apart)).astype(np.int64)
    return order if order[0] < order[-1] else order[::-1]
