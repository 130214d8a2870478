"""Would a difference hold on new photographs too? Per-image scores of finished runs, and the difference over both.

Between the records and `ablation.analysis`: `crossed` for metrics that are means over the test images, the
multi-bootstrap for those that are functions of counts per class. Only where all runs of a comparison were tested on the
same images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ablation.analysis import bootstrap
from ablation.analysis.bootstrap import Scores
from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.crossed import CrossedDifference, crossed
from ablation.analysis.metrics import METRICS
from ablation.experiment.results import Results

Floats = NDArray[np.float64]
Arm = Mapping[int, Sequence[str]]
"""The ids of each seed's runs, over whose conditions it is averaged."""

DRAWS = 1000
"""Of the multi-bootstrap. Always the same ones: the same results give the same interval, to the last digit."""


@lru_cache(maxsize=2)
def image_scores(results: Results) -> ImageScores:
    """Of these results, read once for all that ask."""
    return ImageScores(results)


class ImageScores:
    """What each test image gave in each run, read once. Photographs that belong together count as one (`_groups`)."""

    def __init__(self, results: Results):
        self.results = results
        self.metric = METRICS[results.experiment.metric]
        self._share = results.experiment.metric == "accuracy"
        self._redrawn = any(cell.spec.split.redraws_test for cell in results.cells)
        self._images: dict[str, NDArray[np.int64]] = {}
        self._values: dict[str, Floats] = {}
        self._scores: dict[str, Scores] = {}
        self._counts: NDArray[np.float32] | None = None

    def difference(self, arms: tuple[Arm, Arm], paired: bool, overlap: float = 0.0) -> CrossedDifference | None:
        """The first arm's mean minus the second's, with its error over new seeds and new photographs together.

        None for a metric that no formula is known for, for a test part that is redrawn, for runs that were not tested
        on the same images, and under two seeds. overlap: of the training parts, see `ablation.analysis.crossed`.
        """
        known = self.metric.whole is None
        if not known or self._redrawn or min(map(len, arms)) < 2 or not self._same_images(arms):
            return None
        if self.metric.per_image:
            treatment, baseline = (
                np.array([np.mean([self._values[run] for run in runs], axis=0) for runs in arm.values()])
                for arm in arms
            )
            return crossed(treatment, baseline, paired, overlap, share=self._share)
        return bootstrap.multi_bootstrap(self._arm(arms[0]), self._arm(arms[1]), paired, overlap, share=True).crossed

    def interval(self, arms: tuple[Arm, Arm], paired: bool, alpha: float) -> tuple[float, float]:
        """Of `difference`; (nan, nan) where there is none, and under three seeds, whose spread is known too badly."""
        found = self.difference(arms, paired) if min(map(len, arms)) >= MIN_SEEDS else None
        return found.interval(alpha) if found else (math.nan, math.nan)

    def spread(self, arms: tuple[Arm, Arm]) -> tuple[int, float]:
        """(test photographs, sd over them of the mean difference of two paired arms); (0, 0) where it is not known."""
        found = self.difference(arms, paired=True)
        if found is None:
            return 0, 0.0
        images = len(self._images[next(iter(arms[0].values()))[0]])
        return images, found.image_error * math.sqrt(images)

    def _same_images(self, arms: tuple[Arm, Arm]) -> bool:
        """Were all runs of both arms tested on the same two images or more? Reads those that are not known yet."""
        runs = [run for arm in arms for ids in arm.values() for run in ids]
        for run in runs:
            if run not in self._images:
                self._read(run)
        first = self._images[runs[0]]
        return len(first) > 1 and all(np.array_equal(self._images[run], first) for run in runs)

    def _read(self, run: str) -> None:
        sample, labels, logits = self.results.predictions(run)
        self._images[run] = sample
        group = self._groups(sample)
        count = int(group.max()) + 1
        if self.metric.per_image:
            sums = np.bincount(group, weights=self.metric.per_image(logits, labels), minlength=count)
            self._values[run] = sums * count / len(sample)
            return
        if self._counts is None or len(self._counts) != len(labels):
            self._counts = bootstrap.image_counts(count, DRAWS)[group]
        assert self.metric.per_class is not None  # `difference` asks of no other kind
        scores = bootstrap.class_scores(labels, logits.argmax(axis=1), self._counts, self.metric.per_class)
        self._scores[run] = replace(scores, images=count)

    def _groups(self, sample: NDArray[np.int64]) -> NDArray[np.int64]:
        """(T,) numbers from 0 on: photographs that belong together are drawn together, and count as one.

        Their scores are added, so that the mean over groups is that over photographs.
        """
        groups = self.results.groups
        return np.unique(sample if groups is None else groups[sample], return_inverse=True)[1]

    def _arm(self, arm: Arm) -> Scores:
        """The scores of each seed, a mean over the conditions."""
        seeds = [[self._scores[run] for run in runs] for runs in arm.values()]
        return Scores(
            np.array([np.mean([one.observed[0] for one in runs]) for runs in seeds]),
            np.stack([np.mean([one.resampled[:, 0] for one in runs], axis=0) for runs in seeds], axis=1),
            seeds[0][0].images,
        )
