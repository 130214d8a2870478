"""A batch through the steps of a chain, on its device, each sample with its own parameters.

A batch goes through all steps a few pictures at a time, so that they stay in the processor's cache; what a sample gets
does not depend on where the batch is cut. What the host decides (which samples a step touches) is decided before the
device starts: `run` is nothing but tensor operations, and compiles without graph breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.augment.chain import Adjust, Blend, Resample, Step
from ablation.augment.operation import Array, Hop, PixelOperation, Sample
from ablation.augment.resample import Bags, Taps, as_pixels, bags, separable, separable_alone, soften_, taps, warp

_AT_ONCE = {"cpu": 2**19}
"""Numbers that go through the steps together: what a core's cache holds; otherwise what keeps a GPU busy, 2**24."""

_LARGE = 128
"""Pictures of this side or more go through the steps one by one on a CPU: a few of them would fill its cache, and of
one no more is read than is shown."""

_SHRUNK = 16
"""What shrinks a picture more than this is smoothed as for this: near the horizon of a perspective it has no bound."""


def apply(steps: Sequence[Step], images: Tensor, samples: Array, size: int) -> Tensor:
    """The augmented batch (B, 3, size, size), float32 in [0, 1].

    images: (B, 3, R, R) uint8, the cached squares. samples: (B,) their rows in the draws.
    """
    shown = torch.empty((len(images), 3, size, size), device=images.device)
    source, device = images.shape[-1], images.device
    count = _together(device, max(source, size))
    order = _alike_together(steps, samples) if count > 1 else None
    indices = None if order is None else on(device, order)
    with torch.autocast(device.type, enabled=False):  # the same maths on every device, whoever calls
        ready = prepare(steps, samples if order is None else samples[order], source, size, device, singly=count == 1)
        given, into = torch.split(images, count), torch.split(shown, count)
        parts = None if indices is None else torch.split(indices, count)
        for number, pixels in enumerate(given):
            part = cuts(ready, number * count, min((number + 1) * count, len(images)))
            if parts is None:
                into[number].copy_(run(part, pixels))
            else:
                few = parts[number]
                shown.index_copy_(0, few, run(part, images.index_select(0, few)).contiguous())
    return shown


def _together(device: torch.device, side: int) -> int:
    """How many pictures of at most this side go through the steps at once."""
    if device.type == "cpu" and side >= _LARGE:
        return 1
    return max(1, _AT_ONCE.get(device.type, 2**24) // max(1, 3 * side**2))


def _alike_together(steps: Sequence[Step], samples: Array) -> Array | None:
    """An order (B,) of the batch in which samples that go through the same steps are neighbours, so that a few pictures
    need few steps; None where all go through the same.
    """
    touched = [~step.straight if isinstance(step, Resample) else step.applies for step in steps]
    partly = [own for own in (which[samples] for which in touched) if own.any() and not own.all()]
    return np.lexsort(partly) if partly else None


def cuts(ready: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Prepared steps for the pictures from `start` to `stop`, without those that touch none of them."""
    return [part for step in ready if (part := step.cut(start, stop)) is not None]


def run(steps: Sequence[Any], images: Tensor) -> Tensor:
    """Images (B, 3, R, R), uint8 or float in [0, 1], through prepared steps; floats may be written to."""
    for step in steps:
        images = step(images)
    return as_pixels(images)


def prepare(
    steps: Sequence[Step], samples: Array, source: int, size: int, device: torch.device, singly: bool = False
) -> list[Any]:
    """The steps with the parameters of these samples on the device; each has `cut(start, stop)`.

    source: the side of the pictures as they come in; they leave the first resampling with `size`. singly: every cut
    is of one picture.
    """
    ready: list[Any] = []
    for step in steps:
        if isinstance(step, Resample):
            ready.append(_prepare_resample(step, samples, source, size, device, singly))
            source = size
        else:
            where = np.flatnonzero(step.applies[samples])
            if len(where):
                ready.append(_prepare_pixels(step, samples, where, source, device, singly))
    return ready


def on(device: torch.device, values: Array, dtype: torch.dtype | None = None) -> Tensor:
    """An array as a tensor on the device, for which the host does not wait: it goes on giving the device work."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device, dtype, non_blocking=True)


@dataclass
class Resampling:
    """Boxes by weights, for all; the samples at `warped` (host) through their maps, smoothed by `soft` beforehand.

    idle: (B,) on the host, which pictures stay as they are; None where all change their size. alone: of each picture,
    where they are taken one by one and it is neither warped nor idle.
    """

    size: int
    across: Taps
    down: Taps
    warped: Array
    hops: list[Hop]
    soft: Softening | None
    idle: Array | None
    alone: dict[int, Alone] = field(default_factory=dict)
    at: Tensor | None = None
    """Places of the warped samples in the cut; None when they are all of it."""

    def cut(self, start: int, stop: int) -> Resampling | Alone | None:
        if start in self.alone:
            return self.alone[start]
        if self.idle is not None and self.idle[start:stop].all():
            return None
        across, down = _part(self.across, start, stop), _part(self.down, start, stop)
        first, last = self.warped.searchsorted((start, stop)).tolist() if self.hops else (0, 0)
        where = self.warped[first:last] - start
        if first == last:
            return Resampling(self.size, across, down, where, [], None, None)
        hops = [hop._replace(maps=hop.maps[first:last], frame=hop.frame[first:last]) for hop in self.hops]
        soft = self.soft and self.soft.cut(first, last)
        at = None if len(where) == stop - start else on(down.indices.device, where)
        return Resampling(self.size, across, down, where, hops, soft, None, at=at)

    def __call__(self, images: Tensor) -> Tensor:
        if self.at is None and len(self.warped):
            return self._warp(images.clone() if images.is_floating_point() else as_pixels(images))
        shown = separable(images, self.across, self.down)
        if len(self.warped):
            shown[self.at] = self._warp(as_pixels(images[self.at]))
        return shown

    def _warp(self, images: Tensor) -> Tensor:
        return warp(self.soft(images) if self.soft else images, self.hops, self.size)


@dataclass
class Alone:
    """A box of one picture by weights, whose indices count from the corner of the window (see `_windows`)."""

    window: list[int]
    across: Bags
    down: Bags

    def __call__(self, image: Tensor) -> Tensor:
        left, top, right, bottom = self.window
        return separable_alone(image.narrow(2, top, bottom - top).narrow(3, left, right - left), self.across, self.down)


def _part(weights: Taps, start: int, stop: int) -> Taps:
    return weights._replace(indices=weights.indices[start:stop], weights=weights.weights[start:stop])


def _all_alone(each: Taps, boxes: Array, source: int, still: Array) -> dict[int, Alone]:
    """The pictures that are not `still` (B,), one by one; each: the weights of all, those across before those down."""
    windows = _windows(boxes, source)
    low, high = on(each.indices.device, windows.reshape(-1, 2, 2).transpose(1, 2, 0).reshape(2, -1))
    both = bags(each, 3, low, high - low)
    one = [Bags(*own, both.offsets) for own in zip(both.indices.unbind(), both.weights.unbind(), strict=True)]
    places = np.flatnonzero(~still).tolist()
    return {place: Alone(windows[place].tolist(), one[place], one[len(boxes) + place]) for place in places}


def _prepare_resample(
    step: Resample, samples: Array, source: int, size: int, device: torch.device, singly: bool
) -> Resampling:
    boxes = step.boxes[samples].clip(0, 1)
    warped = np.flatnonzero(~step.straight[samples])
    rows = samples[warped]

    def numbers(values: Array) -> Tensor:
        return on(device, values[rows], torch.float32)

    hops, soft = [], None
    if len(warped):
        hops = [hop._replace(maps=numbers(hop.maps), frame=numbers(hop.frame)) for hop in step.hops]
        soft = _softening(step.extent[rows], source / size, device)
    starts, stops = on(device, boxes.reshape(-1, 2, 2).transpose(1, 2, 0).reshape(2, -1))  # both axes in one go
    each = taps(starts, stops, source, size)
    across, down = _part(each, 0, len(boxes)), _part(each, len(boxes), 2 * len(boxes))
    idle = step.straight[samples] & (step.boxes[samples] == [0, 0, 1, 1]).all(axis=1) if source == size else None
    still = ~step.straight[samples] if idle is None else idle | ~step.straight[samples]
    alone = _all_alone(each, boxes, source, still) if singly else {}
    return Resampling(size, across, down, warped, hops, soft, idle, alone)


@dataclass
class Softening:
    """How much the warped samples are smoothed beforehand; see `soften_`. needed: (B,) turns, on the host."""

    across: Tensor
    down: Tensor
    turns: Tensor
    needed: Array
    most: int = 0

    def cut(self, first: int, last: int) -> Softening | None:
        part = slice(first, last)
        if not self.needed[part].any():
            return None
        needed = self.needed[part]
        return Softening(self.across[part], self.down[part], self.turns[part], needed, int(needed.max()))

    def __call__(self, images: Tensor) -> Tensor:
        return soften_(images, self.across, self.down, self.turns, self.most)


def _softening(extent: Array, scale: float, device: torch.device) -> Softening:
    """The softening of warped samples. extent: (B, 2) of `Resample`; scale: source by image size.

    A triangle of half-width w, by which a crop of that scale is antialiased, has a variance of w^2 / 6; bilinear
    interpolation brings 1 / 6 of it, and neighbours of weight k in n turns 2 k n. Each sample has turns of its own.
    """
    wanted = ((extent * scale).clip(1, _SHRUNK) ** 2 - 1) / 6
    needed = np.ceil(2 * wanted.max(axis=1, initial=0))
    across, down = on(device, wanted / (2 * np.maximum(needed, 1))[:, None], torch.float32).unbind(1)
    return Softening(across, down, on(device, needed, torch.float32), needed)


def _windows(boxes: Array, source: int) -> Array:
    """The source pixels (B, 4), from left and top to right and bottom, that boxes (B, 4) can touch: one pixel more on
    each side than they cover.
    """
    low = np.floor(np.minimum(boxes[:, :2], boxes[:, 2:]) * source) - 1
    high = np.ceil(np.maximum(boxes[:, :2], boxes[:, 2:]) * source) + 1
    return np.concatenate([low.clip(0, source - 1), high.clip(1, source)], axis=1).astype(np.int64)


@dataclass
class Touching:
    """A change of the samples at `where` (host), with what it needs of them on the device."""

    change: Adjusting | Blending
    where: Array
    device: torch.device
    at: Tensor | None = None
    """Indices of these samples in the cut; None when they are all of it."""
    alone: dict[int, AdjustingAlone] | None = None
    """The changes of the pictures one by one, where they are taken so and there is a shorter way."""

    def cut(self, start: int, stop: int) -> Touching | AdjustingAlone | None:
        if self.alone is not None:
            return self.alone.get(start)
        first, last = self.where.searchsorted((start, stop)).tolist()
        if first == last:
            return None
        where = self.where[first:last] - start
        at = None if len(where) == stop - start else on(self.device, where)
        return Touching(self.change.cut(first, last), where, self.device, at)

    def __call__(self, images: Tensor) -> Tensor:
        images = as_pixels(images)
        if self.at is None:
            return self.change(images)
        images[self.at] = self.change(images[self.at])
        return images


@dataclass
class Adjusting:
    """An operation with the parameters of each sample."""

    operation: PixelOperation
    parameters: dict[str, Tensor]

    def cut(self, first: int, last: int) -> Adjusting:
        return Adjusting(self.operation, {name: values[first:last] for name, values in self.parameters.items()})

    def __call__(self, images: Tensor) -> Tensor:
        return self.operation.apply_(images, self.parameters)


@dataclass
class AdjustingAlone:
    """An operation with the parameters of one picture as numbers."""

    operation: Any
    parameters: Sample

    def __call__(self, image: Tensor) -> Tensor:
        return self.operation.apply_alone_(as_pixels(image), self.parameters)  # type: ignore[no-any-return]


@dataclass
class Blending:
    """Each picture added up with what the chains make of it; weights: (B, 1 + chains)."""

    chains: list[list[Any]]
    weights: Tensor

    def cut(self, first: int, last: int) -> Blending:
        return Blending([cuts(chain, first, last) for chain in self.chains], self.weights[first:last])

    def __call__(self, images: Tensor) -> Tensor:
        own, *shares = self.weights.view(*self.weights.shape, 1, 1, 1).unbind(1)
        blended = images * own
        for share, chain in zip(shares, self.chains, strict=True):
            blended += run(chain, images.clone()) * share
        return blended.clamp_(0, 1)


def _prepare_pixels(
    step: Adjust | Blend, samples: Array, where: Array, source: int, device: torch.device, singly: bool
) -> Touching:
    rows = samples[where]
    if isinstance(step, Blend):
        chains = [prepare(chain, rows, source, source, device, singly) for chain in step.chains]
        return Touching(Blending(chains, on(device, step.weights[rows])), where, device)
    drawn = {name: values[rows] for name, values in step.parameters.items()}
    alone = None
    if singly and step.operation.apply_alone_ is not None:
        each = (dict(zip(drawn, numbers, strict=True)) for numbers in zip(*drawn.values(), strict=True))
        alone = {place: AdjustingAlone(step.operation, one) for place, one in zip(where.tolist(), each, strict=True)}
    adjusting = Adjusting(step.operation, {name: on(device, values) for name, values in drawn.items()})
    return Touching(adjusting, where, device, alone=alone)
