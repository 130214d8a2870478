"""The most common chain in one go on a GPU: crop, resize, mirror, brightness, contrast, normalised for the network.

The pixels of `ablation.augment.apply` but for the last bits, in other memory traffic: each picture's window of the
cache is read where it lies, once, or twice where contrast needs a mean, and its output is written once, channels last.
The parameters of an epoch are sent to the device at once; what is called for a batch sends nothing and waits for
nothing. Meant to be faster than the general path; not measured.

Needs Triton, which comes with torch for CUDA. Tested on a CPU by Triton's interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.augment.apply import on
from ablation.augment.chain import Adjust, Resample, Step
from ablation.augment.operation import Array
from ablation.augment.operations.color import LUMA, Brightness, Contrast

_TILE = 1024
"""Numbers that a program makes, at most."""

_ROW = 128
"""Of these in a row of the output, at most."""

_COMPILED = {"num_warps": 4, "enable_fp_fusion": False}
"""Products and sums are rounded apart, as on a CPU: versions of Triton differ in what they do by themselves."""


@dataclass(frozen=True)
class Fused:
    """A chain of this kind with the parameters of all samples of an epoch, on the device.

    boxes: (N, 4) int32, left, width, top and height of what is shown, in pixels of the cached squares; an extent below
    0 is mirrored. factors: (N, 3) float32, of brightness before contrast, of contrast, and of brightness after it; 1
    changes nothing. contrasts: whether any factor of contrast does.
    """

    source: int
    size: int
    boxes: Tensor
    factors: Tensor
    contrasts: bool

    def __call__(
        self,
        pixels: Tensor,
        rows: Tensor,
        mean: Sequence[float] | Array,
        std: Sequence[float] | Array,
        dtype: torch.dtype = torch.bfloat16,
        at: Tensor | None = None,
    ) -> Tensor:
        """Pictures as the network takes them: (B, 3, size, size), channels last.

        pixels: (M, 3, source, source) uint8, contiguous. rows: (B,) int64, which samples of the epoch. at: (B,) int64,
        where in `pixels` they are; None where `pixels` are those of all samples, in their order. mean, std: (3,).
        All tensors on one device.
        """
        from ablation.augment.fused_kernel import show

        count, tiling = len(rows), _tiling(self.source, self.size)
        self._check(pixels)
        shown = torch.empty((count, self.size, self.size, 3), dtype=dtype, device=pixels.device)
        sums = torch.empty((count, tiling["TILES"]), dtype=torch.float32, device=pixels.device)
        moments = [tuple(float(number) for number in numbers) for numbers in (LUMA, mean, std)]
        given = (pixels, rows if at is None else at, rows, self.boxes, self.factors, sums, shown, *moments)
        launch = show[(count * tiling["TILES"],)]
        with torch.cuda.device_of(pixels):  # type: ignore[no-untyped-call]
            if self.contrasts:
                launch(*given, SUM=True, CONTRAST=False, **tiling, **_COMPILED)
            launch(*given, SUM=False, CONTRAST=self.contrasts, **tiling, **_COMPILED)
        return shown.permute(0, 3, 1, 2)

    def pictures(self, pixels: Tensor, rows: Tensor, at: Tensor | None = None) -> Tensor:
        """The same before they are normalised: float32 in [0, 1]."""
        return self(pixels, rows, (0, 0, 0), (1, 1, 1), torch.float32, at)

    def _check(self, pixels: Tensor) -> None:
        """A kernel reads memory as it is said to be: raises ValueError where pixels are something else."""
        expected = (3, self.source, self.source)
        if pixels.dtype != torch.uint8 or pixels.shape[1:] != expected or not pixels.is_contiguous():
            got = f"{tuple(pixels.shape)} {pixels.dtype}" + ("" if pixels.is_contiguous() else ", not contiguous")
            raise ValueError(f"pixels are {got}; they must be (N, 3, {self.source}, {self.source}) torch.uint8")


def fused(steps: Sequence[Step], source: int, size: int, device: torch.device) -> Fused | None:
    """The chain as one; None where it does anything else, and `ablation.augment.apply` is needed.

    It is one where every sample is shown a box of its picture, and then at most one contrast, with at most one
    brightness before it and one after. source: the side of the cached squares.
    """
    first, *rest = steps
    if not isinstance(first, Resample) or not first.straight.all():
        return None
    factors = _factors(rest, len(first.boxes))
    if factors is None:
        return None
    boxes = _boxes(first.boxes, source)
    return Fused(source, size, on(device, boxes), on(device, factors), bool((factors[:, 1] != 1).any()))


def _factors(steps: Sequence[Step], count: int) -> Array | None:
    """What brightness and contrast multiply each sample by, as `Fused.factors`; None where they are not all."""
    factors, taken = np.ones((count, 3), np.float32), np.zeros((count, 3), bool)
    for step in steps:
        if not isinstance(step, Adjust) or type(step.operation) not in (Brightness, Contrast):
            return None
        touched = np.flatnonzero(step.applies)
        after = 2 * taken[touched, 1]
        column = 1 if type(step.operation) is Contrast else after
        if (taken[touched, column] | taken[touched, 2]).any():
            return None
        factors[touched, column] = step.parameters["factor"][touched]
        taken[touched, column] = True
    return factors


def _boxes(boxes: Array, source: int) -> Array:
    """Boxes (N, 4) in whole source pixels, as `Fused.boxes`; rounded as `ablation.augment.resample.taps` rounds."""
    edges = boxes.clip(0, 1)
    start, stop = edges[:, :2], edges[:, 2:]
    low = (np.minimum(start, stop) * source).round().clip(0, source - 1)
    high = (np.maximum(start, stop) * source).round().clip(max=source)
    extent = np.maximum(high - low, 1) * np.where(start > stop, -1, 1)
    return np.stack([low, extent], axis=2).reshape(-1, 4).astype(np.int32)


def _tiling(source: int, size: int) -> dict[str, Any]:
    """How a picture is cut into tiles, and how far a pixel of it looks: the constants of the kernel."""
    width = min(_ROW, _power_of_two(3 * size))
    height = min(_TILE // width, _power_of_two(size))
    across = -(-3 * size // width)
    tiles = across * -(-size // height)
    taps = -int(-2 * max(1.0, source / size) // 1)
    return {
        "SOURCE": source,
        "SIZE": size,
        "TAPS": taps,
        "ACROSS": across,
        "TILES": tiles,
        "PADDED": _power_of_two(tiles),
        "HEIGHT": height,
        "WIDTH": width,
    }


def _power_of_two(number: int) -> int:
    """The least that is not below it."""
    return 1 << (number - 1).bit_length()
