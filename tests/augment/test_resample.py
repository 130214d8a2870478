"""One resampling for crop, resize and mirror, against torchvision's on one image at a time."""

import numpy as np
import pytest
import torch
from catalogue import pictures, stored
from torch import Tensor
from torchvision.transforms.v2 import functional

from ablation.augment.operations.geometry import box_maps, boxes_of
from ablation.augment.resample import Taps, as_pixels, gaussian, separable, soften_, taps
from ablation.core.seeds import stream

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
CLOSE = 0.002 / 255  # sums in another order


def noise(count: int, height: int, width: int) -> Tensor:
    return torch.from_numpy(stream(0, "noise", height).random((count, 3, height, width), dtype=np.float32))


def resample(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """What these boxes (B, 4) show of images (B, 3, H, W), at size x size."""
    (left, top, right, bottom), (height, width) = boxes.unbind(1), images.shape[2:]
    return separable(images, taps(left, right, width, size), taps(top, bottom, height, size))


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
    levels = stored(33)
    assert torch.equal(resample(levels, WHOLE.expand(50, 4), 33), as_pixels(levels))


def test_levels_of_8_bits_are_255ths():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert (as_pixels(levels) - levels.double() / 255).abs().max() < 1e-7
    assert as_pixels(levels).max() == 1
    boxes = torch.from_numpy(stream(0, "boxes").random((50, 4), dtype=np.float32))
    levels, floats = stored(40), pictures(40, 40)
    for size in (24, 40, 64):
        assert (resample(levels, boxes, size) - resample(floats, boxes, size)).abs().max() <= CLOSE


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


def test_two_mirrors_are_none():
    images = pictures(40, 40)
    mirrored = torch.tensor([[1.0, 0.0, 0.0, 1.0]]).expand(len(images), 4)
    assert torch.equal(resample(resample(images, mirrored, 40), mirrored, 40), images)
    assert not torch.equal(resample(images, mirrored, 40), images)


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
    boxes = torch.from_numpy(stream(0, "boxes").random((64, 4), dtype=np.float32))
    for white in (torch.ones(64, 3, 64, 64), torch.full((64, 3, 64, 64), 255, dtype=torch.uint8)):
        got = resample(white, boxes, 48)
        assert got.max() == 1
        assert got.min() > 1 - 1e-6


def test_the_weights_of_a_sample_sum_to_one():
    edges = torch.from_numpy(stream(0, "edges").random((100, 2), dtype=np.float32))
    for size in (5, 48, 200):
        assert (taps(edges[:, 0], edges[:, 1], 48, size).weights.sum(dim=2) - 1).abs().max() < 1e-6
    sigma = torch.linspace(0.1, 9, 100)
    for kernel in (1, 3, 23):
        assert (gaussian(sigma, kernel, 48).weights.sum(dim=2) - 1).abs().max() < 1e-6


def test_places_lie_in_the_box_even_where_they_have_no_weight():
    """So that a part of the picture around the box is all that must be read."""
    edges = torch.from_numpy(stream(0, "edges").random((300, 2), dtype=np.float32))
    low = (edges.amin(dim=1) * 48).round().clamp(max=47)
    high = torch.maximum((edges.amax(dim=1) * 48).round(), low + 1)
    for size in (5, 48, 200):
        places = taps(edges[:, 0], edges[:, 1], 48, size).indices
        assert (places.amin(dim=(1, 2)) >= low).all()
        assert (places.amax(dim=(1, 2)) < high).all()


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.7])
@pytest.mark.parametrize("kernel", [1, 5, 31])
def test_a_kernel_may_be_wider_than_the_picture(kernel, sigma):
    """torchvision mirrors at most once; so do we, at each place that the mirrored picture has."""
    images = noise(2, 16, 16)
    weights = gaussian(torch.full((2,), sigma), kernel, 16)
    expected = functional.gaussian_blur(images, [kernel, kernel], [sigma, sigma])
    assert (separable(images, weights, weights) - expected).abs().max() <= CLOSE


def test_softening_keeps_the_mean_and_widens_by_the_variance_that_is_asked():
    """Of a point, in numbers of pixels: 2 k n for neighbours of weight k in n turns; along each axis its own."""
    point = torch.zeros(3, 1, 41, 41)
    point[:, :, 20, 20] = 1
    across, down, turns = torch.tensor([0.0, 0.1, 0.25]), torch.tensor([0.25, 0.0, 0.05]), torch.tensor([4, 2, 3])
    soft = soften_(point, across, down, turns, 4)
    place = torch.arange(41.0) - 20
    assert soft.sum(dim=(1, 2, 3)) == pytest.approx(1, abs=1e-6)
    assert (soft.sum(dim=2)[:, 0] * place**2).sum(dim=1) == pytest.approx(2 * across * turns, abs=1e-5)
    assert (soft.sum(dim=3)[:, 0] * place**2).sum(dim=1) == pytest.approx(2 * down * turns, abs=1e-5)


def test_softening_by_nothing_changes_nothing_to_the_last_bit_and_white_stays_white():
    images, none, turns = noise(3, 20, 20), torch.zeros(3), torch.tensor([7, 7, 0])
    assert torch.equal(soften_(images.clone(), none, none, turns, 7), images)
    most = torch.full((3,), 0.25)
    assert (soften_(torch.ones(3, 3, 20, 20), most, most, turns, 7) - 1).abs().max() < 1e-6


def test_boxes_compose_as_pictures_do():
    """The box of a box shows what resampling twice shows, where whole pixels and whole scales keep it exact."""
    images = noise(1, 64, 64)
    outer, inner = np.array([[0.25, 0.0, 0.75, 0.5]]), np.array([[1.0, 0.5, 0.0, 1.0]])
    composed = boxes_of(box_maps(outer) @ box_maps(inner))
    assert composed.tolist() == [[0.75, 0.25, 0.25, 0.5]]
    first, second, both = (torch.from_numpy(box.astype(np.float32)) for box in (outer, inner, composed))
    assert (resample(images, both, 32) - resample(resample(images, first, 32), second, 32)).abs().max() <= CLOSE


def test_a_box_is_the_same_after_it_was_a_map_and_composed_with_all_of_it():
    boxes = stream(0, "boxes").random((1000, 4)).astype(np.float32)
    whole = box_maps(np.tile(np.array([0.0, 0, 1, 1]), (1000, 1)))
    for maps in (box_maps(boxes), box_maps(boxes) @ whole, whole @ box_maps(boxes)):
        assert boxes_of(maps).astype(np.float32).tobytes() == boxes.tobytes()


def test_taps_of_one_pixel_only_pass_it_on():
    images = noise(2, 12, 12)
    places = torch.arange(12).flip(0).view(1, 12, 1).expand(2, 12, 1)
    weights = Taps(places, torch.ones(2, 12, 1))
    assert torch.equal(separable(images, weights, weights), images.flip(2, 3))
