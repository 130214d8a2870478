"""Which runs stand on either side of a comparison: those that finished, of the seeds and conditions that both have."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import find, question, results_of, scores, usual

from ablation import Crossed, Dunnett, Paired, Welch
from ablation.data import PerSeed
from ablation.evidence.study import compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam


@pytest.fixture
def experiment() -> Experiment:
    return question()


def test_missing_runs_are_in_no_mean_and_are_visible(experiment):
    def score(cell: Cell) -> float | str:
        lost = (cell.factors["recipe"], cell.factors["optimizer"]) == ("bright", "adam") and cell.seed in (1, 3)
        return ("failed" if cell.seed == 1 else "diverged") if lost else usual(cell)

    results = results_of(experiment, score)
    effects = compare(results)
    effect = find(effects, "bright", optimizer="adam")
    assert (effect.seeds, effect.planned) == (3, 5)
    assert effect.mean == pytest.approx(scores(results, "bright", "adam").mean())
    assert len(scores(results, "bright", "adam")) == 3
    assert (find(effects, "bright", optimizer="sgd").seeds, find(effects, "none", optimizer="adam").seeds) == (5, 5)
    pooled = find(effects, "bright")
    assert (pooled.seeds, pooled.planned) == (3, 5), "a seed counts only where it finished under every condition"
    whole = [seed in (0, 2, 4) for seed in range(5)]
    assert pooled.mean == pytest.approx(scores(results, "bright")[whole].mean())


def test_what_cannot_be_judged_says_why(experiment):
    none_finished = results_of(experiment, lambda cell: "planned")
    assert {(effect.verdict, effect.note) for effect in compare(none_finished) if effect.recipe != "none"} == {
        ("undecided", "too few finished seeds")
    }
    assert all(math.isnan(effect.mean) and effect.seeds == 0 for effect in compare(none_finished))
    constant = results_of(experiment, lambda cell: 0.7 if cell.spec.recipe else 0.5)
    effect = find(compare(constant), "bright", optimizer="adam")
    assert (effect.verdict, effect.note) == ("undecided", "no spread over seeds: the test cannot judge")
    assert effect.estimate == pytest.approx(0.2)


def test_a_paired_test_of_runs_that_share_no_seed_is_not_made(experiment):
    """Baseline and recipe finished in two seeds each, but not in the same."""
    half = replace(experiment, split=PerSeed(), test=None, seeds=4)
    results = results_of(half, lambda cell: usual(cell) if bool(cell.spec.recipe) == (cell.seed < 2) else "failed")
    assert {effect.note for effect in compare(results) if effect.recipe != "none"} == {"too few finished seeds"}


def test_a_paired_test_takes_the_seeds_that_both_have(experiment):
    lost = {"none": 0, "bright": 4}
    results = results_of(
        replace(experiment, split=PerSeed(), test=None),
        lambda cell: "failed" if lost.get(cell.factors["recipe"]) == cell.seed else usual(cell),
    )
    effect = find(compare(results), "bright", optimizer="adam")
    paired = scores(results, "bright", "adam")[1:] - scores(results, "none", "adam")[:-1]
    assert effect.estimate == pytest.approx(effect.macro_f1_difference) == pytest.approx(paired.mean())


def test_excluded_cells_are_in_no_comparison(experiment):
    rules = ({"recipe": "bright", "optimizer": "sgd"},)
    effects = compare(results_of(replace(experiment, exclude=rules)))
    assert [(effect.recipe, effect.condition.get("optimizer")) for effect in effects] == [
        *(("none", "adam"), ("bright", "adam"), ("contrast", "adam"), ("none", "sgd"), ("contrast", "sgd")),
        *(("none", None), ("bright", None), ("contrast", None)),
    ]
    alone, pooled = find(effects, "bright", optimizer="adam"), find(effects, "bright")
    assert (pooled.estimate, pooled.p, pooled.seeds) == (alone.estimate, alone.p, 5)


def test_where_the_baseline_is_excluded_nothing_is_compared_with_it(experiment):
    results = results_of(replace(experiment, exclude=({"recipe": "none", "optimizer": "sgd"},)))
    effects = compare(results)
    lonely = [effect for effect in effects if effect.condition.get("optimizer") == "sgd"]
    assert [effect.note for effect in lonely] == ["nowhere beside the baseline"] * 2
    effects = [effect for effect in effects if effect not in lonely]
    assert find(effects, "bright").estimate == pytest.approx(find(effects, "bright", optimizer="adam").estimate)


def test_one_condition_is_not_pooled(experiment):
    effects = compare(results_of(replace(experiment, optimizers={"adam": Adam()})))
    assert [effect.pooled for effect in effects] == [False] * 3


def test_diverged_seeds_leave_no_verdict_on_the_survivors(experiment):
    def fates(cell):
        return "diverged" if cell.factors["recipe"] == "bright" and cell.seed == 0 else 0.8 + 0.01 * cell.seed

    effect = find(compare(results_of(experiment, fates)), "bright", optimizer="adam")
    assert (effect.seeds, effect.verdict) == (4, "undecided")
    assert effect.note == "1 run failed or diverged here: no verdict on those that are left"


@pytest.mark.parametrize(("test", "seeds"), [(Welch(), 5), (Paired(), 3), (Crossed(), 3)])
def test_mean_sd_and_seeds_are_those_of_the_runs_that_were_compared(experiment, test, seeds):
    """A paired test drops the seeds that the baseline lacks, and with them their scores."""
    results = results_of(replace(experiment, test=test), fewer_of_the_baseline, test_images=2000)
    effect = find(compare(results), "bright")
    assert (effect.seeds, effect.baseline_seeds, effect.planned) == (seeds, 3, 5)
    compared, baseline = (np.array(list(told.values())) for told in (effect.scores, effect.baseline_scores))
    assert (len(compared), effect.mean, effect.sd) == (seeds, compared.mean(), compared.std(ddof=1))
    assert effect.mean - baseline.mean() == pytest.approx(effect.estimate)


@pytest.mark.parametrize("lost", [math.nan, math.inf])
@pytest.mark.parametrize("test", [Crossed(), Welch(), Paired(), Dunnett()], ids=str)
def test_a_score_that_is_no_number_is_in_no_mean_and_no_test(experiment, test, lost):
    def score(cell: Cell) -> float:
        return lost if cell.factors["recipe"] == "bright" and cell.seed == 2 else usual(cell)

    effects = compare(results_of(replace(experiment, test=test), score, test_images=2000))
    effect = find(effects, "bright")
    assert (effect.seeds, effect.planned, effect.verdict) == (4, 5, "undecided")
    assert effect.note == "2 runs failed or diverged here: no verdict on those that are left"
    assert math.isfinite(effect.mean)
    assert find(effects, "contrast").verdict == "worse", "nothing of its own is lost"


def fewer_of_the_baseline(cell: Cell) -> float | str:
    return "failed" if cell.factors["recipe"] == "none" and cell.seed > 2 else round(usual(cell), 3)
