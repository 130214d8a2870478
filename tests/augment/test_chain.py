"""A recipe as it is drawn and applied: few steps, one resampling for neighbours, and pictures in their proportions."""

import numpy as np
import pytest
import torch
from catalogue import GEOMETRY, augmented, shown_by, spread_of_aspects, stored
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import (
    AugMix,
    Brightness,
    CenterCrop,
    Contrast,
    MixUp,
    OneOf,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    Sometimes,
    Strength,
    TrivialAugmentWide,
)
from ablation.augment import apply as applying
from ablation.augment.chain import Adjust, Blend, Resample, chain
from ablation.augment.draws import draw

CROP, FLIP = RandomResizedCrop(scale=(0.35, 1.0)), RandomHorizontalFlip()
COUNT = 60
ASPECT = spread_of_aspects(COUNT)


def steps_of(recipe, aspect=ASPECT, size: int = 32):
    return chain(draw(recipe, 0, 0, aspect, size))


def kinds(*recipe) -> list[type]:
    return [type(step) for step in steps_of(recipe)]


def test_neighbouring_geometry_is_one_resampling():
    assert kinds() == kinds(CROP) == kinds(FLIP) == kinds(CROP, FLIP) == kinds(FLIP, CROP, FLIP, CROP) == [Resample]
    assert kinds(*GEOMETRY) == kinds(OneOf((CROP, RandomRotation(30))), Sometimes(FLIP)) == [Resample]
    assert kinds(Strength((CROP, RandomRotation(30)), 0.5), FLIP) == [Resample]
    assert kinds(CROP, Brightness(0.1), FLIP, CROP) == [Resample, Adjust, Resample]
    assert kinds(Brightness(0.1), Contrast(0.1)) == [Resample, Adjust, Adjust]
    assert kinds(CROP, AugMix()) == [Resample, Blend]


def test_a_recipe_that_does_not_begin_with_geometry_is_resampled_where_it_does():
    square = np.ones(COUNT)
    begin = [[type(step) for step in steps_of((Brightness(0.1), *rest), square)] for rest in ((CROP,), (FLIP,))]
    assert begin == [[Adjust, Resample], [Resample, Adjust, Resample]]


def test_the_steps_are_those_of_the_recipe_whoever_they_apply_to():
    """Were a step left out that applies to no one, a sample's interpolation would depend on the others' coins."""
    assert kinds(Sometimes(Brightness(0.4), 0), RandomHorizontalFlip(0)) == [Resample, Adjust, Resample]
    assert kinds(Brightness(0.1), MixUp()) == [Resample, Adjust], "mixing is done after it"


def test_a_policy_has_a_step_for_each_operation_and_one_for_what_moves():
    found = kinds(TrivialAugmentWide())
    assert found[:1] == [Resample]
    assert set(found[1:]) == {Adjust}
    assert len(found) == 1 + 8


def test_a_centre_crop_comes_first_unless_the_recipe_frames():
    aspect = np.array([2.0, 1.0, 0.5])
    expected = [[0.25, 0, 0.75, 1], [0, 0, 1, 1], [0, 0.25, 1, 0.75]]
    mirrored = [[right, top, left, bottom] for left, top, right, bottom in expected]
    for recipe, boxes in (((), expected), ((Resize(40),), expected), ((RandomHorizontalFlip(1),), mirrored)):
        (step,) = steps_of(recipe, aspect)
        assert step.boxes.tolist() == boxes
        assert step.straight.all()
    drawn = draw((CROP,), 0, 0, ASPECT, 32)
    assert drawn.center is None
    (framed,) = chain(drawn)
    assert framed.boxes == pytest.approx(drawn.operations[0][0].parameters["box"], abs=1e-7)


def test_those_whom_no_operation_frames_are_cropped_at_their_centre():
    drawn = draw((Sometimes(CROP, 0.5),), 0, 0, ASPECT, 32)
    framed = drawn.operations[0][0].applies
    assert (drawn.center.applies == ~framed).all()
    (step,), (central,) = chain(drawn), steps_of(())
    assert step.boxes[~framed] == pytest.approx(central.boxes[~framed], abs=1e-7)
    assert (step.boxes[framed] != central.boxes[framed]).any(axis=1).all()


def test_frames_are_what_torchvision_calls_the_size_of_the_picture():
    (frames,) = [
        [tuple(part.frame[0]) for parts in draw(recipe, 0, 0, np.array([1.5]), 32).operations for part in parts]
        for recipe in ((Resize(64), RandomCrop(56), RandomHorizontalFlip(), CenterCrop(48), Brightness(0)),)
    ]
    assert frames == [(48, 32), (96, 64), (56, 56), (56, 56), (48, 48)]
    squeezed = draw((Resize((20, 30)), FLIP), 0, 0, np.array([1.5]), 32)
    assert squeezed.operations[1][0].frame.tolist() == [[30, 20]]


def test_a_recipe_is_torchvisions_operations_one_after_another():
    recipe = (CROP, FLIP, Contrast(0.4), Brightness(0.4))
    images = stored(40, COUNT)
    (crop,), (flip,), (contrast,), (brightness,) = draw(recipe, 0, 0, ASPECT, 32).operations
    got = augmented(recipe, images, 32, aspect=ASPECT)
    for row in range(COUNT):
        left, top, right, bottom = (int(edge) for edge in np.round(crop.parameters["box"][row] * np.float32(40)))
        one = images[row].float() / 255
        one = functional.resized_crop(one, top, left, bottom - top, right - left, [32, 32], antialias=True)
        one = functional.horizontal_flip(one) if flip.applies[row] else one
        one = functional.adjust_contrast(one, float(contrast.parameters["factor"][row]))
        one = functional.adjust_brightness(one, float(brightness.parameters["factor"][row]))
        assert (got[row] - one).abs().max() <= 0.02 / 255


def test_apply_is_the_prepared_steps_run():
    recipe, images = (CROP, RandomRotation(30), Contrast(0.4)), stored(40, COUNT)
    shown = shown_by(steps_of(recipe), applying.as_pixels(images), 32)
    assert (augmented(recipe, images, 32, aspect=ASPECT) - shown).abs().max() <= 0.002 / 255


def test_pixels_stay_float32_under_autocast():
    recipe, images = (RandomResizedCrop(), RandomRotation(30), Contrast(0.4)), stored(12, 3)
    plain = augmented(recipe, images, 8)
    with torch.autocast("cpu", torch.bfloat16):
        cast = augmented(recipe, images, 8)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)


def squared(picture: np.ndarray, side: int) -> torch.Tensor:
    """A picture (H, W, 3) stretched to a square, as the cache keeps it."""
    square = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1)


def resize_and_centre_crop(picture: np.ndarray, size: int) -> torch.Tensor:
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Resize(size), v2.CenterCrop(size)])
    return torch.as_tensor(transform(picture.copy()))


def slope(width: int, height: int) -> np.ndarray:
    """A picture that says where it is: red rises to the right, green downwards, 240 levels along the longer side."""
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    red, green = 127.5 + 240 * x / max(width, height), 127.5 + 240 * y / max(width, height)
    return np.stack([red, green, np.zeros_like(red)], axis=2).round().astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(640, 427), (427, 640), (900, 300), (500, 500)])
def test_stretching_to_a_square_costs_no_geometry(width, height):
    """The centre crop shows the place that Resize and CenterCrop show.

    On a slope a shift is a difference in colour. The box is rounded to whole pixels of the 256 that are kept, so an
    edge may be off by half of one along the longer side, 240 / 256 / 2 levels; 8 bits round twice: another 1.5.
    """
    picture, aspect = slope(width, height), np.array([width / height], np.float32)
    got = augmented((), squared(picture, 256)[None], 128, aspect=aspect)[0]
    assert (got - resize_and_centre_crop(picture, 128)).abs().max() * 255 <= 240 / 256 / 2 + 1.5


@pytest.mark.parametrize("place", [0, 1])
def test_a_photograph_looks_as_torchvision_shows_it(place):
    """Two resamplings in place of one blur a little: 4 levels on average; a shift by 2 pixels costs more than 10."""
    photograph = load_sample_images().images[place]
    aspect = np.array([photograph.shape[1] / photograph.shape[0]], np.float32)
    got = augmented((), squared(photograph, 256)[None], 128, aspect=aspect)[0]
    expected = resize_and_centre_crop(photograph, 128)
    assert (got - expected).abs().mean() * 255 < 4
    assert (got.roll(2, dims=2) - expected).abs().mean() * 255 > 10
