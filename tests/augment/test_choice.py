"""Operations that hold operations: how often they choose, and what a strength is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from catalogue import CASES, EVERY, augmented, spread_of_aspects, stored
from scipy.stats import chisquare

from ablation.augment import (
    OPERATIONS,
    AugMix,
    AutoAugment,
    Brightness,
    CenterCrop,
    ColorJitter,
    Contrast,
    CutMix,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    Hue,
    ImageFunction,
    MixUp,
    OneOf,
    RandAugment,
    RandomAdjustSharpness,
    RandomAffine,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomCrop,
    RandomEqualize,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomPerspective,
    RandomPosterize,
    RandomResizedCrop,
    RandomRotation,
    RandomSolarize,
    RandomVerticalFlip,
    RandomZoomOut,
    Resize,
    Saturation,
    Sometimes,
    Strength,
    TorchvisionTransform,
    TrivialAugmentWide,
)
from ablation.augment.draws import draw
from ablation.augment.operation import Operation, PixelOperation
from ablation.augment.operations.choice import scaled
from ablation.augment.operations.policy_tables import POLICIES
from ablation.core.errors import InputError
from ablation.core.values import collecting, label

COUNT = 10_000
ONES = np.ones(COUNT)


def applies(recipe) -> np.ndarray:
    """(parts, COUNT) of a recipe as drawn."""
    return np.array([part.applies for parts in draw(recipe, 0, 0, ONES, 8).operations for part in parts])


def as_often_as(p: float, found: np.ndarray) -> bool:
    """Within five deviations of a binomial."""
    return abs(found.mean() - p) <= 5 * np.sqrt(p * (1 - p) / len(found))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kind", [kind for kind, cases in CASES.items() if hasattr(cases[0], "p")], ids=str)
def test_a_coin_falls_as_often_as_asked(kind, p):
    (found,) = applies((replace(CASES[kind][0], p=p),))
    assert as_often_as(p, found)


def test_sometimes_tosses_a_coin_of_its_own():
    both = applies((Sometimes(RandomInvert(0.5), 0.5),))[0]
    assert as_often_as(0.25, both)
    first, second = applies((Sometimes(RandomInvert(1), 0.5), Sometimes(RandomGrayscale(1), 0.5)))
    assert as_often_as(0.25, first & second)


def test_one_of_several_is_each_as_often_and_never_two():
    found = applies((OneOf((Brightness(0.1), Contrast(0.1), RandomRotation(30), Hue(0.1))),))
    assert (found.sum(axis=0) == 1).all()
    assert chisquare(found.sum(axis=1)).pvalue > 1e-3


def test_a_policy_chooses_each_operation_as_often():
    """Of 14 one does nothing and five are one map, whose parameters say which."""
    found = applies((TrivialAugmentWide(),))
    assert found.sum(axis=0).max() == 1
    assert as_often_as(5 / 14, found[0])
    assert all(as_often_as(1 / 14, each) for each in found[1:])
    ((part, *_),) = draw((TrivialAugmentWide(),), 0, 0, ONES, 224).operations
    moved = part.parameters["angle"][part.applies] != 0
    assert as_often_as(1 / 5 * 30 / 31, moved)
    assert as_often_as(0.5, part.parameters["angle"][part.applies][moved] > 0)


def test_a_magnitude_is_each_as_frequent():
    ((_, *parts),) = draw((TrivialAugmentWide(),), 0, 0, ONES, 224).operations
    (brightness,) = (part for part in parts if type(part.operation) is Brightness)
    levels = np.round((brightness.parameters["factor"][brightness.applies] - 1) / 0.033).astype(int)
    assert levels.min() == -30
    assert levels.max() == 30
    assert chisquare(np.bincount(abs(levels))).pvalue > 1e-3


@pytest.mark.parametrize("name", POLICIES)
def test_autoaugment_applies_its_pairs_with_their_chances(name):
    found = applies((AutoAugment(name),)).sum(axis=0)
    chances = np.array([[entry.p for entry in pair] for pair in POLICIES[name]])
    both, none = chances.prod(axis=1).mean(), (1 - chances).prod(axis=1).mean()
    assert as_often_as(both, found == 2)
    assert as_often_as(none, found == 0)


STRENGTHS = [  # at half of it, and at double
    (Resize(50), Resize(50), Resize(50)),
    (CenterCrop(20), CenterCrop(20), CenterCrop(20)),
    (RandomResizedCrop((0.6, 1), (0.81, 1.21)), RandomResizedCrop((0.8, 1), (0.9, 1.1)),
     RandomResizedCrop((0.2, 1), (0.6561, 1.4641))),
    (RandomCrop(padding=4), RandomCrop(padding=2), RandomCrop(padding=8)),
    (RandomHorizontalFlip(0.4), RandomHorizontalFlip(0.2), RandomHorizontalFlip(0.8)),
    (RandomVerticalFlip(0.4), RandomVerticalFlip(0.2), RandomVerticalFlip(0.8)),
    (RandomRotation((-10, 20)), RandomRotation((-5, 10)), RandomRotation((-20, 40))),
    (RandomAffine(10, (0.2, 0.1), (0.8, 1.2), 6), RandomAffine(5, (0.1, 0.05), (0.9, 1.1), 3),
     RandomAffine(20, (0.4, 0.2), (0.6, 1.4), 12)),
    (RandomPerspective(0.4), RandomPerspective(0.2), RandomPerspective(0.8)),
    (RandomZoomOut(side_range=(1, 2)), RandomZoomOut(side_range=(1, 1.5)), RandomZoomOut(side_range=(1, 3))),
    (Brightness(0.4), Brightness(0.2), Brightness(0.8)),
    (Contrast((0.5, 1.5)), Contrast((0.75, 1.25)), Contrast((0, 2))),
    (Saturation((0.4, 3)), Saturation((0.7, 2)), Saturation((0, 5))),
    (Hue(0.2), Hue(0.1), Hue(0.4)),
    (ColorJitter(0.4, 0.2, (0.8, 1), 0.1), ColorJitter(0.2, 0.1, (0.9, 1), 0.05), ColorJitter(0.8, 0.4, (0.6, 1), 0.2)),
    (RandomGrayscale(0.2), RandomGrayscale(0.1), RandomGrayscale(0.4)),
    (RandomInvert(), RandomInvert(0.25), RandomInvert(1)),
    (RandomPosterize(6), RandomPosterize(7), RandomPosterize(4)),
    (RandomSolarize(0.6), RandomSolarize(0.8), RandomSolarize(0.2)),
    (RandomAutocontrast(0.4), RandomAutocontrast(0.2), RandomAutocontrast(0.8)),
    (RandomEqualize(0.4), RandomEqualize(0.2), RandomEqualize(0.8)),
    (RandomAdjustSharpness(3), RandomAdjustSharpness(2), RandomAdjustSharpness(5)),
    (GaussianBlur(5, (0.5, 2)), GaussianBlur(5, (0.25, 1)), GaussianBlur(5, (1, 4))),
    (GaussianNoise(0.02, 0.1), GaussianNoise(0.01, 0.05), GaussianNoise(0.04, 0.2)),
    (RandomErasing(scale=(0.02, 0.4)), RandomErasing(scale=(0.01, 0.2)), RandomErasing(scale=(0.04, 0.8))),
    (Cutout(16), Cutout(8), Cutout(32)),
    (MixUp(0.4), MixUp(0.2), MixUp(0.8)),
    (CutMix(1), CutMix(0.5), CutMix(2)),
    (RandAugment(2, 10), RandAugment(2, 5), RandAugment(2, 20)),
    (AugMix(4), AugMix(2), AugMix(8)),
    (Sometimes(Brightness(0.4), 0.3), Sometimes(Brightness(0.2), 0.3), Sometimes(Brightness(0.8), 0.3)),
    (OneOf((Hue(0.2), Brightness(0.4))), OneOf((Hue(0.1), Brightness(0.2))), OneOf((Hue(0.4), Brightness(0.8)))),
    (Strength((Brightness(0.4),), 0.5), Strength((Brightness(0.4),), 0.25), Strength((Brightness(0.4),), 1)),
]  # fmt: skip
CHANCES = (RandomChannelPermutation, TrivialAugmentWide, AutoAugment, TorchvisionTransform, ImageFunction)


def test_what_scales_itself_has_a_case():
    own = {kind for kind in OPERATIONS if kind.scaled is not Operation.scaled}
    assert own <= {type(operation) for operation, _, _ in STRENGTHS}
    assert set(CHANCES) == {kind for kind in OPERATIONS if CASES[kind][0].scaled(0.5) is None}


@pytest.mark.parametrize(("operation", "half", "double"), STRENGTHS, ids=lambda one: label(one))
def test_a_strength_moves_magnitudes_away_from_doing_nothing(operation, half, double):
    for factor, expected in ((0.5, half), (2, double)):
        (got,) = scaled((operation,), factor)
        assert type(got) is type(expected)
        for name in vars(expected):
            assert vars(got)[name] == approximately(vars(expected)[name]), name


def approximately(given):
    if isinstance(given, tuple) and all(isinstance(number, int | float) for number in given):
        return pytest.approx(given)
    return pytest.approx(given) if isinstance(given, float) else given


@pytest.mark.parametrize("kind", CHANCES, ids=lambda kind: kind.__name__)
def test_what_has_no_magnitude_happens_to_a_share(kind):
    assert scaled(CASES[kind][:1], 0.3) == (Sometimes(CASES[kind][0], 0.3),)
    with pytest.raises(InputError, match="cannot have 2 times its strength"):
        scaled(CASES[kind][:1], 2)


@pytest.mark.parametrize("operation", EVERY, ids=label)
def test_strength_1_is_the_operation_and_0_is_none(operation):
    assert scaled((operation,), 1) == (operation,)
    kept = (operation,) if isinstance(operation, Resize | CenterCrop) else ()
    assert scaled((operation,), 0) == kept


def test_a_recipe_at_a_strength_is_the_recipe_written_so():
    recipe = (RandomResizedCrop((0.6, 1)), Brightness(0.4), RandomInvert(0.4))
    written = (
        RandomResizedCrop((0.8, 1), tuple(bound**0.5 for bound in recipe[0].ratio)),
        Brightness(0.2),
        RandomInvert(0.2),
    )
    images, aspect = stored(32, 30), spread_of_aspects(30)
    strong, weak = (augmented(given, images, 24, aspect=aspect) for given in ((Strength(recipe, 0.5),), written))
    assert torch.equal(strong, weak)


def test_a_strength_out_of_range_says_which_operation_and_why():
    with pytest.raises(InputError) as raised:
        Strength((Brightness(0.4), RandomHorizontalFlip(0.7)), 2)
    (problem,) = raised.value.problems
    assert "RandomHorizontalFlip(p=0.7) cannot have 2 times its strength" in str(problem)
    assert "must be at least 0 and at most 1" in str(problem)


def test_a_strength_out_of_range_says_so_in_an_experiment_file_too():
    """There mistakes are collected, and reading goes on to the next."""
    lines = ["Strength((Brightness(0.4), RandomHorizontalFlip(0.7)), 2)", "scaled((Hue(0.4),), 1.5)", "Hue(3)"]
    names = {"scaled": scaled} | {kind.__name__: kind for kind in OPERATIONS}
    with collecting("menu.py") as problems:
        exec(compile("\n".join(lines), "menu.py", "exec"), names)
    flip, hue, last = map(str, problems)
    assert flip.startswith("menu.py:1: RandomHorizontalFlip(p=0.7) cannot have 2 times its strength: ")
    assert flip.endswith("p = 1.4: must be at least 0 and at most 1")
    assert hue.startswith("menu.py:2: Hue(hue=0.4) cannot have 1.5 times its strength: Hue: hue = 0.6")
    assert last.startswith("menu.py:3: Hue: hue = 3: ")


class Unlisted(PixelOperation):
    """An operation of a user's, in none of the lists."""

    def apply(self, images, drawn):
        return images


@pytest.mark.parametrize("given", [Unlisted(), Unlisted, torch.flip, len], ids=("value", "class", "torch", "builtin"))
def test_what_is_no_listed_operation_is_refused_with_the_way_to_name_it(given):
    for make in (lambda: Sometimes(given), lambda: OneOf((Brightness(0.4), given)), lambda: Strength((given,), 1)):
        with pytest.raises(InputError, match=r"; name a function of your own as ImageFunction\('file.py:function'\)$"):
            make()
    for other in (3, None, "brightnes"):
        with pytest.raises(InputError) as raised:
            Sometimes(other)
        assert "ImageFunction" not in str(raised.value)
