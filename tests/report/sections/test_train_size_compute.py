"""Does a recipe help only when data are few? From made-up results with several train sizes."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_up import noise, question, results_of
from scipy import stats

from ablation.analysis.comparison import Dunnett, Paired
from ablation.data import TrainSize
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results
from ablation.optim import Adam
from ablation.report.sections.train_size.compute import SizeCurve, size_curves

SIZES = (10, 20, 40, 80)


def asking(levels=SIZES, **changes) -> Experiment:
    return replace(question(), vary={"train_size": {f"s{size}": TrainSize(size) for size in levels}}, **changes)


def images(cell: Cell) -> int:
    return 2 * cell.spec.train_size.per_class


def fading(cell: Cell) -> float:
    """bright gains 0.05 with 20 images, and 0.01 less with each doubling; contrast always loses 0.03."""
    gain = {"bright": 0.05 - 0.01 * math.log2(images(cell) / 20), "contrast": -0.03}
    return 0.6 + 0.04 * math.log2(images(cell)) + gain.get(cell.factors["recipe"], 0.0) + noise(cell, 0.003)


def sized(experiment: Experiment, score: Callable[[Cell], float | str] = fading) -> Results:
    """Results that also say how many images were trained on."""
    results = results_of(experiment, score)
    table = results.frame.assign(train_images=[images(cell) for cell in results.cells])
    return replace(results, frame=table)


def curves(experiment: Experiment, score: Callable[[Cell], float | str] = fading) -> dict[str, SizeCurve]:
    return {curve.recipe: curve for curve in size_curves(Study(sized(experiment, score)))}


def test_a_gain_that_fades_and_a_loss_that_stays():
    result = curves(asking())
    assert list(result) == ["bright", "contrast"]
    bright, contrast = result.values()
    assert (bright.levels, bright.images) == (("s10", "s20", "s40", "s80"), (20, 40, 80, 160))
    assert bright.response.linear.estimate == pytest.approx(-0.01, abs=0.003)
    assert bright.response.measured.value == pytest.approx([0.05, 0.04, 0.03, 0.02], abs=0.006)
    assert (bright.p_slope < 0.05, contrast.p_slope < 0.05) == (True, False)
    assert {(curve.seeds, curve.planned, curve.over, curve.note) for curve in result.values()} == {(5, 5, 2, "")}


def test_the_slope_is_over_doublings_of_per_seed_differences():
    results = sized(asking())
    bright = size_curves(Study(results))[0]
    by = results.finished.pivot_table(index="seed", columns=["recipe", "train_size"], values="accuracy", aggfunc="mean")
    apart = (by["bright"] - by["none"])[["s10", "s20", "s40", "s80"]].to_numpy()
    np.testing.assert_allclose(bright.differences, apart)
    slopes = [np.polyfit(np.log2([20, 40, 80, 160]), row, 1)[0] for row in apart]
    scipys = stats.ttest_1samp(slopes, 0.0)
    assert bright.response.linear.interval(0.05) == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-6)
    assert bright.p_slope == pytest.approx(2 * scipys.pvalue, rel=1e-6), "Holm's correction over two recipes"


@pytest.mark.parametrize("test", [None, Paired(), Dunnett()])
def test_at_one_size_a_recipe_is_judged_by_the_comparison_there(test):
    study = Study(sized(asking(optimizers={"adam": Adam()}, test=test)))
    there = {(effect.recipe, effect.condition.get("train_size")): effect for effect in study.effects}
    for curve in size_curves(study):
        for tested, level in zip(curve.ends, ("s10", "s80"), strict=True):
            effect = there[curve.recipe, level]
            assert tested.difference.estimate == effect.estimate
            assert (tested.low, tested.high, tested.p_adjusted) == (effect.low, effect.high, effect.p_adjusted)


def test_several_conditions_together_at_one_size_are_no_comparison():
    assert {curve.ends for curve in curves(asking()).values()} == {(None, None)}


def test_sizes_stand_in_the_order_of_their_images():
    result = curves(asking((80, 10, 40, 20)))
    assert result["bright"].levels == ("s10", "s20", "s40", "s80")


def test_a_seed_counts_where_both_recipes_finished_at_all_sizes():
    def score(cell: Cell) -> float | str:
        lost = cell.factors["recipe"] == "none" and cell.seed == 2 and images(cell) == 40
        return "failed" if lost and cell.factors["optimizer"] == "sgd" else fading(cell)

    result = curves(asking(), score)
    assert {(curve.seeds, curve.planned) for curve in result.values()} == {(4, 5)}


def test_only_conditions_that_are_there_with_every_size_are_pooled():
    rules = ({"recipe": "bright", "optimizer": "sgd", "train_size": "s80"},)
    bright = curves(asking(exclude=rules))["bright"]
    assert (bright.over, len(bright.levels)) == (1, 4)
    rules += ({"recipe": "bright", "optimizer": "adam", "train_size": "s80"},)
    shorter = curves(asking(exclude=rules))["bright"]
    assert (shorter.over, shorter.levels) == (2, ("s10", "s20", "s40"))


def test_recipes_without_two_sizes_beside_the_baseline_are_left_out():
    rules = tuple({"recipe": "bright", "train_size": f"s{size}"} for size in SIZES[1:])
    assert list(curves(asking(exclude=rules))) == ["contrast"]
    adam = [{"recipe": "bright", "optimizer": "adam", "train_size": f"s{size}"} for size in SIZES[1:]]
    crossed = [{"recipe": "bright", "optimizer": "sgd", "train_size": "s10"}, *adam]
    assert list(curves(asking(exclude=tuple(crossed)))) == ["contrast"], "no optimizer has it with two sizes"


def test_where_the_train_size_does_not_vary_nothing_is_asked():
    assert size_curves(Study(results_of(question()))) == ()
    assert size_curves(Study(sized(asking((10,))))) == ()


def test_what_cannot_be_claimed_says_why():
    assert curves(asking(seeds=2))["bright"].note == "no claim under 3 seeds"
    nothing = curves(asking(), lambda cell: "planned")["bright"]
    assert (nothing.response, nothing.seeds, nothing.note) == (None, 0, "too few finished seeds")
    lost = curves(asking(), lambda c: "diverged" if (c.factors["recipe"], c.seed) == ("bright", 0) else fading(c))
    assert lost["bright"].note == "8 failed or diverged here: no claim on those that are left"
    assert lost["contrast"].note == ""
    still = curves(asking(), lambda cell: 0.8 - 0.125 * (images(cell) == 20) * bool(cell.spec.recipe))
    assert still["bright"].note == "no spread over seeds: the test cannot judge"
    results = sized(asking())
    alike = replace(results, frame=results.frame.assign(train_images=60))
    assert {curve.note for curve in size_curves(Study(alike))} == {"two sizes have the same number of images"}
