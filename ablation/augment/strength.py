"""What a strength means for each operation: its magnitudes, or where it has none its probability, times a factor.

Factor 0 removes an operation, 1 leaves it as it is. What frames the picture without changing it (Resize, CenterCrop)
stays. `SCALED` has an entry for every operation; a test holds that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ablation.augment.operations.choice import OneOf, Sometimes, Strength
from ablation.augment.operations.color import (
    Brightness,
    ColorJitter,
    Contrast,
    Hue,
    RandomChannelPermutation,
    RandomGrayscale,
    Saturation,
)  # fmt: skip
from ablation.augment.operations.detail import GaussianBlur, GaussianNoise, RandomAdjustSharpness
from ablation.augment.operations.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)  # fmt: skip
from ablation.augment.operations.mix import CutMix, MixUp
from ablation.augment.operations.occlusion import Cutout, RandomErasing
from ablation.augment.operations.per_image import ImageFunction, TorchvisionTransform
from ablation.augment.operations.policy import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from ablation.augment.operations.tone import (
    RandomAutocontrast,
    RandomEqualize,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from ablation.augment.operations.warp import RandomAffine, RandomPerspective, RandomRotation, RandomZoomOut
from ablation.core.errors import InputError, Problem


def scaled(recipe: tuple[Any, ...], factor: float) -> tuple[Any, ...]:
    """The recipe at `factor` times its strength.

    Raises InputError where a magnitude would leave its range, and for an operation that has no other strength.
    """
    if factor == 1:
        return recipe
    if factor == 0:
        return tuple(operation for operation in recipe if type(operation) in (Resize, CenterCrop))
    found = []
    for operation in recipe:
        try:
            found.append(SCALED.get(type(operation), _unknown)(operation, factor))
        except InputError as error:
            message = f"{operation!r} cannot have {factor:g} times its strength: {error.problems[0].message}"
            raise InputError([Problem(message)]) from None
    return tuple(found)


def _unknown(operation: Any, factor: float) -> Any:
    raise InputError("nothing says what that is for it; Sometimes(operation, p) applies it to a share of the pictures")


def times(magnitude: Any, factor: float, about: float = 0, low: float = -math.inf) -> Any:
    """A magnitude, or a tuple of them, moved away from `about` by the factor, but not below `low`."""
    if isinstance(magnitude, tuple):
        return tuple(times(one, factor, about, low) for one in magnitude)
    return None if magnitude is None else max(low, about + factor * (magnitude - about))


def _jitter(jitter: Any, factor: float) -> Any:
    return times(jitter, factor, about=1, low=0) if isinstance(jitter, tuple) else factor * jitter


def _chance(operation: Any, factor: float) -> Any:
    """An operation that either happens or not happens more often."""
    return replace(operation, p=operation.p * factor)


def _sometimes(operation: Any, factor: float) -> Any:
    """An operation without a magnitude happens to a share of the pictures."""
    return Sometimes(operation, factor)


def _padding(operation: RandomCrop, factor: float) -> RandomCrop:
    padding: Any = operation.padding
    if padding is None:
        message = "it has no padding to scale; use RandomResizedCrop, or Sometimes(operation, p)"
        raise InputError([Problem(message)])
    more: Any = (
        tuple(round(factor * side) for side in padding) if isinstance(padding, tuple) else round(factor * padding)
    )
    return replace(operation, padding=more)


SCALED: dict[type, Callable[[Any, float], Any]] = {
    Resize: lambda op, f: op,
    CenterCrop: lambda op, f: op,
    RandomResizedCrop: lambda op, f: replace(
        op, scale=times(op.scale, f, about=1), ratio=tuple(bound**f for bound in op.ratio)
    ),
    RandomCrop: _padding,
    RandomHorizontalFlip: _chance,
    RandomVerticalFlip: _chance,
    RandomRotation: lambda op, f: replace(op, degrees=times(op.degrees, f)),
    RandomAffine: lambda op, f: replace(
        op, degrees=times(op.degrees, f), translate=times(op.translate, f), scale=times(op.scale, f, about=1),
        shear=times(op.shear, f),
    ),
    RandomPerspective: lambda op, f: replace(op, distortion_scale=op.distortion_scale * f),
    RandomZoomOut: lambda op, f: replace(op, side_range=times(op.side_range, f, about=1)),
    Brightness: lambda op, f: replace(op, brightness=_jitter(op.brightness, f)),
    Contrast: lambda op, f: replace(op, contrast=_jitter(op.contrast, f)),
    Saturation: lambda op, f: replace(op, saturation=_jitter(op.saturation, f)),
    Hue: lambda op, f: replace(op, hue=times(op.hue, f)),
    ColorJitter: lambda op, f: replace(
        op, brightness=_jitter(op.brightness, f), contrast=_jitter(op.contrast, f),
        saturation=_jitter(op.saturation, f), hue=times(op.hue, f),
    ),
    RandomGrayscale: _chance,
    RandomChannelPermutation: _sometimes,
    RandomInvert: _chance,
    RandomPosterize: lambda op, f: replace(op, bits=round(times(op.bits, f, about=8, low=0))),
    RandomSolarize: lambda op, f: replace(op, threshold=times(op.threshold, f, about=1, low=0)),
    RandomAutocontrast: _chance,
    RandomEqualize: _chance,
    RandomAdjustSharpness: lambda op, f: replace(op, sharpness_factor=times(op.sharpness_factor, f, about=1, low=0)),
    GaussianBlur: lambda op, f: replace(op, sigma=times(op.sigma, f)),
    GaussianNoise: lambda op, f: replace(op, mean=f * op.mean, sigma=f * op.sigma),
    RandomErasing: lambda op, f: replace(op, scale=times(op.scale, f)),
    Cutout: lambda op, f: replace(op, length=max(1, round(op.length * f))),
    MixUp: lambda op, f: replace(op, alpha=op.alpha * f),
    CutMix: lambda op, f: replace(op, alpha=op.alpha * f),
    RandAugment: lambda op, f: replace(op, magnitude=round(op.magnitude * f)),
    TrivialAugmentWide: _sometimes,
    AutoAugment: _sometimes,
    AugMix: lambda op, f: replace(op, severity=round(times(op.severity, f, low=1))),
    TorchvisionTransform: _sometimes,
    ImageFunction: _sometimes,
    Sometimes: lambda op, f: replace(op, operation=scaled((op.operation,), f)[0]),
    OneOf: lambda op, f: replace(op, operations=scaled(op.operations, f)),
    Strength: lambda op, f: replace(op, factor=op.factor * f),
}  # fmt: skip
