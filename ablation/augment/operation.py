"""What an augmentation operation is: a value that draws parameters from uniforms, and says how they are applied.

Images are float32 tensors (B, 3, H, W), RGB in [0, 1], from the first operation to the last. Parameters are numpy
arrays, one row a sample, drawn on the host for a whole epoch. An operation holds no state and draws nothing itself.

A `frame` (N, 2) is the width and height of each picture as it reaches an operation, in pixels of a picture whose
shorter side is the image size: what torchvision calls the size of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.core.values import Range

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
Draws = dict[str, Array]
"""Named parameters, each an array whose first axis is the sample: float32, or int64 for keys and choices."""

Pair = tuple[float, float]
Share = Annotated[float, Range(low=0, high=1)]
Fill = Share | tuple[Share, Share, Share]
"""The colour of what lies outside the picture, in [0, 1]: one number, or one a channel."""

Border = Literal["constant", "edge", "reflect", "symmetric"]
"""What is seen outside the picture, in torchvision's words for `padding_mode`."""


Kind = Literal["box", "affine", "projective"]
"""What a map does at most: shift and scale the axes; turn and shear, too; bend."""


@dataclass(frozen=True)
class Stage:
    """Where each sample's picture is looked at by one geometric operation.

    maps: (N, 3, 3) float64, from a point of the picture that is shown to the point of the picture before that is seen
    there, both in fractions ((0, 0) top left, (1, 1) bottom right), homogeneous. frame: (N, 2) of the picture shown.
    border: what lies outside the picture before; None where the operation never looks outside.
    """

    maps: Array
    frame: Array
    border: Border | None = None
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0)


Part = tuple[Any, Draws, Array]
"""A simple operation with its parameters and whether it applies, (N,) bool: what policies are made of."""


class GeometricOperation(Protocol):
    """Moves pixels. `frames`: whether it chooses the frame, in place of the centre crop.

    An operation with a field `p` is drawn for all samples and applied with probability p, by a coin of its own.
    """

    uniforms: ClassVar[int]
    frames: ClassVar[bool]

    def draw(self, uniforms: Array, frame: Array) -> Draws: ...

    def stage(self, drawn: Draws, frame: Array) -> Stage: ...


class PixelOperation(Protocol):
    """Changes colours: draws from `uniforms` (N, self.uniforms); `apply` maps images (B, 3, H, W) to the same shape."""

    uniforms: ClassVar[int]

    def draw(self, uniforms: Array, frame: Array) -> Draws: ...

    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor: ...


class MixingOperation(Protocol):
    """Mixes each picture with a partner's. Comes last in a recipe. See `ablation.augment.operations.mix`."""

    uniforms: ClassVar[int]

    def draw(self, uniforms: Array, frame: Array) -> Draws: ...

    def mix(self, images: Tensor, partners: Tensor, drawn: dict[str, Tensor]) -> Tensor: ...


class Policy(Protocol):
    """Chooses among simple operations for each sample: its parts are applied one after another."""

    @property
    def uniforms(self) -> int: ...

    def parts(self, uniforms: Array, frame: Array) -> list[Part]: ...


class Choice(Protocol):
    """Chooses among the operations that it holds: each is drawn by its own name, and applied where chosen."""

    uniforms: ClassVar[int]

    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]: ...


def between(uniforms: Array, low: Any, high: Any) -> Array:
    """Uniforms in [0, 1) as uniforms in [low, high)."""
    return low + (high - low) * uniforms


def whole(uniforms: Array, low: Any, high: Any) -> Array:
    """Uniforms in [0, 1) as whole numbers from `low` to `high`, both included."""
    return np.minimum(np.floor(low + (high - low + 1) * uniforms), high)


def from_beta(alpha: float, uniforms: Array) -> Array:
    """Draws from Beta(alpha, alpha), by the inverse of its distribution."""
    from scipy.special import betaincinv  # takes longer to load than all operations

    return betaincinv(alpha, alpha, uniforms)


def keys(uniforms: Array) -> Array:
    """Uniforms (N,) as keys (N,) int64 of 31 bits, by which noise is made on the device."""
    return np.floor(uniforms * 2**31).astype(np.int64)


def rgb(fill: Fill) -> tuple[float, float, float]:
    """A fill as one number a channel."""
    return fill if isinstance(fill, tuple) else (fill, fill, fill)


def ordered(name: str, bounds: tuple[float, ...] | float | None) -> list[str]:
    """A mistake where a pair of bounds is the wrong way round; [] where all is well."""
    if isinstance(bounds, tuple) and any(low > high for low, high in zip(bounds[::2], bounds[1::2], strict=True)):
        return [f"{name} = ({', '.join(f'{bound:g}' for bound in bounds)}): the lower bound comes first"]
    return []
