"""Crops, resizes, turns and bends as one resampling. torch; the same on CPU and GPU.

What only crops, resizes and mirrors is separable: a few source pixels for each row, then for each column, weighted as
torchvision's `resized_crop(..., antialias=True)` weights them on float images (triangles, widened when shrinking,
renormalised at the crop's edge, boxes rounded to whole source pixels). What turns or bends is sampled bilinearly, once;
what it would shrink is smoothed beforehand, so that it comes out as sharp as through a crop of the same scale.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ablation.augment.operation import Border, Hop

LEVEL = 1 / 255
"""What a level of 8 bits is worth."""


class Taps(NamedTuple):
    """The source pixels (B, S, T) behind each of S pixels along an axis, and their weights; those sum to one."""

    indices: Tensor
    weights: Tensor


class Bags(NamedTuple):
    """Taps as an embedding bag takes them, for pictures that are resampled one by one: all channels of a picture in a
    row of indices and weights (B, C * S * T), or those of one picture; the first of each pixel at `offsets` (C * S,).
    """

    indices: Tensor
    weights: Tensor
    offsets: Tensor


def taps(start: Tensor, stop: Tensor, source: int, size: int) -> Taps:
    """How `size` pixels between `start` and `stop` are made of `source` pixels, antialiased.

    start, stop: (B,) fractions of the axis, start > stop for a mirrored axis.
    """
    low = (torch.minimum(start, stop) * source).round().clamp(0, source - 1).unsqueeze(1)
    high = (torch.maximum(start, stop) * source).round().clamp(max=source).unsqueeze(1)
    extent = torch.maximum(high - low, torch.ones_like(low))
    scale = extent / size
    pixel = torch.arange(size, device=start.device, dtype=start.dtype) + 0.5
    center = (scale * torch.where((start > stop).unsqueeze(1), size - pixel, pixel)).unsqueeze(2)
    width = scale.clamp(min=1).unsqueeze(2)  # half of the triangle's foot
    count = -int(-2 * max(1.0, source / size) // 1)  # the most pixels that can lie within an open interval that long
    index = (center - width - 0.5).ceil_() + torch.arange(count, device=start.device, dtype=start.dtype)
    weight = 1 - (index + 0.5).sub_(center).abs_().div_(width)
    inside = torch.minimum(index.clamp(min=0), extent.unsqueeze(2) - 1)  # what lies beyond has no weight
    weight = weight.clamp_(min=0).mul_(inside == index)
    return Taps(inside.add_(low.unsqueeze(2)).long(), weight.div_(weight.sum(dim=2, keepdim=True)))


def bags(taps: Taps, channels: int, first: Tensor, lengths: Tensor) -> Bags:
    """Taps for each picture alone, of whose lines `lengths` (B,) are kept in each channel, from `first` (B,) on."""
    batch, size, count = taps.indices.shape
    planes = torch.arange(channels, device=first.device) * lengths.unsqueeze(1) - first.unsqueeze(1)
    indices = taps.indices.int().unsqueeze(1) + planes.int().view(batch, channels, 1, 1)
    weights = taps.weights.unsqueeze(1).expand(batch, channels, size, count)
    offsets = torch.arange(0, channels * size * count, count, device=first.device, dtype=torch.int32)
    return Bags(indices.view(batch, -1), weights.reshape(batch, -1), offsets)


def separable(images: Tensor, across: Taps, down: Taps) -> Tensor:
    """Pictures (B, C, H, W) weighted along both axes: (B, C, S, S'), clamped to [0, 1], as weights sum to one but for
    rounding. `across` is (B, S', T'), `down` (B, S, T). uint8 pictures are taken as 255ths. The result is stored column
    by column, as it comes.
    """
    columns = _columns(_weighted(_padded(images), down), images.shape[3])
    return _weighted(columns, across).clamp_(0, 1).transpose(2, 3)


def separable_alone(image: Tensor, across: Bags, down: Bags) -> Tensor:
    """`separable` of one picture (1, C, H, W), by weights of its own, to the bit."""
    channels, _, width = image.shape[1:]
    rows = _bagged(_lines(image), down)
    length = len(rows) // channels
    lines = _turned(rows.view(channels, length, width))
    del rows  # the next step is written where it was, which is in the cache
    return _bagged(lines, across).clamp_(0, 1).view(1, channels, -1, length).transpose(2, 3)


def _lines(image: Tensor) -> Tensor:
    """The lines (C * H, W) of one picture, float32."""
    if image.dtype != torch.uint8:
        return image.contiguous().view(-1, image.shape[-1])
    floats = image.to(torch.float32, memory_format=torch.contiguous_format)
    return floats.mul_(LEVEL).view(-1, image.shape[-1])


def as_pixels(images: Tensor) -> Tensor:
    """uint8 pictures as float32 in [0, 1], to the bit as `separable` takes them."""
    return images * LEVEL if images.dtype == torch.uint8 else images


def _padded(rows: Tensor) -> Tensor:
    """A float copy in lines a few pixels longer than needed: they are transposed later, and what lies a power of two
    apart shares one line of the processor's cache.
    """
    width = rows.shape[-1]
    longer = rows.new_empty((*rows.shape[:-1], width + 4), dtype=torch.float32)
    longer.narrow(-1, 0, width).copy_(rows)
    if rows.dtype == torch.uint8:
        longer *= LEVEL
    return longer


def _columns(rows: Tensor, width: int) -> Tensor:
    """The first `width` columns of rows (B, C, S, K): (B, C, width, S). The rows are free again when it returns."""
    return rows.narrow(3, 0, width).transpose(2, 3).contiguous()


def _turned(planes: Tensor) -> Tensor:
    """Planes (C, S, W) in lines: their columns (C * W, S).

    Shuffling channels that lie last is transposing, and a CPU has a kernel for it that takes two thirds of the time.
    """
    channels, height, width = planes.shape
    count = height * width
    last = planes.as_strided((channels, count, 1, 1), (count, 1, count, count))
    return torch.channel_shuffle(last, height).view(channels * width, height)


def _bagged(table: Tensor, weights: Bags) -> Tensor:
    """(L, K) -> (C * S, K): `_weighted` for one picture."""
    return torch.embedding_bag(table, weights.indices, weights.offsets, False, 0, False, weights.weights, False)[0]


def _weighted(lines: Tensor, weights: Taps) -> Tensor:
    """(B, C, L, K) -> (B, C, S, K): each line a weighted sum of a few lines, as an embedding bag computes it."""
    batch, channels, length, width = lines.shape
    table = lines.view(-1, width)
    size, count = weights.indices.shape[1:]
    planes = torch.arange(0, batch * channels * length, length, device=lines.device)
    indices = weights.indices.unsqueeze(1) + planes.view(batch, channels, 1, 1)
    shares = weights.weights.unsqueeze(1).expand(batch, channels, size, count)
    summed = functional.embedding_bag(
        indices.view(-1, count), table, per_sample_weights=shares.reshape(-1, count), mode="sum"
    )
    return summed.view(batch, channels, size, width)


def warp(images: Tensor, hops: list[Hop], size: int) -> Tensor:
    """What images (B, C, H, W) become through the hops, the last operation's first: (B, C, size, size).

    A point outside by less than a pixel is blended with the fill, as bilinear interpolation with zeros outside does.
    """
    pixel = (2 * torch.arange(size, device=images.device, dtype=torch.float32) + 1) / size - 1
    x, y = pixel.view(1, 1, size), pixel.view(1, size, 1)
    bordered = []
    for hop in hops:
        x, y = _project(hop, x, y)
        width, height = (side.view(-1, 1, 1) for side in hop.frame.unbind(1))
        if hop.border == "constant":
            bordered.append((_inside(x, width).mul(_inside(y, height)), hop.fill))
        elif hop.border is not None:
            x, y = _folded(x, width, hop.border), _folded(y, height, hop.border)
    shape = (len(images), size, size)
    grid = torch.stack([x.expand(shape), y.expand(shape)]).permute(1, 2, 3, 0)
    shown = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    for inside, fill in reversed(bordered):
        shown *= inside.unsqueeze(1)
        if any(fill):
            shown += (1 - inside).unsqueeze(1) * shown.new_tensor(fill).view(1, 3, 1, 1)
    return shown.clamp_(0, 1)


def _project(hop: Hop, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Points through the maps; x, y: (B, S, S), or of length 1 along what they do not depend on."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(1) for row in hop.maps.view(-1, 3, 3, 1, 1).unbind(1))
    if hop.kind == "box":
        return a * x + c, e * y + f
    if hop.kind == "affine":
        return a * x + (b * y + c), d * x + (e * y + f)
    depth = g * x + (h * y + i)
    scale = 1 / depth.where(depth.abs() > 1e-7, 1e-7)  # at the horizon
    return (a * x + (b * y + c)).mul_(scale), (d * x + (e * y + f)).mul_(scale)


def _inside(point: Tensor, side: Tensor) -> Tensor:
    """The share of a bilinear sample that lies in the picture, at `point`: a ramp of one pixel's width at its edge."""
    return point.abs().mul(-0.5 * side).add_(0.5 * side + 0.5).clamp_(0, 1)


def _folded(point: Tensor, side: Tensor, border: Border) -> Tensor:
    """Points moved into the picture, as `border` says; at least half a pixel from its edge."""
    last = 1 - 1 / side  # the centre of the last pixel
    if border == "reflect":
        point = _mirrored(point, last)
    elif border == "symmetric":
        point = _mirrored(point, torch.ones_like(last))
    return torch.minimum(torch.maximum(point, -last), last)


def _mirrored(point: Tensor, edge: Tensor) -> Tensor:
    """Points beyond mirrors at -edge and edge, as often as it takes."""
    point = point + edge
    return (point - 4 * edge * (point / (4 * edge)).round()).abs_() - edge


def soften_(images: Tensor, across: Tensor, down: Tensor, turns: Tensor, most: int) -> Tensor:
    """Smooth images (B, C, H, W), in place, before they are shrunk: in each turn each pixel with its neighbours.

    across, down: (B,) the weight of either neighbour, at most 1/4; 0 changes nothing, to the last bit. turns: (B,) of
    each image, at most `most`.
    """
    for turn in range(most):
        for axis, weight in ((3, across), (2, down)):
            last = images.shape[axis] - 1
            left, right = images.narrow(axis, 0, last), images.narrow(axis, 1, last)
            moved = (right - left).mul_((weight * (turns > turn)).view(-1, 1, 1, 1))  # to each pixel from the next
            left += moved
            right -= moved
    return images


def gaussian(sigma: Tensor, kernel_size: int, source: int) -> Taps:
    """Each of `source` pixels among its neighbours, by a Gaussian of sigma (B,) pixels, mirrored at the edges.

    As torchvision's `gaussian_blur`, with its scaling of the kernel's positions.
    """
    reach = kernel_size // 2
    offset = torch.arange(-reach, reach + 1, device=sigma.device)
    position = offset * ((kernel_size - 1) / (2 * 2**0.5) / max(1, reach))
    weight = (-((position / sigma.unsqueeze(1)) ** 2)).softmax(dim=1).unsqueeze(1)
    turn = max(1, 2 * (source - 1))
    index = (torch.arange(source, device=sigma.device).unsqueeze(1) + offset).remainder(turn)
    index = torch.minimum(index, turn - index).clamp(max=source - 1)
    return Taps(index.expand(len(sigma), -1, -1), weight.expand(-1, source, -1))
