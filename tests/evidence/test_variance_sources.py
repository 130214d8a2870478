"""Where the variance comes from: what was planted is recovered, and what a design does not vary is not known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import MadeUp, question, results_of, usual

from ablation import Crossed, Paired, PerSeed, Redrawn, Welch
from ablation.core.seeds import stream
from ablation.data import Fixed
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results
from ablation.optim import Adam

RUN, TRAINING, IMAGE, IMAGES = 0.03, 0.05, 0.4, 80
TWICE = Redrawn(0.1, 0.1, 0.3, runs_per_draw=2)


def asked(split, seeds: int = 300, **changes) -> Experiment:
    recipes = {name: recipe for name, recipe in question().recipes.items() if name != "contrast"}
    one = replace(question(), recipes=recipes, optimizers={"adam": Adam()}, seeds=seeds, split=split, test=None)
    return replace(one, metric="log_loss", **changes)


def photographs() -> np.ndarray:
    luck = stream(0, "photographs").standard_normal(IMAGES)
    return IMAGE * (luck - luck.mean()) / luck.std(ddof=1)


def of_run(cell: Cell) -> float:
    return RUN * float(stream(cell.seed, "run").standard_normal())


def of_training(cell: Cell) -> float:
    return TRAINING * float(stream(cell.spec.split.drawn_from(cell.seed), "training").standard_normal())


def planted(cell: Cell) -> float:
    """The recipe's loss has a part of the run, one of its training photographs, and one of each test photograph."""
    if not cell.spec.recipe:
        return 1.5
    return 1.5 + of_run(cell) + of_training(cell)


class Planted(MadeUp):
    """Logits of two classes, so that the loss on each photograph is the run's mean and what the photograph adds."""

    def test_predictions(self, run_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row = self.frame[self.frame["id"] == run_id].iloc[0]
        loss = row["log_loss"] + (photographs() if row["recipe"] != "none" else np.zeros(IMAGES))
        logits = np.stack([-loss, np.log1p(-np.exp(-loss))], axis=1)
        return np.arange(IMAGES), np.zeros(IMAGES, np.int64), logits


def found_in(experiment: Experiment, images: int = 10**6, score=planted) -> dict[str, float]:
    """images: of the data; of so many the training parts have next to nothing in common."""
    sources = Study(Planted(**vars(replace(results_of(experiment, score), images=images)))).sources
    assert sources is not None
    return vars(sources)


def test_what_was_planted_is_recovered_with_two_runs_a_draw():
    expected = {
        "run": RUN,
        "training": TRAINING,
        "both": math.hypot(RUN, TRAINING),
        "images": IMAGE / math.sqrt(IMAGES),
    }
    assert found_in(asked(TWICE)) == pytest.approx(expected, rel=0.1)


def test_what_overlapping_training_parts_have_in_common_is_allowed_for():
    """Their effects are alike by rho, so that those of the draws at hand vary by 1 - rho of what others would."""
    experiment = asked(TWICE)
    odds = TWICE.overlap(200, range(150), 60)  # 60 of the 120 images that are left

    def alike(cell: Cell) -> float:
        return planted(cell) if not cell.spec.recipe else 1.5 + of_run(cell) + of_training(cell) / math.sqrt(1 + odds)

    found = found_in(experiment, 200, alike)
    assert odds > 0.9
    assert (found["run"], found["training"]) == pytest.approx((RUN, TRAINING), rel=0.1)


def test_where_the_choice_of_photographs_does_nothing_next_to_nothing_is_made_of_it():
    """Two runs of one draw differ as much as runs of two."""
    found = found_in(asked(TWICE), score=lambda cell: 1.5 + bool(cell.spec.recipe) * of_run(cell))
    assert found["run"] == pytest.approx(RUN, rel=0.1)
    assert found["training"] < 0.4 * RUN


def test_what_is_not_varied_or_cannot_be_told_apart_is_not_known():
    once = found_in(asked(replace(TWICE, runs_per_draw=1)))
    assert [math.isnan(once[name]) for name in ("run", "training", "both", "images")] == [True, True, False, False]
    assert once["both"] == pytest.approx(math.hypot(RUN, TRAINING), rel=0.1)
    fixed = found_in(asked(Fixed(), test=Crossed()))
    assert math.isnan(fixed["training"])
    assert fixed["run"] == fixed["both"] == pytest.approx(RUN, rel=0.1)
    for split, test in ((Fixed(), Welch()), (TWICE, Paired()), (PerSeed(), None)):
        assert math.isnan(found_in(asked(split, 6, test=test))["images"])


def lonely(cell: Cell) -> float | str:
    """The baseline and the recipe finished in two seeds each, of which they share one."""
    return usual(cell) if cell.seed in ((0, 1) if cell.factors["recipe"] == "none" else (1, 2)) else "failed"


@pytest.mark.parametrize("score", [lonely, lambda cell: "planned"], ids=["one shared seed", "none finished"])
def test_without_two_shared_seeds_nothing_is_known(score):
    results: Results = results_of(asked(Fixed(), 3, test=Welch(), primary="each"), score)
    assert Study(results).sources is None
