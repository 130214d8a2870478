"""What a person is told when something is wrong: every problem at once, each with place, value, what is allowed.

Two kinds, by who has to act: `InputError` (the command or the experiment file, exit code 2) and `DataError`
(the photographs or their list, exit code 3).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """One mistake: `message` says what it is and what is allowed, `where` is a file and line, or a field."""

    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class AblationError(ValueError):
    """Something a person can mend; `problems` holds every one that was found."""

    exit_code = 1

    def __init__(self, problems: str | Problem | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InputError(AblationError):
    """A mistake in a command or an experiment file."""

    exit_code = 2


class DataError(AblationError):
    """A mistake in the data: a missing file, an unreadable image, a class too small to split."""

    exit_code = 3


def did_you_mean(got: str, allowed: Iterable[str]) -> str:
    """A closing half sentence, '; did you mean 'x'?', or '' where nothing comes close."""
    folded = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(got.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def reason_of(error: Exception) -> str:
    """In one line: what a person is told anyway, or of any other exception its class and what it says."""
    if isinstance(error, AblationError):
        return "; ".join(problem.message for problem in error.problems)
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def attempt(what: str, compute: Callable[[], T], instead: T, note: Callable[[str], None]) -> T:
    """What `compute` returns; where it raises anything, `instead`, and `note` is given a line on `what` and why.

    For what only accompanies a result, as captions, costs, estimates and progress do: it may never cost a run or a
    plan, whatever goes wrong there. A result itself is never computed so.
    """
    try:
        return compute()
    except Exception as error:
        note(f"{what}: not known ({reason_of(error)})")
        return instead
