"""What a sweep calls: its runs are handed to a Dask cluster, followed, and taken up when they come back."""

from __future__ import annotations

import json
import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ablation.core.errors import AblationError, DataError, InputError, Problem, Terminated
from ablation.core.files import write_bytes
from ablation.data import Dataset
from ablation.experiment.experiment import Experiment
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.training.cluster import task
from ablation.training.cluster.connection import (
    Connection,
    Member,
    await_worker,
    compare,
    connect,
    log_to,
    members_in_words,
    slots,
)
from ablation.training.cluster.following import Following
from ablation.training.cluster.machine import PART, deliver
from ablation.training.cluster.session import Item, Offer, Session, code_name, code_of, items_of, key_of, versions
from ablation.training.crew import Training
from ablation.training.watch import Watch

ENDING = 3.0
"""Seconds that the cluster is given to hear that a sweep has ended."""


class ClusterCrew:
    """Dask workers on any machines; see `ablation.training.crew.Crew`, and `ablation.training.cluster`.

    root: the folder of the experiment's runs. cache: that of the cached images.
    """

    def __init__(self, root: Path, cache: Path, training: Training):
        self.root, self.cache, self.training = root, cache, training
        self.connection: Connection | None = None
        self.session = _session(root, cache, training)
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.offer = Offer(cache, {})
        self.following: Following | None = None
        self.members: dict[str, Member] = {}
        self._responders = ThreadPoolExecutor(4, "ablation-responder")
        self._marks: list[FileLock] = []
        self._at_once = 1
        self._stopped = False
        self._restore_logs: Callable[[], None] = lambda: None

    def start(self, runs: int) -> int:
        """See `Crew`: the number of runs that are trained at once by the Dask workers that are there now.

        Raises InputError where one of these has other versions, and TryAgainError where no cluster answers.
        """
        training = self.training
        if training.execution.per_device != 1:
            wrong = "on a cluster its Dask workers say how many runs a machine trains at once"
            raise InputError(f"per_device = {training.execution.per_device!r} (--per-device): {wrong}; leave it out")
        if self.connection is None:
            assert training.cluster is not None
            self.connection = connect(training.cluster)
            self._restore_logs = log_to(self.root / task.LOG_FILE)
            await_worker(self.connection.client)
            self.members = compare(self.connection.client, self.session)
            self.connection.client.subscribe_topic(self.session.topic, self._take_message)
        self._at_once = min(runs, training.jobs or runs)  # and not only as many as there are workers: more may join
        return max(1, min(slots(self.connection.client, training.device)[0], self._at_once))

    def start_best(self, runs: int, spec: RunSpec) -> int:
        """See `Crew`; nothing is measured."""
        return self.start(runs)

    def provide(self, images: Sequence[Dataset], weights: Sequence[str]) -> None:
        """See `Crew`: each machine asks for what it lacks when it has a run."""

    def try_out(self, networks: Sequence[tuple[RunSpec, ...]], classes: int) -> list[Future[AblationError | None]]:
        """See `Crew`; each by a Dask worker."""
        assert self.connection is not None
        client, gpu = self.connection.client, slots(self.connection.client, self.training.device)[1]
        self._mark(self.cache)

        def tried(network: tuple[RunSpec, ...]) -> AblationError | None:
            items, code = self._needs(network, cached=False)
            specs = [replace(spec, recipe=()).to_plain() for spec in network]
            form = {"number": uuid.uuid4().hex[:8], "items": items, "code": code, "specs": specs, "classes": classes}
            resources = {"GPU": 1} if gpu else None
            future = client.submit(
                task.try_out, self.session.to_json(), json.dumps(form), pure=False, resources=resources
            )
            return _problem_of(json.loads(future.result()), network[0])

        pool = ThreadPoolExecutor(max(1, len(networks)), "ablation-try-out")
        futures = [pool.submit(self._unless_stopped, tried, network) for network in networks]
        pool.shutdown(wait=False)
        return futures

    def _unless_stopped(self, tried: Any, network: tuple[RunSpec, ...]) -> AblationError | None:
        try:
            outcome: AblationError | None = tried(network)
            return outcome
        except AblationError as error:
            return error
        except Exception as error:  # Dask's own, as of a cluster that is gone
            if self._stopped:
                return None
            return InputError(f"{network[0].model} cannot be tried out: {type(error).__name__}: {error}")

    def train(self, experiment: Experiment, missing: Sequence[Run], watch: Watch) -> Iterator[Run]:
        """See `Crew`. Raises TryAgainError when the scheduler is lost; what was finished is kept."""
        assert self.connection is not None
        self._mark(self.cache)
        self._mark(self.root)
        items, code = self._needs([run.spec for run in missing])
        self.following = following = Following(
            self.connection,
            self.session,
            experiment,
            missing,
            items,
            code,
            watch,
            self.events,
            self._at_once,
            self.members,
        )
        watch.note(f"on {members_in_words(self.members)}")
        following.start()
        done = False
        try:
            for _ in missing:
                ended = following.ended.get()
                if isinstance(ended, BaseException):
                    raise ended
                yield ended
            done = True
        except Terminated:
            self.stop(self.training.grace)
            raise
        finally:
            if not done:
                self.stop()

    def _needs(self, specs: Sequence[RunSpec], cached: bool = True) -> tuple[list[tuple[str, str]], str]:
        """What these specs need, and the name of their code; from now on it is offered."""
        files = code_of(specs)
        code = code_name(files)
        self.offer.code[code] = files
        items = list(dict.fromkeys(item for spec in specs for item in items_of(spec, code)))
        self.offer.allowed |= set(items)
        return [(item.kind, item.name) for item in items if cached or item.kind != "cache"], code

    def _mark(self, folder: Path) -> None:
        """Leave a file by which a machine sees that it shares this folder, and a lock that it cannot take."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.session.mark
        if path.exists():
            return
        for other in folder.glob(".cluster-*.lock"):  # of a command that was killed
            with suppress(Timeout, OSError), FileLock(other).acquire(blocking=False):
                other.with_suffix("").unlink(missing_ok=True)
                other.unlink(missing_ok=True)
        lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)
        lock.acquire(timeout=ENDING)
        self._marks.append(lock)
        write_bytes(path, self.session.id.encode())

    def _take_message(self, event: tuple[float, Any]) -> None:
        """Take what a machine sends, in Dask's thread."""
        message = event[1]
        if not isinstance(message, dict):
            return
        if "ask" in message:
            with suppress(RuntimeError):  # it was stopped
                self._responders.submit(self._respond, message)
        else:
            self.events.put(message)

    def _respond(self, message: dict[str, Any]) -> None:
        """Send a machine what it asked for; where that fails it asks again."""
        assert self.connection is not None
        item = Item(*message["item"])
        content: Any = json.dumps(self.offer.files(item))
        if "name" in message:
            content = self.offer.part(item, message["name"], message["offset"], PART)
        self.connection.client.run(deliver, message["ask"], content, workers=[message["address"]], on_error="ignore")

    def stop(self, grace: float = 0.0) -> None:
        """See `Crew`. A cluster that was started here is ended."""
        self._stopped = True
        self._responders.shutdown(wait=False, cancel_futures=True)
        connection, self.connection = self.connection, None
        if self.following is not None:
            self.following.hand_out_no_more()
            if connection is not None and grace:
                self._close(connection, grace)  # before the tasks are cancelled, which would end them at once
            self.following.stop()
        if connection is not None:
            self._close(connection)
            connection.close()
            self._restore_logs()
        for lock in self._marks:
            path = Path(lock.lock_file)
            path.with_suffix("").unlink(missing_ok=True)
            lock.release(force=True)
            path.unlink(missing_ok=True)
        self._marks = []

    def _close(self, connection: Connection, grace: float = 0.0) -> None:
        """End our processes on all machines, which have `grace` seconds to leave checkpoints."""

        def close() -> None:
            with suppress(Exception):  # a cluster that is gone has ended them itself
                if connection.client.status == "running":
                    connection.client.run(task.close, self.session.id, grace, on_error="ignore")

        farewell = threading.Thread(target=close, daemon=True)
        farewell.start()
        farewell.join(grace + ENDING)


def _session(root: Path, cache: Path, training: Training) -> Session:
    return Session(
        id=uuid.uuid4().hex[:16],
        key=key_of(root),
        runs=str(root.absolute()),
        cache=str(cache.absolute()),
        shared=_may_share(),
        device=training.device,
        keep_weights=training.keep_weights,
        checkpoint_every=training.checkpoint_every,
        step=training.execution.step,
        memory_format=training.execution.memory_format,
        timeout=training.timeout,
        versions=versions(),
    )


def _may_share() -> bool:
    """Whether folders may be shared: Dask's setting `ablation.shared-folders` (DASK_ABLATION__SHARED_FOLDERS)."""
    try:
        from dask import config
    except ImportError:  # `connect` says what is missing
        return True
    return bool(config.get("ablation.shared-folders", True))


def _problem_of(answer: dict[str, Any], spec: RunSpec) -> AblationError | None:
    """What is wrong, by the answer to a dry run; None for nothing."""
    if answer["event"] != "tried":
        reason = answer.get("reason", answer["event"])
        return InputError(f"{spec.model} cannot be tried out on {answer['host']}: {reason}")
    problems = [Problem(*problem) for problem in answer["problems"]]
    if not problems:
        return None
    return (DataError if answer["data"] else InputError)(problems)
