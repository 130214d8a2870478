"""The preview shows what training sees: the same pictures, in words and pixels, before anything is trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import Brightness, DataError, InputError, RandomHorizontalFlip
from ablation.augment import CutMix, MixUp
from ablation.data import build, listing
from ablation.experiment.runs import runs_of
from ablation.training.loop import train
from ablation.training.preview import DRAWS, previews
from ablation.training.view import View

CPU = torch.device("cpu")


@pytest.fixture
def many(tiny):
    recipes = {
        "none": (),
        "flip": (RandomHorizontalFlip(),),
        "brighter": (Brightness((1.5, 1.5)),),
        "mixed": (MixUp(),),
        "cut": (RandomHorizontalFlip(), CutMix()),
    }
    return replace(tiny, name="many", recipes=recipes, image_size=16, cache_size=16)


def first(experiment, cache):
    """The data, and the first row that the first run trains on."""
    data = build(listing(experiment.data, cache), 16, cache)
    spec = experiment.cells("")[0].spec
    trained = spec.parts(data).train
    return data, trained, int(trained[0])


def test_every_recipe_shows_the_same_photograph_as_it_was_drawn(many, cache):
    shown = previews(many, cache)
    data, trained, row = first(many, cache)
    assert list(shown.previews) == list(many.recipes)
    assert (shown.name, shown.seed) == (data.names[row], 0)
    clean = View.clean(data, CPU, 16, np.zeros(3), np.ones(3))
    for name, told in shown.previews.items():
        np.testing.assert_array_equal(told.original, np.asarray(data.images[row]).transpose(1, 2, 0))
        assert told.draws.shape == (DRAWS, 16, 16, 3)
        assert told.draws.dtype == np.uint8
        assert len(told.captions) == DRAWS
        for epoch, seen in enumerate(told.draws):
            view = clean.augmented(many.recipes[name], 0, epoch, data.aspect, trained)
            batch = view.pictures(np.array([trained[-1], row, trained[-2]]))  # whatever lies beside it
            np.testing.assert_array_equal(seen, (batch[1] * 255).round().byte().permute(1, 2, 0).numpy())


def test_captions_say_what_the_pictures_show(many, cache):
    told = previews(many, cache).previews
    original = told["none"].original
    assert (told["none"].draws == original).all()
    assert set(told["none"].captions) == {"unchanged"}
    assert set(told["brighter"].captions) == {"brightness × 1.50"}
    assert set(told["flip"].captions) == {"unchanged", "flipped left to right"}
    for seen, caption in zip(told["flip"].draws, told["flip"].captions, strict=True):
        np.testing.assert_array_equal(seen, original if caption == "unchanged" else original[:, ::-1])
    for caption in told["mixed"].captions:
        assert caption.endswith(" % of another image")
    flipped = [caption.startswith("flipped") for caption in told["cut"].captions]
    assert flipped == [caption.startswith("flipped") for caption in told["flip"].captions]


def test_a_run_keeps_what_the_preview_showed(many, cache, tmp_path):
    shown = previews(many, cache, ["mixed"]).previews["mixed"]
    one = replace(many, recipes={"none": many.recipes["mixed"]}, epochs=1, seeds=1)
    data = first(one, cache)[0]
    run = runs_of(one.cells(data.digest), tmp_path)[0]
    run.prepare()
    record, arrays = train(run, data, CPU)
    np.testing.assert_array_equal(arrays.original, shown.original)
    np.testing.assert_array_equal(arrays.draws, shown.draws)
    assert record.evidence["captions"] == list(shown.captions)


def test_a_photograph_of_ones_own_takes_the_first_ones_place_and_draws(many, cache, tmp_path):
    tall = np.zeros((40, 20, 3), np.uint8)
    tall[10:30] = (200, 100, 50)  # the central square
    Image.fromarray(tall).save(tmp_path / "tall.png")
    shown, own = previews(many, cache), previews(many, cache, image=tmp_path / "tall.png")
    assert own.name == "tall.png"
    assert np.abs(own.previews["none"].original[4:-4].astype(int) - (200, 100, 50)).max() <= 1
    assert own.previews["flip"].captions == shown.previews["flip"].captions
    assert own.previews["mixed"].captions == shown.previews["mixed"].captions
    weight = 1 - np.array([float(caption.split(" %")[0]) for caption in own.previews["mixed"].captions]) / 100
    _, trained, row = first(many, cache)
    assert row in trained
    for seen, other, share in zip(own.previews["mixed"].draws, shown.previews["mixed"].draws, weight, strict=True):
        changed = own.previews["none"].original.astype(float) - shown.previews["none"].original
        np.testing.assert_allclose(seen.astype(float) - other, share * changed, atol=3)  # the partner is the same


def test_recipes_are_those_named_in_that_order(many, cache):
    assert list(previews(many, cache, ["cut", "none", "cut"]).previews) == ["cut", "none"]
    with pytest.raises(InputError) as caught:
        previews(many, cache, ["fip", "none", "cutt"])
    told = [str(problem) for problem in caught.value.problems]
    assert told == [
        "many has no recipe 'fip'; did you mean 'flip'? (none, flip, brighter, mixed, cut)",
        "many has no recipe 'cutt'; did you mean 'cut'? (none, flip, brighter, mixed, cut)",
    ]


def test_a_photograph_that_cannot_be_read_is_named(many, cache, tmp_path):
    with pytest.raises(DataError, match=r"absent\.jpg: cannot be read: No such file"):
        previews(many, cache, image=tmp_path / "absent.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(DataError, match=r"empty\.jpg: cannot be decoded: the file is empty"):
        previews(many, cache, image=tmp_path / "empty.jpg")


def test_of_several_image_sizes_the_first_is_shown(many, cache):
    varied = replace(many, vary={"image_size": (8, 16)})
    assert previews(varied, cache, ["flip"]).previews["flip"].original.shape == (8, 8, 3)
