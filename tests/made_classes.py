"""Made-up runs whose recall differs by class: for the tests of whom a recipe helps and whom it harms."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from made_up import MadeUp, alike, question, results_of

from ablation.analysis.comparison import Crossed
from ablation.core.errors import DataError
from ablation.core.seeds import stream
from ablation.evidence.study import Study

Gains = Mapping[tuple[str, int], float]
"""(recipe, class) -> what it adds to the chance of each image of the class to be guessed right."""


class Classes(MadeUp):
    """Each image has a chance of its own to be right; a run's luck is its own. Wrong guesses are the next class.

    spread: sd over runs of what a run adds to the chances of a class. reaction: sd over images of what a recipe adds to
    an image's own chance, in every run; nothing on average over new images.
    """

    gains: Gains = {}
    per_class: tuple[int, ...] = (40,) * 4
    base: float = 0.7
    world: int = 0
    spread: float = 0.0
    reaction: float = 0.0
    gone: bool = False
    fresh: Callable[[str], int] = staticmethod(lambda run_id: 0)

    def test_predictions(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cell = next(cell for cell in self.cells if cell.spec.id == run_id)
        label = np.repeat(np.arange(len(self.per_class)), self.per_class)
        own = stream(self.world, "image", self.fresh(run_id)).normal(0, 0.1, len(label))
        gain = np.array([self.gains.get((cell.factors["recipe"], each), 0.0) for each in label])
        recipe = cell.factors["recipe"]
        own += stream(self.world, "reaction", recipe).normal(0, self.reaction, len(label)) * (recipe != "none")
        class_luck = stream(self.world, "class", run_id).normal(0, self.spread, len(self.classes))[label]
        luck = stream(self.world, "run", run_id).random(len(label))
        right = luck < np.clip(self.base + own + gain + class_luck, 0.02, 0.98)
        guess = np.where(right, label, (label + 1) % len(self.classes))
        rows = np.arange(len(label)) * 2 + self.fresh(run_id)
        return rows, label, np.eye(len(self.classes), dtype=np.float32)[guess]

    def photographs(self, rows: np.ndarray, side: int) -> np.ndarray:
        if self.gone:
            raise DataError("no images are cached")
        return np.zeros((len(rows), side, side, 3), np.uint8) + (rows % 256).astype(np.uint8)[:, None, None, None]


def study_of(
    gains: Gains, classes: tuple[str, ...] = ("cat", "dog", "fox", "owl"), score: Callable[..., Any] = alike,
    made: Mapping[str, Any] | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """made: attributes of the results; changes: of the experiment."""
    experiment = replace(question(), **{"seeds": 8, "test": Crossed()} | changes)
    plain = results_of(experiment, score, sum(Classes.per_class))
    results = Classes(experiment, plain.cells, classes, Path("runs"), plain.frame, images=2000)
    for name, one in ({"gains": gains} | dict(made or {})).items():
        object.__setattr__(results, name, one)
    return Study(results)
