"""What somebody could do to a finished run, by hand or by a program."""

import json
from pathlib import Path

import numpy as np

from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, read_arrays, read_record
from ablation.experiment.seal import JOURNAL_FILE


def edit_accuracy(folder: Path, accuracy: float = 0.999) -> None:
    """As in an editor: the number alone."""
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["metrics"]["accuracy"] = accuracy
    (folder / RECORD_FILE).write_text(json.dumps(form, indent=1), "utf-8")


def replace_predictions(folder: Path) -> None:
    """Every prediction is right; all other arrays are as they were."""
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    arrays["logits"] = 9 * np.eye(arrays["logits"].shape[1], dtype=np.float32)[arrays["label"]]
    np.savez_compressed(folder / ARRAYS_FILE, **arrays)


def fit_digest(folder: Path) -> None:
    """The record's own digest is that of what lies there."""
    record = read_record(folder)
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    form["digest"] = record.digest(read_arrays(folder))
    (folder / RECORD_FILE).write_text(json.dumps(form, indent=1), "utf-8")


def edit_accuracy_and_digest(folder: Path) -> None:
    edit_accuracy(folder)
    fit_digest(folder)


def replace_predictions_and_digest(folder: Path) -> None:
    replace_predictions(folder)
    fit_digest(folder)


def without_seal(folder: Path) -> None:
    """The lines of the journal that hold a seal are cut out; all others stay whole."""
    lines = (folder / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL_FILE).write_bytes(b"".join(line for line in lines if b'"event": "sealed"' not in line))


def truncate_journal(folder: Path) -> None:
    whole = (folder / JOURNAL_FILE).read_bytes()
    (folder / JOURNAL_FILE).write_bytes(whole[: len(whole) // 2])


def make_older(folder: Path) -> None:
    """As a version that knew no seal has left it."""
    without_seal(folder)
    form = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    del form["sealed"]
    (folder / RECORD_FILE).write_text(json.dumps(form, indent=1), "utf-8")
