"""Hedges' g and the chance to be better: scipy's noncentral t, the formulas of the papers, and simulated coverage."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablation.analysis.effect_size import hedges_g, p_better, small_sample
from ablation.seeds import stream


def test_hedges_correction_is_the_published_constant():
    """Hedges (1981), table 1: c(2) = 0.5642, c(10) = 0.9228, c(50) = 0.9849."""
    assert [small_sample(df) for df in (2, 10, 50)] == pytest.approx([0.5642, 0.9228, 0.9849], abs=6e-5)


def test_equal_groups_give_the_classical_g():
    random = stream(61, "groups")
    treatment, baseline = random.normal(1, 1, 8), random.normal(0, 1, 8)
    pooled = math.sqrt((treatment.var(ddof=1) + baseline.var(ddof=1)) / 2)
    found = hedges_g(treatment, baseline)
    t = stats.ttest_ind(treatment, baseline, equal_var=False)
    assert found.estimate == pytest.approx((treatment.mean() - baseline.mean()) / pooled * small_sample(t.df))
    for end, quantile in ((found.low, 0.975), (found.high, 0.025)):
        assert stats.nct.cdf(t.statistic, t.df, end * math.sqrt(8 / 2)) == pytest.approx(quantile, abs=1e-4)


def test_the_interval_excludes_zero_just_where_welch_is_significant():
    random = stream(61, "agree")
    for _ in range(200):
        treatment, baseline = random.normal(1, 1, 4), random.normal(0, 2, 5)
        found = hedges_g(treatment, baseline)
        significant = stats.ttest_ind(treatment, baseline, equal_var=False).pvalue < 0.05
        assert significant == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(("seeds", "sd"), [(3, 1.0), (5, 1.0), (10, 1.0), (10, 3.0)])
def test_hedges_interval_covers(seeds, sd):
    truth = 1.5 / math.sqrt((1 + sd**2) / 2)
    random, inside, estimates = stream(61, "coverage", seeds), 0, []
    for _ in range(800):
        found = hedges_g(random.normal(1.5, 1, seeds), random.normal(0, sd, seeds))
        inside += found.low <= truth <= found.high
        estimates.append(found.estimate)
    assert inside / 800 > 0.93
    if sd == 1 and seeds > 3:
        assert np.mean(estimates) == pytest.approx(truth, abs=0.08), "the correction takes the bias out"


def test_p_better_counts_pairs_and_half_of_ties():
    """Of the six pairs of (3, 5, 5) and (1, 5) three are won outright and two are ties."""
    assert p_better([3, 5, 5], [1, 5]).estimate == pytest.approx((3 + 2 / 2) / 6)


def test_p_better_is_mann_whitneys_u_over_the_pairs():
    random = stream(61, "pairs")
    treatment, baseline = random.integers(0, 6, 9), random.integers(0, 6, 7)
    assert p_better(treatment, baseline).estimate == pytest.approx(
        stats.mannwhitneyu(treatment, baseline).statistic / 63
    )


def hanley_mcneil(theta: float, n: int, m: int) -> float:
    """The variance of A under two exponentials (Hanley and McNeil 1982), with their own formula."""
    one, two = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    return (theta * (1 - theta) + (n - 1) * (one - theta**2) + (m - 1) * (two - theta**2)) / (n * m)


@pytest.mark.parametrize(("n", "m", "shift"), [(3, 3, 0.0), (3, 3, 1.0), (5, 5, 2.0), (10, 4, 0.5), (10, 10, 9.0)])
def test_the_ends_are_t_standard_errors_away(n, m, shift):
    random = stream(61, "ends", n)
    found = p_better(random.normal(shift, 1, n), random.normal(0, 1, m))
    middle, steps = (n + m) / 2, stats.t.ppf(0.975, n + m - 2)
    for end in (found.low, found.high):
        if 0 < end < 1:
            variance = hanley_mcneil(end, middle, middle) * middle**2 / (n * m)
            assert abs(found.estimate - end) == pytest.approx(steps * math.sqrt(variance), rel=1e-6)


def test_winning_every_pair_still_leaves_an_interval():
    three, ten = (p_better(np.arange(n) + 100.0, np.arange(n)) for n in (3, 10))
    assert (three.estimate, three.high) == (1.0, 1.0)
    assert 0.2 < three.low < 0.5, "three seeds against three prove little"
    assert 0.7 < ten.low < 1
    lost = p_better(np.arange(3), np.arange(3) + 100.0)
    assert (lost.estimate, lost.low, lost.high) == pytest.approx((0.0, 0.0, 1 - three.low))


@pytest.mark.parametrize(("seeds", "shift", "sd"), list(product((3, 5, 10), (0.0, 1.5), (1.0, 3.0))))
def test_p_better_covers(seeds, shift, sd):
    truth = stats.norm.cdf(shift / math.sqrt(1 + sd**2))
    random, inside = stream(61, "chance", seeds), 0
    for _ in range(1500):
        found = p_better(random.normal(shift, 1, seeds), random.normal(0, sd, seeds))
        inside += found.low <= truth <= found.high
    assert inside / 1500 > 0.93


scores = st.lists(st.floats(0, 1), min_size=2, max_size=6)


@given(scores, scores)
def test_exchanging_the_arms_mirrors_both(treatment, baseline):
    chance, mirrored = p_better(treatment, baseline), p_better(baseline, treatment)
    assert (chance.estimate, chance.low, chance.high) == pytest.approx(
        (1 - mirrored.estimate, 1 - mirrored.high, 1 - mirrored.low), abs=1e-6
    )
    assert 0 <= chance.low <= chance.estimate <= chance.high <= 1
    hundred = p_better(np.multiply(treatment, 128), np.multiply(baseline, 128))
    assert hundred == chance


def test_neither_unit_nor_order_changes_g():
    random = stream(61, "unit")
    treatment, baseline = random.normal(1, 1, 6), random.normal(0, 1, 6)
    found, again = hedges_g(treatment, baseline), hedges_g(100 * treatment[::-1], 100 * baseline[::-1])
    assert (again.estimate, again.low, again.high) == pytest.approx((found.estimate, found.low, found.high), rel=1e-6)
    opposite = hedges_g(baseline, treatment)
    assert (opposite.estimate, opposite.low) == pytest.approx((-found.estimate, -found.high), rel=1e-6)


def test_scores_without_spread_have_no_size():
    assert all(map(math.isnan, vars(hedges_g([0.9] * 3, [0.8] * 3)).values()))
    assert p_better([0.9] * 3, [0.9] * 3).estimate == 0.5
    with pytest.raises(ValueError, match="2 seeds in each arm"):
        p_better([0.9], [0.8, 0.7])


@pytest.mark.parametrize("baseline", [[0.8, 0.8], [0.8, 0.8000001], [0.8, 0.801]])
def test_where_one_degree_of_freedom_tells_the_unit_there_is_no_effect_size(baseline):
    """Hedges' correction is 0 there, which is outside its own interval."""
    assert math.isnan(hedges_g([0.9, 0.91], baseline).estimate)
    assert math.isnan(hedges_g([0.9, 0.91], baseline).low)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 1000), st.floats(0.01, 100))
def test_an_effect_size_lies_in_its_interval(n, m, seed, ratio):
    random = stream(61, "inside", seed)
    found = hedges_g(random.normal(3, 1, n), random.normal(0, ratio, m))
    assert math.isnan(found.estimate) or found.low <= found.estimate <= found.high
