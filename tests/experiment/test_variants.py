"""Variants (`--set`) and what was declared: neither disturbs the other, and what was chosen with results is visible."""

from dataclasses import replace

import pytest
from made_up import question

from ablation.core.errors import DataError
from ablation.core.files import Journal
from ablation.experiment.preregistration import (
    PREREGISTRATION_FILE,
    Variant,
    beforehand,
    declared_for,
    preregister,
    preregistered,
    preregistration_of,
)
from ablation.experiment.runs import Run

DATA = "0" * 16


@pytest.fixture
def experiment():
    return question()


def plan_of(experiment):
    return preregistration_of(experiment, experiment.cells(DATA))


def declare(root, experiment, **fields):
    """As `ablation run`, with `--set` for each field; returns the variant."""
    changed = replace(experiment, **fields)
    overrides = tuple(sorted(f"{name}={value}" for name, value in fields.items()))
    variant = Variant(experiment, experiment.cells(DATA), overrides) if fields else None
    preregister(changed, changed.cells(DATA), root, variant)
    return changed


def finish(root, experiment, seeds=None):
    """Leave a record of each run of the experiment."""
    for cell in experiment.cells(DATA):
        if seeds is None or cell.seed in seeds:
            run = Run(root, cell.spec)
            run.prepare()
            (run.folder / "record.json").touch()


def judged(root, experiment):
    """How a comparison of this experiment differs from what was declared for it; None where nothing was."""
    before = declared_for(plan_of(experiment), root)
    return None if before is None else before.plan.changed_to(plan_of(experiment))


def test_a_variant_is_declared_beside_the_file(experiment, tmp_path):
    three = declare(tmp_path, experiment, seeds=3)
    assert [entry.overrides for entry in preregistered(tmp_path)] == [(), ("seeds=3",)]
    assert beforehand(tmp_path).plan == plan_of(experiment), "that of the file, though the variant is newer"
    assert judged(tmp_path, experiment) == judged(tmp_path, three) == []
    declare(tmp_path, experiment, seeds=3)
    declare(tmp_path, experiment)
    assert len(preregistered(tmp_path)) == 2, "of one plan there is one declaration"


def test_the_full_grid_after_a_variant_is_as_the_file_declared_it(experiment, tmp_path):
    three = declare(tmp_path, experiment, seeds=3)
    finish(tmp_path, three)
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    assert judged(tmp_path, experiment) == judged(tmp_path, three) == []


def test_a_variant_of_which_nothing_was_trained_counts_beside_results_of_others(experiment, tmp_path):
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    longer = declare(tmp_path, experiment, epochs=99)
    assert preregistered(tmp_path)[-1].results == 0
    finish(tmp_path, longer)
    assert judged(tmp_path, longer) == judged(tmp_path, experiment) == []


AFTER = {
    "margin": ({"margin": 0.05}, "margin 0.01, now 0.05"),
    "metric": ({"metric": "macro_f1"}, "metric accuracy, now macro_f1"),
    "alpha": ({"alpha": 0.1}, "alpha 0.05, now 0.1"),
    "baseline": ({"baseline": "bright"}, "baseline no augmentation, now Brightness(brightness=0.4)"),
    "fewer seeds": ({"seeds": 3}, "seeds 0, 1, 2, 3, 4, now 0, 1, 2"),
    "more seeds": ({"seeds": 7}, "seeds 0, 1, 2, 3, 4, now 0, 1, 2, 3, 4, 5, 6"),
    "other seeds": ({"seeds": (100, 101, 102, 103, 104)}, "seeds 0, 1, 2, 3, 4, now 100, 101, 102, 103, 104"),
}


@pytest.mark.parametrize(("fields", "said"), AFTER.values(), ids=AFTER)
@pytest.mark.parametrize("declared", [False, True], ids=["compared alone", "run first"])
def test_what_is_set_with_results_at_hand_is_no_declaration(experiment, tmp_path, fields, said, declared):
    """Whether somebody only compares so, or runs so first, which declares it: there were results by then."""
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    changed = declare(tmp_path, experiment, **fields) if declared else replace(experiment, **fields)
    assert said in judged(tmp_path, changed)
    assert judged(tmp_path, experiment) == []


def test_a_variant_chosen_after_results_of_its_own_is_none(experiment, tmp_path):
    """Three seeds, a look, then four."""
    finish(tmp_path, declare(tmp_path, experiment, seeds=3))
    four = declare(tmp_path, experiment, seeds=4)
    assert preregistered(tmp_path)[-1].results > 0
    assert judged(tmp_path, four) == ["seeds 0, 1, 2, 3, 4, now 0, 1, 2, 3"]


def test_after_a_pilot_of_the_baseline_the_number_of_seeds_may_be_set(experiment, tmp_path):
    """Two runs of the baseline compare nothing; another rule is said all the same."""
    declare(tmp_path, experiment)
    finish(
        tmp_path, replace(experiment, recipes={"none": ()}, optimizers={"adam": experiment.optimizers["adam"]}), (0, 1)
    )
    three = declare(tmp_path, experiment, seeds=3)
    assert judged(tmp_path, three) == []
    assert judged(tmp_path, declare(tmp_path, experiment, baseline="bright"))


def test_results_whose_spec_cannot_be_read_may_be_its_own(experiment, tmp_path):
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    next(tmp_path.glob("*/spec.json")).write_text("{torn")
    declare(tmp_path, experiment, epochs=99)
    assert preregistered(tmp_path)[-1].results == 1


def test_another_rule_declared_beforehand_is_said(experiment, tmp_path):
    wide = declare(tmp_path, experiment, margin=0.05)
    before = declared_for(plan_of(wide), tmp_path)
    assert before.overrides == ("margin=0.05",)
    assert beforehand(tmp_path).plan.judged_otherwise(before.plan) == ["margin 0.01, now 0.05"]


def test_overrides_that_are_no_list_are_no_plan(experiment, tmp_path):
    declare(tmp_path, experiment, seeds=3)
    plan = plan_of(experiment)
    journal = Journal(tmp_path / PREREGISTRATION_FILE)
    event = next(one for one in journal.events() if one["event"] == "declared")
    journal.append("declared", plan=plan.hash, results=0, declaration=event["declaration"], overrides="seeds=3")
    with pytest.raises(DataError, match=r"1 line of .* cannot be read"):
        preregistered(tmp_path)
