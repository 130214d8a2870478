"""Photographs for people are those that test images show: the middle square, upright."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import DataError, Experiment, ImageFolder
from ablation.core.seeds import stream
from ablation.data import build, listing
from ablation.training.view import View

SHAPES = {"wide": (96, 48), "tall": (40, 90), "square": (64, 64), "very wide": (200, 40)}


def smooth(width: int, height: int, seed: int) -> Image.Image:
    """A photograph without fine detail: how it is resampled hardly matters, where it is cut does."""
    coarse = stream(seed, "photo").integers(0, 256, (5, 5, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number, (width, height) in enumerate(SHAPES.values()):
        (folder / str(number % 2)).mkdir(exist_ok=True)
        smooth(width, height, number).save(folder / str(number % 2) / f"{number}.png")
    data = ImageFolder(str(folder))
    return build(listing(data, folder / "cache"), 64, folder / "cache"), folder


@pytest.mark.parametrize("side", [48, 64, 20])
def test_they_are_what_the_network_is_tested_on(photos, side):
    data, _ = photos
    rows = np.arange(len(SHAPES))
    clean = View.clean(data, torch.device("cpu"), side, np.zeros(3), np.ones(3)).pictures(rows)
    shown = (clean * 255).round().byte().permute(0, 2, 3, 1).numpy().astype(int)
    crops = data.center_crops(rows, side)
    assert (crops.dtype, crops.shape) == (np.uint8, (4, side, side, 3))
    apart = np.abs(crops.astype(int) - shown)
    assert apart.mean() < 2
    inside = apart[:, 1:-1, 1:-1]
    assert inside.max() <= 16, "of 255; the frame is resampled with what lies beyond it, or not"
    wider = np.abs(data.center_crops(rows[::-1], side).astype(int)[::-1] - crops)
    assert wider.max() == 0, "the rows are those that were given, in their order"
    assert np.abs(data.center_crops(rows[[1, 0, 3, 2]], side).astype(int) - shown).mean() > 20


def test_they_are_the_middle_of_the_photograph(photos):
    """By Pillow from the file itself: the largest square in the middle, to within what two resamplings differ by."""
    data, folder = photos
    for row, name in enumerate(data.names):
        with Image.open(folder / name) as image:
            width, height = image.size
            half = min(width, height) / 2
            box = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
            expected = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC, box=box), int)
        assert np.abs(data.center_crops(np.array([row]), 32)[0].astype(int) - expected).mean() < 4


def test_no_rows_give_no_photographs(photos):
    assert photos[0].center_crops(np.array([], np.int64), 8).shape == (0, 8, 8, 3)


def test_results_show_them_and_say_where_the_cache_is_missing(finished, tmp_path):
    results = finished.results
    experiment: Experiment = finished.experiment
    side = results.cells[0].spec.cache_size
    data = build(listing(experiment.data, results.cache), side, results.cache)
    rows = np.array([3, 1])
    np.testing.assert_array_equal(results.photographs(rows, 16), data.center_crops(rows, 16))
    with pytest.raises(DataError, match="are cached at"):
        replace(results, cache=tmp_path).photographs(rows, 16)
