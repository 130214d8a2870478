"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ablation.core.text import name_spans, tied
from ablation.report.photographs import photograph_sheet
from ablation.report.render.digest import META
from ablation.report.section import Figure, Spot, Strip
from ablation.report.style import Style, data_uri, svg
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Page


def render(page: Page, digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.render.digest`)."""
    figures = [figure for section in page.sections for figure in section.figures]
    return (
        environment()
        .get_template("render/page.html")
        .render(
            page=page,
            digest=digest,
            meta=META,
            symbol=SYMBOL,
            picture=partial(picture, look=page.look),
            drawing=partial(drawing, look=page.look),
            hovering=any(isinstance(figure, Figure) and figure.hover for figure in figures),
        )
    )


def picture(shown: Figure | Strip, look: Mapping[str, Style]) -> str:
    """A figure, or a row of photographs, as an address that carries it."""
    return data_uri(*shown.encode()) if isinstance(shown, Strip) else drawing(shown, look).address


@dataclass(frozen=True)
class Drawing:
    """A figure on the page. address: carries its picture. remarks: to be read with care.

    points: JSON of what is beside the pointer (`hover.js`), '' for nothing; its coordinates count ten-thousandths of
    the picture. sheet: an address of all its photographs, `columns` in a row of `rows`; '' without.
    """

    address: str
    remarks: tuple[str, ...] = ()
    points: str = ""
    sheet: str = ""
    columns: int = 1
    rows: int = 1


def drawing(figure: Figure, look: Mapping[str, Style]) -> Drawing:
    """Compute a figure's data, draw it, and find what is beside the pointer."""
    data = figure.data() if callable(figure.data) else figure.data
    axes = figure.draw(data, look)
    made = Drawing(data_uri(svg(axes), "svg+xml"), tuple(figure.remarks(data)) if figure.remarks else ())
    if figure.hover is None:
        return made
    every = axes if isinstance(axes, Sequence) else [axes]
    return _with_hover(made, figure.hover.spots(data, every), figure.hover.photographs(data))


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


@cache
def environment() -> Environment:
    """Templates from this folder. Everything is escaped; a name that is not there is an error."""
    made = Environment(
        loader=PackageLoader("ablation.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["tied"] = tied
    made.filters["words"] = words
    return made


def words(text: str, look: Mapping[str, Style]) -> Markup:
    """A sentence: escaped, with no line ending between a number and its unit, and names set as names."""
    return Markup("").join(_name(part, look) if is_name else escape(tied(part)) for part, is_name in name_spans(text))


def _name(name: str, look: Mapping[str, Style]) -> Markup:
    """A name in bold; that of a recipe with a dot in its colour."""
    dot = Markup('<i class="swatch" style="background:{}"></i>').format(look[name].color) if name in look else ""
    return Markup('<b class="name">{}{}</b>').format(dot, name)
