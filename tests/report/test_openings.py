"""The sentence with which a section opens: one recipe, some, many, none, and none that can be judged."""

import pytest

from ablation.core.text import named, plain
from ablation.evidence.effects import OWN_RUNS
from ablation.report.openings import nobody, not_judged, up_to, who, whose

SEVEN = [f"r{index}" for index in range(7)]


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        (["crop"], "“crop” reduces it"),
        (["crop", "move"], "“crop” and “move” reduce it"),
        (SEVEN[:6], "“r0”, “r1”, “r2”, “r3”, “r4” and “r5” reduce it"),
        (SEVEN, "7 of 60 recipes reduce it"),
    ],
)
def test_recipes_have_the_verb_for_as_many(recipes, said):
    assert plain(f"{whose(recipes, 60, 'reduces', 'reduce')} it") == said


def test_a_name_is_marked_as_one():
    assert who(["and"], 2) == named("and")
    assert not_judged({"and": "no runs"}) == f"{named('and')} cannot be judged: no runs."
    assert nobody(["and"]) == f"{named('and')} is not shown to"


def test_the_number_is_that_of_the_one_or_the_largest_of_several():
    assert up_to(["crop"], "3 points") == "3 points"
    assert up_to(["crop", "move"], "3 points") == "up to 3 points"


def test_nothing_is_shown_of_one_or_of_any():
    assert nobody(["crop", "move"]) == "No recipe is shown to"


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"crop": "too few seeds"}, "“crop” cannot be judged: too few seeds."),
        (dict.fromkeys(("crop", "move"), "too few seeds"), "“crop” and “move” cannot be judged: too few seeds."),
        (dict.fromkeys(SEVEN, "too few seeds"), "7 recipes cannot be judged: too few seeds."),
        ({"crop": "too few seeds", "move": "a run failed"}, "No recipe can be judged, for the reasons below."),
        ({"same": OWN_RUNS}, f"There is nothing to compare: “same” is {OWN_RUNS}."),
        ({"same": OWN_RUNS, "too": OWN_RUNS}, f"There is nothing to compare: “same” and “too” are {OWN_RUNS}."),
        ({"same": OWN_RUNS, "crop": "too few seeds"}, "“crop” cannot be judged: too few seeds."),
    ],
)
def test_why_nothing_can_be_judged_is_said(notes, said):
    assert plain(not_judged(notes)) == said
