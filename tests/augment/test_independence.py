"""What a sample gets depends on nothing but the recipe, the seed, the epoch and the sample: to the last bit."""

import numpy as np
import pytest
import torch
from catalogue import CASES, EVERY, MIXES, PER_IMAGE, augmented, spread_of_aspects, stored

from ablation.augment import (
    AugMix,
    Brightness,
    ColorJitter,
    Contrast,
    GaussianNoise,
    OneOf,
    RandAugment,
    RandomAffine,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomSolarize,
    Sometimes,
    Strength,
    TrivialAugmentWide,
)
from ablation.augment import apply as applying
from ablation.augment.chain import chain
from ablation.augment.draws import Drawn, draw
from ablation.core.seeds import stream
from ablation.core.values import label

COUNT, SIDE = 40, 32
ASPECT = spread_of_aspects(COUNT)
CROP = RandomResizedCrop(scale=(0.35, 1.0))
SHRINKING = OneOf((RandomRotation(30), RandomAffine(0, scale=(0.4, 1)), RandomPerspective(), CROP))
RECIPES = [
    (),
    *((case,) for case in EVERY if case not in MIXES),
    (CROP, RandomHorizontalFlip(), Brightness(0.4), Contrast(0.4)),
    (SHRINKING, Contrast(0.4), SHRINKING),
    (
        Brightness(0.4),
        CROP,
        RandomRotation(30),
        Sometimes(GaussianNoise()),
        RandomErasing(value="random"),
        RandAugment(),
    ),
]


def named(recipe) -> str:
    return " ".join(map(label, recipe)) or "nothing"


@pytest.mark.parametrize("size", [24, pytest.param(SIDE, marks=pytest.mark.slow)])
@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_a_sample_looks_the_same_in_every_batch(recipe, size, monkeypatch):
    """In another order, alone, in a part of the batch, and wherever the batch is cut."""
    images = stored(SIDE, COUNT)
    whole = augmented(recipe, images, size, aspect=ASPECT)
    shuffled = stream(0, "order").permutation(COUNT)
    for rows in (shuffled, np.array([31]), np.array([7, 31, 8]), np.array([5, 5])):
        assert torch.equal(augmented(recipe, images, size, rows, ASPECT), whole[rows])
    for at_once in (1, 7 * images[0].numel()):
        monkeypatch.setitem(applying._AT_ONCE, "cpu", at_once)
        assert torch.equal(augmented(recipe, images, size, aspect=ASPECT), whole)


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_a_recipe_that_is_drawn_for_some_samples_shows_them_as_one_that_is_drawn_for_all(recipe):
    images = stored(SIDE, COUNT)
    whole = augmented(recipe, images, 24, aspect=ASPECT)
    for rows in (np.arange(3, COUNT, 5), np.array([7]), np.arange(COUNT)):
        some = chain(draw(recipe, 0, 0, ASPECT, 24, rows))
        assert torch.equal(applying.apply(some, images[rows], np.arange(len(rows)), 24), whole[rows])


@pytest.mark.parametrize("recipe", [*RECIPES[-3:], (AugMix(),), (ColorJitter(0.4, 0.4, 0.4, 0.1),)], ids=named)
def test_two_threads_change_no_more_than_the_last_bits(recipe):
    """Those of a sum: what is computed from a sum of a picture's pixels (contrast) may be rounded otherwise."""
    images = stored(SIDE, COUNT)
    one = augmented(recipe, images, 24, aspect=ASPECT)
    torch.set_num_threads(2)
    two = augmented(recipe, images, 24, aspect=ASPECT)
    assert (one != two).float().mean() < 0.02
    assert ((one - two).abs() > 1e-5).float().mean() < 1e-4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_shows_the_same_pictures():
    """But for rounding, and what stands on a threshold before it. What is applied image by image may draw there."""
    images = stored(SIDE, COUNT)
    for recipe in (recipe for recipe in RECIPES if not any(operation in PER_IMAGE for operation in recipe)):
        here, there = augmented(recipe, images, 24, aspect=ASPECT), augmented(recipe, images.cuda(), 24, aspect=ASPECT)
        assert there.device.type == "cuda"
        assert ((here - there.cpu()).abs() > 0.01 / 255).float().mean() < 1e-3, named(recipe)


def columns(recipe, *key: int) -> list[np.ndarray]:
    """All parameters of a recipe as drawn, sample by sample."""
    drawn = draw(recipe, *(key or (0, 0)), np.ones(COUNT), 24)
    return [values for parts in drawn.operations for part in parts for values in part.parameters.values()]


@pytest.mark.parametrize("operation", [Brightness(0.4), CROP, RandomAffine(20, (0.3, 0.3)), GaussianNoise()], ids=label)
def test_samples_seeds_and_epochs_are_drawn_apart(operation):
    (first, *_), (epoch, *_), (seed, *_) = (
        columns((operation,)),
        columns((operation,), 0, 1),
        columns((operation,), 1, 0),
    )
    first, epoch, seed = (values.reshape(COUNT, -1)[:, 0] for values in (first, epoch, seed))
    assert len(np.unique(first)) == COUNT
    for one, other in ((first, epoch), (first, seed), (epoch, seed)):
        assert not np.isin(one, other).any()
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.5
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.5


def drawn_as(operation, recipe) -> Drawn:
    """An operation of this type as it was drawn somewhere in a recipe."""
    drawn = draw(recipe, 3, 7, ASPECT, 24)
    return next(part for parts in drawn.operations for part in parts if type(part.operation) is type(operation))


HOLDERS = {
    "with others": lambda held: (RandomInvert(), held, RandomGrayscale()),
    "sometimes": lambda held: (Sometimes(held, 0.3),),
    "sometimes, for all": lambda held: (Sometimes(held, 1),),
    "one of": lambda held: (OneOf((RandomSolarize(0.1), held)),),
    "at the strength it has": lambda held: (Strength((RandomSolarize(0.1), held), 1),),
    "deep down": lambda held: (Strength((Sometimes(OneOf((held, held))),), 1),),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize(
    "operation", [cases[-1] for cases in CASES.values() if cases[-1].uniforms and hasattr(cases[-1], "draw")], ids=label
)
def test_recipes_that_share_an_operation_share_its_draws(operation, holder):
    """Held by others too: for the samples that it is applied to."""
    alone, held = drawn_as(operation, (operation,)), drawn_as(operation, holder(operation))
    assert held.applies.any()
    for name, values in alone.parameters.items():
        assert values[held.applies].tobytes() == held.parameters[name][held.applies].tobytes()


def test_coins_are_shared_too():
    flip = RandomHorizontalFlip(0.4)
    alone, beside = (draw(recipe, 0, 0, ASPECT, 24).operations for recipe in ((flip,), (Brightness(0.4), CROP, flip)))
    assert alone[0][0].applies.tobytes() == beside[2][0].applies.tobytes()
    more = draw((RandomHorizontalFlip(0.6),), 0, 0, ASPECT, 24).operations[0][0].applies
    assert (more | ~alone[0][0].applies).all(), "who is flipped at 0.4 is flipped at 0.6"


def test_two_strengths_see_the_same_uniforms():
    weak, strong = (columns((Brightness(strength),))[0] for strength in (0.2, 0.4))
    assert strong - 1 == pytest.approx(2 * (weak - 1), abs=1e-6)
    half = columns((Strength((Brightness(0.4),), 0.5),))[0]
    assert half.tobytes() == weak.tobytes()


def test_the_second_occurrence_has_draws_of_its_own():
    first, other, second = columns((Brightness(0.4), Contrast(0.4), Brightness(0.4)))
    assert first.tobytes() == columns((Brightness(0.4),))[0].tobytes()
    assert not np.isin(first, second).any()
    assert not np.isin(first, other).any()


def test_a_data_set_that_grows_leaves_the_draws_of_its_first_samples():
    few, many = (draw((CROP, TrivialAugmentWide()), 0, 0, np.ones(count), 24) for count in (20, 50))
    for one, other in zip(few.operations, many.operations, strict=True):
        for small, large in zip(one, other, strict=True):
            assert small.applies.tobytes() == large.applies[:20].tobytes()
            for name, values in small.parameters.items():
                assert values.tobytes() == large.parameters[name][:20].tobytes()
