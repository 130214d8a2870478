"""Told: a section that answers a question of its own, as the report and the terminal both show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rows:
    """The rows of a table under one heading, cells under the keys of `Told.headers`."""

    title: str
    rows: tuple[Mapping[str, str], ...]
    pooled: bool = False


@dataclass(frozen=True)
class Told:
    """asks: what the tables and the picture ask, in a sentence. sentences: the answer. caption: of the tables.

    The first header is that of the rows' names. scene: None where there is nothing to draw.
    """

    title: str
    asks: str
    sentences: tuple[str, ...]
    headers: Mapping[str, str]
    groups: tuple[Rows, ...]
    caption: str
    scene: Scene | None


@dataclass(frozen=True)
class Scene:
    """A figure to be drawn: its info, what it shows in a few words (for those who cannot see it), and its caption."""

    info: Any
    alt: str
    caption: str
