"""Every operation with the cases it is tested with, the pictures it is tested on, and how it is tested alone.

`CASES` and `ORACLE` must name every operation; one without its line fails here, at collection of every test of this
folder. The oracle is what torchvision makes of one float picture with the parameters that were drawn, and `TOLERANCE`
how near to it we must come.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import (
    OPERATIONS,
    AugMix,
    AutoAugment,
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
    OneOf,
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
    Strength,
    TorchvisionTransform,
    TrivialAugmentWide,
)
from ablation.augment import apply as applying
from ablation.augment.chain import chain
from ablation.augment.draws import DrawnRecipe, draw
from ablation.augment.operation import Drawn, rgb
from ablation.augment.operations.geometry import start_frame
from ablation.core.seeds import stream
from ablation.core.values import label

RED = (0.9, 0.2, 0.1)

CASES: dict[type, tuple[Any, ...]] = {
    RandomResizedCrop: (
        RandomResizedCrop(),
        RandomResizedCrop(scale=(0.35, 1.0)),
        RandomResizedCrop(scale=(0.01, 0.02), ratio=(1, 3)),
    ),
    RandomCrop: (
        RandomCrop(padding=4),
        RandomCrop(24),
        RandomCrop(padding=(3, 7), fill=RED),
        RandomCrop(padding=(1, 2, 5, 8), padding_mode="edge"),
        RandomCrop(padding=6, padding_mode="reflect"),
        RandomCrop(padding=6, padding_mode="symmetric"),
        RandomCrop(40, pad_if_needed=True, fill=0.5),
    ),
    CenterCrop: (CenterCrop(20), CenterCrop(32)),
    Resize: (Resize(50), Resize((40, 20))),
    RandomHorizontalFlip: (RandomHorizontalFlip(),),
    RandomVerticalFlip: (RandomVerticalFlip(),),
    RandomRotation: (RandomRotation(30), RandomRotation((90, 180), fill=RED), RandomRotation(45, expand=True)),
    RandomAffine: (
        RandomAffine(20),
        RandomAffine(0, translate=(0.3, 0.1), fill=RED),
        RandomAffine((-10, 50), (0.1, 0.2), (0.7, 1.6), 15),
        RandomAffine(15, None, (1.0, 1.4), (-5, 5, -20, 10), center=(3, 20)),
    ),
    RandomPerspective: (RandomPerspective(), RandomPerspective(0.7, fill=RED)),
    RandomZoomOut: (RandomZoomOut(), RandomZoomOut(RED, (1.2, 1.7))),
    Brightness: (Brightness(0.4), Brightness(1.7), Brightness((0.5, 3))),
    Contrast: (Contrast(0.4), Contrast(1.7), Contrast((0.5, 3))),
    Saturation: (Saturation(0.4), Saturation(1.7), Saturation((0.5, 3))),
    Hue: (Hue(0.1), Hue(0.5), Hue((0.2, 0.3))),
    ColorJitter: (ColorJitter(0.4, 0.4, 0.4, 0.1), ColorJitter(contrast=(0.5, 2), hue=0.5), ColorJitter(0.7)),
    RandomGrayscale: (RandomGrayscale(),),
    RandomChannelPermutation: (RandomChannelPermutation(),),
    RandomInvert: (RandomInvert(),),
    RandomPosterize: tuple(RandomPosterize(bits) for bits in (0, 1, 4, 7, 8)),
    RandomSolarize: (RandomSolarize(0.5), RandomSolarize(0), RandomSolarize(1), RandomSolarize(0.123)),
    RandomAutocontrast: (RandomAutocontrast(),),
    RandomEqualize: (RandomEqualize(),),
    RandomAdjustSharpness: (RandomAdjustSharpness(0), RandomAdjustSharpness(2), RandomAdjustSharpness(7.5)),
    GaussianBlur: (GaussianBlur(3), GaussianBlur((9, 5), (0.3, 4)), GaussianBlur(23, 2)),
    GaussianNoise: (GaussianNoise(), GaussianNoise(0.1, 0.3)),
    RandomErasing: (
        RandomErasing(),
        RandomErasing(scale=(0.3, 0.9), ratio=(0.5, 4), value=RED),
        RandomErasing(value="random"),
    ),
    Cutout: (Cutout(16), Cutout(9, value=RED)),
    MixUp: (MixUp(), MixUp(0.2)),
    CutMix: (CutMix(), CutMix(0.3)),
    RandAugment: (RandAugment(), RandAugment(3, 20, fill=RED)),
    TrivialAugmentWide: (TrivialAugmentWide(), TrivialAugmentWide(10, fill=RED)),
    AutoAugment: (AutoAugment(), AutoAugment("cifar10"), AutoAugment("svhn", fill=RED)),
    AugMix: (AugMix(), AugMix(10, 2, 2, 0.5, all_ops=False, fill=RED)),
    TorchvisionTransform: (TorchvisionTransform("RandomPhotometricDistort"), TorchvisionTransform("ElasticTransform")),
    ImageFunction: (ImageFunction("speckles:speckled", {"share": 0.2}),),
    Sometimes: (Sometimes(Brightness(0.4), 0.3), Sometimes(RandomRotation(30))),
    OneOf: (OneOf((Brightness(0.4), RandomRotation(30), RandomCrop(padding=4))),),
    Strength: (Strength((RandomResizedCrop(), Brightness(0.4), RandomInvert()), 0.5),),
}  # fmt: skip


def forced_into(table: dict[type, Any], of: str) -> None:
    """Raises where an operation has no entry in this table."""
    lacking = ", ".join(sorted(operation.__name__ for operation in set(OPERATIONS) - set(table)))
    if lacking:
        raise LookupError(f"no {of} for {lacking}: every operation needs its entry")


forced_into(CASES, "case")

EVERY = [case for cases in CASES.values() for case in cases]
ONE_EACH = [cases[0] for cases in CASES.values()]
GEOMETRY = [case for case in EVERY if hasattr(case, "stage")]
PIXELS = [case for case in EVERY if hasattr(case, "apply")]
MIXES = [case for case in EVERY if hasattr(case, "mix")]
PER_IMAGE = [case for case in EVERY if hasattr(case, "per_image")]


@cache
def pictures(height: int, width: int, count: int = 50) -> Tensor:
    """(count, 3, height, width) in [0, 1], steps of 1/255: parts of scikit-learn's two photographs of several shapes,
    and every third one synthetic: noise, white, black, a slope, or two levels.
    """
    rng = stream(0, "pictures", height, width)
    made = []
    for place in range(count):
        if place % 3 == 2:
            made.append(_synthetic(place // 3 % 5, height, width, rng))
            continue
        photograph = load_sample_images().images[place % 2]
        high, wide = rng.integers(60, 427), rng.integers(60, 640)
        top, left = rng.integers(0, 428 - high), rng.integers(0, 641 - wide)
        part = torch.from_numpy(photograph[top : top + high, left : left + wide].copy()).permute(2, 0, 1)
        made.append(functional.resize(part, [height, width], antialias=True))
    return torch.stack(made).float() / 255


def _synthetic(kind: int, height: int, width: int, rng: np.random.Generator) -> Tensor:
    white = np.full((3, height, width), 255)
    if kind == 3:
        made = rng.integers(0, 256, (3, 1, 1)) * np.linspace(0, 1, width) * np.linspace(1, 0.3, height)[:, None]
    elif kind == 4:
        made = np.where(rng.random((1, height, width)) < 0.5, 51, 190) * np.array([1, 0, 1])[:, None, None]
    else:
        made = (rng.integers(0, 256, (3, height, width)), white, white * 0)[kind]
    return torch.from_numpy(made.astype(np.uint8))


def stored(side: int, count: int = 50) -> Tensor:
    """The same as uint8 squares, as the cache keeps them."""
    return (pictures(side, side, count) * 255).round().to(torch.uint8)


def uniforms_for(operation: Any, rows: int, *name: str | int) -> np.ndarray:
    return stream(0, "contract", label(operation), *name).random((rows, operation.uniforms))


def frames_of(images: Tensor) -> np.ndarray:
    """(B, 2) width and height."""
    return np.tile(np.array(images.shape[:1:-1], float), (len(images), 1))


def shown_by(steps: Any, images: Tensor, size: int, soft: bool = True) -> Tensor:
    """All of the float images (B, 3, R, R) through the steps of a chain. soft: smoothed where they are shrunk."""
    ready = applying.prepare(steps, np.arange(len(images)), images.shape[-1], size, images.device)
    if not soft:
        _unsoftened(ready)
    return applying.run(applying.cuts(ready, 0, len(images)), images.clone())


def _unsoftened(steps: list[Any]) -> None:
    for step in steps:
        if isinstance(step, applying.Resampling):
            step.soft = None
        for inner in getattr(getattr(step, "change", None), "chains", ()):
            _unsoftened(inner)


def alone(operation: Any, images: Tensor, drawn: dict[str, np.ndarray], size: int, soft: bool = True) -> Tensor:
    """One operation on float images with these parameters; a geometric one shows `size` x `size` pixels."""
    if not hasattr(operation, "stage"):
        return operation.apply(images.clone(), {name: torch.from_numpy(values) for name, values in drawn.items()})
    everyone, frame = np.ones(len(images), bool), frames_of(images)
    recipe = DrawnRecipe(((Drawn.of(operation, drawn, everyone, frame),),), None, frame[:, 0] / frame[:, 1])
    return shown_by(chain(recipe), images, size, soft)


def augmented(
    recipe: tuple[Any, ...],
    images: Tensor,
    size: int,
    rows: Any = None,
    aspect: Any = None,
    seed: int = 0,
    epoch: int = 0,
) -> Tensor:
    """A recipe as the training loop has it: uint8 squares of the whole data set, and the rows of a batch."""
    aspect = np.ones(len(images), np.float32) if aspect is None else aspect
    rows = np.arange(len(images)) if rows is None else np.asarray(rows)
    steps = chain(draw(recipe, seed, epoch, aspect, size))
    return applying.apply(steps, images[torch.from_numpy(rows)], rows, size)


def spread_of_aspects(count: int) -> np.ndarray:
    return np.geomspace(0.5, 2, count).astype(np.float32)


def frames(count: int, size: int = 32) -> np.ndarray:
    """(count, 2): frames of pictures of many proportions."""
    return start_frame(spread_of_aspects(count), size)


BILINEAR = v2.InterpolationMode.BILINEAR


def _crop(image: Tensor, drawn: dict[str, np.ndarray], size: int) -> Tensor:
    """Its box in whole pixels, as torchvision draws it."""
    wide, high = image.shape[-1], image.shape[-2]
    left, top, right, bottom = (int(side) for side in np.round(drawn["box"] * np.float32([wide, high, wide, high])))
    high, wide = max(1, bottom - top), max(1, right - left)
    return functional.resized_crop(image, top, left, high, wide, [size, size], antialias=True)


def _padded_crop(image: Tensor, drawn: dict[str, np.ndarray], size: int, crop: RandomCrop) -> Tensor:
    """torchvision pads, then crops; more than enough padding moves the crop by as much."""
    more, side = 16, image.shape[-1]
    fill = list(rgb(crop.fill)) if crop.padding_mode == "constant" else 0
    padded = functional.pad(image, [more] * 4, fill=fill, padding_mode=crop.padding_mode)
    left, top, right, bottom = (int(edge) + more for edge in np.round(drawn["box"] * np.float32(side)))
    return functional.resized_crop(padded, top, left, bottom - top, right - left, [size, size], antialias=True)


def _resized(image: Tensor, size: int) -> Tensor:
    return functional.resize(image, [size, size], antialias=True)


def _center_crop(image: Tensor, size: int, crop: CenterCrop) -> Tensor:
    return _resized(functional.center_crop(image, [min(crop.size, side) for side in image.shape[-2:]]), size)


def _filled(image: Tensor, fill: Any, moved: Any) -> Tensor:
    """`moved` is torchvision's function of an image, with black outside. The fill is blended in here: torchvision,
    given one, weights the picture's edge twice (its `_apply_grid_transform`), and is off by up to a quarter there.
    """
    share = moved(torch.ones_like(image))
    return moved(image) + (1 - share) * torch.tensor(rgb(fill)).view(3, 1, 1)


def _affine(image: Tensor, drawn: dict[str, np.ndarray], size: int, operation: RandomAffine) -> Tensor:
    angle, scale, translate, shear = (drawn[name].tolist() for name in ("angle", "scale", "translate", "shear"))
    center = operation.center and list(operation.center)
    moved = lambda seen: functional.affine(seen, angle, translate, scale, shear, BILINEAR, None, center)  # noqa: E731
    return _resized(_filled(image, operation.fill, moved), size)


def _rotated(image: Tensor, drawn: dict[str, np.ndarray], size: int, operation: RandomRotation) -> Tensor:
    angle = float(drawn["angle"])
    moved = lambda seen: functional.rotate(seen, angle, BILINEAR, operation.expand)  # noqa: E731
    return _resized(_filled(image, operation.fill, moved), size)


def _perspective(image: Tensor, drawn: dict[str, np.ndarray], size: int, operation: RandomPerspective) -> Tensor:
    right, bottom = image.shape[-1] - 1, image.shape[-2] - 1
    corners, moved_to = [[0, 0], [right, 0], [right, bottom], [0, bottom]], drawn["corners"].astype(int).tolist()
    moved = lambda seen: functional.perspective(seen, corners, moved_to, BILINEAR)  # noqa: E731
    return _resized(_filled(image, operation.fill, moved), size)


def _zoomed_out(image: Tensor, drawn: dict[str, np.ndarray], size: int, operation: RandomZoomOut) -> Tensor:
    (left, top), (right, bottom) = drawn["offset"], drawn["canvas"] - drawn["offset"] - image.shape[:0:-1]
    padding = [int(side) for side in (left, top, right, bottom)]
    return _resized(functional.pad(image, padding, fill=list(rgb(operation.fill))), size)


def _erased(image: Tensor, drawn: dict[str, np.ndarray], operation: RandomErasing | Cutout) -> Tensor:
    high, wide = image.shape[1:]
    left, top, right, bottom = (int(side) for side in np.round(drawn["box"] * np.float32([wide, high, wide, high])))
    value = torch.tensor(rgb(operation.value)).view(3, 1, 1)
    return functional.erase(image, top, left, bottom - top, right - left, value)


ORACLE: dict[type, Any] = {
    # (image, its parameters, size, the operation) -> image
    RandomResizedCrop: lambda image, drawn, size, op: _crop(image, drawn, size),
    RandomCrop: _padded_crop,
    CenterCrop: lambda image, drawn, size, op: _center_crop(image, size, op),
    Resize: lambda image, drawn, size, op: _resized(image, size),
    RandomHorizontalFlip: lambda image, drawn, size, op: functional.horizontal_flip(_resized(image, size)),
    RandomVerticalFlip: lambda image, drawn, size, op: functional.vertical_flip(_resized(image, size)),
    RandomRotation: _rotated,
    RandomAffine: _affine,
    RandomPerspective: _perspective,
    RandomZoomOut: _zoomed_out,
    Brightness: lambda image, drawn, size, op: functional.adjust_brightness(image, float(drawn["factor"])),
    Contrast: lambda image, drawn, size, op: functional.adjust_contrast(image, float(drawn["factor"])),
    Saturation: lambda image, drawn, size, op: functional.adjust_saturation(image, float(drawn["factor"])),
    Hue: lambda image, drawn, size, op: functional.adjust_hue(image, float(drawn["shift"])),
    RandomGrayscale: lambda image, drawn, size, op: functional.rgb_to_grayscale(image, 3),
    RandomChannelPermutation: lambda image, drawn, size, op: functional.permute_channels(
        image, drawn["permutation"].tolist()
    ),
    RandomInvert: lambda image, drawn, size, op: functional.invert(image),
    RandomPosterize: lambda image, drawn, size, op: functional.posterize(image, op.bits),
    RandomSolarize: lambda image, drawn, size, op: functional.solarize(image, op.threshold),
    RandomAutocontrast: lambda image, drawn, size, op: functional.autocontrast(image),
    RandomEqualize: lambda image, drawn, size, op: functional.equalize(image),
    RandomAdjustSharpness: lambda image, drawn, size, op: functional.adjust_sharpness(image, op.sharpness_factor),
    GaussianBlur: lambda image, drawn, size, op: functional.gaussian_blur(
        image, list(op._sizes()), [float(drawn["sigma"])] * 2
    ),
    RandomErasing: lambda image, drawn, size, op: _erased(image, drawn, op),
    Cutout: lambda image, drawn, size, op: _erased(image, drawn, op),
    MixUp: "test_mix.py",
    CutMix: "test_mix.py",
    GaussianNoise: "test_noise.py",
    ColorJitter: "test_policy.py",
    RandAugment: "test_policy.py",
    TrivialAugmentWide: "test_policy.py",
    AutoAugment: "test_policy.py",
    AugMix: "test_augmix.py",
    TorchvisionTransform: "test_per_image.py",
    ImageFunction: "test_per_image.py",
    Sometimes: "test_choice.py",
    OneOf: "test_choice.py",
    Strength: "test_choice.py",
}
"""torchvision's result; or the file that compares with it, for what is made of other operations, or has noise."""
forced_into(ORACLE, "oracle")


TOLERANCE: dict[type, float] = {  # the largest difference, in levels of 256
    RandomResizedCrop: 0.002,  # weights are made alike; products are summed in another order
    RandomCrop: 0.005,  # a mirrored place is found in float32
    CenterCrop: 0.002,
    Resize: 0.002,
    RandomHorizontalFlip: 0.002,
    RandomVerticalFlip: 0.002,
    RandomRotation: 0.005,  # a place is found in float32: 1e-5 pixels of a step from black to white
    RandomAffine: 0.005,
    RandomPerspective: 0.1,  # the same, divided by what may come near 0 at the far side
    RandomZoomOut: 0.002,
    Brightness: 0.0,  # one product
    Contrast: 0.001,  # the mean is taken per channel first, torchvision takes that of the grey picture
    Saturation: 0.001,  # products are summed in another order, here and below
    Hue: 0.001,  # HSV in closed form
    RandomGrayscale: 0.001,
    RandomChannelPermutation: 0.0,
    RandomInvert: 0.0,
    RandomPosterize: 0.0,
    RandomSolarize: 0.0001,  # torchvision's 1 - x is rounded otherwise where it multiplies
    RandomAutocontrast: 0.001,
    RandomEqualize: 0.0001,  # the same 256 levels: a picture of levels in between would be rounded alike
    RandomAdjustSharpness: 0.001,
    GaussianBlur: 0.002,  # two passes in place of a square kernel
    RandomErasing: 0.0,
    Cutout: 0.0,
}
"""Of those with torchvision's result in `ORACLE`; geometric ones at the size of the picture, unsmoothed."""
for operation, told in ORACLE.items():
    if callable(told) != (operation in TOLERANCE):
        raise LookupError(f"{operation.__name__} needs its tolerance beside its oracle")
