"""A record is written and read whole, and its digest covers what must repeat, to the last bit."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from ablation.core.errors import DataError
from ablation.experiment.record import (
    ARRAYS_FILE,
    RECORD_FILE,
    Arrays,
    RunRecord,
    compact,
    read_arrays,
    read_digest,
    read_predictions,
    read_record,
    write_record,
)
from ablation.experiment.seal import JOURNAL_FILE

RECORD = RunRecord(
    id="0123456789abcdef",
    outcome="finished",
    history=({"epoch": 1, "lr": 0.1, "train_loss": 1 / 3, "val_loss": None}, {"epoch": 2, "lr": 0.05, "val_loss": 0.1}),
    metrics={"accuracy": 0.1 + 0.2, "log_loss": 1e-300},
    evidence={
        "split": "ab",
        "mean": [0.5, 0.4, 0.3],
        "diverged_step": None,
        "conditions": [["blur", 0.5, "GaussianBlur"], ["blur", 1.0, "GaussianBlur"]],
    },
    cost={"seconds": 12.5},
    environment={"host": "hérisson"},
)


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(3)
    return Arrays(
        sample=np.arange(7, dtype=np.int64),
        label=rng.integers(0, 3, 7),
        logits=rng.normal(size=(7, 3)).astype(np.float32),
        features=rng.normal(size=(7, 5)).astype(np.float32),
        original=rng.integers(0, 256, (4, 4, 3), dtype=np.uint8),
        draws=rng.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8),
        train_sample=np.arange(7, 16, dtype=np.int64),
        train_label=rng.integers(0, 3, 9),
        train_logits=compact(rng.normal(size=(9, 3)).astype(np.float32)),
        val_sample=np.arange(16, 20, dtype=np.int64),
        val_label=rng.integers(0, 3, 4),
        val_logits=compact(rng.normal(size=(4, 3)).astype(np.float32)),
        corrupted_sample=np.arange(5, dtype=np.int64),
        corrupted_label=rng.integers(0, 3, 5),
        corrupted_logits=compact(rng.normal(size=(2, 5, 3)).astype(np.float32)),
        attention_sample=np.arange(3, dtype=np.int64),
        attention_maps=rng.integers(0, 256, (3, 2, 2), dtype=np.uint8),
    )


def test_a_record_comes_back_to_the_last_bit(tmp_path, arrays):
    write_record(tmp_path / "run", RECORD, arrays)
    assert read_record(tmp_path / "run") == RECORD
    for name, array in read_arrays(tmp_path / "run")._asdict().items():
        assert array.dtype == getattr(arrays, name).dtype
        assert array.tobytes() == getattr(arrays, name).tobytes(), name
    assert read_digest(tmp_path / "run") == RECORD.digest(arrays)
    assert sorted(os.listdir(tmp_path / "run")) == [ARRAYS_FILE, JOURNAL_FILE, RECORD_FILE]


def test_logits_that_are_no_numbers_come_back_too(tmp_path, arrays):
    arrays.logits[0] = (np.nan, np.inf, -np.inf)
    write_record(tmp_path, RECORD, arrays)
    assert read_arrays(tmp_path).logits.tobytes() == arrays.logits.tobytes()


def test_the_digest_of_what_was_read_is_the_digest_that_was_written(tmp_path, arrays):
    write_record(tmp_path, RECORD, arrays)
    record = read_record(tmp_path)
    assert record is not None
    assert record.digest(read_arrays(tmp_path)) == read_digest(tmp_path)


def test_cost_and_environment_are_no_part_of_the_digest(arrays):
    other = replace(RECORD, cost={"seconds": 1.0}, environment={"host": "elsewhere"})
    assert other.digest(arrays) == RECORD.digest(arrays)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "0123456789abcdee"},
        {"outcome": "diverged"},
        {"history": RECORD.history[:1]},
        {"metrics": {**RECORD.metrics, "accuracy": np.nextafter(RECORD.metrics["accuracy"], 1)}},
        {"evidence": {**RECORD.evidence, "split": "ac"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_whatever_must_repeat(arrays, change):
    assert replace(RECORD, **change).digest(arrays) != RECORD.digest(arrays)


@pytest.mark.parametrize("name", Arrays._fields)
def test_the_digest_changes_with_one_bit_of_an_array(arrays, name):
    before = RECORD.digest(arrays)
    flipped = getattr(arrays, name).copy()
    flipped.view(np.uint8).reshape(-1)[-1] ^= 1
    assert RECORD.digest(arrays._replace(**{name: flipped})) != before


def test_the_digest_sees_the_shape_and_the_kind_of_number(arrays):
    flat = arrays._replace(logits=arrays.logits.reshape(3, 7))
    assert RECORD.digest(flat) != RECORD.digest(arrays)
    as_bits = arrays._replace(logits=arrays.logits.view(np.int32))
    assert RECORD.digest(as_bits) != RECORD.digest(arrays)


def test_the_digest_does_not_depend_on_the_layout_in_memory(arrays):
    columns = arrays._replace(logits=np.asfortranarray(arrays.logits))
    assert RECORD.digest(columns) == RECORD.digest(arrays)


def test_no_record_is_none(tmp_path):
    assert read_record(tmp_path) is None
    assert read_digest(tmp_path) is None
    assert read_record(tmp_path / "nowhere") is None


def test_arrays_without_the_record_are_not_a_finished_run(tmp_path, arrays):
    write_record(tmp_path, RECORD, arrays)
    (tmp_path / RECORD_FILE).unlink()
    assert read_record(tmp_path) is None


def test_a_record_that_is_not_a_number_is_refused_and_leaves_no_finished_run(tmp_path, arrays):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path, replace(RECORD, metrics={"accuracy": float("nan")}), arrays)
    assert read_record(tmp_path) is None
    assert not any(name.endswith(".tmp") for name in os.listdir(tmp_path))


def damage(folder, **changes):
    """Write other fields into the record as it lies there."""
    file = folder / RECORD_FILE
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


WRONG = {
    "no outcome": ({"outcome": "well"}, "outcome: expected one of 'finished', 'diverged'"),
    "a number for a history": ({"history": 3}, "history: expected a tuple of a dict"),
    "an epoch without its number": ({"history": [{"lr": 0.1}]}, "epoch of entry 1 = None: expected a whole number"),
    "a metric in words": ({"metrics": {"accuracy": "high"}}, "accuracy = 'high': expected a finite number"),
    "an epoch in words": (
        {"history": [{"epoch": 1, "val_loss": "low"}]},
        "val_loss of entry 1 = 'low': expected a number",
    ),
    "a cost in words": ({"cost": {"seconds": "few"}}, "cost: seconds = 'few': expected a number"),
    "a device in a list": ({"environment": {"device": ["cpu"]}}, "environment: device = ['cpu']: expected a text"),
    "parts in a list": ({"evidence": {"split": [1]}}, "evidence: split = [1]: expected a text"),
    "images in words": ({"evidence": {"train_images": "many"}}, "train_images = 'many': expected a whole number"),
    "captions in a number": ({"evidence": {"captions": 3}}, "evidence: captions = 3: expected a tuple of a text"),
    "a change in words": (
        {"evidence": {"changes": [{"operation": "Hue", "mean_change": 0.1, "share_changed": "all"}]}},
        "changes: expected a list of dicts",
    ),
    "evidence in a list": ({"evidence": []}, "evidence: expected a dict"),
    "changes without their share": ({"evidence": {"changes": [{"operation": "Hue"}]}}, "share_changed"),
    "a later field": ({"verdict": "better"}, "verdict is unknown"),
    "no digest": ({"digest": None}, "digest is missing"),
}


@pytest.mark.parametrize(("changes", "reason"), WRONG.values(), ids=WRONG)
def test_a_record_that_cannot_be_is_not_believed(tmp_path, arrays, changes, reason):
    """The error names the file, what is wrong with it, and what to do."""
    write_record(tmp_path, RECORD, arrays)
    damage(tmp_path, **changes)
    for read in (read_record, read_digest):
        with pytest.raises(DataError) as raised:
            read(tmp_path)
        assert reason in str(raised.value)
        assert str(tmp_path / RECORD_FILE) in str(raised.value)
        assert "`ablation run` trains that run again" in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"id": "0123456789abcdef"}'])
def test_half_a_record_is_not_believed(tmp_path, content):
    (tmp_path / RECORD_FILE).write_text(content)
    with pytest.raises(DataError, match=r"record\.json cannot be believed"):
        read_record(tmp_path)


def test_arrays_that_are_missing_damaged_or_of_two_runs_are_not_believed(tmp_path, arrays):
    def message():
        with pytest.raises(DataError) as raised:
            read_predictions(tmp_path)
        with pytest.raises(DataError):
            read_arrays(tmp_path)
        return str(raised.value)

    write_record(tmp_path, RECORD, arrays)
    whole = (tmp_path / ARRAYS_FILE).read_bytes()
    (tmp_path / ARRAYS_FILE).unlink()
    assert "it is missing" in message()
    (tmp_path / ARRAYS_FILE).write_bytes(whole[: len(whole) // 2])
    assert str(tmp_path / ARRAYS_FILE) in message()
    for wrong in (
        {"sample": arrays.sample[:3]},
        {"label": arrays.label + 3},
        {"label": arrays.label.astype(str)},
        {"label": np.array(1)},
        {"logits": arrays.logits[0]},
        {"logits": arrays.logits.astype(complex)},
    ):
        write_record(tmp_path, RECORD, arrays._replace(**wrong))
        assert "do not belong together" in message()


def test_the_record_is_written_last(tmp_path, arrays):
    write_record(tmp_path, RECORD, arrays)
    assert (tmp_path / ARRAYS_FILE).stat().st_mtime_ns <= (tmp_path / RECORD_FILE).stat().st_mtime_ns
    assert json.loads((tmp_path / RECORD_FILE).read_text("utf-8"))["digest"] == RECORD.digest(arrays)
