"""Crop, resize and mirror as one resampling: separable, antialiased, with a box of its own for each sample.

The result is torchvision's `resized_crop(..., antialias=True)` on float images: triangle (bilinear) weights, widened
when shrinking, renormalised at the crop's edge, with the box rounded to whole source pixels as torchvision's is.
Separable weights are two batched matrix products, `Wy @ image @ Wx^T`, the same on CPU and GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor


def resample(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """What each image shows in its box, at (size, size).

    images: (B, C, H, W) float in [0, 1]. boxes: (B, 4) left, top, right, bottom, in fractions; left > right mirrors.
    Returns (B, C, size, size), clamped to [0, 1]: weights that sum to one but for rounding would lift white above 1.
    """
    batch, channels, height, width = images.shape
    across = weights(boxes[:, 0], boxes[:, 2], width, size)
    down = weights(boxes[:, 1], boxes[:, 3], height, size)
    rows = images.reshape(batch, channels * height, width) @ across.transpose(1, 2)
    return (down.unsqueeze(1) @ rows.view(batch, channels, height, size)).clamp_(0, 1)


def weights(start: Tensor, stop: Tensor, source: int, size: int) -> Tensor:
    """The weight (B, size, source) of each source pixel in each of `size` samples between `start` and `stop`.

    start, stop: (B,) fractions of the axis, start > stop for a mirrored axis. Rows sum to one.
    """
    low = (torch.minimum(start, stop) * source).round().clamp(0, source - 1).unsqueeze(1)
    high = (torch.maximum(start, stop) * source).round().clamp(max=source).unsqueeze(1)
    extent = torch.maximum(high - low, torch.ones_like(low))
    scale = extent / size
    sample = torch.arange(size, device=start.device, dtype=start.dtype) + 0.5
    sample = torch.where((start > stop).unsqueeze(1), size - sample, sample)
    pixel = torch.arange(source, device=start.device, dtype=start.dtype) + 0.5 - low
    distance = (pixel.unsqueeze(1) - (scale * sample).unsqueeze(2)).abs()
    triangle = (1 - distance / scale.clamp(min=1).unsqueeze(2)).clamp(min=0)
    inside = ((pixel > 0) & (pixel < extent)).unsqueeze(1)
    triangle = triangle * inside
    return triangle / triangle.sum(dim=2, keepdim=True)
