"""A report as PDF, tagged for screen readers (PDF/UA-1), and each figure as a page, set by typst. Its only home.

Texts go to the template as data (JSON), never as markup, so that nothing in a name is taken for a command. What the
template shows is all here; how it looks is all in `report.typ`.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ablation
from ablation.core.errors import InputError
from ablation.core.text import counted, first_sentence, kinds_of_spans, plain, tied
from ablation.report.glossary import Term, term_spans, terms_of
from ablation.report.section import Section, Strip, Strips, Table
from ablation.report.style import WIDTH, shortened
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Report
    from ablation.report.fonts import Face, Fonts
    from ablation.report.render.drawings import Drawing
    from ablation.report.sections.effects.headline import Forest
    from ablation.report.style import Style

HOW = "pip install typst"
FONTS_FOLDER = "fonts"

Drawings = Mapping[str, Sequence["Drawing | None"]]
Words = list[dict[str, str]]
"""Parts of a sentence: {"text": ...}, {"code": ...}, or {"name": ..., "color": ...} for a name.

The colour is '' where the name has none. A text with a "term" is explained in the glossary under that slug.
"""

PROSE = (
    "opening",
    "answer",
    "question",
    "figures",
    "caption",
    "remarks",
    "first",
    "rest",
    "tables",
    "notes",
    "caution",
)
"""Where a section says things in sentences, the words of which are linked to the glossary."""


def pdf_of(report: Report, drawings: Drawings, fonts: Fonts | None = None) -> bytes:
    """The PDF. fonts: what it needs beside those that come with typst and matplotlib.

    Raises InputError where typst is missing or fails, with what to do; and for a character that no font shows.
    """
    try:
        import typst
    except ImportError as error:
        raise InputError(f"typst cannot be imported ({error}); `{HOW}` brings it") from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        families = _write_fonts(folder / FONTS_FOLDER, fonts.faces if fonts else ())
        write_source(folder, report, drawings, families)
        try:
            made = typst.compile(
                folder / "report.typ",
                root=folder,
                font_paths=[folder / FONTS_FOLDER],
                ignore_system_fonts=True,
                pdf_standards=["ua-1"],
                timestamp=0,
            )
        except typst.TypstError as error:
            raise InputError(f"typst cannot set it: {error}") from None
    assert isinstance(made, bytes)
    return made


FIGURE = """#set document(date: none)
#set page(width: auto, height: auto, margin: 0pt, fill: white)
#image("figure.svg", alt: sys.inputs.alt)
"""
"""A figure alone on a page of its size."""

DPI = 200
"""Pixels an inch of a figure's PNG."""


def set_figure(svg: bytes, alt: str, fonts: Fonts | None = None) -> dict[str, bytes] | None:
    """A drawing as "png" and "pdf", a page of its size with the fonts that it needs: the same drawing in three files.

    In a tenth of the time in which matplotlib draws it twice more. alt: what it shows. fonts: as `pdf_of` takes them.
    None where typst is missing or fails.
    """
    try:
        import typst
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_fonts(folder / FONTS_FOLDER, fonts.faces if fonts else ())
        (folder / "figure.typ").write_text(FIGURE, "utf-8")
        (folder / "figure.svg").write_bytes(svg)
        compiler = typst.Compiler(
            root=folder,
            font_paths=[folder / FONTS_FOLDER],
            ignore_system_fonts=True,
            sys_inputs={"alt": plain(alt)},
        )
        try:
            png, pdf = (
                compiler.compile(folder / "figure.typ", format=kind, ppi=DPI, timestamp=0) for kind in ("png", "pdf")
            )
        except typst.TypstError:
            return None
    assert isinstance(png, bytes)
    assert isinstance(pdf, bytes)
    return {"png": png, "pdf": pdf}


def write_source(folder: Path, report: Report, drawings: Drawings, families: Sequence[str] = ()) -> None:
    """What typst sets, into a folder: the template, the texts as JSON, and every picture."""
    data = report_data(report, drawings) | {"families": list(families)}
    for section, shown in zip(report.sections, data["sections"], strict=True):
        for figure, drawn, own in zip(section.figures, drawings[section.slug], shown["figures"], strict=True):
            for file, content in zip(own["files"], _pictures(figure, drawn), strict=True):
                (folder / file).write_bytes(content)
    (folder / "report.json").write_text(json.dumps(data, allow_nan=False), "utf-8")
    (folder / "report.typ").write_bytes((files("ablation.report.render") / "report.typ").read_bytes())


def _write_fonts(folder: Path, faces: Sequence[Face]) -> list[str]:
    """The fonts of figures and these, into a folder of nothing else; by what names typst knows these."""
    import matplotlib
    import typst

    folder.mkdir()
    for style in ("", "-Bold", "-Oblique", "-BoldOblique"):
        shutil.copy(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{style}.ttf", folder)
    numbers = {path: number for number, path in enumerate(dict.fromkeys(face.path for face in faces))}
    for path, number in numbers.items():
        shutil.copy(path, folder / f"{number}{path.suffix}")
    held = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder]).fonts()
    named = {(Path(font.path).name, font.index): font.family for font in held if font.path}
    return [named[f"{numbers[face.path]}{face.path.suffix}", face.index] for face in faces]


def report_data(report: Report, drawings: Drawings) -> dict[str, Any]:
    """What the template shows."""
    headline, terms = report.headline, terms_of(report)
    return {
        "title": plain(f"{report.name}: {report.question}"),
        "name": _shown(report.name),
        "made": report.made,
        "author": f"ablation {ablation.__version__}",
        "date": list(day.timetuple()[:3]) if (day := _date(report.made)) else None,
        "question": _words(report.question, report),
        "headline": {
            "lead": _words(headline.lead, report),
            "recipe": [_name(headline.recipe, report.look)] if headline.recipe else [],
            "number": headline.number,
            "unit": headline.unit,
            "interval": headline.interval,
            "verdict": headline.verdict,
            "sure": _texts(headline.sure, report),
            "forest": _forest(headline.forest, report) if headline.forest else None,
        },
        "answer": _texts(report.answer, report),
        "warnings": _texts(report.warnings, report),
        "verdicts": _verdicts(report),
        "symbol": SYMBOL,
        "sections": [
            _linked(_section(section, report, drawings[section.slug]), set(terms)) for section in report.sections
        ],
        "glossary": [
            {"slug": term.slug, "name": term.name, "definition": _words(term.definition, report)} for term in terms
        ],
    }


def _linked(item: Any, ahead: set[Term]) -> Any:
    """What is shown, the first occurrence of each of these terms in its prose marked as a term of the glossary."""
    if isinstance(item, dict):
        return {key: _linked(inner, ahead) if key in PROSE else inner for key, inner in item.items()}
    if not isinstance(item, list):
        return item
    return [
        part
        for inner in item
        for part in (
            _terms(inner["text"], ahead) if isinstance(inner, dict) and "text" in inner else [_linked(inner, ahead)]
        )
    ]


def _terms(text: str, ahead: set[Term]) -> Words:
    parts = []
    for part, term in term_spans(text):
        if part and term in ahead:
            ahead.remove(term)
            parts.append({"text": part, "term": term.slug})
        elif part:
            parts.append({"text": part})
    return parts


def _date(made: str) -> datetime.date | None:
    """The last day that the report's records name."""
    days = re.findall(r"\d{4}-\d\d-\d\d", made)
    return datetime.date.fromisoformat(days[-1]) if days else None


def _words(text: str, report: Report) -> Words:
    return [
        part
        for span, kind in kinds_of_spans(text)
        for part in ([_name(span, report.look if kind == "recipe" else {})] if kind else _code(tied(_shown(span))))
    ]


def _code(text: str) -> Words:
    """What stands in `backticks` as code, all else as text."""
    parts = enumerate(re.split(r"`([^`]+)`", text))
    return [{"code" if number % 2 else "text": part} for number, part in parts if part]


def _name(name: str, look: Mapping[str, Style]) -> dict[str, str]:
    """A name with its colour. One that is written from the right does not turn the text around it."""
    shown = _shown(name)
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        shown = f"\N{FIRST STRONG ISOLATE}{shown}\N{POP DIRECTIONAL ISOLATE}"
    return {"name": shown, "color": look[name].color if name in look else ""}


LONG = 24
"""Letters of a word that may break at the end of a line."""


def _shown(text: str) -> str:
    """The text with a space for each character that is a command to a device; long words may break at a line's end."""
    return re.sub(rf"\S{{{LONG + 1},}}", _breakable, re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text))


def _breakable(word: re.Match[str]) -> str:
    """The word with spaces of no width behind marks that end a part of it, and within parts that are long."""
    parts = re.split(r"(?<=[_/.,;:=(-])", word[0])
    return "\u200b".join(part[at : at + LONG] for part in parts for at in range(0, len(part), LONG))


def _texts(texts: Sequence[str], report: Report) -> list[Words]:
    return [_words(text, report) for text in texts]


def _opened(text: str, report: Report) -> dict[str, Words]:
    """A text as its first sentence and the rest."""
    first, rest = first_sentence(text)
    return {"first": _words(first, report), "rest": _words(rest, report)}


def _forest(forest: Forest, report: Report) -> dict[str, Any]:
    rows = [
        {
            **{key: at if math.isfinite(at) else None for key, at in _shares(row).items()},
            "recipe": [_name(row.recipe, report.look) | {"name": _shown(shortened(row.recipe, LONG))}],
            "color": report.look[row.recipe].color,
            "difference": row.difference,
            "interval": row.interval,
            "verdict": row.verdict,
        }
        for row in forest.rows
    ]
    more = f"{counted(forest.more, 'more recipe')} in the results." if forest.more else ""
    held = {key: item for key, item in asdict(forest).items() if key in ("zero", "margin", "ends")}
    return held | {"rows": rows, "more": more, "caption": _words(forest.caption, report)}


def _shares(row: Any) -> dict[str, float]:
    return {"estimate": row.estimate, "low": row.low, "high": row.high}


def _verdicts(report: Report) -> dict[str, Any] | None:
    grid = report.verdicts
    if grid is None:
        return None
    return {
        "columns": _texts(grid.columns, report),
        "rows": [
            {"recipe": [_name(recipe, report.look)], "cells": [list(cell) for cell in cells]}
            for recipe, cells in grid.rows
        ],
        "baseline": _shown(report.baseline),
    }


def _section(section: Section, report: Report, drawings: Sequence[Drawing | None]) -> dict[str, Any]:
    tables = [
        (table, f"tables/{section.slug}-{number}.csv")
        for number, table in enumerate(section.tables, 1)
        if any(group.rows for group in table.groups)
    ]
    return {
        "slug": section.slug,
        "title": _words(section.title, report),
        "question": _words(section.question, report),
        "opening": _opened(section.answer[0], report) if section.answer else None,
        "answer": _texts(section.answer[1:], report),
        "figures": [
            _figure(section, index, figure, drawn, report)
            for index, (figure, drawn) in enumerate(zip(section.figures, drawings, strict=True), 1)
        ],
        "tables": [
            {
                "whole": _table(table, file, report),
                "parts": [_table(part, file, report) for part in table.parts() if part],
            }
            for table, file in tables
            if not table.folded
        ],
        "details": [_table(table, file, report) for table, file in tables if table.folded],
        "caution": _texts(section.caution, report),
    }


def _figure(section: Section, number: int, figure: Any, drawn: Drawing | None, report: Report) -> dict[str, Any]:
    strips = figure.rows if isinstance(figure, Strips) else ()
    kinds = [_kind(picture) for picture in _pictures(figure, drawn)]
    return {
        "files": [f"{section.slug}-{number}-{row}.{kind}" for row, kind in enumerate(kinds, 1)],
        "size": _size(drawn.svg) if drawn else None,
        "strips": [_strip(strip, report) for strip in strips],
        "alt": plain(figure.alt),
        "caption": _opened(figure.caption, report),
        "remarks": _texts(drawn.remarks, report) if drawn else [],
    }


def _pictures(figure: Any, drawn: Drawing | None) -> list[bytes]:
    """The files of a figure: its drawing, or a picture a row of photographs."""
    if isinstance(figure, Strips):
        return [strip.picture[0] for strip in figure.rows]
    assert drawn is not None
    return [drawn.svg]


def _size(svg: bytes) -> list[float]:
    """Width and height of a drawing, as shares of the width of one over the full page."""
    found = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    return [round(float(points) / (72 * WIDTH), 4) for points in found.groups()]


def _kind(picture: bytes) -> str:
    if picture.startswith(b"\x89PNG"):
        return "png"
    return "jpg" if picture.startswith(b"\xff\xd8") else "svg"


def _strip(strip: Strip, report: Report) -> dict[str, Any]:
    return {
        "name": [_name(strip.name, report.look)],
        "about": _words(strip.about, report),
        "headings": _texts(strip.headings, report),
        "words": [_texts(lines, report) for lines in strip.words],
        "alt": plain(strip.alt),
    }


def _table(table: Table, file: str, report: Report) -> dict[str, Any]:
    """A table as it is shown: its first rows, its title above them and its notes below.

    What is peculiar about rows is said below as well, once, and rows have a letter for it.
    """
    head, left_out = table.head()
    keys = list(head.headers)
    title, notes = ("", table.caption) if table.folded else first_sentence(table.caption)
    remarks = list(dict.fromkeys(row["note"] for group in head.groups for row in group.rows if row.get("note")))
    return {
        "label": file.removesuffix(".csv"),
        "numbers": [not table.is_words(key) and key != "recipe" for key in keys],
        "headers": _texts(list(head.headers.values()), report),
        "groups": [
            {
                "title": _words(group.title, report),
                "rows": [
                    {
                        "cells": [_cell(key, row.get(key, ""), report) for key in keys],
                        "letter": _letter(remarks.index(row["note"])) if row.get("note") else "",
                    }
                    for row in group.rows
                ],
            }
            for group in head.groups
        ],
        "count": sum(len(group.rows) + bool(group.title) for group in head.groups),
        "title": _words(title or table.folded, report),
        "notes": _words(notes, report),
        "remarks": [[_letter(number), _words(remark, report)] for number, remark in enumerate(remarks)],
        "more": f"The other {counted(left_out, 'row')} are in {file}." if left_out else "",
    }


def _letter(number: int) -> str:
    """'a', 'b', ... 'z', 'aa', 'ab', ..."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[number % 26]


def _cell(key: str, text: str, report: Report) -> Any:
    """A name, a verdict or a text; verdicts are {"verdict": ...}."""
    if key == "recipe" and text in report.look:
        return [_name(text, report.look)]
    return {"verdict": text} if key == "verdict" and text in SYMBOL else _words(text, report)
