"""The tests that an experiment may declare: two groups of per-seed scores in, one difference out.

Each works in the metric's own unit (fractions for accuracy). Two-sided p-values; intervals at level 1 - alpha. A test
with `paired` is given the scores of shared seeds in one order; one with `simultaneous` judges all recipes of a
condition at once (`family`) and corrects for their number itself, so that Holm's correction is not for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ablation.analysis import student
from ablation.analysis.dunnett import critical, largest_beyond, loadings
from ablation.core.values import value

MIN_SEEDS = 3  # fewer, and no verdict is given


@dataclass(frozen=True)
class Difference:
    """treatment - baseline: estimate, standard error, degrees of freedom of Student's t.

    sizes: seeds of both groups where their variances may differ, by which p and interval are calibrated (see
    `ablation.analysis.welch`).
    """

    estimate: float
    error: float
    df: float
    sizes: tuple[int, int] | None = None

    @classmethod
    def of(cls, estimate: student.Estimate) -> Difference:
        """Of an estimate without repetitions."""
        return cls(float(estimate.value), float(estimate.error), float(estimate.df), sizes=estimate.sizes)

    def p_value(self) -> float:
        """Two-sided p of no difference. 1 where the scores do not differ at all; nan if they cannot be judged."""
        return float(student.two_sided(self._array()))

    def p_equivalent(self, margin: float) -> float:
        """p of the two one-sided tests that |difference| < margin (Schuirmann 1987): the larger of the two."""
        return float(student.equivalent(self._array(), margin))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval at level 1 - alpha; nan if the scores cannot be judged."""
        reach = float(student.reach(self._array(), alpha))
        return self.estimate - reach, self.estimate + reach

    def _array(self) -> student.Estimate:
        return student.Estimate(np.asarray(self.estimate), np.asarray(self.error), np.asarray(self.df), self.sizes)


@value
class Crossed:
    """Seeds and test photographs both count as drawn: the two-way random-effects model of seeds x images.

    The default (Searle et al. 1992). Paired by seed: runs of one seed share the training part, so that what it does to
    both cancels. The variance of the mean difference has a part of the seeds (with `Redrawn`: of the training
    photographs, too) and a part of the test photographs; where training parts overlap the first grows (see `crossed`).
    For metrics that are means over images, and for macro-F1 and balanced accuracy by the multi-bootstrap; `Paired` for
    other metrics.

    >>> round(Crossed().difference([0.91, 0.93, 0.92], [0.90, 0.91, 0.90], overlap=0).error, 4)  # over seeds alone
    0.0033
    """

    paired: ClassVar[bool] = True
    simultaneous: ClassVar[bool] = False
    new_images: ClassVar[bool] = True

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], overlap: float) -> Difference:
        """The seeds' part alone: treatment, baseline (n,) scores of the same seeds, n >= 2, on the images given."""
        return Difference.of(student.paired_contrast((treatment, baseline), (1, -1), overlap))


@value
class Welch:
    """Welch's t-test (Welch 1947): seeds are independent in both groups, and variances may differ.

    p and interval are calibrated to the ratio of variances at which it is boldest, so that Holm's correction holds with
    few seeds and a baseline that varies little (see `ablation.analysis.welch`).

    >>> round(Welch().difference([0.91, 0.93, 0.92, 0.94], [0.90, 0.91, 0.90, 0.91], overlap=0).p_value(), 4)
    0.0509
    """

    paired: ClassVar[bool] = False
    simultaneous: ClassVar[bool] = False
    new_images: ClassVar[bool] = False

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], overlap: float) -> Difference:
        """treatment (n,), baseline (m,) scores, n, m >= 2; degrees of freedom by Welch and Satterthwaite."""
        return Difference.of(student.contrast((treatment, baseline), (1, -1)))


@value
class Paired:
    """The paired t-test (Student 1908) over the seeds that both have, where runs of one seed have something in common.

    On the test photographs given. With `PerSeed` and `KFold`, which redraw these, use `CorrectedResampled`.

    >>> round(Paired().difference([0.91, 0.93, 0.92, 0.94], [0.90, 0.91, 0.90, 0.91], overlap=0).p_value(), 4)
    0.0163
    """

    paired: ClassVar[bool] = True
    simultaneous: ClassVar[bool] = False
    new_images: ClassVar[bool] = False

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], overlap: float) -> Difference:
        """treatment, baseline (n,) scores of the same seeds, n >= 2; overlap: of redrawn training parts, else 0."""
        return Difference.of(student.paired_contrast((treatment, baseline), (1, -1), overlap))


@value
class CorrectedResampled:
    """The corrected resampled t-test (Nadeau and Bengio 2003, section 3.2), for a split that is redrawn for each seed.

    Paired by seed. The variance of the per-seed differences is scaled by 1 / n + n_test / n_train instead of 1 / n, as
    the training parts of different seeds overlap.

    >>> test = CorrectedResampled()
    >>> round(test.difference([0.91, 0.93, 0.92, 0.94], [0.90, 0.91, 0.90, 0.91], overlap=0.25).p_value(), 4)
    0.0405
    """

    paired: ClassVar[bool] = True
    simultaneous: ClassVar[bool] = False
    new_images: ClassVar[bool] = True

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], overlap: float) -> Difference:
        """treatment, baseline (n,) scores of the same seeds, n >= 2; overlap = n_test / n_train."""
        return Difference.of(student.paired_contrast((treatment, baseline), (1, -1), overlap))


@dataclass(frozen=True)
class Family:
    """All recipes of one condition against its baseline, with one pooled variance (Dunnett 1955).

    differences: as of Student's pooled t, before correction. loadings: of all recipes, first those of `differences`.
    `families`: how many conditions are judged beside each other; each then has alpha / families (Bonferroni), so that
    all of them together keep alpha.
    """

    differences: tuple[Difference, ...]
    loadings: tuple[float, ...]

    def p_adjusted(self, families: int = 1) -> tuple[float, ...]:
        """Of each recipe: the chance that the largest |t| of the family is as large. nan without spread."""
        return tuple(float(np.minimum(1.0, families * self._p(difference))) for difference in self.differences)

    def intervals(self, alpha: float, families: int = 1) -> tuple[tuple[float, float], ...]:
        """Simultaneous at level 1 - alpha: with that confidence all of them hold."""
        intervals = []
        for difference in self.differences:
            steps = critical(alpha / families, self.loadings, difference.df) if difference.error > 0 else np.nan
            reach = steps * difference.error
            intervals.append((difference.estimate - reach, difference.estimate + reach))
        return tuple(intervals)

    def _p(self, difference: Difference) -> float:
        if not difference.estimate:
            return 1.0
        if not difference.error:
            return float("nan")
        return largest_beyond(abs(difference.estimate) / difference.error, self.loadings, difference.df)


@value
class Dunnett:
    """Dunnett's many-to-one test (Dunnett 1955): all recipes share one variance, which is pooled over them.

    More power than Welch's with few seeds, at a price: one recipe that varies more than the others, or a baseline that
    does, and its error rate is not alpha (docs/honesty.md). So it is used only where it is declared.

    >>> family = Dunnett().family([[0.91, 0.93, 0.92, 0.94], [0.90, 0.92, 0.91, 0.90]], [0.90, 0.91, 0.90, 0.91])
    >>> [round(p, 3) for p in family.p_adjusted()]
    [0.033, 0.912]
    """

    paired: ClassVar[bool] = False
    simultaneous: ClassVar[bool] = True
    new_images: ClassVar[bool] = False

    def difference(self, treatment: Sequence[float], baseline: Sequence[float], overlap: float) -> Difference:
        """A family of one: Student's pooled t. treatment (n,), baseline (m,) scores, n, m >= 2."""
        return self.family([treatment], baseline).differences[0]

    def family(
        self, treatments: Sequence[Sequence[float]], baseline: Sequence[float], without_scores: int = 0
    ) -> Family:
        """treatments: for each recipe its (n_i,) scores, baseline (n_0,), all n >= 2; in the order given.

        without_scores: recipes that belong to the family but have no scores (yet). Each counts in the correction as if
        it had as many as the baseline.
        """
        estimate = student.pooled_contrasts([baseline, *treatments])
        sizes = [len(scores) for scores in treatments] + [len(baseline)] * without_scores
        return Family(
            tuple(map(Difference, estimate.value.tolist(), estimate.error.tolist(), estimate.df.tolist())),
            loadings(sizes, len(baseline)),
        )


Test = Crossed | Welch | CorrectedResampled | Paired | Dunnett
"""What an experiment may declare."""
