"""The declared tests against scipy, a published example and worked arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablation.analysis.comparison import CorrectedResampled, Difference, Dunnett, Paired, Welch
from ablation.analysis.multiplicity import holm
from ablation.analysis.welch import calibrated, level

RNG = np.random.default_rng(20240)
GROUPS = [
    (RNG.normal(0.80, 0.02, 5), RNG.normal(0.78, 0.05, 5)),
    (RNG.normal(0.5, 0.1, 3), RNG.normal(0.6, 0.01, 7)),
    (RNG.normal(0, 1, 40), RNG.normal(0, 3, 2)),
]


@pytest.mark.parametrize(("treatment", "baseline"), GROUPS)
def test_welch_is_scipys_calibrated(treatment, baseline):
    ours = Welch().difference(treatment, baseline, overlap=0.5)  # the share does not matter to it
    scipys = stats.ttest_ind(treatment, baseline, equal_var=False)
    sizes = len(treatment), len(baseline)
    assert ours.p_value() == pytest.approx(float(calibrated(scipys.pvalue, *sizes)), rel=1e-9)
    assert ours.df == pytest.approx(scipys.df, rel=1e-9)
    assert ours.estimate / ours.error == pytest.approx(scipys.statistic, rel=1e-9)
    for alpha in (0.05, 0.2):
        ends = tuple(scipys.confidence_interval(1 - level(alpha, *sizes)))
        assert ours.interval(alpha) == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize("margin", [0.01, 0.05, 2.0])
@pytest.mark.parametrize(("treatment", "baseline"), GROUPS)
def test_equivalence_is_scipys_two_one_sided_tests_calibrated(treatment, baseline, margin):
    ours = Welch().difference(treatment, baseline, 0).p_equivalent(margin)
    above = stats.ttest_ind(treatment + margin, baseline, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(treatment - margin, baseline, equal_var=False, alternative="less").pvalue
    larger = max(above, below)
    halved = float(calibrated(2 * larger, len(treatment), len(baseline))) / 2 if larger < 0.5 else larger
    assert ours == pytest.approx(halved, rel=1e-9)


@pytest.mark.parametrize("seeds", [2, 5, 30])
def test_corrected_resampled_without_overlap_is_scipys_paired_test(seeds):
    treatment, baseline = RNG.normal(0.8, 0.02, seeds), RNG.normal(0.78, 0.02, seeds)
    ours = CorrectedResampled().difference(treatment, baseline, overlap=0.0)
    scipys = stats.ttest_rel(treatment, baseline)
    assert ours.p_value() == pytest.approx(scipys.pvalue, rel=1e-9)
    assert ours.interval(0.05) == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-9)


def test_corrected_resampled_gives_the_numbers_of_scikit_learns_example():
    """scikit-learn's plot_grid_search_stats (1.5): ten times ten folds of 100 moons, RBF against linear kernel.

    It prints "Corrected t-value: 0.750, Corrected p-value: 0.227" (one-sided).
    """
    from sklearn.datasets import make_moons
    from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
    from sklearn.svm import SVC

    features, labels = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    kernels = [{"kernel": ["linear"]}, {"kernel": ["rbf"]}]
    search = GridSearchCV(SVC(random_state=0), kernels, scoring="roc_auc", cv=folds)
    search.fit(features, labels)
    linear, rbf = (
        np.array([search.cv_results_[f"split{fold}_test_score"][place] for fold in range(100)]) for place in (0, 1)
    )
    ours = CorrectedResampled().difference(rbf, linear, overlap=10 / 90)
    assert ours.estimate / ours.error == pytest.approx(0.750, abs=5e-4)
    assert ours.p_value() / 2 == pytest.approx(0.227, abs=5e-4)


def test_corrected_resampled_widens_the_error_by_the_papers_factor():
    """Nadeau and Bengio 2003: the variance is (1/J + n2/n1) s^2 in place of s^2/J."""
    treatment, baseline = RNG.normal(0.8, 0.02, 10), RNG.normal(0.78, 0.02, 10)
    plain, corrected = (CorrectedResampled().difference(treatment, baseline, share) for share in (0.0, 0.5))
    assert corrected.error / plain.error == pytest.approx(math.sqrt((1 / 10 + 0.5) / (1 / 10)))
    assert (corrected.estimate, corrected.df) == (plain.estimate, plain.df) == (plain.estimate, 9)


def test_which_tests_pair_seeds():
    assert [test().paired for test in (Welch, Dunnett, Paired, CorrectedResampled)] == [False, False, True, True]


@pytest.mark.parametrize("test", [Welch(), Paired(), CorrectedResampled(), Dunnett()])
@pytest.mark.parametrize(("high", "low"), [(0.9, 0.8), (0.7, 0.1)])
def test_scores_without_spread_cannot_be_judged(test, high, low):
    """0.7 and 0.1 do not average to themselves in binary: what is left must not pass for spread."""
    difference = test.difference([high] * 3, [low] * 3, 0.3)
    assert difference.estimate == pytest.approx(high - low)
    assert math.isnan(difference.p_value())
    assert math.isnan(difference.p_equivalent(0.01))
    assert all(map(math.isnan, difference.interval(0.05)))


def test_differences_that_are_equal_but_for_rounding_have_no_spread():
    difference = CorrectedResampled().difference([0.3, 0.8, 0.9], [0.2, 0.7, 0.8], 0.3)
    assert math.isnan(difference.p_value())


@pytest.mark.parametrize("test", [Welch(), Paired(), CorrectedResampled(), Dunnett()])
def test_equal_scores_have_p_one(test):
    difference = test.difference([0.7, 0.8, 0.9], [0.7, 0.8, 0.9], 0.3)
    assert (difference.estimate, difference.p_value()) == (0.0, 1.0)
    assert test.difference([0.7] * 3, [0.7] * 3, 0.3).p_value() == 1.0


def test_one_group_without_spread_is_still_judged():
    treatment, baseline = np.array([1.0, 1.0, 1.0]), np.array([0.7, 0.8, 0.9])
    scipys = stats.ttest_1samp(baseline, 1.0).pvalue  # Welch's test with a known mean
    assert Welch().difference(treatment, baseline, 0).p_value() == pytest.approx(calibrated(scipys, 3, 3), rel=1e-9)


def test_the_tests_p_is_that_of_students_t():
    assert Difference(2.0, 1.0, 10).p_value() == pytest.approx(0.0733880, abs=1e-6)  # a table of t
    assert Difference(-2.228, 1.0, 10).p_value() == pytest.approx(0.05, abs=5e-5)


def test_holm_worked_by_hand():
    """Sorted, 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 are 0.02, 0.03, 0.06, 0.04; the last is raised to 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]).tolist() == pytest.approx([0.8, 0.9])
    assert holm([0.6, 0.9]).tolist() == pytest.approx([1.0, 1.0])
    assert holm([]).tolist() == []


def test_what_cannot_be_computed_stays_so_but_counts_in_the_family():
    first, second, third = holm([0.01, math.nan, 0.02]).tolist()
    assert (first, third) == pytest.approx((0.03, 0.04))
    assert math.isnan(second)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_holm_is_monotone_bounded_and_knows_no_order(p_values, shuffle):
    adjusted = holm(p_values).tolist()
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert [q for _, q in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)
    order = list(range(len(p_values)))
    shuffle.shuffle(order)
    assert holm([p_values[place] for place in order]).tolist() == [adjusted[place] for place in order]
    rejected = [p for p, q in zip(p_values, adjusted, strict=True) if q < 0.05]
    assert len(rejected) >= sum(p < 0.05 / len(p_values) for p in p_values)  # never below Bonferroni's power


@pytest.mark.parametrize("seeds", [2, 5, 30])
def test_paired_is_scipys_related_t(seeds):
    treatment, baseline = RNG.normal(0.8, 0.02, seeds), RNG.normal(0.78, 0.02, seeds)
    ours, scipys = Paired().difference(treatment, baseline, overlap=0.0), stats.ttest_rel(treatment, baseline)
    assert ours.p_value() == pytest.approx(scipys.pvalue, rel=1e-9)
    assert ours.interval(0.05) == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-9)


def test_pairing_finds_what_seeds_in_common_hide():
    luck = np.array([0.70, 0.75, 0.80, 0.85])  # an easy or a hard split
    treatment, baseline = luck + np.array([0.012, 0.009, 0.011, 0.010]), luck
    assert Paired().difference(treatment, baseline, 0).p_value() < 0.001
    assert Welch().difference(treatment, baseline, 0).p_value() > 0.5


def test_a_recipe_that_scores_more_has_a_positive_difference():
    """Whatever the test: the sign is treatment minus baseline, and the interval is on that side."""
    for test in (Welch(), Paired(), CorrectedResampled(), Dunnett()):
        difference = test.difference([0.90, 0.91, 0.92], [0.80, 0.82, 0.81], 0.0)
        assert difference.estimate == pytest.approx(0.1)
        assert 0 < difference.interval(0.05)[0] < 0.1 < difference.interval(0.05)[1]


def test_which_tests_correct_for_the_number_of_recipes_themselves():
    assert [test().simultaneous for test in (Welch, Paired, CorrectedResampled, Dunnett)] == [False] * 3 + [True]
