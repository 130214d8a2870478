"""The second process that helps with a report: it does the same, and nothing is lost with it."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from faults import record_fault

from ablation.report.render import second as module
from ablation.report.render.second import Second


def process(seconds: float, number: int) -> tuple[int, int]:
    time.sleep(seconds)
    return number, os.getpid()


def ready() -> None:
    """Nothing has to be imported."""


def ends_here(first: int) -> int:
    """Ends whatever process it runs in but this one."""
    if os.getpid() != first:
        os._exit(1)
    return first


def fails() -> None:
    raise ValueError("as it does in the first process")


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 2)


@pytest.mark.usefixtures("two")
def test_results_stand_in_the_order_of_the_tasks_and_both_processes_made_some():
    with Second(ready) as second:
        own, other = os.getpid(), second.pid
        assert other
        made = second.results([partial(process, 0.3, number) for number in range(20)])
    assert [number for number, _ in made] == list(range(20))
    assert {pid for _, pid in made} == {own, other}
    assert made[0][1] == other, "it begins with the first"
    assert made[-1][1] == own


@pytest.mark.usefixtures("two")
def test_it_can_be_used_again_and_ends_with_its_block():
    with Second(ready) as second:
        assert second.results([partial(int, "1")]) == [1]
        assert second.results([]) == []
        assert second.results([partial(int, "2"), partial(int, "3")]) == [2, 3]
        pid = second.pid
    assert pid
    assert second.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.usefixtures("two")
def test_what_it_was_doing_when_it_died_is_done_here():
    own = os.getpid()
    with Second(ready) as second:
        tasks = [*[partial(ends_here, own)] * 3, *[partial(process, 0.5, number) for number in range(4)]]
        made = second.results(tasks)
    assert made[:3] == [own] * 3
    assert [number for number, _ in made[3:]] == list(range(4))


@pytest.mark.usefixtures("two")
def test_what_cannot_be_sent_is_done_here():
    with Second(ready) as second:
        assert second.results([lambda: 1, lambda: 2, partial(int, "3")]) == [1, 2, 3]


class Unreadable:
    """Can be sent, and not be read."""

    def __reduce__(self):
        return fails, ()


@pytest.mark.usefixtures("two")
def test_an_answer_that_cannot_be_read_is_made_here_and_no_other_is_mistaken_for_a_later_one():
    with Second(ready) as second:
        first, *others = second.results([Unreadable, partial(process, 1.0, 1), partial(process, 1.0, 2)])
        assert isinstance(first, Unreadable)
        assert [number for number, _ in others] == [1, 2]
        assert second.pid is None
        assert second.results([partial(int, "1"), partial(int, "2")]) == [1, 2]


@pytest.mark.usefixtures("two")
def test_the_last_of_those_that_are_slow_here_is_left_to_the_second_process():
    with Second(ready) as second:
        second.results([partial(process, 0.0, 0)] * 2)  # it has started
        made = second.results([partial(process, 0.4, number) for number in range(3)], slow=3)
        assert [pid for _, pid in made][1:] == [second.pid, os.getpid()]


@dataclass(frozen=True)
class Named:
    """Equal to every other of its name; answers who made it, with what it holds."""

    name: str
    held: int = field(compare=False)

    def __call__(self) -> tuple[str, int, int]:
        time.sleep(0.3)
        return self.name, self.held, os.getpid()


@pytest.mark.usefixtures("two")
def test_what_was_begun_is_not_done_again_and_what_was_not_sent_yet_is_shared():
    begun = [Named(name, 1) for name in "abcdef"]
    with Second(ready) as second:
        second.begin(begun)
        time.sleep(1.5)  # one or more of them are done by now
        made = second.results([Named(name, 2) for name in "abcdef"])
        other = second.pid
    assert [name for name, _, _ in made] == list("abcdef")
    assert made[0] == ("a", 1, other)
    assert made[-1] == ("f", 2, os.getpid()), "what waits is shared as if it had not been begun"


@pytest.mark.usefixtures("two")
def test_what_was_begun_and_is_lost_is_done_here():
    own = os.getpid()
    with Second(ready) as second:
        tasks = [partial(ends_here, own), partial(process, 0.0, 1)]
        second.begin(tasks)
        time.sleep(1.0)
        assert second.results([*tasks, partial(process, 0.0, 2)]) == [own, (1, own), (2, own)]


@pytest.mark.usefixtures("two")
def test_what_was_begun_and_nobody_waits_for_ends_with_its_block():
    with Second(ready) as second:
        second.begin([partial(process, 60.0, 0), lambda: 1])
        time.sleep(0.5)
        pid, since = second.pid, time.monotonic()
        assert pid
    assert time.monotonic() - since < 20
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def living_of(group: int) -> list[str]:
    """The processes of this group that have not ended."""
    every = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            every.append((file.parent.name, *file.read_text().rpartition(")")[2].split()[:3]))
    return [pid for pid, state, _, its in every if int(its) == group and state not in "ZX"]


def stands(first: int) -> int:
    """Never returns in a process other than this, and has forked one that holds its pipes."""
    if os.getpid() != first:
        os.fork()
        time.sleep(600.0)
    return first


@pytest.mark.usefixtures("two")
def test_a_task_that_stands_still_there_is_done_here_and_what_it_forked_is_ended(monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 3.0)
    own, since = os.getpid(), time.monotonic()
    with Second(ready) as second:
        pid = second.pid
        assert second.results([partial(stands, own), partial(process, 0.0, 1)]) == [own, (1, own)]
        seconds = time.monotonic() - since
        assert second.pid is None
    assert seconds < 20
    if sys.platform == "linux":
        assert living_of(pid) == []
    record_fault(
        "blocked", "the second process of a report stands still at a task", 1,
        "the task is done in the first", f"done after {seconds:.1f} s, limit 3 s",
    )  # fmt: skip


def test_without_a_second_process_what_was_begun_is_done_when_its_results_are_due():
    with Second() as second:
        second.begin([os.getpid])
        assert second.results([os.getpid]) == [os.getpid()]


@pytest.mark.usefixtures("two")
def test_an_error_is_raised_as_without_it():
    with Second(ready) as second, pytest.raises(ValueError, match="as it does"):
        second.results([fails, partial(process, 1.0, 0)])


@pytest.mark.parametrize("cores", [1, 2])
def test_on_one_core_and_where_no_python_can_be_started_all_is_done_here(monkeypatch, cores):
    monkeypatch.setattr(module, "cores", lambda: cores)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Second(ready) as second:
        assert second.pid is None
        assert second.results([os.getpid, os.getpid]) == [os.getpid()] * 2


SCRIPT = """
import os
from ablation.report.render import second
second.cores = lambda: 2
print("once")
with second.Second(os.getpid) as helper:
    assert helper.results([os.getpid] * 2)
"""


def test_a_script_without_a_guard_is_run_once(tmp_path, environment):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    made = subprocess.run([sys.executable, script], env=environment, capture_output=True, check=True, text=True)
    assert made.stdout == "once\n"
    assert made.stderr == ""
