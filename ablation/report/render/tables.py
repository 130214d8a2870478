"""Effects as tables for other programs (CSV, JSON) and for a paper (LaTeX, Markdown).

CSV and JSON hold every field of `Effect` with all its digits. A paper's table comes in plain text from
`ablation.report.sections.effects.paper`; here every text of it is escaped, whoever gave it.

pandas writes the CSV, and not the paper's tables: its LaTeX has no `tabular*` to fill the width of a column, no rows of
titles between groups and no names over several lines, and its Markdown takes another package, which escapes nothing.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.cells import cell_len

from ablation.core.files import atomic
from ablation.core.safe import csv_text, json_text, latex_text, markdown_text, one_line
from ablation.experiment.experiment import Experiment
from ablation.report.render.evidence import effect_data
from ablation.report.sections.effects.paper import Sheet, sheet

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect

FORMS = {"csv": "CSV", "json": "JSON", "latex": "LaTeX (booktabs)", "markdown": "Markdown"}
"""What `write_effects` writes, with the names of these forms."""

LEFT = ("recipe", "verdict")
"""Columns that begin at the left; the others are numbers and end at the right."""

STRONG = ("better", "worse")
"""Verdicts in bold."""

WIDTH = 345
"""Points from margin to margin in LaTeX's `article`, the narrowest page that the table is to fit."""

LETTER = {r"\small": 4.3, r"\footnotesize": 3.95}
"""Points that a letter of the table takes on average: a little above what was measured with LaTeX's own fonts."""


def write_effects(experiment: Experiment, effects: Sequence[Effect], path: Path, form: str, left_out: int = 0) -> None:
    """The effects as "csv", "json", "latex" or "markdown", to a file or ('-') to standard output.

    left_out: files of the data that are in no run; every form has them. Raises ValueError for another form.
    """
    if form not in FORMS:
        raise ValueError(f"form = {form!r}: use csv, json, latex or markdown")
    if form in ("csv", "json"):
        text = (csv if form == "csv" else json)(effects, left_out)
    else:
        text = (latex if form == "latex" else markdown)(experiment, effects, left_out)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with atomic(path, "w") as file:
        file.write(text)
    print(f"wrote {one_line(str(path))}", file=sys.stderr)


def csv(effects: Sequence[Effect], left_out: int = 0) -> str:
    """A row an effect, a column a field of `Effect`; what is not known is empty, floats have all their digits.

    condition is "optimizer=adam, dropout=0.3", or "pooled"; scores are "0:0.969 1:0.956", seed:score.
    """
    rows = [{name: _cell(name, item) for name, item in row.items()} for row in _rows(effects, left_out)]
    return str(pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")) if rows else ""


def json(effects: Sequence[Effect], left_out: int = 0) -> str:
    """A list of objects with the fields of `Effect`; null for what is not known. condition is an object or "pooled"."""
    return json_text(_rows(effects, left_out), indent=1) + "\n"


def _rows(effects: Sequence[Effect], left_out: int) -> list[dict[str, Any]]:
    """The fields of each effect, and in all of them how many files are left out."""
    return [effect_data(effect) | {"left_out": left_out} for effect in effects]


def _cell(name: str, item: Any) -> Any:
    """One cell of the CSV: a dict as a text, a text safe to open, the rest as it is."""
    if isinstance(item, str):
        return csv_text(item)
    if not isinstance(item, dict):
        return item
    if name == "condition":
        return csv_text(", ".join(f"{factor}={level}" for factor, level in item.items()))
    return " ".join(f"{seed}:{'' if score is None else score}" for seed, score in item.items())


def markdown(experiment: Experiment, effects: Sequence[Effect], left_out: int = 0) -> str:
    """A pipe table with a row for the title of each group; under it the caption, then the notes."""
    made = sheet(experiment, effects, left_out)
    lines = [[markdown_text(" ".join(filter(None, head))) for head in made.heads.values()]]
    for title, rows in made.groups:
        lines += [[f"**{markdown_text(title)}**"] + [""] * (len(made.heads) - 1)] if title else []
        lines += [[_markdown_cell(key, row) for key in made.heads] for row in rows]
    table = pipe_table(lines, [key in LEFT for key in made.heads])
    return "\n\n".join([table, *map(markdown_text, [made.caption, *made.notes])]) + "\n"


def pipe_table(lines: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    """Lines of cells, the headings first, as GitHub's Markdown has a table. left: is the column set flush left?"""
    widths = [max(3, *map(cell_len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * (width - 1) + ("-" if flush else ":") for flush, width in zip(left, widths, strict=True)]
    table = []
    for line in [lines[0], rule, *lines[1:]]:
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        padded = zip(left, line, blanks, strict=True)
        table.append(f"| {' | '.join(cell + blank if flush else blank + cell for flush, cell, blank in padded)} |")
    return "\n".join(table)


def _markdown_cell(key: str, row: dict[str, str]) -> str:
    text = markdown_text(row[key])
    if key != "verdict":
        return text
    return (f"**{text}**" if row[key] in STRONG else text) + row["mark"]


def latex(experiment: Experiment, effects: Sequence[Effect], left_out: int = 0) -> str:
    r"""A `table` that needs no more than \usepackage{booktabs}: caption, \label{tab:NAME}, rows, notes below."""
    made = sheet(experiment, effects, left_out)
    size, room = _fitting(made)
    columns = "".join("l" if key in LEFT else "r" for key in made.heads)
    lines = [
        r"% needs \usepackage{booktabs}; on a page of two columns, use table* instead of table",
        r"\begin{table}[tbp]",
        r"\centering",
        rf"\caption{{{latex_text(made.caption)}}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', experiment.name)}}}",
        rf"\smallskip{size}\setlength{{\tabcolsep}}{{1.5pt}}",
        rf"\begin{{tabular*}}{{\linewidth}}{{@{{\extracolsep{{\fill}}}}{columns}@{{}}}}",
        r"\toprule",
        *_latex_heads(made.heads),
        *(line for title, rows in made.groups for line in _latex_group(title, rows, list(made.heads), room)),
        r"\bottomrule",
        r"\end{tabular*}",
        *_latex_notes(made.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _fitting(made: Sheet) -> tuple[str, int]:
    """The size of letters with which the table fits a page's text, and the room for a name, in letters."""
    lines = [dict(zip(made.heads, head, strict=True)) for head in zip(*made.heads.values(), strict=True)]
    lines[0] |= {"interval": "", "new": ""} if "new" in made.heads else {}  # they share a heading, which fits
    lines += [row | {"verdict": row["verdict"] + row["mark"]} for _, rows in made.groups for row in rows]
    name, *others = (max(len(line[key]) for line in lines) for key in made.heads)
    free = WIDTH - 3 * len(others)
    room = max(12, int(free / LETTER[r"\footnotesize"]) - sum(others))
    needed = min(name, room) + sum(others)
    return next((size for size, wide in LETTER.items() if needed * wide <= free), r"\scriptsize"), room


def _latex_heads(heads: dict[str, tuple[str, str]]) -> list[str]:
    """Two lines of headings; what neighbours share in the first is written once, over both."""
    first = []
    for top, same in itertools.groupby(latex_text(top) for top, _ in heads.values()):
        count = len(list(same))
        first += [rf"\multicolumn{{{count}}}{{c}}{{{top}}}"] if top and count > 1 else [top] * count
    return [latex_line(first), latex_line([latex_text(bottom) for _, bottom in heads.values()])]


def _latex_group(title: str, rows: Sequence[dict[str, str]], keys: list[str], room: int) -> list[str]:
    """A rule, the title over all columns, and the rows."""
    head = [rf"\multicolumn{{{len(keys)}}}{{@{{}}l}}{{\emph{{{latex_text(title)}}}}} \\"] if title else []
    return [r"\midrule", *head, *(latex_line([_latex_cell(key, row, room) for key in keys]) for row in rows)]


def latex_line(cells: Sequence[str]) -> str:
    """A row of a tabular, of texts for LaTeX."""
    return rf"{' & '.join(cells)} \\"


def _latex_cell(key: str, row: dict[str, str], room: int) -> str:
    """One cell; a name with more letters than there is room for takes several lines, and may break at its signs."""
    text = latex_text(row[key])
    if key == "recipe" and len(row[key]) > room:
        broken = re.sub(r"(\\_|[/=,+(])", r"\1\\allowbreak{}", text)
        return rf"\parbox[t]{{{0.45 * room:.4g}em}}{{\raggedright\hangindent=1em\hspace{{0pt}}{broken}\strut}}"
    if key != "verdict":
        return text
    mark = rf"\textsuperscript{{{latex_text(row['mark'])}}}" if row["mark"] else ""
    return (rf"\textbf{{{text}}}" if row[key] in STRONG else text) + mark


def _latex_notes(notes: Sequence[str]) -> list[str]:
    lines = [rf"{latex_text(note)}\par" for note in notes]
    return [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize", *lines, r"\end{minipage}"] if lines else []
