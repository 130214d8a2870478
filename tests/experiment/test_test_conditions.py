"""Test conditions: every one changes pictures, stronger ones more, and none changes what a run is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation import (
    SGD,
    Brightness,
    Contrast,
    CutMix,
    Digits,
    Experiment,
    GaussianBlur,
    InputError,
    MixUp,
    OneOf,
    RandomCrop,
    Strength,
    TorchvisionTransform,
)
from ablation.augment.draws import draw
from ablation.data import build, listing
from ablation.experiment.preregistration import preregistration_of
from ablation.experiment.robustness import STRENGTHS, Condition, conditions_of, usual, work_share
from ablation.training.view import View

USUAL = ["brightness", "contrast", "crop", "rotation", "blur", "noise"]


def experiment(**changes) -> Experiment:
    given = {
        "name": "conditions", "data": Digits(), "recipes": {"none": ()}, "optimizers": {"sgd": SGD(lr=0.1)},
        "baseline": "none", "model": "lenet", "image_size": 32,
    }  # fmt: skip
    return Experiment(**given | changes)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return build(listing(Digits(), folder), 40, folder)


def shown(data, recipe, side=32, rows=24) -> np.ndarray:
    rows = np.arange(rows)
    clean = View.clean(data, torch.device("cpu"), side, np.zeros(3), np.ones(3))
    return clean.through(draw(recipe, 0, 0, data.aspect, side), rows).pictures(rows).numpy()


@pytest.mark.parametrize("name", USUAL)
def test_every_usual_condition_changes_every_picture_and_a_stronger_one_more(digits, name):
    clean, apart = shown(digits, ()), []
    for strength in STRENGTHS:
        (condition,) = (c for c in conditions_of(experiment(), 32) if (c.name, c.strength) == (name, strength))
        change = np.abs(shown(digits, condition.recipe) - clean).mean(axis=(1, 2, 3))
        assert (change > 0).mean() > 0.9, "of the pictures"
        apart.append(change.mean())
    assert 0 < apart[0] < apart[1] < apart[2]
    assert apart[2] > 1.5 * apart[0]


@pytest.mark.parametrize("side", [8, 28, 64, 224, 512])
def test_the_usual_ones_are_six_at_three_strengths_for_every_size(side):
    conditions = conditions_of(experiment(), side)
    assert [c.name for c in conditions] == [name for name in USUAL for _ in STRENGTHS]
    assert [c.strength for c in conditions] == list(STRENGTHS) * 6
    (blur,) = usual(side)["blur"]
    assert blur.sigma == (max(1.0, 0.02 * side),) * 2 or blur.sigma == max(1.0, 0.02 * side)


def test_at_full_strength_it_is_the_recipe_and_below_it_is_scaled():
    weak, medium, full = conditions_of(experiment(corrupt={"dark": (Brightness(0.6), Contrast(0.3))}), 32)
    assert full.recipe == (Brightness(0.6), Contrast(0.3))
    assert medium.recipe == (Brightness(0.6 * 2 / 3), Contrast(0.3 * 2 / 3))
    assert weak.recipe == (Brightness(0.6 / 3), Contrast(0.3 / 3))
    assert (weak.name, weak.strength) == ("dark", 1 / 3)


def test_one_goes_to_a_worker_and_back():
    """What is not hashable in an operation, as torchvision's arguments are, is no hindrance."""
    corrupt = {"elastic": (TorchvisionTransform("ElasticTransform", {"alpha": 20.0}),), "b": (GaussianBlur(3, 1.0),)}
    for condition in conditions_of(experiment(corrupt=corrupt), 32):
        again = Condition.from_plain(json.loads(json.dumps(condition.to_plain())))
        assert again == condition
        assert len({again, condition}) == 1


WRONG = {
    "mixing": ({"mixed": (MixUp(),)}, "corrupt['mixed']: (MixUp(alpha=1.0),) mixes images, and a test image has one"),
    "mixing inside": ({"x": (OneOf((MixUp(), CutMix())),)}, "mixes images"),
    "mixing at a strength": ({"x": (Strength((CutMix(),), 0.5),)}, "mixes images"),
    "no comma": ({"dark": Brightness(0.3)}, "a recipe of one operation needs a comma: (operation,)"),
    "no recipe": ({"dark": 4}, "corrupt['dark']: expected a tuple of"),
    "no operation": ({"dark": (Brightness(0.3), 7)}, "7: expected RandomResizedCrop"),
    "nothing": ({"dark": ()}, "corrupt['dark'] is empty: it would change no test image"),
    "no name": ({" ": (Brightness(0.3),)}, "the name ' ' says nothing"),
    "a number for a name": ({3: (Brightness(0.3),)}, "the name 3 is not a text"),
    "a list": ([Brightness(0.3)], "expected a dict of name -> value"),
    "no strength": ({"cut": (RandomCrop(24),)}, "cannot have 0.333333 times its strength: it has no padding to scale"),
}


@pytest.mark.parametrize(("corrupt", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_condition_is_refused_in_words(corrupt, words):
    with pytest.raises(InputError) as raised:
        experiment(corrupt=corrupt)
    assert words in str(raised.value)
    assert "corrupt" in str(raised.value)
    assert len(raised.value.problems) == 1, "each mistake once"


def test_it_is_wanted_or_not_and_nothing_else():
    with pytest.raises(InputError, match="robustness = 'yes': expected True or False or None"):
        experiment(robustness="yes")
    assert conditions_of(experiment(robustness=False, corrupt={"b": (Brightness(0.3),)}), 32) == ()
    assert len(conditions_of(experiment(robustness=True), 32)) == 18


def test_no_run_is_another_for_it():
    """Nor is its plan: what is tested beside the test part changes no verdict of before."""
    plain = experiment()
    ids = [cell.spec.id for cell in plain.cells("digest")]
    for changes in ({"robustness": True}, {"robustness": False}, {"corrupt": {"b": (Brightness(0.3),)}}):
        other = replace(plain, **changes)
        assert [cell.spec.id for cell in other.cells("digest")] == ids
        assert preregistration_of(other, other.cells("digest")) == preregistration_of(plain, plain.cells("digest"))


def test_a_smoke_run_has_them_unless_they_are_not_wanted():
    assert experiment().smoke().robustness is True
    assert experiment(robustness=True).smoke().robustness is True
    assert experiment(robustness=False).smoke().robustness is False
    corrupt = {"b": (Brightness(0.3),)}
    assert experiment(corrupt=corrupt).smoke().corrupt == corrupt


def test_what_they_cost_in_multiples_of_the_training():
    """By hand: 18 conditions x 100 images forwards; 4 epochs of 3 x 500 and 60 forwards."""
    assert work_share(18, 100, 500, 60, 4) == pytest.approx(1800 / (4 * 1560))
    assert work_share(18, 5000, 500, 60, 4) == pytest.approx(18 * 300 / (4 * 1560)), "of many, 300"
    assert work_share(0, 100, 500, 60, 4) == 0
