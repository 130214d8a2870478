"""Ctrl-C and SIGTERM: what was done is kept, and the process is gone at once.

The first of them raises an exception in the main thread, so that what is open is closed and children are ended. Those
that follow while this goes on are one key press too many: they do not break it. Only one that comes later, as when
something does not end, ends the process there and then.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ablation.core.errors import Terminated

PATIENCE = {signal.SIGINT: 2.0, signal.SIGTERM: 15.0}
"""Seconds after the first signal from which on another of this kind ends the process at once. One that ends jobs may
send SIGTERM several times, and checkpoints take their time."""

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
"""The exit codes: 130 and 143."""


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of a command that this ended."""
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block SIGINT raises KeyboardInterrupt, and SIGTERM Terminated, in the main thread, once.

    When the block then ends by an exception, whichever came of it, the process is gone with the signal's exit code. A
    signal that is ignored (as in a shell's background), or handled by somebody else, is left so.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    ours = threading.current_thread() is threading.main_thread()
    before = {number: handler for number, handler in usual.items() if ours and signal.getsignal(number) is handler}
    handle = _Once()
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    except BaseException as error:
        if handle.first is not None and not (isinstance(error, SystemExit) and not error.code):
            _leave(exit_code(handle.first))
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Once:
    """A handler that raises at the first signal alone."""

    def __init__(self) -> None:
        self.first: KeyboardInterrupt | None = None
        self.came = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first, self.came = (
                (Terminated() if number == signal.SIGTERM else KeyboardInterrupt()),
                time.monotonic(),
            )
            raise self.first
        if time.monotonic() - self.came > PATIENCE[signal.Signals(number)]:
            os._exit(128 + number)


def _leave(code: int) -> None:
    """End the process now, with all that was printed and logged written out.

    Everything else was closed on the way here. What the interpreter would do at its end, with torch and MLflow loaded,
    takes seconds, and would wait for every thread.
    """
    if logging := sys.modules.get("logging"):
        with suppress(Exception):
            logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a reader that has gone away
            stream.flush()
    os._exit(code)
