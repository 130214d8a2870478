"""How often the section on overfitting claims a change of the gap, where there is none and where there is one."""

import math
from collections.abc import Iterator

import pytest
from made_parts import Gain, World, fits_less, nothing, study_of

from ablation.analysis.comparison import Crossed, Paired, Test
from ablation.core.text import plain
from ablation.evidence.study import Study
from ablation.report.sections.split_analysis.section import split_analysis

GRIDS = 200
MOST = 0.05 + 2 * math.sqrt(0.05 * 0.95 / GRIDS)
"""alpha and 2 standard errors of a share of so many grids."""


def answers(gain: Gain, test: Test, fit: float, mixed: float = 0.0) -> Iterator[tuple[str, ...]]:
    """Of made-up experiments; fit: how much better the training part is guessed, 50 is without an error.

    mixed: how much a recipe's gain differs from test image to test image, which seeds alone take for a change.
    """
    for draw in range(GRIDS):
        study: Study = study_of(World(gain, draw=draw, fit=fit, mixed=mixed, images=80), test=test, seeds=5)
        section = split_analysis(study)
        assert section is not None
        yield section.answer


def claims(said: str) -> bool:
    verbs = ("reduces", "reduce", "widens", "widen")
    return any(f" {verb} the generalization gap " in said for verb in verbs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "fit", "mixed"),
    [(Crossed(), 0.5, 0.7), (Crossed(), 50.0, 0.7), (Paired(), 0.5, 0.0)],
    ids=["crossed", "ceiling", "paired"],
)
def test_equal_gaps_are_seldom_said_to_differ(test, fit, mixed):
    share = sum(any(map(claims, answer)) for answer in answers(nothing, test, fit, mixed)) / GRIDS
    print(f"{type(test).__name__}, fit {fit}: {share:.3f} of {MOST:.3f}")
    assert share <= MOST


@pytest.mark.slow
def test_a_smaller_gap_is_found():
    found = [plain(answer[0]).startswith("“bright” reduces ") for answer in answers(fits_less, Crossed(), 0.5)]
    print(f"found: {sum(found) / GRIDS:.3f}")
    assert sum(found) / GRIDS >= 0.8
