"""Policies against torchvision's: their tables, every operation at every magnitude, and whole draws.

torchvision's own methods are the oracle: `_AUGMENTATION_SPACE` and `_get_policies` for the tables, and for pictures
`_apply_image_or_video_transform`, on float pictures, which it is told to interpolate bilinearly.
"""

import numpy as np
import pytest
import torch
from catalogue import frames_of, pictures, shown_by, uniforms_for
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import AutoAugment, ColorJitter, RandAugment, TrivialAugmentWide
from ablation.augment.chain import chain
from ablation.augment.draws import DrawnRecipe
from ablation.augment.operation import Drawn
from ablation.augment.operations import policy
from ablation.augment.operations.policy_tables import POLICIES

SIDE = 48
SPACES = {
    "wide": (policy.WIDE, v2.TrivialAugmentWide._AUGMENTATION_SPACE),
    "rand": (policy.RAND, v2.RandAugment._AUGMENTATION_SPACE),
    "auto": (policy.AUTO, v2.AutoAugment._AUGMENTATION_SPACE),
    "augmix": (policy.AUGMIX, v2.AugMix._AUGMENTATION_SPACE),
}
EVERY_SPACE = pytest.mark.parametrize(("ours", "theirs"), SPACES.values(), ids=SPACES)


def torchvisions(image: Tensor, name: str, magnitude: float) -> Tensor:
    """Black outside: given a fill, torchvision would weight the picture's edge twice. Of 8 bits all are kept, as on
    8-bit pictures, where torchvision's function of floats takes a 256th off white.
    """
    if name == "Posterize" and magnitude == 8:
        return image
    bilinear = v2.InterpolationMode.BILINEAR
    return v2.TrivialAugmentWide()._apply_image_or_video_transform(image, name, magnitude, bilinear, {Tensor: None})


def magnitude_of(theirs, name: str, bins: int, level: int, negative: bool) -> float:
    magnitudes, signed = theirs[name]
    if (found := magnitudes(bins, SIDE, SIDE)) is None:
        return 0.0
    magnitude = float(found[level])
    magnitude = round(magnitude, 4) if name.startswith("Translate") else magnitude  # 15.9999995 pixels are 16
    return -magnitude if signed and negative else magnitude


def applied(parts, images: Tensor) -> Tensor:
    """The parts of a policy, on float squares."""
    frame = frames_of(images)
    drawn = tuple(Drawn.of(*part, frame) for part in parts)
    return shown_by(chain(DrawnRecipe((drawn,), None, np.ones(len(images)))), images, images.shape[-1], soft=False)


def close(ours: Tensor, theirs: Tensor, level: float = 0.02, share: float = 0.0) -> bool:
    """Within `level` levels of 256, but for a share of the numbers."""
    return bool(((ours - theirs).abs() * 255 > level).float().mean() <= share)


@EVERY_SPACE
@pytest.mark.parametrize("bins", [2, 10, 31, 65])
def test_magnitudes_are_torchvisions(ours, theirs, bins):
    assert set(ours) == set(theirs)
    for name, (magnitudes, signed) in theirs.items():
        assert signed == (name in policy.SIGNED)
        found, told = magnitudes(bins, 1, 1), ours[name]
        assert (found is None) == (told is None)
        if found is not None:
            assert told(bins) == pytest.approx(found.numpy(), rel=1e-6, abs=1e-6)


@EVERY_SPACE
@pytest.mark.parametrize("name", ["TranslateX", "TranslateY"])
def test_pixels_translated_are_torchvisions(ours, theirs, name):
    """At every image size. Where rounding in float32 takes torchvision just below a whole pixel, it is that pixel."""
    for bins in (10, 31, 65):
        which, level = np.full(bins, list(ours).index(name)), np.arange(bins)
        for side in (8, 10, 24, 32, 54, 96, 196, 224, 331):
            frame = np.full((bins, 2), float(side))
            (_, drawn, _), *_ = policy._slot(ours, bins, which, level, np.ones(bins), frame, 0.0)
            expected = np.trunc(theirs[name][0](bins, side, side).double().numpy() + 2e-5)
            assert drawn["translate"][:, int(name == "TranslateY")].tolist() == expected.tolist()


@pytest.mark.parametrize("policy_name", POLICIES)
def test_autoaugments_pairs_are_torchvisions(policy_name):
    theirs = v2.AutoAugment()._get_policies(v2.AutoAugmentPolicy(policy_name))
    ours = POLICIES[policy_name]
    assert [[(one.name, one.p, one.level) for one in pair] for pair in ours] == [
        [(name, p, level or 0) for name, p, level in pair] for pair in theirs
    ]


@pytest.mark.parametrize("bins", [10, 31])
@pytest.mark.parametrize("name", SPACES["auto"][0] | SPACES["wide"][0])
def test_every_operation_at_every_magnitude_is_torchvisions(name, bins):
    for ours, theirs in SPACES.values():
        if name not in ours:
            continue
        count = 2 * bins
        images = pictures(SIDE, SIDE, 62)[:count]
        level, sign = np.arange(count) // 2, np.arange(count) % 2 * 0.9
        which = np.full(count, list(ours).index(name))
        got = applied(policy._slot(ours, bins, which, level, sign, frames_of(images), 0.0), images)
        expected = [
            torchvisions(image, name, magnitude_of(theirs, name, bins, level[place], sign[place] < 0.5))
            for place, image in enumerate(images)
        ]
        on_the_threshold = 0.002 * (name == "Solarize")  # an 8-bit level that equals it but for the last bit
        assert close(got, torch.stack(expected), share=on_the_threshold)


def rebuilt(operation, uniforms: np.ndarray) -> list[list[tuple[str, float]]]:
    """What each sample gets, (name, magnitude) one after another, read off the uniforms as each class says."""
    if isinstance(operation, TrivialAugmentWide):
        theirs, bins = SPACES["wide"][1], operation.num_magnitude_bins
        draws = [[(list(theirs)[int(a * 14)], int(b * bins), sign)] for a, b, sign in uniforms]
    elif isinstance(operation, RandAugment):
        theirs, bins = SPACES["rand"][1], operation.num_magnitude_bins
        draws = [
            [(list(theirs)[int(which * 14)], operation.magnitude, sign) for which, sign in row.reshape(-1, 2)]
            for row in uniforms
        ]
    else:
        theirs, bins = SPACES["auto"][1], 10
        pairs = v2.AutoAugment()._get_policies(v2.AutoAugmentPolicy(operation.policy))
        draws = []
        for row in uniforms:
            tosses = zip(pairs[int(row[0] * 25)], row[1:].reshape(2, 2), strict=True)
            draws.append([(name, level or 0, sign) for (name, p, level), (coin, sign) in tosses if coin < p])
    return [[(name, magnitude_of(theirs, name, bins, level, sign < 0.5)) for name, level, sign in row] for row in draws]


@pytest.mark.parametrize(
    "operation",
    [TrivialAugmentWide(), TrivialAugmentWide(10), RandAugment(), RandAugment(3, 20), RandAugment(1, 3, 7)]
    + [AutoAugment(name) for name in POLICIES],
    ids=str,
)
def test_a_policy_is_torchvisions_operations_one_after_another(operation):
    """200 pictures. A level that was interpolated onto a threshold may go either way, by rounding in the 8th digit: it
    does for 2 numbers in 100,000.
    """
    images = pictures(SIDE, SIDE, 200)
    uniforms = uniforms_for(operation, len(images))
    got, expected = applied(operation.parts(uniforms, frames_of(images)), images), images.clone()
    for place, row in enumerate(rebuilt(operation, uniforms)):
        for name, magnitude in row:
            expected[place] = torchvisions(expected[place], name, magnitude)
    assert close(got, expected, share=0.0001)
    assert not close(got, images, share=0.3)


@pytest.mark.parametrize(
    "operation", [ColorJitter(0.4, 0.4, 0.4, 0.1), ColorJitter(contrast=(0.5, 2), hue=0.5)], ids=str
)
def test_a_colour_jitter_is_torchvisions_in_the_order_drawn(operation):
    images = pictures(SIDE, SIDE, 200)
    uniforms = uniforms_for(operation, len(images))
    got, expected = applied(operation.parts(uniforms, frames_of(images)), images), images.clone()
    theirs = v2.ColorJitter(operation.brightness, operation.contrast, operation.saturation, operation.hue)
    bounds = (theirs.brightness, theirs.contrast, theirs.saturation, theirs.hue)
    for place, row in enumerate(uniforms):
        for which in row[4:].argsort():
            if bounds[which] is not None:
                low, high = bounds[which]
                expected[place] = JITTERS[which](expected[place], low + (high - low) * row[which])
    assert close(got, expected)


JITTERS = (
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
)
