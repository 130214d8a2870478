"""Why a run failed is named: a full disk, no memory, an end of the program, a kill by the system, a crash."""

import errno
import re
import signal

import pytest
import torch

import ablation
from ablation.core.errors import DataError, Problem
from ablation.core.own_code import shown
from ablation.training.causes import failure_at_end, failure_of, oom_kills


def raised_by(action):
    try:
        action()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_memory_that_torch_does_not_get_is_out_of_memory(tmp_path):
    """As torch really says it on this machine: 4 EB are not to be had."""
    failure = failure_of(raised_by(lambda: torch.empty(2**60)), "cpu", tmp_path)
    assert failure.cause == "memory"
    assert failure.reason.startswith("out of memory on cpu (")
    assert "fewer workers (--jobs)" in failure.reason
    assert "\n" not in failure.reason


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_ways_to_say_so(error, tmp_path):
    assert failure_of(error, "cuda:1", tmp_path).cause == "memory"
    assert failure_of(error, "cuda:1", tmp_path).reason.startswith("out of memory on cuda:1 (")


def test_a_full_disk_is_named_with_its_folder_also_below_another_error(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "record.json"))
    wrapped = RuntimeError("PytorchStreamWriter failed")
    wrapped.__cause__ = full
    for error in (full, wrapped, OSError(errno.ENOSPC, "No space left on device")):
        failure = failure_of(error, "cpu", tmp_path)
        assert failure.cause == "disk"
        assert failure.reason.startswith(f"no space left in {tmp_path} (")


def test_an_end_of_the_program_says_where(tmp_path):
    failure = failure_of(
        raised_by(lambda: exec(compile("\nraise SystemExit(0)", "recipe.py", "exec"))), "cpu", tmp_path
    )
    assert failure == ("exit", "line 2 of recipe.py ended the program by sys.exit(0); raise an error there")


def test_any_other_error_is_its_class_and_first_line(tmp_path):
    assert failure_of(RuntimeError("too much\nof it"), "cpu", tmp_path) == ("error", "RuntimeError: too much")
    assert failure_of(KeyError("lr"), "cpu", tmp_path) == ("error", "KeyError: 'lr'")


def test_a_line_of_the_users_own_is_named_also_where_a_library_raised_and_of_ours_only_what_is_wrong(tmp_path):
    code = compile("import torch\n\ndef f():\n    torch.nn.Linear(2, 3)(torch.ones(1, 5))\n", "ops.py", "exec")
    names = {}
    exec(code, names)
    reason = failure_of(raised_by(names["f"]), "cpu", tmp_path).reason
    assert reason.startswith("RuntimeError: ")
    assert "mat1 and mat2 shapes cannot be multiplied" in reason
    assert reason.endswith(" (line 4 of ops.py)")
    ours = DataError([Problem("no such picture", where="list.txt:3"), Problem("nor this")])
    assert failure_of(ours, "cpu", tmp_path).reason == "list.txt:3: no such picture; nor this"


def elsewhere(code, file):
    """What this code raises, as if it were in that file: no line of this file is in its traceback."""
    error = raised_by(lambda: exec(compile(code, file, "exec"), {}))
    while error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    return error


def test_where_no_line_is_the_users_own_it_is_the_one_that_raised(tmp_path):
    reason = failure_of(elsewhere("import json\njson.loads('{')", ablation.__file__), "cpu", tmp_path).reason
    assert re.search(r"^JSONDecodeError: .* \(line \d+ of json/decoder\.py\)$", reason)


def test_the_line_of_what_an_error_was_raised_from_is_named(tmp_path):
    raising = "def f():\n    raise KeyError('lr')\n"
    outer = f"""
names = {{}}
exec(compile({raising!r}, "ops.py", "exec"), names)
try:
    names["f"]()
except KeyError as error:
    raise RuntimeError("the recipe failed") from error
"""
    reason = failure_of(elsewhere(outer, ablation.__file__), "cpu", tmp_path).reason
    assert reason == "RuntimeError: the recipe failed (line 2 of ops.py)"


def test_a_file_is_named_as_people_find_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = tmp_path.parent / "other.py"
    assert shown(str(tmp_path / "experiments" / "own.py")) == "experiments/own.py"
    assert shown(str(other)) == str(other)
    assert shown(ablation.__file__) == "ablation/__init__.py"


@pytest.mark.parametrize(
    ("status", "peak", "out_of_memory", "cause", "words"),
    [
        (3, None, False, "exit", "the worker ended with status 3"),
        (0, None, False, "exit", "the worker ended with status 0"),
        (-signal.SIGKILL, 2 * 10**9, False, "killed", "as by the system where memory runs out (it had up to 2.0 GB)"),
        (-signal.SIGKILL, None, False, "killed", "SIGKILL, as by the system where memory runs out"),
        (-signal.SIGKILL, 2 * 10**9, True, "memory", "the system ran out of memory and killed the worker"),
        (-signal.SIGSEGV, None, False, "crash", "crashed in native code, as of an extension or a driver: SIGSEGV"),
        (-signal.SIGHUP, None, False, "killed", "the worker was killed by SIGHUP"),
        (-signal.SIGTERM, None, False, "terminated", "SIGTERM"),
        (143, None, False, "terminated", "SIGTERM"),
        (-(signal.SIGRTMIN + 3), None, False, "killed", f"signal {signal.SIGRTMIN + 3}"),
    ],
)  # fmt: skip
def test_the_end_of_a_process_is_named(status, peak, out_of_memory, cause, words):
    failure = failure_at_end(status, peak, out_of_memory)
    assert failure.cause == cause
    assert words in failure.reason


def test_kills_for_memory_are_counted_where_the_kernel_shows_them(tmp_path):
    """Version 2 and 1 of control groups, a container that sees its own one as the root, and the whole machine."""
    assert oom_kills(root=tmp_path) is None
    for path, content in (
        ("proc/vmstat", "pgfault 5\noom_kill 9\n"),
        ("proc/self/cgroup", "4:memory:/jobs/7\n0::/jobs/7\n"),
        ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        ("sys/fs/cgroup/jobs/7/memory.events", "low 0\noom 2\noom_kill 2\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
        expected = {"proc/vmstat": 9, "proc/self/cgroup": 9}.get(path, 3 if "control" in path else 2)
        assert oom_kills(root=tmp_path) == expected
    (tmp_path / "sys/fs/cgroup/jobs/7/memory.events").write_text("garbage")
    assert oom_kills(root=tmp_path) == 3
