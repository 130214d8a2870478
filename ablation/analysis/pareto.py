"""The Pareto front: what nothing else beats in both of two measures. Arrays in, arrays out; knows no experiments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, gain: ArrayLike) -> NDArray[np.bool_]:
    """Which of n points are on the front. cost (n,): less is better; gain (n,): more is better; nan is on no front.

    A point is off the front where another costs no more, gains no less, and differs from it in one of the two.

    >>> pareto_front([1.0, 2.0, 2.0, 3.0], [0.7, 0.9, 0.8, 0.9]).tolist()
    [True, True, False, False]
    """
    costs, gains = np.asarray(cost, float), np.asarray(gain, float)
    as_good = (costs[:, None] <= costs) & (gains[:, None] >= gains)
    better = as_good & ((costs[:, None] < costs) | (gains[:, None] > gains))
    front: NDArray[np.bool_] = ~better.any(axis=0) & np.isfinite(costs) & np.isfinite(gains)
    return front
