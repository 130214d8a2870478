"""Files that survive a kill: written whole or not at all, and a journal that tolerates a torn tail.

Knows nothing of experiments. A file is written under a temporary name in its own folder, flushed to disk, then
renamed over the old one; a journal is only ever appended to, a checksummed line at a time.
"""

from __future__ import annotations

import errno
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class Damaged(Exception):
    """A file does not hold what was written to it."""


@contextmanager
def undamaged() -> Iterator[None]:
    """Turn what is raised in the block, which does nothing but read a file, into Damaged: its content is to blame.

    What the machine is to blame for passes: no such file, no permission, no memory, a disk that fails.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # one byte turned, numpy raises any of a dozen: BadZipFile, TokenError, TypeError, ...
        of_file = (errno.EINVAL, errno.EISDIR)  # a damaged zip seeks before its start; a folder is no file
        if isinstance(error, OSError) and error.errno not in of_file:
            raise
        raise Damaged(str(error)) from error


@contextmanager
def atomic(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open `path` for writing so that readers see the old file or the whole new one, whatever happens between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_unfinished(path: Path) -> None:
    """Remove what a kill in the middle of `atomic(path)` left, for a file that nobody else is writing."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the folder's own entries, so that a rename in it outlives a power cut (where the system lets us)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def json_bytes(content: Any) -> bytes:
    """Return `content` as readable JSON. NaN and infinity are refused: they are not JSON."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with atomic(path) as file:
        file.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole."""
    write_bytes(path, json_bytes(content))


class Journal:
    """An append-only file of events, a line each: CRC-32 of the JSON, a space, the JSON.

    A kill may tear the last line; readers pass it over, and it is cut off before anything is appended.

    >>> journal = Journal(Path("journal.jsonl"))
    >>> journal.append("epoch", epoch=1, val_loss=0.7)  # doctest: +SKIP
    {'event': 'epoch', 'time': 1790000000.0, 'epoch': 1, 'val_loss': 0.7}
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time):
        self.path, self.clock = path, clock

    def events(self) -> list[dict[str, Any]]:
        """Return every whole event, oldest first; [] where there is no journal. A damaged line costs only itself."""
        parts = [line.partition(b" ") for line in self._lines().split(b"\n")]
        return [json.loads(text) for checksum, _, text in parts if checksum == b"%08x" % zlib.crc32(text)]

    def _lines(self) -> bytes:
        """Return what was written up to the last line's end."""
        content = self.path.read_bytes() if self.path.exists() else b""
        return content[: content.rfind(b"\n") + 1]

    def append(self, event: str, **content: Any) -> dict[str, Any]:
        """Write one event with the time of day, flushed to disk with all those before it; return it."""
        entry = self.note(event, **content)
        self.flush()
        return entry

    def note(self, event: str, **content: Any) -> dict[str, Any]:
        """Write one event, and leave to the system when it reaches the disk: a kill loses nothing, a power cut may."""
        entry = {"event": event, "time": round(self.clock(), 3), **content}
        text = json.dumps(entry, ensure_ascii=False).encode()
        size = len(self._lines())
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.truncate(size)
            file.seek(size)
            file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        return entry

    def flush(self) -> None:
        """Wait until what was written is on the disk."""
        with open(self.path, "r+b") as file:
            os.fsync(file.fileno())
