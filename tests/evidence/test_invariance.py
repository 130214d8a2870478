"""What must change no p-value and no verdict: the order of rows, names, seeds and images, the unit, a common constant.

Through `compare`, for every test that an experiment may declare. What is left are differences of rounding.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from made_up import MadeUp, question, results_of

from ablation.analysis.comparison import Crossed, Test
from ablation.augment import Brightness, Contrast
from ablation.core.seeds import stream
from ablation.core.values import label
from ablation.evidence.effects import Effect
from ablation.evidence.study import compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results
from ablation.optim import SGD, Adam

EXACT = 1e-9
"""Relative. Rounding alone is about 1e-13; a different formula is not."""

IMAGES = 60

JUDGED = ("p", "p_adjusted", "p_equivalent", "p_better", "g", "seeds_needed")
"""What has no unit, so that nothing here may change it."""

LUCK = (-1.26, -0.63, 0.0, 0.63, 1.26)
"""sd 1."""

AROUND = ("estimate", "low", "high", "alone_low", "alone_high", "new_low", "new_high")
"""What is told in the metric's unit."""

SAME = ("verdict", "note", "decided_as", "seeds", "planned")


@pytest.fixture(params=get_args(Test), ids=lambda test: test.__name__)
def experiment(request: pytest.FixtureRequest) -> Experiment:
    """Gains as large as the noise: p-values of all sizes, and every verdict."""
    return replace(question(), test=request.param(), margin=0.03)


@pytest.fixture(params=[test for test in get_args(Test) if test is not Crossed], ids=lambda test: test.__name__)
def of_scores(request: pytest.FixtureRequest) -> Experiment:
    """The same for a metric that is no mean over images: these are right or wrong in any unit."""
    return replace(question(), test=request.param(), margin=0.03, metric="ece")


def score(cell: Cell, seed: int | None = None) -> float:
    """By what the run is and not by what it is called; seed: another one than the run's own.

    The luck of the five seeds adds up to nothing, so that gains are what they should be, whoever is lucky.
    """
    gain = {(): 0.0, (Brightness(0.4),): 0.1, (Contrast(0.4),): -0.018}[cell.spec.recipe]
    luck = stream(0, "luck", *map(label, cell.spec.recipe), type(cell.spec.optimizer).__name__)
    return 0.7 + gain + 0.012 * float(luck.permutation(LUCK)[cell.seed if seed is None else seed])


def made(experiment: Experiment, score: Callable[[Cell], float] = score) -> Results:
    """With so many test images, where they count as drawn, that verdicts are left to the seeds."""
    return results_of(experiment, score, 4000 if isinstance(experiment.test, Crossed) else 40)


def told(effects: tuple[Effect, ...], names: dict[str, str]) -> dict[Any, Effect]:
    """By recipe and condition; names: new -> old, of recipes and levels."""
    return {tuple(names.get(name, name) for name in (one.recipe, *one.condition.values())): one for one in effects}


def assert_same(before: Results, after: Results, names: dict[str, str] | None = None, unit: float = 1.0) -> None:
    """Same p-values and verdicts, and the same differences and intervals, so many times as large."""
    one, other = told(compare(before), {}), told(compare(after), names or {})
    assert one.keys() == other.keys()
    for key, effect in one.items():
        fields = {name: getattr(effect, name) for name in JUDGED}
        fields |= {name: getattr(effect, name) * unit for name in AROUND}
        found = {name: getattr(other[key], name) for name in fields}
        assert found == pytest.approx(fields, rel=EXACT, abs=1e-12, nan_ok=True), key
        assert [getattr(other[key], name) for name in SAME] == [getattr(effect, name) for name in SAME], key


def test_the_made_up_experiment_has_something_to_lose(experiment):
    """Several verdicts, and p-values on both sides of alpha: where all is 1, nothing can change it."""
    tested = [effect for effect in compare(made(experiment)) if effect.tested]
    assert len({effect.verdict for effect in tested}) >= 2
    assert min(effect.p_adjusted for effect in tested) < 0.05 < max(effect.p_adjusted for effect in tested) < 1


@pytest.mark.parametrize("keeps_index", [True, False])
def test_the_order_of_rows(experiment, keeps_index):
    results = made(experiment)
    table = results.frame.iloc[stream(0, "rows").permutation(len(results.frame))]
    assert_same(results, replace(results, frame=table if keeps_index else table.reset_index(drop=True)))


def test_the_order_and_the_names_of_recipes_and_optimizers(experiment):
    renamed = replace(
        experiment,
        recipes={"z": (Contrast(0.4),), "plain": (), "0": (Brightness(0.4),)},
        optimizers={"second": SGD(lr=0.1), "first": Adam()},
        baseline="plain",
    )
    names = {"plain": "none", "0": "bright", "z": "contrast", "first": "adam", "second": "sgd"}
    assert_same(made(experiment), made(renamed), names)


def test_the_order_and_the_numbers_of_seeds(experiment):
    """The same runs, whose seeds are called otherwise and stand in another order."""
    numbers = (70, 3, 1000, 12, 8)
    first = {number: place for place, number in enumerate(numbers)}
    others = replace(experiment, seeds=(12, 70, 8, 3, 1000))
    assert_same(made(experiment), made(others, lambda cell: score(cell, first[cell.seed])))


@pytest.mark.parametrize("unit", [100.0, 0.01])
def test_points_or_fractions(of_scores, unit):
    scaled = replace(of_scores, margin=unit * of_scores.margin)
    assert_same(made(of_scores), made(scaled, lambda cell: unit * score(cell)), unit=unit)


@pytest.mark.parametrize("constant", [-0.4, 30.0])
def test_a_constant_that_is_added_to_all_scores(of_scores, constant):
    assert_same(made(of_scores), made(of_scores, lambda cell: score(cell) + constant))


@pytest.mark.parametrize(("lost", "verdict"), [(0.095, "undecided"), (0.0, "better")])
def test_the_other_way_round_better_is_worse(experiment, lost, verdict):
    """A recipe against the baseline, and the baseline against the recipe: the same p, the opposite of all the rest."""
    single = replace(experiment, recipes={"none": (), "bright": (Brightness(0.4),)}, margin=0.001)
    results = made(single, lambda cell: score(cell) - lost * bool(cell.spec.recipe))
    around = replace(results, experiment=replace(single, baseline="bright"))
    one, other = ([effect for effect in compare(asked) if effect.tested] for asked in (results, around))
    assert {effect.verdict for effect in one} == {verdict}
    for effect, turned in zip(one, other, strict=True):
        assert (effect.recipe, turned.recipe, effect.condition) == ("bright", "none", turned.condition)
        assert turned.verdict == {"better": "worse"}.get(effect.verdict, effect.verdict)
        same = ("p", "p_adjusted", "p_equivalent", "seeds_needed")
        assert numbers(turned, *same) == pytest.approx(numbers(effect, *same), rel=EXACT, nan_ok=True)
        ends = ("estimate", "high", "low", "alone_high", "alone_low", "new_high", "new_low", "g")
        turned_back = [-number for number in numbers(turned, *ends)]
        ends = ("estimate", "low", "high", "alone_low", "alone_high", "new_low", "new_high", "g")
        assert turned_back == pytest.approx(numbers(effect, *ends), rel=EXACT, nan_ok=True)
        assert 1 - turned.p_better == pytest.approx(effect.p_better, rel=EXACT)


def numbers(effect: Effect, *names: str) -> list[float]:
    return [getattr(effect, name) for name in names]


class Answered(MadeUp):
    """Runs whose answers differ from image to image, as the skill of the run and the ease of the image have it."""

    order = np.arange(IMAGES)

    def test_predictions(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        skill = self.frame.loc[self.frame["id"] == run_id, self.experiment.metric].iloc[0]
        ease, luck = stream(0, "ease").normal(size=(IMAGES, 1)), stream(0, "answers", run_id).normal(size=(IMAGES, 3))
        labels = np.arange(IMAGES) % 3
        logits = (luck + (skill + ease) * np.eye(3)[labels]).astype(np.float32)
        return self.order, labels[self.order], logits[self.order]


class Shuffled(Answered):
    """The same answers to the same images, which stand in another order."""

    order = stream(0, "order").permutation(IMAGES)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
def test_the_order_of_images(experiment, metric):
    results = made(replace(experiment, metric=metric))
    asked, shuffled = Answered(**vars(results)), Shuffled(**vars(results))
    effects = [effect for effect in compare(asked) if effect.tested]
    widths = [effect.new_high - effect.new_low for effect in effects if not math.isnan(effect.new_low)]
    assert len(widths) == (0 if asked.experiment.declared_test.new_images else len(effects))
    assert min(widths, default=1) > 0
    assert_same(asked, shuffled)


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_the_order_of_images_that_are_drawn_with_replacement(metric):
    """Another order meets other draws, so the interval differs as that of other draws would: by a few percent."""
    results = made(replace(question(), metric=metric))
    asked, shuffled = Answered(**vars(results)), Shuffled(**vars(results))
    for one, other in zip(compare(asked), compare(shuffled), strict=True):
        if one.tested:
            width = one.new_high - one.new_low
            assert (other.p, other.low, other.high, other.verdict) == (one.p, one.low, one.high, one.verdict)
            assert (other.new_low, other.new_high) == pytest.approx((one.new_low, one.new_high), abs=0.05 * width)
