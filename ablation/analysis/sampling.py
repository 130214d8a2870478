"""Fewer images where all would be too many: a subset in which every class keeps its share. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_subset(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Ascending indices of at most `most` of the images, each class in its share to within one. labels (N,).

    All of them where there are no more. Within a class the picks are evenly spaced in the given order.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * most / len(labels)
    quota = np.floor(exact).astype(int)
    quota[np.argsort(quota - exact, kind="stable")[: most - quota.sum()]] += 1
    picks = []
    for name, count, size in zip(classes, counts, quota, strict=True):
        picks.append(np.flatnonzero(labels == name)[np.arange(size) * count // max(size, 1)])
    return np.sort(np.concatenate(picks))
