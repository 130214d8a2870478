"""What the page of a check shows of data that can be used, as a value: facts, pictures, tables, photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from ablation.core.text import listing, opening
from ablation.data.check import EXTREME_RATIO, SMALL_SIDE, UNBALANCED, Check
from ablation.data.contents import Listing
from ablation.report.data_check.charts import Picture, classes_picture, extremes, light_picture, sizes_picture
from ablation.report.data_check.findings import moments_line
from ablation.report.data_check.text import known_to, photographs, share, size_of_test
from ablation.report.data_check.thumbnails import Album, Gallery, Kind, Tile, kinds, size_text

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


@dataclass(frozen=True)
class Table:
    """Rows to be read."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""

    @property
    def open(self) -> Sequence[tuple[str, ...]]:
        return self.rows[:OPEN_ROWS]

    @property
    def folded(self) -> Sequence[tuple[str, ...]]:
        return self.rows[OPEN_ROWS:MOST_ROWS]

    @property
    def more(self) -> int:
        return max(0, len(self.rows) - MOST_ROWS)


@dataclass(frozen=True)
class View:
    """In the order of the page."""

    facts: tuple[str, ...]
    classes: Picture
    samples: tuple[Tile, ...]
    moments: str
    copies: tuple[Kind, ...]
    files: tuple[tuple[str, str], ...]
    misnamed: Table
    odd_files: tuple[Gallery, ...]
    size: str
    sizes: Picture | None
    odd_sizes: tuple[Gallery, ...]
    light: Picture
    ends: tuple[Gallery, ...]
    flat: tuple[Gallery, ...]
    colourless: bool
    """No photograph has colour."""
    grey: tuple[Gallery, ...]
    known: Table


def view(found: Check, data: Listing) -> View:
    """Of what was found. Reads the photographs that are shown."""
    album, traits = Album(data), data.traits

    transparent = np.flatnonzero(traits["transparent"]).tolist()
    small, long = f"A side of less than {SMALL_SIDE} pixels.", f"{EXTREME_RATIO:g} to 1 or more."
    return View(
        facts=tuple(_facts(found, data)),
        classes=classes_picture(found, data),
        samples=tuple(map(album.tile, _samples(found, data))),
        moments=moments_line(found),
        copies=tuple(kinds(found, album)),
        files=tuple(_files(found, data)),
        misnamed=_misnamed(found, data),
        odd_files=(
            *album.gallery(
                "Turned upright", found.rotated, "Shown as they are read here, not as they lie in the file."
            ),
            *album.gallery("With transparency", transparent, "Laid over white."),
        ),
        size=_sizes(data),
        sizes=sizes_picture(data),
        odd_sizes=(
            *album.gallery("Very small", found.small, small, album.size),
            *album.gallery("Long or tall", found.extreme, long, album.size),
        ),
        light=light_picture(found, data),
        ends=tuple(_ends(found, data, album)),
        flat=tuple(album.gallery("Of one colour, or nearly", found.flat)),
        colourless=len(found.grey) == len(data.labels),
        grey=tuple(album.gallery("Without colour", found.grey, "Red, green and blue are alike, whatever the mode.")),
        known=_known(found),
    )


def _facts(found: Check, data: Listing) -> Iterator[str]:
    """The header's sentences: images and classes, what the balance means, parts, sizes."""
    least, most = int(found.counts.min()), int(found.counts.max())
    each = f"{most:,} of each" if least == most else f"{least:,} to {most:,} of each"
    yield f"{photographs(len(data.labels))} of {len(data.classes):,} classes, {each}."
    if least == most:
        yield "Perfectly balanced (1 to 1): accuracy is a fair judge."
    elif found.imbalance <= UNBALANCED:
        yield f"Nearly balanced ({found.imbalance:.2f} to 1): accuracy will do."
    else:
        yield f"Unbalanced ({found.imbalance:.1f} to 1): balanced accuracy or macro F1 is the fair judge."
    parts = [f"{part} ({int(counts.sum()):,})" for part, counts in found.part_counts.items()]
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


def _samples(found: Check, data: Listing) -> list[int]:
    """A photograph of each class, of middling light; of many classes, those of the largest and of the smallest."""
    labels = np.arange(len(data.classes))
    if len(labels) > SAMPLES:
        order = np.argsort(-found.counts, kind="stable")
        labels = np.concatenate([order[: SAMPLES // 2], order[-SAMPLES // 2 :]])
    light = np.stack([data.traits["brightness"], data.traits["contrast"]], axis=1)
    chosen = []
    for label in labels:
        rows = np.flatnonzero(data.labels == label)
        off = np.abs(light[rows] - np.median(light[rows], axis=0)).sum(axis=1)
        chosen.append(int(rows[off.argmin()]))
    return chosen


def _files(found: Check, data: Listing) -> Iterator[tuple[str, str]]:
    """What the files are, a term and its text each."""
    formats, traits = found.formats, data.traits
    if not formats:
        yield "formats", "no files: the pixels come from a library"
        return
    yield "formats", ", ".join(f"{name} {count:,}" for name, count in formats.items())
    modes = (f"{name} {count:,}{f' ({_MODES[name]})' * (name in _MODES)}" for name, count in found.modes.items())
    yield "modes", ", ".join(modes)
    counted = {
        "endings that lie": len(found.misnamed),
        "turned by EXIF": len(found.rotated),
        "transparent": int(traits["transparent"].sum()),
        "several frames": int((traits["frames"] > 1).sum()),
    }
    for term, count in counted.items():
        yield term, f"{count:,}" if count else "none"


def _misnamed(found: Check, data: Listing) -> Table:
    rows = [
        (data.names[row], PurePath(data.names[row]).suffix, data.traits["format"][row].decode())
        for row in found.misnamed
    ]
    caption = (
        "Endings that lie. Files are read as what they hold, so nothing is lost; other programs may go by the name."
    )
    return Table(("file", "it is called", "it is"), rows, caption)


def _ends(found: Check, data: Listing, album: Album) -> Iterator[Gallery]:
    for ends in extremes(found, data):
        values = data.traits[ends.of]
        text = f"{ends.unusual:,} unusually so" if ends.unusual else "none unusually so"
        tiles = tuple(album.tile(row, f"{ends.of} {100 * values[row]:.0f} %") for row in ends.rows)
        yield Gallery(opening(ends.name), text, tiles, max(0, ends.unusual - len(tiles)))


def _known(found: Check) -> Table:
    """How well an accuracy is known from so many test images."""
    of, images = size_of_test(found)
    if not images:
        return Table((), ())
    levels = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    row = ("95 % interval, ± points", *(f"{100 * known_to(level, images):.1f}" for level in levels))
    caption = f"How well one accuracy is known on {of}, {photographs(images)}, whatever the training."
    return Table(("accuracy", *(share(level) for level in levels)), [row], caption)
