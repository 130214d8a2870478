"""Would a difference hold on new photographs too? Per-image scores of finished runs, and the interval over both.

Between the records and `ablation.analysis.crossed`. For metrics that are means over the test images, where all runs of
a comparison were tested on the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.crossed import crossed
from ablation.analysis.metrics import log_softmax
from ablation.results import Results

Floats = NDArray[np.float64]


def _right(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Floats:
    return (logits.argmax(axis=1) == labels).astype(np.float64)


def _log_loss(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Floats:
    return -log_softmax(logits)[np.arange(len(labels)), labels]


def _brier(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Floats:
    truth = np.eye(logits.shape[1])[labels]
    return np.square(np.exp(log_softmax(logits)) - truth).sum(axis=1)


PER_IMAGE: dict[str, Callable[[NDArray[np.float32], NDArray[np.int64]], Floats]] = {
    "accuracy": _right,
    "log_loss": _log_loss,
    "brier": _brier,
}
"""Metrics that are means over images: (T, C) logits and (T,) labels -> (T,) what each image adds to the mean."""


class ImageScores:
    """What each test image gave in each run, read once."""

    def __init__(self, results: Results):
        self.results = results
        redrawn = any(cell.spec.split.redrawn for cell in results.cells)
        self.of_image = None if redrawn else PER_IMAGE.get(results.experiment.metric)
        self._known: dict[str, tuple[NDArray[np.int64], Floats]] = {}

    def interval(self, arms: Sequence[Mapping[int, Sequence[str]]], paired: bool, alpha: float) -> tuple[float, float]:
        """Of the first arm's mean minus the second's, over new seeds and new photographs together.

        arms: for each, the ids of a seed's runs, over whose conditions it is averaged. (nan, nan) for a metric that is
        no mean over images, for a split that is redrawn, for runs that were not tested on the same images, and under
        three seeds, whose spread is known too badly.
        """
        if self.of_image is None or min(map(len, arms)) < MIN_SEEDS:
            return math.nan, math.nan
        runs = [run_id for arm in arms for ids in arm.values() for run_id in ids]
        images = self._read(runs[0])[0]
        if len(images) < 2 or not all(np.array_equal(self._read(run_id)[0], images) for run_id in runs):
            return math.nan, math.nan
        treatment, baseline = (
            np.array([np.mean([self._read(run_id)[1] for run_id in ids], axis=0) for ids in arm.values()])
            for arm in arms
        )
        return crossed(treatment, baseline, paired).interval(alpha)

    def _read(self, run_id: str) -> tuple[NDArray[np.int64], Floats]:
        """(T,) rows of the test images in the data, and (T,) their scores in this run."""
        if run_id not in self._known:
            assert self.of_image is not None
            sample, labels, logits = self.results.predictions(run_id)
            self._known[run_id] = sample, self.of_image(logits, labels)
        return self._known[run_id]
