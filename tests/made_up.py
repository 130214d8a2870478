"""Made-up results of a small experiment, without files: for the tests of what results mean."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ablation.analysis.comparison import Welch
from ablation.augment import Brightness, Contrast
from ablation.core.seeds import stream
from ablation.core.values import label
from ablation.data import Digits, Fixed
from ablation.evidence.effects import Effect
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results
from ablation.optim import SGD, Adam

CLASSES = tuple("abcdefghij")
"""Ten, so that a score of .5 is far from chance, and no failed training."""

GAIN = {"none": 0.0, "bright": 0.05, "contrast": -0.05}


def question() -> Experiment:
    """3 recipes x 2 optimizers x 5 seeds."""
    return Experiment(
        name="made-up",
        data=Digits(),
        recipes={"none": (), "bright": (Brightness(0.4),), "contrast": (Contrast(0.4),)},
        optimizers={"adam": Adam(), "sgd": SGD(lr=0.1)},
        baseline="none",
        seeds=5,
        split=Fixed(),
        test=Welch(),
    )


def noise(cell: Cell, size: float = 0.004) -> float:
    """The run's own luck, by its seed and by what varies, whatever that is called.

    Not by the id of its spec, which changes with each field that experiments learn.
    """
    varied = (label(getattr(cell.spec, factor)) for factor in cell.factors)
    return float(stream(cell.seed, "luck", *varied).normal(0, size))


def alike(cell: Cell) -> float:
    """No recipe does anything."""
    return 0.8 + noise(cell)


def usual(cell: Cell) -> float:
    return 0.8 + GAIN.get(cell.factors["recipe"], 0.0) + noise(cell)


class MadeUp(Results):
    """Runs without files: of the test images as many are right as the score says, the same ones first in every run."""

    def test_predictions(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        run = self.frame[self.frame["id"] == run_id].iloc[0]
        count = int(run["test_images"])
        right = np.arange(count) < round(count * float(np.clip(run[self.experiment.metric], 0, 1)))
        return np.arange(count), np.zeros(count, np.int64), np.where(right[:, None], np.eye(10)[0], np.eye(10)[1])


def results_of(experiment: Experiment, score: Callable[[Cell], float | str] = usual, test_images: int = 40) -> Results:
    """Results as if each cell's run had this score on so many test images, or this status.

    Where the test judges image by image, an accuracy is that of so many images only if these can give it.
    """
    cells, rows = experiment.cells("0" * 16), []
    for cell in cells:
        got = score(cell)
        row = {**cell.factors, "seed": cell.seed, "id": cell.spec.id, "reason": ""}
        if isinstance(got, str):
            rows.append(row | {"status": got})
        else:
            told = {"first_test_batch": "t", "split_digest": "s", "train_images": 60, "test_images": test_images}
            where = {"device": "cpu", "precision": "float32", "torch": "2.11"}
            metrics = {experiment.metric: got, "macro_f1": got - 0.1}
            rows.append(row | {"status": "finished"} | metrics | told | where)
    return MadeUp(experiment, cells, CLASSES, Path("runs"), pd.DataFrame(rows), images=200)


def find(effects: tuple[Effect, ...], recipe: str, **condition: str) -> Effect:
    (found,) = (effect for effect in effects if (effect.recipe, effect.condition) == (recipe, condition))
    return found


def scores(results: Results, recipe: str, optimizer: str | None = None) -> np.ndarray:
    """The score of each seed, averaged over optimizers."""
    rows = results.finished[results.finished["recipe"] == recipe]
    rows = rows if optimizer is None else rows[rows["optimizer"] == optimizer]
    return rows.groupby("seed")[results.experiment.metric].mean().to_numpy()
