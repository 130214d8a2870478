"""Augmentation operations and how a recipe of them is drawn and applied. See `operation` for the protocol."""

from __future__ import annotations

from ablation.augment.color import Brightness, Contrast
from ablation.augment.geometry import RandomHorizontalFlip, RandomResizedCrop

Operation = RandomResizedCrop | RandomHorizontalFlip | Brightness | Contrast
"""Every operation there is. A new one needs a case in tests/augment/test_contract.py, which collects from here."""

Recipe = tuple[Operation, ...]
