"""Every figure of a report, computed and drawn once, for all renderings: the page, the PDF and the files."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.report.photographs import photograph_sheet
from ablation.report.section import Figure, Spot, Strips
from ablation.report.style import Style, data_uri, pdf, png, svg

if TYPE_CHECKING:
    from ablation.report.contents import Report


@dataclass(frozen=True)
class Drawing:
    """A figure that was drawn. files: kind of file -> its content, "svg" first. remarks: to be read with care.

    points: JSON of what is beside the pointer (`hover.js`), '' for nothing; its coordinates count ten-thousandths of
    the picture. sheet: an address of all its photographs, `columns` in a row of `rows`; '' without.
    """

    name: str
    files: Mapping[str, bytes]
    remarks: tuple[str, ...] = ()
    points: str = ""
    sheet: str = ""
    columns: int = 1
    rows: int = 1

    @property
    def svg(self) -> bytes:
        return self.files["svg"]


KINDS: dict[str, Callable[[Any], bytes]] = {"svg": svg, "png": png, "pdf": pdf}
"""The kinds of files that a figure is written as."""


def drawings_of(report: Report, kinds: Collection[str] = tuple(KINDS)) -> dict[str, tuple[Drawing | None, ...]]:
    """slug -> a drawing for each of the section's figures, named 'SLUG-K'; None for rows of photographs.

    kinds: of files beside "svg", which every drawing has.
    """
    return {
        section.slug: tuple(
            None if isinstance(figure, Strips) else drawing(figure, report.look, f"{section.slug}-{number}", kinds)
            for number, figure in enumerate(section.figures, 1)
        )
        for section in report.sections
    }


def drawing(figure: Figure, look: Mapping[str, Style], name: str, kinds: Collection[str] = ()) -> Drawing:
    """Compute a figure's data, draw it, and find what is beside the pointer."""
    data = figure.data() if callable(figure.data) else figure.data
    axes = figure.draw(data, look)
    made = Drawing(name, {"svg": svg(axes)}, tuple(figure.remarks(data)) if figure.remarks else ())
    if figure.hover is not None:  # before the other kinds, in which letters are a little wider: a page shows the SVG
        every = axes if isinstance(axes, Sequence) else [axes]
        made = _with_hover(made, figure.hover.spots(data, every), figure.hover.photographs(data))
    others = {kind: write(axes) for kind, write in KINDS.items() if kind in kinds and kind != "svg"}
    return replace(made, files={**made.files, **others})


def _with_hover(made: Drawing, spots: Sequence[Spot], photographs: NDArray[np.uint8] | None) -> Drawing:
    words = {text: index for index, text in enumerate(dict.fromkeys(spot.words for spot in spots))}
    points = [[round(1e4 * spot.x), round(1e4 * spot.y), spot.picture, words[spot.words]] for spot in spots]
    if not points:
        return made
    columns = rows = 1
    sheet = ""
    if photographs is not None and len(photographs):
        encoded, columns, rows = photograph_sheet(photographs)
        sheet = data_uri(encoded, "jpeg")
    held = {"columns": columns, "rows": rows, "words": list(words), "points": points}
    return replace(made, points=json.dumps(held, separators=(",", ":")), sheet=sheet, columns=columns, rows=rows)
