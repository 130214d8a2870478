"""Confusion matrices beside scikit-learn's, and the order that sets confused classes side by side."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from ablation.analysis.confusion import confused_order, confusion_counts, row_shares
from ablation.core.seeds import stream


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_counts_and_shares_are_those_of_scikit_learn(classes):
    random = stream(0, "confusion", classes)
    labels, guesses = random.integers(0, classes, (2, 200))
    counts = confusion_counts(labels, guesses, classes)
    names = range(classes)
    np.testing.assert_array_equal(counts, confusion_matrix(labels, guesses, labels=names))
    np.testing.assert_allclose(row_shares(counts), confusion_matrix(labels, guesses, labels=names, normalize="true"))


def test_a_class_without_an_image_has_no_shares():
    shares = row_shares(confusion_counts(np.array([0, 0]), np.array([0, 2]), 3))
    np.testing.assert_array_equal(shares[0], [0.5, 0, 0.5])
    assert np.isnan(shares[1:]).all()


def test_confused_classes_stand_side_by_side():
    """Pairs (0, 5), (1, 4) and (2, 3) are confused, in one direction alone."""
    shares = np.eye(6) * 0.7 + 0.001
    for one, other in ((0, 5), (4, 1), (2, 3)):
        shares[one, other] = 0.3
    order = confused_order(shares).tolist()
    assert sorted(order) == list(range(6))
    assert {frozenset(order[i : i + 2]) for i in (0, 2, 4)} == {frozenset(p) for p in ((0, 5), (1, 4), (2, 3))}


def test_the_order_does_not_depend_on_how_the_classes_are_numbered():
    shares = row_shares(stream(0, "order").random((8, 8)) + 3 * np.eye(8))
    turned = confused_order(shares[::-1, ::-1])
    again = (7 - turned).tolist()
    assert again in (confused_order(shares).tolist(), confused_order(shares)[::-1].tolist())


@pytest.mark.parametrize("shares", [np.eye(4), np.full((2, 2), 0.5), np.full((3, 3), np.nan), np.ones((1, 1))])
def test_without_confusion_the_order_stays(shares):
    assert confused_order(shares).tolist() == list(range(len(shares)))
