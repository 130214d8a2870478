"""Geometry that turns or bends: rotation, affine maps, perspective, zooming out. numpy only.

Maps follow torchvision's formulas, in continuous pixels of the frame (the first pixel covers 0 to 1). Interpolation is
bilinear throughout: torchvision's default of nearest neighbours, kept there for its history, is not offered.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from ablation.augment.captions import joined, multiplied, shifted, signed, turned
from ablation.augment.operation import (
    Array,
    Draws,
    Fill,
    GeometricOperation,
    Pair,
    Sample,
    Stage,
    between,
    rgb,
    whole,
)  # fmt: skip
from ablation.augment.operations.geometry import identities
from ablation.core.values import NonNegative, Probability, Range, value

Angle = NonNegative | Pair
"""Degrees a, for angles in [-a, a], or the angles' two bounds."""


@value
class RandomRotation(GeometricOperation):
    """Turns the picture about its centre by an angle in `degrees`, counter-clockwise where positive.

    expand: the frame grows until all of the picture is in it.

    >>> recipe = (RandomRotation(30),)
    """

    degrees: Angle
    expand: bool = False
    fill: Fill = 0.0

    uniforms: ClassVar[int] = 1
    neutral = {"degrees": 0}
    intervals = ("degrees",)

    def describe(self, drawn: Sample, frame: Array) -> str:
        return turned(-float(drawn["angle"]))

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"angle": (N,)}` in degrees."""
        return {"angle": between(uniforms[:, 0], *_bounds(self.degrees)).astype(np.float32)}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        inverse = _inverse_affine(-drawn["angle"], 1, np.zeros_like(frame), np.zeros_like(frame), 0 * frame)
        shown = _expanded(inverse, frame) if self.expand else frame
        return Stage(_in_fractions(inverse, frame, shown), shown, "constant", rgb(self.fill))


@value
class RandomAffine(GeometricOperation):
    """Rotation, translation, scaling and shear, keeping the centre fixed.

    degrees: rotation, clockwise where positive. translate: the largest shift across and down, as a share of the
    picture; whole pixels are drawn. scale: bounds of the factor. shear: degrees along x, (low, high) of them, or (low
    x, high x, low y, high y). center: of rotation and shear, (x, y) in pixels; by default the picture's.

    >>> RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1)).translate
    (0.1, 0.1)
    """

    degrees: Angle
    translate: Annotated[tuple[float, float], Range(low=0, high=1)] | None = None
    scale: Annotated[tuple[float, float], Range(above=0)] | None = None
    shear: Angle | tuple[float, float, float, float] | None = None
    fill: Fill = 0.0
    center: Pair | None = None

    uniforms: ClassVar[int] = 6
    neutral = {"degrees": 0, "translate": 0, "scale": 1, "shear": 0}
    intervals = ("degrees", "scale", "shear")

    def describe(self, drawn: Sample, frame: Array) -> str:
        """Rotation, shift, factor and shear, as far as there are any.

        The shift of an operation that shifts nothing by itself belongs to the shear, which keeps a corner fixed
        (see `ablation.augment.operations.policy`).
        """
        sheared = [f"{signed(angle)}° along {axis}" for axis, angle in zip("xy", drawn["shear"], strict=True) if angle]
        shift = "" if sheared and self.translate is None else shifted(*drawn["translate"])
        return joined(
            turned(float(drawn["angle"])),
            f"moved {shift}" if shift else "",
            multiplied("size", drawn["scale"]),
            f"sheared {' and '.join(sheared)}" if sheared else "",
        )

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"angle": (N,), "translate": (N, 2), "scale": (N,), "shear": (N, 2)}`; degrees, and pixels."""
        furthest = np.array(self.translate or (0, 0)) * frame
        shear = _bounds(self.shear or 0)
        drawn = {
            "angle": between(uniforms[:, 0], *_bounds(self.degrees)),
            "translate": np.round(between(uniforms[:, 1:3], -furthest, furthest)),
            "scale": between(uniforms[:, 3], *(self.scale or (1, 1))),
            "shear": between(uniforms[:, 4:6], np.array([*shear[:1], *(shear[2:3] or (0,))]),
                             np.array([*shear[1:2], *(shear[3:4] or (0,))])),
        }  # fmt: skip
        return {name: values.astype(np.float32) for name, values in drawn.items()}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        center = np.zeros_like(frame) if self.center is None else np.array(self.center) - frame / 2
        inverse = _inverse_affine(drawn["angle"], drawn["scale"], drawn["translate"], drawn["shear"], center)
        return Stage(_in_fractions(inverse, frame, frame), frame, "constant", rgb(self.fill))


@value
class RandomPerspective(GeometricOperation):
    """Moves each corner inwards by up to `distortion_scale` of half the picture, with probability `p`.

    >>> recipe = (RandomPerspective(0.3),)
    """

    distortion_scale: Annotated[float, Range(low=0, high=1)] = 0.5
    p: Probability = 0.5
    fill: Fill = 0.0

    uniforms: ClassVar[int] = 8
    neutral = {"distortion_scale": 0}

    def describe(self, drawn: Sample, frame: Array) -> str:
        """How far the corner that moves most comes inwards, along the side."""
        furthest = np.abs(drawn["corners"] - _corners(np.floor(frame)[None])[0]).max()
        return f"corners up to {furthest:.0f} px inwards" if furthest else ""

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"corners": (N, 4, 2)}`: where the corners go, in pixels, clockwise from the top left."""
        size = np.floor(frame)
        furthest = np.floor(self.distortion_scale * (size // 2))[:, None]
        moved = whole(uniforms.reshape(-1, 4, 2), 0, furthest)
        return {"corners": np.abs(_corners(size) - moved).astype(np.float32)}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        corners = _corners(np.floor(frame))
        maps = _homography(drawn["corners"].astype(np.float64), corners)
        maps[(drawn["corners"] == corners).all(axis=(1, 2))] = np.eye(3)
        return Stage(_fractions(maps, frame, frame), frame, "constant", rgb(self.fill))


@value
class RandomZoomOut(GeometricOperation):
    """Puts the picture at a random position on a canvas whose sides are longer by a factor in `side_range`.

    >>> RandomZoomOut(side_range=(1, 2)).side_range
    (1.0, 2.0)
    """

    fill: Fill = 0.0
    side_range: Annotated[tuple[float, float], Range(low=1)] = (1.0, 4.0)
    p: Probability = 0.5

    uniforms: ClassVar[int] = 3
    neutral = {"side_range": 1}
    intervals = ("side_range",)

    def describe(self, drawn: Sample, frame: Array) -> str:
        return multiplied("zoomed out", max(1, math.sqrt(float(np.prod(drawn["canvas"] / frame)))))

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """`{"canvas": (N, 2), "offset": (N, 2)}` in pixels: the canvas's size, the picture's left and top."""
        canvas = np.maximum(np.floor(frame * between(uniforms[:, :1], *self.side_range)), frame)
        offset = np.floor((canvas - frame) * uniforms[:, 1:])
        return {"canvas": canvas.astype(np.float32), "offset": offset.astype(np.float32)}

    def stage(self, drawn: Draws, frame: Array) -> Stage:
        maps = identities(len(frame))
        maps[:, :2, 2] = -drawn["offset"]
        canvas = drawn["canvas"].astype(np.float64)
        return Stage(_fractions(maps, frame, canvas), canvas, "constant", rgb(self.fill))


def _bounds(angle: float | tuple[float, ...]) -> tuple[float, ...]:
    return angle if isinstance(angle, tuple) else (-angle, angle)


def _inverse_affine(angle: Array, scale: Array | float, translate: Array, shear: Array, center: Array) -> Array:
    """torchvision's inverse affine matrices (N, 2, 3), about the picture's centre: from what is shown to what was.

    angle (N,), shear (N, 2) in degrees; translate, center (N, 2) in pixels, the latter from the picture's centre.
    """
    turn, (lean_x, lean_y) = np.radians(angle.astype(np.float64)), np.radians(shear.astype(np.float64)).T
    a = np.cos(turn - lean_y) / np.cos(lean_y)
    b = -(a * np.tan(lean_x) + np.sin(turn))
    c = np.sin(turn - lean_y) / np.cos(lean_y)
    d = np.cos(turn) - c * np.tan(lean_x)
    linear = np.stack([np.stack([d, -b], axis=1), np.stack([-c, a], axis=1)], axis=1)
    linear /= np.broadcast_to(np.asarray(scale, np.float64), len(angle))[:, None, None]
    shift = center - (linear @ (center + translate)[:, :, None])[:, :, 0]
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def _in_fractions(inverse: Array, frame: Array, shown: Array) -> Array:
    """Matrices (N, 2, 3) about the centres as maps (N, 3, 3) in fractions, from `shown` to `frame`."""
    maps = identities(len(frame))
    maps[:, :2] = inverse
    maps[:, :2, 2] += frame / 2 - (inverse[:, :, :2] @ (shown / 2)[:, :, None])[:, :, 0]
    return _fractions(maps, frame, shown)


def _fractions(maps: Array, frame: Array, shown: Array) -> Array:
    """Maps (N, 3, 3) of pixels as maps of fractions. Those that change nothing stay so to the last bit."""
    ones = np.ones((len(frame), 1))
    into, out = np.concatenate([shown, ones], axis=1), np.concatenate([frame, ones], axis=1)
    scaled = maps * (into[:, None, :] / out[:, :, None])
    unmoved = (maps == np.eye(3)).all(axis=(1, 2)) & (frame == shown).all(axis=1)
    return np.where(unmoved[:, None, None], np.eye(3), scaled)


def _expanded(inverse: Array, frame: Array) -> Array:
    """The frame that holds all of a turned picture, as torchvision rounds it."""
    reach = (np.abs(inverse[:, :, :2]) @ frame[:, :, None])[:, :, 0] / 2
    most, least = np.trunc((frame / 2 + reach) * 1e4) / 1e4, np.trunc((frame / 2 - reach) * 1e4) / 1e4
    return np.ceil(most) - np.floor(least)


def _corners(size: Array) -> Array:
    """The corners (N, 4, 2) of pictures of this size as torchvision counts them: the last pixel's index."""
    return np.asarray((size - 1)[:, None] * [[0, 0], [1, 0], [1, 1], [0, 1]])


def _homography(start: Array, stop: Array) -> Array:
    """The projective maps (N, 3, 3), of any scale, that take four points (N, 4, 2) to four points; where three of them
    lie on a line, which no such map allows, the identity.

    Each is made of two maps that take the unit vectors and their sum to four points (Hartley and Zisserman 2004, 2.3),
    as to solve for eight numbers, the ninth being 1, fails where a point at the origin goes to infinity.
    """
    (first, flat), (second, also_flat) = _basis(start), _basis(stop)
    maps = second @ np.linalg.inv(np.where(flat[:, None, None], np.eye(3), first))
    maps = maps / np.maximum(np.abs(maps).max(axis=(1, 2), keepdims=True), 1e-300)
    return np.where((flat | also_flat)[:, None, None], np.eye(3), maps)


def _basis(points: Array) -> tuple[Array, Array]:
    """The maps (N, 3, 3) of the unit vectors and their sum to four points; (N,) where three lie on a line."""
    columns = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)
    areas = np.stack([np.linalg.det(np.delete(columns, one, axis=1)) for one in range(4)], axis=1)
    weights = areas[:, :3] * [1, -1, 1]  # the fourth point by Cramer's rule
    return columns[:, :3].transpose(0, 2, 1) * weights[:, None, :], (np.abs(areas) < 1e-6).any(axis=1)
