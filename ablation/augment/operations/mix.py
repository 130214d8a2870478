"""Mixing: each picture with that of a partner, and its label with the partner's. Comes last in a recipe.

torchvision pairs neighbours in the batch, with one weight for all of it. Here each sample has its own weight and its
own partner among the images that are trained on, who looks as it does in that epoch: nothing depends on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ablation.augment.captions import percent
from ablation.augment.operation import Array, Draws, MixingOperation, Sample, from_beta, keys
from ablation.augment.operations.choice import Strength, every_operation
from ablation.augment.operations.occlusion import inside
from ablation.core.values import Positive, value

if TYPE_CHECKING:
    from torch import Tensor

    from ablation.augment.draws import DrawnRecipe
    from ablation.augment.operation import Drawn


@value
class MixUp(MixingOperation):
    """Adds up picture and partner with weights w and 1 - w, w from Beta(alpha, alpha) (Zhang et al. 2017, eq. 1).

    >>> recipe = (MixUp(0.2),)
    """

    alpha: Positive = 1.0

    uniforms: ClassVar[int] = 2
    neutral = {"alpha": 0}

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"{percent(1 - drawn['weight'])} of another image"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"partner": (N,) int64 keys, "weight": (N,)}`: the weight of the own picture and label."""
        weight = from_beta(self.alpha, uniforms[:, 1]).astype(np.float32)
        return {"partner": keys(uniforms[:, 0]), "weight": weight}

    def mix(self, images: Tensor, partners: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        weight = drawn["weight"].view(-1, 1, 1, 1)
        return images * weight + partners * (1 - weight)


@value
class CutMix(MixingOperation):
    """Pastes a box of the partner's picture, and weights the labels by the pixels (Yun et al. 2019, eq. 1 and 2).

    Before it is cut off at the edge the box has the share 1 - w of the picture, w from Beta(alpha, alpha).

    >>> recipe = (CutMix(1.0),)
    """

    alpha: Positive = 1.0

    uniforms: ClassVar[int] = 4
    neutral = {"alpha": 0}

    def describe(self, drawn: Sample, frame: Array) -> str:
        return f"{percent(1 - drawn['weight'])} pasted from another image"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"partner": (N,) int64 keys, "box": (N, 4), "weight": (N,)}`: the share of own pixels."""
        size, share = np.floor(frame), from_beta(self.alpha, uniforms[:, 1:2])
        center, half = np.floor(uniforms[:, 2:] * size), np.floor(0.5 * np.sqrt(1 - share) * size)
        start, stop = np.maximum(center - half, 0), np.minimum(center + half, size)
        weight = 1 - (stop - start).prod(axis=1) / size.prod(axis=1)
        box = np.concatenate([start / frame, stop / frame], axis=1).astype(np.float32)
        return {"partner": keys(uniforms[:, 0]), "box": box, "weight": weight.astype(np.float32)}

    def mix(self, images: Tensor, partners: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        return partners.where(inside(drawn["box"], *images.shape[2:]), images)


@dataclass(frozen=True)
class Mixing:
    """The mixing of a recipe as drawn for N samples, which are known by their number among these.

    parts: the mixing operations as drawn. partner: (N,) the row of each sample's partner in the data set. weight: (N,)
    of the own label, 1 where nothing is mixed.
    """

    parts: tuple[Drawn, ...]
    partner: Array
    weight: Array

    @classmethod
    def of(cls, recipe: DrawnRecipe, trained: Array, rows: Array | None = None) -> Mixing | None:
        """The mixing in a drawn recipe, with partners among the rows `trained`; None where there is none.

        rows: (N,) of the data set, of which the recipe was drawn; by default all.
        """
        if not recipe.mixes:
            return None
        parts = tuple(part for part in recipe.parts if isinstance(part.operation, MixingOperation))
        partner = np.arange(len(recipe.aspect)) if rows is None else rows
        weight = np.ones(len(recipe.aspect), np.float32)
        for part in parts:
            chosen = trained[part.parameters["partner"] * len(trained) >> 31]
            partner = np.where(part.applies, chosen, partner)
            weight = np.where(part.applies, part.parameters["weight"], weight)
        return cls(parts, partner, weight)

    def pictures(self, images: Tensor, partners: Tensor, samples: Array) -> Tensor:
        """Images (B, 3, H, W) of the samples (B,) mixed with their partners' images."""
        import torch

        images = images.clone()
        for part in self.parts:
            at = np.flatnonzero(part.applies[samples])
            where, *drawn = (
                torch.from_numpy(values).to(images.device, non_blocking=True)
                for values in (at, *(values[samples[at]] for values in part.parameters.values()))
            )
            own = dict(zip(part.parameters, drawn, strict=True))
            images[where] = part.operation.mix(images[where], partners[where], own)
        return images

    def targets(self, labels: Tensor, rows: Array, samples: Array, classes: int) -> Tensor:
        """What the labels are, as probabilities (B, classes), of rows (B,) of the data set that are these samples (B,).

        labels: of the whole data set.
        """
        import torch
        from torch.nn import functional

        own, partner, weight = (
            torch.from_numpy(values).to(labels.device, non_blocking=True)
            for values in (rows, self.partner[samples], self.weight[samples, None])
        )
        first, second = (functional.one_hot(labels[which], classes) for which in (own, partner))
        return weight * first + (1 - weight) * second


def misplaced(recipe: tuple[Any, ...]) -> str:
    """What is wrong with where a mixing operation stands in a recipe; '' where nothing is."""
    *before, last = recipe or (None,)
    if any(map(_mixes, before)):
        return "mixing (MixUp, CutMix) comes last in a recipe, and once"
    return _misplaced_within(last)


def _misplaced_within(operation: Any) -> str:
    """The same, of what the last operation of a recipe holds."""
    held = getattr(operation, "held", ())
    if isinstance(operation, Strength):
        return misplaced(held)
    if any(map(_mixes, held)) and not all(map(_mixes, held)):
        return "OneOf holds either mixing operations (MixUp, CutMix) or others, not both"
    return next(filter(None, map(_misplaced_within, held)), "")


def mixes(recipe: tuple[Any, ...]) -> bool:
    """Is there a mixing operation anywhere in the recipe?"""
    return any(isinstance(one, MixingOperation) for one in every_operation(recipe))


def _mixes(operation: Any) -> bool:
    return mixes((operation,))
