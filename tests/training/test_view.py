"""How images reach a network: an epoch's draws are made for the rows that are trained on, and for no other."""

import numpy as np
import pytest
import torch

from ablation import Brightness, CutMix, Digits, MixUp, RandomAffine, Sometimes
from ablation.augment.draws import draw
from ablation.data import build, listing
from ablation.training.view import View

TRAINED = np.arange(5, 1700, 17)
LABELS = torch.arange(1797) % 10


@pytest.fixture
def clean(cache):
    data = build(listing(Digits(), cache), 8, cache)
    return View.clean(data, torch.device("cpu"), 8, np.zeros(3), np.ones(3))


@pytest.mark.parametrize("mixing", [MixUp(), CutMix(), Sometimes(MixUp(), 0.5), Sometimes(CutMix(), 0.001)], ids=str)
def test_they_are_the_draws_that_all_rows_would_have(clean, mixing):
    """Also where another image of the data set is mixed, and none of these: their targets stay probabilities."""
    aspect = np.ones(1797)
    recipe, rows = (RandomAffine(20), Brightness(0.4), mixing), TRAINED[::-3].copy()
    some = clean.augmented(recipe, 3, 2, aspect, TRAINED)
    all_of_them = clean.through(draw(recipe, 3, 2, aspect, 8), TRAINED)
    assert torch.equal(some.pictures(rows), all_of_them.pictures(rows))
    targets = some.targets(LABELS, rows, 10)
    assert targets.shape == (len(rows), 10)
    assert torch.equal(targets, all_of_them.targets(LABELS, rows, 10))


def test_rows_that_it_was_not_drawn_for_are_refused(clean):
    view = clean.augmented((Brightness(0.4),), 0, 0, np.ones(1797), TRAINED)
    for rows in (np.array([6]), np.array([1796]), np.array([5, 4])):
        with pytest.raises(ValueError, match="drawn for other rows"):
            view.pictures(rows)
