"""The page of `ablation check`: one HTML file that shows the findings about a data set, with its photographs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from ablation.core.text import listing, opening
from ablation.core.values import label
from ablation.data.check import EXTREME_RATIO, SMALL_SIDE, UNBALANCED, Check
from ablation.data.contents import Listing
from ablation.report.data_check.brightness import brightness_figure, ends_of
from ablation.report.data_check.classes import classes_figure
from ablation.report.data_check.findings import (
    findings,
    known_to,
    moments_line,
    name_of,
    photographs,
    share,
    size_of_test,
    verdict,
)
from ablation.report.data_check.sizes import sizes_figure
from ablation.report.data_check.thumbnails import OPEN_GROUPS, Gallery, Thumbnails, kinds, size_text
from ablation.report.render.digest import META
from ablation.report.render.drawings import drawing
from ablation.report.render.html import Inline, environment, inline, policy
from ablation.report.section import Figure

SAMPLES = 24
"""Photographs that stand for their classes."""
OPEN_ROWS, MOST_ROWS = 20, 2000
"""Rows of a table: past the first number they are folded away, past the second they are left to check.json."""

_MODES = {
    **{"RGB": "colour", "YCbCr": "colour", "LAB": "colour", "CMYK": "four colours of print", "P": "palette"},
    **{"L": "grey", "1": "black or white", "I": "grey, 16 bits", "I;16": "grey, 16 bits", "I;16B": "grey, 16 bits"},
    **{"RGBA": "colour with transparency", "LA": "grey with transparency", "PA": "palette with transparency"},
}
"""What Pillow's modes mean."""


class Lines(NamedTuple):
    """A table with as many rows as the data makes."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""


def render_check(check: Check, digest: str = "") -> str:
    """The page. digest: of what it is made from, kept in a meta tag (see `ablation.report.render.digest`)."""
    every = findings(check)
    return (
        environment()
        .get_template("data_check/check.html")
        .render(
            name=name_of(check.source),
            source=label(check.source),
            verdict=verdict(check),
            level=every[0].level if every else "note",
            opening=opening,
            draw=_inline,
            open_rows=OPEN_ROWS,
            most_rows=MOST_ROWS,
            open_groups=OPEN_GROUPS,
            findings=[finding for finding in every if finding.about != "study"],
            study=[finding for finding in every if finding.about == "study"],
            bad=_bad(check),
            listing=check.listing,
            shown=None if check.listing is None else contents(check, check.listing),
            meta=META,
            policy=policy(),
            digest=digest,
        )
    )


def _inline(figure: Figure, name: str) -> Inline:
    return inline(drawing(figure, {}, name), figure.alt)


def contents(check: Check, data: Listing) -> dict[str, Any]:
    """What the page shows of data that can be used, by its name in the template. Reads the photographs shown."""
    thumbnails = Thumbnails(data)
    tile, gallery = thumbnails.tile, thumbnails.gallery
    small, long = f"A side of less than {SMALL_SIDE} pixels.", f"{EXTREME_RATIO:g} to 1 or more."
    upright = "Shown as they are read here, not as they lie in the file."
    return {
        "facts": tuple(_facts(check, data)),
        "classes": classes_figure(check, data),
        "samples": tuple(map(tile, _samples(check, data))),
        "moments": moments_line(check),
        "copies": tuple(kinds(check, thumbnails)),
        "files": dict(_files(check, data)),
        "misnamed": _misnamed(check, data),
        "odd_files": (
            *gallery("Turned upright", check.rotated, upright),
            *gallery("With transparency", np.flatnonzero(data.traits["transparent"]).tolist(), "Laid over white."),
        ),
        "size": _sizes(data),
        "sizes": sizes_figure(data),
        "odd_sizes": (
            *gallery("Very small", check.small, small, thumbnails.size),
            *gallery("Long or tall", check.extreme, long, thumbnails.size),
        ),
        "brightness": brightness_figure(check, data),
        "ends": tuple(_ends(check, data, thumbnails)),
        "flat": (
            *gallery("Of one colour, or nearly", check.flat),
            *gallery("Nearly empty", check.empty, "Among others that are not: a placeholder?"),
        ),
        "colourless": len(check.grey) == len(data.labels),
        "grey": tuple(gallery("Without colour", check.grey, "Red, green and blue are alike, whatever the mode.")),
        "known": _known(check),
    }


def _bad(check: Check) -> Lines:
    """Every file that cannot be used, named from the folder on that they share."""
    wheres = [problem.where for problem in check.bad]
    shared = os.path.commonpath([os.path.dirname(where) for where in wheres]) if wheres else ""
    start = len(shared) + 1 if shared not in ("", os.sep) else 0
    rows = [(problem.where[start:], problem.message.removeprefix("cannot be decoded: ")) for problem in check.bad]
    return Lines(("file", "why it cannot be used"), rows, f"All in {shared}." if start else "")


def _facts(check: Check, data: Listing) -> Iterator[str]:
    """The header's sentences: images and classes, what the balance means, parts, sizes."""
    least, most = int(check.counts.min()), int(check.counts.max())
    each = f"{most:,} of each" if least == most else f"{least:,} to {most:,} of each"
    yield f"{photographs(len(data.labels))} of {len(data.classes):,} classes, {each}."
    if least == most:
        yield "Perfectly balanced (1 to 1): accuracy is a fair judge."
    elif check.imbalance <= UNBALANCED:
        yield f"Nearly balanced ({check.imbalance:.2f} to 1): accuracy will do."
    else:
        yield f"Unbalanced ({check.imbalance:.1f} to 1): balanced accuracy or macro F1 is the fair judge."
    parts = [f"{part} ({int(counts.sum()):,})" for part, counts in check.part_counts.items()]
    if parts:
        yield f"In {len(parts)} parts: {listing(parts)}." if len(parts) > 1 else f"In one part: {parts[0]}."
    yield _sizes(data)


def _sizes(data: Listing) -> str:
    width, height = data.traits["width"].astype(np.int64), data.traits["height"].astype(np.int64)
    area = width * height
    least, most = (size_text(int(width[row]), int(height[row])) for row in (area.argmin(), area.argmax()))
    if len(set(zip(width.tolist(), height.tolist(), strict=True))) == 1:
        return f"Every one has {least} pixels."
    middle = size_text(round(np.median(width)), round(np.median(height)))
    return f"Typically {middle} pixels, the smallest {least}, the largest {most}."


def _samples(check: Check, data: Listing) -> Iterator[int]:
    """A photograph of each class, of middling brightness; of many classes, those of the largest and the smallest."""
    labels = np.arange(len(data.classes))
    if len(labels) > SAMPLES:
        order = np.argsort(-check.counts, kind="stable")
        labels = np.concatenate([order[: SAMPLES // 2], order[-SAMPLES // 2 :]])
    traits = np.stack([data.traits["brightness"], data.traits["contrast"]], axis=1)
    for one in labels:
        rows = np.flatnonzero(data.labels == one)
        off = np.abs(traits[rows] - np.median(traits[rows], axis=0)).sum(axis=1)
        yield int(rows[off.argmin()])


def _files(check: Check, data: Listing) -> Iterator[tuple[str, str]]:
    """What the files are, a term and its text each."""
    if not check.formats:
        yield "formats", "no files: the pixels come from a library"
        return
    yield "formats", ", ".join(f"{name} {count:,}" for name, count in check.formats.items())
    modes = (f"{name} {count:,}{f' ({_MODES[name]})' * (name in _MODES)}" for name, count in check.modes.items())
    yield "modes", ", ".join(modes)
    counts = {
        "endings that lie": len(check.misnamed),
        "turned by EXIF": len(check.rotated),
        "transparent": int(data.traits["transparent"].sum()),
        "several frames": int((data.traits["frames"] > 1).sum()),
    }
    for term, count in counts.items():
        yield term, f"{count:,}" if count else "none"


def _misnamed(check: Check, data: Listing) -> Lines:
    names, formats = data.names, data.traits["format"]
    rows = [(names[row], PurePath(names[row]).suffix, formats[row].decode()) for row in check.misnamed]
    caption = "Files are read as what they hold, so nothing is lost; other programs may go by the name."
    return Lines(("file", "it is called", "it is"), rows, f"Endings that lie. {caption}")


def _ends(check: Check, data: Listing, thumbnails: Thumbnails) -> Iterator[Gallery]:
    for end in ends_of(check, data):
        values, unusual = data.traits[end.trait], len(end.unusual)
        text = f"{unusual:,} unusually so" if unusual else "none unusually so"
        tiles = tuple(thumbnails.tile(row, f"{end.trait} {100 * values[row]:.0f} %") for row in end.rows)
        yield Gallery(opening(end.name), text, tiles, max(0, unusual - len(tiles)))


def _known(check: Check) -> Lines:
    """How well an accuracy is known from so many test images."""
    tested, images = size_of_test(check)
    if not images:
        return Lines((), ())
    levels = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    row = ("95 % interval, ± points", *(f"{100 * known_to(level, images):.1f}" for level in levels))
    caption = f"How well one accuracy is known on {tested}, {photographs(images)}, whatever the training."
    return Lines(("accuracy", *map(share, levels)), [row], caption)
