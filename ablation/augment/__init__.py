"""Augmentation operations, and how a recipe of them is drawn and applied. See `operation` for what one is."""

from __future__ import annotations

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

Geometry = (
    RandomResizedCrop | RandomCrop | CenterCrop | Resize | RandomHorizontalFlip | RandomVerticalFlip
    | RandomRotation | RandomAffine | RandomPerspective | RandomZoomOut
)  # fmt: skip
Pixels = (
    Brightness | Contrast | Saturation | Hue | ColorJitter | RandomGrayscale | RandomChannelPermutation
    | RandomInvert | RandomPosterize | RandomSolarize | RandomEqualize | RandomAutocontrast
    | RandomAdjustSharpness | GaussianBlur | GaussianNoise | RandomErasing | Cutout
    | TorchvisionTransform | ImageFunction
)  # fmt: skip
Mixing = MixUp | CutMix
Policies = RandAugment | TrivialAugmentWide | AutoAugment | AugMix
Choices = Sometimes | OneOf | Strength

Operation = Geometry | Pixels | Mixing | Policies | Choices
"""Every operation there is. A new one needs a case in tests/augment/test_contract.py, which collects from here."""

Recipe = tuple[Operation, ...]
