"""The design that is found in an experiment's recipes: which parts, which recipes, what is left out and why."""

from collections.abc import Mapping
from typing import Any

import pytest

from ablation.augment import Brightness, Contrast, Hue, RandomResizedCrop, RandomRotation, Saturation
from ablation.core.text import plain
from ablation.data import Digits
from ablation.experiment.experiment import Experiment
from ablation.experiment.recipes import add_one_in, leave_one_out, powerset
from ablation.optim import Adam
from ablation.report.sections.attribution.designs import Plan, plan_of

CROP, BRIGHT, CONTRAST, HUE = RandomResizedCrop(), Brightness(0.4), Contrast(0.4), Hue(0.2)
PARTS: dict[str, Any] = {"crop": CROP, "bright": BRIGHT, "hue": HUE}
QUICKSTART = {"none": (), "crop": (CROP,), "bright": (BRIGHT,), "hue": (HUE,), "all": (CROP, BRIGHT, HUE)}


def plan(recipes: Mapping[str, Any], baseline: str = "none") -> Plan | None:
    return plan_of(
        Experiment(name="made-up", data=Digits(), recipes=recipes, optimizers={"adam": Adam()}, baseline=baseline)
    )


def named(result: Plan) -> dict[str, str]:
    """'crop hue' -> recipe."""
    return {" ".join(sorted(parts)): name for parts, name in result.recipes.items()}


def test_every_combination_is_shapleys_design():
    result = plan(powerset(PARTS))
    assert (result.design, result.parts, result.left_out) == ("shapley", ("crop", "bright", "hue"), {})
    assert len(result.recipes) == 8
    assert named(result)["bright crop hue"] == "crop + bright + hue"
    assert named(result)[""] == "none"


def test_singles_and_all_together_are_add_one_in():
    result = plan(QUICKSTART)
    assert (result.design, result.parts) == ("add_one_in", ("crop", "bright", "hue"))
    assert named(result) == {"": "none", "crop": "crop", "bright": "bright", "hue": "hue", "bright crop hue": "all"}


def test_declared_parts_keep_their_names_whatever_stands_beside_them():
    result = plan(leave_one_out({"crop": CROP, "color": (BRIGHT, CONTRAST), "hue": HUE}))
    assert (result.design, result.parts) == ("leave_one_out", ("crop", "color", "hue"))
    assert named(result)["color hue"] == "without crop"
    assert named(result)["crop hue"] == "without color"


def test_a_recipe_by_hand_takes_part_where_it_is_made_of_declared_parts():
    parts = {"crop": CROP, "color": (BRIGHT, CONTRAST), "hue": HUE}
    recipes = leave_one_out(parts) | {"only crop": (CROP,), "col": (BRIGHT, CONTRAST), "h": (HUE,), "half": (CONTRAST,)}
    result = plan(recipes)
    assert (result.design, result.parts, named(result)["crop"]) == ("shapley", ("crop", "color", "hue"), "only crop")
    assert result.left_out == {"half": "it makes no complete design with the others"}
    base = (Saturation(0.3),)
    single = plan(add_one_in(parts, base) | {"every": (*base, CROP, BRIGHT, CONTRAST, HUE)}, "base")
    assert (single.design, single.parts) == ("add_one_in", ("crop", "color", "hue"))
    assert list(single.left_out) == ["none"]


def test_written_by_hand_two_operations_that_always_occur_together_are_one_part():
    result = plan({**leave_one_out({"crop": CROP, "color": (BRIGHT, CONTRAST), "hue": HUE})})
    assert (result.design, len(result.parts)) == ("leave_one_out", 3)
    assert "Brightness + Contrast" in result.parts


def test_without_a_name_of_its_own_a_part_is_called_by_its_operations():
    recipes = {"none": (), "ab": (CROP, BRIGHT, CONTRAST), "a": (CROP,), "abc": (CROP, BRIGHT, CONTRAST, HUE)}
    recipes["bc"] = (BRIGHT, CONTRAST, HUE)
    assert plan({**recipes, "ac": (CROP, HUE)}).parts == ("a", "Brightness + Contrast", "Hue")
    weak, strong = RandomRotation(10), RandomRotation(30)
    three = {"x": (weak, HUE), "y": (strong, HUE), "z": (weak, strong), "all": (weak, strong, HUE)}
    assert plan({"none": (), **three}).parts == ("RandomRotation(degrees=10.0)", "RandomRotation(degrees=30.0)", "Hue")


def test_singles_that_never_meet_say_no_more_than_the_comparison():
    assert plan(add_one_in(PARTS)) is None
    assert plan({"none": (), "crop": (CROP,)}) is None
    assert plan({"none": ()}) is None


def test_strengths_of_one_operation_are_no_parts_of_a_design():
    assert plan({"none": (), "weak": (Brightness(0.2),), "strong": (Brightness(0.4),)}) is None


def test_the_baselines_operations_count_as_none():
    recipes = {name: (CONTRAST, *operations) for name, operations in QUICKSTART.items()} | {"plain": (CROP,)}
    result = plan(recipes)
    assert (result.design, result.parts) == ("add_one_in", ("crop", "bright", "hue"))
    assert {recipe: plain(text) for recipe, text in result.left_out.items()} == {
        "plain": "it has not all operations of “none”"
    }


def test_the_largest_design_is_taken_and_of_one_size_shapleys():
    more = QUICKSTART | {"crop hue": (CROP, HUE), "jitter": (Saturation(0.3),)}
    result = plan(more)
    assert (result.design, result.parts) == ("add_one_in", ("crop", "bright", "hue")), "three before a complete two"
    assert result.left_out == dict.fromkeys(["crop hue", "jitter"], "it makes no complete design with the others")
    two = {name: recipe for name, recipe in more.items() if name != "all"}
    assert (plan(two).design, plan(two).parts) == ("shapley", ("crop", "hue"))
    four = powerset(PARTS | {"contrast": CONTRAST})
    without_one = {name: recipe for name, recipe in four.items() if name != "crop + bright"}
    assert (plan(without_one).design, len(plan(without_one).parts)) == ("leave_one_out", 4)


@pytest.mark.parametrize(
    ("name", "recipe", "why"),
    [
        ("twice", (CROP, CROP), "it has an operation twice"),
        ("turned", (HUE, CROP), "it has its operations in another order"),
        ("again", (CROP, BRIGHT, HUE), "it has the operations of “all”"),
        ("the same", (CROP,), "it has the operations of “crop”"),
    ],
)
def test_what_takes_no_part_says_why(name, recipe, why):
    result = plan(QUICKSTART | {name: recipe})
    assert {recipe: plain(text) for recipe, text in result.left_out.items()} == {name: why}
    assert len(result.recipes) == 5


def test_a_set_in_another_order_is_not_taken_for_the_missing_one():
    recipes = {name: recipe for name, recipe in powerset(PARTS).items() if name != "crop + hue"}
    result = plan(recipes | {"turned": (HUE, CROP)})
    assert result.design != "shapley"
    assert result.left_out["turned"] == "it has its operations in another order"


def test_the_order_of_the_baseline_counts():
    recipes = {"none": (CONTRAST, HUE), "a": (CONTRAST, HUE, CROP), "b": (HUE, CONTRAST, BRIGHT)}
    assert plan({**recipes, "ab": (CONTRAST, HUE, CROP, BRIGHT)}) is None
    right = recipes | {"b": (CONTRAST, HUE, BRIGHT), "ab": (CONTRAST, HUE, CROP, BRIGHT)}
    assert plan(right).parts == ("a", "b")


def test_names_of_operations_with_dicts_and_a_baseline_with_a_doubled_operation():
    assert plan({"none": (CROP, CROP), "a": (CROP, CROP, HUE), "b": (CROP, CROP, BRIGHT)}) is None
