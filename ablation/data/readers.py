"""Readers: child processes that decode files and measure their traits. A file cannot take the program down with it.

A decoder fed a broken file may crash, hang, or ask for all memory there is. Each child reads one file at a time; the
parent waits for at most `TIME_LIMIT`, ends a child that does not answer, and goes on with a new one; memory is limited
by the system where it can be. A child ends with its parent (`core.processes`). Both ends of the pipe are here.
"""

from __future__ import annotations

import os
import queue
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from select import PIPE_BUF
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import IO, Any

import numpy as np

from ablation.core.processes import end, start
from ablation.data.decode import Undecodable
from ablation.data.traits import TRAITS, traits_of

TIME_LIMIT = 30.0
"""Seconds for one file. 100 million pixels take a few."""

MEMORY_LIMIT = 4 << 30
"""Bytes of address space of one child, on Linux: some ten times what the largest photograph takes."""

SIZE_LIMIT = 1 << 30
"""Bytes of one file: more than 100 million pixels take in any format, not compressed, with 16 bits a channel."""

_FEW = 48  # files that are not worth another child, which takes a third of a second to start

Progress = Callable[[int, int], None]


def read_all(
    paths: Sequence[Path],
    first_frame: bool,
    progress: Progress | None = None,
    limit: float = TIME_LIMIT,
    bit_depth: int | None = None,
) -> Generator[np.void | str, None, None]:
    """Yield the traits of each file in order, or why it cannot be used. progress is called with (done, all) after each.

    Close the iterator to end the children early. Raises RuntimeError where no child can be started.
    """
    if not paths:
        return
    readers: queue.SimpleQueue[_Reader] = queue.SimpleQueue()
    every = [_Reader(first_frame, limit, bit_depth) for _ in range(min(cores(), -(-len(paths) // _FEW)))]
    for reader in every:
        readers.put(reader)

    def read(path: Path) -> np.void | str:
        reader = readers.get()
        try:
            return reader.read(path)
        finally:
            readers.put(reader)

    pool = ThreadPoolExecutor(len(every))
    try:
        for done, traits in enumerate(pool.map(read, paths), 1):
            if progress:
                progress(done, len(paths))
            yield traits
    finally:
        for reader in every:
            reader.stop()
        pool.shutdown(cancel_futures=True)
        for reader in every:
            reader.end()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Reader:
    """The parent's end of one child, which is started when it is needed."""

    def __init__(self, first_frame: bool, limit: float, bit_depth: int | None = None):
        self.limit, self.options = limit, ["--first-frame"] * first_frame
        if bit_depth is not None:
            self.options.append(f"{_BIT_DEPTH}{bit_depth}")
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        self.lock = threading.Lock()

    def read(self, path: Path) -> np.void | str:
        """Send the child one path; it answers a length, then as many bytes, or it is ended."""
        try:
            process, deadline = self._alive(), time.monotonic() + self.limit
            _send(process, os.fsencode(path) + b"\0", deadline)
            return _parse(_receive(process, deadline))
        except TimeoutError:
            self.end()
            return f"it takes more than {self.limit:g} seconds to decode"
        except (EOFError, BrokenPipeError):
            return f"the decoder crashed on it ({_cause(self.end())})"

    def _alive(self) -> subprocess.Popen[bytes]:
        if self.process is not None and self.process.poll() is not None:
            self.end()  # it was killed between two files, which is the fault of neither
        if self.process is not None:
            return self.process
        with self.lock:
            if self.stopped:
                raise EOFError
            self.process = process = start(
                "ablation.data.readers",
                *self.options,
                flags=("-W", "ignore"),  # whatever PYTHONWARNINGS makes of Pillow's
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, **_ONE_THREAD},
            )
        self._await_start(process)
        return process

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        """Raises RuntimeError if the child cannot start: no file is to blame for that."""
        try:
            _receive(process, time.monotonic() + _STARTS)
        except (EOFError, TimeoutError):
            if self.stopped:
                raise
            wrong = f"`{sys.executable} -P -m ablation.data.readers` does not start ({_cause(self.end())})"
            raise RuntimeError(f"{wrong}, and it is needed to read photographs; run it by hand to see why") from None

    def end(self) -> int:
        """End the child; return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        status = end(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return status

    def stop(self) -> None:
        """Kill the child for good; the thread that waits for it sees its end, and closes the pipes itself."""
        with self.lock:
            self.stopped, process = True, self.process
        if process is not None:
            process.kill()


_STARTS = 120.0  # seconds that Python may take to start, on however slow a disk
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_READY = b"ready"
_TRAITS, _REASON = b"+", b"-"
_BIT_DEPTH = "--bit-depth="


def _send(process: subprocess.Popen[bytes], request: bytes, deadline: float) -> None:
    """Send the child a request. Raises TimeoutError, or BrokenPipeError when the child has ended."""
    assert process.stdin is not None
    while request:
        _await(process.stdin, EVENT_WRITE, deadline)
        request = request[os.write(process.stdin.fileno(), request[:PIPE_BUF]) :]  # so many never block


def _receive(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return one answer. Raises TimeoutError, or EOFError when the child has ended."""
    size = int.from_bytes(_exactly(process, 4, deadline), "little")
    return _exactly(process, size, deadline)


def _exactly(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert process.stdout is not None
    content = b""
    while len(content) < size:
        _await(process.stdout, EVENT_READ, deadline)
        more = os.read(process.stdout.fileno(), size - len(content))
        if not more:
            raise EOFError
        content += more
    return content


def _await(pipe: IO[bytes], event: int, deadline: float) -> None:
    with DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            raise TimeoutError


def _parse(answer: bytes) -> np.void | str:
    kind, content = answer[:1], answer[1:]
    return np.frombuffer(content, TRAITS)[0] if kind == _TRAITS else content.decode("utf-8", "replace")


def _cause(status: int) -> str:
    """Return why a child that we did not end has ended. (SIGKILL is also ours, when its end came first.)"""
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def main() -> None:
    """The child's end: a path and a zero byte in, the traits or a reason out, until the pipe closes."""
    _limit_memory()
    answers: Any = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a decoder prints does not come between the answers
    _answer(answers, _READY)
    depths = [int(option.removeprefix(_BIT_DEPTH)) for option in sys.argv if option.startswith(_BIT_DEPTH)]
    for path in _paths(sys.stdin.buffer):
        _answer(answers, _read(path, "--first-frame" in sys.argv, depths[0] if depths else None))


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT if hard < 0 else min(MEMORY_LIMIT, hard), hard))


def _paths(pipe: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while more := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + more).split(b"\0")
        yield from whole


def _answer(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(4, "little") + content)
    pipe.flush()


def _read(path: bytes, first_frame: bool, bit_depth: int | None) -> bytes:
    try:
        with open(path, "rb") as file:
            state = os.fstat(file.fileno())
            if stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
                return _REASON + b"a device, not a file"
            if state.st_size > SIZE_LIMIT:
                return _REASON + f"has {state.st_size / 1e9:.1f} GB, more than a photograph may have".encode()
            return _TRAITS + traits_of(file.read(), first_frame, bit_depth).tobytes()
    except Undecodable as error:
        return _REASON + f"cannot be decoded: {error}".encode("utf-8", "replace")
    except MemoryError:
        return _REASON + b"needs more memory than a photograph may take"
    except OSError as error:
        return _REASON + f"cannot be read: {error.strerror or error}".encode("utf-8", "replace")


if __name__ == "__main__":
    main()
