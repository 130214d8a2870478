"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ablation.core.text import name_spans, tied
from ablation.report.render.digest import META
from ablation.report.render.drawings import Drawing, drawing
from ablation.report.section import Figure, Strip
from ablation.report.style import Style, data_uri, inline_svg
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Report


def html(report: Report, drawings: Mapping[str, Sequence[Drawing | None]], digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.render.digest`)."""
    return (
        environment()
        .get_template("render/page.html")
        .render(
            page=report,
            drawings=drawings,
            digest=digest,
            meta=META,
            symbol=SYMBOL,
            inline=inline,
            picture=partial(picture, look=report.look),
            hovering=any(drawn and drawn.points for every in drawings.values() for drawn in every),
        )
    )


def picture(shown: Figure | Strip, look: Mapping[str, Style]) -> str:
    """A figure, or a row of photographs, as an address that carries it."""
    if isinstance(shown, Strip):
        return data_uri(*shown.encode())
    return data_uri(drawing(shown, look, "").svg, "svg+xml")


def inline(drawn: Drawing, alt: str) -> Markup:
    """A drawing as an element of the page."""
    return Markup(inline_svg(drawn.svg, drawn.name, alt))


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
