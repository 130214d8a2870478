"""Noise made on the device from a key per sample: the same numbers in every batch and on every device. torch.

A counter-based generator in a few integer operations: the key and the pixel's index are hashed (Wellons' "lowbias32",
the 32-bit mixer of least bias found by his search, 2018), so that no state is kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MASK = 2**32 - 1


def _hashed(numbers: Tensor) -> Tensor:
    """int64 in [0, 2^32) -> the same, mixed; products wrap, and only their low 32 bits are kept."""
    numbers = ((numbers ^ (numbers >> 16)) * 0x7FEB352D) & _MASK
    numbers = ((numbers ^ (numbers >> 15)) * 0x846CA68B) & _MASK
    return numbers ^ (numbers >> 16)


def uniform(keys: Tensor, count: int) -> Tensor:
    """(B, count) float32 in [0, 1], from keys (B,) int64 of 31 bits."""
    pixels = _hashed(torch.arange(count, device=keys.device))
    keyed = _hashed(keys + 2**31)  # apart from every pixel: pixel and key may not be exchanged
    return (_hashed((pixels + keyed.unsqueeze(1)) & _MASK) + 0.5) * 2**-32


def normal(keys: Tensor, count: int) -> Tensor:
    """(B, count) float32, standard normal (Box and Muller 1958), from keys (B,) int64."""
    half = -(-count // 2)
    drawn = uniform(keys, 2 * half)
    radius, angle = (-2 * drawn[:, :half].log()).sqrt(), 2 * math.pi * drawn[:, half:]
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :count]
