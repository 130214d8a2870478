"""What runs on a Dask worker: it leads one of our own worker processes (`training.worker`) through a run.

The process is kept for the next run: it has imported torch, and has the data and a compiled network. What crashes in a
training takes the Dask worker nothing. It ends with the Dask worker, however that ends, when the task is cancelled or
its caller has vanished (Dask releases the tasks of a client that is gone), and after `IDLE` seconds without a run.

Imports no torch, and never a user's code: that is for the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ablation.core.errors import AblationError, DataError, InputError
from ablation.core.values import unchecked
from ablation.experiment.seal import JOURNAL_FILE, digest_of_file
from ablation.experiment.spec import RunSpec
from ablation.training.causes import failure_of
from ablation.training.cluster.answers import FILES
from ablation.training.cluster.machine import PART, Machine, NoAnswer, Stopped
from ablation.training.cluster.session import Item, Session, differences, versions
from ablation.training.crew import choose_devices
from ablation.training.worker import Worker, WorkerDied

IDLE = 60.0
"""Seconds that a process is kept without a run."""

GLANCE = 0.3
"""Seconds from one look at whether tasks are still wanted to the next."""

BETWEEN = 0.5
"""Seconds from one epoch of a run that the caller is told of to the next."""

LOG_FILE = "cluster.log"
"""In the folder of the caller's runs: what processes printed whose runs failed."""

SHOWN = 4096
"""Bytes of what a process printed that come with a failure."""

EXECUTING = ("executing", "long-running", "resumed")
"""How a task stands on its Dask worker that somebody waits for."""


# --- the processes that train


@dataclass
class Seat:
    """One process that trains, and what it is bound to."""

    worker: Worker
    key: tuple[str, str]
    """The session and the folder that it works in."""
    lease: FileLock | None = None
    """On a GPU."""
    idle_since: float = 0.0
    is_wanted: Callable[[], bool] = field(default=lambda: True)

    def end(self, grace: float = 0.0) -> None:
        self.worker.stop(grace)
        if self.lease is not None:
            self.lease.release(force=True)


_seats: list[Seat] = []
_busy: list[Seat] = []
_lock = threading.Lock()
_watching = False


def _watch() -> None:
    """End processes whose task nobody wants any more, and those that had no run for long."""
    while True:
        time.sleep(GLANCE)
        with _lock:
            unwanted = [seat for seat in _busy if not seat.is_wanted()]
            old = [seat for seat in _seats if time.monotonic() - seat.idle_since > IDLE]
            _seats[:] = [seat for seat in _seats if seat not in old]
        for seat in (*unwanted, *old):
            seat.end()


def _start_watching() -> None:
    global _watching
    with _lock:
        if not _watching:
            _watching = True
            threading.Thread(target=_watch, daemon=True, name="ablation").start()


@contextmanager
def _seated(machine: Machine, folder: Path, is_wanted: Callable[[], bool]) -> Iterator[Worker]:
    """A process for a run, whose working folder is `folder`."""
    _start_watching()
    key = (machine.session.id, str(folder))
    with _lock:
        seat = next((seat for seat in _seats if seat.key == key), None)
        others = [other for other in _seats if other.key[0] != key[0]]  # of a sweep before this one
        _seats[:] = [other for other in _seats if other is not seat and other not in others]
    for other in others:
        other.end()
    seat = seat or _take_seat(machine, folder, key)
    seat.is_wanted = is_wanted
    with _lock:
        _busy.append(seat)
    try:
        yield seat.worker
    finally:
        with _lock:
            _busy.remove(seat)
            kept = is_wanted()
            if kept:
                seat.idle_since = time.monotonic()
                _seats.append(seat)
        if not kept:
            seat.end()


def _take_seat(machine: Machine, folder: Path, key: tuple[str, str]) -> Seat:
    session = machine.session
    device, lease = _free_device(machine)
    number = 0 if lease is None else int(device.rpartition(":")[2] or 0)
    log = machine.home / "logs" / f"{session.id}-{os.getpid()}-{threading.get_ident()}-{number}.log"
    options = (session.keep_weights, session.checkpoint_every, session.execution, folder)
    return Seat(Worker(device, machine.cache, log, *options, timeout=session.timeout), key, lease)


def _free_device(machine: Machine) -> tuple[str, FileLock | None]:
    """A device for one process: of several GPUs one that no other process of this machine has, where there is one."""
    devices = list(dict.fromkeys(choose_devices(machine.session.device, None, 10**6)))
    if devices[0] == "cpu":
        return "cpu", None
    folder = machine.home / "devices"
    folder.mkdir(parents=True, exist_ok=True)
    for device in devices:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(",", "-")
        lease = FileLock(folder / f"{visible}-{device.replace(':', '-')}.lock", thread_local=False)
        with suppress(Timeout):
            lease.acquire(blocking=False)
            return device, lease
    return devices[os.getpid() % len(devices)], None


# --- what the caller calls

Act = Callable[[Machine, dict[str, Any], Callable[[], bool]], dict[str, Any]]


def examine(session: str) -> dict[str, Any]:
    """What of this machine must be as the caller's is; problems: what it cannot do that is asked for."""
    given = Session.from_json(session)
    problems, devices = [], [""]
    try:
        devices = list(dict.fromkeys(choose_devices(given.device, None, 10**6)))
        for device in devices:
            given.execution.check(device)
    except InputError as error:
        problems = [problem.message for problem in error.problems]
    return {"host": platform.node(), "device": devices[0], "versions": versions(), "problems": problems}


def train(session: str, request: str) -> str:
    """Train a run: how that ended and what is to be brought home, as JSON. Raises nothing that is a run's own fault."""
    return json.dumps(_answered(session, request, _train))


def try_out(session: str, request: str) -> str:
    """Do a dry run: what is wrong with it, as JSON."""
    return json.dumps(_answered(session, request, _try_out))


def _answered(session: str, request: str, act: Act) -> dict[str, Any]:
    from distributed import get_worker

    given, form = Session.from_json(session), json.loads(request)
    worker = get_worker()
    key = worker.get_current_task()
    about = {"host": platform.node(), "address": worker.address, "number": form["number"]}

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state in EXECUTING and worker.status.name in ("running", "paused", "init")

    def check() -> None:
        if not is_wanted():
            raise Stopped

    def tell(message: dict[str, Any]) -> None:
        with suppress(Exception):  # a scheduler that is gone: whatever is only told costs nothing
            worker.log_event(given.topic, {**message, **about})

    if wrong := differences(versions(), given.versions):
        return {"event": "refused", "reason": wrong, **about}
    machine = Machine(given, _home(worker), tell, check)
    try:
        return {**act(machine, form, is_wanted), **about}
    except Stopped:
        return {"event": "stopped", **about}
    except WorkerDied as death:
        if not is_wanted():
            return {"event": "stopped", **about}
        return {"event": "failed", "cause": death.cause, "reason": str(death), **about}
    except (AblationError, OSError, NoAnswer) as error:
        return {"event": "failed", **failure_of(error, given.device, machine.home)._asdict(), **about}


def _train(machine: Machine, form: dict[str, Any], is_wanted: Callable[[], bool]) -> dict[str, Any]:
    for item in form["items"]:
        machine.provide(Item(*item))
    runs = machine.runs
    shared = runs == Path(machine.session.runs)
    code = machine.folder_of(Item("code", form["code"]))
    ended: dict[str, Any] = {}
    sent = 0.0
    with _seated(machine, code, is_wanted) as worker:
        try:
            for event in worker.carry_out({**form["run"], "root": str(runs)}):
                ended = event
                if event["event"] != "epoch" or time.monotonic() - sent >= BETWEEN:
                    sent = time.monotonic()
                    machine.tell({"run": event, "shared": shared})
        except WorkerDied as death:
            ended = {"event": "failed", "cause": death.cause, "reason": str(death), "written": False}
        printed = _tail(worker.log) if ended["event"] == "failed" else ""
    machine.check()
    return {
        **ended,
        "written": ended.get("written", True),
        "shared": shared,
        "folder": "" if shared else str(runs / form["run"]["id"]),
        "files": [] if shared else _files(runs / form["run"]["id"], ended["event"]),
        "printed": printed,
        "log": str(worker.log),
    }


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - SHOWN))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _files(folder: Path, outcome: str) -> list[tuple[str, int, str]]:
    """Name, size and SHA-256 of what a run has left that is to be brought home."""
    wanted = FILES if outcome in ("finished", "diverged") else (JOURNAL_FILE,)
    files = [folder / name for name in wanted]
    return [(file.name, file.stat().st_size, digest_of_file(file)) for file in files if file.is_file()]


def _try_out(machine: Machine, form: dict[str, Any], is_wanted: Callable[[], bool]) -> dict[str, Any]:
    for item in form["items"]:
        machine.provide(Item(*item))
    with unchecked():  # the code that they name is not where this process works
        specs = list(map(RunSpec.from_plain, form["specs"]))
    try:
        with _seated(machine, machine.folder_of(Item("code", form["code"])), is_wanted) as worker:
            worker.try_out(specs, form["classes"])
    except AblationError as error:
        problems = [[problem.message, problem.where] for problem in error.problems]
        return {"event": "tried", "problems": problems, "data": isinstance(error, DataError)}
    return {"event": "tried", "problems": []}


def part(folder: str, name: str, offset: int) -> bytes:
    """Bytes of a run's file from `offset` on, at most `PART`."""
    if name not in FILES:
        raise ValueError(f"{name!r} is no file of a run")
    with (Path(folder) / name).open("rb") as file:
        file.seek(offset)
        return file.read(PART)


def discard(folder: str) -> None:
    """Remove a run that was brought home, or that is of no use."""
    shutil.rmtree(folder, ignore_errors=True)


async def close(session: str, grace: float, dask_worker: Any) -> None:
    """End the processes of a session on this Dask worker: at once, or within `grace` seconds by a checkpoint."""
    with _lock:
        ending = [seat for seat in (*_seats, *_busy) if seat.key[0] == session]
        _seats[:] = [seat for seat in _seats if seat not in ending]
    await asyncio.gather(*(asyncio.to_thread(seat.end, grace) for seat in ending))
    shutil.rmtree(_home(dask_worker) / "sessions" / session, ignore_errors=True)


def _home(worker: Any) -> Path:
    """Our folder on the machine of a Dask worker, which all of its workers there have in common.

    Its name is no module's: Dask puts the folder above it into `sys.path`, where `ablation` would hide this program.
    """
    return Path(worker.local_directory).parent / "ablation-files"
