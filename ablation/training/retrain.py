"""Training a finished run again, elsewhere, to see whether it ends with the same bits. Changes nothing that is there.

The same worker trains it, on the same device where this machine has one. Where device or versions are others, other
bits prove nothing; so what differs is said beforehand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ablation.core.errors import AblationError
from ablation.data import Listing, build
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import RunRecord, present, read_arrays, read_record
from ablation.experiment.runs import Run
from ablation.models.weights_file import keep
from ablation.training.checkpoint import REPEATS
from ablation.training.execution import Execution
from ablation.training.worker import Worker, WorkerDied

Event = Callable[[dict[str, Any]], None]

MUST_REPEAT = ("outcome", "history", "metrics", "evidence")


def device_like(record: RunRecord) -> str:
    """The device of this machine that is most like that of the record: 'cpu', or 'cuda:1'."""
    import torch

    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    trained_on = record.environment.get("device")
    if trained_on == "cpu" or not names:
        return "cpu"
    return f"cuda:{names.index(trained_on) if trained_on in names else 0}"


def other_environment(record: RunRecord, device: str) -> tuple[str, ...]:
    """What of device and versions is not as it was: 'torch 2.11.0, now 2.12.0'. Where there is any, bits may differ."""
    import torch

    from ablation.training.finish import environment_of

    then = record.environment
    now = environment_of(torch.device(device)) | Execution.of(then).environment
    return tuple(f"{name} {then.get(name)}, now {now.get(name)}" for name in REPEATS if then.get(name) != now.get(name))


def retrain(
    run: Run, experiment: Experiment, data: Listing, cache: Path, device: str, event: Event = lambda event: None
) -> tuple[tuple[str, str], ...]:
    """Train a finished run again in a temporary folder: what differs, each with words; () where every bit is the same.

    data: the listing that the run was trained on, whose digest is the spec's. event: called with each of the worker's.
    Raises AblationError where the training fails.
    """
    record = read_record(run.folder)
    assert record is not None, "a finished run has a record"
    tested = replace(experiment, robustness=bool(record.evidence.get("conditions")))
    for path in filter(Path.is_file, experiment.weight_files):
        keep(path, cache)
    build(data, run.spec.cache_size, cache, note=lambda message: event({"event": "note", "message": message}))
    with TemporaryDirectory() as folder:
        again = Run(Path(folder) / experiment.name, run.spec)
        again.prepare()
        worker = Worker(device, cache, again.root / "worker.log", execution=Execution.of(record.environment))
        _train(again, tested, worker, event)
        return tuple(_differences(run, again))


def _train(run: Run, experiment: Experiment, worker: Worker, event: Event) -> None:
    last: dict[str, Any] = {"event": "failed", "reason": "it did not start"}
    try:
        for last in worker.train(run, experiment):
            event(last)
    except WorkerDied as death:
        last = {"event": "failed", "reason": str(death)}
    finally:
        worker.stop()
    if last["event"] not in ("finished", "diverged"):
        raise AblationError(f"training run {run.spec.id} again failed: {last.get('reason', last['event'])}")


def _differences(before: Run, after: Run) -> Iterator[tuple[str, str]]:
    old, new = present(read_arrays(before.folder)), present(read_arrays(after.folder))
    for name in {**old, **new}:
        if name not in old or name not in new:
            yield name, "is in one of the two only"
        elif (old[name].dtype, old[name].shape) != (new[name].dtype, new[name].shape):
            yield name, f"{old[name].dtype} {old[name].shape} before, {new[name].dtype} {new[name].shape} again"
        elif old[name].tobytes() != new[name].tobytes():
            other = int(np.count_nonzero(old[name] != new[name]))
            yield name, f"{other:,} of {old[name].size:,} numbers differ"
    records = [asdict(record) if (record := read_record(run.folder)) else {} for run in (before, after)]
    one, two = (json.loads(json.dumps(record)) for record in records)  # tuples and lists are alike on disk
    for part in MUST_REPEAT:
        yield from _parts(part, one.get(part), two.get(part))


def _parts(where: str, one: Any, two: Any) -> Iterator[tuple[str, str]]:
    """Where two parts of records differ, name by name."""
    if isinstance(one, dict) and isinstance(two, dict):
        for name in {**one, **two}:
            yield from _parts(f"{where}: {name}", one.get(name), two.get(name))
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for index, (first, second) in enumerate(zip(one, two, strict=True), 1):
            yield from _parts(f"{where}, entry {index}", first, second)
    elif one != two:
        yield where, f"{one!r} before, {two!r} again"
