"""Made-up records: what a finished run keeps, drawn at random and written as a worker writes it, seal and all.

For measurements of what reads records. Nothing is trained; recipes do not differ.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ablation.analysis.metrics import classification_metrics
from ablation.core.seeds import stream
from ablation.data import Dataset, build, listing
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import read
from ablation.experiment.record import Arrays, RunRecord, compact, write_record
from ablation.experiment.robustness import conditions_of
from ablation.experiment.runs import Run
from ablation.experiment.seal import JOURNAL_FILE

START = 1.79e9
"""Seconds since 1970 at which every made run started."""


@dataclass(frozen=True)
class Kept:
    """How much a run keeps beside its answers: features of a test image, test images under each condition, maps."""

    features: int = 512
    corrupted: int = 300
    maps: int = 200
    map_side: int = 7


def answers(run: Run, labels: np.ndarray, classes: int, what: str, share: float) -> np.ndarray:
    """(T, C) logits that are right for this share of the images, the same ones being easy for all runs."""
    easy = stream(0, what, len(labels)).random(len(labels))
    random = stream(run.spec.seed, what, run.spec.id)
    wrong = easy + 0.1 * random.normal(size=len(labels)) > share
    logits = random.normal(size=(len(labels), classes)).astype(np.float32)
    logits[np.arange(len(labels)), (labels + wrong) % classes] += 4
    return logits


def history(run: Run) -> tuple[dict[str, float], ...]:
    """An epoch's figures for each epoch, with as many digits as measured ones have."""
    random = stream(run.spec.seed, "history", run.spec.id)
    losses, shares = random.random((2, run.spec.epochs, 2))
    rates = {"lr": 0.03}
    return tuple(
        {"epoch": epoch, **rates, "train_loss": loss[0], "train_accuracy": share[0], "val_loss": loss[1],
         "val_accuracy": share[1]}
        for epoch, (loss, share) in enumerate(zip(losses.tolist(), shares.tolist(), strict=True), 1)
    )  # fmt: skip


def write_made(run: Run, file: Path, cache: Path, kept: Kept) -> None:
    """Write spec, journal, record, arrays and seal of a run of the experiment in `file`."""
    experiment = read(file).experiment
    data = build(listing(experiment.data, cache), run.spec.cache_size, cache)
    arrays = _arrays(run, experiment, data, kept)
    random, evidence = stream(run.spec.seed, "cost", run.spec.id), _evidence(run, experiment, arrays)
    cost = {"seconds": float(60 + random.normal()), "images_per_second": 300.0, "gpu_memory_mib": None}
    environment = {"device": "cpu", "precision": "float32", "host": "h", "torch": "2", "torchvision": "0", "numpy": "2"}
    metrics, epochs = classification_metrics(arrays.logits, arrays.label), history(run)
    run.prepare()
    _start_journal(run, epochs)
    write_record(run.folder, RunRecord(run.spec.id, "finished", epochs, metrics, evidence, cost, environment), arrays)
    run.journal.append("finished")


def _start_journal(run: Run, epochs: tuple[dict[str, float], ...]) -> None:
    """The lines up to the seal, written at once: a flush for each of them would be most of the time."""
    events = [{"event": "started", "time": START, "device": "cpu", "process": 1}]
    events += [
        {"event": "epoch", "time": START + epoch["epoch"], **epoch, "seconds": 0.0316, "images_per_second": 3195.0}
        for epoch in epochs
    ]
    texts = [json.dumps(event).encode() for event in events]
    (run.folder / JOURNAL_FILE).write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in texts))


def _arrays(run: Run, experiment: Experiment, data: Dataset, kept: Kept) -> Arrays:
    parts, random, classes = run.spec.parts(data), stream(run.spec.seed, "features", run.spec.id), len(data.classes)
    label = {name: data.labels[getattr(parts, name)] for name in ("train", "val", "test")}
    logits = {name: answers(run, own, classes, name, 0.8 + 0.15 * (name == "train")) for name, own in label.items()}
    centres = stream(0, "centres").normal(size=(classes, kept.features))
    features = centres[label["test"]] + 2 * random.normal(size=(len(label["test"]), kept.features))
    shown = conditions_of(experiment, run.spec.image_size)
    changed = label["test"][: kept.corrupted]
    corrupted = np.stack([answers(run, changed, classes, "test", 0.7) for _ in shown])
    side = run.spec.image_size
    return Arrays(
        parts.test, label["test"], logits["test"], features.astype(np.float32).clip(min=0),
        np.zeros((side, side, 3), np.uint8), np.zeros((5, side, side, 3), np.uint8),
        parts.train, label["train"], compact(logits["train"]), parts.val, label["val"], compact(logits["val"]),
        parts.test[: kept.corrupted], changed, compact(corrupted),
        parts.test[: kept.maps], random.integers(0, 256, (kept.maps, kept.map_side, kept.map_side)).astype(np.uint8),
    )  # fmt: skip


def _evidence(run: Run, experiment: Experiment, arrays: Arrays) -> dict[str, object]:
    conditions = [
        [condition.name, condition.strength, "changed"] for condition in conditions_of(experiment, run.spec.image_size)
    ]
    return {
        "first_test_batch": "t", "split": "s", "diverged_step": None, "changes": [], "captions": [""] * 5,
        "train_images": len(arrays.train_sample), "val_images": len(arrays.val_sample),
        "test_images": len(arrays.sample), "conditions": conditions,
    }  # fmt: skip
