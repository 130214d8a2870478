"""Which images an epoch trains on, in which order; and the view and labels in which these are found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from ablation.core.seeds import stream
from ablation.data.balance import balanced_order
from ablation.training.setup import Setup
from ablation.training.view import Rows, View


class Sampled(NamedTuple):
    """The images of one epoch. All arms with the same seed have the same."""

    order: Rows
    """The rows in the order of training; the k-th occurrence of one is its row + k x the images of the data set."""
    trained: Rows
    """The same rows in ascending order where an image may come several times, else as the split has them."""
    clean: View
    labels: Tensor


def sample(setup: Setup, epoch: int) -> Sampled:
    """Of an epoch, counted from 0: every image once, or each class equally often."""
    spec, train = setup.run.spec, setup.parts.train
    random = stream(spec.seed, "order", epoch)
    if spec.sampling == "shuffle":
        return Sampled(random.permutation(train), train, setup.clean, setup.labels)
    images = len(setup.data.labels)
    order = balanced_order(train, setup.data.labels, random)
    copies = int(order.max()) // images + 1
    return Sampled(order, np.sort(order), setup.clean.repeating(images), setup.labels.repeat(copies))
