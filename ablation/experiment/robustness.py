"""Test conditions: changes of the test images under which a trained network is tested as well.

Brightness, contrast, crop, rotation, blur and noise, each at three strengths; or the operations that an experiment
names in `corrupt`. What is drawn does not depend on the run, so that every network answers for the same changed images.
A run's id does not depend on them either, as they change nothing that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablation.augment import (
    Brightness,
    Contrast,
    GaussianBlur,
    GaussianNoise,
    RandomResizedCrop,
    RandomRotation,
    Recipe,
)
from ablation.augment.operations.choice import scaled
from ablation.core.values import plain, restore
from ablation.experiment.spec import CLASSES

if TYPE_CHECKING:
    from ablation.experiment.experiment import Experiment

STRENGTHS = (1 / 3, 2 / 3, 1.0)
"""Of each condition, in multiples of its recipe."""

MOST_IMAGES = 300
"""Test images that are shown under each condition; of more, each class in its share."""

MOST_SHARE = 0.1
"""Of the training's work that the conditions may cost where the experiment does not say whether it wants them."""


@dataclass(frozen=True)
class Condition:
    """The recipe through which test images are shown, with its name and strength: ("brightness", 2 / 3)."""

    name: str
    strength: float
    recipe: Recipe

    def __hash__(self) -> int:
        """Of its name: an operation may hold a dict, which has none."""
        return hash((self.name, self.strength))

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"name": self.name, "strength": self.strength, "recipe": plain(self.recipe)}

    @classmethod
    def from_plain(cls, form: Mapping[str, Any]) -> Condition:
        return cls(form["name"], form["strength"], restore(form["recipe"], CLASSES))


def conditions_of(experiment: Experiment, image_size: int) -> tuple[Condition, ...]:
    """Every test condition of an experiment, for images of this side; () where it wants none.

    >>> [condition.name for condition in conditions_of(experiment, 224)][::3]
    ['brightness', 'contrast', 'crop', 'rotation', 'blur', 'noise']
    """
    if experiment.robustness is False:
        return ()
    recipes = experiment.corrupt or usual(image_size)
    return tuple(
        Condition(name, strength, scaled(tuple(recipe), strength))
        for name, recipe in recipes.items()
        for strength in STRENGTHS
    )


def usual(image_size: int) -> dict[str, Recipe]:
    """The conditions of an experiment that names none, at their full strength, by name.

    Blur is in proportion to the image: its sd is 2 % of the side, but a pixel at least.
    """
    sigma = max(1.0, 0.02 * image_size)
    return {
        "brightness": (Brightness(0.6),),
        "contrast": (Contrast(0.6),),
        "crop": (RandomResizedCrop(scale=(0.4, 1.0)),),
        "rotation": (RandomRotation(30),),
        "blur": (GaussianBlur(2 * math.ceil(3 * sigma) + 1, sigma),),
        "noise": (GaussianNoise(sigma=0.15),),
    }


def work_share(conditions: int, tested: int, trained: int, validated: int, epochs: int) -> float:
    """What the conditions cost, in multiples of what training does: images that pass forwards through the network.

    An image that is trained on counts three times, as the pass backwards costs about twice that forwards.

    >>> work_share(conditions=18, tested=300, trained=1500, validated=200, epochs=60)
    0.019148936170212766
    """
    return conditions * min(tested, MOST_IMAGES) / (epochs * (3 * trained + validated))
