"""A report as one HTML page: figures drawn and set inline, text escaped by the template. The only home of jinja2."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ablation.core.text import first_sentence, kinds_of_spans, plain, tied
from ablation.report.glossary import Term, term_spans, terms_of
from ablation.report.render.digest import META
from ablation.report.render.drawings import Drawing, drawing
from ablation.report.section import STATISTICS, Figure, Strip, Table
from ablation.report.style import MARKERS, VARIABLES, Style, data_uri, inline_svg
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Report

SCRIPTS = ("page.js", "hover.js")

MOST = 12
"""Recipes in the legend, rows of the grid of verdicts and warnings that are shown at once; more open on a click."""

Look = Mapping[str, Style]


def html(report: Report, drawings: Mapping[str, Sequence[Drawing | None]], digest: str) -> str:
    """The page. digest: of its inputs, kept in a meta tag (see `ablation.report.render.digest`)."""
    look, terms, own = report.look, terms_of(report), script()
    return (
        environment()
        .get_template("render/page.html")
        .render(
            **parts_of_a_page(look, terms),
            page=report,
            drawings=drawings,
            digest=digest,
            meta=META,
            policy=policy(own),
            script=Markup(own),
            terms=terms,
            most=MOST,
            variables=VARIABLES,
            markers=MARKERS,
        )
    )


def parts_of_a_page(look: Look, terms: Collection[Term]) -> dict[str, Any]:
    """What the template of a section takes beside the section and its drawings, wherever it is shown.

    terms: of a glossary in the same page, to which the first use of each is linked.
    """
    return {
        "look": look,
        "symbol": SYMBOL,
        "statistics": STATISTICS,
        "plain": plain,
        "chip": partial(chip, look=look),
        "names": partial(names, look=look),
        "linking": partial(linking, look, terms),
        "layout": layout,
        "first_sentence": first_sentence,
        "inline": inline,
        "picture": partial(picture, look=look),
    }


def script() -> str:
    """The page's own script: everything of it works without, too."""
    folder = files("ablation.report.render")
    return "\n" + "".join((folder / name).read_text("utf-8") for name in SCRIPTS)


def policy(own: str = "") -> str:
    """The content-security policy of a page: nothing is fetched, and no script runs but this one."""
    scripts = f"'sha256-{base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()}'" if own else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; "
        "form-action 'none'"
    )


def picture(shown: Figure | Strip, look: Look) -> str:
    """A figure, or a row of photographs, as an address that carries it."""
    if isinstance(shown, Strip):
        return data_uri(*shown.picture)
    return data_uri(drawing(shown, look, "").svg, "svg+xml")


@dataclass(frozen=True)
class Inline:
    """A drawing as an element of a page. width: in CSS pixels, as it was drawn."""

    element: Markup
    width: int


def inline(drawn: Drawing, alt: str) -> Inline:
    """The drawing, to be as wide as the page allows, but not wider than it was drawn."""
    prefix = re.sub(r"[^\w-]", lambda found: f"_{ord(found[0]):x}", drawn.name, flags=re.ASCII)
    element = inline_svg(drawn.svg, prefix, plain(alt))
    points = element.partition('viewBox="')[2].partition('"')[0].split()[2]
    return Inline(Markup(element), round(float(points) * 96 / 72))


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


def chip(name: str, look: Look, marked: bool = True) -> Markup:
    """A name in bold; that of a recipe with its marker in its colour. marked: lights up with all else of the recipe."""
    style = look.get(name)
    if style is None:
        return Markup('<b class="name">{}</b>').format(name)
    sign = Markup('<i class="sign s{}" style="--c:var({})"></i>').format(
        MARKERS.index(style.marker), VARIABLES[style.color]
    )
    index = Markup(' data-recipe="{}"').format(style.index) if marked else ""
    return Markup('<b class="name chip"{}>{}<span>{}</span></b>').format(index, sign, name)


def names(text: str, look: Look) -> Markup:
    """A text: escaped, with no line ending between a number and its unit, and names set as names."""
    return Markup("").join(
        chip(part, look if kind == "recipe" else {}) if kind else code(tied(part))
        for part, kind in kinds_of_spans(text)
    )


def code(text: str) -> Markup:
    """The text, escaped, with what stands in `backticks` as code."""
    parts = re.split(r"`([^`]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def linking(look: Look, terms: Collection[Term]) -> Callable[[str], Markup]:
    """What sets texts as `names` does, and makes the first occurrence of each of these terms a link to it."""
    ahead = set(terms)

    def linked(text: str) -> Markup:
        parts = (
            chip(part, look if kind == "recipe" else {})
            if kind
            else Markup("").join(word(*span) for span in term_spans(tied(part)))
            for part, kind in kinds_of_spans(text)
        )
        return Markup("").join(parts)

    def word(text: str, term: Term | None) -> Markup:
        if term not in ahead:
            return code(text)
        ahead.remove(term)
        return Markup('<a class="term" href="#term-{}">{}</a>').format(term.slug, text)

    return linked


@dataclass(frozen=True)
class Layout:
    """A table as a page shows it.

    aside: columns of the table for which a phone has no room; it has them among the statistics. narrow: are there
    statistics only for that reason? left_out: rows that are in the CSV alone.
    """

    table: Table
    aside: frozenset[str]
    statistics: Table | None
    narrow: bool
    left_out: int


def layout(whole: Table) -> Layout:
    """The table, and the columns that stand one click below."""
    table, left_out = whole.head()
    main, rest = table.parts()
    first = next(iter(main.headers))
    aside = frozenset(main.headers) - {first, "verdict", *table.keep} if table.keep else frozenset()
    spare = set(table.headers) - set(main.headers)
    headers = {key: head for key, head in table.headers.items() if key == first or key in aside | spare}
    if len(headers) == 1:
        return Layout(main, aside, None, False, left_out)
    groups = tuple(replace(group, rows=tuple({**row, "note": ""} for row in group.rows)) for group in table.groups)
    return Layout(main, aside, replace(table, headers=headers, groups=groups), rest is None, left_out)
