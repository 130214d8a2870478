"""Every operation against torchvision's function of the same name, on one float picture at a time, to the last level.

Pictures and draws of four shapes for each, parts of photographs and synthetic ones: 60 of them, all 200 in the slow
version. What is made of several operations is held to them elsewhere: see `ORACLE`.
"""

import sys

import catalogue
import numpy as np
import pytest
import torch
from catalogue import EVERY, GEOMETRY, ORACLE, PIXELS, TOLERANCE, alone, frames_of, uniforms_for
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional

from ablation.augment import (
    CenterCrop,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomZoomOut,
)

COUNT = 50
COMPARED = [case for case in EVERY if type(case) in TOLERANCE and getattr(case, "value", None) != "random"]
BOXES = [case for case in COMPARED if case in GEOMETRY and not isinstance(
    case, RandomRotation | RandomAffine | RandomPerspective | RandomZoomOut
) and not getattr(case, "padding", None) and not getattr(case, "pad_if_needed", False)]  # fmt: skip
MAPS = [case for case in COMPARED if case in GEOMETRY and case not in BOXES and not getattr(case, "expand", False)
        and not isinstance(case, RandomZoomOut) and not getattr(case, "pad_if_needed", False)]  # fmt: skip


@pytest.fixture(autouse=True, params=[pytest.param(15, id="few"), pytest.param(50, id="all", marks=pytest.mark.slow)])
def count(request, monkeypatch):
    """Pictures of a shape; all five kinds of synthetic ones are among the first 15."""
    monkeypatch.setattr(sys.modules[__name__], "COUNT", request.param)


def pictures(height: int, width: int) -> Tensor:
    return catalogue.pictures(height, width, COUNT)


def both(operation, images: Tensor, size: int, soft: bool = True) -> tuple[Tensor, Tensor]:
    """Ours and torchvision's for the same draws."""
    drawn = operation.draw(uniforms_for(operation, len(images), *images.shape), frames_of(images))
    kept = images.clone()
    ours = alone(operation, images, drawn, size, soft)
    assert torch.equal(images, kept)
    rows = [{name: values[place] for name, values in drawn.items()} for place in range(len(images))]
    oracle = ORACLE[type(operation)]
    return ours, torch.stack([oracle(image, row, size, operation) for image, row in zip(images, rows, strict=True)])


def furthest(operation, images: Tensor, size: int, soft: bool = True) -> float:
    """The largest difference in levels of 256."""
    ours, theirs = both(operation, images, size, soft)
    assert ours.shape == theirs.shape
    assert ours.dtype == torch.float32
    return float((ours - theirs).abs().max()) * 255


@pytest.mark.parametrize("operation", [case for case in COMPARED if case in PIXELS], ids=str)
def test_pixels_are_torchvisions(operation):
    for height, width in ((32, 32), (48, 33), (33, 64), (64, 64)):
        assert furthest(operation, pictures(height, width), height) <= TOLERANCE[type(operation)]


@pytest.mark.parametrize("operation", BOXES, ids=str)
def test_boxes_are_torchvisions_crop_and_resize(operation):
    """Shrunk, as it is, and enlarged."""
    for side, size in ((32, 32), (64, 32), (48, 33), (40, 64)):
        assert furthest(operation, pictures(side, side), size) <= TOLERANCE[type(operation)]


@pytest.mark.parametrize("operation", MAPS, ids=str)
def test_maps_are_torchvisions_bilinear_ones_at_the_pictures_size(operation):
    for side in (32, 33, 48, 64):
        assert furthest(operation, pictures(side, side), side, soft=False) <= TOLERANCE[type(operation)]


@pytest.mark.parametrize("degrees", [30, 45, 90, 117, -12])
def test_an_expanded_rotation_is_torchvisions_at_its_size(degrees):
    operation = RandomRotation((degrees, degrees), expand=True)
    for side in (32, 45):
        expanded = functional.rotate(pictures(side, side)[0], float(degrees), expand=True).shape[-1]
        assert furthest(operation, pictures(side, side), expanded) <= TOLERANCE[RandomRotation]


@pytest.mark.parametrize("fill", [0.0, (0.9, 0.2, 0.1)])
def test_zooming_out_is_torchvisions_padding_at_its_size(fill):
    for side, factor in ((32, 2), (40, 1.5), (64, 1.25)):
        operation = RandomZoomOut(fill, (factor, factor))
        assert furthest(operation, pictures(side, side), int(side * factor)) <= TOLERANCE[RandomZoomOut]


def test_a_picture_too_small_is_padded_to_its_crop():
    for mode in ("constant", "edge", "reflect", "symmetric"):
        operation = RandomCrop(40, pad_if_needed=True, padding_mode=mode)
        assert furthest(operation, pictures(32, 32), 40) <= TOLERANCE[RandomCrop]


@pytest.mark.parametrize("size", [31, 32, 25])
def test_a_centre_crop_of_odd_room_is_torchvisions(size):
    """Half a pixel more on one side than on the other."""
    for side in (32, 33, 46):
        assert furthest(CenterCrop(size), pictures(side, side), size) <= TOLERANCE[CenterCrop]


TWICE = {  # mean and largest difference in levels: the picture is shrunk by half, or by a map
    RandomRotation(30): (2.5, 130),
    RandomAffine((-10, 50), (0.1, 0.2), (0.7, 1.6), 15): (3.0, 160),
    RandomPerspective(): (3.6, 150),
    RandomZoomOut(): (1.6, 150),
    RandomCrop(padding=4): (1.0, 70),
}


@pytest.mark.parametrize(("operation", "bounds"), TWICE.items(), ids=str)
def test_a_map_that_shrinks_is_near_torchvisions_and_a_resize_after_it(operation, bounds):
    """torchvision's picture is interpolated twice, ours once, and smoothed before: edges and noise differ, by so much.

    Moved by a pixel it would be far more.
    """
    ours, theirs = both(operation, pictures(64, 64), 32)
    levels = (ours - theirs).abs() * 255
    assert levels.mean() < bounds[0]
    assert levels.max() < bounds[1]
    assert (ours.roll(1, 3) - theirs).abs().mean() * 255 > 2 * levels.mean()


def test_erasing_with_noise_erases_torchvisions_box_and_nothing_else():
    grey, noise, images = RandomErasing(value=0.5), RandomErasing(value="random"), pictures(64, 64)
    drawn = grey.draw(uniforms_for(grey, len(images), *images.shape), frames_of(images))
    noisy = alone(noise, images, drawn, 64)
    erased = (both(grey, images, 64)[1] == 0.5) & (images != 0.5)
    assert torch.equal(noisy[~erased], images[~erased])
    assert (noisy != images)[erased].float().mean() > 0.98


def test_crop_and_resize_are_pillows_within_its_roundings():
    """Pillow resizes along one axis, rounds to 8 bits, resizes along the other and rounds again: half a level each."""
    images, operation = pictures(64, 64), RandomResizedCrop((0.1, 1.0))
    drawn = operation.draw(uniforms_for(operation, len(images), "pillow"), frames_of(images))
    for size in (32, 48, 80):
        ours = alone(operation, images, drawn, size)
        for place, image in enumerate((images * 255).round().to(torch.uint8)):
            box = np.round(drawn["box"][place] * np.float32(64)).tolist()
            picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop(box)
            theirs = torch.from_numpy(np.array(picture.resize((size, size), Image.Resampling.BILINEAR)))
            assert (ours[place] * 255 - theirs.permute(2, 0, 1)).abs().max() <= 1.01
