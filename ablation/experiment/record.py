"""RunRecord: what happened in one run, written and read whole.

Two files in the run's folder: `arrays.npz` (test predictions, features, and the first training image as the recipe
draws it), then `record.json`, whose presence makes the run finished. What must repeat to the last bit (outcome,
history, metrics, evidence and the arrays) is covered by `digest`; cost, environment and notes are kept apart, as they
may not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError
from ablation.core.files import atomic, write_json

RECORD_FILE, ARRAYS_FILE = "record.json", "arrays.npz"


class Arrays(NamedTuple):
    """The arrays of a record: T test images, C classes, F features, D draws of a picture of side S."""

    sample: NDArray[np.int64]
    """(T,) row of each test image in the data set."""
    label: NDArray[np.int64]
    """(T,) its class."""
    logits: NDArray[np.float32]
    """(T, C)."""
    features: NDArray[np.float32]
    """(T, F), what goes into the network's last linear layer."""
    original: NDArray[np.uint8]
    """(S, S, 3), the first training image without augmentation, before normalisation."""
    draws: NDArray[np.uint8]
    """(D, S, S, 3), the same through the recipe, as drawn for the first epochs; `evidence["captions"]` says what."""


@dataclass(frozen=True)
class RunRecord:
    """`history` has a dict an epoch; `metrics` is empty when the run diverged."""

    id: str
    outcome: Literal["finished", "diverged"]
    history: tuple[dict[str, Any], ...]
    """Per epoch: epoch (from 1), lr, train_loss, train_accuracy, val_loss, val_accuracy."""
    metrics: dict[str, float]
    """On the test part: accuracy, macro_f1, balanced_accuracy, log_loss, brier, ece."""
    evidence: dict[str, Any]
    """What the run proves of itself: first_test_batch, split, mean, std, parameters, diverged_step, changes, and the
    captions of the draws."""
    cost: dict[str, Any] = field(default_factory=dict)
    """seconds, images_per_second (validation included in both), gpu_memory_mib at its peak."""
    environment: dict[str, Any] = field(default_factory=dict)
    """device, precision, host, and the versions of Python, torch and this program."""
    notes: tuple[str, ...] = ()
    """What accompanies the result and could not be computed, a line each with the reason. As a rule there is none."""

    def digest(self, arrays: Arrays) -> str:
        """SHA-256 of everything that the same spec must repeat bit for bit."""
        told = {name: part for name, part in asdict(self).items() if name not in ("cost", "environment", "notes")}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def idle_operations(record: RunRecord) -> list[str]:
    """The operations of the run's recipe that changed no picture in the first epoch.

    Resize alone is none of them: it shows the same picture to what comes after it.
    """
    changes = record.evidence.get("changes", ())
    return [told["operation"] for told in changes if not told["share_changed"] and told["operation"] != "Resize"]


def write_record(folder: Path, record: RunRecord, arrays: Arrays) -> None:
    """Write both files whole; after this the run is finished, before it never."""
    with atomic(folder / ARRAYS_FILE) as file:
        np.savez_compressed(file, **arrays._asdict())
    write_json(folder / RECORD_FILE, {**asdict(record), "digest": record.digest(arrays)})


def read_record(folder: Path) -> RunRecord | None:
    """The record in this run folder, or None if the run has not finished."""
    content = _read_json(folder)
    if content is None:
        return None
    content.pop("digest")
    return RunRecord(**{**content, "history": tuple(content["history"]), "notes": tuple(content.get("notes", ()))})


def read_digest(folder: Path) -> str | None:
    """The digest written with the record, or None if the run has not finished."""
    content = _read_json(folder)
    return None if content is None else str(content["digest"])


def _read_json(folder: Path) -> dict[str, Any] | None:
    file = folder / RECORD_FILE
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            f"the record {file} is damaged ({error}); remove it, and `ablation run` trains that run again"
        ) from None


def read_predictions(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """sample, label and logits of a finished run, see `Arrays`; the larger arrays beside them are not read."""
    with np.load(folder / ARRAYS_FILE) as file:
        return file["sample"], file["label"], file["logits"]


def read_arrays(folder: Path) -> Arrays:
    """The arrays of a finished run."""
    with np.load(folder / ARRAYS_FILE) as file:
        return Arrays(**{name: file[name] for name in Arrays._fields})
