"""A drawn recipe as a few steps for all samples: neighbouring geometric operations are one. numpy; no torch.

`ablation.augment.apply` takes a batch through the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablation.augment.draws import DrawnRecipe
from ablation.augment.operation import Array, Drawn, Draws, Hop, Kind, MixingOperation, Mixture
from ablation.augment.operations.geometry import boxes_of, identities


@dataclass(frozen=True)
class Resample:
    """Show the picture through all neighbouring geometric operations at once.

    hops: from what is shown to what was there, the last operation first. boxes: (N, 4) what is shown of the picture
    where that is a box of it; straight: (N,) whether it is. extent: (N, 2) how much of the picture, across and down,
    the shown picture's side covers.
    """

    hops: tuple[Hop, ...]
    boxes: Array
    straight: Array
    extent: Array


@dataclass(frozen=True)
class Adjust:
    """Apply a pixel operation with the parameters (N, ...) of each sample, to those that it applies to (N,)."""

    operation: Any
    parameters: Draws
    applies: Array


@dataclass(frozen=True)
class Blend:
    """The picture and what several chains of steps make of it, added up with `weights` (N, 1 + chains)."""

    chains: tuple[tuple[Step, ...], ...]
    weights: Array
    applies: Array


Step = Resample | Adjust | Blend


def chain(recipe: DrawnRecipe) -> tuple[Step, ...]:
    """The steps that apply a recipe as drawn, mixing left out (see `ablation.augment.operations.mix`)."""
    parts = [part for part in recipe.parts if not isinstance(part.operation, MixingOperation)]
    return _steps([recipe.center, *parts] if recipe.center else parts, len(recipe.aspect), shown=True)


def _steps(parts: Sequence[Drawn], count: int, shown: bool = False) -> tuple[Step, ...]:
    """Neighbouring geometric operations composed. `shown`: ends at the image size whatever the parts are."""
    steps: list[Step] = []
    waiting: list[Drawn] = []
    for part in parts:
        if part.stage is not None:
            waiting.append(part)
            continue
        if waiting:
            steps.append(_resample(waiting, count))
            waiting = []
        if isinstance(part.operation, Mixture):
            chains = tuple(_steps(inner, count) for inner in part.operation.chains)
            steps.append(Blend(chains, part.parameters["weights"], part.applies))
        else:
            steps.append(Adjust(part.operation, part.parameters, part.applies))
    if waiting or (shown and not any(isinstance(step, Resample) for step in steps)):
        steps.append(_resample(waiting, count))
    return tuple(steps)


def _resample(parts: Sequence[Drawn], count: int) -> Resample:
    """One step for these geometric operations: maps composed wherever nothing outside can be sampled between them."""
    hops: list[Hop] = []
    straight, waiting, total = np.ones(count, bool), identities(count), identities(count)
    for part in reversed(parts):
        stage = part.stage
        assert stage is not None
        maps = np.where(part.applies[:, None, None], stage.maps, np.eye(3))
        waiting, total = maps @ waiting, maps @ total
        straight &= _shows_a_box(maps, stage.border is not None)
        if stage.border is not None:
            hops.append(Hop(_from_center(waiting), part.frame, stage.border, stage.fill, _kind(waiting)))
            waiting = identities(count)
    if not hops or (waiting != np.eye(3)).any():
        hops.append(Hop(_from_center(waiting), np.ones((count, 2)), None, (0.0, 0.0, 0.0), _kind(waiting)))
    return Resample(tuple(hops), boxes_of(total).astype(np.float32), straight, _shrinking(total))


def _from_center(maps: Array) -> Array:
    """Maps of fractions as maps of points from -1 to 1."""
    out = np.array([[2, 0, -1], [0, 2, -1], [0, 0, 1]])
    return out @ maps @ np.linalg.inv(out)


def _kind(maps: Array) -> Kind:
    """What these maps do at most."""
    if (maps[:, 2] != [0, 0, 1]).any():
        return "projective"
    return "affine" if maps[:, [0, 1], [1, 0]].any() else "box"


def _shows_a_box(maps: Array, bordered: bool) -> Array:
    """Whether each map shows a box of the picture, and nothing outside where that is not blank."""
    boxed = (maps[:, [0, 1], [1, 0]] == 0).all(axis=1) & (maps[:, 2] == [0, 0, 1]).all(axis=1)
    inside = (np.abs(boxes_of(maps) - 0.5) <= 0.5 + 1e-6).all(axis=1)
    return np.asarray(boxed & (inside | (not bordered)))


def _shrinking(maps: Array) -> Array:
    """How much of the picture before, across and down (N, 2), a step of the shown picture's side covers at its centre.

    By the lengths of the rows of the map's Jacobian.
    """
    center = maps @ np.array([0.5, 0.5, 1])
    scale = np.where(np.abs(center[:, 2]) < 1e-9, 1e-9, center[:, 2])[:, None, None]  # at the horizon
    jacobian = (maps[:, :2, :2] - center[:, :2, None] / scale * maps[:, 2:, :2]) / scale
    return np.asarray(np.sqrt((jacobian**2).sum(axis=2)))
