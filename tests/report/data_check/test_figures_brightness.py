"""The clouds of brightness and of sizes: every photograph is within, marks stand where they should; thumbnails fit."""

import base64
import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from ablation.core.seeds import stream
from ablation.report.data_check.brightness import RASTER_FROM, BrightnessInfo, End, draw_brightness
from ablation.report.data_check.sizes import SizesInfo, draw_sizes
from ablation.report.data_check.thumbnails import HEIGHT, LONG, SHORT, WIDTH, thumbnail
from ablation.report.style import svg


def info_of(count: int, marks: int = 2) -> BrightnessInfo:
    draws = stream(0, "light", count)
    names = ("darkest", "brightest", "flattest", "strongest contrast")
    return BrightnessInfo(
        draws.uniform(0, 1, count),
        draws.uniform(0, 0.5, count),
        ((0.1, 0.9), (-math.inf, math.inf)),
        tuple(End(name, "brightness", tuple(range(index, index + marks)), ()) for index, name in enumerate(names)),
    )


def scatters(axes) -> list[np.ndarray]:
    return [np.asarray(result.get_offsets()) for result in axes.collections if len(result.get_offsets()) > 0]


@pytest.mark.parametrize("count", [8, 5000])
def test_every_photograph_is_within_the_axes_and_the_marked_ones_again(count):
    info = info_of(count)
    axes, _, _ = draw_brightness(info, {})
    cloud, *marks = scatters(axes)
    assert cloud == pytest.approx(100 * np.stack([info.brightness, info.contrast], axis=1))
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert ((cloud[:, 0] > left) & (cloud[:, 0] < right) & (cloud[:, 1] > low) & (cloud[:, 1] < high)).all()
    assert [result.tolist() for result in marks] == [cloud[end.marked].tolist() for end in info.ends]


def test_only_a_bound_that_there_is_has_a_line():
    axes, _, _ = draw_brightness(info_of(50), {})
    assert sorted(line.get_xdata()[0] for line in axes.lines) == [10, 90]


def test_a_cloud_of_many_stays_small_and_has_histograms_of_all():
    few, many = (svg(draw_brightness(info_of(count), {})) for count in (RASTER_FROM - 1, 100_000))
    assert b"data:image/png" not in few
    assert b"data:image/png" in many
    assert len(many) < 600_000
    _, above, beside = draw_brightness(info_of(3000), {})
    for axes, of in ((above, "get_height"), (beside, "get_width")):
        assert sum(getattr(bar, of)() for bar in axes.patches) == 3000


def test_photographs_of_one_brightness_are_drawn_too():
    info = BrightnessInfo(np.full(4, 1.0), np.zeros(4), ((-math.inf, math.inf),) * 2, info_of(8, 0).ends)
    assert draw_brightness(info, {})[0].get_xlim()[1] > 100


def sizes(*pairs: tuple[int, int]) -> SizesInfo:
    width, height = np.array(pairs).T
    return SizesInfo(width, height)


def test_sizes_that_occur_are_points_the_more_frequent_ones_larger():
    info = sizes(*[(640, 480)] * 30, (480, 640), (40, 30), (900, 100))
    result, counts = info.sizes
    assert dict(zip(map(tuple, result.tolist()), counts.tolist(), strict=True))[640, 480] == 30
    cloud_axes, ratios = draw_sizes(info, {})
    (cloud,) = [result for result in cloud_axes.collections if len(result.get_sizes()) == 4]
    areas = dict(zip(map(tuple, np.asarray(cloud.get_offsets()).tolist()), cloud.get_sizes().tolist(), strict=True))
    assert max(areas, key=areas.__getitem__) == (640, 480)
    (low, high), (left, right) = cloud_axes.get_xlim(), ratios.get_xlim()
    assert low < 30 < 900 < high
    assert left < math.log(1 / 3) < math.log(9) < right
    assert sum(bar.get_height() for bar in ratios.patches) == 33


@pytest.mark.parametrize("pair", [(1, 1), (8, 8), (1, 500), (20_000, 4_000)])
def test_any_size_can_be_drawn(pair):
    drawn = svg(draw_sizes(sizes(pair, (640, 480)), {})).decode()
    assert "1:1" in drawn
    assert "nan" not in re.sub(r"base64,[^\"]*", "", drawn)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (65, 65), (3000, 200), (200, 3000), (1, 400), (120, 4)])
def test_a_thumbnail_has_the_proportions_and_fits(size):
    made = thumbnail(Image.new("RGB", size, "red"))
    held = opened(made.uri)
    assert made.uri.startswith("data:image/jpeg;base64,")
    assert min(held.size) <= SHORT
    assert max(held.size) <= LONG
    assert 0 < made.width <= WIDTH
    assert 0 < made.height <= HEIGHT
    assert made.width == WIDTH or made.height == HEIGHT
    assert not made.enlarged
    assert abs(math.log(held.width / held.height / (size[0] / size[1]))) < 0.05 or min(held.size) < 8


@pytest.mark.parametrize(
    ("size", "shown"), [((8, 8), (104, 104)), ((20, 48), (40, 96)), ((64, 64), (64, 64)), ((1, 1), (104, 104))]
)
def test_a_tiny_picture_is_kept_exactly_and_enlarged_by_whole_pixels(size, shown):
    pixels = stream(0, "tiny").integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    made = thumbnail(Image.fromarray(pixels))
    assert (made.width, made.height) == shown
    assert made.enlarged
    assert np.array_equal(np.asarray(opened(made.uri)), pixels)


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
