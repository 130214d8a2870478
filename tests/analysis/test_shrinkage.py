"""What the best of several can expect: right on average where truths are drawn, and nothing where nothing is there."""

import numpy as np
import pytest

from ablation.analysis.shrinkage import shrunk
from ablation.core.seeds import stream


def best_of(count: int, spread: float, error: float, name: str) -> np.ndarray:
    """(3000, 3): what the best of so many recipes showed, what is expected of it, and what is true of it."""
    random, told = stream(0, "shrinkage", name, count), []
    for _ in range(3000):
        truth = spread * random.standard_normal(count)
        shown = truth + error * random.standard_normal(count)
        best = int(shown.argmax())
        told.append((shown[best], shrunk(shown, [error] * count)[best], truth[best]))
    return np.array(told)


def test_of_the_best_of_30_it_is_right_on_average():
    """What was shown is too much by a half, as the best of 30 is two standard deviations of luck as well."""
    shown, expected, truth = best_of(30, spread=0.01, error=0.01, name="drawn").mean(axis=0)
    assert shown > 1.8 * truth
    assert expected == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("spread", [0.005, 0.02])
def test_more_is_kept_where_recipes_differ_more(spread):
    shown, expected, truth = best_of(30, spread, error=0.01, name=str(spread)).mean(axis=0)
    assert expected == pytest.approx(truth, abs=0.001)
    assert expected / shown == pytest.approx(spread**2 / (spread**2 + 0.01**2), abs=0.06)


def test_where_nothing_is_there_next_to_nothing_is_expected():
    shown, expected, _ = best_of(30, spread=0.0, error=0.01, name="nothing").mean(axis=0)
    assert shown > 0.019
    assert expected < 0.002
    assert shrunk([0.01, -0.01, 0.005], [0.02] * 3).tolist() == [0, 0, 0], "less than luck alone would show"
    assert shrunk([0.0, 0.0], [0.0, 0.0]).tolist() == [0, 0]


def test_what_is_certain_is_kept_whole_and_order_stays():
    assert shrunk([0.3, -0.1], [0.0, 0.0]).tolist() == [0.3, -0.1]
    shown = stream(0, "order").normal(0, 0.02, 12)
    expected = shrunk(shown, [0.01] * 12)
    assert np.argsort(expected).tolist() == np.argsort(shown).tolist()
    assert (np.abs(expected) < np.abs(shown)).all()
    assert (np.sign(expected) == np.sign(shown)).all()
