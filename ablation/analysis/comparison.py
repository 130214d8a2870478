"""The tests that an experiment may declare: two groups of per-seed scores in, one difference out.

Each works in the metric's own unit (fractions for accuracy). Two-sided p-values; intervals at level 1 - alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ablation.values import value

MIN_SEEDS = 3  # fewer, and no verdict is given

_ROUNDING = 1e-12  # 0.1 three times averages to 0.10000000000000002


@dataclass(frozen=True)
class Difference:
    """treatment - baseline: estimate, standard error, degrees of freedom of Student's t."""

    estimate: float
    error: float
    df: float

    def p_value(self) -> float:
        """Two-sided p of no difference. 1 where the scores do not differ at all; nan if they cannot be judged."""
        return self._tail(abs(self.estimate), 2) if self.estimate else 1.0

    def p_equivalent(self, margin: float) -> float:
        """p of the two one-sided tests that |difference| < margin (Schuirmann 1987): the larger of the two."""
        return max(self._tail(margin + self.estimate, 1), self._tail(margin - self.estimate, 1))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval at level 1 - alpha."""
        from scipy.stats import t

        reach = float(t.ppf(1 - alpha / 2, self.df)) * self.error if self.error > 0 else math.nan
        return self.estimate - reach, self.estimate + reach

    def _tail(self, distance: float, sides: int) -> float:
        """P(T > distance / error), times `sides`; nan with a zero standard error, which no test can use."""
        from scipy.stats import t

        return sides * float(t.sf(distance / self.error, self.df)) if self.error > 0 else math.nan


@value
class Welch:
    """Welch's t-test (Welch 1947): seeds are independent in both groups, variances may differ."""

    paired: ClassVar[bool] = False

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], test_share: float) -> Difference:
        """treatment (n,), baseline (m,) scores, n, m >= 2; degrees of freedom by Welch and Satterthwaite."""
        parts = [_variance(scores) / len(scores) for scores in (treatment, baseline)]
        spread = sum(part**2 / (len(scores) - 1) for part, scores in zip(parts, (treatment, baseline), strict=True))
        df = sum(parts) ** 2 / spread if spread > 0 else math.nan
        return Difference(float(np.mean(treatment) - np.mean(baseline)), math.sqrt(sum(parts)), float(df))


@value
class CorrectedResampled:
    """The corrected resampled t-test (Nadeau and Bengio 2003, section 3.2), for a split that is redrawn for each seed.

    Paired by seed. The variance of the per-seed differences is scaled by 1 / n + n_test / n_train instead of 1 / n, as
    the training parts of different seeds overlap.
    """

    paired: ClassVar[bool] = True

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], test_share: float) -> Difference:
        """treatment, baseline (n,) scores of the same seeds, n >= 2; test_share = n_test / n_train."""
        paired = np.subtract(treatment, baseline)
        error = math.sqrt((1 / len(paired) + test_share) * _variance(paired))
        return Difference(float(paired.mean()), error, len(paired) - 1)


Test = Welch | CorrectedResampled


def _variance(scores: ArrayLike) -> float:
    """Of a sample; 0 where its scores differ by rounding only, which would pass for a tiny error and certain proof."""
    return float(np.var(np.asarray(scores, float), ddof=1)) if np.ptp(scores) > _ROUNDING else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given; nan stays nan but counts in the family."""
    adjusted, highest = [math.nan] * len(p_values), 0.0
    ranked = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    for rank, (p, place) in enumerate(ranked):
        highest = max(highest, min(1.0, p * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted
