"""Maps that turn, bend and shrink: composed, they show what torchvision shows after one operation and another."""

import numpy as np
import pytest
import torch
from catalogue import BILINEAR, ORACLE, alone, augmented, frames_of, pictures, shown_by, stored, uniforms_for
from torch import Tensor
from torchvision.transforms.v2 import functional

from ablation.augment import (
    Brightness,
    CenterCrop,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    RandomZoomOut,
    Resize,
)
from ablation.augment import apply as applying
from ablation.augment.chain import Resample, chain
from ablation.augment.draws import draw
from ablation.augment.operations.warp import _homography
from ablation.core.seeds import stream
from ablation.core.values import label

SIDE, COUNT = 48, 60
CROP, TURN = RandomResizedCrop((0.5, 1.0)), RandomRotation(30)


def one_after_another(recipe, images: Tensor, seed: int = 0) -> Tensor:
    """torchvision's pictures, each operation made of the one before, in whole pixels of the picture."""
    drawn = draw(recipe, seed, 0, np.ones(len(images)), SIDE)
    seen = images.clone()
    for (part,) in drawn.operations:
        assert (part.frame == SIDE).all()
        for place in np.flatnonzero(part.applies):
            row = {name: values[place] for name, values in part.parameters.items()}
            seen[place] = ORACLE[type(part.operation)](seen[place], row, SIDE, part.operation)
    return seen


def at_once(recipe, images: Tensor, soft: bool = True) -> Tensor:
    steps = chain(draw(recipe, 0, 0, np.ones(len(images)), SIDE))
    assert [type(step) for step in steps] == [Resample]
    return shown_by(steps, images, SIDE, soft)


EXACT = [  # flips, quarter turns and shifts by whole pixels lose nothing, wherever they stand
    (RandomHorizontalFlip(), TURN),
    (RandomVerticalFlip(1), RandomHorizontalFlip(), RandomAffine(20, (0.2, 0.2))),
    (TURN, RandomHorizontalFlip(), RandomVerticalFlip()),
    (RandomCrop(padding=6, fill=0.7), RandomCrop(padding=4, fill=0.2)),
    (RandomRotation((90, 90)), RandomCrop(padding=3, padding_mode="edge")),
]
CUT = [  # where a picture was cut off and then turned
    (RandomCrop(padding=5), TURN),
    (RandomAffine(0, (0.3, 0.3), fill=(0.9, 0.2, 0.1)), RandomPerspective(0.5, 1), RandomHorizontalFlip()),
    (RandomCrop(padding=6, padding_mode="reflect"), RandomCrop(padding=4, padding_mode="symmetric"), TURN),
]
NEAR = {  # two that interpolate: mean and largest difference in levels
    (CROP, TURN): (4.5, 140),
    (TURN, CROP): (5.5, 180),
    (TURN, RandomAffine(10, (0.1, 0.1), (0.9, 1.2))): (3.5, 140),
    (RandomPerspective(0.3, 1), TURN): (4.0, 140),
    (CROP, RandomZoomOut(0.0, (1.0, 1.5), 1)): (3.5, 140),
}


def named(recipe) -> str:
    return " ".join(map(label, recipe)) if recipe in NEAR or recipe in EXACT + CUT else ""


@pytest.mark.parametrize("recipe", EXACT, ids=named)
def test_composed_maps_are_torchvisions_one_after_another(recipe):
    images = pictures(SIDE, SIDE, COUNT)
    got, expected = at_once(recipe, images, soft=False), one_after_another(recipe, images)
    assert (got - expected).abs().max() * 255 < 0.005
    assert (got - images).abs().mean() * 255 > 2


@pytest.mark.parametrize("recipe", CUT, ids=named)
def test_composed_maps_differ_from_torchvisions_in_the_pixel_at_a_cut(recipe):
    """There torchvision no longer knows what was cut off, and blends with the fill alone: one number in 40, if that."""
    images = pictures(SIDE, SIDE, COUNT)
    difference = (at_once(recipe, images, soft=False) - one_after_another(recipe, images)).abs() * 255
    assert (difference > 0.005).float().mean() < 0.025
    assert difference.mean() < 0.1


@pytest.mark.parametrize(("recipe", "bounds"), NEAR.items(), ids=named)
def test_interpolating_once_is_near_interpolating_twice_and_sharper(recipe, bounds):
    """Noise and edges differ most; crops are rounded to whole pixels where nothing turns them, and there only.

    Moved by a pixel the pictures differ by far more.
    """
    images = pictures(SIDE, SIDE, COUNT)
    got, expected = at_once(recipe, images), one_after_another(recipe, images)
    difference = (got - expected).abs() * 255
    assert difference.mean() < bounds[0]
    assert difference.max() < bounds[1]
    assert (got.roll(1, 3) - expected).abs().mean() > 2 * (got - expected).abs().mean()
    assert steepness(got) > steepness(expected)


def steepness(images: Tensor) -> Tensor:
    """How much neighbours differ, on average."""
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.8])
def test_what_a_map_shrinks_is_as_smooth_as_torchvisions_resize(factor):
    """A picture made smaller in its frame, against the same made smaller by `resize`, with antialiasing.

    Without smoothing beforehand noise would stay noise.
    """
    images = pictures(60, 60, COUNT)
    operation = RandomAffine(0, scale=(factor, factor))
    drawn = operation.draw(uniforms_for(operation, COUNT), frames_of(images))
    soft, hard = (alone(operation, images, drawn, 60, soft) for soft in (True, False))
    small = round(60 * factor)
    expected = functional.resize(images, [small, small], antialias=True)
    first = (60 - small) // 2
    inner = slice(first + 1, first + small - 1)
    errors = [(got[:, :, inner, inner] - expected[:, :, 1:-1, 1:-1]).abs().mean() * 255 for got in (soft, hard)]
    assert errors[0] < 1.5
    assert errors[1] > 1.4 * errors[0]
    assert soft[:, :, :first, :].abs().max() == 0


def test_a_map_that_shrinks_without_bound_ends():
    """Near its horizon a perspective has no bound; a picture may also be made a hundred times smaller."""
    images = stored(8, COUNT)
    for recipe in ((RandomPerspective(1.0, 1),), (RandomAffine(0, scale=(0.01, 0.02)),)):
        assert augmented(recipe, images, 8).isfinite().all()


@pytest.mark.parametrize("size", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("distortion", [0.5, 1.0])
def test_a_perspective_of_few_pixels_is_a_picture(size, distortion):
    """Corners may meet or lie on one line, which no perspective allows, and the horizon may be anywhere."""
    images, aspect = stored(8, 20).repeat(25, 1, 1, 1), np.geomspace(0.5, 2, 500)
    got = augmented((RandomPerspective(distortion, 1),), images, size, aspect=aspect)
    assert got.isfinite().all()
    assert got.min() >= 0
    assert got.max() <= 1


def test_a_homography_takes_four_points_to_four_points():
    rng = stream(0, "points")
    start = rng.random((500, 4, 2)) * 0.4 + [[0, 0], [0.6, 0], [0.6, 0.6], [0, 0.6]]
    stop = rng.random((500, 4, 2)) * 0.4 + [[0, 0], [0.6, 0], [0.6, 0.6], [0, 0.6]]
    start[0] = [[1, 1], [2, 1], [2, 2], [1, 2]]
    stop[0] = [[1, 1], [2, 1], [3, 3], [1, 2]]
    maps = _homography(start, stop)
    seen = np.einsum("nij,nkj->nki", maps, np.concatenate([start, np.ones((500, 4, 1))], axis=2))
    assert seen[..., :2] / seen[..., 2:] == pytest.approx(stop, abs=1e-9)
    line = np.array([[[0.0, 0], [1, 1], [2, 2], [0, 2]]])
    assert (_homography(line, stop[:1]) == np.eye(3)).all()


def test_a_point_that_goes_to_infinity_at_the_origin_is_no_exception():
    """The ninth number, which is often taken as 1, is 0 there."""
    expected = np.array([[1.0, 0.2, 3], [0, 1, 2], [0.1, 0.3, 0]])
    start = np.array([[[1.0, 1], [3, 1], [3, 4], [1, 3]]])
    seen = np.concatenate([start, np.ones((1, 4, 1))], axis=2) @ expected.T
    (got,) = _homography(start, seen[..., :2] / seen[..., 2:])
    assert got / got[0, 0] == pytest.approx(expected, abs=1e-9)


def test_a_rotation_turns_the_picture_and_not_its_square():
    """Pictures are stored as squares, and turned in their own proportions: a slope in a wide one turns by as much."""
    aspect = np.array([2.0])
    recipe = (RandomRotation((30, 30)), CenterCrop(20))
    wide = torch.linspace(0, 255, 64).expand(1, 3, 64, 64).to(torch.uint8)  # rises to the right
    steps = chain(draw(recipe, 0, 0, aspect, 40))
    got = applying.apply(steps, wide, np.array([0]), 40)[0, 0]
    rise_right, rise_down = got.diff(dim=1).mean(), got.diff(dim=0).mean()
    assert torch.rad2deg(torch.atan2(rise_down, rise_right)) == pytest.approx(-30, abs=1)


def test_an_expanded_frame_is_what_comes_after_it_sees():
    """A centre crop of 40 pixels out of a picture of 40 that was turned by 45 degrees and expanded to 57."""
    images = pictures(40, 40, 20)
    recipe = (RandomRotation((45, 45), expand=True), CenterCrop(40))
    drawn = draw(recipe, 0, 0, np.ones(20), 40)
    assert (drawn.operations[1][0].frame == functional.rotate(images[0], 45.0, expand=True).shape[-1]).all()
    got = shown_by(chain(drawn), images, 40, soft=False)
    expanded = functional.rotate(images, 45.0, BILINEAR, expand=True)
    difference = (got - functional.center_crop(expanded, [40, 40])).abs() * 255
    assert difference.mean() < 4  # a crop of 40 of 57 pixels is at half a pixel


def test_a_resize_counts_for_what_comes_after_it_in_pixels():
    """(Resize(64), CenterCrop(56)) shows 56 / 64 of the picture at every image size, as torchvision's pair does."""
    images = pictures(64, 64, 20)
    expected = functional.center_crop(images, [56, 56])
    recipe = (Resize(64), CenterCrop(56))
    for size in (56, 28, 80):
        got = shown_by(chain(draw(recipe, 0, 0, np.ones(20), size)), images, size)
        assert (got - functional.resize(expected, [size, size], antialias=True)).abs().max() <= 0.002 / 255


def test_pixels_between_two_maps_keep_them_apart():
    images = pictures(SIDE, SIDE, COUNT)
    recipe = (TURN, Brightness(0.4), RandomHorizontalFlip(1))
    steps = chain(draw(recipe, 0, 0, np.ones(COUNT), SIDE))
    assert [type(step).__name__ for step in steps] == ["Resample", "Adjust", "Resample"]
    got = shown_by(steps, images, SIDE, soft=False)
    assert (got - one_after_another(recipe, images)).abs().max() * 255 < 0.02
