"""Where the time of a sweep went, read off the journals of its runs.

A worker names its process in each run's "started" event, writes an "epoch" event with the seconds of that epoch (its
validation included), and ends a run by an event with its outcome. So the time between the command line and the last
record is cut, for each worker, into what came before its first run, the runs' set-up, their epochs, their tests and
records, what lay between two runs, and what came after its last.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ablation.core.files import Journal
from ablation.experiment.seal import JOURNAL_FILE

ENDINGS = ("finished", "diverged", "failed")
PHASES = ("before the first run", "set-up of runs", "epochs", "tests and records", "between runs", "after the last run")


@dataclass(frozen=True)
class Span:
    """One run on a worker: seconds since the epoch of its start, of its first step, of its last epoch, of its end."""

    worker: int
    started: float
    first_step: float
    trained: float
    ended: float
    epochs: int
    epoch_seconds: float


def spans(root: Path) -> list[Span]:
    """The runs in an experiment's folder that were trained to an end, in order of their start.

    Of a run that was interrupted the last attempt counts.
    """
    found = [span for file in root.glob(f"*/{JOURNAL_FILE}") if (span := _span(file)) is not None]
    return sorted(found, key=lambda span: span.started)


def _span(file: Path) -> Span | None:
    events = Journal(file).events()
    starts = [row for row, event in enumerate(events) if event["event"] == "started"]
    if not starts:
        return None
    last = events[starts[-1] :]
    epochs = [event for event in last if event["event"] == "epoch"]
    ends = [event["time"] for event in last if event["event"] in ENDINGS]
    if not epochs or not ends:
        return None
    first_step, seconds = epochs[0]["time"] - epochs[0]["seconds"], sum(event["seconds"] for event in epochs)
    return Span(last[0]["process"], last[0]["time"], first_step, epochs[-1]["time"], ends[-1], len(epochs), seconds)


def first_step(root: Path) -> float:
    """When the first step of all began, in seconds since the epoch."""
    return min(span.first_step for span in spans(root))


def gaps(root: Path) -> list[float]:
    """The seconds between the end of a run and the start of the next on the same worker."""
    return [after.started - before.ended for own in _by_worker(root).values() for before, after in _pairs(own)]


def phases(root: Path, began: float, ended: float) -> dict[str, float]:
    """The seconds between these two moments, by `PHASES`: means over the workers, which add up to the whole."""
    workers = _by_worker(root)
    total = dict.fromkeys(PHASES, 0.0)
    for own in workers.values():
        taken = (
            own[0].started - began,
            sum(span.first_step - span.started for span in own),
            sum(span.trained - span.first_step for span in own),
            sum(span.ended - span.trained for span in own),
            sum(after.started - before.ended for before, after in _pairs(own)),
            ended - own[-1].ended,
        )
        for name, seconds in zip(PHASES, taken, strict=True):
            total[name] += seconds / len(workers)
    return total


def _by_worker(root: Path) -> dict[int, list[Span]]:
    workers: dict[int, list[Span]] = {}
    for span in spans(root):
        workers.setdefault(span.worker, []).append(span)
    return workers


def _pairs(own: list[Span]) -> list[tuple[Span, Span]]:
    return list(pairwise(own))
