"""Levels that NumPy made are called by what they are, and make the runs that the same numbers written out make."""

from pathlib import Path

import numpy as np

from ablation import Adam, Brightness, Digits, Experiment
from ablation.experiment.form import experiment_of, form_of
from ablation.experiment.recipes import dose


def grid(learning_rates, seeds, amount: float = 0.5, **fields) -> Experiment:
    recipes = {"none": (), "light": (Brightness(amount),)}
    vary = {"lr": learning_rates, "weights": [None, Path("w.pt")]}
    more = {"baseline": "none", "model": "lenet", "image_size": 8, "vary": vary, "seeds": seeds}
    return Experiment("x", Digits(), recipes, {"adam": Adam()}, **{**more, **fields})


def test_levels_have_the_names_of_their_numbers_and_runs_their_ids():
    written = grid((0.001, 0.01, 0.1), (0, 1), vary={"lr": (0.001, 0.01, 0.1)})
    every = (tuple(np.logspace(-3, -1, 3)), np.logspace(-3, -1, 3), list(np.logspace(-3, -1, 3)))
    for learning_rates in every:
        made = grid(learning_rates, np.arange(2), np.float32(0.5), vary={"lr": learning_rates}, image_size=np.int64(8))
        assert list(made.factors["lr"]) == ["0.001", "0.01", "0.1"]
        assert made == written or isinstance(learning_rates, list)
        assert [cell.spec.id for cell in made.cells("")] == [cell.spec.id for cell in written.cells("")]
        assert experiment_of(form_of(made)) == made


def test_a_range_is_levels_and_a_path_is_a_level():
    made = grid(np.array([0.1]), range(2), vary={"epochs": range(1, 4), "weights": [None, Path("w.pt")]})
    assert list(made.factors["epochs"]) == ["1", "2", "3"]
    assert list(made.factors["weights"]) == ["None", "w.pt"]
    assert made.weight_files == (Path("w.pt"),)


def test_strengths_of_numpy_are_named_alike():
    assert dose(Brightness(0.5), np.linspace(0, 1, 3, dtype="float32")) == dose(Brightness(0.5), (0.5, 1.0))
