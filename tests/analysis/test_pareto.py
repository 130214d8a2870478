"""The Pareto front, against a plain program of its definition."""

import numpy as np
import pytest

from ablation.analysis.pareto import pareto_front
from ablation.core.seeds import stream


def plain(cost, gain):
    front = []
    for c, g in zip(cost, gain, strict=True):
        beaten = False
        for other_c, other_g in zip(cost, gain, strict=True):
            if other_c <= c and other_g >= g and (other_c < c or other_g > g):
                beaten = True
        front.append(not beaten)
    return front


@pytest.mark.parametrize("draw", range(20))
def test_it_is_what_its_definition_says(draw):
    random = stream(draw, "pareto")
    cost, gain = random.integers(0, 6, 12) / 6, random.integers(0, 6, 12) / 6  # with ties
    assert pareto_front(cost, gain).tolist() == plain(cost, gain)


def test_equal_points_are_both_on_it():
    assert pareto_front([1, 1, 2], [1, 1, 1]).tolist() == [True, True, False]


def test_what_is_not_known_is_on_no_front_and_beats_nothing():
    assert pareto_front([np.nan, 2.0], [9.0, 1.0]).tolist() == [False, True]
    assert pareto_front([], []).tolist() == []
