"""Errors and warnings on standard error: broken at words to the terminal's width, in colour where it is wanted.

Loads click alone, as every command does; `ablation.cli.console` prints all that is no error.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import IO

import click

from ablation.core.safe import message_lines
from ablation.core.text import to_ascii


def columns_of(stream: IO[str]) -> int | None:
    """Return the columns of the terminal that a stream writes to; None for a file or a pipe, which have none."""
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # no file behind it, as in a test
        return shutil.get_terminal_size().columns


def broken(text: str, columns: int | None, begun: int = 0) -> list[str]:
    """Return the lines of a text at that width, set in from the second on; a word that is longer, as a path, is whole.

    begun: columns of the first line that are taken already.

    >>> broken("the file is not there", 12)
    ['the file is', '  not there']
    """
    if columns is None:
        return text.split("\n")
    found: list[str] = []
    for number, line in enumerate(text.split("\n")):
        indent = line[: len(line) - len(line.lstrip())]
        found += textwrap.wrap(
            line.strip(),
            columns,
            initial_indent=indent if number or not begun else "#" * begun,
            subsequent_indent=indent or "  ",
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return [found[0][begun:], *found[1:]]


def message(kind: str, text: str) -> list[str]:
    """Return the lines of an error or a warning, as standard error can show them."""
    return broken(f"{kind}: {message_lines(text)}", columns_of(sys.stderr))


def print_message(kind: str, text: str, colour: str) -> None:
    """Print an error or a warning on standard error."""
    click.secho("\n".join(message(kind, text)), sys.stderr, fg=colour if colours() else None)


def colours() -> bool:
    """Is colour wanted? Not with NO_COLOR (https://no-color.org), nor on a terminal that has none."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def spelled(text: str) -> str:
    """Return the text as standard output can show it, each character that it cannot show by its like in ASCII.

    Before it is laid out: a like may be wider ('±' is '+-').
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(one if _shows(one, encoding) else to_ascii(one) for one in text)
    return text


def _shows(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
