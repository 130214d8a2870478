"""Variants (`--set`) and what was declared: neither disturbs the other, and what was chosen with results is visible."""

import shutil
from dataclasses import replace

import pytest
from made_up import question

from ablation.core.errors import DataError
from ablation.core.files import Journal
from ablation.experiment.preregistration import (
    BESIDE_FILE,
    PREREGISTRATION_FILE,
    Variant,
    beforehand,
    beside_of,
    declared_for,
    preregister,
    preregistered,
    preregistration_of,
)
from ablation.experiment.runs import Run
from ablation.experiment.variants import others_with_results

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


def finish(root, experiment, seeds=None, recipes=None):
    """Leave a record of each run of the experiment."""
    for cell in experiment.cells(DATA):
        if (seeds is None or cell.seed in seeds) and (recipes is None or cell.factors["recipe"] in recipes):
            run = Run(root, cell.spec)
            run.prepare()
            (run.folder / "record.json").touch()


def judged(root, experiment):
    """How a comparison of this experiment differs from what was declared for it; None where nothing was."""
    before = declared_for(plan_of(experiment), root)
    return None if before is None else before.plan.changed_to(plan_of(experiment))


def others(root, experiment):
    """The other variants and choices of seeds that a comparison of this experiment names, as warnings do."""
    before = declared_for(plan_of(experiment), root)
    found = others_with_results(experiment, experiment.cells(DATA), root, before.plan if before else None)
    return [*found.variants], [*found.seeds]


def test_a_variant_is_declared_beside_the_file(experiment, tmp_path):
    three = declare(tmp_path, experiment, seeds=3)
    assert [entry.overrides for entry in preregistered(tmp_path)] == [(), ("seeds=3",)]
    assert beforehand(tmp_path).plan == plan_of(experiment), "that of the file, though the variant is newer"
    assert judged(tmp_path, experiment) == judged(tmp_path, three) == []
    declare(tmp_path, experiment, seeds=3)
    assert len(preregistered(tmp_path)) == 2, "of one plan in a row there is one declaration"
    declare(tmp_path, experiment)
    declare(tmp_path, experiment)
    assert [entry.overrides for entry in preregistered(tmp_path)] == [(), ("seeds=3",), ()], (
        "what was run in which order"
    )


def test_the_full_grid_after_a_variant_is_as_the_file_declared_it(experiment, tmp_path):
    three = declare(tmp_path, experiment, seeds=3)
    finish(tmp_path, three)
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    assert judged(tmp_path, experiment) == judged(tmp_path, three) == []
    assert others(tmp_path, experiment) == ([], ["0 to 2"]), "which was looked at first, maybe"
    assert others(tmp_path, three) == ([], ["0 to 4"])


def test_fewer_seeds_that_were_given_up_before_a_result_were_not_looked_at(experiment, tmp_path):
    three = declare(tmp_path, experiment, seeds=3)
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    assert others(tmp_path, experiment) == ([], [])
    declare(tmp_path, experiment, seeds=3)
    assert others(tmp_path, experiment) == ([], ["0 to 2"])
    assert others(tmp_path, three)[1] == ["0 to 4"]


def test_a_variant_of_which_nothing_was_trained_counts_beside_results_of_others(experiment, tmp_path):
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    longer = declare(tmp_path, experiment, epochs=99)
    assert preregistered(tmp_path)[-1].results == 0
    assert others(tmp_path, experiment) == ([], []), "nothing of it was trained"
    finish(tmp_path, longer)
    assert judged(tmp_path, longer) == judged(tmp_path, experiment) == []
    day = preregistered(tmp_path)[0].day
    assert others(tmp_path, longer) == ([f"the file as of {day}"], []), "and which of both is shown was chosen"
    assert others(tmp_path, experiment) == (["epochs=99"], [])
    declare(tmp_path, experiment, seeds=3)
    assert others(tmp_path, longer) == ([f"the file as of {day}"], []), "whatever its seeds"


def test_variants_one_after_another_are_named_beside_each(experiment, tmp_path):
    """Whoever tries epochs until one shows something has chosen it, though each was declared before its own results."""
    tried = []
    for epochs in (3, 4, 5):
        tried.append(declare(tmp_path, experiment, epochs=epochs))
        finish(tmp_path, tried[-1])
    assert [judged(tmp_path, one) for one in tried] == [[], [], []]
    assert others(tmp_path, tried[0]) == (["epochs=4", "epochs=5"], [])
    assert others(tmp_path, tried[2]) == (["epochs=3", "epochs=4"], [])
    declare(tmp_path, experiment, epochs=6, seeds=3)
    assert others(tmp_path, tried[2]) == (["epochs=3", "epochs=4"], []), "nothing of epochs=6 was trained"
    assert others(tmp_path, experiment) == (["epochs=3", "epochs=4", "epochs=5"], [])
    in_file = declare(tmp_path, tried[2])
    assert judged(tmp_path, in_file) == []
    assert others(tmp_path, in_file) == (["epochs=3", "epochs=4"], []), "though the file says epochs=5 by now"


def test_edits_of_the_file_with_runs_between_are_named_by_their_day(experiment, tmp_path):
    edits = [replace(experiment, epochs=epochs) for epochs in (3, 4, 5)]
    for edit in edits:
        declare(tmp_path, edit)
        finish(tmp_path, edit)
    days = [entry.day for entry in preregistered(tmp_path)]
    assert others(tmp_path, edits[2]) == ([f"the file as of {day}" for day in days[:2]], [])
    assert judged(tmp_path, edits[2]) == ["4 of 4 comparisons left out since, for which nothing corrects"]


def test_a_file_that_was_edited_before_its_first_result_is_one_plan(experiment, tmp_path):
    for edit in (replace(experiment, margin=0.05), replace(experiment, seeds=3), experiment):
        declare(tmp_path, edit)
    finish(tmp_path, experiment)
    assert others(tmp_path, experiment) == ([], [])


def test_a_variant_whose_baseline_alone_was_trained_is_named_so(experiment, tmp_path):
    """Of several baselines the lowest can be chosen: recipes are compared with those very runs."""
    declare(tmp_path, experiment)
    finish(tmp_path, declare(tmp_path, experiment, epochs=3), recipes=["none"])
    longer = declare(tmp_path, experiment, epochs=4)
    finish(tmp_path, longer)
    assert others(tmp_path, longer) == (["epochs=3, the baseline alone"], [])


def test_another_rule_for_the_same_runs_is_a_variant(experiment, tmp_path):
    wide = declare(tmp_path, experiment, margin=0.05)
    finish(tmp_path, wide)
    assert others(tmp_path, wide) == ([], []), "that of the file was declared, and nothing was run by it"
    declare(tmp_path, experiment)
    assert others(tmp_path, experiment) == (["margin=0.05"], [])
    assert others(tmp_path, wide) == ([f"the file as of {preregistered(tmp_path)[-1].day}"], [])


def test_a_part_of_a_plan_is_no_variant_of_it_but_chosen_by_results_of_the_rest(experiment, tmp_path):
    """`--only recipe=contrast`, a look, then bright alone: it would be corrected for nothing."""
    few = {"none": (), "bright": experiment.recipes["bright"]}
    declare(tmp_path, experiment)
    early = declare(tmp_path / "early", experiment, recipes=few)
    finish(tmp_path, experiment, recipes=["contrast"])
    late = declare(tmp_path, experiment, recipes=few)
    assert judged(tmp_path / "early", early) == []
    assert judged(tmp_path, late) == ["2 of 4 comparisons left out since, for which nothing corrects"]
    for root in (tmp_path, tmp_path / "early"):
        finish(root, experiment)
        assert others(root, late) == others(root, experiment) == ([], [])


def test_a_pack_has_what_other_variants_have_results_of(experiment, tmp_path):
    """Its own runs alone are in it: without the others its report would read otherwise there."""
    root, pack = tmp_path / "runs", tmp_path / "pack"
    declare(root, experiment)
    finish(root, experiment)
    assert beside_of(experiment.cells(DATA), root) is None
    finish(root, declare(root, experiment, epochs=3), seeds=(0,))
    pack.mkdir()
    shutil.copy(root / PREREGISTRATION_FILE, pack)
    finish(pack, experiment)
    assert others(pack, experiment) == ([], [])
    (pack / BESIDE_FILE).write_bytes(beside_of(experiment.cells(DATA), root))
    assert others(pack, experiment) == others(root, experiment) == (["epochs=3"], [])
    assert beside_of(experiment.cells(DATA), pack) == beside_of(experiment.cells(DATA), root), "a pack of a pack"
    (pack / BESIDE_FILE).write_text("{torn")
    with pytest.raises(DataError, match=r"beside\.json is not what a pack has there"):
        others(pack, experiment)


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
    assert others(tmp_path, three) == ([], [])
    assert judged(tmp_path, declare(tmp_path, experiment, baseline="bright"))


CHOSEN = {
    "fewer": (5, (0, 1, 4), 4),
    "as many with one swapped": (5, (0, 1, 2, 3, 20), 2),
    "others": (2, (10, 11, 12, 13, 14), 4),
    "more, and none left out": (5, 20, 0),
    "more, in no row": (2, (0, 1, 7, 9), 0),
    "fewer than in the file, and none with a result left out": (2, (0, 1, 3), 0),
}


@pytest.mark.parametrize(("trained", "seeds", "results"), CHOSEN.values(), ids=CHOSEN)
@pytest.mark.parametrize("where", ["set", "in the file"])
def test_which_seeds_is_not_chosen_by_results_of_the_baseline(experiment, tmp_path, where, trained, seeds, results):
    """The lowest of the baseline's would make any recipe better: each that has a result stays in."""
    declare(tmp_path, experiment)
    finish(tmp_path, experiment, range(trained), ["none"])
    changed = replace(experiment, seeds=seeds)
    declare(tmp_path, experiment, seeds=seeds) if where == "set" else declare(tmp_path, changed)
    assert preregistered(tmp_path)[-1].results == results, "runs of left out seeds, of two optimizers"
    finish(tmp_path, changed)
    assert bool(judged(tmp_path, changed)) == bool(results)
    if results:
        (said,) = judged(tmp_path, changed)
        assert said.startswith("seeds 0, 1, 2, 3, 4, now ")


def test_results_whose_spec_cannot_be_read_may_be_its_own(experiment, tmp_path):
    declare(tmp_path, experiment)
    finish(tmp_path, experiment)
    next(tmp_path.glob("*/spec.json")).write_text("{torn")
    declare(tmp_path, experiment, epochs=99)
    assert preregistered(tmp_path)[-1].results == 1


def test_names_of_variants_are_short(experiment, tmp_path):
    variant = Variant(experiment, experiment.cells(DATA), ("question=" + "why " * 40,))
    changed = replace(experiment, epochs=3)
    preregister(changed, changed.cells(DATA), tmp_path, variant)
    finish(tmp_path, changed)
    (name,) = others(tmp_path, experiment)[0]
    assert len(name) == 60
    assert name.endswith(" ...")


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
