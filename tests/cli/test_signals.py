"""Signals, sent to commands as a terminal, a scheduler and the system send them: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from faults import record_fault
from PIL import Image
from project import write_experiment

from ablation.core.seeds import stream

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the processes of a command are found by /proc")

WAITS = '''
import os, time
def waits(picture, generator):
    """Forks twice, and never returns."""
    if not os.path.exists("forked"):
        for _ in range(2):
            if not os.fork():
                time.sleep(600)
        open("forked", "w").close()
    time.sleep(600)
'''

ENDS = '''
import multiprocessing, os, time
def ends(picture, generator):
    """Starts a process once, and ends it as a pool does."""
    if not os.path.exists("status"):
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        process.start()
        process.terminate()
        process.join(20)
        with open("status", "w") as file:
            file.write(str(process.exitcode))
        process.kill()
    return picture
'''


class Command:
    """An `ablation` command in a session of its own, and every process that descends from it, wherever that went."""

    def __init__(self, folder: Path, *arguments: str, stdout: int = subprocess.PIPE):
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "MARK": self.mark}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ablation.cli", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """All that have not ended."""
        living = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                marked = f"MARK={self.mark}".encode() in (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # it has just ended
                continue
            if marked and state not in "ZX":
                living.append(int(folder.name))
        return living

    def left_after(self, seconds: float) -> list[int]:
        """What is still there after so long, if it takes that long."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def until(self, true: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, self.process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ended(self) -> tuple[int, str, float]:
        """Its exit status, what it printed, and the seconds from the last line that it printed to its end."""
        out, printed = "", time.monotonic()
        for line in self.process.stdout:
            out, printed = out + line, time.monotonic() if "goes on" in line else printed
        status = self.process.wait(60)
        return status, out, time.monotonic() - printed


@pytest.fixture
def command() -> Iterator[Callable[..., Command]]:
    """Starts commands, and ends what is left of them."""
    started: list[Command] = []

    def start(*arguments, **options) -> Command:
        started.append(Command(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        for pid in one.processes():
            os.kill(pid, signal.SIGKILL)
        one.process.wait()
        if one.process.stdout:
            one.process.stdout.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs of two classes, and one file that whoever opens it waits for."""
    for number in range(8):
        file = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stream(number, "signals").integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(file)
    os.mkfifo(tmp_path / "photos" / "dog" / "waits.png")
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose runs take long."""
    write_experiment(tmp_path, epochs=400)
    return tmp_path


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A project with a recipe that forks and then never returns."""
    file = write_experiment(tmp_path)
    (tmp_path / "own.py").write_text(WAITS)
    text = file.read_text().replace("Adam,", "Adam, ImageFunction,")
    file.write_text(text.replace("RandomResizedCrop(scale=(0.5, 1.0))", 'ImageFunction("own.py:waits")'))
    return tmp_path


def checking(command: Callable[..., Command], folder: Path, **options) -> Command:
    """A command that reads photographs, and waits for one."""
    checks = command(folder, "check", "photos", **options)
    checks.until(lambda: len(checks.processes()) > 1)
    time.sleep(0.3)
    return checks


def training(command: Callable[..., Command], folder: Path) -> Command:
    """A command two of whose runs are being trained."""
    trains = command(folder, "run", "small", "-j", "2", "--no-tracking")
    trains.until(lambda: len(list((folder / "runs" / "small").glob("*/checkpoint*.pt"))) >= 2)
    return trains


# --- Ctrl-C and SIGTERM


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_ends_a_command_that_reads_photographs(command, photos, times):
    checks = checking(command, photos)
    since = time.monotonic()
    for _ in range(times):
        os.killpg(checks.process.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.02)
    status, out, seconds = checks.ended()
    assert (status, out.count("stopped; the same command goes on: ablation check photos")) == (130, 1)
    assert "Traceback" not in out
    assert seconds < 1.0
    assert checks.left_after(0.5) == []
    record_fault(
        "blocked", f"Ctrl-C, pressed {times} x, while photographs are read", 1,
        "exit status 130, and gone within 1 s of 'stopped'",
        f"{status}, gone {seconds:.2f} s after it and {time.monotonic() - since:.2f} s after the key",
    )  # fmt: skip


def test_ctrl_c_pressed_three_times_ends_a_sweep_once(command, folder):
    trains = training(command, folder)
    since = time.monotonic()
    for _ in range(3):
        os.killpg(trains.process.pid, signal.SIGINT)
        time.sleep(0.1)
    status, out, seconds = trains.ended()
    assert (status, out.count("stopped; the same command goes on: ablation run small")) == (130, 1)
    assert "Traceback" not in out
    assert seconds < 1.0
    assert trains.left_after(0.5) == []
    record_fault(
        "blocked", "Ctrl-C, pressed 3 x, while two runs are trained", 1,
        "exit status 130, and gone within 1 s of 'stopped'",
        f"{status}, gone {seconds:.2f} s after it and {time.monotonic() - since:.2f} s after the key",
    )  # fmt: skip


@pytest.mark.parametrize("seconds", [0.8, 1.6])
def test_ctrl_c_ends_a_command_that_is_just_starting(command, folder, seconds):
    runs = command(folder, "run", "small", "-j", "1", "--no-tracking")
    time.sleep(seconds)
    os.killpg(runs.process.pid, signal.SIGINT)
    status, out, after = runs.ended()
    assert (status, "Traceback" in out) == (130, False), out
    assert after < 1.0
    assert runs.left_after(0.5) == []


def test_sigterm_ends_a_command_that_reads_photographs(command, photos):
    checks = checking(command, photos)
    since = time.monotonic()
    checks.process.send_signal(signal.SIGTERM)
    checks.process.send_signal(signal.SIGTERM)
    status, out, _ = checks.ended()
    seconds = time.monotonic() - since
    assert (status, out.count("terminated; the same command goes on: ablation check photos")) == (143, 1)
    assert checks.left_after(0.5) == []
    record_fault(
        "blocked", "SIGTERM, twice, while photographs are read", 1, "exit status 143, and a message",
        f"{status}, gone after {seconds:.2f} s",
    )  # fmt: skip


def test_ctrl_c_that_ends_the_reader_of_its_output_too_is_still_130(command, photos):
    reading, writing = os.pipe()
    checks = checking(command, photos, stdout=writing)
    os.close(writing)
    os.close(reading)
    checks.process.send_signal(signal.SIGINT)
    assert checks.process.wait(30) == 130
    assert checks.left_after(0.5) == []


STUBBORN = """
import os, signal, sys, time
from ablation.cli.signals import ended_by_signals
with ended_by_signals():
    try:
        print("here", flush=True)
        time.sleep(60)
    finally:
        print("closing", flush=True)
        time.sleep(float(sys.argv[1]))
        print("closed", flush=True)
"""


@pytest.mark.parametrize(("seconds", "closed"), [(1.0, True), (60.0, False)])
def test_another_ctrl_c_does_not_break_what_is_being_closed_and_one_that_comes_later_does(seconds, closed):
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN, str(seconds)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "closing\n"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    if not closed:
        time.sleep(2.1)
        process.send_signal(signal.SIGTERM)  # a scheduler that repeats itself: it will send SIGKILL when it must
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == ("closed\n" if closed else "")
    assert process.returncode == 130


def test_a_signal_that_is_ignored_in_a_background_stays_so(folder):
    script = "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    code = (
        "import os, signal\nfrom ablation.cli.signals import ended_by_signals\n"
        "with ended_by_signals():\n    os.kill(os.getpid(), signal.SIGINT)\n    print('goes on')"
    )
    command = [sys.executable, "-c", script, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "goes on\n")


def test_behind_a_command_signals_are_as_they_were(monkeypatch, capsys):
    from ablation.cli.main import main

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(sys, "argv", ["ablation", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- SIGKILL, and what a recipe has forked


def killed_after(command: Callable[..., Command], folder: Path, seconds: float, *arguments: str) -> tuple[int, float]:
    """How many processes a command had when it was killed so long after its start, and how long they lived on."""
    runs = command(folder, *arguments)
    time.sleep(seconds)
    had = len(runs.processes())
    runs.process.kill()
    since = time.monotonic()
    left = runs.left_after(5.0)
    assert not left
    return had, time.monotonic() - since


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 2.5])
def test_a_killed_sweep_leaves_nothing_running(command, folder, seconds):
    had, lived = killed_after(command, folder, seconds, "run", "small", "-j", "2", "--no-tracking")
    assert lived < 0.5
    record_fault(
        "blocked", "the command killed while it starts, and its workers import", 1,
        "no process of it 0.5 s later", f"{had} processes, gone after {lived:.2f} s",
    )  # fmt: skip


@pytest.mark.torture
@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_of_its_start_leaves_nothing_running(command, folder):
    seen = [
        killed_after(command, folder, 4 * moment / 29, "run", "small", "-j", "2", "--no-tracking")
        for moment in range(30)
    ]
    longest = max(lived for _, lived in seen)
    assert max(had for had, _ in seen) >= 3, "it had workers by then"
    assert longest < 0.5
    record_fault(
        "blocked", "the command killed at a moment of the first 4 s, on to importing torch and training", 30,
        "no process of it 0.5 s later", f"the last was gone after {longest:.2f} s",
    )  # fmt: skip


def test_a_killed_check_leaves_no_reader(command, photos):
    checks = checking(command, photos)
    checks.process.kill()
    since = time.monotonic()
    assert checks.left_after(0.5) == []
    record_fault(
        "blocked", "`ablation check` killed while a file is read that never ends", 1,
        "no process of it 0.5 s later", f"gone after {time.monotonic() - since:.2f} s",
    )  # fmt: skip


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_what_a_recipe_forked_ends_with_the_command(command, waiting, sent):
    runs = command(waiting, "run", "small", "-j", "1", "--no-tracking")
    runs.until((waiting / "forked").exists)
    had = len(runs.processes())
    assert had >= 4, "the command, a worker, and its two"
    os.kill(runs.process.pid, sent)
    since = time.monotonic()
    left = runs.left_after(3.0)
    assert left == []
    record_fault(
        "blocked", f"{sent.name} while a recipe hangs that has forked two processes", 1,
        "none is left", f"{had} processes gone after {time.monotonic() - since:.2f} s",
    )  # fmt: skip


def test_a_worker_that_is_killed_is_noticed_though_a_recipe_forked_what_lives_on(command, waiting):
    runs = command(waiting, "run", "small", "-j", "1", "--no-tracking")
    runs.until((waiting / "forked").exists)
    forked = [pid for pid in runs.processes() if children_of(pid) == []]
    (worker,) = {parent_of(pid) for pid in forked}
    os.kill(worker, signal.SIGKILL)
    since = time.monotonic()
    while set(forked) & set(runs.processes()) and time.monotonic() - since < 20:
        time.sleep(0.02)
    assert not set(forked) & set(runs.processes())
    record_fault(
        "blocked", "a worker killed by the system while what its recipe forked lives on", 1,
        "the sweep notices, and ends that too", f"after {time.monotonic() - since:.2f} s",
    )  # fmt: skip


def test_a_recipe_can_end_what_it_forked_by_sigterm(command, waiting):
    (waiting / "own.py").write_text(ENDS)
    file = waiting / "experiments" / "small.py"
    file.write_text(file.read_text().replace("own.py:waits", "own.py:ends").replace("seeds=3", "seeds=1"))
    status, out, _ = command(waiting, "run", "small", "-j", "1", "--no-tracking").ended()
    assert status == 0, out
    assert (waiting / "status").read_text() == str(-signal.SIGTERM)


def children_of(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
