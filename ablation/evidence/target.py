"""What a verdict is about: the photographs, for training and for testing, that it holds for. From what the design
varies.

Three things vary from one experiment to its repetition: the run (initial weights, order, draws), which photographs are
trained on, and which are tested on. Which are trained on matters more than the run (Bouthillier et al. 2021,
"Accounting for variance in machine learning benchmarks", MLSys). What a design does not vary is said in the verdict's
own words.
"""

from __future__ import annotations

from dataclasses import dataclass

from ablation.data.split import Given
from ablation.experiment.experiment import Experiment


@dataclass(frozen=True)
class Target:
    """training: is the training part redrawn, so that the verdict is of others too? images: do the test photographs
    count as drawn? given: are the parts those of the data, and not dealt?"""

    training: bool
    images: bool
    given: bool

    def __str__(self) -> str:
        """'for new training and test photographs', 'for this training set', 'for this split, on these test ...'."""
        if self.training and self.images:
            return "for new training and test photographs"
        if self.training:
            return "for new training photographs, on these test photographs"
        fixed = "for this training set" if self.given else "for this split"
        return fixed if self.images else f"{fixed}, on these test photographs"


def target_of(experiment: Experiment) -> Target:
    """Of the declared test and the splits of the grid; where these differ, what all of them vary."""
    splits = list(experiment.levels("split").values())
    return Target(
        all(split.redraws_training for split in splits),
        experiment.declared_test.new_images,
        all(isinstance(split, Given) for split in splits),
    )
