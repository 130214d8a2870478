"""Training what is missing: each missing run by a crew of workers, on this machine or elsewhere.

Workers are started first of all, where the folder of runs shows that some are missing: they import torch, for seconds,
while this process reads the photographs, and do the dry run while it caches them. This process imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ablation.core.errors import AblationError
from ablation.data import Dataset, Listing, build, listing
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import preregister
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import Held, Run, folder_of, held_of, runs_of
from ablation.experiment.spec import RunSpec
from ablation.models.weights_file import keep
from ablation.training.cluster.crew import ClusterCrew
from ablation.training.crew import Crew, LocalCrew, Training
from ablation.training.dry_run import networks_of, refuse
from ablation.training.watch import Harmless, Silent, Watch


def sweep(
    experiment: Experiment,
    runs: Path | str = "runs",
    cache: Path | str = "cache",
    watch: Watch | None = None,
    ended: Callable[[Run], None] = lambda run: None,
    **options: Any,
) -> tuple[Run, ...]:
    """Train the runs of the experiment that have no record yet; returns all of its runs. An altered record is left.

    options: the fields of `Training`, as `jobs=2` or `device="cuda:1"`. `ended` is called in this thread after each
    run. On KeyboardInterrupt the workers are stopped; the same call goes on where this one was. Raises DataError if the
    data cannot be read, and InputError for what workers cannot do.

    >>> {run.status() for run in sweep(experiment)}
    {'finished'}
    """
    with crew_for(experiment, Path(runs), Path(cache), Training(**options)) as crew:
        data = listing(experiment.data, Path(cache))
        cells = experiment.cells(data.digest)
        return train_missing(experiment, data, cells, crew, Path(cache), watch or Silent(), ended).runs


@contextmanager
def crew_for(experiment: Experiment, runs: Path, cache: Path, training: Training) -> Iterator[Crew]:
    """The workers for a sweep of the experiment, as many as are needed for certain; all are ended behind the block.

    None where as many runs have a record as there are in the grid, whatever they are of.
    """
    crew: Crew = (ClusterCrew if training.cluster else LocalCrew)(folder_of(experiment, runs), cache, training)
    try:
        planned = {cell.spec.id for cell in experiment.cells("")}
        missing = len(planned) - sum(1 for _ in crew.root.glob(f"*/{RECORD_FILE}"))
        if missing > 0:
            crew.start(missing)
        yield crew
    finally:
        crew.stop()


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
    specs = [run.spec for run in missing]
    for spec in {(spec.split, spec.train_size, spec.seed): spec for spec in specs}.values():
        spec.parts(data)  # a split that the data cannot give is refused before anything is written
    crew.start(len(missing))
    weights = [keep(path, cache) for path in experiment.weight_files]
    crew.provide(_prepare_images(data, specs, crew, cache, watch), weights)
    workers = crew.start_best(len(missing), missing[0].spec)
    preregister(experiment, cells, crew.root)
    watch.planned(missing, len(usable) - len(missing), workers)
    for run in crew.train(experiment, missing, watch):
        ended(run)
    return Swept(every, None)


def _prepare_images(
    data: Listing, specs: Sequence[RunSpec], crew: Crew, cache: Path, watch: Watch
) -> tuple[Dataset, ...]:
    """Cache the photographs while the workers do the dry run. Raises what is wrong with the networks, at once."""
    tried = crew.try_out(networks_of(specs), len(data.classes))

    def caching(done: int, total: int) -> None:
        if all(future.done() for future in tried):
            _refuse_failed(tried)
        watch.caching(done, total)

    sizes = sorted({spec.cache_size for spec in specs})
    images = tuple(build(data, size, cache, caching) for size in sizes)
    _refuse_failed(tried)
    return images


def _refuse_failed(tried: Sequence[Future[AblationError | None]]) -> None:
    refuse([error for future in tried if (error := future.result()) is not None])
