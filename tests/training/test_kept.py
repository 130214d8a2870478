"""What a worker keeps: within its room, the least recently used goes first, and unchanged images are rendered once."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from ablation import Brightness, Digits
from ablation.data import build as cached
from ablation.data import listing
from ablation.models.networks import build
from ablation.training import view
from ablation.training.kept import Kept
from ablation.training.view import View, predict


def numbers(count):
    """A tensor of so many bytes."""
    return torch.zeros(count, dtype=torch.uint8)


@pytest.fixture
def dataset(cache):
    return cached(listing(Digits(), cache), 8, cache)


def fails():
    raise AssertionError("it was kept, and is made again")


def test_what_is_kept_is_made_once():
    kept = Kept(10)
    first = kept.get("a", lambda: numbers(4))
    assert kept.get("a", fails) is first


def test_what_was_used_longest_ago_makes_room():
    kept = Kept(10)
    for key in "ab":
        kept.get(key, lambda: numbers(4))
    kept.get("a", fails)
    kept.get("c", lambda: numbers(4))
    assert kept.size() == 8
    kept.get("a", fails)
    again = []
    kept.get("b", lambda: again.append(1) or numbers(4))
    assert again, "b was pushed out"


def test_more_than_half_of_the_room_is_not_worth_keeping():
    assert Kept(10).fits(5)
    assert not Kept(10).fits(6)


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
