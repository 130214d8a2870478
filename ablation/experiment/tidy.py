"""Tidy frames of results, for a notebook: a row a run, and a row a test image of each run. pandas; no torch.

What their columns are stands where people call them, in `Results.table` and `Results.predictions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation.analysis.metrics import METRICS, log_loss
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import Predictions

_RUN = ("seed", "id", "status", "reason")
_SIZES = ("train_images", "test_images")
_COST = ("seconds", "images_per_second", "gpu_memory_mib", "evaluation_seconds")

_NO_ANSWERS: dict[str, NDArray[Any]] = {
    **{name: np.zeros(0, np.int32) for name in ("image", "label", "predicted")},
    **{"probability": np.zeros(0, np.float32), "correct": np.zeros(0, bool)},
}
"""Columns that are of an image, in order; of no images."""


def tidy_runs(cells: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """`Results.table` of `Results.frame`."""
    factors = {factor: levels_of(experiment, factor, cells[factor]) for factor in experiment.factors}
    metrics = [name for name in METRICS if name in cells and name != experiment.metric]
    metrics.insert(0, experiment.metric)
    known = cells.reindex(columns=[*_RUN, *metrics, *_SIZES, *_COST, "device"])
    kinds = {"status": "category", "device": "category", **dict.fromkeys(_SIZES, "Int64")}
    kinds |= dict.fromkeys([*metrics, *_COST], "float64")
    return pd.DataFrame(factors, index=cells.index).join(known.astype(kinds).fillna({"reason": ""}))


def tidy_predictions(
    finished: pd.DataFrame,
    experiment: Experiment,
    classes: Sequence[str],
    files: Sequence[str],
    read: Callable[[str], Predictions],
) -> pd.DataFrame:
    """`Results.predictions` of the rows of `Results.frame` that have finished.

    files: of each image, () where they are not known. read: of a run's id, what its network answers.
    """
    parts = [_answers(read(run_id)) for run_id in finished["id"]]
    run = np.repeat(np.arange(len(finished)), [len(part["image"]) for part in parts])
    factors = {factor: levels_of(experiment, factor, finished[factor]) for factor in experiment.factors}
    columns: dict[str, Any] = {factor: levels.take(run) for factor, levels in factors.items()}
    columns |= {"seed": finished["seed"].to_numpy()[run], "id": pd.Categorical(finished["id"]).take(run)}
    answers = {name: np.concatenate([none, *(part[name] for part in parts)]) for name, none in _NO_ANSWERS.items()}
    code_of, names = pd.factorize(np.array(files, object))
    codes = code_of[answers["image"]] if len(files) else np.full(len(run), -1, np.int64)
    image: dict[str, Any] = {"image": answers["image"], "file": pd.Categorical.from_codes(codes, pd.Index(names))}
    every = pd.Index(classes)
    labels = {name: pd.Categorical.from_codes(answers[name], every) for name in ("label", "predicted")}
    return pd.DataFrame({**columns, **image, **answers, **labels})


def levels_of(experiment: Experiment, factor: str, names: Any) -> pd.Categorical:
    """A column of a factor's levels, in the order of the experiment."""
    return pd.Categorical(names, list(experiment.factors[factor]))


def _answers(predictions: Predictions) -> dict[str, NDArray[Any]]:
    """Of a run, by the names of `_NO_ANSWERS`; (T,) each, of its T test images."""
    sample, label, logits = predictions
    guess = logits.argmax(axis=1)
    return {
        "image": sample.astype(np.int32),
        "label": label.astype(np.int32),
        "predicted": guess.astype(np.int32),
        "probability": np.exp(-log_loss(logits, label)).astype(np.float32),
        "correct": guess == label,
    }
