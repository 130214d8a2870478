"""RunRecord: what happened in one run, written whole, and read with every part of it checked.

Two files in the run's folder: `arrays.npz` (test predictions, features, and the first training image as the recipe
draws it), then `record.json`, whose presence makes the run finished. What must repeat to the last bit (outcome,
history, metrics, evidence and the arrays) is covered by `digest`; cost, environment and notes are kept apart, as they
may not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError
from ablation.core.files import Damaged, atomic, undamaged, write_json
from ablation.core.values import fit, read_back

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


_KINDS = {"sample": ("i", 1), "label": ("i", 1), "logits": ("f", 2)}
_KINDS |= {"features": ("f", 2), "original": ("u", 3), "draws": ("u", 4)}
"""Of each array the kind of its numbers, as numpy abbreviates it, and how many axes it has."""

_EVIDENCE: dict[str, Any] = {"first_test_batch": str, "split": str, "diverged_step": int | None}
_EVIDENCE |= {"train_images": int, "val_images": int, "test_images": int, "captions": tuple[str, ...]}
"""Of what a run proves of itself, the kinds of what tables and warnings take as it is."""


@dataclass(frozen=True)
class RunRecord:
    """`history` has a dict an epoch; `metrics` is empty when the run diverged.

    >>> RunRecord("0123456789abcdef", "finished", ({"epoch": 1},), {"accuracy": 0.9}, {}).metrics["accuracy"]
    0.9
    """

    id: str
    outcome: Literal["finished", "diverged"]
    history: tuple[dict[str, Any], ...]
    """Per epoch: epoch (from 1), lr, train_loss, train_accuracy, val_loss, val_accuracy."""
    metrics: dict[str, float]
    """On the test part: those of `ablation.analysis.metrics.METRICS` that this program had when it trained the run."""
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
        parts = {name: part for name, part in asdict(self).items() if name not in ("cost", "environment", "notes")}
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def idle_operations(record: RunRecord) -> list[str]:
    """The operations of the run's recipe that changed no picture in the first epoch.

    Resize alone is none of them: it shows the same picture to what comes after it.
    """
    changes = record.evidence.get("changes", ())
    return [one["operation"] for one in changes if not one["share_changed"] and one["operation"] != "Resize"]


def write_record(folder: Path, record: RunRecord, arrays: Arrays) -> None:
    """Write both files whole; after this the run is finished, before it never."""
    with atomic(folder / ARRAYS_FILE) as file:
        np.savez_compressed(file, **arrays._asdict())
    write_json(folder / RECORD_FILE, {**asdict(record), "digest": record.digest(arrays)})


def read_record(folder: Path) -> RunRecord | None:
    """The record in this run folder, or None if the run has not finished. Raises DataError for one that is damaged."""
    return read_with_digest(folder)[0]


def read_digest(folder: Path) -> str | None:
    """The digest written with the record, or None if the run has not finished. Raises DataError as `read_record`."""
    return read_with_digest(folder)[1]


def read_with_digest(folder: Path) -> tuple[RunRecord, str] | tuple[None, None]:
    """What `read_record` and `read_digest` give, from one reading of the file: the two belong together."""
    file = folder / RECORD_FILE
    try:
        form = json.loads(file.read_text("utf-8"))
        digest = form.pop("digest", None) if isinstance(form, dict) else None
        record = read_back(RunRecord, form)
        if wrong := [*_wrong(record)] + ([] if isinstance(digest, str) else ["digest is missing"]):
            raise ValueError("; ".join(wrong))
    except FileNotFoundError:
        return None, None
    except ValueError as error:
        raise _damaged("record", file, error) from None
    return record, str(digest)


def _wrong(record: RunRecord) -> Iterator[str]:
    """What is wrong within the fields of a record that has them all; each a message."""
    for where, item, kind in _items(record):
        if wrong := fit(item, kind)[1]:
            yield f"{where} = {item!r}: {wrong}"
    changes = record.evidence.get("changes", [])
    needed = {"operation": str, "mean_change": float, "share_changed": float}
    if not isinstance(changes, list) or not all(_has(one, needed) for one in changes):
        yield f"evidence: changes: expected a list of dicts with {', '.join(sorted(needed))}"


def _items(record: RunRecord) -> Iterator[tuple[str, Any, Any]]:
    """What stands in the record's fields: where, the item itself, and the kind that it must be of."""
    for name, item in record.metrics.items():
        yield f"metrics: {name}", item, float
    for row, epoch in enumerate(record.history, 1):
        yield f"history: epoch of entry {row}", epoch.get("epoch"), int
        for name, item in epoch.items():
            yield f"history: {name} of entry {row}", item, float | None
    for name, item in record.cost.items():
        yield f"cost: {name}", item, float | None
    for name, item in record.environment.items():
        yield f"environment: {name}", item, str
    for name, kind in _EVIDENCE.items():
        if name in record.evidence:
            yield f"evidence: {name}", record.evidence[name], kind


def _has(item: Any, needed: dict[str, Any]) -> bool:
    """Whether it is a dict with these names, each of its kind."""
    return isinstance(item, dict) and not any(fit(item.get(name), kind)[1] for name, kind in needed.items())


def read_predictions(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """sample, label and logits of a finished run, see `Arrays`; the larger arrays beside them are not read."""
    sample, label, logits = _read_arrays(folder, ("sample", "label", "logits"))
    return sample, label, logits


def read_arrays(folder: Path) -> Arrays:
    """The arrays of a finished run. Raises DataError where they are damaged or do not belong together."""
    return Arrays(*_read_arrays(folder, Arrays._fields))


def _read_arrays(folder: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    file = folder / ARRAYS_FILE
    try:
        with undamaged(), file.open("rb") as opened, np.load(opened) as stored:
            arrays = {name: stored[name] for name in names}
        if not _belong_together(arrays):
            listed = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
            raise Damaged(f"its arrays do not belong together: {listed}")
    except (FileNotFoundError, Damaged) as error:
        raise _damaged("arrays", file, error) from error
    return list(arrays.values())


def _belong_together(arrays: dict[str, NDArray[Any]]) -> bool:
    """Whether each is of its kind, and all are of as many test images with labels of the classes that there are."""
    if any((array.dtype.kind, array.ndim) != _KINDS[name] for name, array in arrays.items()):
        return False
    labels, classes = arrays["label"], arrays["logits"].shape[1]
    lengths = {len(array) for name, array in arrays.items() if name not in ("original", "draws")}
    return len(lengths) == 1 and not np.any((labels < 0) | (labels >= classes))


def _damaged(what: str, file: Path, error: Exception) -> DataError:
    mend = f"remove {file.parent / RECORD_FILE}, and `ablation run` trains that run again"
    return DataError(f"the {what} in {file} cannot be believed ({error}); {mend}")
