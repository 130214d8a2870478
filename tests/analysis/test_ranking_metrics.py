"""AUROC, average precision, top-5 accuracy and kappa against scikit-learn, torchmetrics and arithmetic by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as torchs
from scipy.special import softmax
from sklearn import metrics as sklearns

from ablation.analysis.bootstrap import class_scores, image_counts
from ablation.analysis.metrics import METRICS, RECORDED, classification_metrics, in_top_five, log_softmax, reported


def predictions(images, classes, ties, seed=0):
    """Logits and labels, each class at least once and some often; ties: logits on a coarse grid, many of them equal."""
    rng = np.random.default_rng([images, classes, seed])
    labels = rng.choice(classes, images, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    labels[:classes] = np.arange(classes)
    logits = rng.normal(0, 1.5, (images, classes)) + 1.5 * np.eye(classes)[labels]
    return (logits.round() if ties else logits).astype(np.float32), labels


def probability(logits):
    """What is a tie is so to the last bit: the oracles get the probabilities that ours are ranked by."""
    shares = np.exp(log_softmax(logits))
    assert shares == pytest.approx(softmax(logits.astype(np.float64), axis=1))
    return shares


SIZES = [(300, 12), (40, 3), (120, 2), (1200, 1000)]


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize(("images", "classes"), SIZES)
def test_auroc_and_average_precision_are_scikit_learns(images, classes, ties):
    logits, labels = predictions(images, classes, ties)
    shares = probability(logits)
    area = sklearns.roc_auc_score(labels, shares if classes > 2 else shares[:, 1], multi_class="ovr")
    assert METRICS["auroc"](logits, labels) == pytest.approx(area, abs=1e-12)
    precision = sklearns.average_precision_score(np.eye(classes)[labels], shares, average="macro")
    assert METRICS["average_precision"](logits, labels) == pytest.approx(precision, abs=1e-12)


@pytest.mark.parametrize(("images", "classes"), SIZES[:3])
def test_auroc_and_average_precision_are_torchmetrics(images, classes):
    logits, labels = predictions(images, classes, ties=False)
    shares, truth = torch.from_numpy(probability(logits)), torch.from_numpy(labels)
    area = torchs.multiclass_auroc(shares, truth, classes, average="macro")
    assert METRICS["auroc"](logits, labels) == pytest.approx(float(area), abs=1e-6)
    precision = torchs.multiclass_average_precision(shares, truth, classes, average="macro")
    assert METRICS["average_precision"](logits, labels) == pytest.approx(float(precision), abs=1e-6)


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize(("images", "classes"), SIZES)
def test_kappa_is_scikit_learns(images, classes, ties):
    logits, labels = predictions(images, classes, ties)
    expected = sklearns.cohen_kappa_score(labels, logits.argmax(axis=1))
    assert METRICS["cohen_kappa"](logits, labels) == pytest.approx(expected, abs=1e-12)


def test_kappa_of_resampled_images_is_that_of_each_resample():
    logits, labels = predictions(60, 4, ties=False)
    counts = image_counts(60, draws=20)
    scores = class_scores(labels, logits.argmax(axis=1), counts, METRICS["cohen_kappa"].per_class)
    for draw in range(20):
        rows = np.repeat(np.arange(60), counts[:, draw].astype(int))
        expected = sklearns.cohen_kappa_score(labels[rows], logits[rows].argmax(axis=1))
        assert scores.resampled[draw, 0] == pytest.approx(expected, abs=1e-9)


def test_kappa_where_chance_explains_everything_is_zero_without_a_warning():
    sure = np.array([[1.0, 0.0, 0.0]] * 4, np.float32)
    assert METRICS["cohen_kappa"](sure, np.zeros(4, int)) == 0.0


@pytest.mark.parametrize(("images", "classes"), [(300, 12), (1200, 1000), (30, 6)])
def test_top_five_is_scikit_learns(images, classes):
    logits, labels = predictions(images, classes, ties=False)
    expected = sklearns.top_k_accuracy_score(labels, probability(logits), k=5, labels=np.arange(classes))
    assert METRICS["top5_accuracy"](logits, labels) == pytest.approx(expected)
    assert set(in_top_five(logits, labels)) <= {0.0, 1.0}


def test_of_equal_logits_the_first_classes_are_the_top_five_as_the_first_is_the_guess():
    alike = np.zeros((7, 7), np.float32)
    assert in_top_five(alike, np.arange(7)).tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert alike.argmax(axis=1).tolist() == [0] * 7


def test_an_area_worked_by_hand():
    """Of 2 x 2 pairs three are in the right order, and one is a tie."""
    logits = np.array([[0, 1], [0, 2], [0, 1], [0, 0]], np.float32)
    assert METRICS["auroc"](logits, np.array([1, 1, 0, 0])) == 3.5 / 4


def test_a_class_without_a_test_image_is_left_out():
    logits, labels = predictions(200, 5, ties=False)
    without = labels != 3
    logits, labels = logits[without], labels[without]
    shares, there = probability(logits), [0, 1, 2, 4]
    areas = [sklearns.roc_auc_score(labels == one, shares[:, one]) for one in there]
    assert METRICS["auroc"](logits, labels) == pytest.approx(np.mean(areas))
    precisions = [sklearns.average_precision_score(labels == one, shares[:, one]) for one in there]
    assert METRICS["average_precision"](logits, labels) == pytest.approx(np.mean(precisions))
    expected = sklearns.cohen_kappa_score(labels, logits.argmax(axis=1))
    assert METRICS["cohen_kappa"](logits, labels) == pytest.approx(expected)


def test_test_images_of_one_class_have_no_area():
    logits, _ = predictions(20, 4, ties=False)
    with warnings.catch_warnings(action="error"):
        assert math.isnan(METRICS["auroc"](logits, np.full(20, 2)))
        assert METRICS["average_precision"](logits, np.full(20, 2)) == 1.0


def test_two_classes_do_not_tie_where_a_probability_is_rounded_to_one():
    logits = np.array([[0, 40.0], [0, 41.0], [0, 42.0], [0, 43.0]], np.float32)
    assert probability(logits)[:, 1].tolist() == [1.0] * 4
    assert METRICS["auroc"](logits, np.array([0, 0, 1, 1])) == 1.0


def test_records_hold_what_they_held():
    """The bytes of a record are those of before: what is newer is computed when it is read."""
    assert RECORDED == ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier", "ece")
    assert tuple(classification_metrics(*predictions(50, 4, ties=False))) == RECORDED
    assert reported("ece") == RECORDED
    assert reported("auroc") == (*RECORDED, "auroc")
