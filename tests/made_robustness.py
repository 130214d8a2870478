"""Made-up runs that were tested on changed images, where what a recipe gained is known: for the section on robustness.

An image is guessed right where the run's score under a condition, in standard deviations, is above the image's
difficulty and luck. What a condition costs and what a recipe gains there are given in these units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from made_up import MadeUp, question, results_of

from ablation.analysis.comparison import Crossed
from ablation.analysis.metrics import METRICS
from ablation.core.seeds import stream
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.experiment.record import Corrupted, Predictions
from ablation.optim import Adam

STRENGTHS = (1 / 3, 2 / 3, 1.0)
NAMES = ("rotation", "noise", "blur")
HARDER = 1.0
"""What a condition costs at full strength, in standard deviations of an image's difficulty."""

Gain = Callable[[str, str], float]
"""recipe and condition ("" for clean images) -> gain, in the same units."""


def nothing(recipe: str, name: str) -> float:
    return 0.0


def everywhere(recipe: str, name: str) -> float:
    """bright is better on all images alike, by as many points: the conditions cost nothing here (`harder=0`)."""
    return 0.5 if recipe == "bright" else 0.0


def rotation(recipe: str, name: str) -> float:
    """bright does better on rotated images alone."""
    return 0.9 if (recipe, name) == ("bright", "rotation") else 0.0


@dataclass(frozen=True)
class World:
    """gain: what is true. conditions: those of a run, None where it was not tested. images: of the test part."""

    gain: Gain = nothing
    conditions: Callable[[Cell], tuple[tuple[str, float], ...] | None] = lambda cell: every()
    images: int = 120
    draw: int = 0
    harder: float = HARDER
    luck: float = 0.5

    def right(self, cell: Cell, condition: tuple[str, float] | None = None) -> np.ndarray:
        """(images,) of the test part in the order of their rows, clean or under a condition."""
        name, strength = condition or ("", 0.0)
        recipe = cell.factors["recipe"]
        difficulty = stream(0, "difficulty", self.draw).normal(size=self.images)
        own = stream(cell.seed, "run", self.draw, *cell.factors.values())
        score = 1.0 + 0.05 * own.normal() + self.gain(recipe, name) - self.harder * strength
        luck = own.normal(0, self.luck, self.images)
        changed = stream(cell.seed, "changed", self.draw, name, str(strength), *cell.factors.values())
        return score > difficulty + luck + changed.normal(0, self.luck / 2, self.images)


def every(names: tuple[str, ...] = NAMES) -> tuple[tuple[str, float], ...]:
    return tuple((name, strength) for name in names for strength in STRENGTHS)


def logits_of(right: np.ndarray) -> np.ndarray:
    """Of class 0 where it is right, else of class 1; never quite sure."""
    return (2 * np.where(right[..., None], np.eye(10)[0], np.eye(10)[1])).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Tested(MadeUp):
    """Rows of test images are 1000 - t, in this order; every second one was changed, in another order."""

    world: World = World()

    def _cell(self, run_id: str) -> Cell:
        return next(cell for cell in self.cells if cell.spec.id == run_id)

    def test_predictions(self, run_id: str) -> Predictions:
        rows = 1000 - np.arange(self.world.images)
        return Predictions(rows, np.zeros(len(rows), np.int64), logits_of(self.world.right(self._cell(run_id))))

    def corrupted(self, run_id: str) -> Corrupted | None:
        cell = self._cell(run_id)
        conditions = self.world.conditions(cell)
        if conditions is None:
            return None
        which = np.arange(self.world.images)[::2][::-1]
        answers = np.stack([logits_of(self.world.right(cell, one)[which]) for one in conditions])
        return Corrupted(conditions, 1000 - which, np.zeros(len(which), np.int64), answers)


def study_of(
    world: World | None = None, lost: Callable[[Cell], bool] = lambda cell: False,
    records: Mapping[str, Any] | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """3 recipes x 1 optimizer x 6 seeds. lost: did a run fail?"""
    world = world or World()
    experiment = replace(question(), **{"test": Crossed(), "seeds": 6, "optimizers": {"adam": Adam()}, **changes})

    def score(cell: Cell) -> float | str:
        if lost(cell):
            return "failed"
        right = world.right(cell)
        return METRICS[experiment.metric](logits_of(right), np.zeros(len(right), np.int64))

    made = results_of(experiment, score, world.images)
    results = Tested(
        made.experiment, made.cells, made.classes, made.root, made.frame,
        images=2000, records=records or {}, world=world,
    )  # fmt: skip
    return Study(results)
