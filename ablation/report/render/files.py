"""The tables and figures of a report as files of their own: CSV, LaTeX and Markdown; SVG, PNG and PDF.

The main table of effects comes in the form of a paper, and its CSV with every digit (`ablation.report.render.tables`).
Every other table is `tables/SLUG-K`, with all its rows and the cells as they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ablation.core.safe import csv_text, latex_text, markdown_text
from ablation.core.text import MINUS, NONE, plain
from ablation.report.render import tables
from ablation.report.section import Section, Strips, Table

if TYPE_CHECKING:
    from ablation.evidence.study import Study
    from ablation.report.contents import Report
    from ablation.report.render.drawings import Drawing


def table_files(studies: Sequence[Study], report: Report) -> Iterator[tuple[str, str]]:
    """Each table in three forms; those of effects first, with the experiment's name where there are several."""
    for study in studies if any(section.slug in ("effects", "several") for section in report.sections) else ():
        experiment, effects, left_out = study.experiment, study.effects, study.results.left_out
        stem = f"tables/effects{f'-{experiment.name}' * (len(studies) > 1)}"
        yield f"{stem}.csv", tables.csv(effects, left_out)
        yield f"{stem}.tex", tables.latex(experiment, effects, left_out)
        yield f"{stem}.md", tables.markdown(experiment, effects, left_out)
    for section in report.sections:
        for number, table in enumerate(section.tables, 1):
            if any(group.rows for group in table.groups):
                yield f"tables/{section.slug}-{number}.csv", csv(table)
                yield f"tables/{section.slug}-{number}.tex", latex(table, section, number)
                yield f"tables/{section.slug}-{number}.md", markdown(table)


def figure_files(report: Report, drawings: Mapping[str, Sequence[Drawing | None]]) -> Iterator[tuple[str, bytes]]:
    """Each drawing as SVG, PNG and PDF; each row of photographs as a picture."""
    for section in report.sections:
        for index, (figure, drawn) in enumerate(zip(section.figures, drawings[section.slug], strict=True), 1):
            if isinstance(figure, Strips):
                for row, strip in enumerate(figure.rows, 1):
                    content, kind = strip.picture
                    yield f"figures/{section.slug}-{index}-{row}.{kind}", content
            elif drawn is not None:
                yield from ((f"figures/{drawn.name}.{kind}", content) for kind, content in drawn.files.items())


def csv(table: Table) -> str:
    """A row a row, the title of its group first where there are several, and its note last where one has any.

    Numbers have an ASCII minus and nothing for what is not known, so that programs read them.
    """
    grouped, noted = _grouped(table), any(row.get("note") for group in table.groups for row in group.rows)
    rows = [
        [*([plain(group.title)] if grouped else []), *_cells(table, row), *([row.get("note", "")] if noted else [])]
        for group in table.groups
        for row in group.rows
    ]
    heads = [*(["group"] if grouped else []), *_headings(table), *(["note"] if noted else [])]
    columns = [
        column
        for head, cells in zip(heads, zip(*rows, strict=True), strict=True)
        for column in _columns(head, [_for_programs(plain(cell)) for cell in cells])
    ]
    lines = zip(*(cells for _, cells in columns), strict=True)
    frame = pd.DataFrame([list(map(csv_text, line)) for line in lines], columns=[csv_text(head) for head, _ in columns])
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _for_programs(cell: str) -> str:
    return "" if cell == NONE else cell.replace(MINUS, "-")


def _columns(head: str, cells: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The column with its heading; one of intervals as two, of their ends."""
    ends = [re.fullmatch(r"([+-]?[\d.,]+) to ([+-]?[\d.,]+)", cell) for cell in cells]
    if not any(ends) or any(cell and not found for cell, found in zip(cells, ends, strict=True)):
        return [(head, list(cells))]
    return [
        (f"{head}, {end}", [found[number] if found else "" for found in ends])
        for number, end in ((1, "low"), (2, "high"))
    ]


def markdown(table: Table) -> str:
    """A pipe table of GitHub's Markdown with a row for the title of each group, and the caption below."""
    lines = [[markdown_text(plain(head)) for head in _headings(table)]]
    for group in table.groups:
        lines += [[f"**{markdown_text(plain(group.title))}**"] + [""] * (len(table.headers) - 1)] if group.title else []
        lines += [[markdown_text(plain(cell)) for cell in _cells(table, row)] for row in group.rows]
    text = tables.pipe_table(lines, [table.is_words(key) for key in table.headers])
    return f"{text}\n\n{markdown_text(plain(table.caption))}\n" if table.caption else f"{text}\n"


def latex(table: Table, section: Section, number: int) -> str:
    r"""A `table` that needs no more than \usepackage{booktabs}, with \label{tab:SLUG-K}."""
    columns = "".join("l" if table.is_words(key) else "r" for key in table.headers)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}[tbp]",
        r"\centering\footnotesize",
        rf"\caption{{{latex_text(plain(table.caption or section.title))}}}",
        rf"\label{{tab:{section.slug.replace('_', '-')}-{number}}}",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _latex_line(_headings(table)),
    ]
    for group in table.groups:
        title = rf"\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\emph{{{latex_text(plain(group.title))}}}}} \\"
        lines += [
            r"\midrule",
            *([title] if group.title else []),
            *(_latex_line(_cells(table, row)) for row in group.rows),
        ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return tables.latex_line([latex_text(plain(cell)) for cell in cells])


def _headings(table: Table) -> list[str]:
    return [head or key for key, head in table.headers.items()]


def _cells(table: Table, row: Mapping[str, str]) -> list[str]:
    return [row.get(key, "") for key in table.headers]


def _grouped(table: Table) -> bool:
    return any(group.title for group in table.groups)
