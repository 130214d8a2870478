"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from ablation.core.text import tied
from ablation.report.render.digest import META
from ablation.report.section import Figure, Strip
from ablation.report.style import Style, data_uri, svg
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Page


def render(page: Page, digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.render.digest`)."""
    return (
        environment()
        .get_template("render/page.html")
        .render(page=page, digest=digest, meta=META, symbol=SYMBOL, picture=partial(picture, look=page.look))
    )


def picture(shown: Figure | Strip, look: Mapping[str, Style]) -> str:
    """A figure, or a row of photographs, as an address that carries it."""
    if isinstance(shown, Strip):
        return data_uri(*shown.encode())
    data = shown.data() if callable(shown.data) else shown.data
    return data_uri(svg(shown.draw(data, look)), "svg+xml")


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
    return made
