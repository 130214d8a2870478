"""What is drawn follows torchvision's distributions: 10,000 draws of each, by Kolmogorov and Smirnov's tests.

torchvision's own `make_params` is the oracle, on a picture of so many pixels that its whole numbers look continuous;
where that is slow, it is asked 500 times, 2,000 in the slow version.
"""

import sys

import numpy as np
import pytest
import torch
from catalogue import uniforms_for
from scipy.stats import chisquare, ks_2samp, kstest
from torchvision.transforms import v2

from ablation.augment import (
    AugMix,
    Brightness,
    ColorJitter,
    Contrast,
    CutMix,
    Cutout,
    GaussianBlur,
    Hue,
    MixUp,
    RandomAffine,
    RandomChannelPermutation,
    RandomCrop,
    RandomErasing,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomZoomOut,
    Saturation,
)

COUNT, THEIRS = 10_000, 2_000
WIDE, HIGH = 3000, 2000


def ours(operation, width: int = WIDE, height: int = HIGH, count: int = COUNT) -> dict[str, np.ndarray]:
    frame = np.tile(np.array([width, height], float), (count, 1))
    return operation.draw(uniforms_for(operation, count, "distribution"), frame)


@pytest.fixture(
    autouse=True, params=[pytest.param(500, id="few"), pytest.param(2000, id="all", marks=pytest.mark.slow)]
)
def asked(request, monkeypatch):
    """How often torchvision is asked."""
    monkeypatch.setattr(sys.modules[__name__], "THEIRS", request.param)


def theirs(transform, width: int = WIDE, height: int = HIGH, count: int = 0) -> list[dict]:
    picture = torch.empty(1, 1, 1).expand(3, height, width)  # its shape is all that is looked at
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return [transform.make_params([picture]) for _ in range(count or THEIRS)]


def alike(one, other) -> bool:
    """Whether two samples may come from one distribution; rounded, as torchvision's whole pixels would break ties."""
    return ks_2samp(np.round(one, 3), np.round(other, 3)).pvalue > 1e-3


def column(params: list[dict], *names: str) -> list[np.ndarray]:
    return [np.array([float(row[name]) for row in params]) for name in names]


CROPS = [RandomResizedCrop(), RandomResizedCrop((0.35, 1.0)), RandomResizedCrop((0.8, 1.0), (0.9, 2.0))]


@pytest.mark.parametrize("aspect", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("crop", CROPS, ids=str)
def test_crops(crop, aspect):
    """Place, area and proportions. At the extremes most boxes do not fit, and both end in the central box."""
    width, height = round(4000 * np.sqrt(aspect)), round(4000 / np.sqrt(aspect))
    left, top, right, bottom = ours(crop, width, height)["box"].T.astype(float)
    x, y, wide, high = column(theirs(v2.RandomResizedCrop(1, crop.scale, crop.ratio), width, height),
                              "left", "top", "width", "height")  # fmt: skip
    assert alike(left, x / width)
    assert alike(top, y / height)
    assert alike((right - left) * (bottom - top), wide * high / width / height)
    assert alike(np.log((right - left) / (bottom - top) * width / height), np.log(wide / high))


def test_a_box_that_never_fits_is_torchvisions_central_one():
    for width, height in ((800, 100), (100, 1000)):
        crop = RandomResizedCrop((0.9, 1))
        got = ours(crop, width, height, 5)["box"]
        (params, *_) = theirs(v2.RandomResizedCrop(1, crop.scale, crop.ratio), width, height, 1)
        left, top = params["left"] / width, params["top"] / height
        box = [left, top, left + params["width"] / width, top + params["height"] / height]
        assert got == pytest.approx(np.tile(box, (5, 1)), abs=0.006)  # half a pixel


@pytest.mark.parametrize(
    "crop",
    [
        RandomCrop(24),
        RandomCrop(32, 4),
        RandomCrop(32, (3, 7)),
        RandomCrop(28, (1, 2, 5, 8)),
        RandomCrop(50, pad_if_needed=True),
    ],
    ids=str,
)
def test_whole_pixels_of_a_random_crop_are_each_as_frequent_as_torchvisions(crop):
    """On a picture of 40 x 32 pixels; torchvision's are counted from the padded corner."""
    box = np.round(ours(crop, 40, 32)["box"] * [40, 32, 40, 32])
    padding = list(crop.padding) if isinstance(crop.padding, tuple) else crop.padding
    params = theirs(v2.RandomCrop(crop.size, padding, crop.pad_if_needed), 40, 32)
    assert (box[:, 2:] - box[:, :2] == crop.size).all()
    for axis, name in enumerate(("left", "top")):
        expected = np.array([row[name] - row["padding"][axis] for row in params])
        assert set(box[:, axis]) == set(expected)
        assert ks_2samp(box[:, axis], expected).pvalue > 1e-3
        counts = np.unique(box[:, axis], return_counts=True)[1]
        assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("degrees", [30.0, (10.0, 200.0)])
def test_angles(degrees):
    low, high = v2.RandomRotation(degrees).degrees
    assert kstest(ours(RandomRotation(degrees))["angle"], "uniform", (low, high - low)).pvalue > 1e-3
    assert alike(ours(RandomRotation(degrees))["angle"], column(theirs(v2.RandomRotation(degrees)), "angle")[0])


@pytest.mark.parametrize(
    "fields",
    [
        (20,),
        (0, (0.3, 0.1)),
        ((-10, 50), (0.1, 0.2), (0.7, 1.6), 15),
        (5, None, (1, 1.4), (-5, 9)),
        (5, None, None, (-5, 5, -20, 10)),
    ],
    ids=str,
)
def test_affine_maps(fields):
    drawn, params = ours(RandomAffine(*fields)), theirs(v2.RandomAffine(*fields))
    angle, scale = column(params, "angle", "scale")
    assert alike(drawn["angle"], angle)
    assert alike(drawn["scale"], scale)
    for axis in range(2):
        assert alike(drawn["translate"][:, axis], [row["translate"][axis] for row in params])
        assert alike(drawn["shear"][:, axis], [row["shear"][axis] for row in params])


@pytest.mark.parametrize("distortion", [0.2, 0.5, 1.0])
@pytest.mark.parametrize(("width", "height"), [(WIDE, HIGH), (33, 20)])
def test_corners_of_a_perspective(distortion, width, height, monkeypatch):
    """torchvision hands over coefficients only; the corners are caught on their way."""
    seen: list = []
    monkeypatch.setattr(
        "torchvision.transforms.v2._geometry._get_perspective_coeffs", lambda start, stop: seen.append((start, stop))
    )
    theirs(v2.RandomPerspective(distortion), width, height)
    moved = np.array([stop for _, stop in seen])
    corners = ours(RandomPerspective(distortion), width, height)["corners"]
    for corner in range(4):
        for axis in range(2):
            assert alike(corners[:, corner, axis], moved[:, corner, axis])
            if width < 100:
                assert set(corners[:, corner, axis]) == set(moved[:, corner, axis])


@pytest.mark.parametrize("factors", [(1.0, 4.0), (1.2, 1.7)])
def test_zooming_out(factors):
    drawn = ours(RandomZoomOut(side_range=factors))
    padding = np.array([row["padding"] for row in theirs(v2.RandomZoomOut(side_range=factors))])
    for axis, side in enumerate((WIDE, HIGH)):
        assert alike(drawn["offset"][:, axis] / side, padding[:, axis] / side)
        assert alike(drawn["canvas"][:, axis] / side, (padding[:, axis] + padding[:, axis + 2]) / side + 1)


@pytest.mark.parametrize("kind", [Brightness, Contrast, Saturation], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("jitter", [0.4, 1.7, (0.5, 3.0)], ids=str)
def test_factors(kind, jitter):
    """Uniform between the bounds that `ColorJitter` makes of a magnitude."""
    low, high = getattr(v2.ColorJitter(**{kind.__name__.lower(): jitter}), kind.__name__.lower())
    assert kstest(ours(kind(jitter))["factor"], "uniform", (low, high - low)).pvalue > 1e-3


@pytest.mark.parametrize("hue", [0.1, 0.5, (-0.1, 0.3)], ids=str)
def test_hues(hue):
    low, high = v2.ColorJitter(hue=hue).hue
    assert kstest(ours(Hue(hue))["shift"], "uniform", (low, high - low)).pvalue > 1e-3


def test_a_colour_jitter_has_torchvisions_factors_in_every_order_alike():
    operation = ColorJitter(0.4, 0.5, 1.7, 0.2)
    parts = operation.parts(uniforms_for(operation, COUNT, "distribution"), np.ones((COUNT, 2)))
    params = theirs(v2.ColorJitter(0.4, 0.5, 1.7, 0.2))
    kinds, place_of = [Brightness, Contrast, Saturation, Hue], np.full((COUNT, 4), -1)
    for index, (simple, drawn, applies) in enumerate(parts):
        which = kinds.index(type(simple))
        place_of[applies, which] = index // 4
        (values,) = drawn.values()
        name = "hue_factor" if which == 3 else f"{type(simple).__name__.lower()}_factor"
        assert alike(values, column(params, name)[0])
    assert (np.sort(place_of, axis=1) == np.arange(4)).all(), "each of the four once"
    assert chisquare(np.unique(place_of, axis=0, return_counts=True)[1]).pvalue > 1e-3
    assert len(np.unique(place_of, axis=0)) == 24


def test_permutations_of_channels():
    found, counts = np.unique(ours(RandomChannelPermutation())["permutation"], axis=0, return_counts=True)
    assert len(found) == 6
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    "fields", [((0.02, 0.33), (0.3, 3.3)), ((0.3, 0.9), (0.5, 4.0))], ids=str
)  # of the second many never fit
def test_erased_rectangles(fields):
    box = ours(RandomErasing(1, *fields))["box"]
    params = [row for row in theirs(v2.RandomErasing(1, *fields)) if row["v"] is not None]
    erased = box[box[:, 2] > box[:, 0]].T
    assert abs((len(params) / THEIRS) - erased.shape[1] / COUNT) < 3 * (0.25 / THEIRS) ** 0.5
    x, y, wide, high = column(params, "j", "i", "w", "h")
    assert alike(erased[0], x / WIDE)
    assert alike(erased[1], y / HIGH)
    assert alike((erased[2] - erased[0]), wide / WIDE)
    assert alike((erased[3] - erased[1]), high / HIGH)


def test_widths_of_a_blur():
    assert alike(
        ours(GaussianBlur(5, (0.3, 4)))["sigma"], [row["sigma"][0] for row in theirs(v2.GaussianBlur(5, (0.3, 4)))]
    )
    assert (ours(GaussianBlur(5, 2))["sigma"] == 2).all()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_weights_of_a_mixup(alpha):
    drawn = ours(MixUp(alpha))["weight"]
    assert ks_2samp(drawn, column(theirs(v2.MixUp(alpha=alpha, num_classes=2)), "lam")[0]).pvalue > 1e-3
    assert kstest(drawn.astype(float), "beta", (alpha, alpha)).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_boxes_of_a_cutmix(alpha):
    drawn, params = ours(CutMix(alpha)), theirs(v2.CutMix(alpha=alpha, num_classes=2))
    boxes = np.array([row["box"] for row in params]) / [WIDE, HIGH, WIDE, HIGH]
    for edge in range(4):
        assert alike(drawn["box"][:, edge], boxes[:, edge])
    assert alike(drawn["weight"], column(params, "lam_adjusted")[0])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_weights_of_an_augmix(alpha):
    """A Beta for the picture, a Dirichlet for the chains, by torch's sampler."""
    operation = AugMix(alpha=alpha)
    ((_, drawn, _),) = operation.parts(uniforms_for(operation, COUNT, "distribution"), np.full((COUNT, 2), 32.0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        own = torch._sample_dirichlet(torch.full((COUNT, 2), alpha))
        chains = own[:, 1:] * torch._sample_dirichlet(torch.full((COUNT, 3), alpha))
    for place, expected in enumerate((own[:, 0], *chains.T)):
        assert ks_2samp(drawn["weights"][:, place], expected.numpy()).pvalue > 1e-3
    assert ks_2samp(drawn["weights"][:, 1:].max(axis=1), chains.max(dim=1).values.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("length", [9, 16])
def test_squares_cut_out_are_the_papers(length):
    """Its own code: about a pixel of the picture, each as often, half a length to each side, cut off at the edge."""
    side = 32
    drawn = ours(Cutout(length), side, side)["box"].T * side
    y, x = np.indices((side, side)).reshape(2, -1)
    low = np.maximum(x - length // 2, 0), np.maximum(y - length // 2, 0)
    high = np.minimum(x - length // 2 + length, side), np.minimum(y - length // 2 + length, side)
    for edge, expected in zip(drawn, (*low, *high), strict=True):
        levels, counts = np.unique(expected, return_counts=True)
        found = (edge[:, None] == levels).sum(axis=0)
        assert found.sum() == COUNT
        assert chisquare(found, counts * COUNT / side**2).pvalue > 1e-3
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.05
