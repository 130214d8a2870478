"""The pictures on the page of a check: info values of `ablation.figures` from what was found, drawn, with captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ablation.core.text import listing
from ablation.data.check import EXTREME_RATIO, OUTLYING, SMALL_SIDE, Check, Variation
from ablation.data.contents import Listing
from ablation.report.data_check.brightness import LightInfo, Mark, draw_light
from ablation.report.data_check.classes import ClassesInfo, draw_classes
from ablation.report.data_check.sizes import SizesInfo, draw_sizes
from ablation.report.data_check.text import photographs
from ablation.report.inline import data_uri, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ablation.report.data_check.classes import Rows

FEW, MANY = 3, 6
"""Of the darkest (brightest, ...) photographs so many are shown, and no more of those that are unusually so."""


class Picture(NamedTuple):
    """A figure on the page. uri: an address that carries it. alt: what it shows, for those who cannot see it."""

    uri: str
    alt: str
    caption: str


class Extremes(NamedTuple):
    """Photographs at one end: the first rows, and how many of all lie outside of what is usual."""

    name: str
    rows: tuple[int, ...]
    unusual: int
    of: str
    """'brightness' or 'contrast'."""


def extremes(found: Check, data: Listing) -> tuple[Extremes, ...]:
    """The darkest, the brightest, the flattest and those of the strongest contrast."""
    assert found.brightness is not None
    assert found.contrast is not None
    return (
        *_ends(("darkest", "brightest"), "brightness", found.brightness, data),
        *_ends(("flattest", "strongest contrast"), "contrast", found.contrast, data),
    )


def _ends(names: tuple[str, str], of: str, varies: Variation, data: Listing) -> tuple[Extremes, ...]:
    order = np.argsort(data.traits[of], kind="stable")
    few = max(1, min(FEW, len(order) // 4))
    return tuple(
        Extremes(name, tuple(rows[: max(few, min(len(unusual), MANY))].tolist()), len(unusual), of)
        for name, rows, unusual in ((names[0], order, varies.low), (names[1], order[::-1], varies.high))
    )


def light_picture(found: Check, data: Listing) -> Picture:
    """The cloud of brightness and contrast; the photographs that are shown beside it are marked."""
    assert found.brightness is not None
    assert found.contrast is not None
    marks = [
        Mark(ends.name, tuple(dict.fromkeys(ends.rows + unusual)))
        for ends, unusual in zip(
            extremes(found, data),
            (found.brightness.low, found.brightness.high, found.contrast.low, found.contrast.high),
            strict=True,
        )
    ]
    usual = found.brightness.usual, found.contrast.usual
    info = LightInfo(data.traits["brightness"], data.traits["contrast"], usual, tuple(marks))
    caption = (
        "Each point is a photograph: mean (brightness) and standard deviation (contrast) of its luma, in percent of "
        "white. Marked are the ends of both, and all that lies outside of the dashed lines, which is unusual here "
        f"(modified z-score above {OUTLYING:g}). Along the edges: how many photographs have each value."
    )
    return Picture(_drawn(draw_light(info)), "Brightness and contrast of every photograph", caption)


def sizes_picture(data: Listing) -> Picture | None:
    """Width, height and proportions; None where all photographs have one size."""
    width, height = data.traits["width"].astype(np.int64), data.traits["height"].astype(np.int64)
    info = SizesInfo(width, height, SMALL_SIDE, EXTREME_RATIO)
    if len(info.sizes[1]) == 1:
        return None
    caption = (
        "Left: width and height of every photograph; a point is the larger, the more have that size, and in the tinted "
        f"band a side is under {SMALL_SIDE} pixels. Right: how long or tall they are. Beyond the dashed lines at "
        f"{EXTREME_RATIO:g}:1 a centre crop shows little of a photograph."
    )
    return Picture(_drawn(draw_sizes(info)), "Width, height and proportions of the photographs", caption)


def classes_picture(found: Check, data: Listing) -> Picture:
    """How many images each class has, by part."""
    counts: dict[str, Rows] = found.part_counts or {"": found.counts}
    info = ClassesInfo(data.classes, counts)
    parts = f", in the parts {listing(counts)}" if len(counts) > 1 else ""
    order = "the largest class first" if found.imbalance > 1 else "all have as many"
    caption = f"Images of each class{parts}; {order}."
    if info.between:
        caption += f" {info.between:,} classes between the ends have no bar; check.json has the number of every one."
    return Picture(_drawn(draw_classes(info)), f"Images of each class: {photographs(int(info.totals.sum()))}", caption)


def _drawn(figure: Figure) -> str:
    return data_uri(svg(figure), "svg+xml")
