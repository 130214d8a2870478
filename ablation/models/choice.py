"""What an experiment may choose of a network, known without importing torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ablation.core.values import Whole
from ablation.models.names import wrong_stem, wrong_stochastic_depth, wrong_weights
from ablation.models.own import is_own

Stem = Literal["torchvision", "small"]
"""How a network begins: as torchvision builds it, or for small images."""

Freeze = Literal["backbone"] | Whole
"""What is not trained: all but the head, or so many layers from the first."""

FrozenBatchNorm = Literal["eval", "train"]
"""Whether batch norms that are not trained keep their statistics, or go on gathering them."""

CHOICES = ("model", "stem", "weights", "stochastic_depth")
"""The fields of an experiment that must suit each other."""


def needs_its_size(model: str) -> bool:
    """Whether a network may refuse images that are made smaller: some of torchvision's, and one's own."""
    return model.startswith(("inception", "maxvit", "vit_")) or is_own(model)


def wrong_choices(model: str, stem: Stem, weights: str | None, stochastic_depth: float) -> Iterator[str]:
    """Each of these that a known `model` cannot take, as a message."""
    depth = wrong_stochastic_depth(stochastic_depth, model)
    yield from filter(None, (wrong_stem(stem, model), wrong_weights(weights or "", model, stem), depth))
