"""Why a run failed: what it raised, or how its process ended, in a line for whoever has to do something about it."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from ablation.core.errors import AblationError, reason_of
from ablation.core.files import disk_full
from ablation.core.own_code import any_line, chain, own_line
from ablation.core.text import byte_size

Cause = Literal["error", "memory", "disk", "exit", "timeout", "killed", "terminated", "crash", "pipe"]

CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
"""Signals that a process earns by what it does itself, in native code."""

TERMINATED = 128 + signal.SIGTERM
"""Exit status of a worker that SIGTERM ended."""

_NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|ALLOC_FAILED", re.I
)

OOM_KILLS = ("/sys/fs/cgroup{group}/memory.events", "/sys/fs/cgroup/memory{group}/memory.oom_control")
"""Where the kernel counts the processes that it killed for memory in a control group: version 2, version 1."""


class Failure(NamedTuple):
    """cause: what sort of thing it was, for a program; reason: for people."""

    cause: Cause
    reason: str


MOST = 500
"""Letters of an exception's own words that are kept: some quote a whole picture."""


def failure_of(error: BaseException, device: str, folder: Path) -> Failure:
    """What an exception that ended a run says. device, folder: those of the run."""
    for one in chain(error):
        if isinstance(one, OSError) and disk_full(one):
            if one.filename is None:
                one.filename = str(folder / "...")  # most of what a run writes goes there
            return Failure("disk", disk_full(one))
    if isinstance(error, SystemExit):
        return Failure("exit", f"{_where(error)} ended the program by sys.exit({error.code!r}); raise an error there")
    if isinstance(error, Exception) and _is_memory(error):
        advice = "fewer workers (--jobs) leave it more; a smaller batch_size is another experiment"
        return Failure("memory", f"out of memory on {device} ({reason_of(error)}); {advice}")
    ours = isinstance(error, AblationError)  # says itself what is wrong
    return Failure("error", _words(error)[:MOST] + (own_line(error) if ours else any_line(error)))


def _words(error: BaseException) -> str:
    if isinstance(error, AblationError):
        return "; ".join(map(str, error.problems))
    return reason_of(error) if isinstance(error, Exception) else f"{type(error).__name__}: {error}".splitlines()[0]


def failure_at_end(status: int, peak: int | None, out_of_memory: bool) -> Failure:
    """What the end of a worker's process in the middle of a run says.

    status: as of `subprocess.Popen`. peak: bytes of memory that it had at most, where that is known. out_of_memory: has
    the kernel killed a process for memory meanwhile?
    """
    if status in (TERMINATED, -signal.SIGTERM):
        return Failure("terminated", "the worker was told to end by SIGTERM")
    if status >= 0:
        return Failure("exit", f"the worker ended with status {status}")
    name = _name_of(-status)
    had = f" (it had up to {byte_size(peak)})" if peak else ""
    if name == "SIGKILL" and out_of_memory:
        return Failure("memory", f"the system ran out of memory and killed the worker by SIGKILL{had}")
    if name == "SIGKILL":
        return Failure("killed", f"the worker was killed by SIGKILL, as by the system where memory runs out{had}")
    if name in CRASHES:
        return Failure("crash", f"the worker crashed in native code, as of an extension or a driver: {name}{had}")
    return Failure("killed", f"the worker was killed by {name}")


def oom_kills(counters: tuple[str, ...] = OOM_KILLS, root: Path = Path("/")) -> int | None:
    """How many processes the kernel has killed for memory, here or, where only that can be read, on the whole machine;
    None where nothing can be read."""
    groups = _groups(root)
    for counter in counters:
        for group in groups:
            if (count := _count(root / counter.format(group=group).lstrip("/"))) is not None:
                return count
    return _count(root / "proc/vmstat")


def _groups(root: Path) -> list[str]:
    """The control groups of this process that count memory; '' is what a container sees its own one as."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return [""]
    parts = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return [*(path.rstrip("/") for _, kinds, path in parts if kinds == "" or "memory" in kinds.split(",")), ""]


def _count(path: Path) -> int | None:
    try:
        pairs: Mapping[str, str] = dict(line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines())
        return int(pairs["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


def _is_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))


def _where(error: BaseException) -> str:
    """'line 12 of recipe.py', the line of a person's own code that it came through."""
    return any_line(error).strip(" ()") or "the run"


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
