"""The console that every command prints on, and how text and tables are set on it. Computes nothing.

Whatever is printed on it can only be read: no text is markup, and what would control the terminal is written as its
escape (`ablation.core.safe`), here, so that no command can forget it. Style comes by rich's `Text` alone.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ablation.cli.messages import columns_of, print_message, spelled
from ablation.core.safe import json_text, one_line, terminal
from ablation.core.text import plain, tied
from ablation.data.contents import left_out_words

PIPE_WIDTH = 120
"""Columns of a file or a pipe, which have none of their own."""


def shown(text: str) -> str:
    """Return the text with the escapes of what is not seen in it, in characters that the output has."""
    return spelled(terminal(text))


class Terminal(Console):
    """A console on which text controls nothing, whoever gave it: only rich's own segments of control do."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"markup": False, "highlight": False, "emoji": False, **settings})
        self._width, self._height = settings.get("width"), settings.get("height")  # rich keeps COLUMNS, of a pipe too

    @property
    def size(self) -> ConsoleDimensions:
        """The columns and lines, asked anew whenever something is printed: of a dumb terminal, too."""
        columns = columns_of(self.file) or PIPE_WIDTH
        return ConsoleDimensions(self._width or columns, self._height or shutil.get_terminal_size().lines)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return the text with the escapes of what is not seen in it, before it is measured and laid out."""
        return super().render_str(shown(text), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what rich makes of it, each text with the escapes of what is not seen in it."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(terminal(segment.text), segment.style)


class PlainTable(Table):
    """A table whose cells are a line each: a name cannot begin another row, nor be wider than it was measured."""

    def add_column(self, header: RenderableType = "", *more: Any, **settings: Any) -> None:
        """Add a column; its heading is a text as well."""
        super().add_column(as_line(header) if isinstance(header, str | Text) else header, *more, **settings)

    def add_row(self, *cells: RenderableType | None, **settings: Any) -> None:
        """Add a row of texts."""
        super().add_row(*(as_line(cell) if isinstance(cell, str | Text) else cell for cell in cells), **settings)


console = Terminal()
ASCII_LINES = box.Box(str(box.SIMPLE_HEAD).replace("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "-"), ascii=True)


def lines() -> box.Box:
    """Return the lines of a table: one below the heading, of minus signs where the output cannot show another."""
    return box.SIMPLE_HEAD if console.encoding.startswith("utf") else ASCII_LINES


def as_line(text: str | Text) -> Text:
    """Return a text on one line, with the escapes of what is not seen in it; styles stay where they are."""
    if isinstance(text, str):
        return Text(line(text))
    safe = line(text.plain)
    if safe == text.plain:
        return text
    parts = text.render(console, end="")
    return Text.assemble(*((line(part.text), part.style or "") for part in parts), justify=text.justify)


def line(text: str) -> str:
    """Return the same of a text alone."""
    return spelled(one_line(text))


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table with these columns, of which `right` are set to the right and never broken over lines."""
    made = PlainTable(box=lines(), pad_edge=False, header_style="bold")
    for column in columns:
        number = column in right
        made.add_column(column, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return made


def say(text: str, style: str = "", bullet: str = "") -> None:
    """Print a paragraph, broken to the console's width. Not by rich, which ends a line between '95' and '%' too."""
    wrapped = textwrap.wrap(
        tied(shown(plain(text))),
        console.width,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
    )
    for each in wrapped:
        console.print(Text(each.replace("\u00a0", " "), style), soft_wrap=True)


def say_line(text: str | Text, style: str = "") -> None:
    """Print a line, as with a path, that a terminal breaks to its width and a pipe passes on whole."""
    styled = text if isinstance(text, Text) else Text(plain(text), style)
    console.print(as_line(styled), soft_wrap=not console.is_terminal)


def height(show: Callable[[], None]) -> int:
    """Return how many lines something would print."""
    with console.capture() as printed:
        show()
    return printed.get().count("\n")


def say_json(item: object) -> None:
    """Print an item as JSON, on one line, for a program."""
    shows_all = (sys.stdout.encoding or "").lower().startswith("utf")
    click.echo(json_text(item) if shows_all else json.dumps(item, allow_nan=False))


def head(title: str) -> None:
    """Print the heading of a section, set apart from what is above."""
    console.print()
    say(title, "bold")


def warn(text: str) -> None:
    """Print a warning on standard error."""
    print_message("warning", plain(text), "yellow")


def show_left_out(count: int) -> None:
    """Print, below a table, how many files `SkipBad` left out; nothing for none."""
    if count:
        say(left_out_words(count), "yellow")
