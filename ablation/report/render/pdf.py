"""A report as PDF, tagged for screen readers (PDF/UA-1), set by typst. The only home of typst.

Texts go to the template as data (JSON), never as markup, so that nothing in a name is taken for a command.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.core.errors import InputError
from ablation.core.text import name_spans, tied
from ablation.report.section import Section, Strips, Table
from ablation.report.text import SYMBOL

if TYPE_CHECKING:
    from ablation.report.contents import Report
    from ablation.report.render.drawings import Drawing

HOW = "pip install typst"


def pdf_of(report: Report, drawings: Mapping[str, Sequence[Drawing | None]], fonts: Sequence[Path] = ()) -> bytes:
    """The PDF. Raises InputError where typst is missing or fails, with what to do."""
    try:
        import typst
    except ImportError as error:
        raise InputError(f"typst cannot be imported ({error}); `{HOW}` brings it") from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = _write_pictures(folder, report, drawings)
        (folder / "report.json").write_text(json.dumps(_data(report, drawings, pictures)), "utf-8")
        (folder / "report.typ").write_bytes((files("ablation.report.render") / "report.typ").read_bytes())
        try:
            made = typst.compile(
                folder / "report.typ",
                root=folder,
                font_paths=[_matplotlib_fonts(), *fonts],
                ignore_system_fonts=True,
                pdf_standards=["ua-1"],
                timestamp=0,
            )
        except typst.TypstError as error:
            raise InputError(f"typst cannot set it: {error}") from None
    assert isinstance(made, bytes)
    return made


def _matplotlib_fonts() -> Path:
    """The fonts that figures are drawn with."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _write_pictures(
    folder: Path, report: Report, drawings: Mapping[str, Sequence[Drawing | None]]
) -> dict[tuple[str, int], list[str]]:
    """Every figure and row of photographs as a file: (slug, index) -> names."""
    names: dict[tuple[str, int], list[str]] = {}
    for section in report.sections:
        for index, figure in enumerate(section.figures):
            drawn = drawings[section.slug][index]
            if isinstance(figure, Strips):
                encoded = [strip.encode() for strip in figure.rows]
                contents = {
                    f"{section.slug}-{index + 1}-{row}.{kind}": made for row, (made, kind) in enumerate(encoded)
                }
            else:
                assert drawn is not None
                contents = {f"{drawn.name}.svg": drawn.svg}
            for name, content in contents.items():
                (folder / name).write_bytes(content)
            names[section.slug, index] = list(contents)
    return names


def _data(
    report: Report,
    drawings: Mapping[str, Sequence[Drawing | None]],
    pictures: Mapping[tuple[str, int], list[str]],
) -> dict[str, Any]:
    """What the template shows: every text as a list of parts, a name with its colour."""
    headline = asdict(report.headline)
    return {
        "title": f"{report.name}: {report.question}",
        "name": report.name,
        "made": report.made,
        "question": _words(report.question, report),
        "headline": headline | {"lead": _words(report.headline.lead, report)},
        "sure": _texts(report.headline.sure, report),
        "answer": _texts(report.answer, report),
        "warnings": _texts(report.warnings, report),
        "symbol": SYMBOL,
        "colors": {recipe: style.color for recipe, style in report.look.items()},
        "sections": [_section(section, report, drawings, pictures) for section in report.sections],
    }


def _words(text: str, report: Report) -> list[dict[str, str]]:
    return [
        {"name": part, "color": report.look[part].color if part in report.look else ""}
        if is_name
        else {"text": tied(part)}
        for part, is_name in name_spans(text)
    ]


def _texts(texts: Sequence[str], report: Report) -> list[list[dict[str, str]]]:
    return [_words(text, report) for text in texts]


def _section(
    section: Section,
    report: Report,
    drawings: Mapping[str, Sequence[Drawing | None]],
    pictures: Mapping[tuple[str, int], list[str]],
) -> dict[str, Any]:
    return {
        "title": _words(section.title, report),
        "question": _words(section.question, report),
        "answer": _texts(section.answer, report),
        "figures": [
            {
                "files": pictures[section.slug, index],
                "rows": [[row.name, row.about] for row in figure.rows] if isinstance(figure, Strips) else [],
                "alt": figure.alt,
                "caption": _words(figure.caption, report),
                "remarks": _texts(drawn.remarks, report) if drawn else [],
            }
            for index, (figure, drawn) in enumerate(zip(section.figures, drawings[section.slug], strict=True))
        ],
        "tables": [_table(table, report) for table in section.tables],
        "caution": _texts(section.caution, report),
    }


def _table(table: Table, report: Report) -> dict[str, Any]:
    return {
        "keys": list(table.headers),
        "headers": list(table.headers.values()),
        "groups": [
            {
                "title": _words(group.title, report),
                "rows": [[row.get(key, "") for key in table.headers] for row in group.rows],
            }
            for group in table.groups
        ],
        "caption": _words(table.caption, report),
    }
