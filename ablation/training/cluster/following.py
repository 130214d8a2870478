"""The runs of a sweep while they are on a cluster: handed out, followed, given anew where a machine was lost, taken up.

One thread does it all, but for fetching files. It holds the lock of each run that a machine without our runs folder
trains, and keeps the run's journal here as its events come in, so that `ablation status` shows it; a lost event costs
nothing, as the whole journal comes with the result. Of a machine that shares the folder nothing is written here.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, Timeout

from ablation.core.errors import InputError, TryAgainError
from ablation.core.files import Journal
from ablation.experiment.experiment import Experiment
from ablation.experiment.runs import Run, history_of
from ablation.training.cluster import answers, task
from ablation.training.cluster.connection import Connection, Member, slots, workers_of
from ablation.training.cluster.session import Session
from ablation.training.watch import Watch
from ablation.training.worker import ENDINGS, LOCK_SECONDS, request_of

TRIES = 6
"""A run is given to a machine so many times at most, where machines are lost with it."""

LOOK = 0.1
"""Seconds between two looks at what has ended."""

LOOK_FOR_WORKERS = 2.0
"""Seconds between two looks at which Dask workers there are."""

STOPPING = 3.0
"""Seconds in which the thread should have ended once it is stopped."""

VISIBLE = 30.0
"""Seconds within which a shared folder shows here what another machine has written."""

RESULTS = ("finished", "diverged")


@dataclass
class Attempt:
    """A run that was handed out. number: unlike that of any other attempt."""

    run: Run
    number: str
    future: Any
    lock: BaseFileLock | None = None
    before: bytes = b""
    """Of the run's journal: what is kept when that of the machine comes."""
    host: str = ""
    address: str = ""
    """Of the Dask worker that has said something of it."""
    fetching: Future[None] | None = None
    answer: Mapping[str, Any] | None = None
    finished_at: float = 0.0


class Lost(Exception):
    """A machine no longer answers."""


class Following:
    """The runs of one sweep. `ended` gives each when it has ended, or an exception that ends the sweep."""

    def __init__(
        self,
        connection: Connection,
        session: Session,
        experiment: Experiment,
        missing: Sequence[Run],
        items: list[tuple[str, str]],
        code: str,
        watch: Watch,
        events: queue.SimpleQueue[dict[str, Any]],
        at_once: int,
        members: Mapping[str, Member],
    ):
        self.connection, self.client, self.session = connection, connection.client, session
        self.experiment, self.items, self.code, self.watch, self.events = experiment, items, code, watch, events
        self.total, self.at_once = len(missing), at_once
        self.waiting = deque(missing)
        self.open: dict[str, Attempt] = {}
        self.tries: dict[str, int] = {}
        self.hosts = {address: member.host for address, member in members.items()}
        """Of the Dask workers that are not lost, as far as they are known."""
        self.refused: set[str] = set()
        """Addresses of machines that joined later, and have other versions."""
        self.ended: queue.SimpleQueue[Run | BaseException] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(4, "ablation-fetching")
        self._gpu = slots(self.client, session.device)[1]
        self._looked_at, self._alone = time.monotonic(), False
        self._stopped = False
        self._thread = threading.Thread(target=self._follow, daemon=True, name="ablation-following")

    def start(self) -> None:
        """Follow all runs to their ends; what goes wrong with the cluster ends up in `ended`."""
        self._thread.start()

    def _follow(self) -> None:
        try:
            while (self.open or self.waiting) and not self._stopped:
                while self.waiting and len(self.open) < self.at_once:
                    self._hand_out(self.waiting.popleft())
                self._take_events()
                for attempt in list(self.open.values()):
                    self._look_at(attempt)
                self._look_for_workers()
        except BaseException as error:
            if not self._stopped:
                self.ended.put(error)
        finally:
            for attempt in self.open.values():
                self._let_go(attempt)

    def hand_out_no_more(self) -> None:
        """What ends from now on is not taken up, nor given to another machine."""
        self._stopped = True

    def stop(self) -> None:
        """Cancel all that is open."""
        self.hand_out_no_more()
        self._pool.shutdown(wait=False, cancel_futures=True)
        with suppress(Exception):
            self.client.cancel([attempt.future for attempt in list(self.open.values())], force=True)
        self._thread.join(STOPPING)  # it holds locks

    def _look_for_workers(self) -> None:
        """Say which Dask workers are gone, and, once, when there is none any more: the runs wait for another."""
        if not self.open or time.monotonic() - self._looked_at < LOOK_FOR_WORKERS:
            return
        self._looked_at = time.monotonic()
        try:
            workers = workers_of(self.client)
        except OSError:  # the scheduler is gone, as the futures will say
            return
        for address in [address for address in self.hosts if address not in workers]:
            self._report_lost(address)
        alone = not workers
        if alone and not self._alone:
            self._note(next(iter(self.open.values())).run, "no Dask worker is left: the runs wait for one to join")
        self._alone = alone

    def _report_lost(self, address: str) -> None:
        """Say, once, that a Dask worker is gone, and which runs it had."""
        host = self.hosts.pop(address, None)
        if host is None:
            return
        its = [attempt for attempt in self.open.values() if attempt.address == address and attempt.answer is None]
        for attempt in its:
            self._note(attempt.run, f"lost {host} ({address}); the run goes to another worker")
        if not its:
            self.watch.note(f"lost {host} ({address})")

    # --- handing out

    def _hand_out(self, run: Run) -> None:
        self.tries[run.spec.id] = self.tries.get(run.spec.id, 0) + 1
        run.prepare()
        number = f"{run.spec.id}-{uuid.uuid4().hex[:8]}"
        form = {"number": number, "items": self.items, "code": self.code, "run": request_of(run, self.experiment)}
        future = self.client.submit(
            task.train,
            self.session.to_json(),
            json.dumps(form),
            key=f"ablation-{number}",
            pure=False,
            resources={"GPU": 1} if self._gpu else None,
            workers=self._allowed(),
        )
        self.open[number] = Attempt(run, number, future)

    def _allowed(self) -> list[str] | None:
        """The Dask workers that a run may go to; None for all."""
        if not self.refused:
            return None
        allowed = [address for address in workers_of(self.client) if address not in self.refused]
        if not allowed:
            raise InputError("every Dask worker that is left has other versions than this machine")
        return allowed

    def _again(self, attempt: Attempt, why: str) -> None:
        """Hand a run out anew, unless that was done too often."""
        if self.tries[attempt.run.spec.id] >= TRIES:
            self._fail(attempt, "killed", f"{why}; that was the try number {TRIES}")
            return
        self._let_go(attempt)
        del self.open[attempt.number]
        self.waiting.appendleft(attempt.run)

    # --- events, which may be lost

    def _take_events(self) -> None:
        deadline = time.monotonic() + LOOK
        with suppress(queue.Empty):
            while (left := deadline - time.monotonic()) > 0:
                message = self.events.get(timeout=left)
                attempt = self.open.get(message.get("number", ""))
                event = message.get("run")
                if attempt is not None and attempt.answer is None and isinstance(event, dict):
                    self._see_on(attempt, message["address"], message["host"])
                    self._take_event(attempt, message, event)

    def _see_on(self, attempt: Attempt, address: str, host: str) -> None:
        """Take note of who trains a run. Dask moves one that has begun only where its worker is lost."""
        if attempt.address not in ("", address):
            self._report_lost(attempt.address)
        attempt.address = address
        self.hosts[address] = host

    def _take_event(self, attempt: Attempt, message: Mapping[str, Any], event: dict[str, Any]) -> None:
        if event["event"] in ENDINGS:
            return  # that is for the answer to say
        if not message["shared"]:
            if not self._hold(attempt, message["host"]):
                return
            if "time" in event:  # else it stands in no journal there either
                rest = {name: value for name, value in event.items() if name not in ("event", "time")}
                Journal(attempt.run.journal.path, lambda: event["time"]).note(event["event"], **rest)
        self.watch.event(attempt.run, event)

    def _hold(self, attempt: Attempt, host: str) -> bool:
        """Hold the run's lock as long as that machine trains it; False, and its end, where another process has it."""
        if attempt.lock is None:
            attempt.run.prepare()
            lock = attempt.run.lock()
            try:
                lock.acquire(timeout=LOCK_SECONDS)
            except Timeout:
                self.client.cancel([attempt.future], force=True)
                self._close(attempt, {"event": "busy"})
                return False
            attempt.lock = lock
        if attempt.host != host:
            attempt.host = host
            if history_of(attempt.run):
                attempt.run.journal.append("restarted", reason=f"trained on {host} from the beginning")
            attempt.before = answers.journal_of(attempt.run)
        return True

    # --- what has ended

    def _look_at(self, attempt: Attempt) -> None:
        if attempt.answer is not None:
            self._take_up(attempt, attempt.answer)
            return
        status = attempt.future.status
        if status == "finished":
            answer = json.loads(attempt.future.result())
            self._take_answer(attempt, answer)
        elif status == "error":
            error = attempt.future.exception()
            self._fail(attempt, "killed", f"Dask gave it up: {type(error).__name__}: {error}")
        elif status != "pending" and not self._stopped:
            finished = self.total - len(self.open) - len(self.waiting)
            lost = f"the Dask scheduler at {self.connection.address} is gone"
            kept = f"{finished} of {self.total} runs of this command are finished and kept"
            raise TryAgainError(f"{lost}; {kept}: start the cluster, and give the same command again")

    def _take_answer(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        event = answer["event"]
        if event == "refused":
            if answer["address"] not in self.refused:
                self.refused.add(answer["address"])
                self._note(attempt.run, f"{answer['host']} has other versions ({answer['reason']}); it gets no run")
            self.tries[attempt.run.spec.id] -= 1
            self._again(attempt, "")
        elif event in ("stopped", "interrupted"):
            self._again(attempt, f"the machine {answer['host']} ended while it trained it")
        elif event == "busy":
            self._close(attempt, {"event": "busy"})
        elif event in RESULTS or answer.get("files"):
            if answer["shared"] or self._hold(attempt, answer["host"]):
                attempt.answer, attempt.finished_at = answer, time.monotonic()
                if not answer["shared"]:
                    attempt.fetching = self._pool.submit(self._fetch, attempt.run, answer)
        else:
            written = bool(answer.get("written"))
            self._fail(attempt, answer.get("cause", "error"), self._reason(answer), written)

    def _fetch(self, run: Run, answer: Mapping[str, Any]) -> None:
        """Bring a run's files home, and check them. Raises Refused, Lost, and OSError for what is wrong here."""
        address = answer["address"]

        def part(name: str, offset: int) -> bytes:
            try:
                sent = self.client.run(task.part, answer["folder"], name, offset, workers=[address])
                content: bytes = sent[address]
            except Exception as error:  # of the network, or of that machine
                raise Lost(f"{type(error).__name__}: {error}") from error
            return content

        answers.bring_home(run, answer["files"], part)
        if answer["event"] in RESULTS:
            answers.check(run, answer["event"])

    def _take_up(self, attempt: Attempt, answer: Mapping[str, Any]) -> None:
        """Give what was fetched its names, once it is here."""
        if attempt.fetching is None:
            self._see_shared(attempt, answer)
            return
        if not attempt.fetching.done():
            return
        run, error = attempt.run, attempt.fetching.exception()
        if isinstance(error, answers.Refused):
            answers.drop(run)
            self._fail(attempt, "error", f"what {answer['host']} sent is not a result of this run: {error}")
        elif isinstance(error, Lost):
            answers.drop(run)
            self._again(attempt, f"its result could not be fetched from {answer['host']} ({error})")
            return
        elif error is not None:
            raise error
        else:
            answers.take_up(run, attempt.before)
            event = {name: value for name, value in answer.items() if name not in _INNER}
            if answer["event"] == "failed":
                self._fail(attempt, answer.get("cause", "error"), self._reason(answer), answer["written"])
            else:
                self._close(attempt, event)
        drop = partial(task.discard, answer["folder"])
        with suppress(RuntimeError):
            self._pool.submit(self._quietly, drop, answer["address"])

    def _see_shared(self, attempt: Attempt, answer: Mapping[str, Any]) -> None:
        """Believe a result in the shared folder when it is seen here, and whole."""
        held = attempt.run.held()
        if held.altered:
            self._fail(attempt, "error", held.altered)
        elif held.record is not None:
            self._close(attempt, {name: value for name, value in answer.items() if name not in _INNER})
        elif time.monotonic() - attempt.finished_at > VISIBLE:
            wrong = f"{answer['host']} says that it has finished, and {attempt.run.folder} has no record"
            self._fail(attempt, "error", wrong)

    def _quietly(self, call: Any, address: str) -> None:
        with suppress(Exception):
            self.client.run(call, workers=[address], on_error="ignore")

    def _reason(self, answer: Mapping[str, Any]) -> str:
        """Why a run failed on another machine; what it printed goes to a log here."""
        host, there = answer["host"], answer.get("log", "")
        reason, log = f"on {host}: {answer['reason']}", f"{host}:{there}"
        if answer.get("printed"):
            path = self._root / task.LOG_FILE
            with suppress(OSError), path.open("a", encoding="utf-8") as file:
                file.write(f"--- {answer['number']} on {host}\n{answer['printed']}\n")
                log = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
        return reason.replace(f"see {there}", f"see {log}") if there else reason

    @property
    def _root(self) -> Path:
        return Path(self.session.runs)

    def _fail(self, attempt: Attempt, cause: str, reason: str, written: bool = False) -> None:
        """The run has failed. written: its journal says so already."""
        failure = {"cause": cause, "reason": reason}
        if not written and self._hold(attempt, attempt.host):
            with suppress(OSError):
                attempt.run.journal.append("failed", **failure)
        if attempt.number in self.open:
            self._close(attempt, {"event": "failed", **failure})

    def _note(self, run: Run, message: str) -> None:
        """Tell people something that changes nothing for the run."""
        self.watch.event(run, {"event": "note", "message": message})

    def _close(self, attempt: Attempt, event: dict[str, Any]) -> None:
        self._let_go(attempt)
        self.open.pop(attempt.number, None)
        self.watch.event(attempt.run, event)
        self.ended.put(attempt.run)

    def _let_go(self, attempt: Attempt) -> None:
        if attempt.lock is not None:
            attempt.lock.release()
            attempt.lock = None


_INNER = ("written", "shared", "folder", "files", "printed", "log", "number", "host", "address")
"""What of an answer is for this file alone."""
