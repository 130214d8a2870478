"""Nothing for nothing: what does nothing is no operation, to the last bit, and leaves alone whom it does not touch."""

import numpy as np
import pytest
import torch
from catalogue import CASES, EVERY, MIXES, augmented, spread_of_aspects, stored

from ablation.augment import (
    Brightness,
    CenterCrop,
    ColorJitter,
    Contrast,
    GaussianBlur,
    GaussianNoise,
    Hue,
    ImageFunction,
    OneOf,
    RandAugment,
    RandomAdjustSharpness,
    RandomAffine,
    RandomAutocontrast,
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
)
from ablation.augment.draws import draw
from ablation.core.values import label

COUNT, SIDE = 40, 40
ASPECT = spread_of_aspects(COUNT)

NOTHING = [
    Brightness(0), Brightness((1, 1)), Contrast(0), Contrast((1, 1)), Saturation(0), Saturation((1, 1)), Hue(0),
    Hue((0, 0)), ColorJitter(), ColorJitter((1, 1), 0, (1, 1), 0), RandomGrayscale(0), RandomInvert(0),
    RandomPosterize(1, 0),
    RandomPosterize(8, 1), RandomSolarize(0, 0), RandomAutocontrast(0), RandomEqualize(0), RandomAdjustSharpness(1, 1),
    RandomAdjustSharpness(7, 0), GaussianBlur(1), GaussianNoise(0, 0), RandomErasing(0), RandomErasing(1, (0, 0)),
    RandomErasing(0, value="random"), RandomHorizontalFlip(0), RandomVerticalFlip(0), RandomRotation(0),
    RandomRotation((0, 0), fill=0.5), RandomRotation(0, expand=True), RandomAffine(0),
    RandomAffine(0, (0, 0), (1, 1), 0, 0.5), RandomAffine(0, center=(3, 5)), RandomPerspective(0, 1),
    RandomPerspective(0.5, 0), RandomZoomOut(0.5, (1, 1), 1), RandomZoomOut(p=0), Resize(13), Resize(500),
    RandAugment(num_ops=0), RandAugment(num_ops=0, fill=0.3), Sometimes(RandomRotation(30), 0),
    Sometimes(OneOf((Hue(0.5),)), 0),
    OneOf((Brightness(0), RandomRotation(0))), Strength((), 3), TorchvisionTransform("Identity"),
    ImageFunction("speckles:unchanged"), ImageFunction("speckles:speckled", {"share": 0}),
]  # fmt: skip
NOTHING += [Strength((case,), 0) for case in EVERY if not isinstance(case, CenterCrop) and case != Resize((40, 20))]
SQUARE = [RandomResizedCrop((1, 1), (1, 1)), RandomCrop(), RandomCrop(padding=0), CenterCrop(500), RandomCrop(SIDE)]
"""What is nothing on square pictures: of others it shows another part."""


def nothing_at(size: int, recipe, aspect=ASPECT) -> bool:
    images = stored(SIDE, COUNT)
    return torch.equal(augmented(recipe, images, size, aspect=aspect), augmented((), images, size, aspect=aspect))


@pytest.mark.parametrize("operation", NOTHING, ids=label)
def test_an_operation_of_no_strength_is_none_at_all(operation):
    assert nothing_at(SIDE, (operation,))
    assert nothing_at(24, (operation,))
    assert nothing_at(24, (operation,), np.ones(COUNT))
    assert nothing_at(SIDE, (operation,), np.ones(COUNT))


@pytest.mark.parametrize("operation", SQUARE, ids=label)
def test_all_of_a_square_picture_is_no_operation(operation):
    assert nothing_at(SIDE, (operation,), np.ones(COUNT))


def test_many_nothings_are_nothing():
    """Each ends a chain of geometric operations."""
    recipe = (RandomRotation(0), Brightness(0), RandomAffine(0), Contrast(0), RandomHorizontalFlip(0), Saturation(0))
    assert nothing_at(24, recipe)
    assert nothing_at(SIDE, recipe)
    assert nothing_at(24, tuple(NOTHING))


@pytest.mark.parametrize(
    "operation", [case for case in EVERY if hasattr(case, "p") and case != RandomPosterize(8)], ids=label
)
def test_samples_that_the_coin_spares_are_the_baseline_and_the_others_not(operation):
    images = stored(SIDE, COUNT)
    for size in (SIDE, 24):
        plain, got = (augmented(recipe, images, size, aspect=ASPECT) for recipe in ((), (operation,)))
        parts = [part for parts in draw((operation,), 0, 0, ASPECT, size).operations for part in parts]
        touched = np.logical_or.reduce([part.applies for part in parts])
        assert 0 < touched.sum() < COUNT
        assert torch.equal(got[~touched], plain[~touched])
        changed = (got != plain).flatten(1).any(dim=1)[touched]
        assert changed.float().mean() > 0.5 or label(operation).startswith("RandomSolarize(thres")


@pytest.mark.parametrize("operation", [cases[0] for cases in CASES.values() if cases[0] not in MIXES], ids=label)
def test_sometimes_leaves_the_others_alone(operation):
    """All operations: what one sample gets beside another that is warped, or is left alone, is the same."""
    images, never = stored(SIDE, COUNT), Sometimes(operation, 0.4)
    frames = getattr(operation, "frames", False)
    aspect = np.ones(COUNT) if frames else ASPECT
    drawn = draw((never,), 0, 0, aspect, 24).operations[0]
    touched = np.logical_or.reduce([part.applies for part in drawn])
    assert 0 < touched.sum() < COUNT
    got, plain = (augmented(recipe, images, 24, aspect=aspect) for recipe in ((never,), ()))
    assert torch.equal(got[~touched], plain[~touched])
