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

from ablation.augment.operation import Array, Choice, Drawn, MixingOperation, Policy
from ablation.augment.operations.geometry import center_stage, start_frame
from ablation.core.seeds import stream


@dataclass(frozen=True)
class DrawnRecipe:
    """A recipe as drawn: for each of its operations the simple ones that it came to, in the order of application.

    center: the centre crop of the samples that no operation frames, None where one frames them all. aspect: (N,).
    mixes: whether it mixes any sample of the data set, be it not one of these.
    """

    operations: tuple[tuple[Drawn, ...], ...]
    center: Drawn | None
    aspect: Array
    mixes: bool = False

    @property
    def parts(self) -> tuple[Drawn, ...]:
        """The simple operations of all."""
        return tuple(part for parts in self.operations for part in parts)


def draw(
    recipe: tuple[Any, ...], seed: int, epoch: int, aspect: Array, size: int, rows: Array | None = None
) -> DrawnRecipe:
    """Draw for all N samples of the data set. aspect: (N,) width / height; size: the image size.

    rows: (K,) of which samples the result is to be, by default all; the uniforms are drawn for all. The row s + k N is
    the k-th further occurrence of sample s in the epoch, which has uniforms of its own: those of a stream for each k.

    The second occurrence of an operation in a recipe has a stream of its own. Magnitudes are no part of the key, so
    that two strengths of one operation see the same uniforms.
    """
    drawn_before: Counter[str] = Counter()
    samples, further = len(aspect), 0 if rows is None or not len(rows) else int(rows.max()) // len(aspect)

    def uniforms(name: str, count: int) -> Array:
        drawn_before[name] += 1
        key = ("augment", epoch, name, drawn_before[name] - 1)
        first = stream(seed, *key).random((samples, count))
        again = [stream(seed, *key, "occurrence", one).random((samples, count)) for one in range(1, further + 1)]
        return np.concatenate([first, *again]) if again else first

    aspect = np.tile(aspect, further + 1) if further else aspect
    everyone = np.ones(len(aspect), bool)
    chosen = [list(_chosen(operation, everyone, uniforms)) for operation in recipe]
    mixes = any(isinstance(one, MixingOperation) and where.any() for leaves in chosen for one, _, where in leaves)
    if rows is not None:
        aspect, everyone = aspect[rows], everyone[rows]
        chosen = [[(one, own[rows], where[rows]) for one, own, where in leaves] for leaves in chosen]
    framed = ~everyone
    for operation, _, applies in (leaf for leaves in chosen for leaf in leaves):
        framed = framed | (applies & operation.frames)
    image, frame = np.full((len(aspect), 2), float(size)), start_frame(aspect, size)
    central = Drawn(None, {}, ~framed, frame, center_stage(frame))
    frame = central.frame_after()
    operations = []
    for leaves in chosen:
        parts: list[Drawn] = []
        for operation, own, applies in leaves:
            for part in _drawn(operation, own, applies, image if isinstance(operation, MixingOperation) else frame):
                parts.append(part)
                frame = part.frame_after()
        operations.append(tuple(parts))
    framed_all = any(operation.frames_all for operation in recipe)
    return DrawnRecipe(tuple(operations), None if framed_all else central, aspect, mixes)


def _chosen(operation: Any, applies: Array, uniforms: Any) -> Iterator[tuple[Any, Array, Array]]:
    """The operations without their choices and coins: each with its uniforms and the samples it applies to."""
    name = operation.stream_name
    if isinstance(operation, Choice):
        for inner, where in operation.choose(uniforms(name, operation.uniforms)):
            yield from _chosen(inner, applies & where, uniforms)
        return
    coin = int(hasattr(operation, "p"))
    own = uniforms(name, operation.uniforms + coin)
    yield operation, own[:, coin:], applies & (own[:, 0] < operation.p) if coin else applies


def _drawn(operation: Any, uniforms: Array, applies: Array, frame: Array) -> Iterator[Drawn]:
    """One simple operation, or the parts of a policy."""
    if isinstance(operation, Policy):
        for simple, parameters, where in operation.parts(uniforms, frame):
            yield Drawn.of(simple, parameters, applies & where, frame)
    else:
        yield Drawn.of(operation, operation.draw(uniforms, frame), applies, frame)
