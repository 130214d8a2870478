"""Geometry by boxes: which part of the picture the network sees. Crops, resizing and flips. numpy only.

A box is (left, top, right, bottom) in fractions of the picture, (0, 0, 1, 1) being all of it; left > right mirrors it.
Pictures are stored stretched to squares (see `ablation.data.cache`), so boxes are computed in the frame, the original
picture's proportions. The network's pictures are squares: whatever the frame is in the end is shown at the image size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np

from ablation.augment.captions import share_of, shifted
from ablation.augment.operation import (
    Array,
    Border,
    Draws,
    Fill,
    GeometricOperation,
    Sample,
    Stage,
    between,
    rgb,
    times,
    whole,
)  # fmt: skip
from ablation.core.errors import InputError
from ablation.core.values import Count, Probability, Range, Whole, value

_TRIALS = 10  # torchvision gives up and takes a central crop after this many


@value
class RandomResizedCrop(GeometricOperation):
    """A box of random area and aspect ratio, resized to the image size (Szegedy et al. 2015, as torchvision draws it).

    `scale`: bounds of the box's share of the picture's area. `ratio`: bounds of its width / height in the original
    picture's proportions; its logarithm is uniform. As in torchvision, ten attempts are made to fit a box in the
    picture, then the largest central box with an allowed ratio is taken.

    >>> RandomResizedCrop(scale=(0.35, 1.0)).scale
    (0.35, 1.0)
    """

    scale: Annotated[tuple[float, float], Range(above=0, high=1)] = (0.08, 1.0)
    ratio: Annotated[tuple[float, float], Range(above=0)] = (3 / 4, 4 / 3)

    uniforms: ClassVar[int] = 2 * _TRIALS + 2
    frames: ClassVar[bool] = True
    intervals = ("scale", "ratio")

    def scaled(self, factor: float) -> RandomResizedCrop:
        low, high = self.ratio
        return replace(self, scale=times(self.scale, factor, about=1), ratio=(low**factor, high**factor))

    def describe(self, drawn: Sample, frame: Array) -> str:
        return share_of("crop", drawn["box"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """The boxes, `{"box": (N, 4)}`; `uniforms` (N, 22)."""
        aspect = frame[:, 0] / frame[:, 1]
        area = aspect[:, None] * between(uniforms[:, :_TRIALS], *self.scale)
        ratio = np.exp(between(uniforms[:, _TRIALS : 2 * _TRIALS], *np.log(self.ratio)))
        width, height = np.sqrt(area * ratio) / aspect[:, None], np.sqrt(area / ratio)
        fits = (width <= 1) & (height <= 1)
        rows, first = np.arange(len(aspect)), fits.argmax(axis=1)
        fitting = fits[rows, first]
        width = np.where(fitting, width[rows, first], np.minimum(1, self.ratio[1] / aspect))
        height = np.where(fitting, height[rows, first], np.minimum(1, aspect / self.ratio[0]))
        left = np.where(fitting, uniforms[:, -2], 0.5) * (1 - width)
        top = np.where(fitting, uniforms[:, -1], 0.5) * (1 - height)
        return {"box": np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        return Stage(box_maps(drawn["box"]), squares(frame))


@value
class RandomCrop(GeometricOperation):
    """A square of `size` pixels at a random position, after `padding` pixels were added on each side.

    size: None for the image size. The crop is shown at the image size, so that (Resize(256), RandomCrop(224)) shows
    the same share of the picture at every image size. padding: None, one number, (left and right, top and bottom), or
    (left, top, right, bottom). A picture that is smaller than `size` is padded to it if `pad_if_needed`; without it the
    crop takes what there is of that side.

    >>> RandomCrop(32, padding=4).padding
    4
    """

    size: Count | None = None
    padding: Whole | tuple[Whole, Whole] | tuple[Whole, Whole, Whole, Whole] | None = None
    pad_if_needed: bool = False
    fill: Fill = 0.0
    padding_mode: Border = "constant"

    uniforms: ClassVar[int] = 2
    frames: ClassVar[bool] = True

    def scaled(self, factor: float) -> RandomCrop:
        if self.padding is None:
            raise InputError("it has no padding to scale; give it padding, or use RandomResizedCrop")
        more: Any = times(self.padding, factor)
        return replace(self, padding=tuple(map(round, more)) if isinstance(more, tuple) else round(more))

    def describe(self, drawn: Sample, frame: Array) -> str:
        """'crop 77 %, 12 px right, 5 px up': the way from the middle of the picture to that of the crop."""
        box = drawn["box"]
        right, down = ((box[:2] + box[2:]) / 2 - 0.5) * frame
        return f"{share_of('crop', box)}, {shifted(right, down) or 'central'}"

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """The boxes, `{"box": (N, 4)}`; outside [0, 1] where they reach into the padding."""
        left, top, right, bottom = self._padding()
        side = frame.min(axis=1, keepdims=True) if self.size is None else np.full((len(frame), 1), float(self.size))
        padded = frame + np.array([left + right, top + bottom])
        missing = np.maximum(side - padded, 0) * self.pad_if_needed
        size = np.minimum(side, padded + 2 * missing)
        room = np.maximum(np.floor(padded + 2 * missing - size), 0)
        start = (whole(uniforms, 0, room) - [left, top] - missing) / frame
        return {"box": np.concatenate([start, start + size / frame], axis=1).astype(np.float32)}

    def _padding(self) -> tuple[int, ...]:
        given = (self.padding or 0,) if not isinstance(self.padding, tuple) else self.padding
        return (given * (4 // len(given)))[:4]

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        shown = squares(frame) if self.size is None else np.full(frame.shape, float(self.size))
        return Stage(box_maps(drawn["box"]), shown, self.padding_mode, rgb(self.fill))


@value
class CenterCrop(GeometricOperation):
    """The central square of `size` pixels, shown at the image size; at most as large as the picture.

    >>> recipe = (CenterCrop(224),)
    """

    size: Count

    frames: ClassVar[bool] = True
    only_frames: ClassVar[bool] = True

    def scaled(self, factor: float) -> CenterCrop:
        return self

    def describe(self, drawn: Sample, frame: Array) -> str:
        return share_of("central crop", drawn["box"])

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """The boxes, `{"box": (N, 4)}`, the same for all pictures of one shape."""
        start = np.round(np.maximum(frame - self.size, 0) / 2) / frame  # whole pixels, as torchvision rounds them
        return {"box": np.concatenate([start, start + np.minimum(self.size / frame, 1)], axis=1).astype(np.float32)}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        return Stage(box_maps(drawn["box"]), np.minimum(frame, float(self.size)))


@value
class Resize(GeometricOperation):
    """The shorter side becomes `size` pixels; or, given (height, width), the picture is squeezed to that shape.

    It matters for what comes after it and counts in pixels: (Resize(256), CenterCrop(224)).

    >>> recipe = (Resize((100, 150)),)
    """

    size: Count | tuple[Count, Count]

    only_frames: ClassVar[bool] = True

    @property
    def frames(self) -> bool:
        """A squeezed picture needs no centre crop."""
        return isinstance(self.size, tuple)

    def scaled(self, factor: float) -> Resize:
        return self

    def describe(self, drawn: Sample, frame: Array) -> str:
        if isinstance(self.size, tuple):
            return f"squeezed to {self.size[1]} × {self.size[0]} px"
        return f"resized to {self.size} px"

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        if isinstance(self.size, tuple):
            return Stage(identities(len(frame)), np.tile(np.array(self.size[::-1], float), (len(frame), 1)))
        return Stage(identities(len(frame)), frame * (self.size / frame.min(axis=1, keepdims=True)))


@value
class RandomHorizontalFlip(GeometricOperation):
    """Mirrors the picture left to right with probability `p`.

    >>> recipe = (RandomHorizontalFlip(p=0.3),)
    """

    p: Probability = 0.5

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "flipped left to right"

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        return Stage(box_maps(np.tile(np.array([1.0, 0, 0, 1]), (len(frame), 1))), frame)


@value
class RandomVerticalFlip(GeometricOperation):
    """Mirrors the picture top to bottom with probability `p`.

    >>> recipe = (RandomVerticalFlip(p=0.3),)
    """

    p: Probability = 0.5

    def describe(self, drawn: Sample, frame: Array) -> str:
        return "flipped upside down"

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        return Stage(box_maps(np.tile(np.array([0.0, 1, 1, 0]), (len(frame), 1))), frame)


def start_frame(aspect: Array, size: int) -> Array:
    """The frame (N, 2) of pictures with these proportions (width / height) whose shorter side is `size`."""
    return size * np.stack([np.maximum(1, aspect), np.maximum(1, 1 / aspect)], axis=1).astype(np.float64)


def center_stage(frame: Array) -> Stage:
    """The largest central square: torchvision's Resize and CenterCrop, which is all that test images see."""
    return Stage(box_maps(_central(frame.min(axis=1, keepdims=True) / frame)), squares(frame))


def box_maps(boxes: Array) -> Array:
    """The maps (N, 3, 3) that show these boxes (N, 4)."""
    boxes = boxes.astype(np.float64)
    maps = identities(len(boxes))
    maps[:, [0, 1], [0, 1]] = boxes[:, 2:] - boxes[:, :2]
    maps[:, :2, 2] = boxes[:, :2]
    return maps


def boxes_of(maps: Array) -> Array:
    """The boxes (N, 4) that these maps show, which must neither turn nor bend the picture."""
    start, size = maps[:, :2, 2], maps[:, [0, 1], [0, 1]]
    return np.concatenate([start, start + size], axis=1)


def identities(count: int) -> Array:
    """Maps (N, 3, 3) that change nothing."""
    return np.tile(np.eye(3), (count, 1, 1))


def squares(frame: Array) -> Array:
    """The frame of what a crop shows: a square whose side is the picture's shorter one."""
    return np.repeat(frame.min(axis=1, keepdims=True), 2, axis=1)


def _central(size: Array) -> Array:
    """The central boxes (N, 4) of these sizes (N, 2), in fractions."""
    return np.concatenate([(1 - size) / 2, (1 + size) / 2], axis=1).astype(np.float32)
