"""What a worker's log may grow to: of a longer one the beginning and the end are kept."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MOST = 10_000_000
"""Bytes of a log at most, but for what is printed in the second until that is looked at."""

HEAD, TAIL = 1_000_000, 4_000_000
"""Bytes of its beginning and of its end that are kept of one that is longer."""


def shorten(log: Path, most: int = MOST, head: int = HEAD, tail: int = TAIL) -> None:
    """Take the middle out of a log that is longer than `most` bytes, in place, as others go on appending to it.

    What they print at this very moment may be lost. Nothing is done where there is no such file.
    """
    with suppress(OSError), log.open("r+b") as file:
        size = file.seek(0, 2)
        if size <= most:
            return
        file.seek(0)
        begin = file.read(head)
        begin = begin[: begin.rfind(b"\n") + 1 or head]
        file.seek(size - tail)
        end = file.read(tail)
        end = end[end.find(b"\n") + 1 :]
        file.truncate(len(begin))
        file.seek(len(begin))
        file.write(
            b"--- %d bytes were taken out here, as the log had become too long\n" % (size - len(begin) - len(end))
        )
        file.write(end)
