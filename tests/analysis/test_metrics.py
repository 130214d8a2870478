"""Each metric against scikit-learn and arithmetic by hand, and the table that holds them."""

import math

import numpy as np
import pytest
from scipy.special import log_softmax as scipys_log_softmax
from sklearn import metrics as sklearns

from ablation.analysis.metrics import (
    METRICS,
    brier,
    classification_metrics,
    expected_calibration_error,
    log_softmax,
)  # fmt: skip


def logits_of(probability):
    """Logits whose softmax is this, as nearly as float32 has it."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(probability), -100).astype(np.float32)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_computed_in_exactly_one_way(name):
    metric = METRICS[name]
    assert sum(way is not None for way in (metric.per_image, metric.per_class, metric.whole)) == 1
    assert metric.unit in ("points", "nats", "")
    perfect, labels = np.array([[50.0, 0.0], [0.0, 50.0]], np.float32), np.array([0, 1])
    assert metric(perfect, labels) == pytest.approx(0.0 if metric.lower_is_better else 1.0)
    if metric.per_image is not None:
        assert metric.per_image(perfect, labels).shape == (2,)


@pytest.fixture(params=[(200, 4), (1000, 12), (7, 2)], ids=str)
def outcome(request):
    """Logits of a network that is right about half of the time, and unbalanced labels."""
    images, classes = request.param
    rng = np.random.default_rng(images)
    labels = rng.choice(classes, images, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    logits = rng.normal(0, 2, (images, classes)) + 2 * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


def test_the_metrics_are_scikit_learns(outcome):
    logits, labels = outcome
    got = classification_metrics(logits, labels)
    guess, probability = logits.argmax(axis=1), np.exp(scipys_log_softmax(logits.astype(float), axis=1))
    assert list(got) == ["accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier", "ece"]
    assert got["accuracy"] == pytest.approx(sklearns.accuracy_score(labels, guess))
    assert got["macro_f1"] == pytest.approx(sklearns.f1_score(labels, guess, average="macro"))
    assert got["log_loss"] == pytest.approx(
        sklearns.log_loss(labels, probability, labels=np.arange(logits.shape[1])), rel=1e-6
    )
    if set(guess) <= set(labels):
        assert got["balanced_accuracy"] == pytest.approx(sklearns.balanced_accuracy_score(labels, guess))
    assert all(type(number) is float for number in got.values())


def test_two_classes_have_twice_scikit_learns_brier_score():
    """Brier's own definition sums over both classes, scikit-learn's binary one takes one of them."""
    rng = np.random.default_rng(0)
    share, labels = rng.random(50), rng.integers(0, 2, 50)
    got = brier(logits_of(np.stack([1 - share, share], axis=1)), labels).mean()
    assert got == pytest.approx(2 * sklearns.brier_score_loss(labels, share))


def test_brier_worked_by_hand():
    probability = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    got = brier(logits_of(probability), np.array([0, 2, 1]))
    assert got.tolist() == pytest.approx([0.25 + 0.09 + 0.04, 0, 2])


def test_calibration_error_worked_by_hand():
    """Five bins: of 0.7 and 0.75 one is right, |1 - 1.45|; 0.9 is wrong, 0.9; 0.5 is right, 0.5; over four images."""
    confidence = np.array([0.7, 0.75, 0.9, 0.5])
    probability = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.array([0, 1, 1, 0])
    assert expected_calibration_error(logits_of(probability), labels, bins=5) == pytest.approx((0.45 + 0.9 + 0.5) / 4)


def test_perfect_and_perfectly_wrong_calibration():
    sure = logits_of(np.eye(2)[[0, 0, 1, 1]])
    assert expected_calibration_error(sure, np.array([0, 0, 1, 1])) == 0.0
    assert expected_calibration_error(sure, np.array([1, 1, 0, 0])) == 1.0
    fair = logits_of(np.full((4, 2), [0.75, 0.25]))
    assert expected_calibration_error(fair, np.array([0, 0, 0, 1])) == pytest.approx(0, abs=1e-6)


def test_extreme_logits_stay_finite_and_float64():
    logits = np.array([[1e30, 0, -1e30], [1000, 999, 0], [-3e38, -3e38, -3e38]], dtype=np.float32)
    got = log_softmax(logits)
    assert got.dtype == np.float64
    assert np.isfinite(got).all()
    assert got == pytest.approx(scipys_log_softmax(logits.astype(np.float64), axis=1))
    assert np.exp(got[2]) == pytest.approx([1 / 3] * 3)
    assert all(map(math.isfinite, classification_metrics(logits, np.array([2, 0, 1])).values()))


def test_a_class_that_is_never_guessed_scores_zero_without_a_warning():
    logits = np.tile(np.array([[1.0, 0.0, 0.0]], dtype=np.float32), (4, 1))
    got = classification_metrics(logits, np.array([0, 0, 1, 2]))
    assert got["macro_f1"] == pytest.approx((2 / 3) / 3)  # class 0: precision 1/2, recall 1
    assert got["balanced_accuracy"] == pytest.approx(1 / 3)
    assert got["accuracy"] == 0.5
