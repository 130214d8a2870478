"""Drawing a recipe: the parameters of each operation for each sample of the data set, one epoch. numpy only.

Uniforms are keyed by (seed, epoch, operation) and indexed by sample, so that two recipes that share an operation share
its draws, and a sample's draws depend on nothing else: not on batch, order, worker, device or the other operations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablation.augment.operation import Array, Draws, Stage
from ablation.augment.operations.choice import Sometimes, Strength
from ablation.augment.operations.geometry import center_stage, start_frame
from ablation.core.seeds import stream


@dataclass(frozen=True)
class Drawn:
    """A simple operation as it was drawn for N samples. `applies` (N,) bool: which of them it touches."""

    operation: Any
    parameters: Draws
    applies: Array
    frame: Array
    """(N, 2) of the pictures as they reach it."""
    stage: Stage | None = None
    """Of a geometric operation."""

    def frame_after(self) -> Array:
        """(N, 2) of the pictures as they leave it."""
        return self.frame if self.stage is None else np.where(self.applies[:, None], self.stage.frame, self.frame)


@dataclass(frozen=True)
class DrawnRecipe:
    """A recipe as drawn: for each of its operations the simple ones that it came to, in the order of application.

    center: the centre crop of the samples that no operation frames, None where one frames them all. aspect: (N,).
    """

    operations: tuple[tuple[Drawn, ...], ...]
    center: Drawn | None
    aspect: Array


def draw(recipe: tuple[Any, ...], seed: int, epoch: int, aspect: Array, size: int) -> DrawnRecipe:
    """Draw for all N samples of the data set. aspect: (N,) width / height; size: the image size.

    The second occurrence of an operation in a recipe has a stream of its own. Magnitudes are no part of the key, so
    that two strengths of one operation see the same uniforms.
    """
    seen: Counter[str] = Counter()

    def uniforms(name: str, count: int) -> Array:
        found = stream(seed, "augment", epoch, name, seen[name]).random((len(aspect), count))
        seen[name] += 1
        return found

    everyone, image = np.ones(len(aspect), bool), np.full((len(aspect), 2), float(size))
    chosen = [list(_chosen(operation, everyone, uniforms)) for operation in recipe]
    framed = ~everyone
    for operation, _, applies in (leaf for leaves in chosen for leaf in leaves):
        framed = framed | (applies & getattr(operation, "frames", False))
    frame = start_frame(aspect, size)
    central = Drawn(None, {}, ~framed, frame, center_stage(frame))
    frame = central.frame_after()
    operations = []
    for leaves in chosen:
        parts: list[Drawn] = []
        for operation, own, applies in leaves:
            for part in _drawn(operation, own, applies, image if hasattr(operation, "mix") else frame):
                parts.append(part)
                frame = part.frame_after()
        operations.append(tuple(parts))
    return DrawnRecipe(tuple(operations), None if any(map(_frames, recipe)) else central, aspect)


def _frames(operation: Any) -> bool:
    """Whether an operation frames every picture, whatever is drawn: the steps of a sample must not depend on others."""
    if isinstance(operation, Strength):
        return any(map(_frames, operation.scaled))
    return bool(getattr(operation, "frames", False)) and not hasattr(operation, "p")


def stream_name(operation: Any) -> str:
    """Under which name an operation draws: its class; what holds others is told apart by what it holds."""
    held = [operation.operation] if isinstance(operation, Sometimes) else getattr(operation, "operations", ())
    inner = "+".join(map(stream_name, held)) or getattr(operation, "called", "")
    return f"{type(operation).__name__}/{inner}" if inner else type(operation).__name__


def _chosen(operation: Any, applies: Array, uniforms: Any) -> Iterator[tuple[Any, Array, Array]]:
    """The operations without their choices and coins: each with its uniforms and the samples it applies to."""
    name = stream_name(operation)
    if hasattr(operation, "choose"):
        for inner, where in operation.choose(uniforms(name, operation.uniforms)):
            yield from _chosen(inner, applies & where, uniforms)
        return
    coin = int(hasattr(operation, "p"))
    own = uniforms(name, operation.uniforms + coin)
    yield operation, own[:, coin:], applies & (own[:, 0] < operation.p) if coin else applies


def _drawn(operation: Any, uniforms: Array, applies: Array, frame: Array) -> Iterator[Drawn]:
    """One simple operation, or the parts of a policy."""
    if hasattr(operation, "parts"):
        for simple, parameters, where in operation.parts(uniforms, frame):
            yield with_stage(simple, parameters, applies & where, frame)
    else:
        yield with_stage(operation, operation.draw(uniforms, frame), applies, frame)


def with_stage(operation: Any, parameters: Draws, applies: Array, frame: Array) -> Drawn:
    stage = operation.stage(parameters, frame) if hasattr(operation, "stage") else None
    if hasattr(operation, "idle"):
        applies = applies & ~operation.idle(parameters)
    return Drawn(operation, parameters, applies, frame, stage)
