"""The contract of every operation: pure draws per sample, and torchvision's result for the same parameters.

`CASES` and `TORCHVISION` must name every operation; one without them fails here at collection.
"""

from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest
from sklearn.datasets import load_sample_images
from torchvision import transforms
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import Brightness, Contrast, Operation, RandomHorizontalFlip, RandomResizedCrop
from ablation.augment.resample import resample
from ablation.seeds import stream

CASES = {
    RandomResizedCrop: [
        RandomResizedCrop(),
        RandomResizedCrop(scale=(0.35, 1.0)),
        RandomResizedCrop(scale=(0.01, 0.02), ratio=(1, 3)),
    ],
    RandomHorizontalFlip: [RandomHorizontalFlip(), RandomHorizontalFlip(0.9)],
    Brightness: [Brightness(0.4), Brightness(1.7), Brightness((0.5, 3))],
    Contrast: [Contrast(0.4), Contrast(1.7), Contrast((0.5, 3))],
}


def _resized_crop(image, drawn, size):
    """Its box in whole pixels, as torchvision draws it."""
    left, top, right, bottom = (int(np.round(edge * np.float32(image.shape[-1]))) for edge in drawn["box"])
    return functional.resized_crop(
        image, top, left, max(1, bottom - top), max(1, right - left), [size, size], antialias=True
    )


def _flip(image, drawn, size):
    return functional.horizontal_flip(image) if drawn["box"][0] > drawn["box"][2] else image


TORCHVISION = {
    RandomResizedCrop: _resized_crop,
    RandomHorizontalFlip: _flip,
    Brightness: lambda image, drawn, size: functional.adjust_brightness(image, float(drawn["factor"])),
    Contrast: lambda image, drawn, size: functional.adjust_contrast(image, float(drawn["factor"])),
}
TOLERANCE = {  # in levels of 256
    RandomResizedCrop: 0.002,  # matrix products sum in another order than torchvision's loop
    RandomHorizontalFlip: 0.0,  # at its own size a picture only changes places
    Brightness: 0.01,  # one product in float32: far below what 8 bits can show
    Contrast: 0.01,  # the mean is taken per channel first, torchvision takes that of the grey picture
}

OPERATIONS = set(get_args(Operation))
for table in (CASES, TORCHVISION, TOLERANCE):
    lacking = ", ".join(operation.__name__ for operation in OPERATIONS - set(table))
    if lacking:
        raise LookupError(f"no contract for {lacking}: give each operation its cases and its oracle in this file")

EVERY = pytest.mark.parametrize("operation", [case for cases in CASES.values() for case in cases], ids=str)
ASPECT = np.geomspace(0.4, 2.5, 500).astype(np.float32)


def uniforms_for(operation, rows: int = len(ASPECT)) -> np.ndarray:
    return stream(0, "contract", str(operation)).random((rows, operation.uniforms))


@cache
def pictures(size: int) -> torch.Tensor:
    """(50, 3, size, size) in [0, 1]: 20 of noise, one white, one black, 28 parts of scikit-learn's photographs."""
    rng = stream(0, "pictures", size)
    made = [torch.from_numpy(rng.random((3, size, size), dtype=np.float32)) for _ in range(20)]
    made += [torch.ones(3, size, size), torch.zeros(3, size, size)]
    for photograph in load_sample_images().images * 14:
        side = int(rng.integers(60, 427))
        top, left = int(rng.integers(0, 428 - side)), int(rng.integers(0, 641 - side))
        part = torch.from_numpy(photograph[top : top + side, left : left + side].copy()).permute(2, 0, 1)
        made.append(functional.resize(part, [size, size], antialias=True).float() / 255)
    return torch.stack(made)


def through(operation, images: torch.Tensor, drawn: dict[str, np.ndarray], size: int) -> torch.Tensor:
    parameters = {name: torch.from_numpy(values) for name, values in drawn.items()}
    if "box" in parameters:
        return resample(images, parameters["box"], size)
    return operation.apply(images, parameters)


@EVERY
def test_draws_are_pure_float32_and_one_per_sample(operation):
    uniforms = uniforms_for(operation)
    kept, aspect = uniforms.copy(), ASPECT.copy()
    first, again = operation.draw(uniforms, aspect), operation.draw(uniforms, aspect)
    assert (uniforms == kept).all()
    assert (aspect == ASPECT).all()
    for name, values in first.items():
        assert values.dtype == np.float32
        assert len(values) == len(ASPECT)
        assert values.tobytes() == again[name].tobytes()
        assert len(np.unique(values, axis=0)) > 1, "all samples were given the same draw"


@EVERY
def test_a_samples_draw_does_not_depend_on_the_samples_beside_it(operation):
    uniforms = uniforms_for(operation)
    whole = operation.draw(uniforms, ASPECT)
    rows = stream(1, "rows").permutation(len(ASPECT))[:137]
    for name, values in operation.draw(uniforms[rows], ASPECT[rows]).items():
        assert values.tobytes() == whole[name][rows].tobytes()
    for name, values in operation.draw(uniforms[3:4], ASPECT[3:4]).items():
        assert values.tobytes() == whole[name][3:4].tobytes()


@EVERY
@pytest.mark.parametrize(("source", "size"), [(24, 24), (48, 32), (97, 64), (128, 50)])  # 4 x 50 pictures
def test_the_result_is_torchvisions_for_the_same_parameters(operation, source, size):
    images = pictures(source)
    drawn = operation.draw(uniforms_for(operation, len(images)), ASPECT[::10])
    size = source if type(operation) is RandomHorizontalFlip else size
    kept = images.clone()
    got = through(operation, images, drawn, size)
    assert torch.equal(images, kept), "the input was written to"
    for place, image in enumerate(images):
        one = {name: values[place] for name, values in drawn.items()}
        expected = TORCHVISION[type(operation)](image, one, size)
        assert (got[place] - expected).abs().max() <= TOLERANCE[type(operation)] / 255, f"picture {place}: {one}"


@EVERY
def test_the_result_is_float32_between_0_and_1_of_the_same_shape(operation):
    images = pictures(48)
    got = through(operation, images, operation.draw(uniforms_for(operation, len(images)), ASPECT[::10]), 48)
    assert got.dtype == torch.float32
    assert got.shape == images.shape
    assert got.min() >= 0
    assert got.max() <= 1


@pytest.mark.parametrize("operation", [Brightness(0.4), Contrast(0.4), Brightness(1.7), Contrast((0.5, 3))], ids=str)
def test_factors_are_uniform_between_torchvisions_bounds(operation):
    """`ColorJitter` itself says what the bounds of a magnitude are."""
    (name,) = (field for field in ("brightness", "contrast") if hasattr(operation, field))
    low, high = getattr(v2.ColorJitter(**{name: getattr(operation, name)}), name)
    factor = operation.draw(uniforms_for(operation, 4000), np.ones(4000))["factor"]
    assert kstest(factor, "uniform", args=(low, high - low)).pvalue > 1e-3


def test_flips_are_as_frequent_as_asked():
    for p in (0.0, 0.2, 0.5, 1.0):
        box = RandomHorizontalFlip(p).draw(uniforms_for(RandomHorizontalFlip(), 4000), np.ones(4000))["box"]
        assert abs((box[:, 0] > box[:, 2]).mean() - p) <= 4 * np.sqrt(p * (1 - p) / 4000)


def test_two_flips_are_none():
    images = pictures(48)
    mirrored = torch.tensor([[1.0, 0.0, 0.0, 1.0]]).expand(len(images), 4)
    assert torch.equal(resample(resample(images, mirrored, 48), mirrored, 48), images)
    assert not torch.equal(resample(images, mirrored, 48), images)


CROPS = [RandomResizedCrop(), RandomResizedCrop((0.35, 1.0)), RandomResizedCrop((0.8, 1.0), (0.9, 2.0))]


@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("crop", CROPS, ids=str)
def test_crops_are_distributed_as_torchvisions(crop, aspect):
    """Area, ratio and position of 3,000 boxes against torchvision's `get_params`; 4,000 pixels make its rounding small.

    At the extremes of proportion most boxes do not fit, and both end in the central box.
    """
    count, width, height = 3000, round(4000 * np.sqrt(aspect)), round(4000 / np.sqrt(aspect))
    box = crop.draw(uniforms_for(crop, count), np.full(count, width / height))["box"].astype(float)
    ours = np.stack([box[:, 0], box[:, 1], box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]])
    theirs = torchvisions_boxes(crop, count, width, height)
    for name, measure in MEASURES.items():
        one, other = measure(ours, width / height), measure(theirs, width / height)
        one, other = (np.round(values, 3) for values in (one, other))  # torchvision's whole pixels would break ties
        assert ks_2samp(one, other).pvalue > 1e-3, name


MEASURES = {
    "area": lambda box, aspect: box[2] * box[3],
    "log ratio": lambda box, aspect: np.log(box[2] / box[3] * aspect),
    "left": lambda box, aspect: box[0],
    "top": lambda box, aspect: box[1],
}


def torchvisions_boxes(crop: RandomResizedCrop, count: int, width: int, height: int) -> np.ndarray:
    """(4, count) left, top, width, height of torchvision's own draws, as fractions of the picture."""
    picture = torch.empty(1, 1, 1).expand(1, height, width)  # its shape is all that is looked at
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        params = [transforms.RandomResizedCrop.get_params(picture, [*crop.scale], [*crop.ratio]) for _ in range(count)]
    return np.array([[left / width, top / height, w / width, h / height] for top, left, h, w in params]).T


def test_a_box_that_never_fits_is_torchvisions_central_one():
    for aspect, crop in ((8.0, RandomResizedCrop((0.9, 1))), (0.1, RandomResizedCrop((0.9, 1)))):
        width, height = (800, 100) if aspect > 1 else (100, 1000)
        got = crop.draw(uniforms_for(crop, 5), np.full(5, aspect))["box"]
        left, top, wide, high = torchvisions_boxes(crop, 5, width, height)
        assert got == pytest.approx(np.stack([left, top, left + wide, top + high], axis=1), abs=0.006)  # half a pixel
        assert len(np.unique(got, axis=0)) == 1
