"""What an augmentation operation is: a value that draws parameters from uniforms, and says how they are applied.

An operation is one class in a file of `ablation.augment.operations`, of one of the five kinds below; the list of them
stands there. Images are float32 tensors (B, 3, H, W), RGB in [0, 1], from the first operation to the last. Parameters
are numpy arrays, one row a sample, drawn on the host for a whole epoch. An operation holds no state and draws nothing
itself. numpy only.

A `frame` (N, 2) is the width and height of each picture as it reaches an operation, in pixels of a picture whose
shorter side is the image size: what torchvision calls the size of the image.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.values import Range, label

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
Draws = dict[str, Array]
"""Named parameters, each an array whose first axis is the sample: float32, or int64 for keys and choices."""

Sample = Mapping[str, Any]
"""The parameters of one sample: a row of each array."""

Pair = tuple[float, float]
Share = Annotated[float, Range(low=0, high=1)]
Fill = Share | tuple[Share, Share, Share]
"""The colour of what lies outside the picture, in [0, 1]: one number, or one a channel."""

Border = Literal["constant", "edge", "reflect", "symmetric"]
"""What stands for pixels outside the picture, in torchvision's words for `padding_mode`."""

Kind = Literal["box", "affine", "projective"]
"""What a map does at most: shift and scale the axes; turn and shear, too; bend."""


class Operation:
    """What all operations have in common, with what holds where an operation says nothing else.

    An operation with a field `p` is drawn for all samples and applied with probability p, by a coin of its own.
    """

    neutral: ClassVar[Mapping[str, float]] = {}
    """The magnitudes at which it does nothing, or to which it comes as near as one likes where its field excludes them;
    of several each counts while the others are at theirs. In a tuple it is that of each number, unless `scaled` says
    otherwise. The probability 0 goes without saying."""

    appearance: ClassVar[frozenset[str]] = frozenset({"fill", "value", "center", "num_magnitude_bins"})
    """Fields whose numbers make nothing stronger: a colour, the point about which it turns, a scale's steps."""

    intervals: ClassVar[tuple[str, ...]] = ()
    """Fields that are the two bounds of a magnitude, or of two, where they are tuples."""

    only_frames: ClassVar[bool] = False
    """Whether it frames the picture without changing it, and so stays where a recipe has no strength at all."""

    def check(self) -> Iterator[str]:
        """What is wrong between fields: bounds that are the wrong way round."""
        for name in self.intervals:
            bounds = getattr(self, name)
            if isinstance(bounds, tuple) and any(map(operator.gt, bounds[::2], bounds[1::2])):
                yield f"{name} = ({', '.join(f'{bound:g}' for bound in bounds)}): the lower bound comes first"

    @property
    def uniforms(self) -> int:
        """How many uniforms it draws a sample, its coin aside."""
        return 0

    @property
    def frames(self) -> bool:
        """Whether it chooses the frame of the pictures that it is applied to, instead of the centre crop."""
        return False

    @property
    def frames_all(self) -> bool:
        """Whether it frames every picture, whatever is drawn: the steps of a sample must not depend on others."""
        return self.frames and not hasattr(self, "p")

    @property
    def called(self) -> str:
        """What tells it from others of its class, in the names of streams."""
        return ""

    @property
    def stream_name(self) -> str:
        """Under which name it draws. Magnitudes are no part of it: two strengths see the same uniforms."""
        return f"{type(self).__name__}/{self.called}" if self.called else type(self).__name__

    @property
    def held(self) -> tuple[Any, ...]:
        """The operations that it holds."""
        return ()

    def scaled(self, factor: float) -> Operation | None:
        """The operation at `factor` times its strength: by default its magnitudes so much further from `neutral`, or
        where it has none that many times as probable.

        None where it has neither: then it happens to that share of the pictures (`Sometimes`). Raises InputError where
        a magnitude would leave its range.
        """
        own: Any = self
        moved = {field: times(getattr(own, field), factor, about) for field, about in self.neutral.items()}
        if not moved and hasattr(own, "p"):
            moved = {"p": own.p * factor}
        return replace(own, **moved) if moved else None

    def describe(self, drawn: Sample, frame: Array) -> str:
        """What it did to one sample, in a few words; '' for nothing. frame: (2,), of the picture as it reached it.

        Policies and choices are described by the operations that they came to.
        """
        return label(self)


class SimpleOperation(Operation):
    """An operation that is drawn and applied itself. What draws nothing but a coin has no `draw` of its own."""

    def draw(self, uniforms: Array, frame: Array) -> Draws:
        """Parameters of N samples from uniforms (N, self.uniforms)."""
        return {}

    def idle(self, drawn: Draws) -> Any:
        """(N,) bool, where what was drawn changes nothing and applying it would cost a rounding; False for nowhere."""
        return np.False_


class GeometricOperation(SimpleOperation, ABC):
    """Moves pixels."""

    @abstractmethod
    def stage(self, drawn: Draws, frame: Array) -> Stage:
        """Where each sample's picture is looked at."""


class PixelOperation(SimpleOperation, ABC):
    """Changes colours."""

    per_image: ClassVar[bool] = False
    """Whether it works on one image at a time, which is slower."""

    @abstractmethod
    def apply(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """Images (B, 3, H, W) with the parameters of each, in the same shape; `images` is not written to."""

    def apply_(self, images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """The same where `images` may be written to."""
        return self.apply(images, drawn)

    apply_alone_: ClassVar[Any] = None
    """`apply_` for one picture (1, 3, H, W) on a CPU with its parameters as numbers, to the bit: each operation on a
    tensor of one number takes as long as on a thousand. None where it has no shorter way."""


class MixingOperation(SimpleOperation, ABC):
    """Mixes each picture with a partner's. Comes last in a recipe. See `ablation.augment.operations.mix`."""

    @abstractmethod
    def mix(self, images: Tensor, partners: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """Images (B, 3, H, W) mixed with those of their partners."""


class Policy(Operation, ABC):
    """Chooses among simple operations for each sample: its parts are applied one after another."""

    @abstractmethod
    def parts(self, uniforms: Array, frame: Array) -> list[Part]:
        """The simple operations that N samples came to, from uniforms (N, self.uniforms)."""


class Choice(Operation, ABC):
    """Chooses among the operations that it holds: each is drawn by its own name, and applied where chosen."""

    @property
    def called(self) -> str:
        return "+".join(operation.stream_name for operation in self.held)

    @abstractmethod
    def choose(self, uniforms: Array) -> list[tuple[Any, Array]]:
        """The operations that it came to, each with the samples (N,) bool that it is applied to."""


@dataclass(frozen=True)
class Stage:
    """Where each sample's picture is looked at by one geometric operation.

    maps: (N, 3, 3) float64, from a point of the picture that is shown to the point of the picture before that is
    sampled there, both in fractions ((0, 0) top left, (1, 1) bottom right), homogeneous. frame: (N, 2) of the picture
    shown. border: what lies outside the picture before; None where the operation never looks outside.
    """

    maps: Array
    frame: Array
    border: Border | None = None
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Hop(NamedTuple):
    """One step from a point that is shown towards the source: maps (N, 3, 3), then what lies outside.

    Points are counted from the centre, with the edges of the picture at -1 and 1. frame: (N, 2) of the picture that the
    map leads to. border: None where nothing outside is ever sampled. kind: how much the maps do. Arrays on the host,
    tensors on the device.
    """

    maps: Any
    frame: Any
    border: Border | None
    fill: tuple[float, float, float]
    kind: Kind


@dataclass(frozen=True)
class Drawn:
    """A simple operation as it was drawn for N samples.

    applies: (N,) bool, which of them it touches. frame: (N, 2) of the pictures as they reach it. stage: of a geometric
    operation. operation: None for the centre crop that every recipe begins with.
    """

    operation: Any
    parameters: Draws
    applies: Array
    frame: Array
    stage: Stage | None = None

    @classmethod
    def of(cls, operation: Any, parameters: Draws, applies: Array, frame: Array) -> Drawn:
        """With its stage, and applied only where it changes something."""
        stage = operation.stage(parameters, frame) if isinstance(operation, GeometricOperation) else None
        if isinstance(operation, SimpleOperation):
            applies = applies & ~operation.idle(parameters)
        return cls(operation, parameters, applies, frame, stage)

    def frame_after(self) -> Array:
        """(N, 2) of the pictures as they leave it."""
        return self.frame if self.stage is None else np.where(self.applies[:, None], self.stage.frame, self.frame)


@dataclass(frozen=True)
class Mixture:
    """Several chains of parts, to be added up with the picture by the parameter `weights` (N, 1 + chains)."""

    chains: tuple[list[Drawn], ...]


Part = tuple[SimpleOperation | Mixture, Draws, Array]
"""A simple operation with its parameters and whether it applies, (N,) bool: what policies are made of."""


def between(uniforms: Array, low: Any, high: Any) -> Array:
    """Uniforms in [0, 1) as uniforms in [low, high)."""
    return np.asarray(low + (high - low) * uniforms)


def whole(uniforms: Array, low: Any, high: Any) -> Array:
    """Uniforms in [0, 1) as whole numbers from `low` to `high`, both included."""
    return np.asarray(np.minimum(np.floor(low + (high - low + 1) * uniforms), high))


def from_beta(alpha: float, uniforms: Array) -> Array:
    """Draws from Beta(alpha, alpha), by the inverse of its distribution."""
    from scipy.special import betaincinv  # takes longer to load than all operations

    return np.asarray(betaincinv(alpha, alpha, uniforms))


def keys(uniforms: Array) -> Array:
    """Uniforms (N,) as keys (N,) int64 of 31 bits, by which noise is made on the device."""
    return np.asarray(np.floor(uniforms * 2**31), np.int64)


def rgb(fill: Fill) -> tuple[float, float, float]:
    """A fill as one number a channel."""
    return fill if isinstance(fill, tuple) else (fill, fill, fill)


def times(magnitude: Any, factor: float, about: float = 0, low: float = -math.inf) -> Any:
    """A magnitude, or a tuple of them, moved away from `about` by the factor, but not below `low`; None stays None."""
    if isinstance(magnitude, tuple):
        return tuple(times(one, factor, about, low) for one in magnitude)
    return None if magnitude is None else max(low, about + factor * (magnitude - about))
