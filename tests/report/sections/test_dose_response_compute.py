"""Dose curves from made-up results: one row a seed, where the best dose is, and which way is good."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from holms import holms
from made_up import noise, question, results_of
from scipy import stats

from ablation.analysis.comparison import CorrectedResampled, Paired, Welch
from ablation.augment import Brightness, Contrast
from ablation.data import Fixed, PerSeed
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam
from ablation.report.sections.dose_response.compute import Doses, doses

AMOUNTS = (0.1, 0.2, 0.4, 0.6)


def asking(**changes) -> Experiment:
    recipes = {"none": (), **{f"b{amount}": (Brightness(amount),) for amount in AMOUNTS}}
    return replace(question(), recipes=recipes, **changes)


def amount(cell: Cell) -> float:
    return cell.spec.recipe[0].brightness if cell.spec.recipe else 0.0


def hump(cell: Cell) -> float:
    """Highest at 0.3."""
    return 0.8 + 0.6 * amount(cell) - amount(cell) ** 2 + noise(cell, 0.003)


def hump_or_not(cell: Cell) -> float:
    return hump(cell) if cell.factors["recipe"].startswith("b") else 0.8 + noise(cell, 0.003)


def found_in(experiment: Experiment, score: Callable[[Cell], float | str] = hump) -> Doses:
    (result,) = doses(Study(results_of(experiment, score)))
    return result


def test_a_series_has_a_curve_under_each_condition_then_pooled():
    result = found_in(asking())
    assert result.series.doses == (0, *AMOUNTS)
    assert [curve.condition for curve in result.curves] == [{"optimizer": "adam"}, {"optimizer": "sgd"}, {}]
    assert {(curve.seeds, curve.planned, curve.note) for curve in result.curves} == {(5, 5, "")}
    for curve in result.curves:
        assert curve.response.peak == pytest.approx(0.3, abs=0.03)
        assert curve.response.peak_low < 0.3 < curve.response.peak_high
    assert result.deciding.pooled


def test_scores_are_a_row_a_seed_and_a_column_a_dose():
    results = results_of(asking(), hump)
    (result,) = doses(Study(results))
    by = results.finished.pivot_table(index="seed", columns="recipe", values="accuracy", aggfunc="mean")
    np.testing.assert_allclose(result.deciding.scores, by[["none", *(f"b{amount}" for amount in AMOUNTS)]].to_numpy())
    np.testing.assert_allclose(result.deciding.response.measured.value, np.mean(result.deciding.scores, axis=0))


def test_everything_that_is_asked_of_any_curve_is_one_family():
    """Two series, of five doses and of three, which leave nothing for a misfit; under two conditions and pooled."""
    recipes = dict(asking().recipes) | {f"c{amount}": (Contrast(amount),) for amount in (0.2, 0.4)}
    result = doses(Study(results_of(replace(question(), recipes=recipes), hump_or_not)))
    assert [len(one.series.doses) for one in result] == [5, 3]
    raw, adjusted = [], []
    for one in result:
        for curve in one.curves:
            response = curve.response
            raw += [response.linear.p_value(), response.curvature.p_value()]
            adjusted += [curve.p_slope, curve.p_bend]
            if len(one.series.doses) > 3:
                raw.append(response.lack_of_fit)
                adjusted.append(curve.p_misfit)
            else:
                assert math.isnan(curve.p_misfit)
    assert len(raw) == 3 * 3 + 3 * 2
    assert adjusted == pytest.approx(holms(raw))


def test_curves_without_scores_count_in_the_family():
    result = found_in(asking(), lambda cell: "failed" if cell.factors["optimizer"] == "sgd" else hump(cell))
    adam = result.curves[0]
    least = min(adam.response.linear.p_value(), adam.response.curvature.p_value(), adam.response.lack_of_fit)
    assert min(adam.p_slope, adam.p_bend, adam.p_misfit) == pytest.approx(9 * least)


def test_the_slope_is_judged_over_each_seeds_own():
    curve = found_in(asking()).deciding
    own = [np.polyfit((0, *AMOUNTS), row, 1)[0] for row in curve.scores]
    assert curve.response.linear.p_value() == pytest.approx(stats.ttest_1samp(own, 0).pvalue, rel=1e-6)


def test_of_a_loss_the_best_dose_is_the_lowest_point():
    result = found_in(asking(metric="log_loss"), lambda cell: 1.6 - hump(cell)).deciding
    assert result.response.peak == pytest.approx(0.3, abs=0.03)
    assert result.response.curvature.estimate > 0
    assert result.response.measured.value[0] == pytest.approx(0.8, abs=0.01)


def test_a_curve_that_bends_up_turns_at_its_lowest_point():
    """Whichever way the metric goes: the worst of an accuracy, the best of a loss."""
    for metric in ("accuracy", "log_loss"):
        response = found_in(asking(metric=metric), lambda cell: 1.6 - hump(cell)).deciding.response
        assert response.peak == pytest.approx(0.3, abs=0.03)
        assert response.peak_low < 0.3 < response.peak_high


def test_a_seed_counts_where_it_finished_at_all_doses():
    lost = {("b0.2", 1), ("none", 4)}
    result = found_in(
        asking(optimizers={"adam": Adam()}),
        lambda cell: "failed" if (cell.factors["recipe"], cell.seed) in lost else hump(cell),
    )
    assert (result.deciding.seeds, result.deciding.planned, len(result.deciding.scores)) == (3, 5, 3)


def test_what_cannot_be_claimed_says_why():
    assert found_in(asking(seeds=2)).deciding.note == "no claim under 3 seeds"
    nothing = found_in(asking(), lambda cell: "planned").deciding
    assert (nothing.response, nothing.note, math.isnan(nothing.p_bend)) == (None, "too few finished seeds", True)
    lost = found_in(asking(), lambda cell: "diverged" if amount(cell) == 0.6 and cell.seed == 0 else hump(cell))
    assert lost.deciding.note == "2 failed or diverged here: no claim on those that are left"
    still = found_in(asking(), lambda cell: 0.8 + amount(cell) ** 2).deciding
    assert still.note == "no spread over seeds: the test cannot judge"


@pytest.mark.parametrize(
    ("test", "split", "share"),
    [(Welch(), Fixed(), 0.0), (Paired(), Fixed(), 0.0), (CorrectedResampled(), PerSeed(), 40 / 60)],
)
def test_a_redrawn_split_widens_the_band_and_other_tests_do_not(test, split, share):
    curve = found_in(asking(optimizers={"adam": Adam()}, split=split, test=test)).deciding
    scores = np.array(curve.scores)
    half = stats.t.ppf(0.975, 4) * scores.std(axis=0, ddof=1) * math.sqrt(1 / 5 + share)
    np.testing.assert_allclose(curve.response.measured.high - curve.response.measured.value, half)


def test_without_a_series_or_a_condition_that_has_it_whole_there_is_none():
    assert doses(Study(results_of(question()))) == ()
    rules = ({"recipe": "b0.1", "optimizer": "adam"}, {"recipe": "b0.6", "optimizer": "sgd"})
    assert doses(Study(results_of(asking(exclude=rules), hump))) == ()
    (result,) = doses(Study(results_of(asking(exclude=rules[:1]), hump)))
    assert [curve.condition for curve in result.curves] == [{"optimizer": "sgd"}]
