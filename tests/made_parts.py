"""Made-up runs with answers for every part, where what a recipe does is known: for the section on overfitting."""

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
from ablation.experiment.record import Part, Predictions
from ablation.optim import Adam

Gain = Callable[[str, Part], float]
"""recipe and part -> gain, in standard deviations of an image's difficulty."""


def nothing(recipe: str, part: Part) -> float:
    return 0.0


def fits_less(recipe: str, part: Part) -> float:
    """bright fits the training part less, and is no better on the others."""
    return -0.8 if (recipe, part) == ("bright", "train") else 0.0


def generalizes(recipe: str, part: Part) -> float:
    """bright is better on what it was not trained on."""
    return 0.6 if recipe == "bright" and part != "train" else 0.0


@dataclass(frozen=True)
class World:
    """gain: what is true. kept: the parts of a run's record. fit: what is added on the training part.

    mixed: the standard deviation of what a recipe gains on one test image and loses on another, nothing on average.
    """

    gain: Gain = nothing
    kept: Callable[[Cell], tuple[Part, ...]] = lambda cell: ("train", "val", "test")
    images: int = 120
    draw: int = 0
    fit: float = 1.0
    mixed: float = 0.0
    classes: int = 10

    def answers(self, cell: Cell, part: Part) -> Predictions:
        """An image is right where the run's score exceeds its difficulty and luck, else taken for the next class."""
        recipe = cell.factors["recipe"]
        difficulty = stream(0, "difficulty", self.draw, part).normal(size=self.images)
        own = stream(cell.seed, "run", self.draw, part, *cell.factors.values())
        score = 0.8 + self.fit * (part == "train") + 0.05 * own.normal() + self.gain(recipe, part)
        if part == "test" and self.mixed:
            difficulty = difficulty + stream(0, "mixed", self.draw, recipe).normal(0, self.mixed, self.images)
        right = score > difficulty + own.normal(0, 0.5, self.images)
        label = np.arange(self.images) % self.classes
        guess = np.where(right, label, (label + 1) % self.classes)
        logits = np.asarray(2 * np.eye(self.classes)[guess], np.float32)
        start = {"train": 0, "val": 1000, "test": 2000}[part]
        return Predictions(start + np.arange(self.images), label, logits)


@dataclass(frozen=True, eq=False)
class Parts(MadeUp):
    world: World = World()

    def _cell(self, run_id: str) -> Cell:
        return next(cell for cell in self.cells if cell.spec.id == run_id)

    def test_predictions(self, run_id: str) -> Predictions:
        return self.world.answers(self._cell(run_id), "test")

    def part(self, run_id: str, part: Part) -> Predictions | None:
        cell = self._cell(run_id)
        return self.world.answers(cell, part) if part in self.world.kept(cell) else None


def study_of(
    world: World | None = None, lost: Callable[[Cell], bool] = lambda cell: False,
    records: Mapping[str, Any] | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """3 recipes x 1 optimizer x 6 seeds. lost: did a run fail?"""
    world = world or World()
    experiment = replace(question(), **{"test": Crossed(), "seeds": 6, "optimizers": {"adam": Adam()}, **changes})

    def score(cell: Cell) -> float | str:
        test = world.answers(cell, "test")
        return "failed" if lost(cell) else METRICS[experiment.metric](test.logits, test.label)

    made = results_of(experiment, score, world.images)
    classes = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[: world.classes])
    results = Parts(
        made.experiment, made.cells, classes, made.root, made.frame, images=3000, records=records or {}, world=world
    )
    return Study(results)
