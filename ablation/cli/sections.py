"""Any section of the report on a terminal, whatever its width. Knows no section by name.

A table that is too wide loses columns from the right, never those that it must keep (`Table.keep`); where even these do
not fit, the names of rows are broken over lines. Nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ablation.cli.console import console, head, say, table
from ablation.report.section import Rows, Section, Table

MOST_ROWS = 30
"""Of a table on the terminal; of more only the last group is shown, the pooled rows. The rest is in the report."""

GAP = 2
"""Columns of the terminal between two columns of a table."""

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "baseline": "dim",
}


def show_section(section: Section, every: bool = False) -> None:
    """Print the title, the question, the answer and the tables; `every`: also the tables of details."""
    head(section.title)
    if section.question:
        say(section.question, "dim")
    for sentence in section.answer:
        say(sentence, bullet="• " if len(section.answer) > 1 else "")
    for one in section.tables:
        if every or not one.folded:
            show_table(one)
    for note in section.caution:
        say(note, "yellow")


def show_table(shown: Table) -> None:
    """Print a table, a block a group, all with columns of the same width, and its caption."""
    count = sum(len(group.rows) for group in shown.groups)
    groups = shown.groups if count <= MOST_ROWS else shown.groups[-1:]
    widths = {key: width_of(shown, key, groups) for key in shown.headers}
    columns = fitting(shown, widths, console.width)
    for group in groups:
        _show_group(shown, group, {key: widths[key] for key in columns})
    if shown.caption:
        say(shown.caption, "dim")


def width_of(shown: Table, key: str, groups: Sequence[Rows]) -> int:
    """Columns of the terminal that a column takes: its widest cell, or the longest word of its heading."""
    cells = [row.get(key, "") for group in groups for row in group.rows]
    return max(map(len, [*cells, *shown.headers[key].split()]), default=0)


def fitting(shown: Table, widths: dict[str, int], room: int) -> list[str]:
    """The columns that fit into `room`, in order: all, or without those from the right that need not be kept."""
    columns = list(shown.headers)
    first = columns[0]
    for key in reversed(shown.headers):
        if sum(widths[column] + GAP for column in columns) <= room:
            break
        if key not in shown.keep and key != first:
            columns.remove(key)
    return columns


def _show_group(shown: Table, group: Rows, widths: dict[str, int]) -> None:
    first = next(iter(widths))
    made = table(*(shown.headers[key] for key in widths))
    made.title, made.title_justify = Text(group.title, "bold") if group.title else None, "left"
    for key, column in zip(widths, made.columns, strict=True):
        words = key == first or key in shown.words or key == "verdict"
        column.justify = "left" if words else "right"
        column.min_width = None if key == first else widths[key]
        column.no_wrap = False
    for row in group.rows:
        cells = (Text(row.get(key, ""), VERDICT_STYLE.get(row[key], "") if key == "verdict" else "") for key in widths)
        made.add_row(*cells)
    console.print(made)
