"""Any section of the report on a terminal, whatever its width. Knows no section by name.

No line is wider than the terminal, and nothing is cut. A table that is too wide first breaks its columns of words over
lines, then loses columns, never those that it must keep (`Table.keep`), and says which. Where even these do not fit,
each row is set in two lines: its name with the verdict, and under it the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

from ablation.cli.console import PlainTable, console, head, line, lines, say
from ablation.core.text import counted, listing, named, opening, plain
from ablation.report.section import Rows, Section, Table

MOST_ROWS = 60
"""Of a table on the terminal; of more only the pooled rows are shown, and where the rest is."""

GAP = 2
"""Columns of the terminal between two columns of a table."""

NARROW = 16
"""So many columns of the terminal a column of words keeps before other columns are left out."""

VERDICT_STYLE = {
    "better": "bold green",
    "worse": "bold red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "baseline": "dim",
}


def show_section(section: Section, every: bool = False, figures: bool = False) -> None:
    """Print the title, the question, the answer and the tables.

    every: also the tables of details, and all rows. figures: also what the report draws here, in words.
    """
    head(section.title)
    if section.question:
        say(section.question, "dim")
    for sentence in section.answer:
        say(sentence, bullet="• " if len(section.answer) > 1 else "")
    for table in section.tables:
        if every or not table.folded:
            show_table(table, None if every else MOST_ROWS)
    if figures:
        for figure in section.figures:
            say(f"In the report: {figure.alt}. {figure.caption}", "dim")
    for note in section.caution:
        say(note, "yellow")


def show_table(table: Table, most: int | None = None, elsewhere: str = "", spaced: bool = True) -> None:
    """Print a table, all groups with columns of the same width; under it what was left out, rows' notes, the caption.

    most: rows; of more the pooled ones are shown, where there are any. elsewhere: what else has all columns. spaced: is
    there an empty line below the rows?
    """
    table = _without_marks(table)
    groups = [group for group in table.groups if group.rows]
    pooled = [group for group in groups if group.pooled]
    if pooled and most is not None and sum(len(group.rows) for group in groups) > most:
        say(f"{counted(len(groups) - len(pooled), 'condition')} more with --all, and in the report", "dim")
        groups = pooled
    if not groups:
        return
    rows = [row for group in groups for row in group.rows]
    widths = fitting(table, rows, console.width)
    for group in groups:
        console.print()
        if group.title:
            say(group.title, "bold")
        _show_rows(table, group, widths) if widths else _show_in_two_lines(table, group)
    if spaced:
        console.print()
    say(_left_out(table, widths, elsewhere), "dim")
    for note, names in _notes(table, rows).items():
        say(f"{opening(note)} ({listing(map(named, names))}).", "yellow")
    if table.caption:
        say(table.caption, "dim")


def _left_out(table: Table, widths: Mapping[str, int], elsewhere: str) -> str:
    """'left out at this width: p, F1; see a wider terminal'; '' where every column is shown."""
    shown = widths or _two_lines(table)
    without = [_heading(table, key) for key in table.headers if key not in shown]
    at = f"a wider terminal or {elsewhere}" if elsewhere else "a wider terminal"
    return f"left out at this width: {', '.join(without)}; see {at}" if without else ""


def _two_lines(table: Table) -> list[str]:
    """The columns that are shown where a row takes two lines: those to keep, or every one where that is not said."""
    return [
        key for key in table.headers if key in {*(table.keep or table.headers), next(iter(table.headers)), "verdict"}
    ]


def _without_marks(table: Table) -> Table:
    """The table with the names in its headings, titles and cells in quotes, as everything else on a terminal."""
    groups = tuple(
        replace(group, title=plain(group.title), rows=tuple(map(_plain, group.rows))) for group in table.groups
    )
    return replace(table, headers=_plain(table.headers), short=_plain(table.short), groups=groups)


def _plain(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: line(plain(text)) for key, text in texts.items()}


def fitting(table: Table, rows: Sequence[Mapping[str, str]], room: int) -> dict[str, int]:
    """The columns that fit into `room`, in order, with the width of each; none where those to be kept do not fit.

    Columns of words are broken over lines before others are left out, the names of rows only after that.
    """
    natural = {key: _width(table, rows, key) for key in table.headers}
    first = next(iter(natural))
    least = natural | {
        key: max(_longest_word(rows, key), min(natural[key], NARROW))
        for key in natural
        if key != first and _is_words(table, key)
    }
    from_the_right = [key for key in reversed(natural) if key not in table.spare]
    leaving = [key for key in (*table.spare, *from_the_right) if key in natural and key not in (first, *table.keep)]
    columns = list(natural)
    while leaving and _over(least, columns, room) > 0:
        columns.remove(leaving.pop(0))
    if _over(least, columns, room) > 0:
        least[first] = _longest_word(rows, first)
    free = -_over(least, columns, room)
    if free < 0:
        return {}
    widths = {}
    for key in columns:  # what is free goes to those that are broken, from the left
        more = min(free, natural[key] - least[key])
        widths[key], free = least[key] + more, free - more
    return widths


def _over(widths: Mapping[str, int], columns: Sequence[str], room: int) -> int:
    """By how much these columns are wider than the room."""
    return sum(widths[key] for key in columns) + GAP * (len(columns) - 1) - room


def _width(table: Table, rows: Sequence[Mapping[str, str]], key: str) -> int:
    """Of a column's widest cell, or of the longest word of its heading; 'a' and 'for' stay with what follows."""
    words = re.findall(r"(?:\b(?:[a-z]{1,2}|for) )*\S+", _heading(table, key))
    return max(cell_len(text) for text in [*(row.get(key, "") for row in rows), *words, ""])


def _longest_word(rows: Sequence[Mapping[str, str]], key: str) -> int:
    return max((cell_len(word) for row in rows for word in row.get(key, "").split()), default=0)


def _heading(table: Table, key: str) -> str:
    return table.short.get(key, table.headers[key])


def _is_words(table: Table, key: str) -> bool:
    return key in (next(iter(table.headers)), "verdict", *table.words)


def _cell(row: Mapping[str, str], key: str) -> Text:
    text = row.get(key, "")
    return Text(text, VERDICT_STYLE.get(text, "") if key == "verdict" else "")


def _show_rows(table: Table, group: Rows, widths: Mapping[str, int]) -> None:
    grid = PlainTable(box=lines(), show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    grid.show_header = any(_heading(table, key) for key in widths)
    for key, width in widths.items():
        grid.add_column(_heading(table, key), justify="left" if _is_words(table, key) else "right", width=width)
    for row in group.rows:
        grid.add_row(*(_cell(row, key) for key in widths))
    console.print(grid)


def _show_in_two_lines(table: Table, group: Rows) -> None:
    """The name of each row with its verdict; under it the others of `_two_lines`."""
    first = next(iter(table.headers))
    keys = [key for key in _two_lines(table) if key not in (first, "verdict")]
    for row in group.rows:
        name = [_cell(row, first), *([_cell(row, "verdict")] if "verdict" in table.headers else [])]
        console.print(Text("  ").join(name))
        numbers = "; ".join(f"{_heading(table, key)} {row.get(key, '')}".strip() for key in keys)
        console.print(Padding(Text(numbers), (0, 0, 0, GAP)))


def _notes(table: Table, rows: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """What is peculiar about rows -> the rows' names (a cell "name", else that of the first column), each once."""
    first, notes = next(iter(table.headers)), dict[str, dict[str, None]]()
    for row in rows:
        if row.get("note"):
            notes.setdefault(row["note"], {})[row.get("name", row[first])] = None
    return {note: list(names) for note, names in notes.items()}
