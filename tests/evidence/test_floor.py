"""What a design can find at best, before any run: held to simulated answers, to the test itself, and to real runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import question
from scipy.stats import binom, chi2
from scipy.stats import t as student

from ablation import Digits, Fixed, Given, KFold, Paired, PerSeed, Redrawn
from ablation.analysis.crossed import crossed
from ablation.analysis.power import sd_at_most, sd_interval
from ablation.core.seeds import stream
from ablation.data import listing
from ablation.evidence.power import (
    ALIKE_BY_PHOTOGRAPH,
    ALIKE_BY_SEED,
    FEW_DF,
    UNKNOWN,
    Sizes,
    Spread,
    differing,
    floor_of,
    images_tested,
    overlap_planned,
    planned_power,
)
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results
from ablation.training.sweep import sweep

BETWEEN_TWO = replace(
    question(),
    recipes={"none": (), "bright": question().recipes["bright"]},
    optimizers={"adam": question().optimizers["adam"]},
)
"""A recipe against the baseline under one optimizer: nothing is corrected for."""


def best(experiment: Experiment, images: int, overlap: float = 0.0, **named) -> float:
    """What it finds at best with so many test images."""
    cells = experiment.cells("0" * 16)
    sizes = {cell.condition: Sizes((images, images), overlap) for cell in cells}
    return planned_power(experiment, cells, sizes, UNKNOWN, UNKNOWN, **named)[0].at_best


def answers(name: str, score: float, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Right (1) and wrong (0) of the baseline, and of a recipe that is no better.

    Both are alike by `ALIKE_BY_SEED`: with that chance the recipe answers as the baseline does, else by itself. shape:
    (repetitions, seeds, images).
    """
    draws = stream(0, "floor", name)
    baseline, other = draws.random(shape) < score, draws.random(shape) < score
    return baseline.astype(float), np.where(draws.random(shape) < ALIKE_BY_SEED, baseline, other).astype(float)


@pytest.mark.parametrize(("images", "score"), [(48, 0.9), (48, 0.5), (800, 0.88)])
def test_the_floor_is_the_sd_of_simulated_answers(images, score):
    floor = floor_of(images, score)
    assert floor.sd == pytest.approx(math.sqrt(1 - ALIKE_BY_PHOTOGRAPH) * binom(images, score).std() / images)
    baseline, other = answers("sd", score, (20_000, 1, images))
    assert floor.difference == pytest.approx((other.mean(2) - baseline.mean(2)).std(), rel=0.03)
    assert differing(score) == pytest.approx((other != baseline).mean(), rel=0.03)
    assert floor_of(images, score, redrawn=True).sd == pytest.approx(binom(images, score).std() / images)
    assert floor_of(images, score, runs=4).difference == pytest.approx(floor.difference / 2)


@pytest.mark.parametrize(("images", "seeds"), [(48, 5), (200, 4), (800, 8)])
def test_what_is_found_at_best_is_found_four_times_in_five(images, seeds):
    """By Student's paired t, in answers that vary by no more than the floor; on the photographs given."""
    design = replace(BETWEEN_TWO, test=Paired(), seeds=seeds)
    least = best(design, images, accuracy=0.7)
    baseline, recipe = answers("power", 0.7, (4000, seeds, images))
    gains = recipe.mean(2) - baseline.mean(2) + least
    bar = student.isf(0.025, seeds - 1) * gains.std(axis=1, ddof=1) / math.sqrt(seeds)
    found = np.abs(gains.mean(axis=1)) > bar
    assert found.mean() == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize(("images", "seeds"), [(48, 5), (100, 3)])
def test_no_less_is_found_for_new_photographs_either(images, seeds):
    """By the default test itself, which counts the photographs as drawn: at most four times in five."""
    least = best(replace(BETWEEN_TWO, test=None, seeds=seeds), images, accuracy=0.7)
    tables = zip(*answers("crossed", 0.7, (150, seeds, images)), strict=True)
    p = [crossed(recipe + least, baseline, paired=True, share=True).p_value() for baseline, recipe in tables]
    assert np.mean(np.array(p) < 0.05) < 0.8 + 0.07
    assert np.mean(np.array(p) < 0.05) > 0.4, "nor is it far from that"


def test_few_photographs_cannot_be_made_up_for_by_seeds():
    """The default test allows for few images whatever the seeds are: some differences no number of them finds."""
    many = replace(BETWEEN_TWO, test=None, seeds=1000)
    assert best(many, 48) > 2 * math.sqrt(2) / 50
    assert best(many, 48) > 5 * best(many, 1000)


def test_what_the_split_redraws_counts():
    """Folds are other photographs for each seed, their training parts overlap; runs of one draw count once."""
    test = replace(BETWEEN_TWO, test=None, seeds=5)
    fixed, folds = best(replace(test, split=Fixed()), 48), best(replace(test, split=KFold(5)), 48, overlap=0.25)
    each = best(replace(test, split=PerSeed()), 48, overlap=1 / 3)
    assert folds < each
    assert folds != fixed
    given = best(replace(test, split=Given()), 48)
    assert given == fixed
    two = replace(test, split=Redrawn(runs_per_draw=2), seeds=10)
    assert best(two, 48) < best(replace(test, split=Redrawn()), 48), "five draws of two runs each"


def test_how_many_photographs_are_tested_at_all():
    seeds = range(5)
    assert images_tested(Fixed(), seeds, 240, 48) == images_tested(Given(), seeds, 240, 48) == 48
    assert images_tested(Redrawn(), seeds, 240, 60) == 60
    assert images_tested(KFold(5), seeds, 240, 48) == 240
    assert images_tested(KFold(5), range(10), 240, 48) == 240
    assert images_tested(KFold(5), range(3), 240, 48) == 144
    drawn = stream(0, "drawn").random((2000, 5, 240)).argsort(2)[:, :, :48]
    reached = np.mean([len(np.unique(one)) for one in drawn])
    assert images_tested(PerSeed(), seeds, 240, 48) == pytest.approx(reached, abs=1)


@pytest.mark.parametrize("df", [1, 2, 9])
def test_the_sd_of_few_runs_has_chi_squares_interval(df):
    low, high = sd_interval(2.0, df)
    assert (low, high) == pytest.approx(
        (2 * math.sqrt(df / chi2.ppf(0.975, df)), 2 * math.sqrt(df / chi2.ppf(0.025, df)))
    )
    sds = stream(0, "pilot", df).normal(0, 1, (40_000, df + 1)).std(axis=1, ddof=1)
    assert np.mean([sd_at_most(sd, df) >= 1 for sd in sds[:4000]]) == pytest.approx(0.8, abs=0.02)


def test_few_runs_are_planned_by_the_upper_limit_and_never_below_the_floor():
    cells, sizes = BETWEEN_TWO.cells("0" * 16), {("adam",): Sizes((200, 200), 0.0)}

    def of(spread):
        return planned_power(BETWEEN_TWO, cells, sizes, spread, UNKNOWN)[0]

    pilot = of(Spread(0.05, "estimated from 2 finished runs", df=1, score=0.8))
    assert pilot.spread.sd == pytest.approx(0.05 / math.sqrt(chi2.ppf(0.2, 1)))
    assert pilot.at_best < pilot.as_estimated < pilot.smallest
    assert "its upper limit at 80 %" in pilot.spread.origin
    lucky = of(Spread(1e-4, "estimated from 2 finished runs", df=1, score=0.8))
    assert lucky.spread.sd == lucky.floor.sd
    assert lucky.smallest == lucky.as_estimated == pytest.approx(lucky.at_best)
    many = of(Spread(0.02, "estimated from 30 finished runs", df=FEW_DF))
    assert many.spread.sd == 0.02
    assert of(Spread(0.02, "given")).spread.sd == 0.02
    equal = of(Spread(score=1.0))
    assert equal.spread == equal.floor, "two runs without a mistake show no spread"
    assert equal.floor.score == pytest.approx(201 / 202)


def test_a_mean_over_conditions_is_planned_by_the_sd_under_one_where_that_alone_is_known():
    cells = question().cells("0" * 16)
    sizes = {cell.condition: Sizes((200, 200), 0.0) for cell in cells}
    (pooled,) = planned_power(question(), cells, sizes, Spread(0.05, "estimated from 2 finished runs", df=1), UNKNOWN)
    assert pooled.pooled
    assert pooled.spread.origin == "estimated from 2 finished runs, under one condition: its upper limit at 80 %"


@pytest.mark.slow
@pytest.mark.usefixtures("inside")
def test_real_runs_on_48_images_vary_by_the_floor_or_more(tiny, tmp_path, cache):
    """Two recipes of 8 seeds; each sd is known to a factor, so that 8 seeds may show less than the floor by chance."""
    experiment = replace(
        tiny,
        name="few",
        split=Fixed(train=100, val=40, test=48),
        seeds=8,
        epochs=3,
        optimizers={"adam": tiny.optimizers["adam"]},
    )
    sweep(experiment, tmp_path, cache, jobs=1)
    results = Results.load(experiment, tmp_path, cache)
    images = len(experiment.cells(listing(Digits(), cache).digest)[0].spec.parts(listing(Digits(), cache)).test)
    scores = results.finished.pivot_table("accuracy", "seed", "recipe")
    floor = floor_of(images, float(scores.to_numpy().mean()))
    shown = math.sqrt(scores.var(ddof=1).mean())
    assert sd_at_most(shown, 2 * 7, 0.975) > floor.sd
    assert (scores["crop"] - scores["none"]).std(ddof=1) > 0.5 * floor.difference
    assert overlap_planned(experiment, experiment.split, 1797, 100, images) == 0.0
