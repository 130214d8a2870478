"""What varies, in a sentence: the run, the choice of training photographs, and that of test photographs."""

from __future__ import annotations

import math

from ablation.evidence.variance_sources import Sources
from ablation.experiment.experiment import Experiment
from ablation.report.text import size


def sources_text(found: Sources, experiment: Experiment) -> str:
    """'One seed's difference to none varies by 0.9 points (sd): 0.3 from the run, 0.8 from which photographs ...'."""
    metric, training = experiment.metric, not math.isnan(found.training)
    told = f"One seed's difference to {experiment.baseline} has an sd of {size(found.both, metric)}"
    if training:
        told += (
            f": {size(found.run, metric)} from the run, and {size(found.training, metric)} from which photographs are "
            f"trained on{_times(found)}"
        )
    elif math.isnan(found.run):
        told += ", from the run and which photographs are trained on together (runs_per_draw=2 would tell them apart)"
    else:
        told += " from the run; which photographs are trained on does not vary here"
    if math.isnan(found.images):
        return f"{told}. Which photographs are tested on is not counted."
    return f"{told}. Which photographs are tested on adds an sd of {size(found.images, metric)} to the mean difference."


def _times(found: Sources) -> str:
    """', which matter 2.7 times as much', where that can be said."""
    if not found.run or found.training <= found.run:
        return ""
    return f", which matter {found.training / found.run:.1f} times as much"
