"""What a worker keeps: unchanged images are rendered once, with and without room for them the answers are the same."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from ablation import Brightness, Digits
from ablation.core.kept import Kept
from ablation.data import build as cached
from ablation.data import listing
from ablation.models.networks import build
from ablation.training import view
from ablation.training.view import View, predict


@pytest.fixture
def dataset(cache):
    return cached(listing(Digits(), cache), 8, cache)


def test_unchanged_images_are_rendered_once_and_changed_ones_each_time(dataset, monkeypatch):
    monkeypatch.setattr(view, "KEPT", Kept(10**7))
    rendered, render = [], View.pictures

    def counted(self, rows):
        rendered.append(len(rows))
        return render(self, rows)

    monkeypatch.setattr(View, "pictures", counted)
    data, rows = dataset, np.arange(7)
    cpu, zero, one = torch.device("cpu"), np.zeros(3), np.ones(3)
    for mean in (zero, one):  # a run normalises by its own training part, and the pictures are the same
        clean = View.clean(data, cpu, 8, mean, one)
        torch.testing.assert_close(clean.kept(rows), render(clean, rows), rtol=0, atol=0)
    assert rendered == [7]
    assert clean.augmented((Brightness(0.0),), 0, 0, data.aspect, rows).kept(rows) is None
    assert clean.of_pixels(lambda rows: torch.zeros(len(rows), 3, 8, 8)).kept(rows) is None
    assert View.clean(data, cpu, 4, zero, one).kept(rows).shape == (7, 3, 4, 4)


def test_without_room_the_answers_are_the_same(dataset, monkeypatch):
    clean = View.clean(dataset, torch.device("cpu"), 8, np.zeros(3), np.ones(3))
    model, answers = build("shallow_cnn", 10), []
    for room in (0, 10**7):
        monkeypatch.setattr(view, "KEPT", Kept(room))
        answers.append(predict(model, clean, np.arange(50), 16, nullcontext))
    for bare, kept in zip(*answers, strict=True):
        assert bare.tobytes() == kept.tobytes()
