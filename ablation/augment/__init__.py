"""Augmentation operations, and how a recipe of them is drawn and applied. See `operation` for what one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from ablation.augment import operations
from ablation.augment.operations import *  # noqa: F403

OPERATIONS = tuple(kind for kind in vars(operations).values() if isinstance(kind, type))
"""Every operation there is, in the order of the list in `ablation.augment.operations`."""

if TYPE_CHECKING:
    from ablation.augment.operation import Operation as Operation
else:
    Operation = Union[OPERATIONS]  # noqa: UP007

Recipe = tuple[Operation, ...]
"""The operations of a recipe, in the order of their application."""
