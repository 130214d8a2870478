"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ablation.figures.curves import CurvesInfo, draw_curves
from ablation.figures.embedding import MapsInfo, draw_maps
from ablation.figures.forest import ForestInfo, draw_forest
from ablation.figures.heat import HeatInfo, draw_heat
from ablation.figures.inline import data_uri, svg
from ablation.figures.preview import EXPLAINED, PreviewRow, encode_strip
from ablation.figures.style import Style
from ablation.report.freshness import META
from ablation.report.model import Report
from ablation.report.scenes import Scene
from ablation.report.wording import SYMBOL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAW: dict[type, Callable[[Any, Mapping[str, Style]], Figure]] = {
    ForestInfo: draw_forest,
    CurvesInfo: draw_curves,
    HeatInfo: lambda info, _: draw_heat(info),
    MapsInfo: lambda info, _: draw_maps(info),
}


def render(report: Report, digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.freshness`)."""
    pictures = {
        name: data_uri(svg(draw(scene, report.look)), "svg+xml")
        for name in ("forest", "curves", "heat", "maps")
        if (scene := getattr(report, name)) is not None
    }
    strips = [(row, strip_uri(row)) for row in (report.preview.rows if report.preview else ())]
    template = environment().get_template("report.html")
    return template.render(
        report=report, digest=digest, meta=META, pictures=pictures, strips=strips, explained=EXPLAINED, symbol=SYMBOL
    )


def draw(scene: Scene, look: Mapping[str, Style]) -> Figure:
    """The scene's figure."""
    return DRAW[type(scene.info)](scene.info, look)


def strip_uri(row: PreviewRow) -> str:
    """A row of pictures as an address that carries it."""
    return data_uri(*encode_strip(row))


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


def tied(text: str) -> str:
    """With no-break spaces where a line may not end: '95 %', '5 seeds', 'p = .004'."""
    return re.sub(r"(?<=\d) (?=%|seed|point)|(?<=\bp) (?=[<=] \.)|(?<=[<=]) (?=\.\d)", "\u00a0", text)
