"""The calibration of Welch's p against numerical integration by scipy, simulated scores, and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ablation.analysis.welch import calibrated, how_often, level
from ablation.core.seeds import stream

SIZES = [(3, 3), (3, 5), (5, 5), (10, 4), (10, 10)]


def integrated(p: float, ratio: float, n: int, m: int) -> float:
    """P(Welch's p <= p) from its definition: an integral over the F-distributed ratio of both sample variances.

    Given that ratio, (n - 1) s_1^2 / sigma_1^2 + (m - 1) s_2^2 / sigma_2^2 is chi-square with n + m - 2 degrees of
    freedom, so the difference of means over its root is Student's t, times a constant.
    """
    one, other = ratio / (1 + ratio), 1 / (1 + ratio)

    def given_log_f(log_f: float) -> float:
        f = math.exp(log_f)
        unit = (n + m - 2) / ((n - 1) * f + m - 1)  # of s_2^2, where the pooled mean square is 1
        first, second = one * f * unit, other * unit
        df = (first + second) ** 2 / (first**2 / (n - 1) + second**2 / (m - 1))
        steps = stats.t.isf(p / 2, df) * math.sqrt(first + second)
        return 2 * stats.t.sf(steps, n + m - 2) * stats.f.pdf(f, n - 1, m - 1) * f

    pieces = [integrate.quad(given_log_f, low, low + 2, epsabs=0, epsrel=1e-7)[0] for low in range(-40, 40, 2)]
    return math.fsum(pieces)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (3, 5), (10, 4)])
@pytest.mark.parametrize(("p", "ratio"), [(0.05, 1.0), (0.05 / 12, 30.0), (1e-5, 0.01), (1e-11, 2000.0)])
def test_how_often_a_p_comes_is_scipys_integral(n, m, p, ratio):
    assert how_often(p, ratio, n, m) == pytest.approx(integrated(p, ratio, n, m), rel=3e-4)


@pytest.mark.parametrize(("n", "m", "sd"), [(3, 3, 6.0), (3, 5, 4.0), (5, 5, 0.2)])
def test_how_often_a_p_comes_is_what_simulated_scores_show(n, m, sd):
    random, draws = stream(91, "welch", n, m), 400_000
    groups = random.normal(0, sd, (draws, n)), random.normal(0, 1, (draws, m))
    p_values = stats.ttest_ind(*groups, axis=1, equal_var=False).pvalue
    for p in (0.05, 0.05 / 12, 0.001):
        expected = how_often(p, sd**2 / n * m, n, m)
        assert (p_values <= p).mean() == pytest.approx(expected, abs=4 * math.sqrt(expected / draws))


@pytest.mark.parametrize(("n", "m"), [*SIZES, (2, 2)])
def test_calibrated_is_the_worst_of_many_ratios(n, m):
    p = np.array([1e-11, 1e-8, 1e-5, 1e-3, 0.05 / 12, 0.01, 0.05, 0.2, 0.7])
    worst = np.maximum(how_often(p, np.exp(np.arange(-35, 35, 0.05))[:, None], n, m).max(axis=0), p)
    np.testing.assert_allclose(calibrated(p, n, m), worst, rtol=2e-3)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_below_the_table_calibrated_is_too_large_not_too_small(n, m):
    p = np.array([1e-13, 1e-16, 1e-20, 1e-30])
    worst = how_often(p, np.exp(np.arange(-40, 40, 0.1))[:, None], n, m).max(axis=0)
    found = calibrated(p, n, m)
    assert (found >= worst).all()
    assert (np.diff([*found[::-1], float(calibrated(1e-12, n, m))]) >= 0).all()
    assert 0 < calibrated(0.0, n, m) < 1e-15


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_calibrated_is_never_more_than_with_the_smaller_arms_degrees_of_freedom(n, m):
    """Banerjee (1960): that is never too bold, even where t had all n + m - 2."""
    p = np.geomspace(1e-12, 1, 30)
    banerjee = 2 * stats.t.sf(stats.t.isf(p / 2, n + m - 2), min(n, m) - 1)
    assert (calibrated(p, n, m) <= banerjee * 1.001).all()


def test_what_calibration_costs():
    """With three seeds a p of .001 was claimed that comes with .0037; with fifty there is nothing left to mend."""
    assert calibrated(0.001, 3, 3) == pytest.approx(0.00367, abs=1e-5)
    assert level(0.05, 3, 3) == pytest.approx(0.0409, abs=1e-4)
    np.testing.assert_allclose(calibrated([0.05, 0.001], 50, 50), [0.05, 0.001], rtol=0.02)


p_values, seeds = st.floats(0, 1), st.sampled_from([2, 3, 5, 8])


@settings(deadline=None)
@given(p_values, p_values, seeds, seeds)
def test_calibrated_rises_with_p_and_knows_no_sides(p, other, n, m):
    low, high = calibrated(sorted((p, other)), n, m)
    assert p <= calibrated(p, n, m) <= 1
    assert low <= high
    assert calibrated(p, n, m) == calibrated(p, m, n)


@settings(deadline=None)
@given(st.floats(1e-9, 1), p_values, seeds, seeds)
def test_the_level_is_where_p_is_calibrated_to_alpha(alpha, p, n, m):
    at = level(alpha, n, m)
    assert at <= alpha
    assert calibrated(at, n, m) == pytest.approx(alpha, rel=1e-6) or calibrated(1e-12, n, m) > alpha
    if abs(p - at) > 1e-9 * at:
        assert (calibrated(p, n, m) < alpha) == (p < at)


def test_arrays_keep_their_shape_and_what_is_not_known():
    found = calibrated([[0.1, math.nan], [1.0, 0.0]], 3, 4)
    assert found.shape == (2, 2)
    assert np.isnan(found).tolist() == [[False, True], [False, False]]
    assert found[1].tolist() == [1.0, calibrated(1e-150, 3, 4)]
