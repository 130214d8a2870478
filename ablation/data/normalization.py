"""Normalisation: what is subtracted from pixels and what they are divided by, before a network sees them.

By default the data set's own mean and standard deviation, over its training photographs; a network that begins with
weights from ImageNet was trained on ImageNet's. Pixels are in [0, 1] here, a number a channel in the order red, green,
blue.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ablation.core.values import Range, value
from ablation.data.cache import Dataset


@value
class Normalization:
    """(pixel - mean) / std of each channel, in units of [0, 1].

    >>> Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    """

    mean: Annotated[tuple[float, float, float], Range(low=0, high=1)]
    std: Annotated[tuple[float, float, float], Range(above=0)]


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""ImageNet's, as torchvision's published weights were trained with: `torchvision.transforms._presets`."""

NormalizationChoice = Literal["data", "imagenet"] | Normalization
"""The data set's own, ImageNet's, or a given one."""

FLOOR = 1 / 255
"""The least standard deviation of the data's own: a channel that never changes has nothing to divide by."""


Moments = tuple[NDArray[np.float64], NDArray[np.float64]]

_MEASURED: WeakKeyDictionary[Dataset, dict[bytes, Moments]] = WeakKeyDictionary()
"""What this process has measured, by the digest of the rows: to measure a training part reads all of its images, and
runs that share a seed share the part."""


def moments(choice: NormalizationChoice, data: Dataset, rows: NDArray[np.int64]) -> Moments:
    """Return mean and standard deviation, (3,) and (3,); "data" measures them on `rows`, the training photographs.

    Each set of rows is measured once in a process, as long as `data` lives.
    """
    if choice == "data":
        measured, key = _MEASURED.setdefault(data, {}), hashlib.blake2b(rows.tobytes()).digest()
        if key not in measured:
            measured[key] = mean_std(data, rows)
        mean, std = measured[key]
        return mean.copy(), np.maximum(std, FLOOR)
    given = IMAGENET if choice == "imagenet" else choice
    assert isinstance(given, Normalization)
    return np.array(given.mean), np.array(given.std)


def mean_std(dataset: Dataset, rows: NDArray[np.int64]) -> Moments:
    """Return mean and population standard deviation of each channel, (3,) and (3,) in [0, 1], over some rows.

    The sums are of integers, hence exact: the order in which they are taken does not change a bit.
    """
    if len(rows) == 0:
        raise ValueError("mean_std needs at least one row")
    total, squares = np.zeros(3, np.uint64), np.zeros(3, np.uint64)
    for row in np.sort(rows):
        pixels = dataset.images[row].reshape(3, -1)
        total += pixels.sum(axis=1, dtype=np.uint64)
        squares += np.square(pixels, dtype=np.uint16).sum(axis=1, dtype=np.uint64)  # 255^2 fits in 16 bits
    count = len(rows) * dataset.size**2
    mean = [int(s) / count / 255 for s in total]
    variance = [(count * int(q) - int(s) ** 2) / count**2 for s, q in zip(total, squares, strict=True)]
    return np.array(mean), np.sqrt(variance) / 255
