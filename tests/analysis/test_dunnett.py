"""Dunnett's test against scipy's, against the multivariate t, and against Dunnett's published table."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.analysis.comparison import Dunnett
from ablation.analysis.dunnett import critical, largest_beyond, loadings
from ablation.core.seeds import stream

RANDOM = stream(1, "arms")
BASELINE = RANDOM.normal(0.80, 0.02, 7).tolist()
ARMS = [RANDOM.normal(0.80 + 0.015 * place, 0.02, size).tolist() for place, size in enumerate((5, 4, 6, 3))]


def test_dunnett_is_scipys_to_the_accuracy_of_its_random_points():
    ours = Dunnett().family(ARMS, BASELINE)
    scipys = stats.dunnett(*ARMS, control=BASELINE, rng=stream(0, "scipy"))
    assert ours.p_adjusted() == pytest.approx(tuple(scipys.pvalue), abs=5e-4)
    interval = scipys.confidence_interval(0.95)
    found = ours.intervals(0.05)
    assert [low for low, _ in found] == pytest.approx(interval.low.tolist(), abs=1e-4)
    assert [high for _, high in found] == pytest.approx(interval.high.tolist(), abs=1e-4)


@pytest.mark.parametrize(("arms", "df", "published"), [(2, 10, 2.57), (4, 10, 2.89), (9, 20, 2.95), (3, 60, 2.41)])
def test_critical_values_are_those_of_dunnetts_table(arms, df, published):
    """Dunnett (1964), table of two-sided comparisons, joint confidence 95 %, equal groups."""
    assert critical(0.05, loadings([5] * arms, 5), float(df)) == pytest.approx(published, abs=0.011)


def test_one_arm_is_students_pooled_t():
    scipys = stats.ttest_ind(ARMS[3], BASELINE)
    family = Dunnett().family([ARMS[3]], BASELINE)
    assert family.p_adjusted() == pytest.approx((scipys.pvalue,), rel=1e-9)
    assert family.intervals(0.05)[0] == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-9)
    assert Dunnett().difference(ARMS[3], BASELINE, 0.5).p_value() == pytest.approx(scipys.pvalue, rel=1e-9)


def test_p_and_interval_agree():
    """A recipe's interval at level 1 - p ends at 0."""
    family = Dunnett().family(ARMS, BASELINE)
    for place, p in enumerate(family.p_adjusted()):
        assert min(abs(end) for end in family.intervals(p)[place]) < 1e-6


def test_correction_lies_between_none_and_bonferronis():
    family = Dunnett().family(ARMS, BASELINE)
    for difference, p in zip(family.differences, family.p_adjusted(), strict=True):
        assert difference.p_value() < p < min(1.0, 4 * difference.p_value()) or p > 0.9


def test_several_conditions_share_alpha():
    family = Dunnett().family(ARMS, BASELINE)
    assert family.p_adjusted(families=3) == pytest.approx(tuple(min(1.0, 3 * p) for p in family.p_adjusted()))
    assert family.intervals(0.05, families=5) == family.intervals(0.01)


def test_the_multivariate_t_by_simulation():
    loading = loadings([3, 8, 5], 4)
    random, draws = stream(2, "multivariate t"), 400_000
    common, spread = random.standard_normal(draws), np.sqrt(random.chisquare(6, draws) / 6)
    largest = np.max(
        [np.abs(l * common + math.sqrt(1 - l**2) * random.standard_normal(draws)) / spread for l in loading],  # noqa: E741
        axis=0,
    )
    for t in (1.0, 2.5, 4.0):
        assert largest_beyond(t, loading, 6.0) == pytest.approx((largest > t).mean(), abs=0.003)


def test_scores_without_spread_cannot_be_judged():
    family = Dunnett().family([[0.9] * 3, [0.7] * 3], [0.7] * 3)
    assert math.isnan(family.p_adjusted()[0])
    assert family.p_adjusted()[1] == 1.0
    assert all(math.isnan(end) for ends in family.intervals(0.05) for end in ends)
