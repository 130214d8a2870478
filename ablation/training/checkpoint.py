"""The newest checkpoint of a run: written at the end of an epoch, and what an interrupted run goes on from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch

from ablation.core.files import Damaged, atomic, undamaged
from ablation.experiment.runs import Run

REPEATS = ("device", "precision", "torch", "torchvision", "numpy", "ablation", "step", "memory_format")
"""What of the environment must be the same, or missing in both, for a result to repeat bit for bit."""


MOST_SHARE = 0.02
"""Of a run's time may go into its checkpoints, where they are not wanted more often."""


@dataclass
class Pace:
    """When a checkpoint is due: `every` so many epochs, and else as often as the time allows that it takes.

    The first epoch has one, which shows how long one takes. A run that is killed loses the epochs since the last one:
    at most the current epoch where an epoch takes long, and otherwise fifty times as long as a checkpoint takes.
    """

    every: int | None = None
    clock: Callable[[], float] = time.perf_counter
    epochs: int = 0
    taken: float = 0.0
    written: float = -math.inf

    def due(self) -> bool:
        """Return whether the epoch that has just ended is to leave a checkpoint."""
        self.epochs += 1
        wanted = self.every is not None and self.epochs >= self.every
        return wanted or (self.clock() - self.written) * MOST_SHARE >= self.taken

    def save(self, write: Callable[[], None]) -> None:
        """Write a checkpoint, and see how long that takes."""
        started = self.clock()
        write()
        self.written = self.clock()
        self.epochs, self.taken = 0, self.written - started


@dataclass
class Progress:
    """How far a training has come, beside its weights."""

    history: list[dict[str, Any]] = field(default_factory=list)
    """A dict for each finished epoch, as in `RunRecord.history`."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """What each operation did in the first epoch, see `Sentinel.changes`."""
    notes: list[str] = field(default_factory=list)
    """What could not be computed, and why."""


def resume(run: Run, learned: Mapping[str, Any], environment: Mapping[str, Any]) -> Progress:
    """Put the newest checkpoint into the model, optimizer and average in `learned`, and return how far it had come.

    A checkpoint that is damaged, or was made by another device, version or way to compute, is left aside and the run
    starts over: half a run here and half there would be no run of either. The journal says why.
    """
    if not run.checkpoint.exists():
        return Progress()
    try:
        state = _read(run.checkpoint)
    except Damaged as error:
        run.journal.append("restarted", reason=f"the checkpoint cannot be read: {error}")
        return Progress()
    if not isinstance(state, dict) or not {"environment", "history", "changes", *learned} <= state.keys():
        run.journal.append("restarted", reason="the checkpoint is not one of this program's")
        return Progress()
    if state["environment"] != _repeating(environment):
        reason = "the checkpoint is of another device or version"
        run.journal.append("restarted", reason=reason, was=state["environment"])
        return Progress()
    for name, part in learned.items():
        part.load_state_dict(state[name])
    return Progress(state["history"], state["changes"], state.get("notes", []))


def _read(path: Path) -> Any:
    """What `write_tensors` wrote. Raises Damaged where a byte of it is another: torch itself compares no checksums."""
    with undamaged():
        with ZipFile(path) as file:
            if name := file.testzip():
                raise Damaged(f"{name} does not have its checksum")
        return torch.load(path, map_location="cpu", weights_only=True)


def save(run: Run, learned: Mapping[str, Any], progress: Progress, environment: Mapping[str, Any]) -> None:
    """Write the checkpoint whole, replacing the one before; the journal knows its epochs before it is there."""
    run.journal.flush()
    states = {name: part.state_dict() for name, part in learned.items()}
    write_tensors(run.checkpoint, {**states, **asdict(progress), "environment": _repeating(environment)})


def _repeating(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: environment[name] for name in REPEATS if name in environment}


def write_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write what `torch.load(..., weights_only=True)` reads, whole or not at all."""
    with atomic(path) as file:
        torch.save(state, file)
