"""Captions: each operation says what was drawn for one sample, whatever lies beside it, and no caption ever raises."""

import numpy as np
import pytest

from ablation.augment import (
    OPERATIONS,
    AugMix,
    Brightness,
    CenterCrop,
    ColorJitter,
    Contrast,
    CutMix,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    Hue,
    ImageFunction,
    MixUp,
    RandAugment,
    RandomAdjustSharpness,
    RandomAffine,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomCrop,
    RandomEqualize,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomPerspective,
    RandomPosterize,
    RandomResizedCrop,
    RandomRotation,
    RandomSolarize,
    RandomVerticalFlip,
    RandomZoomOut,
    Resize,
    Saturation,
    Sometimes,
    TorchvisionTransform,
    TrivialAugmentWide,
)  # fmt: skip
from ablation.augment.captions import UNCHANGED, caption, plain
from ablation.augment.draws import draw
from ablation.augment.operation import Array, Operation, SimpleOperation
from ablation.augment.operations.policy import PIXELS

FRAME = np.array([200.0, 100.0])
SIZE = 100
ASPECT = np.array([1.0, 2.0, 0.7, 1.3] * 10, np.float32)


def boxed(*box: float) -> dict[str, Array]:
    return {"box": np.array(box, np.float32)}


def affine(angle=0.0, translate=(0, 0), scale=1.0, shear=(0, 0)) -> dict[str, Array]:
    return {name: np.float32(given) for name, given in locals().items()}


CORNERS = np.array([[0, 0], [199, 0], [199, 99], [0, 99]], np.float32)
MOVED = CORNERS + np.array([[0, 0], [-21, 3], [0, 0], [0, 0]], np.float32)

CASES = [
    (RandomResizedCrop(), boxed(0.1, 0, 0.875, 0.8), "crop 62 %"),
    (RandomCrop(50), boxed(0.3, 0.25, 0.55, 0.75), "crop 12 %, 15 px left"),
    (RandomCrop(50), boxed(0.375, 0.25, 0.625, 0.75), "crop 12 %, central"),
    (RandomCrop(padding=4), boxed(0.02, -0.04, 1.02, 0.96), "crop 100 %, 4 px right, 4 px up"),
    (CenterCrop(50), boxed(0.375, 0.25, 0.625, 0.75), "central crop 12 %"),
    (Resize(50), {}, "resized to 50 px"),
    (Resize((50, 80)), {}, "squeezed to 80 × 50 px"),
    (RandomHorizontalFlip(), {}, "flipped left to right"),
    (RandomVerticalFlip(), {}, "flipped upside down"),
    (RandomRotation(30), {"angle": np.float32(12.4)}, "rotated 12° ↺"),
    (RandomRotation(30), {"angle": np.float32(-3.14)}, "rotated 3.1° ↻"),
    (RandomRotation(30), {"angle": np.float32(0)}, ""),
    (RandomAffine(9), affine(), ""),
    (
        RandomAffine(9, (0.1, 0.1), (0.5, 2), 9),
        affine(-5, (3, -4), 1.25, (8, -2)),
        "rotated 5.0° ↺ · moved 3 px right, 4 px up · size × 1.25 · "
        "sheared +8.0° along x and \N{MINUS SIGN}2.0° along y",
    ),
    (RandomAffine(0), affine(translate=(-12, 0), shear=(15, 0)), "sheared +15° along x"),
    (RandomAffine(0), affine(translate=(-12, 0)), "moved 12 px left"),
    (RandomPerspective(), {"corners": MOVED}, "corners up to 21 px inwards"),
    (RandomPerspective(), {"corners": CORNERS}, ""),
    (RandomZoomOut(), {"canvas": np.float32([500, 250])}, "zoomed out × 2.50"),
    (RandomZoomOut(), {"canvas": np.float32(FRAME)}, ""),
    (Brightness(0.4), {"factor": np.float32(1.314)}, "brightness × 1.31"),
    (Brightness(0.0), {"factor": np.float32(1)}, ""),
    (Contrast(0.4), {"factor": np.float32(0.8)}, "contrast × 0.80"),
    (Saturation(0.4), {"factor": np.float32(0)}, "saturation × 0.00"),
    (Hue(0.5), {"shift": np.float32(-0.05)}, "hue \N{MINUS SIGN}18°"),
    (Hue(0.5), {"shift": np.float32(0.0125)}, "hue +4.5°"),
    (Hue(0.0), {"shift": np.float32(0)}, ""),
    (RandomGrayscale(), {}, "grey"),
    (RandomChannelPermutation(), {"permutation": np.array([2, 1, 0])}, "channels BGR"),
    (RandomChannelPermutation(), {"permutation": np.array([0, 1, 2])}, ""),
    (RandomInvert(), {}, "inverted"),
    (RandomPosterize(4), {"bits": np.float32(4)}, "posterised to 4 bits"),
    (RandomPosterize(1), {"bits": np.float32(1)}, "posterised to 1 bit"),
    (RandomSolarize(0.5), {"threshold": np.float32(0.5)}, "solarised above 50 %"),
    (RandomAutocontrast(), {}, "autocontrast"),
    (RandomEqualize(), {}, "equalised"),
    (RandomAdjustSharpness(2), {"factor": np.float32(2)}, "sharpness × 2.00"),
    (GaussianBlur(5), {"sigma": np.float32(1.26)}, "blur σ 1.3 px"),
    (GaussianNoise(), {"key": np.int64(3)}, "noise σ 0.1"),
    (GaussianNoise(-0.05, 0.2), {"key": np.int64(3)}, "noise σ 0.2, mean \N{MINUS SIGN}0.05"),
    (GaussianNoise(0, 0), {"key": np.int64(3)}, ""),
    (RandomErasing(), boxed(0, 0, 0.4, 0.3), "erased 12 %"),
    (RandomErasing(), boxed(0.2, 0.2, 0.2, 0.2), ""),
    (Cutout(8), boxed(0, 0, 0.2, 0.17), "cut out 3.4 %"),
    (MixUp(), {"weight": np.float32(0.62)}, "38 % of another image"),
    (CutMix(), {"weight": np.float32(0.9999)}, "< 0.1 % pasted from another image"),
    (TorchvisionTransform("JPEG", {"quality": 50}), {"key": np.int64(3)}, "JPEG"),
    (ImageFunction("numpy:flip"), {"key": np.int64(3)}, "flip"),
]


def test_what_describes_itself_has_a_case():
    """Policies and choices are described by the simple operations that they come to."""
    described = {kind for kind in OPERATIONS if kind.describe is not Operation.describe}
    assert {type(operation) for operation, _, _ in CASES} == described
    assert all(issubclass(kind, SimpleOperation) for kind in described)
    assert {type(operation) for operation, _ in PIXELS.values()} | {RandomAffine} <= described


@pytest.mark.parametrize(("operation", "drawn", "text"), CASES, ids=lambda given: str(given)[:40])
def test_a_sample_is_described(operation, drawn, text):
    assert operation.describe(drawn, FRAME) == text


def captions(*recipe, epoch: int = 0) -> list[str]:
    drawn = draw(recipe, 0, epoch, ASPECT, SIZE)
    return [caption(drawn, row) for row in range(len(ASPECT))]


def test_operations_are_told_in_order_with_what_this_sample_drew():
    drawn = draw((RandomResizedCrop(), Brightness(0.4)), 0, 0, ASPECT, SIZE)
    (crop,), (brightness,) = drawn.operations
    left, top, right, bottom = crop.parameters["box"][3]
    factor = brightness.parameters["factor"][3]
    assert caption(drawn, 3) == f"crop {100 * (right - left) * (bottom - top):.0f} % · brightness × {factor:.2f}"


def test_what_a_coin_leaves_out_is_left_out():
    flips = captions(RandomHorizontalFlip(0.5))
    assert set(flips) == {UNCHANGED, "flipped left to right"}
    both = captions(RandomHorizontalFlip(0.5), Sometimes(RandomInvert(1.0), 0.5))
    assert set(both) == {UNCHANGED, "flipped left to right", "inverted", "flipped left to right · inverted"}
    assert [told.startswith("flipped") for told in both] == [told != UNCHANGED for told in flips]
    assert set(captions()) == set(captions(Brightness(0.0))) == {UNCHANGED}


def test_a_policy_is_told_by_what_it_came_to():
    trivial = captions(TrivialAugmentWide())
    assert all(" · " not in told for told in trivial)
    assert len({told.split(" ")[0] for told in trivial}) > 5
    assert max(told.count(" · ") for told in captions(RandAugment(3))) == 2
    jitter = captions(ColorJitter(0.4, 0.4, 0.4, 0.1))
    assert {told.count(" · ") for told in jitter} == {3}
    assert len({told.split(" ")[0] for told in jitter}) == 4, "each in its own order"


def test_a_mixture_tells_the_shares_of_its_chains():
    drawn = draw((AugMix(mixture_width=2),), 0, 0, ASPECT, SIZE)
    own, *shares = drawn.operations[0][0].parameters["weights"][5]
    parts = caption(drawn, 5).split(" + ")
    assert parts[0].endswith(" itself")
    assert [part.split(" %")[0] for part in parts] == [
        f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}" for share in (own, *shares)
    ]
    assert all(part.endswith(")") for part in parts[1:])


def fails(operation, drawn, frame) -> str:
    raise ZeroDivisionError("words that fail")


@pytest.mark.parametrize(
    "describe", [Operation.describe, fails, lambda operation, drawn, frame: None], ids=["missing", "failing", "no text"]
)
def test_an_operation_without_words_is_told_by_its_class_and_fields(monkeypatch, describe):
    """Beside others, within a policy, and within the chains of a mixture; what it did nothing to stays out."""
    for kind in (Brightness, RandomPosterize):
        monkeypatch.setattr(kind, "describe", describe)
    told = captions(RandomInvert(1.0), Brightness(0.4))
    assert set(told) == {"inverted · Brightness(brightness=0.4)"}
    assert set(captions(RandomPosterize(4, p=0.5))) == {UNCHANGED, "RandomPosterize(bits=4)"}
    for policy in (TrivialAugmentWide(), AugMix()):
        assert any("RandomPosterize(bits=" in told for epoch in range(9) for told in captions(policy, epoch=epoch))


def test_every_operation_can_be_told_plainly():
    """Whatever it is: fields that cannot be compared or written cost no caption either."""

    class Unwritten:
        __dataclass_fields__ = None

    assert plain(GaussianNoise(sigma=0.2)) == "GaussianNoise(sigma=0.2)"
    assert plain(Unwritten()) == "Unwritten"
    assert plain(object()) == "object"
