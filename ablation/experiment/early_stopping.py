"""Early stopping: which epoch was the best, and whether training is to go on. Functions of the history alone.

An epoch improved where its validation loss is below that of every epoch before; one without a finite loss did not. As
nothing is counted on the way, a run that is killed and goes on stops where it would have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

History = Sequence[Mapping[str, Any]]
"""A dict for each finished epoch, as in `RunRecord.history`."""

ALL_EPOCHS = "all epochs were trained"
"""Why training ended that did not stop early."""


def best_epoch(history: History) -> int:
    """The first epoch (from 1) with the lowest validation loss; 0 where none was finite.

    >>> best_epoch([{"val_loss": 0.9}, {"val_loss": 0.5}, {"val_loss": None}, {"val_loss": 0.5}])
    2
    """
    losses = [(epoch["val_loss"], number) for number, epoch in enumerate(history, 1) if epoch["val_loss"] is not None]
    return min(losses)[1] if losses else 0


def ran_out(history: History, patience: int | None) -> bool:
    """Whether the last `patience` epochs have not improved."""
    return patience is not None and len(history) - best_epoch(history) >= patience


def early_stopping(history: History, patience: int, epochs: int) -> dict[str, Any]:
    """What a record says of it: epochs trained, the one whose network was tested, and why training ended."""
    best = best_epoch(history) or len(history)
    reason = ALL_EPOCHS if len(history) == epochs else "the loss was no longer a finite number"
    if len(history) < epochs and ran_out(history, patience):
        reason = f"the validation loss had not improved for {patience} epochs"
    return {"patience": patience, "epochs": len(history), "best_epoch": best, "reason": reason}
