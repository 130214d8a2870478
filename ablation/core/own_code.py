"""Which line of a person's own file an error came through, among those of libraries and of this package."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("platlib", "purelib", "stdlib"))
"""Installed ones first: their folder is within Python's own."""


def own_line(error: BaseException) -> str:
    """Return the innermost line of a person's own code that an error came through, as " (line 7 of ops.py)", or ''.

    >>> own_line(ValueError("raised by nobody"))
    ''
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_own_file(frame.filename):
            return f" (line {frame.lineno} of {shown(frame.filename)})"
    return ""


def any_line(error: BaseException) -> str:
    """Return the same; where there is none that of what the error was raised from, or else the line that raised it.

    >>> any_line(ValueError("raised by nobody"))
    ''
    """
    own = next(filter(None, map(own_line, chain(error))), "")
    frames = traceback.extract_tb(error.__traceback__)
    return own or (f" (line {frames[-1].lineno} of {shown(frames[-1].filename)})" if frames else "")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that it was raised from or while handling."""
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def shown(file: str) -> str:
    """Return a file of code as people find it: from the working directory, or that of libraries; else its whole path.

    >>> shown(traceback.__file__), shown(str(Path.cwd() / "experiments" / "ops.py"))
    ('traceback.py', 'experiments/ops.py')
    """
    for folder in (Path.cwd(), *_LIBRARIES, Path(__file__).parents[2]):
        if Path(file).is_relative_to(folder):
            return Path(file).relative_to(folder).as_posix()
    return file


def is_own_file(file: str) -> bool:
    """Return whether a file of code is neither Python's, nor an installed library's, nor of this package.

    >>> is_own_file("experiments/ops.py"), is_own_file("<string>"), is_own_file(traceback.__file__)
    (True, False, False)
    """
    return not file.startswith("<") and not any(Path(file).is_relative_to(folder) for folder in _others())


@cache
def _others() -> tuple[Path, ...]:
    return (*_LIBRARIES, Path(__file__).parents[1])
