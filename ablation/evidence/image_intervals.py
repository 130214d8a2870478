"""Would a difference hold on new photographs too? Per-image scores of finished runs, and the difference over both.

Between the records and `ablation.analysis`: `crossed` for metrics that are means over the test images, the
multi-bootstrap for those that are functions of counts per class. Only where all runs of a comparison were tested on the
same images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ablation.analysis import bootstrap
from ablation.analysis.bootstrap import Scores
from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.crossed import CrossedDifference, crossed
from ablation.analysis.metrics import METRICS, right_or_wrong
from ablation.experiment.results import Results

Floats = NDArray[np.float64]
Runs = Mapping[int, Sequence[str]]
"""Of one recipe: the ids of each seed's runs, over whose conditions it is averaged."""

DRAWS = 1000
"""Of the multi-bootstrap. Always the same ones: the same results give the same interval, to the last digit."""


class ImageScores:
    """What each test image gave in each run, read once. Photographs of one group count as one (`photograph_groups`)."""

    def __init__(self, results: Results):
        self.results = results
        self.metric = METRICS[results.experiment.metric]
        self._redrawn = any(cell.spec.split.redraws_test for cell in results.cells)
        self._images: dict[str, NDArray[np.int64]] = {}
        self._values: dict[str, Floats] = {}
        self._right_or_wrong: dict[str, bool] = {}
        self._scores: dict[str, Scores] = {}
        self._drawn: tuple[NDArray[np.int64], NDArray[np.float32]] | None = None

    def difference(self, pair: tuple[Runs, Runs], paired: bool, overlap: float = 0.0) -> CrossedDifference | None:
        """The first recipe's mean minus the second's, with its error over new seeds and new photographs together.

        None for a metric that no formula is known for, for a test part that is redrawn, for runs that were not tested
        on the same images, and under two seeds. overlap: of the training parts, see `ablation.analysis.crossed`.
        """
        if self.metric.whole is not None or self._redrawn or min(map(len, pair)) < 2 or not self._same_images(pair):
            return None
        if self.metric.per_image:
            treatment, baseline = (
                np.array([np.mean([self._values[run] for run in runs], axis=0) for runs in recipe.values()])
                for recipe in pair
            )
            return crossed(treatment, baseline, paired, overlap, share=self.share)
        own, reference = map(self._scores_of, pair)
        return bootstrap.multi_bootstrap(own, reference, paired, overlap, share=self.share).crossed

    @cached_property
    def share(self) -> bool:
        """Is the metric made of images that are each right or wrong? Then the test allows for few images.

        As it is declared; of a metric of the author's own as the values of all finished runs are. Reads those then.
        """
        if self.metric.share is not None:
            return self.metric.share or self.metric.per_class is not None
        for run in self.results.finished["id"]:
            if run not in self._images:
                self._read(run)
        return bool(self._right_or_wrong) and all(self._right_or_wrong.values())

    def interval(self, pair: tuple[Runs, Runs], paired: bool, alpha: float) -> tuple[float, float]:
        """Of `difference`; (nan, nan) where there is none, and under three seeds, whose spread is known too badly."""
        difference = self.difference(pair, paired) if min(map(len, pair)) >= MIN_SEEDS else None
        return difference.interval(alpha) if difference else (math.nan, math.nan)

    def spread(self, pair: tuple[Runs, Runs]) -> tuple[int, float]:
        """(test photographs, sd over them of the mean difference of a pair); (0, 0) where it is not known."""
        difference = self.difference(pair, paired=True)
        if difference is None:
            return 0, 0.0
        images = len(self._images[next(iter(pair[0].values()))[0]])
        return images, difference.image_error * math.sqrt(images)

    def _same_images(self, pair: tuple[Runs, Runs]) -> bool:
        """Were all runs of both recipes tested on the same two images or more? Reads those that are not known yet."""
        runs = [run for recipe in pair for ids in recipe.values() for run in ids]
        for run in runs:
            if run not in self._images:
                self._read(run)
        first = self._images[runs[0]]
        return len(first) > 1 and all(np.array_equal(self._images[run], first) for run in runs)

    def _read(self, run: str) -> None:
        sample, labels, logits = self.results.test_predictions(run)
        self._images[run] = sample
        if self.metric.per_image:
            terms = self.metric.per_image(logits, labels)
            self._right_or_wrong[run] = right_or_wrong(terms)
            self._values[run] = by_photograph(self.results, sample, terms)
            return
        group = photograph_groups(self.results, sample)
        count = int(group.max()) + 1
        assert self.metric.per_class is not None  # `difference` asks of no other kind
        counts = self._counts(group, count)
        scores = bootstrap.class_scores(labels, logits.argmax(axis=1), counts, self.metric.per_class)
        self._scores[run] = replace(scores, images=count)

    def _counts(self, group: NDArray[np.int64], count: int) -> NDArray[np.float32]:
        """(T, DRAWS): how often each photograph is in each draw of so many groups; made anew for other groups only."""
        if self._drawn is None or not np.array_equal(self._drawn[0], group):
            self._drawn = group, bootstrap.image_counts(count, DRAWS)[group]
        return self._drawn[1]

    def _scores_of(self, recipe: Runs) -> Scores:
        """The scores of each seed, a mean over the conditions."""
        seeds = [[self._scores[run] for run in runs] for runs in recipe.values()]
        return Scores(
            np.array([np.mean([one.observed[0] for one in runs]) for runs in seeds]),
            np.stack([np.mean([one.resampled[:, 0] for one in runs], axis=0) for runs in seeds], axis=1),
            seeds[0][0].images,
        )


def photograph_groups(results: Results, sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) numbers from 0 on: photographs that belong together are drawn together, and count as one.

    sample: (T,) their rows in the data set.
    """
    groups = results.groups
    return np.unique(sample if groups is None else groups[sample], return_inverse=True)[1]


def by_photograph(results: Results, sample: NDArray[np.int64], terms: Floats) -> Floats:
    """(G,): the terms (T,) of these images added up by `photograph_groups`, so that their mean over groups is that over
    images."""
    group = photograph_groups(results, sample)
    count = int(group.max()) + 1
    return np.bincount(group, weights=terms, minlength=count) * count / len(sample)
