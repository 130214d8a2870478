"""What is judged is declared before there is anything to judge, and every later change of it is seen."""

from dataclasses import replace

import pytest
from made_up import question

from ablation.analysis.comparison import Paired
from ablation.augment import Brightness, Contrast, Hue
from ablation.data import Digits
from ablation.experiment.experiment import Experiment
from ablation.experiment.preregistration import (
    PREREGISTRATION_FILE,
    beforehand,
    preregister,
    preregistered,
    preregistration_of,
)
from ablation.experiment.runs import runs_of
from ablation.optim import SGD, Adam


@pytest.fixture
def experiment() -> Experiment:
    return question()


def plan_of(experiment: Experiment, data: str = "0" * 16):
    return preregistration_of(experiment, experiment.cells(data))


def test_names_order_and_data_are_no_part_of_a_plan(experiment):
    renamed = replace(
        experiment,
        name="other",
        data=Digits(),
        recipes={"c": (Contrast(0.4),), "plain": (), "b": (Brightness(0.4),)},
        optimizers={"second": SGD(lr=0.1), "first": Adam()},
        baseline="plain",
    )
    assert plan_of(renamed, "1" * 16) == plan_of(experiment)
    assert plan_of(renamed).hash == plan_of(experiment).hash


CHANGES = {
    "test": ({"test": Paired()}, "test Welch(), now Paired()"),
    "metric": ({"metric": "macro_f1"}, "metric accuracy, now macro_f1"),
    "margin": ({"margin": 0.02}, "margin 0.01, now 0.02"),
    "alpha": ({"alpha": 0.1}, "alpha 0.05, now 0.1"),
    "seeds": ({"seeds": 3}, "seeds 0, 1, 2, 3, 4, now 0, 1, 2"),
    "fewer comparisons": (
        {"recipes": {"none": (), "bright": (Brightness(0.4),)}},
        "2 of 4 comparisons left out since, for which nothing corrects",
    ),
}


@pytest.mark.parametrize(("fields", "told"), CHANGES.values(), ids=CHANGES)
def test_each_change_is_told(experiment, fields, told):
    before, after = plan_of(experiment), plan_of(replace(experiment, **fields))
    assert before.changed_to(after) == [told]
    assert before.hash != after.hash


def test_another_baseline_is_told_with_what_is_no_longer_compared(experiment):
    after = plan_of(replace(experiment, baseline="bright"))
    assert plan_of(experiment).changed_to(after) == [
        "baseline no augmentation, now Brightness(brightness=0.4)",
        "2 of 4 comparisons left out since, for which nothing corrects",
    ]


def test_more_comparisons_are_corrected_for_and_no_change_to_the_rest(experiment):
    more = plan_of(replace(experiment, recipes={**experiment.recipes, "hue": (Hue(0.1),)}))
    assert plan_of(experiment).changed_to(more) == []
    assert more.hash != plan_of(experiment).hash


def test_the_plan_that_counts_is_the_last_from_before_the_first_result(experiment, tmp_path):
    cells = experiment.cells("0" * 16)
    assert (preregistered(tmp_path), beforehand(tmp_path)) == ([], None)
    preregister(replace(experiment, margin=0.5), cells, tmp_path)
    preregister(experiment, cells, tmp_path)
    preregister(experiment, cells, tmp_path)
    assert [entry.plan.margin for entry in preregistered(tmp_path)] == [0.5, 0.01], "the same again is recorded once"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").touch()
    preregister(replace(experiment, metric="macro_f1"), cells, tmp_path)
    assert [entry.results for entry in preregistered(tmp_path)] == [0, 0, 1]
    assert beforehand(tmp_path).plan == plan_of(experiment)


def test_after_a_pilot_of_the_baseline_seeds_may_still_be_chosen(experiment, tmp_path):
    """Runs of the baseline alone compare nothing; with the first of a recipe the plan is what was declared."""

    def finish(cell):
        (run,) = runs_of([cell], tmp_path)
        run.prepare()
        (run.folder / "record.json").touch()

    cells = experiment.cells("0" * 16)
    preregister(experiment, cells, tmp_path)
    baseline = [cell for cell in cells if cell.factors["recipe"] == experiment.baseline]
    for cell in baseline[:2]:
        finish(cell)
    more = replace(experiment, seeds=20)
    preregister(more, more.cells("0" * 16), tmp_path)
    assert [entry.results for entry in preregistered(tmp_path)] == [0, 0]
    assert beforehand(tmp_path).plan == plan_of(more)
    finish(next(cell for cell in cells if cell.factors["recipe"] != experiment.baseline))
    preregister(experiment, cells, tmp_path)
    assert preregistered(tmp_path)[-1].results == 1
    assert beforehand(tmp_path).plan == plan_of(more)


def test_a_torn_line_costs_only_itself(experiment, tmp_path):
    preregister(experiment, experiment.cells("0" * 16), tmp_path)
    with (tmp_path / PREREGISTRATION_FILE).open("ab") as file:
        file.write(b"0123 {tor")
    assert beforehand(tmp_path).plan == plan_of(experiment)
    preregister(replace(experiment, margin=0.5), experiment.cells("0" * 16), tmp_path)
    assert beforehand(tmp_path).plan.margin == 0.5


def test_a_plan_recorded_after_a_result_is_none_from_before_it(experiment, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").touch()
    preregister(experiment, experiment.cells("0" * 16), tmp_path)
    assert beforehand(tmp_path) is None
