"""Dose-response against numpy's polynomials, scipy's t and simulated curves."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.analysis.dose import dose_response
from ablation.core.seeds import stream

DOSES = [0.0, 0.1, 0.2, 0.4, 0.8]


def runs(curve, seeds: int = 5, sd: float = 0.005, luck: float = 0.02, name: str = "runs", doses=DOSES) -> np.ndarray:
    """(seeds, doses): a curve, a luck that a seed has at all doses, and noise."""
    random = stream(51, name, seeds)
    return (
        np.array([curve(dose) for dose in doses])
        + random.normal(0, luck, (seeds, 1))
        + random.normal(0, sd, (seeds, len(doses)))
    )


def hump(dose: float) -> float:
    return 0.7 + 0.4 * dose - 0.5 * dose**2  # highest at 0.4


def test_the_curve_is_the_least_squares_quadratic_of_the_means():
    scores = runs(hump)
    found = dose_response(DOSES, scores)
    expected = np.polyval(np.polyfit(DOSES, scores.mean(axis=0), 2), found.curve.doses)
    np.testing.assert_allclose(found.curve.value, expected, rtol=1e-9)
    assert (found.curve.doses[0], found.curve.doses[-1]) == (0.0, 0.8)


def test_the_band_is_students_t_of_each_seeds_own_curve():
    scores = runs(hump)
    found = dose_response(DOSES, scores)
    own = [np.polyval(np.polyfit(DOSES, row, 2), found.curve.doses) for row in scores]
    scipys = stats.ttest_1samp(own, 0.0, axis=0).confidence_interval(0.95)
    np.testing.assert_allclose(found.curve.low, scipys.low, rtol=1e-7)
    np.testing.assert_allclose(found.curve.high, scipys.high, rtol=1e-7)
    measured = stats.ttest_1samp(scores, 0.0, axis=0)
    np.testing.assert_allclose(found.measured.low, measured.confidence_interval(0.95).low, rtol=1e-7)
    np.testing.assert_allclose(found.measured.high_all, measured.confidence_interval(0.99).high, rtol=1e-7)


def test_a_luck_that_seeds_share_is_in_the_band_but_not_in_the_trend():
    calm, lucky = (dose_response(DOSES, runs(hump, luck=luck)) for luck in (0.0, 0.2))
    assert (lucky.curve.high - lucky.curve.low).min() > 5 * (calm.curve.high - calm.curve.low).max()
    assert lucky.curvature.p_value() == pytest.approx(calm.curvature.p_value(), rel=1e-3)


def test_trends_are_contrasts_of_orthogonal_polynomials():
    """At even steps they are the textbook's (-2, -1, 0, 1, 2) and (2, -1, -2, -1, 2)."""
    scores = runs(hump, doses=[1, 2, 3, 4, 5])
    found = dose_response([1, 2, 3, 4, 5], scores)
    for contrast, weights in ((found.linear, [-2, -1, 0, 1, 2]), (found.curvature, [2, -1, -2, -1, 2])):
        scipys = stats.ttest_1samp(scores @ np.array(weights), 0.0)
        assert contrast.p_value() == pytest.approx(scipys.pvalue, rel=1e-7)
        assert contrast.estimate * scipys.statistic > 0


def test_the_slope_is_that_of_each_seeds_straight_line():
    scores = runs(hump)
    slope = dose_response(DOSES, scores).linear
    scipys = stats.ttest_1samp([np.polyfit(DOSES, row, 1)[0] for row in scores], 0.0)
    assert slope.interval(0.05) == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-7)
    per_tenth = dose_response(np.array(DOSES) * 10, scores).linear
    assert per_tenth.estimate == pytest.approx(slope.estimate / 10)


def test_a_hump_has_its_peak_inside_and_a_slope_has_none():
    found = dose_response(DOSES, runs(hump, seeds=8, sd=0.002))
    assert found.curvature.p_value() < 0.001
    assert found.curvature.estimate < 0
    assert found.peak == pytest.approx(0.4, abs=0.03)
    assert found.peak_low <= found.peak <= found.peak_high
    rising = dose_response(DOSES, runs(lambda dose: 0.7 + 0.1 * dose))
    assert rising.linear.estimate > 0
    assert rising.peak is None
    valley = dose_response(DOSES, runs(lambda dose: 0.7 - 0.4 * dose + 0.5 * dose**2))
    assert valley.peak is None


def test_the_peak_is_held_by_its_interval():
    inside = 0
    for repeat in range(400):
        found = dose_response(DOSES, runs(hump, seeds=4, sd=0.01, name=f"peak {repeat}"))
        inside += found.peak is not None and found.peak_low <= 0.4 <= found.peak_high
    assert inside / 400 > 0.92


def test_the_ends_of_the_peak_are_where_the_slope_is_just_significant():
    scores = runs(hump, seeds=6, sd=0.01)
    found = dose_response(DOSES, scores)
    assert 0 < found.peak_low < found.peak < found.peak_high < 0.8
    for end in (found.peak_low, found.peak_high):
        slopes = [np.polyval(np.polyder(np.polyfit(DOSES, row, 2)), end) for row in scores]
        assert stats.ttest_1samp(slopes, 0.0).pvalue == pytest.approx(0.05, abs=1e-6)
    vague = dose_response(DOSES, runs(hump, seeds=2, sd=0.05, name="vague"))
    assert (vague.peak_low, vague.peak_high) == (0.0, 0.8)


def test_what_a_quadratic_cannot_follow_is_noticed():
    cliff = dose_response(DOSES, runs(lambda dose: 0.7 + 0.1 * (dose > 0.3), seeds=6))
    assert cliff.lack_of_fit < 0.01
    fits = [dose_response(DOSES, runs(hump, name=f"fit {repeat}")).lack_of_fit < 0.05 for repeat in range(300)]
    assert np.mean(fits) < 0.09


def test_the_band_holds_the_true_curve_with_few_seeds():
    """Three seeds with a shared luck: pointwise 95 %, and all measured doses at once in at least as many."""
    truth, once, at_all = np.array([hump(dose) for dose in DOSES]), 0.0, 0
    for repeat in range(600):
        band = dose_response(DOSES, runs(hump, seeds=3, name=f"band {repeat}")).measured
        once += ((band.low <= truth) & (truth <= band.high)).mean()
        at_all += ((band.low_all <= truth) & (truth <= band.high_all)).all()
    assert once / 600 == pytest.approx(0.95, abs=0.02)
    assert at_all / 600 > 0.93


def test_does_it_help_only_when_data_are_few():
    """Differences of two arms over log2 of the train size: a gain that fades has a falling trend."""
    sizes = [6, 7, 8, 9, 10]
    gains = runs(lambda size: 0.05 - 0.01 * (size - 6), doses=sizes)
    found = dose_response(sizes, gains)
    assert found.linear.estimate < 0
    assert found.linear.p_value() < 0.01
    assert found.measured.value[0] == pytest.approx(0.05, abs=0.03)


def test_missing_runs_order_and_unit():
    scores = runs(hump, seeds=6)
    found = dose_response(DOSES, scores)
    gap = np.vstack([scores, scores[0]])
    gap[-1, 2] = math.nan
    partial = dose_response(DOSES, gap)
    assert (partial.seeds, partial.left_out) == (6, 1)
    np.testing.assert_array_equal(partial.curve.value, found.curve.value)
    mixed = dose_response(DOSES[::-1], 100 * scores[::-1, ::-1])
    np.testing.assert_allclose(mixed.curve.high, 100 * found.curve.high, rtol=1e-9)
    assert mixed.linear.p_value() == pytest.approx(found.linear.p_value(), rel=1e-6)


def test_two_and_three_doses():
    two, three = dose_response([0, 1], runs(hump)[:, :2]), dose_response(DOSES[:3], runs(hump)[:, :3])
    assert two.curvature is None
    assert two.peak is None
    assert math.isnan(two.lack_of_fit)
    assert math.isnan(three.lack_of_fit)
    np.testing.assert_allclose(three.curve.value[[0, -1]], three.measured.value[[0, -1]])


def test_redrawn_splits_widen_the_band():
    plain, redrawn = (dose_response(DOSES, runs(hump), overlap=share) for share in (0.0, 0.25))
    ratio = (redrawn.curve.high - redrawn.curve.value) / (plain.curve.high - plain.curve.value)
    np.testing.assert_allclose(ratio, math.sqrt((1 / 5 + 0.25) * 5))


@pytest.mark.parametrize(
    ("doses", "scores", "told"),
    [
        ([0, 0.1], np.ones((3, 3)), r"\(3, 3\)"),
        ([0.1, 0.1], np.ones((3, 2)), "different, finite doses"),
        ([0, 1], [[1, math.nan], [1, 2]], "1 of 2"),
    ],
)
def test_what_is_no_curve_is_refused(doses, scores, told):
    with pytest.raises(ValueError, match=told):
        dose_response(doses, scores)
