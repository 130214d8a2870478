"""What the terminal tells of operations, doses and train sizes: the sections of the report, without their pictures.

Called after the comparison is printed. Nothing is printed where the experiment does not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from ablation.cli.console import console, head, say, table
from ablation.report.section import Rows, Told
from ablation.report.sections.attribution.section import operations_told
from ablation.report.sections.dose_response.section import doses_told
from ablation.report.sections.train_size.section import sizes_told

if TYPE_CHECKING:
    from ablation.experiment.results import Results

MOST_ROWS = 30
"""Of a section on the terminal; with more only the pooled rows are shown, and the rest is in the report."""


MOST_LETTERS, MOST_WIDE = 12, 20
"""Of a line of a heading, and of a column that other columns may not squeeze."""


def show_curves(results: Results) -> None:
    """All three, in the order of the report."""
    sections: tuple[Callable[[Results], Told | None], ...] = (operations_told, doses_told, sizes_told)
    for section in sections:
        told = section(results)
        if told is not None:
            show_told(told)


def show_told(told: Told) -> None:
    """The title, what is asked, the sentences and the table of one section."""
    head(told.title)
    say(told.asks, "dim")
    for sentence in told.sentences:
        say(sentence)
    rows = sum(len(group.rows) for group in told.groups)
    widths = [max(len(row[key]) for group in told.groups for row in group.rows) for key in told.headers]
    for group in told.groups if rows <= MOST_ROWS else told.groups[-1:]:
        console.print(_table(told, group, widths))


def _table(told: Told, group: Rows, widths: list[int]) -> Table:
    """The rows under one heading, in columns as wide as those of the others."""
    first, *others = ("\n".join(wrap(head, MOST_LETTERS)) for head in told.headers.values())
    made = table(first, *others, right=others)
    made.title, made.title_justify = (f"[bold]{escape(group.title)}[/]" if group.title else None), "left"
    for column, width in zip(made.columns, widths, strict=True):
        column.min_width = min(width, MOST_WIDE)
    for row in group.rows:
        made.add_row(*(escape(row[key]) for key in told.headers))
    return made
