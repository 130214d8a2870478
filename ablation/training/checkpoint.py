"""The last two checkpoints of a run: written at the end of an epoch, and what an interrupted run goes on from.

A checkpoint is what `torch.save` writes, and behind it a line with the SHA-256 of all that. It names its run. One that
is not as it was written, or does not fit its run, is left aside for the one before; a run never fails because of it.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn

from ablation.core.files import Damaged, atomic, disk_full, undamaged
from ablation.experiment.runs import Run

REPEATS = ("device", "precision", "torch", "torchvision", "numpy", "ablation", "step", "memory_format")
"""What of the environment must be the same, or missing in both, for a result to repeat bit for bit."""


MOST_SHARE = 0.02
"""Of a run's time may go into its checkpoints, where they are not wanted more often."""

FIGURES = ("epoch", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
"""What the history has of each epoch."""

_MARK = b"\nablation checkpoint, sha256 "
_ENDING = len(_MARK) + 64
_AT_ONCE = 1 << 20

_MOVES = ("lr", "taken")
"""What changes in training of the state of an optimizer, beside its tensors."""

_OF_THE_FILE = {
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP),
    *(errno.EINVAL, errno.ENXIO, errno.EIO),
}
"""Why a file cannot be read that will not be otherwise soon. Where memory or handles are short, another attempt can."""


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
        """Write a checkpoint, and see how long that takes, whether or not it can be written."""
        started = self.clock()
        try:
            write()
        finally:
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
    newest: Path | None = None
    """The newest checkpoint of this training: what else lies in the run's folder is not to be gone on from."""


class Refused(Exception):
    """A checkpoint that a run does not go on from. environment: of the checkpoint, where that is the reason."""

    def __init__(self, reason: str, environment: dict[str, Any] | None = None):
        super().__init__(reason)
        self.environment = environment


# --- reading


def resume(
    run: Run,
    learned: Mapping[str, Any],
    environment: Mapping[str, Any],
    tell: Callable[[str], None] = lambda message: None,
) -> Progress:
    """Put the newest good checkpoint into the model, optimizer and average in `learned`; return how far it had come.

    One that is damaged, of another run, or made by another device, version or way to compute, is left aside for the one
    before, and where there is none the run starts over: half a run here and half there would be no run of either.
    Nothing is loaded of what does not fit as a whole. The journal says why, and `tell` is called with a line.
    """
    refused: dict[str, Refused] = {}
    for path in run.checkpoints:
        if not os.path.lexists(path):
            continue
        try:
            state = _fitting(_read(path), run, learned, environment)
        except Refused as error:
            refused.setdefault(str(error), error)
            continue
        for name, part in learned.items():
            part.load_state_dict(state[name])
        progress = Progress(state["history"], state["changes"], state["notes"], path)
        if refused:
            reason, epoch = "; ".join(refused), len(progress.history)
            run.journal.append("fallback", reason=reason, epoch=epoch)
            tell(f"{reason}; the run goes on from the one before, after epoch {epoch}")
        return progress
    if refused:
        reason = "; ".join(refused)
        was = [error.environment for error in refused.values() if error.environment]
        run.journal.append("restarted", reason=reason, **({"was": was[0]} if was else {}))
        tell(f"{reason}; the run starts over")
    return Progress()


def _read(path: Path) -> Any:
    """What `write_checkpoint` wrote. Raises Refused where a byte of it is another, or it cannot be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            what = "a link to nothing" if path.is_symlink() else "no file"
            raise Refused(f"the checkpoint cannot be read: it is {what}")
        with undamaged(), path.open("rb") as file:
            _hold_to_checksum(file)
            return torch.load(file, map_location="cpu", weights_only=True)
    except Damaged as error:
        raise Refused(f"the checkpoint cannot be read: {str(error).partition(chr(10))[0]}") from error
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        raise Refused(f"the checkpoint cannot be read: {error.strerror}") from error


def _hold_to_checksum(file: IO[bytes]) -> None:
    """Raises Damaged where a byte of an open file is not as it was written; else goes to the file's start."""
    size = file.seek(0, os.SEEK_END) - _ENDING
    file.seek(max(0, size))
    ending = file.read()
    if not ending.startswith(_MARK):
        raise Damaged("it has no checksum: it was cut short, or is not of this version of ablation")
    digest, left = hashlib.sha256(), size
    file.seek(0)
    while left:
        part = file.read(min(left, _AT_ONCE))
        digest.update(part)
        left -= len(part)
    if ending != _MARK + digest.hexdigest().encode():
        raise Damaged("it does not have its checksum")
    file.seek(0)


def _fitting(state: Any, run: Run, learned: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """The state, all of which fits the run and what it learns. Raises Refused."""
    parts = {"run", "environment", "history", "changes", "notes", *learned}
    if not isinstance(state, dict) or state.keys() != parts:
        raise Refused("the checkpoint is not one of this program's")
    if state["run"] != run.spec.id:
        raise Refused(f"the checkpoint is that of the run {state['run']}, and not of {run.spec.id}")
    if state["environment"] != _repeating(environment):
        raise Refused("the checkpoint is of another device or version", state["environment"])
    wrong = _wrong_progress(state, run.spec.epochs)
    for name, part in learned.items():
        wrong = wrong or _unlike(state[name], _form(part), name)
    if wrong:
        raise Refused(f"the checkpoint does not fit the run: {wrong}")
    return state


def _wrong_progress(state: Mapping[str, Any], epochs: int) -> str:
    """Which of history, changes and notes has another form than those of a run of so many epochs; '' for none."""
    history, changes, notes = state["history"], state["changes"], state["notes"]
    whole = isinstance(history, list) and all(isinstance(one, dict) and one.keys() == set(FIGURES) for one in history)
    if not whole or [one["epoch"] for one in history] != list(range(1, len(history) + 1)):
        return "history"
    numbers = (one[name] for one in history for name in FIGURES if name != "val_loss" or one[name] is not None)
    if not 0 < len(history) < epochs or not all(type(number) in (int, float) for number in numbers):
        return "history"
    if not isinstance(changes, list) or not all(isinstance(one, dict) for one in changes):
        return "changes"
    return "" if isinstance(notes, list) and all(isinstance(one, str) for one in notes) else "notes"


def _form(part: Any) -> Any:
    """A state of the model, average or optimizer that has the form of the one to load.

    An optimizer has most of its state from its first step on: a copy takes one, by gradients of zero.
    """
    if isinstance(part, nn.Module):
        return part.state_dict()
    copied = copy.deepcopy(part)
    for group in copied.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    copied.step(lambda: torch.zeros(()))
    return copied.state_dict()


def _unlike(saved: Any, form: Any, name: str) -> str:
    """Which entry of a saved state differs in its form, tensors in theirs, from what it would be loaded into."""
    if isinstance(form, Tensor):
        fits = isinstance(saved, Tensor) and (saved.dtype, saved.shape) == (form.dtype, form.shape)
        return "" if fits else name
    if isinstance(form, dict):
        if not isinstance(saved, dict) or not _same_names(saved, form):
            return name
        return next(filter(None, (_unlike(saved[one], form[one], f"{name}: {one}") for one in saved)), "")
    if isinstance(form, list | tuple):
        if type(saved) is not type(form) or len(saved) != len(form):
            return name
        pairs = enumerate(zip(saved, form, strict=True))
        return next(filter(None, (_unlike(one, other, f"{name}: {row}") for row, (one, other) in pairs)), "")
    if name.endswith(_MOVES):
        return "" if type(saved) in (int, float) else name
    return "" if type(saved) is type(form) and saved == form else name


def _same_names(saved: dict[Any, Any], form: dict[Any, Any]) -> bool:
    """A parameter that no gradient reaches has no state; those of an optimizer go by number."""
    of_parameters = bool(saved) and all(isinstance(one, int) for one in form)
    return saved.keys() == form.keys() or (of_parameters and saved.keys() <= form.keys())


# --- writing


def save(run: Run, learned: Mapping[str, Any], progress: Progress, environment: Mapping[str, Any]) -> None:
    """Write the newest checkpoint whole; the one that was newest is kept, if it is of this training, and no other.

    The journal knows its epochs before it is there. Raises OSError, as of a full disk, where it cannot be written: what
    there was is there still.
    """
    run.journal.flush()
    states = {name: part.state_dict() for name, part in learned.items()}
    kept = {"history": progress.history, "changes": progress.changes, "notes": progress.notes}
    state = {"run": run.spec.id, "environment": _repeating(environment), **kept, **states}
    write_checkpoint(run.checkpoint, state, lambda: _make_room(run, progress))
    progress.newest = run.checkpoint


def write_checkpoint(path: Path, state: dict[str, Any], written: Callable[[], None] = lambda: None) -> None:
    """Write a state with its checksum, whole or not at all. `written` is called between writing and renaming it."""
    with atomic(path) as file:
        digesting = _Digesting(file)
        torch.save(state, cast(IO[bytes], digesting))
        file.write(_MARK + digesting.digest.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())
        written()


def write_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write what `torch.load(..., weights_only=True)` reads, whole or not at all."""
    with atomic(path) as file:
        torch.save(state, file)


def unwritten(error: OSError, what: str = "a checkpoint") -> str:
    """What is said of something that could not be written while a run goes on."""
    reason = disk_full(error) or ": ".join(filter(None, (error.strerror or str(error), error.filename)))
    return f"{what} could not be written ({reason}); training went on"


class _Digesting:
    """A file for torch to write into, which computes the SHA-256 of what is written."""

    def __init__(self, file: IO[bytes]):
        self.file, self.digest = file, hashlib.sha256()

    def write(self, content: memoryview) -> int:
        self.digest.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        """`write_checkpoint` does that."""


def _make_room(run: Run, progress: Progress) -> None:
    """Make the newest checkpoint the one before, and remove what is not of this training."""
    newest, before = run.checkpoints
    if progress.newest == newest:
        if before.is_dir():
            _remove(before)
        os.replace(newest, before)
        progress.newest = before
    elif progress.newest is None:
        _remove(before)
    _remove(newest)


def _remove(path: Path) -> None:
    """Remove a file or a link; a folder, which is none of ours, gets out of the way under another name."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.{time.time_ns()}"))
    else:
        path.unlink(missing_ok=True)


def _repeating(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: environment[name] for name in REPEATS if name in environment}
