"""What an experiment says of the classes of its data, held to those that the data has: known before the first run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ablation.analysis.metrics import TOP
from ablation.core.errors import InputError, Problem
from ablation.core.text import counted
from ablation.experiment.balance import class_weights_of, misfits
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
