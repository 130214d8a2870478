"""Normalisation: the data's own, ImageNet's as torchvision has it, or a given one; each held to its bounds."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from torchvision.transforms._presets import ImageClassification

from ablation.core.errors import InputError
from ablation.core.values import fit, plain, restore
from ablation.data import Digits, Subset, build, listing, mean_std
from ablation.data.normalization import FLOOR, IMAGENET, Normalization, NormalizationChoice, moments


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("normalization")
    return build(listing(Subset(Digits(), 4), folder), 8, folder)


def test_the_datas_own_is_measured_on_the_given_rows(data):
    for rows in (np.arange(10), np.arange(5, 40)):
        for ours, measured in zip(moments("data", data, rows), mean_std(data, rows), strict=True):
            assert np.array_equal(ours, measured)
    assert not np.array_equal(moments("data", data, np.arange(10))[0], moments("data", data, np.arange(5, 40))[0])


def test_a_channel_that_never_changes_is_divided_by_the_floor(data):
    class Flat:
        images, size = np.full((3, 3, 4, 4), 77, np.uint8), 4

    mean, std = moments("data", Flat(), np.arange(3))
    assert mean == pytest.approx([77 / 255] * 3)
    assert std.tolist() == [FLOOR] * 3


def test_the_same_rows_of_the_same_images_are_measured_once(data):
    own = replace(data, images=np.array(data.images))
    mean, std = moments("data", own, np.arange(20))
    expected = [mean.tolist(), std.tolist()]
    mean += 1
    own.images[:] = 0  # whoever reads them again sees it
    assert [moment.tolist() for moment in moments("data", own, np.arange(20))] == expected
    assert moments("data", own, np.arange(21))[0].tolist() == [0, 0, 0]
    assert moments("data", data, np.arange(20))[0].tolist() == expected[0]  # other images, measured by themselves


def test_imagenets_is_torchvisions(data):
    preset = ImageClassification(crop_size=224)
    assert (list(IMAGENET.mean), list(IMAGENET.std)) == (preset.mean, preset.std)
    mean, std = moments("imagenet", data, np.arange(3))
    assert (mean.tolist(), std.tolist()) == (preset.mean, preset.std)


def test_a_given_one_is_used_as_it_is(data):
    mean, std = moments(Normalization((0, 0.5, 1), (1, 2, 0.001)), data, np.arange(3))
    assert (mean.tolist(), std.tolist()) == ([0, 0.5, 1], [1, 2, 0.001])
    assert mean.dtype == std.dtype == np.float64


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": (0.5, 0.5, 0.5), "std": (0.2, 0, 0.2)}, "Normalization: std = (0.2, 0, 0.2): must be above 0"),
        (
            {"mean": (124, 117, 104), "std": (1, 1, 1)},
            "Normalization: mean = (124, 117, 104): must be at least 0 and at most 1",
        ),
        ({"mean": (0.5, 0.5), "std": (1, 1, 1)}, "Normalization: mean = (0.5, 0.5): expected 3 values, got 2"),
        ({"mean": 0.5, "std": (1, 1, 1)}, "Normalization: mean = 0.5: expected (a number, a number, a number)"),
    ],
)
def test_its_bounds_are_told(fields, message):
    with pytest.raises(InputError) as raised:
        Normalization(**fields)
    assert str(raised.value) == message


def test_a_choice_is_one_of_two_names_or_a_value():
    assert fit("data", NormalizationChoice) == ("data", "")
    assert fit(IMAGENET, NormalizationChoice) == (IMAGENET, "")
    assert fit("imagnet", NormalizationChoice)[1].endswith("; did you mean 'imagenet'?")
    assert restore(plain(IMAGENET), {"Normalization": get_args(NormalizationChoice)[1]}) == IMAGENET
