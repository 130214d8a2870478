"""The array arithmetic under all tests: scipy row by row, and contrasts by hand and by simulation."""

import math

import numpy as np
import pytest
from holms import holms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablation.analysis import student, welch
from ablation.analysis.comparison import Paired, Welch
from ablation.analysis.multiplicity import holm
from ablation.core.seeds import stream

GRIDS = stream(5, "grids").normal(0.8, 0.02, (40, 3, 6))


def test_welch_on_arrays_is_scipys_row_by_row_calibrated():
    found = student.contrast((GRIDS[:, 0], GRIDS[:, 1, :4]), (1, -1))
    assert found.sizes == (6, 4)
    scipys = stats.ttest_ind(GRIDS[:, 0], GRIDS[:, 1, :4], axis=1, equal_var=False)
    np.testing.assert_allclose(student.two_sided(found), welch.calibrated(scipys.pvalue, 6, 4), rtol=1e-9)
    interval = scipys.confidence_interval(1 - welch.level(0.1, 6, 4))
    np.testing.assert_allclose(found.value - student.reach(found, 0.1), interval.low, rtol=1e-9)
    np.testing.assert_allclose(found.value + student.reach(found, 0.1), interval.high, rtol=1e-9)
    np.testing.assert_allclose(student.two_sided(found._replace(sizes=None)), scipys.pvalue, rtol=1e-9)


def test_an_interval_excludes_zero_just_where_p_is_below_alpha():
    groups = stream(5, "agree").normal(0.0, 1.0, (2, 5000, 4)) * np.array([1.0, 6.0])[:, None, None]
    found = student.contrast(groups, (1, -1))
    for alpha in (0.05, 0.05 / 12):
        significant = student.two_sided(found) < alpha
        assert significant.any()
        assert (significant == (np.abs(found.value) > student.reach(found, alpha))).all()


def test_two_one_sided_tests_are_calibrated_as_one_tail_of_two():
    """A value of 0 is as far from either margin as a value of the margin is from 0: half of the two-sided p."""
    found = student.contrast((GRIDS[:, 0], GRIDS[:, 1, :4]), (1, -1))
    none, margin = (found._replace(value=np.full(len(GRIDS), value)) for value in (0.0, 0.02))
    np.testing.assert_allclose(student.equivalent(none, 0.02), student.two_sided(margin) / 2)
    beyond = student.equivalent(margin, 0.01)
    assert (beyond > 0.5).all(), "outside of the margin nothing speaks for equivalence"


def test_pairing_on_arrays_is_scipys_row_by_row():
    found = student.paired_contrast((GRIDS[:, 0], GRIDS[:, 1]), (1, -1))
    np.testing.assert_allclose(
        student.two_sided(found), stats.ttest_rel(GRIDS[:, 0], GRIDS[:, 1], axis=1).pvalue, rtol=1e-9
    )


def test_one_row_of_an_array_is_what_the_declared_test_finds():
    """The simulations of tests/honesty drive the arrays, the product the tests: they are one."""
    welch, paired = (make((GRIDS[:, 0], GRIDS[:, 2]), (1, -1)) for make in (student.contrast, student.paired_contrast))
    for row, (treatment, _, baseline) in enumerate(GRIDS):
        for test, found in ((Welch(), welch), (Paired(), paired)):
            one = test.difference(treatment.tolist(), baseline.tolist(), 0.0)
            assert (one.estimate, one.error, one.df) == (found.value[row], found.error[row], found.df[row])
            assert one.p_value() == student.two_sided(found)[row]
            assert one.p_equivalent(0.01) == student.equivalent(found, 0.01)[row]


def test_a_contrast_worked_by_hand():
    """2 x mean - mean - mean: v = 4 x 1/3, 1/2 x 2, 1 x 1/4; the smallest group has two scores, so 1 df."""
    groups = [[1.0, 2.0, 3.0], [0.0, 2.0], [1.0, 2.0, 2.0, 3.0]]
    variances = [4 * 1 / 3, 2 / 2, (2 / 3) / 4]
    found = student.contrast(groups, (2, -1, -1))
    assert found.value == pytest.approx(2 * 2 - 1 - 2)
    assert found.error == pytest.approx(math.sqrt(sum(variances)))
    assert (found.df, found.sizes) == (1, None)
    two = student.contrast(groups, (2, 0, -1))
    assert two.df == pytest.approx((variances[0] + variances[2]) ** 2 / (variances[0] ** 2 / 2 + variances[2] ** 2 / 3))
    assert two.sizes == (3, 4), "a group of weight 0 does not count"


def test_a_contrast_of_many_groups_is_never_too_bold():
    """Whichever group varies more than the others: Banerjee (1960). Satterthwaite's degrees of freedom are too many."""
    random, bold = stream(5, "many"), []
    for sd in (0.1, 1.0, 3.0, 10.0, 30.0):
        groups = [random.normal(0, sd if group == 0 else 1, (100_000, 3)) for group in range(6)]
        found = student.contrast(groups, (5, -1, -1, -1, -1, -1))
        parts = [weight**2 * student.variance(group) / 3 for weight, group in zip((5, *[1] * 5), groups, strict=True)]
        assert (student.two_sided(found) < 0.005).mean() < 0.0057
        bold.append((student.two_sided(found._replace(df=student.satterthwaite(parts, [2] * 6))) < 0.005).mean())
    assert max(bold) > 0.01


def test_a_paired_contrast_is_a_t_test_of_the_combined_scores():
    first, second, third = GRIDS[0]
    found = student.paired_contrast((first, second, third), (0.5, 0.5, -1))
    scipys = stats.ttest_1samp(first / 2 + second / 2 - third, 0.0)
    assert student.two_sided(found) == pytest.approx(scipys.pvalue, rel=1e-9)


def test_variance_is_the_samples_not_the_populations():
    """With ddof = 0 every p of this package would be too small."""
    assert student.variance([1.0, 2.0, 3.0]) == 1.0
    np.testing.assert_allclose(student.variance(GRIDS), GRIDS.var(axis=-1, ddof=1))


def test_rounding_is_no_spread_whatever_the_unit():
    for unit in (1e-6, 1.0, 100.0, 1e9):
        tenths = np.array([0.1 + 0.2, 0.3, 0.3]) * unit
        assert np.ptp(tenths) > 0
        assert student.variance(tenths) == 0
        assert student.variance(np.array([0.3, 0.3001, 0.3]) * unit) > 0


def test_pooling_is_an_analysis_of_variance():
    groups = [GRIDS[0, 0], GRIDS[0, 1, :4], GRIDS[0, 2, :3]]
    found = student.pooled_contrasts(groups)
    pooled = sum(((group - group.mean()) ** 2).sum() for group in groups) / (6 + 4 + 3 - 3)
    np.testing.assert_allclose(found.error**2, pooled * np.array([1 / 4 + 1 / 6, 1 / 3 + 1 / 6]))
    np.testing.assert_allclose(found.value, [groups[1].mean() - groups[0].mean(), groups[2].mean() - groups[0].mean()])
    assert found.df.tolist() == [10, 10]


@pytest.mark.parametrize("rows", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_holm_of_each_row_is_statsmodels(rows):
    for row in stream(6, "p").random((rows, 5)) ** 3:
        np.testing.assert_allclose(holm(row[None])[0], holms(row), rtol=1e-12)


scores = st.lists(st.floats(0.5, 1.0), min_size=3, max_size=8)


@settings(deadline=None)  # the first p of each pair of sizes takes longer
@given(scores, scores, st.randoms(use_true_random=False))
def test_neither_unit_nor_order_nor_side_changes_p(treatment, baseline, shuffle):
    """Points or fractions, rows in any order, recipe and baseline exchanged: the same p, and interval in its unit."""
    found = student.contrast((treatment, baseline), (1, -1))
    p = student.two_sided(found)
    hundred = student.contrast((np.multiply(treatment, 100), np.multiply(baseline, 100)), (1, -1))
    other_way = student.contrast((baseline, treatment), (1, -1))
    mixed = [shuffle.sample(group, len(group)) for group in (treatment, baseline)]
    for again in (hundred, other_way, student.contrast(mixed, (1, -1))):
        np.testing.assert_allclose(student.two_sided(again), p, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(student.reach(hundred, 0.05), 100 * student.reach(found, 0.05), rtol=1e-6)
    assert other_way.value == -found.value


@given(scores, st.randoms(use_true_random=False))
def test_pairs_may_come_in_any_order_but_belong_together(treatment, shuffle):
    baseline = [score**2 for score in treatment]
    order = shuffle.sample(range(len(treatment)), len(treatment))
    found = student.paired_contrast((treatment, baseline), (1, -1))
    again = student.paired_contrast(([treatment[i] for i in order], [baseline[i] for i in order]), (1, -1))
    np.testing.assert_allclose(student.two_sided(again), student.two_sided(found), rtol=1e-6, atol=1e-9)
