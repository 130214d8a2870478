"""Where a child stood: on a signal, or when it crashes, it writes the Python stacks of all its threads into its log.

That is done in C, so that it works while the child waits in a library's native code.
"""

from __future__ import annotations

import faulthandler
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from ablation.core.own_code import is_own_file, shown

SECONDS = 1.0
"""A child has so long to write its stacks; one that the system has stopped never does."""

LOOK = 0.05
"""Seconds between two looks at whether it has."""

_THREAD = re.compile(r"^(?:Current thread|Thread) 0x.*$", re.M)
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in ', re.M)


def enable() -> None:
    """In the child: write stacks to stderr, wherever that goes by then."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def dump(process: subprocess.Popen[str], log: Path) -> None:
    """In the parent: have a child write its stacks into this log, and wait until it has."""
    with suppress(OSError):
        before = size = log.stat().st_size
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            time.sleep(LOOK)
            last, size = size, log.stat().st_size
            if before < size == last:
                return


def own_line_in(text: str) -> str:
    """Return the innermost line of a person's own code in the stacks that a log has, as "line 7 of ops.py", or ''.

    The main thread comes first, which is the last one in the log.
    """
    for stack in reversed(_THREAD.split(text)[1:]):
        for file, line in _FRAME.findall(stack):
            if is_own_file(file):
                return f"line {line} of {shown(file)}"
    return ""
