"""What torchvision makes of one float picture with the parameters that were drawn, and how near we must come.

`TOLERANCE` is in levels of 256: the mean over the picture's numbers, and their maximum.
"""

from typing import Any

import numpy as np
import torch
from catalogue import forced_into
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from ablation.augment import (
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
from ablation.augment.operation import rgb

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
