"""Training what is missing: each missing run to a free worker. The only home of joblib.

joblib's threads each lead one worker process (`training.worker`) through its runs, so that a worker that dies takes
nothing with it: its run is marked as failed, a new worker is started, and the sweep goes on.
"""

from __future__ import annotations

import queue
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from filelock import Timeout
from joblib import Parallel, delayed
from joblib import cpu_count as cpu_count

from ablation.core.errors import InputError, attempt
from ablation.data import build, listing
from ablation.experiment.experiment import Experiment
from ablation.experiment.preregistration import preregister
from ablation.experiment.runs import Run, folder_of, runs_of
from ablation.models.weights_file import keep
from ablation.training.dry_run import dry_run
from ablation.training.worker import LOCK_SECONDS, Worker, WorkerDied


class Watch(Protocol):
    """Who is notified of how the sweep goes; called from several threads."""

    def caching(self, done: int, total: int) -> None:
        return

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        return

    def event(self, run: Run, event: dict[str, Any]) -> None:
        return


class Silent(Watch):
    """Ignores it all."""


class Harmless(Watch):
    """Passes on to a watch. Where that raises, it warns and passes on nothing more: the sweep goes on."""

    def __init__(self, watch: Watch):
        self.watch = watch

    def caching(self, done: int, total: int) -> None:
        self._pass_on(lambda: self.watch.caching(done, total))

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        self._pass_on(lambda: self.watch.planned(missing, finished, workers))

    def event(self, run: Run, event: dict[str, Any]) -> None:
        self._pass_on(lambda: self.watch.event(run, event))

    def _pass_on(self, call: Callable[[], None]) -> None:
        attempt("how the sweep goes", call, None, self._give_up)

    def _give_up(self, reason: str) -> None:
        self.watch = Silent()
        warnings.warn(f"{reason}; it goes on all the same", stacklevel=2)


def sweep(
    experiment: Experiment,
    runs: Path | str = "runs",
    cache: Path | str = "cache",
    jobs: int | None = None,
    device: str = "auto",
    watch: Watch | None = None,
    ended: Callable[[Run], None] = lambda run: None,
    keep_weights: bool = False,
) -> tuple[Run, ...]:
    """Train the runs of the experiment that have no record yet; returns all of its runs. An altered record is left.

    jobs: workers; by default one per GPU, or one single-threaded worker per core. device: "auto", "cpu", "cuda" or
    "cuda:N". `ended` is called in this thread after each run. keep_weights: each run leaves its weights.pt. On
    KeyboardInterrupt the workers are stopped; the same call goes on where this one was. Raises DataError if the data
    cannot be read.

    >>> {run.status() for run in sweep(experiment)}
    {'finished'}
    """
    watch = Harmless(watch or Silent())
    data = listing(experiment.data, Path(cache))
    root = folder_of(experiment, Path(runs))
    cells = experiment.cells(data.digest)
    every = runs_of(cells, root)
    usable = tuple(run for run in every if not run.altered())
    missing = tuple(run for run in usable if run.record() is None)
    if not missing:
        watch.planned((), len(usable), 0)
        return every
    devices = choose_devices(device, jobs, len(missing))
    for run in missing:  # a split that the data cannot give is refused before anything is written
        run.spec.parts(data)
    for path in experiment.weight_files:
        keep(path, Path(cache))
    dry_run((run.spec for run in missing), len(data.classes), Path(cache))
    for size in sorted({run.spec.cache_size for run in missing}):
        build(data, size, Path(cache), watch.caching)
    preregister(experiment, cells, root)
    for run in missing:
        run.prepare()
    watch.planned(missing, len(usable) - len(missing), len(devices))
    logs = [root / f"worker-{number}.log" for number in range(len(devices))]
    workers = [Worker(name, Path(cache), log, keep_weights) for name, log in zip(devices, logs, strict=True)]
    for run in _train_all(experiment, missing, workers, watch):
        ended(run)
    return every


def _train_all(experiment: Experiment, missing: tuple[Run, ...], workers: list[Worker], watch: Watch) -> Iterator[Run]:
    """Yields each run as it ends, in whatever order that is."""
    free: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        free.put(worker)
    stopped = False

    def train(run: Run) -> Run:
        worker = free.get()
        try:
            if not stopped:
                for event in worker.train(run, experiment):
                    watch.event(run, event)
        except WorkerDied as death:
            if not stopped:
                watch.event(run, _mark_failed(run, str(death)))
        finally:
            free.put(worker)
        return run

    try:
        pool = Parallel(n_jobs=len(workers), backend="threading", return_as="generator_unordered", pre_dispatch="all")
        yield from pool(delayed(train)(run) for run in missing)
    finally:
        stopped = True
        for worker in workers:
            worker.stop()


def _mark_failed(run: Run, reason: str) -> dict[str, Any]:
    """Write the failure into the run's journal; the event, for the watch even where the journal cannot be written."""
    try:
        with run.lock().acquire(timeout=LOCK_SECONDS):
            return run.journal.append("failed", reason=reason)
    except Timeout:  # another process has already taken the run up again
        return {"event": "busy"}
    except OSError as error:
        return {"event": "failed", "reason": f"{reason} (and its journal cannot be written: {error})"}


def choose_devices(device: str, jobs: int | None, runs: int) -> list[str]:
    """The device of each worker. Raises InputError for a device that this machine does not have."""
    import torch

    every = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    allowed = ["auto", "cpu", *(["cuda"] if every else []), *every]
    if device not in allowed:
        raise InputError(f"device = {device!r}: this machine has {', '.join(allowed)}")
    if device.startswith("cuda:"):
        every = [device]
    elif not every or device == "cpu":
        every = ["cpu"] * cpu_count()  # what this process may use, where a container or the affinity limits it
    return [every[worker % len(every)] for worker in range(min(jobs or len(every), runs))]
