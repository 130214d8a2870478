"""The test that an experiment declares, and whether it knows how the parts are made. From splits to a test."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ablation.analysis.comparison import CorrectedResampled, Crossed, Paired, Test
from ablation.analysis.metrics import METRICS
from ablation.core.values import label


def of_single_images(metric: str) -> bool:
    """Whether a metric is a mean over images or a function of counts per class: else nothing is known of new ones."""
    return METRICS[metric].whole is None


def default_test(splits: Collection[Any], metric: str) -> Test:
    """For the ways in which the parts are made, and the metric."""
    if _any_redraws(splits, "redraws_test"):
        return CorrectedResampled()
    return Crossed() if of_single_images(metric) else Paired()


def wrong_test(test: Test, splits: Collection[Any], metric: str) -> Iterator[str]:
    """What the test knows nothing of; each a message."""
    if _any_redraws(splits, "redraws_test") and not isinstance(test, CorrectedResampled):
        yield (
            f"test = {label(test)}: where the test part is redrawn for each seed, seeds share photographs, of which it "
            "knows nothing; leave `test` out, or give CorrectedResampled()"
        )
    elif _any_redraws(splits, "redraws_training") and not isinstance(test, Crossed | Paired | CorrectedResampled):
        yield (
            f"test = {label(test)}: where the training part is redrawn for each seed, recipes share it, and are to be "
            "compared in pairs; leave `test` out, or give Crossed() or Paired()"
        )
    if isinstance(test, Crossed) and not of_single_images(metric):
        yield f"test = Crossed(): it has no formula for {metric}; leave `test` out, or give Paired()"


def _any_redraws(splits: Collection[Any], what: str) -> bool:
    """Does one of them redraw it for each seed? What is no split is refused elsewhere."""
    return any(getattr(split, what, False) for split in splits)
