"""Weights and orders that make up for classes of unequal size, against scikit-learn and torch."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import WeightedRandomSampler

from ablation.core.seeds import stream
from ablation.data.balance import balanced_order, balanced_weights

LABELS = np.repeat([0, 1, 2, 3], [68, 10, 1, 25])


@pytest.mark.parametrize("labels", [LABELS, LABELS[::-1], np.arange(5), np.array([1, 1, 0])], ids=str)
def test_weights_are_scikit_learns(labels):
    classes = labels.max() + 1
    expected = compute_class_weight("balanced", classes=np.arange(classes), y=labels)
    assert balanced_weights(labels, classes) == pytest.approx(expected)


def test_a_class_that_is_not_trained_on_weighs_nothing_and_does_not_count():
    expected = compute_class_weight("balanced", classes=np.array([0, 2]), y=np.array([0, 0, 0, 2]))
    assert balanced_weights(np.array([0, 0, 0, 2]), 4).tolist() == pytest.approx([expected[0], 0, expected[1], 0])


def order_of(epoch, rows=None):
    rows = np.arange(len(LABELS)) if rows is None else rows
    return balanced_order(rows, LABELS, stream(3, "order", epoch))


def test_each_class_comes_equally_often():
    for epoch in range(5):
        order = order_of(epoch)
        assert len(order) == len(LABELS) == 104
        assert np.bincount(LABELS[order % 104]).tolist() == [26, 26, 26, 26]
    part = np.concatenate([np.arange(50), np.arange(90, 103)])  # 63 images of two classes
    order = order_of(0, part)
    assert set(order % 104) <= set(part)
    assert sorted(np.bincount(LABELS[order % 104])[[0, 3]]) == [31, 32]


def test_an_image_comes_again_when_all_others_of_its_class_have_come():
    order = order_of(0)
    assert len(set(order)) == len(order), "each occurrence has a number of its own"
    of_second = order[LABELS[order % 104] == 1]
    times = np.bincount(of_second % 104, minlength=104)[68:78]
    assert sorted(times) == [2] * 4 + [3] * 6
    for row in range(68, 78):
        assert sorted(of_second[of_second % 104 == row] // 104) == list(range(times[row - 68]))
    assert sorted(order[order % 104 == 78] // 104) == list(range(26)), "the only one of its class"


def test_the_order_is_that_of_its_stream_and_another_in_each_epoch():
    assert order_of(4).tolist() == order_of(4).tolist()
    assert order_of(4).tolist() != order_of(5).tolist()
    assert order_of(4).tolist() != sorted(order_of(4))


def test_over_epochs_an_image_comes_as_often_as_torchs_sampler_draws_it():
    epochs = 600
    ours = sum(np.bincount(order_of(epoch) % 104, minlength=104) for epoch in range(epochs)) / epochs
    weights = 1 / np.bincount(LABELS)[LABELS]
    drawn = WeightedRandomSampler(weights, 104 * epochs, generator=torch.Generator().manual_seed(0))
    theirs = np.bincount(list(drawn), minlength=104) / epochs
    assert ours == pytest.approx(26 / np.bincount(LABELS)[LABELS], abs=0.1)
    assert np.abs(ours - theirs).max() < 0.2 * theirs.max()
    assert ours[78] == 26, "and not only on average"
