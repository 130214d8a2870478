"""How far each run of an experiment is, from what its folder and its journal say. For whoever waits for them.

Only reads. Times are by the clock of the machine that trains, so an age is told as never below 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ablation.experiment.runs import Run, epochs_in

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Standing:
    """How one run stands at one moment.

    >>> Standing("0123456789abcdef", "running", epoch=5, epochs=60, epoch_seconds=2.0).seconds_left
    110.0
    """

    id: str
    status: str
    """As `Run.status`; "interrupted" is a run that nobody trains any more, and that has not finished."""
    epoch: int = 0
    """Epochs that have ended."""
    epochs: int = 0
    """Epochs that were planned."""
    epoch_seconds: float | None = None
    """What an epoch takes, by the median of those that have ended; None before the first."""
    silent_seconds: float | None = None
    """Since the run's last event; None for one without any."""
    host: str = ""
    process: int | None = None
    device: str = ""
    reason: str = ""
    """Why it failed, or what of it was altered."""

    @property
    def seconds_left(self) -> float | None:
        """An estimate of how long a running one still takes, without its tests; None where that is not known."""
        if self.status != "running" or self.epoch_seconds is None:
            return None
        return (self.epochs - self.epoch) * self.epoch_seconds

    @property
    def is_silent(self) -> bool:
        """Whether a running one has written nothing for far longer than an epoch takes, and for a minute at least."""
        if self.status != "running" or self.silent_seconds is None:
            return False
        return self.silent_seconds > max(60.0, 5 * (self.epoch_seconds or 60.0))

    def to_plain(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {**asdict(self), "seconds_left": self.seconds_left}


def standings(runs: Iterable[Run], table: pd.DataFrame, now: float) -> list[Standing]:
    """How these runs stand. table: `Results.table`, which has the status of each. now: seconds since 1970."""
    rows = {row["id"]: (row["status"], row["reason"]) for row in table[["id", "status", "reason"]].to_dict("records")}
    return [_standing(run, *rows[run.spec.id], now) for run in runs]


def _standing(run: Run, status: str, reason: str, now: float) -> Standing:
    epochs = run.spec.epochs
    if status not in ("running", "failed", "interrupted"):
        return Standing(run.spec.id, status, epochs if status == "finished" else 0, epochs, reason=reason)
    events = run.journal.events()
    ended = epochs_in(events)
    taken = [epoch["seconds"] for epoch in ended if "seconds" in epoch]
    started: dict[str, Any] = next((event for event in reversed(events) if event["event"] == "started"), {})
    return Standing(
        run.spec.id,
        status,
        len(ended),
        epochs,
        median(taken) if taken else None,
        max(0.0, now - events[-1]["time"]) if events else None,
        started.get("host", ""),
        started.get("process"),
        started.get("device", ""),
        reason,
    )


def seconds_left(standing: Iterable[Standing], finished_seconds: Iterable[float]) -> float | None:
    """An estimate of how long all runs still take, with as many at once as are running; None where that is not known.

    finished_seconds: what each finished run took, in training.
    """
    every, took = list(standing), list(finished_seconds)
    running = [one for one in every if one.status == "running"]
    whole = [one.epoch_seconds * one.epochs for one in running if one.epoch_seconds] + took
    if not running or not whole:
        return None
    waiting = sum(one.status in ("planned", "failed", "interrupted") for one in every)
    begun = sum(one.seconds_left or median(whole) for one in running)
    return (begun + waiting * median(whole)) / len(running)
