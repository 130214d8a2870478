"""A second Python process, beside which this one works: a report's maps and figures take seconds on one core.

It runs whatever can be pickled, and is no more than a help: what it cannot do, or was doing when it died, is done here.
It is a fresh Python, which knows nothing of the script that made it: a fork would inherit locks of threads, and what
`multiprocessing` spawns would run a script without a guard once more.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ablation.core.processes import end, ended_after, start
from ablation.data.readers import cores

Task = Callable[[], Any]

LIMIT = 600.0
"""Seconds for one task, which takes some tenths: a process that stands still is ended, and the task done here."""


class Second:
    """A process that runs tasks at the same time as this one; closed at the end of its block.

    prepare: what it does first, as importing what the tasks need; without it there is no second process.
    """

    def __init__(self, prepare: Task | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: list[Task] = []
        self._waiting: deque[tuple[int, Task]] = deque()
        self._answers: dict[int, Any] = {}
        self._thread: threading.Thread | None = None
        if prepare is None or cores() < 2 or not sys.executable:
            return
        try:
            self._process = start("ablation.report.render.second", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            with ended_after(LIMIT, self._process):
                self._send(pickle.dumps(sys.path) + pickle.dumps(prepare))
        except OSError:
            self._close()

    def __enter__(self) -> Second:
        return self

    def __exit__(self, *error: object) -> None:
        self._waiting.clear()
        self._close()
        if self._thread is not None:
            self._thread.join()

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none: one core, or it could not be started."""
        return self._process.pid if self._process else None

    def begin(self, tasks: Sequence[Task]) -> None:
        """Have the second process begin with these, whose `results` will be asked for: tasks that are equal are one.

        Once at most.
        """
        if self._process is None or self._thread is not None:
            return
        self._begun, self._waiting = list(tasks), deque(enumerate(tasks))
        self._thread = self._helping(self._waiting, self._answers)

    def results(self, tasks: Sequence[Task], slow: int = 0) -> list[Any]:
        """The results of the tasks, in their order. This process begins with the last, the second with the first.

        slow: so many, which come first, take long here, as they import what only the second process has imported: the
        last of them that waits is left to it.
        """
        begun = self._taken_over()
        waiting = deque((number, task) for number, task in enumerate(tasks) if task not in begun)
        done: dict[int, Any] = {}
        helper = self._helping(waiting, done, self._thread)
        try:
            _work(waiting, done, slow if self._process else 0)
            helper.join()
        except BaseException:
            waiting.clear()
            helper.join()
            raise
        for number, task in enumerate(tasks):
            if task in begun and begun.index(task) in self._answers:
                done[number] = self._answers[begun.index(task)]
        waiting.extend((number, task) for number, task in enumerate(tasks) if number not in done)
        _work(waiting, done)  # what the second process has given back
        return [done[number] for number in range(len(tasks))]

    def _taken_over(self) -> list[Task]:
        """What was begun and is done there or will be; what has not been sent yet waits no longer."""
        unsent = set()
        with suppress(IndexError):
            while True:
                unsent.add(self._waiting.pop()[0])
        return [task for number, task in enumerate(self._begun) if number not in unsent]

    def _helping(
        self, waiting: deque[tuple[int, Task]], done: dict[int, Any], after: threading.Thread | None = None
    ) -> threading.Thread:
        """A thread that has these run there, when that of `after` has ended: one task is there at a time."""

        def run() -> None:
            if after is not None:
                after.join()
            self._help(waiting, done)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _help(self, waiting: deque[tuple[int, Task]], done: dict[int, Any]) -> None:
        """Have tasks run there for as long as there are some, and give back the first that fails."""
        while self._process is not None and waiting:
            try:
                number, task = waiting.popleft()
            except IndexError:
                return
            try:
                content = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
            except Exception:  # whatever an object raises that cannot be pickled
                waiting.appendleft((number, task))
                return
            try:
                with ended_after(LIMIT, self._process):
                    self._send(content)
                    done[number] = self._receive()
            except Exception:  # it died, or its answer cannot be read: no later answer is believed
                waiting.appendleft((number, task))
                self._close()

    def _send(self, content: bytes) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(content)
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process
        assert self._process.stdout
        return pickle.load(self._process.stdout)

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        end(process)  # it holds nothing that could be lost
        for pipe in (process.stdin, process.stdout):
            assert pipe
            with suppress(BrokenPipeError):
                pipe.close()


def _work(waiting: deque[tuple[int, Task]], done: dict[int, Any], slow: int = 0) -> None:
    """Run what waits, the last first, but one of the first `slow` tasks where only that waits."""
    while waiting:
        try:
            if len(waiting) == 1 and waiting[0][0] < slow:
                return
            number, task = waiting.pop()
        except IndexError:  # the second process has just taken it
            return
        done[number] = task()


def serve() -> None:
    """The second process's own end: what it reads it runs, until there is no more; one that fails is not answered."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints is not an answer
    with suppress(Exception):
        sys.path[:] = pickle.load(sys.stdin.buffer)
        pickle.load(sys.stdin.buffer)()
        while True:
            result = pickle.load(sys.stdin.buffer)()
            answers.write(pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
            answers.flush()


if __name__ == "__main__":
    serve()
