"""What a record may have beside its test part: compact logits, and each part whole or not at all."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ablation.analysis.metrics import RECORDED, classification_metrics
from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.experiment import record as records
from ablation.experiment.record import (
    ARRAYS_FILE,
    Arrays,
    RunRecord,
    compact,
    read_arrays,
    read_attention,
    read_corrupted,
    read_digest,
    read_features,
    read_part,
    read_predictions,
    read_record,
    write_record,
)

OLD = sorted(path for path in (Path(__file__).parent / "old_run").iterdir() if path.is_dir())
CONDITIONS = [["blur", 0.5, "GaussianBlur"], ["blur", 1.0, "GaussianBlur"]]
RECORD = RunRecord("0123456789abcdef", "finished", ({"epoch": 1},), {"accuracy": 0.5}, {"conditions": CONDITIONS})


def logits_like(seed: int, *shape: int) -> np.ndarray:
    return stream(seed, "logits").normal(0, 3, shape).astype(np.float32)


@pytest.fixture
def whole() -> Arrays:
    labels = stream(1, "labels").integers(0, 3, 30)
    return Arrays(
        np.arange(7), labels[:7], logits_like(0, 7, 3), logits_like(1, 7, 5),
        np.zeros((4, 4, 3), np.uint8), np.zeros((2, 4, 4, 3), np.uint8),
        np.arange(7, 16), labels[7:16], compact(logits_like(2, 9, 3)),
        np.arange(16, 20), labels[16:20], compact(logits_like(3, 4, 3)),
        np.arange(5), labels[:5], compact(logits_like(4, 2, 5, 3)),
        np.arange(3), np.full((3, 2, 4), 7, np.uint8),
    )  # fmt: skip


def test_every_part_is_read_as_it_was_written(whole, tmp_path):
    write_record(tmp_path, RECORD, whole)
    for part, prefix in (("train", "train_"), ("val", "val_"), ("test", "")):
        got = read_part(tmp_path, part)
        for name in ("sample", "label", "logits"):
            np.testing.assert_array_equal(getattr(got, name), getattr(whole, prefix + name))
        assert got.logits.dtype == np.float32
    corrupted, attention = read_corrupted(tmp_path), read_attention(tmp_path)
    assert corrupted.conditions == (("blur", 0.5), ("blur", 1.0))
    np.testing.assert_array_equal(corrupted.logits, whole.corrupted_logits)
    assert (corrupted.logits.dtype, corrupted.logits.shape) == (np.float32, (2, 5, 3))
    np.testing.assert_array_equal(attention.maps, whole.attention_maps)
    np.testing.assert_array_equal(read_features(tmp_path)[2], whole.features)
    assert all(np.array_equal(one, other) for one, other in zip(read_arrays(tmp_path), whole, strict=True))


@pytest.mark.parametrize("folder", OLD, ids=lambda path: path.name)
def test_a_record_of_before_has_none_of_it_and_its_digest_is_unchanged(folder):
    assert read_part(folder, "train") is read_part(folder, "val") is None
    assert read_corrupted(folder) is read_attention(folder) is None
    assert read_part(folder, "test").logits.shape == read_predictions(folder).logits.shape == (59, 10)
    assert len(read_features(folder)[2]) == 59
    arrays = read_arrays(folder)
    assert all(array is None for array in arrays[6:])
    assert read_record(folder).digest(arrays) == read_digest(folder)


PARTS = {"train": "train_", "val": "val_", "corrupted": "corrupted_", "attention": "attention_"}
READERS = {
    "train": lambda folder: read_part(folder, "train"),
    "val": lambda folder: read_part(folder, "val"),
    "corrupted": read_corrupted,
    "attention": read_attention,
}


def damages(arrays: Arrays, prefix: str) -> dict[str, dict[str, np.ndarray | None]]:
    """Ways to spoil one part: what becomes of its arrays."""
    own = [name for name in arrays._fields if name.startswith(prefix)]
    spoilt = {f"without {name}": {name: None} for name in own}
    for name in own:
        array = getattr(arrays, name)
        cut = array[:, :-1] if name == "corrupted_logits" else array[:-1]
        spoilt[f"shorter {name}"] = {name: cut}
        spoilt[f"text in {name}"] = {name: array.astype(str)}
        spoilt[f"flat {name}"] = {name: array.reshape(-1) if array.ndim > 1 else array[:, None]}
    if f"{prefix}label" in own:
        label = getattr(arrays, f"{prefix}label")
        spoilt["a label too high"] = {f"{prefix}label": label + 3}
        spoilt["a label below 0"] = {f"{prefix}label": label - 3}
    return spoilt


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_not_whole_is_not_believed_and_the_others_are(whole, tmp_path, part):
    for what, spoilt in damages(whole, PARTS[part]).items():
        write_record(tmp_path, RECORD, whole._replace(**spoilt))
        for read in (READERS[part], read_arrays):
            with pytest.raises(DataError, match="do not belong together") as raised:
                read(tmp_path)
            assert str(tmp_path / ARRAYS_FILE) in str(raised.value), what
            assert "`ablation run` trains that run again" in str(raised.value)
        for other in set(PARTS) - {part}:
            assert READERS[other](tmp_path) is not None, what
        assert len(read_predictions(tmp_path).label) == 7


@pytest.mark.parametrize("conditions", [[], CONDITIONS[:1], [*CONDITIONS, ["blur", 2.0, "GaussianBlur"]]], ids=len)
def test_conditions_are_as_many_as_their_answers(whole, tmp_path, conditions):
    write_record(tmp_path, replace(RECORD, evidence={"conditions": conditions}), whole)
    words = f"answers under 2 test conditions, and record.json names {len(conditions)}"
    with pytest.raises(DataError, match=re.escape(words)) as raised:
        read_corrupted(tmp_path)
    assert str(tmp_path / ARRAYS_FILE) in str(raised.value)


def test_conditions_without_answers_are_not_believed(whole, tmp_path):
    nothing = {name: None for name in whole._fields if name.startswith("corrupted_")}
    write_record(tmp_path, RECORD, whole._replace(**nothing))
    with pytest.raises(DataError, match="answers under 0 test conditions"):
        read_corrupted(tmp_path)
    write_record(tmp_path, replace(RECORD, evidence={"conditions": []}), whole._replace(**nothing))
    assert read_corrupted(tmp_path) is None


NO_CONDITIONS = [3, "blur", [["blur"]], [["blur", "much", ""]], [[1, 2.0, ""]], [["blur", 1.0]]]


@pytest.mark.parametrize("wrong", NO_CONDITIONS, ids=str)
def test_conditions_that_are_none_are_not_believed(whole, tmp_path, wrong):
    write_record(tmp_path, RECORD, whole)
    file = tmp_path / records.RECORD_FILE
    content = json.loads(file.read_text())
    content["evidence"]["conditions"] = wrong
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="evidence: conditions = "):
        read_record(tmp_path)


# --- compact

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.floats(-30, 30, width=32)
NUMBERS |= st.floats(-(2.0**-20), 2.0**-20, width=32)
TABLES = arrays_of.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=NUMBERS)


def log_probabilities(row: list[float]) -> list[float]:
    """In plain float64."""
    shifted = np.array(row, np.float64) - max(map(float, row))
    return (shifted - np.log(np.exp(shifted).sum())).tolist()


@given(TABLES)
@settings(max_examples=400, deadline=None)
def test_no_guess_changes_and_no_loss_by_more_than_is_said(logits):
    small = compact(logits)
    assert small.dtype == np.float16
    assert np.isfinite(small).all()
    assert (small.max(axis=1) == 0).all()
    np.testing.assert_array_equal(small.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_array_equal(small == 0, logits == logits.max(axis=1, keepdims=True), "ties are those of before")
    for row, kept in zip(logits, small, strict=True):
        for exact, got in zip(log_probabilities(row), log_probabilities(kept), strict=True):
            loss = min(-exact, 65_504.0)
            assert abs(-got - loss) <= (loss + np.log(len(row))) / 2048 * 1.01 + 1e-6


@pytest.mark.parametrize("spread", [1e-9, 0.01, 1.0, 5.0, 30.0])
def test_every_metric_is_that_of_the_logits_in_full(spread):
    for seed in range(20):
        draws = stream(seed, "compact", str(spread))
        logits = (draws.normal(0, spread, (5000, 12)) + draws.normal(0, 10, (5000, 1))).astype(np.float32)
        labels = draws.integers(0, 12, 5000)
        labels = np.where(draws.uniform(size=5000) < 0.8, logits.argmax(axis=1), labels)
        full, kept = classification_metrics(logits, labels), classification_metrics(compact(logits), labels)
        assert tuple(full) == RECORDED
        assert kept == pytest.approx(full, rel=1e-3, abs=1e-3)
        for exact in ("accuracy", "macro_f1", "balanced_accuracy"):
            assert kept[exact] == full[exact]


def test_what_float16_has_no_number_for_does_not_become_a_tie():
    rows = np.array([[0, 1e-9, 0], [1e-9, 0, 0], [1e30, -1e30, 0], [5, 5, 1], [-3e38, 3e38, 3e38]], np.float32)
    small = compact(rows)
    assert small.argmax(axis=1).tolist() == [1, 0, 0, 0, 1]
    assert (small == 0).sum(axis=1).tolist() == [1, 1, 1, 2, 2]
    assert small[2].tolist() == [0, -65504, -65504]
    np.testing.assert_array_equal(compact(rows.reshape(5, 1, 3)).reshape(5, 3), small)
    assert compact(np.zeros((0, 3), np.float32)).shape == (0, 3)
