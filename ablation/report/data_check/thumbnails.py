"""Photographs on the page of a check, as tiles with name, class and part, in groups and galleries.

A photograph is read again for its thumbnail, as its pixels were not kept; one that went away meanwhile, or became
something that cannot be read, leaves an empty frame. Whatever the data, a page shows a bounded number of them.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ablation.data.check import Check
from ablation.data.contents import Listing
from ablation.data.decode import Undecodable, open_upright
from ablation.data.files import PARTS, Origin
from ablation.report.data_check.findings import Level
from ablation.report.photographs import TINY
from ablation.report.style import data_uri

SHORT, LONG = 104, 208
"""Pixels: the shorter side is this long, unless the longer one would pass its bound."""
WIDTH, HEIGHT = 140, 104
"""Pixels on the page that a thumbnail fits into."""

MOST_COPIES = 108
"""Thumbnails of pictures that occur several times, over the page."""
OF_GROUP = 6
OPEN_GROUPS = 9
"""Of a kind; more are folded away."""
ODD = 12
"""Thumbnails of a gallery."""


class Thumbnail(NamedTuple):
    """The address that carries it, its size on the page, and whether it is enlarged by whole pixels."""

    uri: str
    width: int
    height: int
    enlarged: bool = False


@dataclass(frozen=True)
class Tile:
    """A photograph on the page. thumbnail: None where it cannot be read any more. note: what is said of it alone."""

    thumbnail: Thumbnail | None
    name: str
    file: str
    """The name from the folder on that all photographs share."""
    label: str
    part: str
    note: str


@dataclass(frozen=True)
class Gallery:
    """Photographs that have something in common; `more` of them are not shown. differs: what else they do not share."""

    title: str
    text: str
    tiles: tuple[Tile, ...]
    more: int = 0
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """Groups that are alike in what they mean; `more` of them are not shown."""

    level: Level
    title: str
    groups: tuple[Gallery, ...]
    more: int


def size_text(width: int, height: int) -> str:
    """'640 × 480', on one line."""
    return f"{width:,}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{height:,}"


def thumbnail(image: Image.Image) -> Thumbnail:
    """Of an RGB photograph of any size. A tiny one is kept as it is, to be shown by whole pixels."""
    width, height = image.size
    if max(width, height) <= TINY:
        factor = max(1, min(WIDTH // width, HEIGHT // height))
        return Thumbnail(_encoded(image, "png", optimize=True), width * factor, height * factor, enlarged=True)
    scale = min(1.0, SHORT / min(width, height), LONG / max(width, height))
    box = max(1, round(width * scale)), max(1, round(height * scale))
    small = image.resize(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
    fit = min(WIDTH / small.width, HEIGHT / small.height)
    size = max(1, round(small.width * fit)), max(1, round(small.height * fit))
    return Thumbnail(_encoded(small, "jpeg", quality=80), *size)


def _encoded(image: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return data_uri(buffer.getvalue(), kind)


@dataclass
class Thumbnails:
    """Makes the tiles of a listing; a photograph that is shown twice is read once."""

    data: Listing
    _made: dict[int, Thumbnail | None] = field(default_factory=dict)

    @cached_property
    def _shared(self) -> int:
        """How many letters of each name are the folder that all share."""
        folders = {os.path.dirname(name) for name in self.data.names}
        if len({os.path.isabs(folder) for folder in folders}) > 1:
            return 0
        folder = os.path.commonpath(folders)
        return len(folder) + 1 if folder not in ("", "/") else 0

    def tile(self, row: int, note: str = "") -> Tile:
        """The photograph of this row."""
        data = self.data
        if row not in self._made:
            self._made[row] = _read(data.origins[row], data.first_frame, data.bit_depth)
        part = PARTS[data.parts[row]] if data.parts[row] >= 0 else ""
        name = data.names[row]
        return Tile(self._made[row], name, name[self._shared :], data.classes[data.labels[row]], part, note)

    def size(self, row: int) -> str:
        """'640 × 480', in pixels."""
        return size_text(*self.data.traits[["width", "height"]][row].tolist())

    def gallery(
        self, title: str, rows: Sequence[int], text: str = "", note: Callable[[int], str] = lambda _: ""
    ) -> Iterator[Gallery]:
        """The first of these photographs; none where there are none."""
        if rows:
            tiles = tuple(self.tile(row, note(row)) for row in rows[:ODD])
            yield Gallery(title, text, tiles, len(rows) - len(tiles))

    def group(self, rows: Sequence[int], title: str) -> Gallery:
        """The first photographs that belong together, by part and name; their sizes where these differ."""
        data = self.data
        labels, parts = data.labels[list(rows)].tolist(), data.parts[list(rows)].tolist()
        differs = ("part",) * (len(set(parts)) > 1) + ("class",) * (len(set(labels)) > 1)
        sizes = len(set(map(self.size, rows))) > 1
        ordered = sorted(rows, key=lambda row: (data.parts[row], data.names[row]))
        tiles = tuple(self.tile(row, self.size(row) if sizes else "") for row in ordered[:OF_GROUP])
        return Gallery(title, "", tiles, len(rows) - len(tiles), differs)


def _read(origin: Origin, first_frame: bool, bit_depth: int | None = None) -> Thumbnail | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd files: they were reported when the data was read
        try:
            if isinstance(origin, Path):
                return thumbnail(open_upright(origin.read_bytes(), first_frame, bit_depth))
            return thumbnail(Image.fromarray(origin()))
        except (OSError, Undecodable):
            return None


_TITLES: dict[str, tuple[Level, str]] = {
    "parts": ("error", "The same picture in different parts"),
    "torn": ("error", "Photographs that belong together, in different parts"),
    "classes": ("warning", "The same picture in different classes"),
    "nothing": ("note", "The same picture within a class"),
}


def kinds(check: Check, thumbnails: Thumbnails) -> Iterator[Kind]:
    """Everything that occurs several times, the most harmful first, as far as there is room on the page."""
    every: dict[str, list[tuple[Sequence[int], str]]] = {where: [] for where in _TITLES}
    for copies in check.copies:
        every[copies.across].append((copies.rows, "exact copies" if copies.exact else "near-duplicates"))
    every["torn"] = [(rows, "one group") for rows in check.torn]
    room = MOST_COPIES
    for where, groups in every.items():
        shown = []
        for rows, title in groups:
            room -= min(len(rows), OF_GROUP)
            if room >= 0:
                shown.append(thumbnails.group(rows, title))
        if groups:
            yield Kind(*_TITLES[where], tuple(shown), len(groups) - len(shown))
