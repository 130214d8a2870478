"""An experiment and the classes of its data: what does not fit them, and what their unequal sizes do to the metric.

All of it is known before the first run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablation.analysis.metrics import TOP
from ablation.core.errors import InputError, Problem
from ablation.core.text import counted, named
from ablation.data.check import UNBALANCED
from ablation.experiment.class_weights import class_weights_of, misfits
from ablation.experiment.experiment import Experiment
from ablation.experiment.own_metric import OwnMetric


def refuse_misfits(experiment: Experiment, classes: Sequence[str]) -> None:
    """Raise InputError with all that does not fit these classes; a metric of the author's own is computed once."""
    problems = [Problem(wrong) for wrong in (*wrong_metric(experiment, classes), *_wrong_weights(experiment, classes))]
    if isinstance(experiment.metric, OwnMetric):
        try:
            experiment.metric.try_out(len(classes))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)


def wrong_metric(experiment: Experiment, classes: Sequence[str]) -> Iterator[str]:
    """Whether the metric says nothing about data of these classes."""
    if experiment.metric == "top5_accuracy" and len(classes) <= TOP:
        of = counted(len(classes), "class", "classes")
        yield f"metric = 'top5_accuracy': the label is always among five of {of}; give another metric"


def _wrong_weights(experiment: Experiment, classes: Sequence[str]) -> Iterator[str]:
    levels = map(class_weights_of, experiment.levels("class_weights").values())
    yield from dict.fromkeys(wrong for given in levels for wrong in misfits(given, classes))


def imbalance(metric: str, classes: Sequence[str], counts: Sequence[int]) -> str:
    """The caution where classes are of unequal size and the metric counts images: a sentence or two, or ''.

    counts: how many images of the data are of each class, () where that is not known. Names are marked as names
    (`core.text.named`).
    """
    there = [(int(count), name) for count, name in zip(counts, classes, strict=False) if count]
    if metric != "accuracy" or len(there) < 2:
        return ""
    (most, large), (fewest, small) = max(there, key=_size), min(there, key=_size)
    if most <= UNBALANCED * fewest:
        return ""
    return (
        f"The classes are unequal, {most / fewest:.1f} : 1 ({named(large)} {most:,} images, "
        f"{named(small)} {fewest:,}); "
        "accuracy counts images, and a small class hardly shows in it. metric='balanced_accuracy' or 'macro_f1' counts "
        "each class alike; class_weights='balanced' or sampling='balanced' trains so."
    )


def _size(one: tuple[int, str]) -> int:
    return one[0]
