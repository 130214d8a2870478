"""How often the section on robustness claims something, where nothing differs, where all is better, where one is."""

import math
from collections.abc import Iterator

import pytest
from made_robustness import Gain, World, every, everywhere, nothing, rotation, study_of

from ablation.analysis.comparison import Crossed, Paired, Test
from ablation.core.text import bare
from ablation.report.sections.robustness.section import robustness

GRIDS = 100
MOST = 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / GRIDS)
"""alpha and 2.5 standard errors of a share of so many experiments."""


def answers(gain: Gain, test: Test, harder: float = 1.0, images: int = 200) -> Iterator[tuple[str, ...]]:
    """Of made-up experiments: other images, seeds and luck in each. Half of the images are changed."""
    for draw in range(GRIDS):
        world = World(gain, lambda cell: every(("rotation", "noise")), images, draw, harder)
        section = robustness(study_of(world, test=test))
        assert section is not None
        yield tuple(map(bare, section.answer))


def claims(said: str) -> bool:
    return any(words in said for words in (" does better ", " does worse ", " robust to "))


@pytest.mark.slow
@pytest.mark.parametrize("test", [Crossed(), Paired()], ids=lambda test: type(test).__name__)
def test_equal_recipes_are_seldom_said_to_change_anything(test):
    found = sum(any(map(claims, answer)) for answer in answers(nothing, test)) / GRIDS
    print(f"{type(test).__name__}: {found:.3f} of {MOST:.3f}")
    assert found <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("test", [Crossed(), Paired()], ids=lambda test: type(test).__name__)
def test_a_recipe_that_is_better_everywhere_is_seldom_said_to_be_robust(test):
    every_answer = list(answers(everywhere, test, harder=0.0, images=600))
    better = sum(any(map(claims, answer)) for answer in every_answer) / GRIDS
    robust = sum(any(" robust to " in said for said in answer) for answer in every_answer) / GRIDS
    print(f"{type(test).__name__}: better {better:.3f}; robust {robust:.3f} of {MOST:.3f}")
    assert better >= 0.8
    assert robust <= MOST


@pytest.mark.slow
def test_an_invariance_is_found():
    found = [
        any(said.startswith("bright makes the network more robust to rotation") for said in answer)
        for answer in answers(rotation, Crossed())
    ]
    print(f"found: {sum(found) / GRIDS:.3f}")
    assert sum(found) / GRIDS >= 0.8
