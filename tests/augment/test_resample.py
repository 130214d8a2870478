"""One resampling for crop, resize and mirror, against torchvision's on one image at a time."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from ablation.augment.geometry import compose
from ablation.augment.resample import resample, weights
from ablation.seeds import stream

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
CLOSE = 0.002 / 255  # sums in another order


def noise(count: int, height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(stream(0, "noise", height).random((count, 3, height, width), dtype=np.float32))


@pytest.mark.parametrize("size", [1, 7, 32, 33, 50, 64])
def test_a_whole_picture_is_resized_as_torchvision_does(size):
    images = noise(4, 33, 33)
    expected = functional.resize(images, [size, size], antialias=True)
    assert (resample(images, WHOLE.expand(4, 4), size) - expected).abs().max() <= CLOSE


def test_a_picture_need_not_be_square():
    images = noise(3, 20, 51)
    expected = functional.resize(images, [16, 16], antialias=True)
    assert (resample(images, WHOLE.expand(3, 4), 16) - expected).abs().max() <= CLOSE


def test_at_its_own_size_nothing_changes_to_the_last_bit():
    images = noise(4, 33, 33)
    assert torch.equal(resample(images, WHOLE.expand(4, 4), 33), images)


def test_each_sample_has_its_own_box():
    """Left, top, right, bottom: four different edges tell them apart."""
    images = noise(2, 40, 40)
    boxes = torch.tensor([[0.1, 0.2, 0.6, 0.9], [0.25, 0.0, 0.5, 0.5]])
    first = functional.resized_crop(images[0], 8, 4, 28, 20, [16, 16], antialias=True)
    second = functional.resized_crop(images[1], 0, 10, 20, 10, [16, 16], antialias=True)
    assert (resample(images, boxes, 16) - torch.stack([first, second])).abs().max() <= CLOSE


def test_left_beyond_right_mirrors():
    images = noise(2, 40, 40)
    box, mirrored = torch.tensor([[0.1, 0.2, 0.6, 0.9]]), torch.tensor([[0.6, 0.2, 0.1, 0.9]])
    for size in (16, 40):
        expected = functional.horizontal_flip(resample(images, box.expand(2, 4), size))
        assert (resample(images, mirrored.expand(2, 4), size) - expected).abs().max() <= CLOSE


def test_a_crop_does_not_see_beyond_its_edge():
    """Like torchvision, which cuts first: the weights at the edge are renormalised."""
    images = noise(1, 40, 40)
    outside = images.clone()
    outside[..., 20:] = 0
    box = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
    assert torch.equal(resample(images, box, 16), resample(outside, box, 16))


@pytest.mark.parametrize("edges", [(0.0, 0.001), (0.999, 1.0), (0.5, 0.5), (1.0, 1.0)])
def test_the_smallest_box_is_one_pixel(edges):
    images = noise(1, 10, 10)
    got = resample(images, torch.tensor([[edges[0], 0.0, edges[1], 1.0]]), 8)
    column = {0.0: 0, 0.999: 9, 0.5: 5, 1.0: 9}[edges[0]]
    expected = functional.resized_crop(images[0], 0, column, 10, 1, [8, 8], antialias=True)
    assert (got[0] - expected).abs().max() <= CLOSE


def test_white_stays_white_and_no_more():
    white = torch.ones(64, 3, 64, 64)
    boxes = torch.from_numpy(stream(0, "boxes").random((64, 4), dtype=np.float32))
    got = resample(white, boxes, 48)
    assert got.max() == 1
    assert got.min() > 1 - 1e-6


def test_the_weights_of_a_sample_sum_to_one():
    edges = torch.from_numpy(stream(0, "edges").random((100, 2), dtype=np.float32))
    for size in (5, 48, 200):
        sums = weights(edges[:, 0], edges[:, 1], 48, size).sum(dim=2)
        assert (sums - 1).abs().max() < 1e-6


def test_boxes_compose_as_pictures_do():
    """The box of a box shows what resampling twice shows, where whole pixels and whole scales keep it exact."""
    images = noise(1, 64, 64)
    outer, inner = np.array([[0.25, 0.0, 0.75, 0.5]], np.float32), np.array([[1.0, 0.5, 0.0, 1.0]], np.float32)
    composed = compose(outer, inner)
    assert composed.tolist() == [[0.75, 0.25, 0.25, 0.5]]
    twice = resample(resample(images, torch.from_numpy(outer), 32), torch.from_numpy(inner), 32)
    assert (resample(images, torch.from_numpy(composed), 32) - twice).abs().max() <= CLOSE


def test_the_whole_of_a_box_is_that_box_to_the_last_bit():
    boxes = stream(0, "boxes").random((1000, 4)).astype(np.float32)  # with bits below 2^-24, where sums round
    whole = np.tile(np.array([0, 0, 1, 1], np.float32), (1000, 1))
    assert compose(boxes, whole).tobytes() == boxes.tobytes()
    assert compose(whole, boxes).tobytes() == boxes.tobytes()
