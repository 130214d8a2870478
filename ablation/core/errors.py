"""Errors for people: every problem at once, each with where it is, the value, and what is allowed.

By who has to act: `InputError` (the command or the experiment file), `DataError` (the photographs or their list),
`HeldError` (whoever holds what is needed) and `TryAgainError` (nobody here: a full disk, a server that is away). The
exit status of a command is that of the error, see `EXITS`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

EXITS = {
    0: "all is done",
    1: "some runs failed, or something that was read back is not as it was written",
    2: "a mistake in the command or the experiment file",
    3: "a mistake in the data",
    4: "another process holds what is needed",
    75: "try again: the disk is full, or a server is away",
    130: "stopped by Ctrl-C; the same command goes on",
    143: "ended by SIGTERM; the same command goes on",
}
"""Exit status of a command -> what it means."""


@dataclass(frozen=True)
class Problem:
    """One mistake: `message` says what it is and what is allowed, `where` is a file and line, or a field."""

    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class AblationError(ValueError):
    """Something a person can mend; `problems` holds every problem."""

    exit_code = 1

    def __init__(self, problems: str | Problem | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InputError(AblationError):
    """A mistake in a command or an experiment file. As an exit status of a command it is 2.

    >>> from ablation import SGD
    >>> try:
    ...     SGD(lr=-1, nesterov=1)
    ... except InputError as error:
    ...     print(*error.problems, sep="; ")
    SGD: lr = -1: must be above 0; SGD: nesterov = 1: expected True or False
    """

    exit_code = 2


class DataError(AblationError):
    """A mistake in the data: a missing file, an unreadable image, a class too small to split. Its exit status is 3.

    >>> from ablation import ImageFolder
    >>> try:
    ...     ImageFolder("no/such/folder").samples()
    ... except DataError as error:
    ...     print(error.problems[0].message)
    there is no folder 'no/such/folder' (...)
    """

    exit_code = 3


class HeldError(AblationError):
    """Another process holds what is needed, and waiting was not wanted. Its exit status is 4.

    >>> from ablation import sweep
    >>> try:
    ...     runs = sweep(experiment, join=False)
    ... except HeldError as error:
    ...     print(error.problems[0].message)
    """

    exit_code = 4


class TryAgainError(AblationError):
    """What may be over in a while: a full disk, a server that is away. Its exit status is 75, as in sysexits.h.

    >>> from ablation import sweep
    >>> try:
    ...     runs = sweep(experiment)
    ... except TryAgainError as error:
    ...     print("make room, and give the same call again:", error)
    """

    exit_code = 75


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a command ends as by Ctrl-C, with exit status 143. Raised in the main thread alone, by `cli`."""


def did_you_mean(got: str, allowed: Iterable[str]) -> str:
    """Return the end of a sentence that suggests an allowed name, or '' where nothing comes close.

    >>> did_you_mean("adamm", ["adam", "sgd"]), did_you_mean("lion", ["adam", "sgd"])
    ("; did you mean 'adam'?", '')
    """
    folded = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(got.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def reason_of(error: Exception) -> str:
    """Return in one line the problems of an error of ours, or the class and the first line of any other.

    >>> reason_of(InputError("lr = -1: must be above 0")), reason_of(KeyError("lr"))
    ('lr = -1: must be above 0', "KeyError: 'lr'")
    """
    if isinstance(error, AblationError):
        return "; ".join(problem.message for problem in error.problems)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def attempt(what: str, compute: Callable[[], T], instead: T, note: Callable[[str], None]) -> T:
    """Return what `compute` does; where it raises anything, `instead`, and `note` is given a line on `what` and why.

    For what only accompanies a result, as captions, costs, estimates and progress do: it may never cost a run or a
    plan, whatever goes wrong there. A result itself is never computed so.

    >>> attempt("the cost of a run", lambda: 1 / 0, None, print)
    the cost of a run: not known (ZeroDivisionError: division by zero)
    """
    try:
        return compute()
    except Exception as error:
        note(f"{what}: not known ({reason_of(error)})")
        return instead
