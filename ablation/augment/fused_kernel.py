"""The device's part of `ablation.augment.fused`, in Triton: imported where it is used, and nowhere else.

A program makes one tile of one picture. Its columns are those of the output in memory, channels last: column 3 x + c is
channel c of pixel x. So neighbours are stored together, and one body serves all channels.
"""

# A kernel is written in Triton's language, in which arguments are pointers and constants.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls

import triton
import triton.language as tl


@triton.jit(do_not_specialize_on_alignment=["rows", "at"])  # a batch's rows may begin anywhere in those of an epoch
def show(
    pixels,  # (N, 3, SOURCE, SOURCE) uint8
    at,  # (B,) int64, in pixels
    rows,  # (B,) int64, in boxes and factors
    boxes,  # (M, 4) int32: left, width, top, height in source pixels; an extent below 0 is mirrored
    factors,  # (M, 3) float32: brightness before contrast, contrast, brightness after it; 1 changes nothing
    sums,  # (B, TILES) float32: the grey of each tile, added up
    shown,  # (B, SIZE, SIZE, 3)
    luma,  # three numbers, one a channel, as mean and std
    mean,
    std,
    SUM: tl.constexpr,  # write sums, not shown
    CONTRAST: tl.constexpr,  # read sums
    SOURCE: tl.constexpr,
    SIZE: tl.constexpr,
    TAPS: tl.constexpr,  # source pixels behind a pixel along an axis, at most
    ACROSS: tl.constexpr,  # tiles in a row of them
    TILES: tl.constexpr,  # tiles in a picture
    PADDED: tl.constexpr,  # the same, as a power of two
    HEIGHT: tl.constexpr,  # of a tile
    WIDTH: tl.constexpr,
):
    """A tile resized and brightened; then either its sum, or contrast, brightness and its normalised pixels."""
    picture, tile = tl.program_id(0) // TILES, tl.program_id(0) % TILES
    row = tl.load(rows + picture)
    contrast = tl.load(factors + row * 3 + 1)
    if SUM:  # noqa: SIM102, as the one is known to the compiler
        if contrast == 1:  # it is multiplied by 0
            tl.store(sums + tl.program_id(0), 0.0)
            return
    line = tile // ACROSS * HEIGHT + tl.arange(0, HEIGHT)
    column = tile % ACROSS * WIDTH + tl.arange(0, WIDTH)
    inside = (line < SIZE)[:, None] & (column < 3 * SIZE)[None, :]
    channel, x, y = column % 3, tl.minimum(column // 3, SIZE - 1), tl.minimum(line, SIZE - 1)

    left, width = tl.load(boxes + row * 4), tl.load(boxes + row * 4 + 1)
    top, height = tl.load(boxes + row * 4 + 2), tl.load(boxes + row * 4 + 3)
    x_center, x_slope, x_first = _triangles(x, width, SIZE)
    y_center, y_slope, y_first = _triangles(y, height, SIZE)
    corner = pixels + tl.load(at + picture) * (3 * SOURCE * SOURCE) + top * SOURCE + left
    planes = corner + (channel * (SOURCE * SOURCE))[None, :]

    pixel = tl.zeros((HEIGHT, WIDTH), tl.float32)
    x_total, y_total = tl.zeros((WIDTH,), tl.float32), tl.zeros((HEIGHT,), tl.float32)
    for i in range(TAPS):
        x_total += _tap(x_first + i, x_center, x_slope, width)[1]
    for j in range(TAPS):
        y_index, y_weight = _tap(y_first + j, y_center, y_slope, height)
        y_total += y_weight
        lines = planes + (y_index * SOURCE)[:, None]
        summed = tl.zeros((HEIGHT, WIDTH), tl.float32)
        for i in range(TAPS):
            x_index, x_weight = _tap(x_first + i, x_center, x_slope, width)
            summed += tl.load(lines + x_index[None, :]).to(tl.float32) * x_weight[None, :]
        pixel += summed * y_weight[:, None]
    pixel = tl.clamp(pixel * (1 / x_total)[None, :] * (1 / y_total)[:, None] * (1 / 255), 0.0, 1.0)
    pixel = tl.clamp(pixel * tl.load(factors + row * 3), 0.0, 1.0)

    if SUM:
        grey = tl.where(inside, pixel * _of(channel, luma)[None, :], 0.0)
        tl.store(sums + tl.program_id(0), tl.sum(grey))
    else:
        if CONTRAST:
            part = tl.arange(0, PADDED)
            grey = tl.sum(tl.load(sums + picture * TILES + part, mask=part < TILES, other=0.0)) / (SIZE * SIZE)
            pixel = tl.clamp(pixel * contrast + (1 - contrast) * grey, 0.0, 1.0)
        pixel = tl.clamp(pixel * tl.load(factors + row * 3 + 2), 0.0, 1.0)
        pixel = (pixel - _of(channel, mean)[None, :]) * (1 / _of(channel, std))[None, :]
        begin = shown + picture.to(tl.int64) * (3 * SIZE * SIZE)
        tl.store(begin + (line * (3 * SIZE))[:, None] + column[None, :], pixel.to(shown.dtype.element_ty), mask=inside)


@triton.jit
def _triangles(place, extent, SIZE: tl.constexpr):
    """Of output pixels along an axis: the triangles' centres, their slope, and the first source pixel in each.

    As `ablation.augment.resample.taps` has them, and rounded alike: a bit of a centre is up to 1e-5 pixels.
    """
    scale = tl.div_rn(tl.abs(extent).to(tl.float32), SIZE * 1.0)
    foot = tl.maximum(scale, 1.0)
    center = scale * (tl.where(extent < 0, SIZE - 1 - place, place) + 0.5)
    return center, 1 / foot, tl.ceil(center - foot - 0.5).to(tl.int32)


@triton.jit
def _tap(index, center, slope, extent):
    """Source pixels as they may be read, and their weights: none beyond the box."""
    weight = tl.maximum(1 - tl.abs(index + 0.5 - center) * slope, 0.0)
    last = tl.abs(extent) - 1
    return tl.minimum(tl.maximum(index, 0), last), tl.where((index >= 0) & (index <= last), weight, 0.0)


@triton.jit
def _of(channel, three):
    """Which of three numbers is that of each channel."""
    return tl.where(channel == 0, three[0], tl.where(channel == 1, three[1], three[2]))
