"""Failed trainings are seen, told beside both means, and leave no verdict on what hides them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import find, noise, question, results_of, usual

from ablation import Crossed, Dunnett, Paired, Welch
from ablation.analysis.failures import best_guess
from ablation.core.text import plain
from ablation.evidence.failed_trainings import failed_trainings, guesses
from ablation.evidence.study import Study, compare
from ablation.experiment.experiment import Cell
from ablation.experiment.results import Results

SEEN = (0.911, 0.912, 0.502, 0.910, 0.913)
"""Under ten classes .502 is nearer to chance than to the other runs."""


def failing(recipe: str):
    def score(cell: Cell) -> float:
        hit = (cell.factors["recipe"], cell.factors["optimizer"]) == (recipe, "adam")
        return SEEN[cell.seed] if hit else usual(cell)

    return score


def ids(results: Results, **where: object) -> set[str]:
    table = results.frame
    for column, value in where.items():
        table = table[table[column] == value]
    return set(table["id"])


def test_the_run_that_fell_out_is_a_failed_training_and_no_other():
    assert failed_trainings(results_of(question())) == frozenset()
    results = results_of(question(), failing("bright"))
    assert failed_trainings(results) == ids(results, recipe="bright", optimizer="adam", seed=2)


@pytest.mark.parametrize("test", [Crossed(), Paired(), Welch(), Dunnett()], ids=str)
def test_it_leaves_no_verdict_and_is_told_with_both_means(test):
    """There and pooled, which holds it too; the other optimizer's runs are judged."""
    results = results_of(replace(question(), test=test, primary="each"), failing("bright"), test_images=2000)
    effects = compare(results)
    effect, pooled = find(effects, "bright", optimizer="adam"), find(effects, "bright")
    for one, trained in ((effect, 5), (pooled, 10)):
        assert (one.verdict, one.failed, one.trained, one.baseline_failed) == ("undecided", 1, trained, 0)
        assert one.note == (
            f"1 of {trained} trainings ended near chance or far below the others, 0 of {trained} of the baseline: "
            "no verdict"
        )
        kept = [seed for seed in range(5) if seed != 2]
        without = np.mean([one.scores[seed] - one.baseline_scores[seed] for seed in kept])
        assert one.without_failed == pytest.approx(without)
        assert one.mean == pytest.approx(np.mean(list(one.scores.values())))
        assert one.without_failed > one.estimate + 0.03
    assert list(effect.scores.values()) == list(SEEN)
    other = find(effects, "bright", optimizer="sgd")
    assert (other.verdict, other.failed) == ("better", 0)
    assert math.isnan(other.without_failed)


def test_where_the_baseline_failed_nothing_is_said_of_any_recipe_beside_it():
    effects = compare(results_of(question(), failing("none")))
    beside = [effect for effect in effects if effect.tested and effect.condition.get("optimizer") != "sgd"]
    assert len(beside) == 4
    assert {(effect.verdict, effect.failed, effect.baseline_failed) for effect in beside} == {("undecided", 0, 1)}
    assert find(effects, "none", optimizer="adam").failed == 1


def test_the_warning_gives_the_mean_that_hides_it_and_the_mean_without():
    (warning,) = Study(results_of(question(), failing("bright"))).warnings
    assert plain(warning) == (
        "“bright” under “adam”: 1 of 5 trainings ended near chance or far below the others (accuracy 0.502; guesses "
        "among 10 classes reach 0.242 (40 test images); the mean is 0.830 with and 0.911 without). No verdict."
    )
    every, *_ = Study(
        results_of(question(), lambda cell: 0.1 if cell.factors["recipe"] == "bright" else usual(cell))
    ).warnings
    assert plain(every).startswith("“bright” under “adam”: 5 of 5 trainings ended near chance")
    assert "without" not in every


def test_an_overconfident_network_has_not_failed_where_its_accuracy_says_so():
    """Whatever the primary metric; without an accuracy the loss decides."""
    asked = replace(question(), metric="log_loss")
    worse = results_of(asked, lambda cell: 3.0 if cell.factors["recipe"] == "bright" else 0.5 + 0.01 * cell.seed)
    assert failed_trainings(worse) == ids(worse, recipe="bright")
    known = replace(worse, frame=worse.frame.assign(accuracy=0.8 + 0.01 * worse.frame["seed"]))
    assert failed_trainings(known) == frozenset()


def test_a_run_that_crashed_or_diverged_blocks_a_verdict_as_well():
    for status in ("failed", "diverged"):

        def score(cell: Cell, status: str = status) -> float | str:
            lost = (cell.factors["recipe"], cell.factors["optimizer"], cell.seed) == ("bright", "adam", 4)
            return status if lost else usual(cell)

        effects = compare(results_of(question(), score))
        assert find(effects, "bright").note == "1 run failed or diverged here: no verdict on those that are left"
        assert find(effects, "contrast").verdict == "worse"
    waiting = compare(results_of(question(), lambda cell: "planned" if cell.seed == 4 else usual(cell)))
    assert find(waiting, "bright").verdict == "better", "what has not run yet says nothing of the recipe"


def test_of_several_numbers_of_test_images_the_fewest_are_named():
    results = results_of(question(), failing("bright"))
    runs = results.finished
    assert guesses(results, runs) == "guesses among 10 classes reach 0.242 (40 test images)"
    more = runs.assign(test_images=[40] + [2000] * (len(runs) - 1))
    assert guesses(results, more) == "guesses among 10 classes reach 0.242 (40 test images or more)"
    assert guesses(replace(results, experiment=replace(question(), metric="macro_f1")), runs) == ""


@pytest.mark.parametrize(("metric", "level", "best"), [("accuracy", 0.5, 1.0), ("log_loss", math.log(2), 0.0)])
def test_guesses_on_a_handful_of_images_reach_no_more_than_there_is(metric, level, best):
    assert best_guess(level, metric, images=4) == best


def test_where_nothing_was_learned_that_is_said_once():
    told = Study(results_of(question(), lambda cell: 0.1 + noise(cell))).warnings
    assert [warning for warning in told if "trainings" in warning] == [
        "All 30 trainings ended near chance; guesses among 10 classes reach 0.242 (40 test images). "
        "There is no verdict."
    ]
