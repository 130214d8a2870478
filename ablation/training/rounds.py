"""The rounds of a sweep: every run once, those that failed again, those of another process when it has left them.

Knows a crew by its protocol, and how each run ended by the events that it sends.
"""

from __future__ import annotations

import json
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ablation.core.errors import HeldError, InputError, TryAgainError
from ablation.core.files import is_locked, read_file, remove_unfinished, write_json
from ablation.core.text import counted
from ablation.experiment.experiment import Experiment
from ablation.experiment.runs import Run, history_of
from ablation.training.crew import Crew
from ablation.training.policy import Policy
from ablation.training.watch import Watch

ALIKE = 3
"""So many runs that end first and fail alike end the sweep: the others would, too."""

POLL = 0.5
"""Seconds between two looks at what another process trains."""

INTERRUPTIONS = 3
"""So often is a run taken up again whose worker was told to end while the sweep goes on."""

LOCK_FILE, HOLDER_FILE = "sweep.lock", "sweep.json"
"""In the folder of an experiment's runs: held by the first of the processes that train it, and who that is."""


class Holder(NamedTuple):
    """Who trains a run: the host, and there the process that was started by a person; None where that is not known."""

    host: str = ""
    process: int | None = None

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}" if self.host else "another process"


def holder_of(run: Run) -> Holder:
    """Who has taken up the run last, as its journal has it."""
    for event in reversed(run.journal.events()):
        if event["event"] == "started":
            return _holder(event)
    return Holder()


def _holder(event: dict[str, Any]) -> Holder:
    return Holder(str(event.get("host", "")), event.get("command"))


def refuse_held(root: Path, runs: Sequence[Run]) -> None:
    """Raise HeldError where another process trains some of these runs, or is about to. Nothing is written."""
    held = [run for run in runs if is_locked(run.folder / "lock")]
    if is_locked(root / LOCK_FILE):
        raise _held(root, first_holder(root))
    if held:
        raise _held(root, holder_of(held[0]))


def _held(root: Path, who: Holder) -> HeldError:
    return HeldError(f"{who} trains the runs in {root}; without --no-join this command helps, and waits for the rest")


def first_holder(root: Path) -> Holder:
    """Who was the first to train the experiment whose runs are in `root`, of those that do so now."""
    try:
        form = json.loads(read_file(root / HOLDER_FILE))
        return Holder(str(form["host"]), int(form["process"]))
    except (OSError, ValueError, LookupError, TypeError):
        return Holder()


def forget_holder(root: Path) -> None:
    """Remove what a first process that was killed has left, where none trains now and it can be removed."""
    if not (root / HOLDER_FILE).exists():
        return
    with suppress(OSError, Timeout), FileLock(root / LOCK_FILE).acquire(blocking=False):
        (root / HOLDER_FILE).unlink(missing_ok=True)


@contextmanager
def entered(root: Path, join: bool) -> Iterator[bool]:
    """Within the block other processes know that this one trains the experiment; True for the first of them.

    Raises HeldError for any other, unless it is to join.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not join:
            raise _held(root, first_holder(root)) from None
        yield False
        return
    except IsADirectoryError:
        raise InputError(f"{root / LOCK_FILE} is a folder, and must be a file: remove it") from None
    try:
        remove_unfinished(root / HOLDER_FILE)
        write_json(root / HOLDER_FILE, {"host": platform.node(), "process": os.getpid()})
        yield True
    finally:
        (root / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def train_all(
    experiment: Experiment,
    missing: Sequence[Run],
    others: Sequence[Run],
    crew: Crew,
    watch: Watch,
    ended: Callable[[Run], None],
    policy: Policy,
    helping: bool = False,
) -> str:
    """Train what is missing, with what the policy says of runs that fail; wait for those of another process.

    others: runs that have not finished either, and are not to be tried here; waited for where somebody else trains
    them. helping: whether another process trains the experiment, too. Returns why it ended before all were tried, '' if
    not so. Raises TryAgainError where a disk is full, and HeldError for runs that another process trains where nobody
    is to wait.
    """
    ledger = Ledger(watch, policy, (*missing, *others), helping)
    queue: Sequence[Run] = _spread(missing)
    while queue:
        for run in crew.train(experiment, queue, ledger):
            ended(run)
            if ledger.full:
                raise TryAgainError(f"{ledger.full}; make room: the same command goes on")
            if reason := ledger.why_to_stop():
                return reason
        if not (queue := ledger.next_round()) and (queue := ledger.take_alone()):
            crew.start(1)
        if not queue and (queue := _released(ledger, policy.join)):
            crew.start(len(queue))
    return ""


def _spread(runs: Sequence[Run]) -> list[Run]:
    """The same runs, first of all one of each of several recipes: where these fail alike it is not for the recipe."""
    first: dict[object, Run] = {}
    for run in runs:
        if len(first) < ALIKE:
            first.setdefault(repr(run.spec.recipe), run)  # a function of the author's own has a dict
    return [*first.values(), *(run for run in runs if run not in first.values())]


class Ledger(Watch):
    """How each run of a sweep ended, and what is to be done about it; passes on to the watch what that is to see."""

    def __init__(self, watch: Watch, policy: Policy, runs: Sequence[Run], helping: bool = False):
        self.watch, self.policy, self.runs, self.helping = watch, policy, runs, helping
        self.full = ""
        self.busy: set[str] = set()
        self.elsewhere: set[str] = set()
        self.finished: set[str] = set()
        self._tries: dict[str, int] = {}
        self._again: list[Run] = []
        self._alone: list[Run] = []
        self._was_alone: set[str] = set()
        self._first: list[str] = []
        self._failed: list[tuple[Run, str]] = []
        self._lock = threading.Lock()

    def note(self, message: str) -> None:
        """Pass it on."""
        self.watch.note(message)

    def event(self, run: Run, event: dict[str, Any]) -> None:
        """Note how the run ended; called from several threads."""
        kind = event["event"]
        with self._lock:
            if kind == "busy":
                self.busy.add(run.spec.id)
                shown = _note(f"{holder_of(run)} trains it")
            elif kind == "interrupted":
                shown = self._interrupted(run, event)
            elif kind == "failed":
                shown = self._fail(run, event)
            else:
                shown = event
                if kind == "started" and (left := self._left(run)):
                    self.watch.event(run, _note(f"{left} left it; it is trained here"))
                if kind in ("finished", "diverged"):
                    self._first.append("")
                    self.finished.add(run.spec.id)
        self.watch.event(run, shown)

    def _left(self, run: Run) -> Holder | None:
        """Who had taken up the run before this process, where there is or was another one beside it."""
        if not self.helping and run.spec.id not in self.elsewhere:
            return None
        started = [event for event in run.journal.events() if event["event"] == "started"]
        before, now = ([None, None] + [_holder(event) for event in started])[-2:]
        return before if before != now else None

    def end_elsewhere(self, run: Run, event: dict[str, Any]) -> None:
        """Note how another process ended the run."""
        if event["event"] != "failed":
            self.finished.add(run.spec.id)
        self.watch.event(run, event)

    def why_to_stop(self) -> str:
        """Why nothing more is to be trained, in a sentence; '' where it goes on."""
        if self.policy.fail_fast and self._failed:
            run, reason = self._failed[0]
            left = len(self.runs) - len(self.finished) - len(self._failed)
            others = f"{counted(left, 'run')} {'were' if left != 1 else 'was'} not trained"
            return f"ended at the first failure, of run {run.spec.id} (--fail-fast), and {others}: {reason}"
        first = self._first[:ALIKE]
        if len(first) == ALIKE < len(self.runs) and len(set(first)) == 1 and first[0]:
            reason = self._failed[0][1] if self._failed else first[0]
            return (
                f"the first {ALIKE} runs failed alike, and the others were not tried: {reason}; when that is mended "
                "the same command goes on, and with --no-retry-failed it trains the others alone"
            )
        return ""

    def next_round(self) -> list[Run]:
        """The runs that are tried again."""
        again, self._again = self._again, []
        return again

    def take_alone(self) -> list[Run]:
        """The runs that are tried again, one after another, as there was no memory for them beside others."""
        alone, self._alone = self._alone, []
        self._was_alone |= {run.spec.id for run in alone}
        return alone

    def _interrupted(self, run: Run, event: dict[str, Any]) -> dict[str, Any]:
        tries = self._tries[run.spec.id] = self._tries.get(run.spec.id, 0) + 1
        if tries > INTERRUPTIONS:
            return event
        self._again.append(run)
        return _note("its worker was told to end; it goes on from its checkpoint")

    def _fail(self, run: Run, event: dict[str, Any]) -> dict[str, Any]:
        reason, cause = event["reason"], event.get("cause")
        if cause == "disk":
            self.full = reason
            return event
        if cause == "memory" and run.spec.id not in self._was_alone:
            self._alone.append(run)
            return _note(f"{reason}; it is tried again at the end, alone")
        self._first.append(re.sub(r"\d+", "#", reason))
        tries = self._tries[run.spec.id] = self._tries.get(run.spec.id, 0) + 1
        if tries <= self.policy.max_retries:
            self._again.append(run)
            return _note(f"failed: {reason}; it is tried again ({tries} of {self.policy.max_retries})")
        self._failed.append((run, reason))
        return event


def _note(message: str) -> dict[str, Any]:
    return {"event": "note", "message": message}


def _released(ledger: Ledger, join: bool) -> list[Run]:
    """Wait until another process has ended all runs that it trains, or left some: those, to be trained here.

    Raises HeldError where nobody is to wait.
    """
    open_runs = [run for run in ledger.runs if run.spec.id not in ledger.finished]
    held = [run for run in open_runs if run.spec.id in ledger.busy or is_locked(run.folder / "lock")]
    ledger.busy.clear()
    ledger.elsewhere |= {run.spec.id for run in held}
    shown: dict[str, int] = {}
    left: list[Run] = []
    while held and not left:
        still = [run for run in held if is_locked(run.folder / "lock")]
        for run in still:
            _show_epochs(run, ledger.watch, shown)
        for run in held:
            if run not in still:
                if (event := _how_it_ended(run)) is None:
                    left.append(run)
                else:
                    ledger.end_elsewhere(run, event)
        held = still
        if held and not join:
            raise _held(held[0].root, holder_of(held[0]))
        if held and not left:
            time.sleep(POLL)
    return left


def _show_epochs(run: Run, watch: Watch, shown: dict[str, int]) -> None:
    """Pass on the newest epoch of a run that another process trains."""
    history = history_of(run)
    if history and shown.get(run.spec.id) != history[-1]["epoch"]:
        shown[run.spec.id] = history[-1]["epoch"]
        watch.event(run, history[-1])


def _how_it_ended(run: Run) -> dict[str, Any] | None:
    """The event with which another process ended the run; None where it was left."""
    status = run.status()
    if status == "failed":
        return {"event": "failed", "reason": run.failure()}
    if status in ("finished", "diverged"):
        record = run.record()
        return {"event": status, **(record.metrics if record else {})}
    return {"event": "failed", "reason": run.altered()} if status == "altered" else None
