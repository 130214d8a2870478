"""Preview: a row a recipe, with the original, what was drawn, and what that changed, pixel for pixel. numpy, Pillow."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ablation.core.text import plain
from ablation.report.photographs import GAP, Pixels, join, scaled
from ablation.report.style import INK, SOFT, Style, shortened

TILE = 264  # pixels of a picture's side
MARGIN = 48

AMPLIFICATIONS = (16, 8, 4, 2, 1)
GREY = 128

TIED = r"(?<=\d) (?=%|px|bit)|(?<=[×σ<+]) (?=[\d.])|(?<=px) (?=right|left|up|down)|(?<=along) "
EXPLAINED = "Difference: the first draw that differs, minus the original, about grey: where it is grey nothing changed."


@dataclass(frozen=True, eq=False)
class PreviewRow:
    """A recipe and its operations in words, a photograph of side S, and D draws of it with what was drawn in words.

    original: (S, S, 3) uint8; draws: (D, S, S, 3) uint8; captions: D, operations separated by ' · ', summands by ' + '.
    """

    recipe: str
    operations: str
    original: Pixels
    draws: Pixels
    captions: tuple[str, ...]

    @cached_property
    def changed(self) -> int | None:
        """The first draw that differs from the original; None where none does."""
        differs = (self.draws != self.original).any(axis=(1, 2, 3))
        return int(differs.argmax()) if differs.any() else None

    @cached_property
    def amplification(self) -> int:
        """By how much the difference is amplified: as much as leaves 99 of 100 levels in range."""
        most = np.percentile(np.abs(self._change()), 99)
        return next((factor for factor in AMPLIFICATIONS if factor * most <= GREY - 1), 1)

    @cached_property
    def difference(self) -> Pixels:
        """(S, S, 3) the first draw that changed, minus the original, amplified, around grey."""
        return (GREY + self.amplification * self._change()).clip(0, 255).astype(np.uint8)

    def _change(self) -> NDArray[np.int16]:
        change: NDArray[np.int16] = self.draws[self.changed or 0].astype(np.int16) - self.original
        return change

    @property
    def headings(self) -> tuple[str, ...]:
        """Over each tile."""
        return ("original", *(f"draw {number}" for number in range(1, len(self.draws) + 1)), "difference")

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """Under each tile, lines."""
        difference = ["no draw differs"]
        if self.changed is not None:
            mean = 100 * np.abs(self._change()).mean() / 255
            amplified = [f"amplified × {self.amplification}"] if self.amplification > 1 else []
            change = f"mean change {mean:.{1 if mean < 9.95 else 0}f} %"
            difference = [f"draw {self.changed + 1} minus original", *amplified, change]
        drawn = (re.split(r" · | (?=\+ )", caption) for caption in self.captions)
        return ((), *(tuple(map(tied, lines)) for lines in (*drawn, difference)))

    @property
    def tiles(self) -> Pixels:
        """(D + 2, S, S, 3)."""
        return np.concatenate([self.original[None], self.draws, self.difference[None]])


@dataclass(frozen=True)
class PreviewInfo:
    """Rows of one photograph. note: what it is, in a sentence."""

    title: str
    note: str
    rows: tuple[PreviewRow, ...]


def tied(text: str) -> str:
    """With no-break spaces between a number and what belongs to it: '62 %', '× 1.31', 'σ 2 px', '5 px up'."""
    return re.sub(TIED, "\u00a0", text)


def draw_preview(info: PreviewInfo, look: Mapping[str, Style]) -> bytes:
    """The whole preview as a PNG on white, as high as its rows need."""
    strips = [join(scaled(row.tiles, TILE)) for row in info.rows]
    page = Page(max(strip.shape[1] for strip in strips))
    page.write(info.title, "title")
    page.write(plain(info.note), "note")
    for index, (row, strip) in enumerate(zip(info.rows, strips, strict=True)):
        page.y += 56 if index else 40
        page.name(row, look[row.recipe].color)
        page.row(row, strip, headed=index == 0)
    page.y += 44
    page.write(EXPLAINED, "note")
    return page.png()


FONTS = {
    "title": (34, True, INK), "name": (28, True, INK), "note": (23, False, SOFT), "heading": (23, False, SOFT),
    "caption": (22, False, INK),
}  # fmt: skip
"""Pixels, whether bold, and colour; two pixels are one on the screen."""


@cache
def font(kind: str) -> ImageFont.FreeTypeFont:
    """That of the other figures."""
    import matplotlib

    size, bold, _ = FONTS[kind]
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' if bold else ''}.ttf")
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)


def wrapped(text: str, kind: str, width: float) -> list[str]:
    """The text in lines of at most this width; a word that is wider is broken, never cut off."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font(kind).getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines += [""] * bool(lines[-1])
        for letter in word:
            if lines[-1] and font(kind).getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines


class Page:
    """White paper of a fixed width, as high as what is put on it, from the top down."""

    def __init__(self, width: int):
        self.width, self.y = width, MARGIN
        self._pictures: list[tuple[tuple[int, int], Image.Image]] = []
        self._lines: list[tuple[tuple[int, int], str, str]] = []

    def write(self, text: str, kind: str, x: int = 0, width: int | None = None) -> None:
        """Lines of text; what follows is written below them."""
        size, _, _ = FONTS[kind]
        for line in wrapped(text, kind, width or self.width - x):
            self._lines.append(((MARGIN + x, self.y + size), line, kind))
            self.y += round(1.4 * size)

    def name(self, row: PreviewRow, color: str) -> None:
        """The recipe's name beside its colour, its operations below."""
        self._pictures.append(((MARGIN, self.y + 7), Image.new("RGB", (20, 20), color)))
        self.write(shortened(row.recipe, 120), "name", x=32)
        self.write(row.operations, "note", x=32)
        self.y += 10

    def row(self, row: PreviewRow, strip: Pixels, headed: bool) -> None:
        """Headings, tiles and what stands under each, in columns."""
        side = strip.shape[0]
        pitch = side + round(GAP * side)
        if headed:
            self._columns([(heading,) for heading in row.headings], "heading", pitch, side)
            self.y += 4
        self._pictures.append(((MARGIN, self.y), Image.fromarray(strip)))
        self.y += side + 8
        self._columns(row.words, "caption", pitch, side)

    def _columns(self, texts: Sequence[Sequence[str]], kind: str, pitch: int, width: int) -> None:
        top, lowest = self.y, self.y
        for column, lines in enumerate(texts):
            self.y = top
            for line in lines:
                self.write(line, kind, column * pitch, width)
            lowest = max(lowest, self.y)
        self.y = lowest

    def png(self) -> bytes:
        paper = Image.new("RGB", (self.width + 2 * MARGIN, self.y + MARGIN), "white")
        pen, buffer = ImageDraw.Draw(paper), io.BytesIO()
        for at, picture in self._pictures:
            paper.paste(picture, at)
        for at, line, kind in self._lines:
            pen.text(at, line, fill=FONTS[kind][2], font=font(kind), anchor="ls")
        paper.save(buffer, format="PNG", optimize=True, dpi=(192, 192))
        return buffer.getvalue()
