"""How often the section on decision curves claims something, where nothing differs and where a recipe knows more."""

import math
from collections.abc import Iterator

import pytest
from made_decisions import World, study_of

from ablation.analysis.comparison import Crossed, Paired, Test, Welch
from ablation.core.text import plain
from ablation.report.sections.decision_curves.section import decision_curves

GRIDS = 150
MOST = 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / GRIDS)
"""alpha and 2.5 standard errors of a share of so many experiments."""


def answers(test: Test, **true: object) -> Iterator[tuple[str, ...]]:
    """Of made-up experiments: other images, seeds and luck in each."""
    for draw in range(GRIDS):
        section = decision_curves(study_of(World(draw=draw, **true), test=test))
        assert section is not None
        yield section.answer


def claims(said: str) -> bool:
    return any(words in said for words in (" a larger ", " a smaller "))


def about(answer: tuple[str, ...], recipe: str) -> str:
    """The sentence about a recipe, behind the one with which the section opens."""
    (said,) = (said for said in map(plain, answer[1:]) if said.startswith(f"“{recipe}”"))
    return said


@pytest.mark.slow
@pytest.mark.parametrize("test", [Crossed(), Paired(), Welch()], ids=lambda test: type(test).__name__)
def test_equal_recipes_are_seldom_said_to_differ(test):
    found = sum(any(map(claims, answer)) for answer in answers(test)) / GRIDS
    print(f"{type(test).__name__}: {found:.3f} of {MOST:.3f}")
    assert found <= MOST


@pytest.mark.slow
def test_who_knows_more_is_found_before_and_after_scaling():
    found = [
        "larger" in said and "also after temperature scaling" in said
        for answer in answers(Crossed(), knows={"bright": 0.5})
        for said in [about(answer, "bright")]
    ]
    print(f"found: {sum(found) / GRIDS:.3f}")
    assert sum(found) / GRIDS >= 0.8


@pytest.mark.slow
def test_calibration_alone_is_seldom_said_to_last_after_scaling():
    heat = {"none": 6.0, "contrast": 6.0}
    every = [about(answer, "bright") for answer in answers(Crossed(), heat=heat, val=300)]
    before = sum("has a larger area than “none”" in said and "only after" not in said for said in every) / GRIDS
    after = sum("also after" in said or "only after" in said for said in every) / GRIDS
    print(f"before scaling: {before:.3f}; after: {after:.3f} of {MOST:.3f}")
    assert before >= 0.8
    assert after <= MOST
