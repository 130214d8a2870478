"""Training what is missing: each missing run by a crew of workers, on this machine or elsewhere.

Workers are started first of all, where the folder of runs shows that some are missing: they import torch, for seconds,
while this process reads the photographs, and do the dry run while it caches them. This process imports no torch.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from ablation.core import own_modules
from ablation.core.errors import AblationError, InputError, Problem, Terminated, TryAgainError, did_you_mean
from ablation.core.files import disk_full
from ablation.core.text import counted
from ablation.data import Dataset, Listing, build, listing
from ablation.experiment.classes import refuse_misfits
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.files import as_experiment
from ablation.experiment.preregistration import Variant, preregister, refuse_of_another
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import Held, Run, folder_of, held_of, runs_of
from ablation.experiment.spec import RunSpec
from ablation.models.weights_file import keep
from ablation.training.cluster.crew import ClusterCrew
from ablation.training.crew import Crew, LocalCrew, Training
from ablation.training.dry_run import networks_of, refuse
from ablation.training.policy import AS_ALWAYS, Policy
from ablation.training.rounds import entered, first_holder, forget_holder, refuse_held, train_all
from ablation.training.watch import Harmless, Silent, Watch


class Runs(tuple[Run, ...]):
    """All runs of an experiment, as `sweep` returns them: a tuple that shows in a line how they ended."""

    def __repr__(self) -> str:
        """'25 runs in runs/mine: 24 finished, 1 failed'."""
        if not self:
            return "no runs"
        ended = Counter(run.status() for run in dict.fromkeys(self))
        how = ", ".join(f"{count:,} {status}" for status, count in ended.most_common())
        return f"{counted(ended.total(), 'run')} in {self[0].root.as_posix()}: {how}"


def sweep(
    experiment: Experiment | str | Path,
    runs: Path | str = "runs",
    cache: Path | str = "cache",
    watch: Watch | None = None,
    ended: Callable[[Run], None] = lambda run: None,
    **options: Any,
) -> Runs:
    """Train the runs of the experiment that have no record yet; returns all of its runs. An altered record is left.

    experiment: itself, or its name or file, as `Results.load` takes it. options: the fields of `Training` and `Policy`,
    as `jobs=2` or `only=({"recipe": "crop"},)`. `ended` is called in this thread after each run. On
    KeyboardInterrupt the workers are stopped; the same call goes on where this one was. Warns where it ends before
    every run was tried. Raises DataError if the data cannot be read, InputError for what workers cannot do, HeldError
    with `join=False` where another process trains the experiment, and TryAgainError where a disk is full.

    >>> {run.status() for run in sweep(experiment)}
    {'finished'}
    """
    experiment = as_experiment(experiment)
    policy, training = _policy_and_training(options)
    with crew_for(experiment, Path(runs), Path(cache), training, policy) as crew:
        data = listing(experiment.data, Path(cache))
        cells = experiment.cells(data.digest)
        swept = train_missing(experiment, data, cells, crew, Path(cache), watch or Silent(), ended, policy)
    if swept.stopped:
        warnings.warn(swept.stopped, stacklevel=2)
    return Runs(swept.runs)


def _policy_and_training(options: Mapping[str, Any]) -> tuple[Policy, Training]:
    """Raises InputError for an option that is of neither."""
    known = {field.name: kind for kind in (Policy, Training) for field in fields(kind)}
    if wrong := [name for name in options if name not in known]:
        hints = [f"sweep has no option {name!r}{did_you_mean(name, known)} ({', '.join(known)})" for name in wrong]
        raise InputError(map(Problem, hints))
    given = {kind: {name: one for name, one in options.items() if known[name] is kind} for kind in (Policy, Training)}
    return Policy(**given[Policy]), Training(**given[Training])


@contextmanager
def crew_for(
    experiment: Experiment, runs: Path, cache: Path, training: Training, policy: Policy = AS_ALWAYS
) -> Iterator[Crew]:
    """The workers for a sweep of the experiment, as many as are needed for certain; all are ended behind the block.

    None where as many runs have a record as there are to be, whatever they are of. Where SIGTERM ends the block, the
    workers have `training.grace` seconds to leave checkpoints.
    """
    own_modules.use(experiment.file)
    refuse_of_another(experiment, folder_of(experiment, runs))
    made = LocalCrew if training.cluster is None else ClusterCrew
    crew = made(folder_of(experiment, runs), cache, training)
    try:
        planned = policy.chosen(experiment.cells(""))
        missing = len(planned) - sum(1 for _ in crew.root.glob(f"*/{RECORD_FILE}"))
        if missing > 0:
            if not policy.join and policy.retry_failed:  # else what is missing has failed, maybe, and is not wanted
                refuse_held(crew.root, ())
            crew.start(missing)
        yield crew
    except Terminated:
        crew.stop(training.grace)
        raise
    finally:
        crew.stop()


class Swept(NamedTuple):
    """Every run of an experiment after a sweep.

    held: what the folders of all held before, where that is still so. stopped: why it ended before every run was tried.
    """

    runs: tuple[Run, ...]
    held: Mapping[str, Held] | None
    stopped: str = ""


def train_missing(
    experiment: Experiment,
    data: Listing,
    cells: tuple[Cell, ...],
    crew: Crew,
    cache: Path,
    watch: Watch,
    ended: Callable[[Run], None] = lambda run: None,
    policy: Policy = AS_ALWAYS,
    variant: Variant | None = None,
) -> Swept:
    """What `sweep` does, with the data that was read, the cells of the grid for it, and a crew.

    variant: where the experiment is one, of what.
    """
    watch = Harmless(watch)
    every, chosen = runs_of(cells, crew.root), policy.chosen(cells)
    held = held_of(every)
    usable = tuple(run for run in every if run.spec.id in chosen and not held[run.spec.id].altered)
    unfinished = tuple(run for run in usable if held[run.spec.id].record is None)
    for run in usable:
        if held[run.spec.id].record:
            run.remove_checkpoints()  # a kill between the record and the end of its worker left them
    missing = tuple(run for run in unfinished if policy.retry_failed or not run.failure())
    if not missing:
        forget_holder(crew.root)
        watch.planned((), len(usable) - len(unfinished), 0)
        watch.note(_nothing_to_train(len(chosen), len(usable) - len(unfinished), len(unfinished), bool(policy.only)))
        return Swept(every, held)
    if not policy.join:
        refuse_held(crew.root, unfinished)
    refuse_misfits(experiment, data.classes)
    specs = [run.spec for run in missing]
    for spec in {(spec.split, spec.train_size, spec.seed): spec for spec in specs}.values():
        spec.parts(data)  # a split that the data cannot give is refused before anything is written
    with _named_where_full():
        crew.start(len(missing))
        weights = [keep(path, cache) for path in experiment.weight_files]
        crew.provide(_prepare_images(data, specs, crew, cache, watch), weights)
        workers = crew.start_best(len(missing), missing[0].spec)
        with entered(crew.root, policy.join) as first:
            if not first:
                watch.note(f"{first_holder(crew.root)} trains this experiment, too: helping it")
            preregister(experiment, cells, crew.root, variant)
            watch.planned(missing, len(usable) - len(unfinished), workers)
            others = [run for run in unfinished if run not in missing]
            ordered = missing if first else missing[::-1]  # two that go towards each other seldom want the same run
            return Swept(every, None, train_all(experiment, ordered, others, crew, watch, ended, policy, not first))


def _nothing_to_train(chosen: int, finished: int, failed: int, selected: bool) -> str:
    """The sentence that says so. Of the chosen runs, those that neither finished nor failed are altered.

    selected: whether these are not all runs of the experiment.
    """
    kind = "chosen run" if selected else "run"
    if finished == chosen:
        return f"{f'all {chosen:,} {kind}s are' if chosen > 1 else f'the {kind} is'} finished: nothing to train"
    parts = [f"{finished:,} of {counted(chosen, kind)} finished"]
    if failed:
        parts.append(f"{failed:,} failed and {'are' if failed > 1 else 'is'} not tried again (--no-retry-failed)")
    if altered := chosen - finished - failed:
        parts.append(f"{altered:,} altered and left out")
    return f"nothing to train: {', '.join(parts)}"


@contextmanager
def _named_where_full() -> Iterator[None]:
    """Raise TryAgainError for what the system raises where a disk is full."""
    try:
        yield
    except OSError as error:
        if full := disk_full(error):
            raise TryAgainError(f"{full}; make room: the same command goes on") from error
        raise


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
    images = tuple(build(data, size, cache, caching, watch.note) for size in sizes)
    _refuse_failed(tried)
    return images


def _refuse_failed(tried: Sequence[Future[AblationError | None]]) -> None:
    refuse([error for future in tried if (error := future.result()) is not None])
