"""Album: photographs on a page about data, as tiles with name, class and part, in groups and galleries.

A photograph is read again for its thumbnail, as its pixels were not kept; one that went away meanwhile, or became
something that cannot be read, leaves an empty frame. Whatever the data, a page shows a bounded number of them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from PIL import Image

from ablation.data.check import Check
from ablation.data.contents import Listing
from ablation.data.decode import Undecodable, open_upright
from ablation.data.files import PARTS, Origin
from ablation.report.data_check.thumbs import Thumb, thumb

MOST_COPIES = 108
"""Thumbnails of pictures that occur several times, over the page."""
OF_GROUP = 6
OPEN_GROUPS = 9
"""Of a kind; more are folded away."""
ODD = 12
"""Thumbnails of a gallery."""


@dataclass(frozen=True)
class Tile:
    """A photograph on the page. thumb: None where it cannot be read any more. note: what is told of it alone."""

    thumb: Thumb | None
    name: str
    file: str
    """The name from the folder on that all photographs share."""
    label: str
    part: str
    note: str


@dataclass(frozen=True)
class Gallery:
    """Photographs that are odd in the same way; `more` of them are not shown."""

    title: str
    text: str
    tiles: tuple[Tile, ...]
    more: int


@dataclass(frozen=True)
class Group:
    """Photographs of the same picture, or that belong together. differs: what they do not have in common."""

    kind: str
    differs: tuple[str, ...]
    tiles: tuple[Tile, ...]
    more: int


@dataclass(frozen=True)
class Kind:
    """Groups that are alike in what they mean: the first, those that are folded away, and how many are not shown."""

    level: str
    title: str
    open: tuple[Group, ...]
    folded: tuple[Group, ...]
    more: int


def size_text(width: int, height: int) -> str:
    """'640 × 480', on one line."""
    return f"{width:,}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{height:,}"


@dataclass
class Album:
    """Makes the tiles of a listing; a photograph that is shown twice is read once."""

    data: Listing
    _made: dict[int, Thumb | None] = field(default_factory=dict)

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
            self._made[row] = _thumb(data.origins[row], data.first_frame)
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

    def group(self, rows: Sequence[int], kind: str) -> Group:
        """The first photographs of a group, by part and name; their sizes where these differ."""
        data = self.data
        labels, parts = data.labels[list(rows)].tolist(), data.parts[list(rows)].tolist()
        differs = ("part",) * (len(set(parts)) > 1) + ("class",) * (len(set(labels)) > 1)
        sizes = len(set(map(self.size, rows))) > 1
        ordered = sorted(rows, key=lambda row: (data.parts[row], data.names[row]))
        tiles = tuple(self.tile(row, self.size(row) if sizes else "") for row in ordered[:OF_GROUP])
        return Group(kind, differs, tiles, len(rows) - len(tiles))


_TITLES = {
    "parts": ("error", "The same picture in different parts"),
    "torn": ("error", "Photographs that belong together, in different parts"),
    "classes": ("warning", "The same picture in different classes"),
    "nothing": ("note", "The same picture within a class"),
}


def kinds(found: Check, album: Album) -> Iterator[Kind]:
    """Everything that occurs several times, the most harmful first, as far as there is room on the page."""
    every: dict[str, list[tuple[Sequence[int], str]]] = {where: [] for where in _TITLES}
    for copies in found.copies:
        every[copies.across].append((copies.rows, "exact copies" if copies.exact else "near-duplicates"))
    every["torn"] = [(rows, "one group") for rows in found.torn]
    room = MOST_COPIES
    for where, groups in every.items():
        shown = []
        for rows, kind in groups:
            room -= min(len(rows), OF_GROUP)
            if room >= 0:
                shown.append(album.group(rows, kind))
        if groups:
            more = len(groups) - len(shown)
            yield Kind(*_TITLES[where], tuple(shown[:OPEN_GROUPS]), tuple(shown[OPEN_GROUPS:]), more)


def _thumb(origin: Origin, first_frame: bool) -> Thumb | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd files; they were told when the data was read
        try:
            if isinstance(origin, Path):
                return thumb(open_upright(origin.read_bytes(), first_frame))
            return thumb(Image.fromarray(origin()))
        except (OSError, Undecodable):
            return None
