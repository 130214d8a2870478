"""Holm's correction by statsmodels, for tests to compare with."""

from unittest.mock import patch

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.multitest import multipletests


def holms(p: ArrayLike) -> np.ndarray:
    """The adjusted p-values. statsmodels collects garbage at each call: half a second with all that tests load."""
    with patch("gc.collect"):
        return multipletests(p, method="holm")[1]
