"""Failpoints: every operation by which a process changes a file may be its last, or fail. A shim for child processes.

`install` wraps Python's own functions (open for writing and what is written through it, fsync, rename, unlink, mkdir);
the program under test knows nothing of it. A point is named `PROCESS KIND FILE NUMBER`: the process (command or
worker), the kind of operation, the file, and how often that was done to the file in the life of the process.

From the environment: FAILPOINT_ROOT, the folder whose files count; FAILPOINT_LOG, a file to which each point is
appended; FAILPOINT_AT and FAILPOINT_DOES, what happens at one of them:

    kill    SIGKILL before the operation
    torn    half of what is to be written is written, then SIGKILL
    power   all processes are killed, and what was not flushed to the disk is lost: files end where they did then
    short   half of what is to be written is written, as the kernel may do; once
    EIO     the operation fails with that error, once
    ENOSPC  the disk is full: this operation and all that need room fail, in all processes, as long as `FULL` is there
"""

import builtins
import errno
import io
import os
import re
import signal
import threading
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

FULL = ".disk-is-full"
"""A file in the root's parent that exists while the disk is full."""

WRITING = re.compile(r"[wax+]")
PASSED_OVER = re.compile(r"worker-\d+\.log|.*\.lock|lock")
"""Files that hold no results: what a worker printed, and the kernel's locks."""

BUFFER = 1 << 16
"""Bytes of a file's buffer: more than Python has, so that a megabyte passes sixteen points and not hundreds."""

_open, _replace, _rename, _unlink = builtins.open, os.replace, os.rename, os.unlink
_fsync, _mkdir, _rmdir, _kill, _truncate = os.fsync, os.mkdir, os.rmdir, os.kill, os.truncate


class Points:
    """The points of one process, and what happens at one of them."""

    def __init__(self, process: str, settings: dict[str, str]):
        self.process, self.root = process, Path(settings["FAILPOINT_ROOT"])
        self.at, self.does = settings.get("FAILPOINT_AT"), settings.get("FAILPOINT_DOES", "kill")
        self.full = self.root.parent / (self.root.name + FULL)
        log = settings.get("FAILPOINT_LOG")
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else None
        self.counts: Counter[tuple[str, str]] = Counter()
        self.flushed: dict[str, int] = {}
        """Of each file that this process wrote to, how much of it is on the disk for certain."""
        self.lock = threading.Lock()

    def watched(self, path: object) -> str | None:
        """The file's name for a point; None where it does not count."""
        if not isinstance(path, str | os.PathLike):
            return None
        absolute = os.path.abspath(os.fspath(path))
        if not isinstance(absolute, str) or not absolute.startswith(f"{self.root}{os.sep}"):
            return None
        if PASSED_OVER.fullmatch(os.path.basename(absolute)):
            return None
        return re.sub(r"\.\d+-[0-9a-f]+\.tmp$", ".PID.tmp", os.path.relpath(absolute, self.root)).replace(" ", "_")

    def passed(self, kind: str, file: str | None) -> str | None:
        """Count one operation; what is to happen at it: None as a rule, else an action."""
        if file is None:
            return None
        with self.lock:
            self.counts[kind, file] += 1
            point = f"{self.process} {kind} {file} {self.counts[kind, file]}"
        if self.log is not None:
            os.write(self.log, f"{point}\n".encode())
        if point == self.at:
            if self.does == "kill":
                _kill(os.getpid(), signal.SIGKILL)
            if self.does == "power":
                self.cut_power()
            if self.does == "ENOSPC":
                _open(self.full, "w").close()
            return self.does
        return "ENOSPC" if self.full.exists() else None

    def cut_power(self) -> None:
        """Lose what was not flushed, and end this process and its children, or its parent."""
        others = [os.getppid()] if self.process == "worker" else children_of(os.getpid())
        for other in others:
            with suppress(ProcessLookupError):
                _kill(other, signal.SIGKILL)
        for path, size in self.flushed.items():
            with suppress(FileNotFoundError):
                _truncate(path, min(size, os.path.getsize(path)))
        _kill(os.getpid(), signal.SIGKILL)

    def act(self, kind: str, file: str | None, path: object, needs_room: bool = True) -> None:
        """Count one operation that writes no content; raise what is to be raised at it."""
        action = self.passed(kind, file)
        if action == "EIO" or (action == "ENOSPC" and needs_room):
            raise _error(action, path)


def children_of(parent: int) -> list[int]:
    """The processes whose parent is `parent`, as the kernel tells."""
    found: list[int] = []
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread, or all of it, that has just ended
            found += [int(child) for child in listed.read_text().split()]
    return found


class Raw(io.FileIO):
    """A file as the kernel has it: each `write` is one of its writes."""

    def __init__(self, points: Points, path: object, mode: str):
        self.points, self.watched = points, points.watched(path)
        super().__init__(path, mode)

    def write(self, content) -> int:
        action = self.points.passed("write", self.watched)
        if action in ("EIO", "ENOSPC"):
            raise _error(action)  # the kernel names no file here
        view = memoryview(content).cast("B")
        if action not in ("torn", "short"):
            return super().write(view)
        written = super().write(view[: len(view) // 2])
        if action == "torn":
            _kill(os.getpid(), signal.SIGKILL)
        return written or super().write(view)

    def truncate(self, size=None) -> int:
        self.points.act("truncate", self.watched, None, needs_room=False)
        return super().truncate(size)


def _error(action: str, path: object = None) -> OSError:
    number = getattr(errno, action)
    return OSError(number, os.strerror(number), *([str(path)] if path is not None else []))


def install(process: str, settings: dict[str, str]) -> None:
    """Wrap the functions that change files in this process."""
    points = Points(process, settings)
    builtins.open = io.open = partial(_opened, points)
    os.fsync = partial(_synced, points)
    os.replace, os.rename = partial(_renamed, points, _replace), partial(_renamed, points, _rename)
    os.unlink = os.remove = partial(_changed, points, "unlink", _unlink)
    os.rmdir = partial(_changed, points, "rmdir", _rmdir)
    os.mkdir = partial(_changed, points, "mkdir", _mkdir)


def _opened(points, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    name = points.watched(file)
    if name is None or not WRITING.search(mode):
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    points.act("open", name, file, needs_room=not os.path.exists(file))
    size = os.path.getsize(file) if os.path.exists(file) and "w" not in mode else 0
    points.flushed.setdefault(os.path.abspath(file), size)
    raw = Raw(points, file, mode.replace("b", "").replace("t", ""))
    if buffering == 0:
        return raw
    kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
    buffered = kind(raw, buffering if buffering > 1 else BUFFER)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def _synced(points, descriptor):
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    path = os.readlink(f"/proc/self/fd/{number}")
    points.act("fsync", points.watched(path), None, needs_room=False)
    _fsync(descriptor)
    if path in points.flushed:
        points.flushed[path] = os.path.getsize(path)


def _renamed(points, function, source, target, **options):
    points.act("rename", points.watched(target), target, needs_room=False)
    function(source, target, **options)
    if (size := points.flushed.pop(os.path.abspath(source), None)) is not None:
        points.flushed[os.path.abspath(target)] = size


def _changed(points, kind, function, path, *others, **options):
    if options.get("dir_fd") is None:
        points.act(kind, points.watched(path), path, needs_room=kind == "mkdir")
    return function(path, *others, **options)
