"""Readers: a file can be anything, and costs no more than its own time; nothing goes on running afterwards."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from faults import record_fault
from pictures import encoded
from PIL import Image

from ablation.core.seeds import stream
from ablation.data import readers
from ablation.data.readers import MEMORY_LIMIT, _Reader, cores, read_all
from ablation.data.traits import TRAITS, traits_of

ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are told and memory is limited by Linux")


def picture(number: int, side: int = 8) -> Image.Image:
    return Image.fromarray(stream(number, "readers").integers(0, 256, (side, side, 3), dtype=np.uint8))


GOOD = encoded(picture(0))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.png").write_bytes(GOOD)
    return tmp_path / "good.png"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A file that whoever opens it waits for, since nobody writes to it."""
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path / "pipe.png"


def running(parent: int | None = None) -> list[int]:
    """The children, of this process or of any, that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().split("\0")
            owner = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
        if "ablation.data.readers" in command and parent in (None, owner):
            found.append(int(folder.name))
    return found


def until(true: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def is_traits(found: np.void | str) -> bool:
    return not isinstance(found, str) and found.dtype == TRAITS


# --- what is told


def test_order_is_kept_and_traits_are_those_that_are_measured_here(tmp_path):
    paths, calls = [], []
    for number in range(120):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(encoded(picture(number, 1000 if number % 40 == 0 else 8)))  # the first are the slowest
    told = list(read_all(paths, False, lambda done, total: calls.append((done, total))))
    assert [found.tobytes() for found in told] == [traits_of(path.read_bytes()).tobytes() for path in paths]
    assert calls == [(done, 120) for done in range(1, 121)]
    assert list(read_all([], False, lambda *call: calls.append(call))) == []
    assert len(calls) == 120


def test_a_reason_is_told_for_what_cannot_be_read(tmp_path, good):
    (tmp_path / "text.jpg").write_text("a cat")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    names = ("text.jpg", "folder.jpg", "gone.jpg", "loop.jpg")
    told = list(read_all([*(tmp_path / name for name in names), good], False))
    assert told[:4] == [
        "cannot be decoded: a text, not an image",
        "cannot be read: Is a directory",
        "cannot be read: No such file or directory",
        "cannot be read: Too many levels of symbolic links",
    ]
    assert is_traits(told[4])


def test_any_name_reaches_the_child(tmp_path):
    names = [
        "猫 🐈\u200d⬛.png",
        "a\nb.png",
        "-c import os",
        "'\"$(x)`.png",
        " ",
        "x" * 255,
        os.fsdecode(b"\xff\xfe\n.png"),
    ]
    paths = [tmp_path / name for name in names]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(picture(number)))
    told = list(read_all(paths, False))
    assert [found.tobytes() for found in told] == [traits_of(path.read_bytes()).tobytes() for path in paths]


def test_the_first_frame_is_taken_when_asked(tmp_path):
    path = tmp_path / "moving.gif"
    path.write_bytes(encoded(picture(0), "GIF", save_all=True, append_images=[picture(1)]))
    (refused,), (taken,) = read_all([path], False), read_all([path], True)
    assert "it has 2 frames" in refused
    assert taken["frames"] == 2


# --- time


def test_a_file_that_takes_too_long_is_told_and_the_others_are_read(good, pipe):
    told = list(read_all([good, pipe, good, pipe, good], False, limit=1.0))
    assert [told[1], told[3]] == 2 * ["it takes more than 1 seconds to decode"]
    assert [is_traits(found) for found in told] == [True, False, True, False, True]


@linux
def test_a_child_that_the_system_has_stopped_is_not_waited_for(good):
    reader = _Reader(False, 1.0)
    assert is_traits(reader.read(good))
    reader.process.send_signal(signal.SIGSTOP)
    since = time.monotonic()
    assert reader.read(good) == "it takes more than 1 seconds to decode"
    seconds = time.monotonic() - since
    assert seconds < 10
    assert is_traits(reader.read(good))
    reader.end()
    record_fault(
        "blocked", "a child that reads photographs is stopped by the system (SIGSTOP)", 1,
        "its file is given up at the limit, and the next is read", f"given up after {seconds:.1f} s, limit 1 s",
    )  # fmt: skip


DRIBBLES = """
import sys, time
while True:
    sys.stdout.buffer.write(bytes([0, 0, 1, 0]))
    sys.stdout.flush()
    time.sleep(0.05)
"""


def test_an_answer_that_comes_drop_by_drop_has_one_limit_and_so_has_a_request_that_nobody_reads():
    """Each drop came in time: a limit for each alone would never end."""
    child = subprocess.Popen([sys.executable, "-c", DRIBBLES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        since = time.monotonic()
        with pytest.raises(TimeoutError):
            readers._receive(child, since + 1.0)
        assert 1.0 <= time.monotonic() - since < 5.0
        since = time.monotonic()
        with pytest.raises(TimeoutError):
            readers._send(child, b"x" * (1 << 20), since + 0.5)  # more than a pipe takes
        assert 0.5 <= time.monotonic() - since < 5.0
        child.kill()
        child.wait()
        with pytest.raises(BrokenPipeError):
            readers._send(child, b"x", time.monotonic() + 5.0)
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@pytest.mark.skipif(cores() < 2, reason="one core has one reader")
def test_of_two_readers_one_that_waits_does_not_hold_up_the_other(tmp_path, pipe):
    paths = [pipe]
    for number in range(60):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(GOOD)
    every, started = read_all(paths, False, limit=3.0), time.monotonic()
    assert "more than 3 seconds" in next(every)
    waited = time.monotonic() - started
    assert all(map(is_traits, every))
    assert time.monotonic() - started < 2 * waited  # they had been read meanwhile


# --- a child that dies


@linux
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_costs_the_file_that_it_was_reading_and_no_other(good, pipe, sent):
    def kill() -> None:
        held = []  # the pipe's other end, which there is to be had once the child reads it

        def reached() -> bool:
            with suppress(OSError):
                held.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return bool(held)

        assert until(reached)
        os.kill(running(os.getpid())[0], sent)
        os.close(held[0])

    killer = threading.Thread(target=kill)
    killer.start()
    told = list(read_all([good, pipe, good], False))
    killer.join()
    assert told[1] == f"the decoder crashed on it ({sent.name})"
    assert is_traits(told[0])
    assert is_traits(told[2])


def test_a_child_that_is_killed_between_two_files_costs_none(good):
    reader = _Reader(False, 30.0)
    assert is_traits(reader.read(good))
    reader.process.kill()
    reader.process.wait()
    assert is_traits(reader.read(good))
    reader.end()


def test_where_no_child_can_start_no_file_is_blamed(good, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RuntimeError, match=r"ablation\.data\.readers` does not start \(exit status 1\)"):
        list(read_all([good], False))


def test_neither_warnings_as_errors_nor_modules_lying_about_reach_the_child(good, tmp_path, monkeypatch):
    (tmp_path / "queue.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert all(map(is_traits, read_all([good], False)))


# --- memory


@linux
def test_memory_of_a_child_is_limited(good, pipe):
    every = read_all([good, pipe], False, limit=60.0)
    next(every)
    (child,) = running(os.getpid())
    (told,) = [line for line in Path(f"/proc/{child}/limits").read_text().splitlines() if "address space" in line]
    every.close()
    assert int(told.split()[3]) == MEMORY_LIMIT


@pytest.mark.slow
def test_the_largest_photographs_are_read_within_the_limits(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    large = Image.new("LA", (9_900, 10_000), (7, 128))  # transparent and turned: what takes most
    (tmp_path / "large.png").write_bytes(encoded(large, exif=exif, compress_level=1))
    (found,) = read_all([tmp_path / "large.png"], False)
    assert is_traits(found), found
    assert (found["width"], found["height"], found["transparent"]) == (10_000, 9_900, True)


# --- afterwards


@linux
def test_nothing_is_left_running_when_all_is_read_or_the_reading_is_given_up(good, pipe):
    threads = threading.active_count()
    assert all(map(is_traits, read_all([good] * 60, False)))
    assert (running(os.getpid()), threading.active_count()) == ([], threads)
    every = read_all([good, pipe, good], False, limit=3600.0)
    assert is_traits(next(every))
    every.close()
    assert (running(os.getpid()), threading.active_count()) == ([], threads)


READING = """
import sys
from pathlib import Path
from ablation.data.readers import read_all

for number, _ in enumerate(read_all([Path(path) for path in sys.argv[2:]], False, limit=float(sys.argv[1]))):
    print(number, flush=True)
"""


def reading(limit: float, *paths: Path) -> subprocess.Popen[str]:
    """A program that has read the first of these paths."""
    command = [sys.executable, "-c", READING, str(limit), *map(str, paths)]
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "0\n"
    time.sleep(0.3)  # so that its child has gone on to the next
    return program


@linux
def test_ctrl_c_ends_the_program_at_once_and_its_children_with_it(good, pipe):
    program = reading(3600.0, good, pipe)
    (child,) = running(program.pid)
    session = os.getsid(child)
    os.kill(program.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in program.communicate(timeout=60)[1]
    assert child not in running()
    assert session == child  # so a terminal sends Ctrl-C to the program alone


@linux
def test_when_the_program_is_killed_its_child_ends_at_once_whatever_it_reads(good, pipe):
    program = reading(3600.0, good, pipe)
    (child,) = running(program.pid)
    program.kill()
    program.communicate()
    assert until(lambda: child not in running(), 0.5)
