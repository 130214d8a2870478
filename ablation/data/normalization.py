"""Normalisation: what is subtracted from pixels and what they are divided by, before a network sees them.

By default the data set's own mean and standard deviation, over its training photographs; a network that begins with
weights from ImageNet has seen ImageNet's. Pixels are in [0, 1] here, a number a channel in the order red, green, blue.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from ablation.core.values import Range, value
from ablation.data.cache import Dataset, mean_std


@value
class Normalization:
    """(pixel - mean) / std of each channel, in units of [0, 1]."""

    mean: Annotated[tuple[float, float, float], Range(low=0, high=1)]
    std: Annotated[tuple[float, float, float], Range(above=0)]


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""ImageNet's, as torchvision's published weights were trained with: `torchvision.transforms._presets`."""

NormalizationChoice = Literal["data", "imagenet"] | Normalization
"""The data set's own, ImageNet's, or a given one."""

FLOOR = 1 / 255
"""The least standard deviation of the data's own: a channel that never changes has nothing to divide by."""


def moments(
    choice: NormalizationChoice, data: Dataset, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation to use, (3,) and (3,); "data" measures them on `rows`, the training photographs."""
    if choice == "data":
        mean, std = mean_std(data, rows)
        return mean, np.maximum(std, FLOOR)
    given = IMAGENET if choice == "imagenet" else choice
    assert isinstance(given, Normalization)
    return np.array(given.mean), np.array(given.std)
