"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ablation.core.text import tied
from ablation.report.inline import data_uri, svg
from ablation.report.page import Report
from ablation.report.render.digest import META
from ablation.report.section import Scene
from ablation.report.sections.attribution.figure import ContributionsInfo, draw_contributions
from ablation.report.sections.dose_response.figure import DosesInfo, draw_doses
from ablation.report.sections.effects.forest import ForestInfo, draw_forest
from ablation.report.sections.effects.heat import HeatInfo, draw_heat
from ablation.report.sections.embedding.figure import MapsInfo, draw_maps
from ablation.report.sections.interaction.figure import InteractionInfo, draw_interaction
from ablation.report.sections.learning_curves.figure import CurvesInfo, draw_curves
from ablation.report.sections.pictures.strips import EXPLAINED, PreviewRow, encode_strip
from ablation.report.sections.train_size.figure import SizesInfo, draw_sizes
from ablation.report.style import Style
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAW: dict[type, Callable[[Any, Mapping[str, Style]], Figure]] = {
    ForestInfo: draw_forest,
    CurvesInfo: draw_curves,
    HeatInfo: lambda info, _: draw_heat(info),
    InteractionInfo: draw_interaction,
    ContributionsInfo: draw_contributions,
    DosesInfo: draw_doses,
    SizesInfo: draw_sizes,
    MapsInfo: lambda info, _: draw_maps(info),
}


def render(report: Report, digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.render.digest`)."""
    pictures = {
        name: data_uri(svg(draw(scene, report.look)), "svg+xml")
        for name in ("forest", "curves", "heat", "interaction", "maps")
        if (scene := getattr(report, name)) is not None
    }
    told = {name: part for name in ("operations", "doses", "sizes") if (part := getattr(report, name)) is not None}
    pictures |= {
        name: data_uri(svg(draw(part.scene, report.look)), "svg+xml") for name, part in told.items() if part.scene
    }
    strips = [(row, strip_uri(row)) for row in (report.preview.rows if report.preview else ())]
    template = environment().get_template("render/page.html")
    return template.render(
        report=report, digest=digest, meta=META, pictures=pictures, told=told, strips=strips, explained=EXPLAINED,
        symbol=SYMBOL,
    )  # fmt: skip


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
