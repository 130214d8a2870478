"""Made-up runs with logits for test and validation images, where it is known who knows more and who is more sure of it.

The logit of a class is what the run knows, if it is the true one, plus the image's own and the run's luck; all of it
times the recipe's heat, which changes calibration and no guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from made_up import MadeUp, question, results_of

from ablation.analysis.comparison import Crossed
from ablation.core.seeds import stream
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.experiment.record import Predictions
from ablation.optim import Adam

CLASSES = 10


@dataclass(frozen=True)
class World:
    """knows: recipe -> what it adds to the true class. heat: recipe -> factor of all logits. val: images, None: old."""

    knows: Mapping[str, float] = field(default_factory=dict)
    heat: Mapping[str, float] = field(default_factory=dict)
    images: int = 150
    val: int | None = 80
    draw: int = 0

    def answers(self, cell: Cell, part: str, images: int) -> Predictions:
        recipe = cell.factors["recipe"]
        labels = stream(0, "labels", part, self.draw).integers(0, CLASSES, images)
        image = stream(0, "image", part, self.draw).normal(size=(images, CLASSES))
        own = stream(cell.seed, "run", self.draw, *cell.factors.values())
        skill = 2.0 + self.knows.get(recipe, 0.0) + own.normal(0, 0.1)
        luck = stream(cell.seed, "luck", part, self.draw, *cell.factors.values()).normal(0, 0.5, (images, CLASSES))
        logits = (skill * np.eye(CLASSES)[labels] + image + luck) * 1.5 * self.heat.get(recipe, 1.0)
        return Predictions(3000 - np.arange(images), labels, logits.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Answering(MadeUp):
    world: World = World()

    def _cell(self, run_id: str) -> Cell:
        return next(cell for cell in self.cells if cell.spec.id == run_id)

    def test_predictions(self, run_id: str) -> Predictions:
        return self.world.answers(self._cell(run_id), "test", self.world.images)

    def part(self, run_id: str, part: str) -> Predictions | None:
        if part == "test":
            return self.test_predictions(run_id)
        return None if self.world.val is None else self.world.answers(self._cell(run_id), part, self.world.val)


def study_of(
    world: World | None = None, lost: Callable[[Cell], bool] = lambda cell: False,
    records: Mapping[str, Any] | None = None, groups: np.ndarray | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """3 recipes x 1 optimizer x 6 seeds. lost: did a run fail?"""
    world = world or World()
    experiment = replace(question(), **{"test": Crossed(), "seeds": 6, "optimizers": {"adam": Adam()}, **changes})

    def score(cell: Cell) -> float | str:
        if lost(cell):
            return "failed"
        known = world.answers(cell, "test", world.images)
        return float((known.logits.argmax(axis=1) == known.label).mean())

    made = results_of(experiment, score, world.images)
    return Study(
        Answering(
            made.experiment, made.cells, made.classes, made.root, made.frame,
            images=4000, groups=groups, records=records or {}, world=world,
        )
    )  # fmt: skip
