"""What an augmentation operation is: a value that draws parameters from uniforms, and applies them to a batch.

Images are float32 tensors (B, 3, H, W), RGB in [0, 1], from the first operation to the last. Parameters are per
sample. An operation holds no state, draws nothing itself, and is either geometric (it draws a "box" and the chain
resamples once for all neighbours, see `ablation.augment.geometry`) or has `apply`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
Draws = dict[str, NDArray[np.float32]]
"""Named parameters, each an array whose first axis is the sample."""


class GeometricOperation(Protocol):
    """Draws `{"box": (N, 4)}`. `frames`: whether it chooses the frame, in place of the centre crop."""

    uniforms: ClassVar[int]
    frames: ClassVar[bool]

    def draw(self, uniforms: Array, aspect: Array) -> Draws: ...


class PixelOperation(Protocol):
    """Draws parameters from `uniforms` (N, self.uniforms) and applies them: images (B, 3, H, W) to the same shape."""

    uniforms: ClassVar[int]

    def draw(self, uniforms: Array, aspect: Array) -> Draws: ...

    def apply(self, images: Tensor, parameters: dict[str, Tensor]) -> Tensor: ...
