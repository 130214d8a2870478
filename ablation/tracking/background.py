"""Publishing beside training: one thread of the command's process writes to MLflow, and nothing waits for it meanwhile.

What is to be published waits in a queue, by the run and not by its content: written is what lies in the runs folder
when its turn comes. Of runs that are being trained the epochs so far are written now and then. A server that does not
take something is tried again after a pause, and once more at the end; one that is slow is waited for. Where the command
ends before all is written, `ablation sync` writes the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ablation.core.text import counted
from ablation.experiment.runs import Held, Run
from ablation.tracking.client import Tracker

PAUSE = 30.0
"""Seconds until a server that did not take something is tried again."""

BEHIND = 2.0
"""Seconds that a run waits to be published before it counts as behind: a local store takes a tenth of that a run."""

FOLLOW = 5.0
"""Seconds after which a run that is being trained is shown in MLflow, and from then on from one look at it to the next.
A shorter one is published once, when it has ended: where runs are quick nothing is written twice."""

INTERRUPTED = 0.5
"""Seconds that an interrupted command gives to what is just being written."""


class _Task(NamedTuple):
    runs: dict[str, tuple[Run, float]]
    """By their ids, with the time since when they wait."""
    whole: bool
    """Whether everything is published, and not one run."""
    following: tuple[Run, ...]
    """Or those in training, of which the epochs so far are."""
    held: Mapping[str, Held] | None
    last: bool
    """Whether the command waits for it, so that it is not tried again."""


class Background:
    """Publishes by a tracker, which nothing else may use meanwhile, in a thread that starts with the first run.

    Use it as a context manager: an exception that leaves the block ends it, at most `INTERRUPTED` seconds later. No
    method raises.
    """

    def __init__(self, tracker: Tracker, pause: float = PAUSE, follow: float = FOLLOW):
        self.tracker, self.pause, self.seconds = tracker, pause, follow
        self._changed = threading.Condition()
        self._waiting: dict[str, tuple[Run, float]] = {}  # by id: since when
        self._all = self._busy = self._finishing = self._stopped = False
        self._held: Mapping[str, Held] | None = None
        self._due: dict[str, float] = {}  # by id, of each run in training: when it is shown next
        self._news: dict[str, Run] = {}  # those that have begun or ended an epoch since
        self._shown: dict[str, Run] = {}  # those that MLflow may show as running
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self.stop()

    def publish(self, run: Run) -> None:
        """Publish this run when its turn comes, as `Tracker.publish`; returns at once."""
        with self._changed:
            self._waiting[run.spec.id] = (run, time.monotonic())
            self._due.pop(run.spec.id, None)
            self._news.pop(run.spec.id, None)
            self._wake()

    def follow(self, run: Run) -> None:
        """Take note that a run has begun, or ended an epoch; it is shown in MLflow a while later. Returns at once."""
        with self._changed:
            self._due.setdefault(run.spec.id, time.monotonic() + self.seconds)
            if run.spec.id not in self._news:
                self._news[run.spec.id] = run
                self._wake()

    def publish_all(self, held: Mapping[str, Held] | None = None) -> None:
        """Publish everything when the runs are published that wait, as `Tracker.publish_all`; returns at once."""
        with self._changed:
            self._all, self._held = True, held
            self._wake()

    def backlog(self) -> int:
        """How many runs ended more than `BEHIND` seconds ago that are not in MLflow yet, as far as is known."""
        late = time.monotonic() - BEHIND
        with self._changed:
            return max(sum(since < late for _, since in self._waiting.values()), self.tracker.left)

    def finish(self, sync: str, wait: Callable[[int], None], say: Callable[[str], None]) -> bool:
        """Wait until all is published; False where something could not be, and then `say` is given a line on it.

        wait: is called about ten times a second with the runs that are to be published, from the second second on, and
        may raise KeyboardInterrupt: then the rest is left. sync: the command that publishes it.
        """
        with self._changed:
            self._finishing = True
            self._changed.notify_all()
        begun = time.monotonic()
        try:
            while self._working():
                if time.monotonic() - begun > 1:
                    wait(self._left())
        except KeyboardInterrupt:
            self.stop()
            say(f"{self._lacking()}; {sync} publishes the rest")
            raise
        if self._stopped:
            say(f"{self._lacking()}; {sync} publishes the rest when that is there")
        return not self._stopped

    def stop(self) -> None:
        """End without publishing what waits; what is just being written has `INTERRUPTED` seconds.

        Where runs are shown as running, it has four times that: MLflow shall not go on to say so.
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            seconds = 4 * INTERRUPTED if self._shown else INTERRUPTED
            self._changed.wait_for(lambda: not (self._busy or self._shown), seconds)

    def _lacking(self) -> str:
        left = self._left()
        return f"MLflow at {self.tracker.store} lacks {counted(left, 'run') if left else 'what is new'}"

    def _left(self) -> int:
        with self._changed:
            return max(len(self._waiting), self.tracker.left)

    def _is_over(self) -> bool:
        idle = not (self._waiting or self._all or self._busy)
        return self._stopped or idle or (self._thread is not None and not self._thread.is_alive())

    def _working(self) -> bool:
        """Whether there is something to wait for, a tenth of a second later."""
        with self._changed:
            return not self._changed.wait_for(self._is_over, 0.1)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="MLflow", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            if task.whole:
                self.tracker.publish_all(held=task.held)
            elif task.following:
                for run in task.following:
                    self.tracker.follow(run)
            else:
                [(run, _)] = task.runs.values()
                self.tracker.publish(run)
            failed = self.tracker.off
            with self._changed:
                self._settle(task, failed)
                self._changed.notify_all()
                if failed:
                    self._changed.wait_for(lambda: self._stopped or self._finishing, self.pause)
            if failed:
                self.tracker.again()
        if self._shown:
            self.tracker.abandon(list(self._shown.values()))
        with self._changed:
            self._shown.clear()
            self._changed.notify_all()

    def _next(self) -> _Task | None:
        """Wait for something to do; None when there is nothing more to be done."""
        with self._changed:
            while not (self._stopped or self._waiting or self._all or (following := self._following())):
                self._changed.wait(self._until_due())
            if self._stopped:
                return None
            self._busy, whole = True, self._all
            if not (whole or self._waiting):
                for run in following:
                    del self._news[run.spec.id]
                return _Task({}, False, following, None, False)
            self._all = False
            runs = dict(self._waiting) if whole else dict([next(iter(self._waiting.items()))])
            return _Task(runs, whole, (), self._held, self._finishing)

    def _until_due(self) -> float | None:
        """Seconds until a run in training is to be shown; None where none has anything new."""
        return min((max(0.0, self._due[key] - time.monotonic()) for key in self._news), default=None)

    def _following(self) -> tuple[Run, ...]:
        """The runs in training that are to be shown now."""
        now = time.monotonic()
        return tuple(run for key, run in self._news.items() if self._due[key] <= now)

    def _settle(self, task: _Task, failed: bool) -> None:
        """Take what was published off the queue, or put it behind the others. What ended again meanwhile stays."""
        for run in task.following:
            self._shown[run.spec.id] = run
            if run.spec.id in self._due:  # it has not ended meanwhile
                self._due[run.spec.id] = time.monotonic() + self.seconds * (not failed)
                if failed:
                    self._news[run.spec.id] = run
        for key, entry in task.runs.items():
            if self._waiting.get(key) is entry:
                del self._waiting[key]
                if failed:
                    self._waiting[key] = entry
                else:
                    self._shown.pop(key, None)
        if failed and task.whole:
            self._all, self._held = True, None  # what was read of the runs is no longer new
        self._busy = False
        self._stopped = self._stopped or (failed and task.last)
