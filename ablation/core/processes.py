"""Children: Python processes that end with the one that started them, and take along what they started in their group.

A child has a process group of its own, so Ctrl-C in a terminal is for its parent alone. It is tied to a pipe that
nobody writes to and whose only writing end is in its parent: when that is gone, however that came about, the kernel
kills the child's whole group, whatever the child is doing: importing a library, or waiting for a disk.

`prctl(PR_SET_PDEATHSIG)` would not do: it fires when the thread that started the child ends, and kills no grandchild.

This file is also the first that a child runs, before anything that takes time: it imports nothing but the library.
"""

from __future__ import annotations

import fcntl
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_REAPING = threading.Lock()
"""One thread at a time takes note of a child's end: another one would find no child, and no status either."""

DEATH = 10.0
"""Seconds that a killed process may take to be gone: one that waits for a disk that does not answer may never be."""


def start(module: str, *arguments: str, flags: Sequence[str] = (), **options: Any) -> subprocess.Popen[Any]:
    """Start `python -m MODULE ARGUMENTS`, which is killed with its group when this process ends.

    flags: of Python itself, beside -P. options: as of `subprocess.Popen`. Any thread may call this. The child finds the
    package that this module is in, even where only `sys.path` of this process has it. Raises OSError where no process
    can be started.
    """
    reading, writing = os.pipe()
    try:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, "-P", *flags, __file__, str(reading), module, *arguments],
            start_new_session=True,
            pass_fds=(reading,),
            **options,
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    weakref.finalize(process, os.close, writing)
    return process


def end(process: subprocess.Popen[Any], grace: float = 0.0) -> int:
    """End a child of `start` with its group; return its exit status. What it left behind when it died is ended as well.

    grace: seconds that they have after SIGTERM before SIGKILL. A child that the system itself cannot end within `DEATH`
    is left to it, and the status is that of SIGKILL. Its pipes are left open: whoever reads them closes them.
    """
    if grace:
        _send(process, signal.SIGTERM)
        await_exit(process, grace)
    _send(process, signal.SIGKILL)
    await_exit(process, DEATH)
    return -signal.SIGKILL if process.returncode is None else process.returncode


def await_exit(process: subprocess.Popen[Any], seconds: float) -> int | None:
    """Wait so long for a child's end; its `returncode` is None where it goes on. Any threads may wait for one child.

    Returns the most memory that it had, in bytes, which one of them learns. Linux counts from before the child's
    program was loaded: it is never less than what this process held then.
    """
    deadline, pause = time.monotonic() + seconds, 0.0005
    while True:
        with _REAPING:
            if process.returncode is not None:
                return None
            try:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            except ChildProcessError:  # a `poll` in another thread was first, or will have the status in an instant
                process.poll()
                ended = 0
            if ended:
                process.returncode = os.waitstatus_to_exitcode(status)
                return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
        if time.monotonic() >= deadline:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def _send(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses a group of which only a zombie is left
        os.killpg(process.pid, number)


@contextmanager
def ended_after(seconds: float, process: subprocess.Popen[Any]) -> Iterator[None]:
    """End a child whose block takes longer, so that what waits for its pipes in the block goes on: they are closed."""
    timer = threading.Timer(seconds, end, (process,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_with(pipe: int) -> None:
    """Tie the group of this process to the pipe with this descriptor: when its writing end is gone, all are killed."""
    if sys.platform == "linux":
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if _hung_up(pipe, 0):  # the parent ended before this
            os.killpg(0, signal.SIGKILL)
    else:
        threading.Thread(target=_await_end, args=(pipe,), daemon=True).start()


def _await_end(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)


def _hung_up(pipe: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(pipe, 0)
    return bool(poll.poll(milliseconds))


def main() -> None:
    """The child's first lines: `processes.py PIPE MODULE ARGUMENTS`."""
    end_with(int(sys.argv[1]))
    module = sys.argv[2]
    del sys.argv[1:3]
    sys.path.append(str(Path(__file__).parents[2]))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
