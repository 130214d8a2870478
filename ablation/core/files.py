"""Files that survive a kill: written whole or not at all, and a journal that tolerates a torn tail.

Knows nothing of experiments. A file is written under a temporary name in its own folder, flushed to disk, then
renamed over the old one; a journal is only ever appended to, a checksummed line at a time.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, NamedTuple

from filelock import FileLock, Timeout

from ablation.core.text import byte_size


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


def open_file(path: Path) -> BufferedReader:
    """Open a file for reading. Raises IsADirectoryError where a folder, a pipe or a device has its name.

    A pipe would be waited for without end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, "Is no file, but a folder, a pipe or a device", str(path))
    return os.fdopen(descriptor, "rb")


def read_file(path: Path) -> bytes:
    """Read a file whole. Raises as `open_file`."""
    with open_file(path) as file:
        return file.read()


_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS)
"""Errors of a disk, which the system raises without a name where they come from a file that is open already."""


@contextmanager
def _naming(path: Path, needed: int | None = None, temporary: Path | None = None) -> Iterator[None]:
    """Give an error of the disk in the block, which writes `path`, that file's name.

    needed: how many bytes are written in all, for `disk_full`; None: not known. temporary: the name of the file until
    it is whole, which nobody else knows.
    """
    try:
        yield
    except Exception as error:
        of_system = error if isinstance(error, OSError) else _behind(error)
        if of_system is None:
            raise
        nameless = of_system.filename is None and of_system.errno in _OF_THE_DISK
        if nameless or (temporary is not None and of_system.filename == str(temporary)):
            of_system.filename, of_system.filename2 = str(path), None
            of_system.needed = needed  # type: ignore[attr-defined]  # no class of ours: it is caught as an OSError
        if of_system is error:
            raise
        raise of_system from None


def _behind(error: BaseException) -> OSError | None:
    """The error of the disk that another one hides, as torch's RuntimeError does where it writes; None for none."""
    behind = error.__cause__ or error.__context__
    while behind is not None and not (isinstance(behind, OSError) and behind.errno in _OF_THE_DISK):
        behind = behind.__cause__ or behind.__context__
    return behind


def disk_full(error: OSError) -> str:
    """Say that the disk, or the quota on it, is full: where, what is free there, what was needed; '' for another error.

    >>> disk_full(OSError(errno.ENOSPC, "No space left on device", "runs/a/record.json"))
    'no space left in runs/a (... free)'
    """
    wrong = {errno.ENOSPC: "no space left", errno.EDQUOT: "the quota of disk space is used up"}.get(error.errno or 0)
    if wrong is None:
        return ""
    if not error.filename:
        return wrong
    folder = Path(os.fsdecode(error.filename)).parent
    facts = [f"{byte_size(free)} free"] if (free := _free(folder)) is not None else []
    if (needed := getattr(error, "needed", None)) is not None:
        facts.append(f"{byte_size(needed)} needed")
    return f"{wrong} in {folder} ({', '.join(facts)})" if facts else f"{wrong} in {folder}"


def _free(folder: Path) -> int | None:
    """Bytes that are free there, or in the nearest folder above it that is there."""
    for there in (folder, *folder.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(there).free
    return None


@contextmanager
def atomic(path: Path, mode: str = "wb", needed: int | None = None) -> Iterator[IO[Any]]:
    """Open `path` for writing so that readers see the old file or the whole new one, whatever happens between.

    An OSError of the disk names `path`. needed: how many bytes will be written, where that is known.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")  # containers share numbers
    with _naming(path, needed, temporary):
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
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode("utf-8", _HALVES)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with atomic(path, needed=len(content)) as file:
        file.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole."""
    write_bytes(path, json_bytes(content))


def is_locked(path: Path) -> bool:
    """Whether a process holds the kernel lock (`filelock.FileLock`) on this file. Nothing is written for that."""
    try:
        import fcntl
    except ImportError:  # Windows, where only whoever may write a file can see that it is locked
        return _is_locked_to_writers(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe of that name is not waited for
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look do not see one another
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):  # where no file can be locked, none is
            raise
    finally:
        os.close(descriptor)
    return False


def _is_locked_to_writers(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


def _is_any(event: dict[str, Any]) -> bool:
    return True


class Lines(NamedTuple):
    """What a journal holds. events: those of every whole line. lost: how many lines are not as they were written."""

    events: list[dict[str, Any]]
    lost: int


class Journal:
    """An append-only file of events, a line each: CRC-32 of the JSON, a space, the JSON.

    A kill may tear the last line; readers pass it over, and it is cut off before anything is appended. fits: whether an
    event has what its readers take from it; a line with another one is damaged too.

    >>> journal = Journal(Path("journal.jsonl"))
    >>> journal.append("epoch", epoch=1, val_loss=0.7)  # doctest: +SKIP
    {'event': 'epoch', 'time': 1790000000.0, 'epoch': 1, 'val_loss': 0.7}
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        fits: Callable[[dict[str, Any]], bool] = _is_any,
    ):
        self.path, self.clock, self.fits = path, clock, fits

    def events(self) -> list[dict[str, Any]]:
        """Return every whole event, oldest first; [] where there is no journal. A damaged line costs only itself."""
        return self.read().events

    def read(self) -> Lines:
        """Return the events, and how many lines there are that hold none: no kill leaves such a line.

        Times never go back: where the clock was set back, an event has the time of the one before.
        """
        try:
            content = read_file(self.path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return Lines([], 0)
        *lines, tail = content.split(b"\n")
        events, now = [], -math.inf
        lost = int(_is_whole(tail[:-1]))  # a line whose end alone is another byte was not torn
        for line in filter(None, lines):
            event = self._event(line)
            if event is None:
                lost += 1
            else:
                now = event["time"] = max(now, event["time"])
                events.append(event)
        return Lines(events, lost)

    def _event(self, line: bytes) -> dict[str, Any] | None:
        """The event of a line; None where the line is not as an event was written."""
        if not _is_whole(line):
            return None
        try:
            event = json.loads(line.partition(b" ")[2])
        except (ValueError, RecursionError):
            return None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            return None
        if type(event.get("time")) not in (int, float) or not abs(event["time"]) < _LATEST:
            return None
        return event if self.fits(event) else None

    def append(self, event: str, **content: Any) -> dict[str, Any]:
        """Write one event with the time of day, flushed to disk with all those before it; return it."""
        entry = self.note(event, **content)
        self.flush()
        return entry

    def note(self, event: str, **content: Any) -> dict[str, Any]:
        """Write one event, and leave to the system when it reaches the disk: a kill loses nothing, a power cut may."""
        entry = {"event": event, "time": round(self.clock(), 3), **{name: _short(one) for name, one in content.items()}}
        text = json.dumps(entry, ensure_ascii=False).encode("utf-8", _HALVES)
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        with _naming(self.path, len(line)), open(self.path, "r+b" if self.path.exists() else "wb") as file:
            size = _end_of_lines(file)
            file.truncate(size)
            file.seek(size)
            file.write(line)
        return entry

    def flush(self) -> None:
        """Wait until what was written is on the disk."""
        with _naming(self.path), open(self.path, "r+b") as file:
            os.fsync(file.fileno())


_MOST = 20_000
"""Letters of a text in a journal, as of a traceback: one that quotes a picture would be read by every command."""

_HALVES = "backslashreplace"
"""What becomes of half a character, as of a file's name that is no UTF-8: in JSON it is the escape of just that."""


def _short(content: Any) -> Any:
    """A long text without its middle."""
    if not isinstance(content, str) or len(content) <= _MOST:
        return content
    left_out = len(content) - _MOST
    return f"{content[: _MOST // 2]} ... ({left_out:,} letters are left out) ... {content[-_MOST // 2 :]}"


_LATEST = 1e11
"""Seconds since 1970, in the year 5138: a time of day is none beyond that, and `time.gmtime` may fail."""


def _is_whole(line: bytes) -> bool:
    checksum, _, text = line.partition(b" ")
    return checksum == b"%08x" % zlib.crc32(text)


def _end_of_lines(file: IO[bytes]) -> int:
    """How many bytes there are up to the last line's end, read from the back: a journal of many epochs is long."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _AT_ONCE)
        file.seek(start)
        last = file.read(end - start).rfind(b"\n")
        if last >= 0:
            return start + last + 1
        end = start
    return 0


_AT_ONCE = 1 << 16
