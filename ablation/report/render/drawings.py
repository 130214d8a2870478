"""Every figure of a report, computed and drawn once, for all renderings: the page, the PDF and the files."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.report.fonts import Fonts, font_manager, register
from ablation.report.photographs import photograph_sheet
from ablation.report.render.pdf import set_figure
from ablation.report.render.second import Second, Task
from ablation.report.section import Figure, Spot
from ablation.report.style import Style, data_uri, pdf, png, svg
from ablation.report.style import drawing as styled

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


Place = tuple[str, int]
"""Of a figure in a report: the slug of its section, and which of its figures it is, from 1."""


def drawings_of(
    report: Report, kinds: Collection[str] = tuple(KINDS), fonts: Fonts | None = None, second: Second | None = None
) -> dict[str, tuple[Drawing | None, ...]]:
    """slug -> a drawing for each of the section's figures, named 'SLUG-K'; None for rows of photographs.

    kinds: of files beside "svg", which every drawing has. fonts: by default those of the block around this. second: a
    process that does half of it.
    """
    second = second or Second()
    figures = {
        (section.slug, number): figure
        for section in report.sections
        for number, figure in enumerate(section.figures, 1)
        if isinstance(figure, Figure)
    }
    tasks: dict[Place, Task] = {
        place: partial(drawn_with, figure, report.look, "-".join(map(str, place)), kinds, fonts)
        for place, figure in figures.items()
    }
    made = _made(figures, tasks, second)
    return {
        section.slug: tuple(made.get((section.slug, number)) for number in range(1, len(section.figures) + 1))
        for section in report.sections
    }


def _made(figures: Mapping[Place, Figure], tasks: Mapping[Place, Task], second: Second) -> dict[Place, Drawing]:
    """All drawings. Parts come first, so that they are the second process's; a figure that has some is drawn last.

    What computes its data without parts cannot be pickled, as a rule, and is this process's first.
    """
    parts = [part for figure in figures.values() for part in figure.parts]
    simple = sorted((place for place in tasks if not figures[place].parts), key=lambda at: callable(figures[at].data))
    results = second.results([*parts, *(tasks[place] for place in simple)], slow=len(parts))
    made = dict(zip(simple, results[len(parts) :], strict=True))
    known = iter(results)
    for place, figure in figures.items():
        if figure.parts:
            own = tuple(itertools.islice(known, len(figure.parts)))
            made[place] = tasks[place](*own)
    return made


def prepare() -> None:
    """Import what drawing takes, and maps."""
    font_manager()
    for module in ("matplotlib.backends.backend_svg", "sklearn.manifold", "typst"):
        with suppress(ImportError):
            import_module(module)


def drawn_with(
    figure: Figure, look: Mapping[str, Style], name: str, kinds: Collection[str], fonts: Fonts | None, *parts: Any
) -> Drawing:
    """The drawing with these fonts; parts: results of the figure's. Letters that no font has are missing in silence.

    It is drawn once, and typst makes the other kinds of files of its SVG; matplotlib where there is no typst.
    """
    if fonts is not None:
        register(fonts.faces)
    with styled(fonts.families if fonts else ()), warnings.catch_warnings():
        if not kinds:
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            return drawing(figure, look, name, (), parts)
        made = drawing(figure, look, name, (), parts)
        others = set_figure(made.svg, figure.alt, fonts)
        if others is None:
            return drawing(figure, look, name, kinds, parts)
        return replace(made, files={**made.files, **{kind: others[kind] for kind in others if kind in kinds}})


def drawing(
    figure: Figure, look: Mapping[str, Style], name: str, kinds: Collection[str] = (), parts: Sequence[Any] = ()
) -> Drawing:
    """Compute a figure's data, draw it, and find what is beside the pointer. parts: results of the figure's."""
    data = figure.data(*parts) if callable(figure.data) else figure.data
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
