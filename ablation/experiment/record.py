"""RunRecord: what happened in one run, written whole, and read with every part of it checked.

Two files in the run's folder: `arrays.npz` (predictions, features, and the first training image as the recipe draws
it), then `record.json`, whose presence makes the run finished. What must repeat to the last bit (outcome,
history, metrics, evidence and the arrays) is covered by `digest`; cost, environment and notes are kept apart, as they
may not. The bytes of both are sealed in the journal (`ablation.experiment.seal`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.core.errors import DataError
from ablation.core.files import Damaged, json_bytes, open_file, read_file, undamaged, write_bytes
from ablation.core.values import fit, read_back
from ablation.experiment.seal import MARK, Sealed, write_seal

RECORD_FILE, ARRAYS_FILE = "record.json", "arrays.npz"


Part = Literal["train", "val", "test"]
"""A part of the data, by the name that it has in an experiment's split."""


class Predictions(NamedTuple):
    """What a trained network answers for T images, which are shown to it without augmentation."""

    sample: NDArray[np.int64]
    """(T,) row of each image in the data set."""
    label: NDArray[np.int64]
    """(T,) its class."""
    logits: NDArray[np.float32]
    """(T, C) a row an image, a column a class."""


class Corrupted(NamedTuple):
    """What a trained network answers for R test images under each of K test conditions (`experiment.robustness`)."""

    conditions: tuple[tuple[str, float], ...]
    """K times the name of what is done to the images, and how strongly: ("brightness", 1.0)."""
    sample: NDArray[np.int64]
    """(R,) row of each image in the data set."""
    label: NDArray[np.int64]
    """(R,) its class."""
    logits: NDArray[np.float32]
    """(K, R, C)."""
    operations: tuple[str, ...] = ()
    """K times what was done to the images, by value: a name may stand for other operations in another run."""


class Attention(NamedTuple):
    """Where a trained network looked for its guess in each of M test images: Grad-CAM (Selvaraju et al. 2017)."""

    sample: NDArray[np.int64]
    """(M,) row of each image in the data set."""
    maps: NDArray[np.uint8]
    """(M, h, w), on the grid of the last feature map; 255 where the network looked most."""


class Arrays(NamedTuple):
    """The arrays of a record: T test images, C classes, F features, D draws of a picture of side S.

    Those that may be None are not in the records of older versions, nor where a run had no reason to make them.
    """

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
    train_sample: NDArray[np.int64] | None = None
    """(N,) rows of the training images that the trained network was shown: all, or those there was room for."""
    train_label: NDArray[np.int64] | None = None
    train_logits: NDArray[np.float16] | None = None
    """(N, C), see `compact`."""
    val_sample: NDArray[np.int64] | None = None
    """(V,) rows of the validation images."""
    val_label: NDArray[np.int64] | None = None
    val_logits: NDArray[np.float16] | None = None
    """(V, C)."""
    corrupted_sample: NDArray[np.int64] | None = None
    """(R,) rows of the test images that were shown under test conditions."""
    corrupted_label: NDArray[np.int64] | None = None
    corrupted_logits: NDArray[np.float16] | None = None
    """(K, R, C), under the K conditions of `evidence["conditions"]`."""
    attention_sample: NDArray[np.int64] | None = None
    """(M,) rows of the test images that `attention_maps` are of."""
    attention_maps: NDArray[np.uint8] | None = None
    """(M, h, w), see `Attention`."""


_OPTIONAL = tuple(Arrays._field_defaults)

_KINDS = {"sample": ("i", 1), "label": ("i", 1), "logits": ("f", 2), "features": ("f", 2)}
_KINDS |= {"original": ("u", 3), "draws": ("u", 4), "corrupted_logits": ("f", 3), "attention_maps": ("u", 3)}
"""Of each array the kind of its numbers, as numpy abbreviates it, and how many axes it has. One of a part is as that of
the test part: `train_logits` as `logits`."""

_EVIDENCE: dict[str, Any] = {"first_test_batch": str, "split": str, "diverged_step": int | None}
_EVIDENCE |= {"train_images": int, "val_images": int, "test_images": int, "captions": tuple[str, ...]}
_EVIDENCE |= {"conditions": tuple[tuple[str, float, str], ...]}
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
    """On the test part: `ablation.analysis.metrics.RECORDED`, those that this program had when it trained the run."""
    evidence: dict[str, Any]
    """What the run proves of itself: first_test_batch, split, mean, std, parameters, diverged_step, changes, the
    captions of the draws, and the test conditions (name, strength, operations) under which it was tested as well."""
    cost: dict[str, Any] = field(default_factory=dict)
    """seconds, images_per_second (validation included in both), gpu_memory_mib at its peak; evaluation_seconds, which
    the looks at the trained network took after its test."""
    environment: dict[str, Any] = field(default_factory=dict)
    """device, precision, memory_format, host, and the versions of Python, torch and this program."""
    notes: tuple[str, ...] = ()
    """What accompanies the result and could not be computed, a line each with the reason. As a rule there is none."""

    def digest(self, arrays: Arrays) -> str:
        """SHA-256 of everything that the same spec must repeat bit for bit."""
        parts = {name: part for name, part in asdict(self).items() if name not in ("cost", "environment", "notes")}
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for array in present(arrays).values():
            digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def compact(logits: NDArray[np.float32]) -> NDArray[np.float16]:
    """Logits (..., C) as float16, each row less its largest entry, which changes no probability.

    So no guess changes: the largest is 0, and what is less is below 0, be it by so little that float16 has no number
    for it. The log loss of an image is off by at most (the loss + ln C) / 2,048; what is more than 65,504 below the
    largest is kept as that.

    >>> compact(np.array([[20.0, 12.0, 19.999]], np.float32)).tolist()
    [[0.0, -8.0, -0.0010004043579101562]]
    """
    limits = np.finfo(np.float16)
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    small: NDArray[np.float16] = shifted.clip(min=float(limits.min)).astype(np.float16)
    small[(shifted < 0) & (small == 0)] = -limits.smallest_subnormal
    return small


def present(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The arrays that are there, by name."""
    return {name: array for name, array in arrays._asdict().items() if array is not None}


def idle_operations(record: RunRecord) -> list[str]:
    """The operations of the run's recipe that changed no picture in the first epoch.

    Resize alone is none of them: it shows the same picture to what comes after it.
    """
    changes = record.evidence.get("changes", ())
    return [one["operation"] for one in changes if not one["share_changed"] and one["operation"] != "Resize"]


def write_record(folder: Path, record: RunRecord, arrays: Arrays) -> None:
    """Write both files whole, and their seal; after this the run is finished, before it never."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **present(arrays))  # type: ignore[arg-type]  # a name of ours is none of its options
    form = json_bytes({**asdict(record), "digest": record.digest(arrays), MARK: True})
    write_bytes(folder / ARRAYS_FILE, packed.getvalue())
    write_seal(folder, {RECORD_FILE: form, ARRAYS_FILE: packed.getvalue()})
    write_bytes(folder / RECORD_FILE, form)


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
        return parse_record(read_file(file))
    except FileNotFoundError:
        return None, None
    except (Damaged, IsADirectoryError) as error:
        raise _damaged("record", file, error) from None


def parse_record(content: bytes) -> tuple[RunRecord, str]:
    """The record that record.json holds, and the digest written with it. Raises Damaged with all that is wrong."""
    try:
        form = json.loads(content.decode())
        digest = form.pop("digest", None) if isinstance(form, dict) else None
        form = {name: part for name, part in form.items() if name != MARK} if isinstance(form, dict) else form
        record = read_back(RunRecord, form)
        wrong = [*_wrong(record)] + ([] if isinstance(digest, str) else ["digest is missing"])
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)) from None
    if wrong:
        raise Damaged("; ".join(wrong))
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


def read_predictions(folder: Path, sealed: Sealed | None = None) -> Predictions:
    """The test predictions of a finished run; the larger arrays beside them are not read.

    sealed: of this and the readers below, how arrays.npz was when it was held to its seal. Raises DataError where it is
    another by now; None: not held to anything.
    """
    return Predictions(**_read_arrays(folder, ("sample", "label", "logits"), sealed))


def read_part(folder: Path, part: Part, sealed: Sealed | None = None) -> Predictions | None:
    """The predictions of a finished run for one part; None where its record has none of that part."""
    if part == "test":
        return read_predictions(folder, sealed)
    arrays = _read_if_there(folder, f"{part}_", sealed)
    return Predictions(arrays["sample"], arrays["label"], arrays["logits"].astype(np.float32)) if arrays else None


def read_corrupted(folder: Path, record: RunRecord | None = None, sealed: Sealed | None = None) -> Corrupted | None:
    """What a finished run answered under test conditions; None where it was not tested under any.

    record: the run's, where it has been read already.
    """
    arrays, record = _read_if_there(folder, "corrupted_", sealed), record or read_record(folder)
    named = record.evidence.get("conditions", ()) if record else ()
    conditions = tuple((str(name), float(strength)) for name, strength, _ in named)
    shown = len(arrays["logits"]) if arrays else 0
    if len(conditions) != shown:
        wrong = Damaged(f"it has answers under {shown} test conditions, and {RECORD_FILE} names {len(conditions)}")
        raise _damaged("arrays", folder / ARRAYS_FILE, wrong)
    if not arrays:
        return None
    logits = arrays["logits"].astype(np.float32)
    return Corrupted(conditions, arrays["sample"], arrays["label"], logits, tuple(str(done) for _, _, done in named))


def read_attention(folder: Path, sealed: Sealed | None = None) -> Attention | None:
    """Where the network of a finished run looked; None where that was not kept."""
    arrays = _read_if_there(folder, "attention_", sealed)
    return Attention(arrays["sample"], arrays["maps"]) if arrays else None


def read_features(
    folder: Path, sealed: Sealed | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Of a finished run: (T,) rows of its test images, (T,) their classes, (T, F) features."""
    arrays = _read_arrays(folder, ("sample", "label", "features"), sealed)
    return arrays["sample"], arrays["label"], arrays["features"]


def read_arrays(folder: Path, sealed: Sealed | None = None) -> Arrays:
    """The arrays of a finished run. Raises DataError where they are damaged or do not belong together."""
    return Arrays(**_read_arrays(folder, Arrays._fields, sealed))


def _read_if_there(folder: Path, prefix: str, sealed: Sealed | None) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, by the rest of their names; {} where the record has none of them."""
    names = tuple(name for name in _OPTIONAL if name.startswith(prefix))
    return {name.removeprefix(prefix): array for name, array in _read_arrays(folder, names, sealed).items()}


def _read_arrays(folder: Path, names: Sequence[str], sealed: Sealed | None) -> dict[str, NDArray[Any]]:
    """These arrays by name, without the optional ones that are not there."""
    file = folder / ARRAYS_FILE
    try:
        return parse_arrays(file, names, sealed)
    except (FileNotFoundError, Damaged) as error:
        raise _damaged("arrays", file, error) from error


def parse_arrays(
    file: Path, names: Sequence[str] = Arrays._fields, sealed: Sealed | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays of these names in arrays.npz. Raises FileNotFoundError, and Damaged where they cannot be believed."""
    with undamaged(), open_file(file) as opened, np.load(opened) as stored:
        arrays = {name: stored[name] for name in names if name in stored or name not in _OPTIONAL}
        if sealed is not None and not sealed.is_still(opened):
            raise Damaged("it was changed while it was used: its seal fitted a moment ago")
    if not _belong_together(arrays, names):
        listed = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise Damaged(f"its arrays do not belong together: {listed}")
    return arrays


def _belong_together(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> bool:
    """Is each of its kind, and of each part that is there every array, of as many images, with labels of its classes?

    names: those that were looked for.
    """
    parts: dict[str, dict[str, NDArray[Any] | None]] = {}
    for name in names:
        if name not in ("original", "draws"):
            prefix, _, what = name.rpartition("_")
            parts.setdefault(prefix, {})[what] = arrays.get(name)
    there = [part for part in parts.values() if any(array is not None for array in part.values())]
    return all((array.dtype.kind, array.ndim) == _kind(name) for name, array in arrays.items()) and all(
        map(_whole, there)
    )


def _kind(name: str) -> tuple[str, int]:
    return _KINDS[name] if name in _KINDS else _KINDS[name.rpartition("_")[2]]


def _whole(part: Mapping[str, NDArray[Any] | None]) -> bool:
    """Are all arrays of a part there, and of as many images?"""
    there = {what: array for what, array in part.items() if array is not None}
    images = {array.shape[-2] if what == "logits" else len(array) for what, array in there.items()}
    if len(there) < len(part) or len(images) != 1:
        return False
    classes = there["logits"].shape[-1] if "logits" in there else None
    return classes is None or not np.any((there["label"] < 0) | (there["label"] >= classes))


def _damaged(what: str, file: Path, error: Exception) -> DataError:
    mend = f"remove {file.parent / RECORD_FILE}, and `ablation run` trains that run again"
    wrong = "it is missing" if isinstance(error, FileNotFoundError) else error
    return DataError(f"the {what} in {file} cannot be believed ({wrong}); {mend}")
