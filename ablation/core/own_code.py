"""Which line of a person's own file an error came through, among those of libraries and of this package."""

from __future__ import annotations

import sysconfig
import traceback
from functools import cache
from pathlib import Path


def own_line(error: BaseException) -> str:
    """Return the innermost line of a person's own code that an error came through, as " (line 7 of ops.py)", or ''.

    >>> own_line(ValueError("raised by nobody"))
    ''
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_own_file(frame.filename):
            return f" (line {frame.lineno} of {Path(frame.filename).name})"
    return ""


def is_own_file(file: str) -> bool:
    """Return whether a file of code is neither Python's, nor an installed library's, nor of this package.

    >>> is_own_file("experiments/ops.py"), is_own_file("<string>"), is_own_file(traceback.__file__)
    (True, False, False)
    """
    return not file.startswith("<") and not any(Path(file).is_relative_to(folder) for folder in _others())


@cache
def _others() -> tuple[Path, ...]:
    libraries = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib", "purelib")]
    return (*libraries, Path(__file__).parents[1])
