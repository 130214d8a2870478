"""Hedges' g and the chance to be better: scipy's noncentral t, the formulas of the papers, and simulated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablation.analysis.comparison import Welch
from ablation.analysis.effect_size import hedges_g, p_better, small_sample
from ablation.analysis.welch import level
from ablation.core.seeds import stream


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
    tail = level(0.05, 8, 8) / 2
    for end, quantile in ((found.low, 1 - tail), (found.high, tail)):
        assert stats.nct.cdf(t.statistic, t.df, end * math.sqrt(8 / 2)) == pytest.approx(quantile, abs=1e-4)


def test_the_interval_excludes_zero_just_where_welch_is_significant():
    random = stream(61, "agree")
    for _ in range(200):
        treatment, baseline = random.normal(1, 1, 4), random.normal(0, 2, 5)
        found = hedges_g(treatment, baseline)
        significant = Welch().difference(treatment, baseline, 0.0).p_value() < 0.05
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


def exact(wins: int, seeds: int, alpha: float = 0.05):
    return stats.binomtest(wins, seeds).proportion_ci(1 - alpha, method="exact")


def test_p_better_counts_half_of_the_ties():
    assert p_better(wins=3, ties=2, seeds=6).estimate == pytest.approx((3 + 2 / 2) / 6)


@pytest.mark.parametrize("most", [10, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_ends_are_clopper_and_pearsons(alpha, most):
    """The lower end counts no tie as a win, the upper end counts each as one (scipy's exact interval)."""
    for seeds in (1, 2, 3, 5, most):
        for wins in range(seeds + 1):
            for ties in range(seeds - wins + 1):
                found = p_better(wins, ties, seeds, alpha)
                ends = exact(wins, seeds, alpha).low, exact(wins + ties, seeds, alpha).high
                assert (found.low, found.high) == pytest.approx(ends, abs=1e-12)
                assert found.low <= found.estimate <= found.high


def test_winning_in_every_seed_still_leaves_an_interval():
    three, ten = p_better(3, 0, 3), p_better(10, 0, 10)
    assert (three.estimate, three.high) == (1.0, 1.0)
    assert three.low == pytest.approx(0.025 ** (1 / 3)), "three seeds prove little"
    assert ten.low == pytest.approx(0.025 ** (1 / 10))


@pytest.mark.parametrize("counts", [(-1, 0, 3), (0, -1, 3), (2, 2, 3), (1, 0, 0)])
def test_more_seeds_won_than_trained_are_refused(counts):
    with pytest.raises(ValueError, match="of the seeds of both groups"):
        p_better(*counts)


def test_without_a_shared_seed_there_is_no_chance():
    assert all(map(math.isnan, vars(p_better(0, 0, 0)).values()))


def pairs_of_normals(shift: float, sd: float):
    """Scores with unequal noise: (recipe, baseline) of a seed, and the chance of the recipe to be above."""
    truth = stats.norm.cdf(shift / math.sqrt(1 + sd**2))
    return truth, lambda random, seeds: (random.normal(shift, 1, seeds), random.normal(0, sd, seeds))


def pairs_of_counts(photographs: int, first: float, second: float):
    """Accuracies over few photographs, so many ties; the truth by summing over all pairs of counts."""
    ones, others = (stats.binom.pmf(range(photographs + 1), photographs, rate) for rate in (first, second))
    joint = np.outer(ones, others)
    truth = np.tril(joint, -1).sum() + np.trace(joint) / 2
    return truth, lambda random, seeds: (
        random.binomial(photographs, first, seeds),
        random.binomial(photographs, second, seeds),
    )


SCORES = {
    "equal noise": pairs_of_normals(0.0, 1.0),
    "a clear gain": pairs_of_normals(1.5, 1.0),
    "a noisy recipe against a quiet baseline": pairs_of_normals(0.3, 0.05),
    "a noisy recipe against a constant baseline": pairs_of_normals(1.0, 0.0),
    "a quiet recipe against a noisy baseline": pairs_of_normals(0.3, 8.0),
    "many ties": pairs_of_counts(6, 0.8, 0.7),
    "almost only ties": pairs_of_counts(4, 0.98, 0.95),
}


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("name", SCORES)
def test_p_better_covers_whatever_the_scores(name, seeds):
    truth, draw = SCORES[name]
    random, inside = stream(61, "chance", seeds, name), 0
    for _ in range(2000):
        recipe, baseline = draw(random, seeds)
        found = p_better(int((recipe > baseline).sum()), int((recipe == baseline).sum()), seeds)
        inside += found.low <= truth <= found.high
    assert inside / 2000 > 0.94


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_exchanging_the_arms_mirrors_the_chance(wins, ties, losses):
    seeds = wins + ties + losses
    chance, mirrored = p_better(wins, ties, seeds), p_better(losses, ties, seeds)
    assert (chance.estimate, chance.low, chance.high) == pytest.approx(
        (1 - mirrored.estimate, 1 - mirrored.high, 1 - mirrored.low), abs=1e-9, nan_ok=True
    )


def test_neither_unit_nor_order_changes_g():
    random = stream(61, "unit")
    treatment, baseline = random.normal(1, 1, 6), random.normal(0, 1, 6)
    found, again = hedges_g(treatment, baseline), hedges_g(100 * treatment[::-1], 100 * baseline[::-1])
    assert (again.estimate, again.low, again.high) == pytest.approx((found.estimate, found.low, found.high), rel=1e-6)
    opposite = hedges_g(baseline, treatment)
    assert (opposite.estimate, opposite.low) == pytest.approx((-found.estimate, -found.high), rel=1e-6)


def test_scores_without_spread_have_no_size():
    assert all(map(math.isnan, vars(hedges_g([0.9] * 3, [0.8] * 3)).values()))


@pytest.mark.parametrize("baseline", [[0.8, 0.8], [0.8, 0.8000001], [0.8, 0.801]])
def test_where_one_degree_of_freedom_tells_the_unit_there_is_no_effect_size(baseline):
    """Hedges' correction is 0 there, which is outside its own interval."""
    assert math.isnan(hedges_g([0.9, 0.91], baseline).estimate)
    assert math.isnan(hedges_g([0.9, 0.91], baseline).low)


@settings(deadline=None)  # the first interval of each pair of sizes takes longer
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 1000), st.floats(0.01, 100))
def test_an_effect_size_lies_in_its_interval(n, m, seed, ratio):
    random = stream(61, "inside", seed)
    found = hedges_g(random.normal(3, 1, n), random.normal(0, ratio, m))
    assert math.isnan(found.estimate) or found.low <= found.estimate <= found.high
