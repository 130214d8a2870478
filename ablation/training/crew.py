"""The workers of a sweep on this machine: started before it is known what they shall train, one run each at a time.

joblib's threads each lead one worker process (`training.worker`) through its runs, so that a worker that dies takes
nothing with it: its run is marked as failed, a new worker is started, and the sweep goes on. The only home of joblib.
What a sweep needs of whoever trains its runs is `Crew`; another kind may train them elsewhere.
"""

from __future__ import annotations

import os
import queue
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import Timeout

from ablation.core.errors import AblationError, InputError, Terminated
from ablation.data import Dataset
from ablation.experiment.experiment import Experiment
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.training.cluster.address import scheduler_of
from ablation.training.execution import AS_USUAL, Execution
from ablation.training.sharing import Rate, best_count, rates
from ablation.training.watch import Watch
from ablation.training.worker import LOCK_SECONDS, Worker, WorkerDied

MOST_TIMEOUT = 365 * 86400.0
"""Seconds: longer ones are slips of the keyboard, and from 292 years on the system has no such clock."""

MOST_GRACE = 3600.0
"""Seconds: whoever sends SIGTERM waits for it."""

_DEVICE = re.compile(r"auto|cpu|cuda(:(0|[1-9][0-9]*))?")


@dataclass(frozen=True)
class Training:
    """How the runs of a sweep are trained: by whom, and what they leave. None of it is in a run's id.

    jobs: workers; by default one per GPU, or one single-threaded worker per core. device: "auto", "cpu", "cuda" or
    "cuda:N". keep_weights: each run leaves its weights.pt. checkpoint_every: epochs from one checkpoint to the next, at
    most; by default as their time allows. execution: how steps are computed, and how many workers share a GPU.
    timeout: seconds that one run may take; a longer one has failed. grace: seconds that workers have after SIGTERM to
    end their epoch and leave a checkpoint. cluster: the Dask cluster that trains instead of this machine, see
    `ablation.training.cluster`.
    """

    jobs: int | None = None
    device: str = "auto"
    keep_weights: bool = False
    checkpoint_every: int | None = None
    execution: Execution = AS_USUAL
    timeout: float | None = None
    grace: float = 8.0  # Docker kills after ten
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout <= MOST_TIMEOUT:
            allowed = f"must be above 0 seconds, and at most {MOST_TIMEOUT:.0f} (365 days)"
            raise InputError(f"timeout = {self.timeout!r} (--timeout): {allowed}")
        if not 0 <= self.grace <= MOST_GRACE:
            allowed = f"must be at least 0 seconds, and at most {MOST_GRACE:.0f} (1 hour)"
            raise InputError(f"grace = {self.grace!r} (--grace): {allowed}")
        if not _DEVICE.fullmatch(self.device):
            raise InputError(f"device = {self.device!r} (--device): auto, cpu, cuda or cuda:N, as cuda:0")
        if self.cluster is not None:
            scheduler_of(self.cluster)


class Crew(Protocol):
    """Whoever trains the runs of one sweep. `root`: the folder of the experiment's runs."""

    root: Path

    def start(self, runs: int) -> int:
        """Start as many workers as there shall be for so many runs, and end those that are too many; their number.

        Raises InputError for what they cannot do.
        """
        ...

    def try_out(self, networks: Sequence[tuple[RunSpec, ...]], classes: int) -> list[Future[AblationError | None]]:
        """Begin the dry run of each network; the futures of what is wrong with each."""
        ...

    def provide(self, images: Sequence[Dataset], weights: Sequence[str]) -> None:
        """Take note of what runs are trained on: cached images, and weights by their names in the cache."""
        ...

    def start_best(self, runs: int, spec: RunSpec) -> int:
        """As `start`, with as many workers for each device as train such a spec fastest, where that is wanted."""
        ...

    def train(self, experiment: Experiment, missing: Sequence[Run], watch: Watch) -> Iterator[Run]:
        """Train these runs; yields each as it ends, in whatever order that is. Its events go to the watch."""
        ...

    def stop(self, grace: float = 0.0) -> None:
        """End all workers: at once, or when each has left a checkpoint, and after `grace` seconds at the latest.

        It may be called again.
        """
        ...


class LocalCrew:
    """Worker processes on this machine.

    root: the folder of the experiment's runs. cache: that of the cached images.
    """

    def __init__(self, root: Path, cache: Path, training: Training):
        self.root, self.cache, self.training = root, cache, training
        self.workers: list[Worker] = []
        self._stopped = False

    def start(self, runs: int) -> int:
        """See `Crew`."""
        wanted = self.training.execution.per_device
        return self._start(runs, 1 if wanted == "auto" else wanted)

    def _start(self, runs: int, per_device: int) -> int:
        training = self.training
        devices = choose_devices(training.device, training.jobs, runs, per_device)
        for device in devices[:1]:
            training.execution.check(device)  # what it cannot do is refused before anything is written
        for worker in self.workers[len(devices) :]:
            worker.stop()
        for number in range(len(self.workers), len(devices)):
            self.workers.append(self._make(devices[number], self.root / f"worker-{number}.log"))
            self.workers[number].start()
        self.workers = self.workers[: len(devices)]
        return len(devices)

    def _make(self, device: str, log: Path) -> Worker:
        training = self.training
        options = (training.keep_weights, training.checkpoint_every, training.execution)
        return Worker(device, self.cache, log, *options, timeout=training.timeout)

    def start_best(self, runs: int, spec: RunSpec) -> int:
        """See `Crew`; measured where `per_device` is "auto"."""
        if self.training.execution.per_device != "auto" or self.training.jobs or not self.workers:
            return self.start(runs)

        def measured(each: int) -> list[Rate]:
            self._start(runs, each)
            return rates([worker for worker in self.workers if worker.device == self.workers[0].device], spec)

        most = -(-runs // len({worker.device for worker in self.workers}))
        return self._start(runs, best_count(measured, most))

    def provide(self, images: Sequence[Dataset], weights: Sequence[str]) -> None:
        """Nothing is to be done: the workers read the cache."""

    def try_out(self, networks: Sequence[tuple[RunSpec, ...]], classes: int) -> list[Future[AblationError | None]]:
        """See `Crew`; each by a free worker."""
        free = self._free()

        def try_out(network: tuple[RunSpec, ...]) -> AblationError | None:
            worker = free.get()
            try:
                worker.try_out(network, classes)
                return None
            except AblationError as error:
                return error
            except WorkerDied as death:
                return InputError(f"{network[0].model} cannot be tried out: {death}")
            finally:
                free.put(worker)

        pool = ThreadPoolExecutor(len(self.workers))
        tried = [pool.submit(try_out, network) for network in networks]
        pool.shutdown(wait=False)  # its threads end when their workers have answered, or were stopped
        return tried

    def train(self, experiment: Experiment, missing: Sequence[Run], watch: Watch) -> Iterator[Run]:
        """See `Crew`; each by a free worker. Where nobody takes the next run any more, all workers are stopped."""
        from joblib import Parallel, delayed

        free = self._free()
        writer = ThreadPoolExecutor(1)  # writing a spec to the disk takes longer than handing it over
        prepared = {run.spec.id: writer.submit(run.prepare) for run in missing}

        def train(run: Run) -> Run:
            worker = free.get()
            try:
                if not self._stopped:
                    prepared[run.spec.id].result()
                    for event in worker.train(run, experiment):
                        watch.event(run, event)
            except WorkerDied as death:
                if not self._stopped:
                    watch.event(run, mark_failed(run, death))
            finally:
                free.put(worker)
            return run

        workers = len(self.workers)
        pool = Parallel(n_jobs=workers, backend="threading", return_as="generator_unordered", pre_dispatch="all")
        done, ended = False, pool(delayed(train)(run) for run in missing)
        try:
            for run in ended:  # noqa: UP028  (that would end the pool first)
                yield run
            done = True
        except Terminated:
            self.stop(self.training.grace)
            raise
        finally:
            writer.shutdown(wait=False, cancel_futures=True)
            if not done:
                self.stop()
                with warnings.catch_warnings():  # joblib's, of tasks that are cancelled: whoever ends a sweep says so
                    warnings.filterwarnings("ignore", r"\d+ tasks", UserWarning)
                    ended.close()

    def _free(self) -> queue.Queue[Worker]:
        free: queue.Queue[Worker] = queue.Queue()
        for worker in self.workers:
            free.put(worker)
        return free

    def stop(self, grace: float = 0.0) -> None:
        """See `Crew`."""
        self._stopped = True
        if self.workers:
            with ThreadPoolExecutor(len(self.workers)) as pool:
                list(pool.map(lambda worker: worker.stop(grace), self.workers))


def mark_failed(run: Run, death: WorkerDied) -> dict[str, Any]:
    """Write into the run's journal that its worker died; the event, for the watch even where nothing can be written.

    A run whose record was there by then has not failed: it ends as its record says.
    """
    if death.cause == "terminated":
        return {"event": "interrupted"}
    failure = {"cause": death.cause, "reason": str(death)}
    try:
        with run.lock().acquire(timeout=LOCK_SECONDS):
            if record := run.record():
                run.journal.append(record.outcome)
                return {"event": record.outcome, **record.metrics}
            return run.journal.append("failed", **failure)
    except Timeout:  # another process has already taken the run up again
        return {"event": "busy"}
    except OSError as error:
        return {"event": "failed", **failure, "reason": f"{death} (and its journal cannot be written: {error})"}


def choose_devices(device: str, jobs: int | None, runs: int, per_device: int = 1) -> list[str]:
    """The device of each worker, `per_device` of them on each GPU unless `jobs` says how many there are in all.

    Raises InputError for a device that this machine does not have.
    """
    every = [f"cuda:{number}" for number in range(_gpus())]
    allowed = ["auto", "cpu", *(["cuda"] if every else []), *every]
    if device not in allowed:
        raise InputError(f"device = {device!r}: this machine has {', '.join(allowed)}")
    if device.startswith("cuda:"):
        every = [device]
    elif not every or device == "cpu":
        every = ["cpu"] * cpu_count()
    if every[0] != "cpu":
        every *= per_device
    return [every[worker % len(every)] for worker in range(min(jobs or len(every), runs))]


def cpu_count() -> int:
    """How many cores this process may use, where a container or the affinity limits it."""
    from joblib import cpu_count

    return int(cpu_count())


def _gpus() -> int:
    """How many GPUs torch can use. It is imported only where there may be one, as that takes seconds."""
    if not _may_have_gpu():
        return 0
    import torch

    return torch.cuda.device_count()


def _may_have_gpu() -> bool:
    """Whether a driver of NVIDIA's or AMD's may run here: on Linux it has a device file (WSL: that of DirectX)."""
    files = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg", "/dev/nvhost-ctrl", "/dev/nvmap")
    return sys.platform == "win32" or (sys.platform == "linux" and any(map(os.path.exists, files)))
