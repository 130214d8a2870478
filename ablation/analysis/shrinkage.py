"""What the best of several would show when repeated: estimates shrunk for having been picked. Arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import Floats

FAR = 20.0
"""A variance of more than so many times the median has no part in what is estimated of the others."""


def shrunk(estimates: ArrayLike, errors: ArrayLike) -> Floats:
    """Empirical-Bayes estimates of k true differences. estimates, errors (k,): in one unit; k >= 2, no nan.

    The largest of several estimates is as a rule too large, since chance had a hand in making it the largest. With true
    differences of variance tau^2 about 0 and the mean error variance v, an estimate keeps tau^2 / (tau^2 + v) of
    itself; tau^2 is estimated by mean(estimate^2) - v, at least 0 (Efron and Morris 1973, "Stein's estimation rule and
    its competitors").

    >>> shrunk([3.0, 1.0], [1.0, 1.0]).round(6).tolist()
    [2.4, 0.8]
    """
    observed, noise = np.asarray(estimates, float), np.square(errors)
    known = noise <= FAR * np.median(noise)
    error = float(noise[known].mean())
    true = max(0.0, float(np.square(observed[known]).mean()) - error)
    return observed * (true / (true + error) if true > 0 else 0.0)
