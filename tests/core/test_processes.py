"""Children: they end with their parent, whatever either is doing, and take along what they started."""

import ast
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faults import record_fault

from ablation.core import processes
from ablation.core.processes import await_exit, end, ended_after, start

ROOT = Path(__file__).parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="that the kernel ends a child is asked of Linux alone")

MODULES = {
    "sleeps": "print('here', flush=True)\nimport time\ntime.sleep(300)",
    # importing a library written in C is like this: no thread of Python's runs meanwhile
    "holds": "import ctypes\nprint('here', flush=True)\nctypes.PyDLL(None).sleep(300)",
    "forks": """
import os, time
for _ in range(2):
    if not os.fork():
        time.sleep(300)
print('here', flush=True)
time.sleep(300)""",
    "asked": """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('here', flush=True)
time.sleep(300)""",
    "deaf": """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('here', flush=True)
time.sleep(300)""",
    "leaves": "import os, time\nprint('here', flush=True)\nif not os.fork():\n    time.sleep(300)\nos._exit(3)",
    "echoes": """
import os, sys
print(*sys.argv[1:], os.getpgrp() == os.getpid(), sys.flags.safe_path, sep='|', flush=True)""",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, code in MODULES.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path


@pytest.fixture
def child(modules: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts one of the modules above, and waits until it is what it shall be."""
    started: list[subprocess.Popen[str]] = []

    def started_one(module: str, **options: Any) -> subprocess.Popen[str]:
        process = start(module, stdout=subprocess.PIPE, text=True, **options)
        assert process.stdout.readline() == "here\n"
        started.append(process)
        return process

    yield started_one
    while started:
        process = started.pop()
        end(process)
        process.stdout.close()


def group_of(leader: int) -> list[int]:
    """The processes of this group that have not ended."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has just ended
            continue
        if int(group) == leader and state not in "ZX":
            members.append(int(folder.name))
    return members


def gone_after(leader: int, limit: float = 10.0) -> float:
    """The seconds until no process of this group was left."""
    since = time.monotonic()
    while group_of(leader) and time.monotonic() - since < limit:
        time.sleep(0.005)
    assert not group_of(leader)
    return time.monotonic() - since


PARENT = """
import subprocess, sys, threading, time
from ablation.core.processes import start
started = []
def begin():
    started.append(start(sys.argv[1], stdout=subprocess.PIPE, text=True))
thread = threading.Thread(target=begin)  # it ends long before this process does
thread.start()
thread.join()
started[0].stdout.readline()
print(started[0].pid, flush=True)
time.sleep(300)
"""


def parent_of(module: str) -> tuple[subprocess.Popen[str], int]:
    """A program that has started a child in a thread which has ended, and the child's number."""
    program = subprocess.Popen([sys.executable, "-c", PARENT, module], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return program, int(program.stdout.readline())


@linux
@pytest.mark.parametrize(("module", "processes"), [("sleeps", 1), ("holds", 1), ("forks", 3), ("deaf", 1)])
@pytest.mark.usefixtures("modules")
def test_a_child_ends_with_its_parent_and_with_it_what_it_forked(module, processes):
    program, pid = parent_of(module)
    assert len(group_of(pid)) == processes, "the end of the thread that started it is not that of its parent"
    program.kill()
    program.communicate()
    seconds = gone_after(pid)
    assert seconds < 0.5
    what = {"holds": "holds the interpreter", "forks": "has forked two others", "deaf": "ignores SIGTERM"}
    record_fault(
        "blocked",
        f"a command is killed while a child of it {what.get(module, 'sleeps')}",
        1,
        "all of them are gone within 0.5 s",
        f"{processes} gone after {seconds:.3f} s",
    )


@linux
def test_a_child_whose_parent_has_ended_before_its_first_line_ends_there(modules):
    reading, writing = os.pipe()
    os.close(writing)
    command = [sys.executable, "-P", processes.__file__, str(reading), "sleeps"]
    child = subprocess.run(
        command, pass_fds=(reading,), start_new_session=True, capture_output=True, timeout=60, check=False
    )
    os.close(reading)
    assert (child.returncode, child.stdout) == (-signal.SIGKILL, b"")


def test_a_child_that_has_ended_leaves_no_open_pipe(modules):
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        process = start("sleeps", stdout=subprocess.DEVNULL)
        end(process)
        del process
    assert len(os.listdir("/dev/fd")) == before


def test_what_a_child_is_started_with(modules):
    process = start("echoes", "--one", "two words", flags=("-W", "ignore"), stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[0] == "--one|two words|True|True\n"
    assert process.returncode == 0


def test_a_child_finds_the_package_where_only_the_path_of_its_parent_has_it(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from ablation.core.processes import start; "
        "sys.exit(start('ablation.core.errors').wait(60))"
    )
    bare = getattr(sys, "_base_executable", sys.executable)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([bare, "-c", code, str(ROOT)], cwd=tmp_path, env=environment, timeout=60, check=False)
    assert done.returncode == 0


def test_where_no_process_can_be_started_nothing_is_left_open(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = os.listdir("/dev/fd")
    with pytest.raises(FileNotFoundError):
        start("sleeps")
    assert os.listdir("/dev/fd") == before


# --- ended by its parent


@linux
def test_ending_a_child_ends_what_it_forked(child):
    process = child("forks")
    assert len(group_of(process.pid)) == 3
    assert end(process) == -signal.SIGKILL
    assert gone_after(process.pid) < 0.5


@linux
def test_what_a_dead_child_left_behind_is_ended_as_well_and_its_own_status_told(child):
    process = child("leaves")
    assert process.wait(60) == 3
    assert len(group_of(process.pid)) == 1
    assert end(process) == 3
    assert gone_after(process.pid) < 0.5


@pytest.mark.parametrize(("module", "status"), [("asked", 7), ("sleeps", -signal.SIGTERM), ("deaf", -signal.SIGKILL)])
def test_a_child_may_end_by_itself_first(child, module, status):
    since = time.monotonic()
    assert end(child(module), grace=1.0 if module == "deaf" else 60.0) == status
    assert time.monotonic() - since < 20


def test_waiting_for_one_that_even_the_system_cannot_end_has_a_limit(child, monkeypatch):
    process = child("sleeps")
    monkeypatch.setattr(processes, "DEATH", 0.3)
    with monkeypatch.context() as without:
        without.setattr(os, "killpg", lambda *_: None)  # as if it waited for a disk that does not answer
        assert end(process) == -signal.SIGKILL
    assert process.poll() is None
    monkeypatch.setattr(processes, "DEATH", 10.0)


def test_the_end_of_a_child_is_waited_for_by_several_threads_and_one_learns_its_memory(child):
    process = child("sleeps")
    assert await_exit(process, 0.05) is None
    assert process.returncode is None
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(await_exit, process, 20) for _ in range(3)]
        ending = pool.submit(end, process)
        peaks = [one.result() for one in waiting]
        assert ending.result() == process.returncode == -signal.SIGKILL
    assert sum(peak is not None for peak in peaks) <= 1
    most = 10**9 + 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert all(peak is None or 10**6 < peak < most for peak in peaks)
    other = child("leaves")
    assert await_exit(other, 20) > 10**6
    assert other.returncode == 3
    assert await_exit(other, 0) is None
    end(other)


def test_a_child_whose_end_was_noted_elsewhere_is_not_waited_for(child):
    process = child("leaves")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    os.waitpid(process.pid, 0)
    started = time.monotonic()
    assert await_exit(process, 20) is None
    assert process.returncode is not None
    assert time.monotonic() - started < 10
    end(process)


def test_a_block_that_takes_too_long_ends_the_child_that_it_waits_for(child):
    process, since = child("sleeps"), time.monotonic()
    with ended_after(0.3, process):
        assert process.stdout.readline() == ""
    assert time.monotonic() - since < 20
    assert process.wait(10) == -signal.SIGKILL
    process = child("sleeps")
    with ended_after(0.2, process):
        pass
    time.sleep(0.5)
    assert process.poll() is None


def test_children_are_started_from_many_threads_at_once_and_each_pipe_is_its_own(modules):
    """A second child that held the first one's pipes would keep it from ever seeing their end."""
    ended: list[int] = []

    def one() -> None:
        process = start("echoes", "x", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.close()
        process.stdout.read()
        ended.append(process.wait(60))
        process.stdout.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ended == [0] * 8


STARTERS = {"Popen", "run", "call", "check_call", "getoutput", "getstatusoutput"}


def test_children_are_started_in_one_place_and_none_is_waited_for_without_a_limit():
    """Whatever another file started would outlive a killed command."""
    for file in sorted((ROOT / "ablation").rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = [ast.unparse(call) for call in calls]
        started = {name for name in names if name in {f"subprocess.{starter}" for starter in STARTERS}}
        assert not started or file.name == "processes.py", f"{file}: {started}"
        assert not {name for name in names if name in ("os.fork", "os.system", "os.popen")}, file
        waits = [name for name in names if name.startswith("os.wait") and name != "os.waitstatus_to_exitcode"]
        assert not waits or file.name == "processes.py", f"{file}: {waits}"
        assert "multiprocessing" not in file.read_text("utf-8").replace("`multiprocessing`", ""), file
    source = Path(processes.__file__).read_text("utf-8")
    assert not re.search(r"\.wait\(\)|\.communicate\(\)", source)
