"""Training what is missing: each missing run to a free worker. The only home of joblib.

joblib's threads each lead one worker process (`training.worker`) through its runs, so that a worker that dies takes
nothing with it: its run is marked as failed, a new worker is started, and the sweep goes on.

Workers are started first of all, where the folder of runs shows that some are missing: they import torch, for seconds,
while this process reads the photographs, and do the dry run while it caches them. This process imports no torch.
"""

from __future__ import annotations

import os
import queue
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from filelock import Timeout

from ablation.core.errors import AblationError, InputError, attempt
from ablation.data import Listing, build, listing
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import preregister
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import Held, Run, folder_of, held_of, runs_of
from ablation.experiment.spec import RunSpec
from ablation.models.weights_file import keep
from ablation.training.dry_run import networks_of, refuse
from ablation.training.execution import AS_USUAL, Execution
from ablation.training.sharing import Rate, best_count, rates
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


class Crew:
    """The workers of one sweep, which may be started before it is known what they shall train.

    make: from a device and the file of its log to a worker. root: the folder of the experiment's runs. jobs, device,
    execution: as in `sweep`.
    """

    def __init__(
        self, make: Callable[[str, Path], Worker], root: Path, jobs: int | None, device: str, execution: Execution
    ):
        self.make, self.root, self.jobs, self.device, self.execution = make, root, jobs, device, execution
        self.workers: list[Worker] = []

    def start(self, runs: int, per_device: int | None = None) -> list[Worker]:
        """As many workers as there shall be for so many runs, all started; those that are too many are ended.

        per_device: as in `choose_devices`; by default as the execution has it, and one where that is to be measured.
        """
        wanted = self.execution.per_device
        each = per_device or (1 if wanted == "auto" else wanted)
        devices = choose_devices(self.device, self.jobs, runs, each)
        for device in devices[:1]:
            self.execution.on(device)  # what it cannot do is refused before anything is written
        for worker in self.workers[len(devices) :]:
            worker.stop()
        for number in range(len(self.workers), len(devices)):
            self.workers.append(self.make(devices[number], self.root / f"worker-{number}.log"))
            self.workers[number].start()
        self.workers = self.workers[: len(devices)]
        return self.workers

    def start_best(self, runs: int, spec: RunSpec) -> list[Worker]:
        """As `start`, with as many workers on each GPU as train such a spec fastest; measured where that is wanted."""
        if self.execution.per_device != "auto" or self.jobs or not self.workers:
            return self.start(runs)

        def measured(each: int) -> list[Rate]:
            workers = self.start(runs, each)
            return rates([worker for worker in workers if worker.device == workers[0].device], spec)

        most = -(-runs // len({worker.device for worker in self.workers}))
        return self.start(runs, best_count(measured, most))

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.stop()


@contextmanager
def crew_for(
    experiment: Experiment,
    runs: Path | str = "runs",
    cache: Path | str = "cache",
    jobs: int | None = None,
    device: str = "auto",
    keep_weights: bool = False,
    checkpoint_every: int | None = None,
    execution: Execution = AS_USUAL,
) -> Iterator[Crew]:
    """The workers for a sweep of the experiment, as many as are needed for certain; all are ended behind the block.

    None where as many runs have a record as there are in the grid, whatever they are of. Arguments as in `sweep`.
    """

    def make(device: str, log: Path) -> Worker:
        return Worker(device, Path(cache), log, keep_weights, checkpoint_every, execution)

    crew = Crew(make, folder_of(experiment, Path(runs)), jobs, device, execution)
    try:
        planned = {cell.spec.id for cell in experiment.cells("")}
        missing = len(planned) - sum(1 for _ in crew.root.glob(f"*/{RECORD_FILE}"))
        if missing > 0:
            crew.start(missing)
        yield crew
    finally:
        crew.stop()


def sweep(
    experiment: Experiment,
    runs: Path | str = "runs",
    cache: Path | str = "cache",
    jobs: int | None = None,
    device: str = "auto",
    watch: Watch | None = None,
    ended: Callable[[Run], None] = lambda run: None,
    keep_weights: bool = False,
    checkpoint_every: int | None = None,
    execution: Execution = AS_USUAL,
) -> tuple[Run, ...]:
    """Train the runs of the experiment that have no record yet; returns all of its runs. An altered record is left.

    jobs: workers; by default one per GPU, or one single-threaded worker per core. device: "auto", "cpu", "cuda" or
    "cuda:N". `ended` is called in this thread after each run. keep_weights: each run leaves its weights.pt.
    checkpoint_every: epochs from one checkpoint to the next, at most; by default as their time allows. execution: how
    steps are computed, and how many workers share a GPU. On KeyboardInterrupt the workers are stopped; the same call
    goes on where this one was. Raises DataError if the data cannot be read.

    >>> {run.status() for run in sweep(experiment)}
    {'finished'}
    """
    with crew_for(experiment, runs, cache, jobs, device, keep_weights, checkpoint_every, execution) as crew:
        data = listing(experiment.data, Path(cache))
        cells = experiment.cells(data.digest)
        return train_missing(experiment, data, cells, crew, Path(cache), watch or Silent(), ended).runs


class Swept(NamedTuple):
    """Every run of an experiment after a sweep. held: what the folders of all held before, where that is still so."""

    runs: tuple[Run, ...]
    held: Mapping[str, Held] | None


def train_missing(
    experiment: Experiment,
    data: Listing,
    cells: tuple[Cell, ...],
    crew: Crew,
    cache: Path,
    watch: Watch,
    ended: Callable[[Run], None] = lambda run: None,
) -> Swept:
    """What `sweep` does, with the data that was read, the cells of the grid for it, and a crew."""
    watch = Harmless(watch)
    every = runs_of(cells, crew.root)
    held = held_of(every)
    usable = tuple(run for run in every if not held[run.spec.id].altered)
    missing = tuple(run for run in usable if held[run.spec.id].record is None)
    if not missing:
        watch.planned((), len(usable), 0)
        return Swept(every, held)
    for spec in {(run.spec.split, run.spec.train_size, run.spec.seed): run.spec for run in missing}.values():
        spec.parts(data)  # a split that the data cannot give is refused before anything is written
    workers = crew.start(len(missing))
    for path in experiment.weight_files:
        keep(path, cache)
    _prepare_images(data, [run.spec for run in missing], workers, cache, watch)
    workers = crew.start_best(len(missing), missing[0].spec)
    preregister(experiment, cells, crew.root)
    watch.planned(missing, len(usable) - len(missing), len(workers))
    for run in _train_all(experiment, missing, workers, watch):
        ended(run)
    return Swept(every, None)


def _prepare_images(
    data: Listing, specs: Sequence[RunSpec], workers: Sequence[Worker], cache: Path, watch: Watch
) -> None:
    """Cache the photographs while the workers do the dry run. Raises what is wrong with the networks, at once."""
    tried = _tried_out(networks_of(specs), len(data.classes), workers)

    def caching(done: int, total: int) -> None:
        if all(future.done() for future in tried):
            _refuse_failed(tried)
        watch.caching(done, total)

    for size in sorted({spec.cache_size for spec in specs}):
        build(data, size, cache, caching)
    _refuse_failed(tried)


def _tried_out(
    networks: Sequence[tuple[RunSpec, ...]], classes: int, workers: Sequence[Worker]
) -> list[Future[AblationError | None]]:
    """The dry run of each network by a free worker; the futures of what is wrong with each."""
    free: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        free.put(worker)

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

    pool = ThreadPoolExecutor(len(workers))
    tried = [pool.submit(try_out, network) for network in networks]
    pool.shutdown(wait=False)  # its threads end when their workers have answered, or were stopped
    return tried


def _refuse_failed(tried: Sequence[Future[AblationError | None]]) -> None:
    refuse([error for future in tried if (error := future.result()) is not None])


def _train_all(
    experiment: Experiment, missing: tuple[Run, ...], workers: Sequence[Worker], watch: Watch
) -> Iterator[Run]:
    """Yields each run as it ends, in whatever order that is."""
    from joblib import Parallel, delayed

    free: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        free.put(worker)
    stopped = False
    writer = ThreadPoolExecutor(1)  # writing a spec to the disk takes longer than handing it over
    prepared = {run.spec.id: writer.submit(run.prepare) for run in missing}

    def train(run: Run) -> Run:
        worker = free.get()
        try:
            if not stopped:
                prepared[run.spec.id].result()
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
        writer.shutdown(wait=False, cancel_futures=True)
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
