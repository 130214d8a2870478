"""The sentinel: each operation's change as it can be computed by hand, and a flag on what changed nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ablation import Brightness, RandomGrayscale, RandomHorizontalFlip, RandomInvert, Resize, Results, sweep
from ablation.augment.chain import chain
from ablation.augment.draws import draw
from ablation.core.text import named
from ablation.evidence.study import Study, compare
from ablation.experiment.record import RunRecord, idle_operations
from ablation.training.sentinel import Sentinel
from ablation.training.view import View

ROWS = np.arange(40)
ASPECT = np.ones(40, np.float32)


@pytest.fixture
def clean() -> View:
    """40 pictures of 12 pixels that have one level each, from black to white."""
    levels = torch.linspace(0, 255, 40).round().to(torch.uint8).view(40, 1, 1, 1).expand(40, 3, 12, 12)
    steps = chain(draw((), 0, 0, ASPECT, 12))
    return View(lambda rows: levels[torch.from_numpy(rows)], steps, 12, np.zeros(3), np.ones(3))


def watched(clean: View, recipe) -> list[dict]:
    """What the sentinel reports of an epoch in batches of 16."""
    sentinel = Sentinel(clean, SimpleNamespace(recipe=recipe, seed=0), ASPECT, ROWS)
    view = clean.augmented(recipe, 0, 0, ASPECT, ROWS)
    for start in range(0, 40, 16):
        sentinel.observe(ROWS[start : start + 16], view.pictures(ROWS[start : start + 16]))
    return sentinel.changes()


def test_a_negative_changes_each_pixel_by_its_distance_from_its_mirror(clean):
    (told,) = watched(clean, (RandomInvert(p=1.0),))
    levels = clean.pixels(ROWS)[:, 0, 0, 0].double() / 255
    assert told["operation"] == "RandomInvert"
    assert told["mean_change"] == pytest.approx(float((1 - 2 * levels).abs().mean()), abs=1e-6)
    assert told["share_changed"] == 1.0


def test_each_operation_is_compared_with_the_recipe_before_it(clean):
    first, second, third = watched(clean, (RandomInvert(p=1.0), RandomHorizontalFlip(p=1.0), RandomInvert(p=1.0)))
    assert (second["mean_change"], second["share_changed"]) == (0.0, 0.0), "a plain picture has no left and right"
    assert third["mean_change"] == pytest.approx(first["mean_change"], abs=1e-6)


def test_the_share_is_that_of_the_coin(clean):
    drawn = draw((RandomInvert(p=0.3),), 0, 0, ASPECT, 12)
    (told,) = watched(clean, (RandomInvert(p=0.3),))
    assert told["share_changed"] == drawn.operations[0][0].applies.mean()
    assert 0 < told["share_changed"] < 1


def test_what_only_rounds_changed_nothing(clean):
    (told,) = watched(clean, (RandomGrayscale(p=1.0),))
    assert told["share_changed"] == 0.0
    assert 0 < told["mean_change"] < 1e-4, "grey of grey differs in the fifth digit"


def test_a_recipe_without_operations_tells_nothing(clean):
    assert watched(clean, ()) == []


def test_idle_are_those_that_changed_no_image_but_resize():
    changes = [
        {"operation": name, "mean_change": 0.0, "share_changed": share}
        for name, share in (("Resize", 0.0), ("Hue", 0.0), ("Brightness", 0.1))
    ]
    record = RunRecord("id", "finished", (), {}, {"changes": changes})
    assert idle_operations(record) == ["Hue"]
    assert idle_operations(replace(record, evidence={})) == []


def test_an_operation_that_does_nothing_is_flagged_wherever_results_are_shown(inside, small, tmp_path, cache):
    recipes = {"none": (), "grey": (Resize(8), RandomGrayscale(p=1.0), Brightness(0.5))}
    experiment = replace(small, recipes=recipes, seeds=(0, 1), epochs=1)
    sweep(experiment, tmp_path, cache, jobs=1)
    results = Results.load(experiment, tmp_path, cache)
    told = f"{named('grey')}: RandomGrayscale changed no picture in the first epoch of 2 of 2 runs."
    assert told in Study(results).warnings
    effects = {effect.recipe: effect for effect in compare(results)}
    assert effects["grey"].flag == "RandomGrayscale changed no picture"
    assert effects["none"].flag == ""
    changes = results.changes()
    assert changes["operation"].tolist() == ["Resize", "RandomGrayscale", "Brightness"]
    assert changes["idle"].tolist() == [False, True, False]
    assert changes["share_changed"].tolist()[2] > 0.9
