"""MixUp and CutMix: pictures as torchvision mixes them, and labels by the share of their pixels."""

import numpy as np
import pytest
import torch
from catalogue import frames_of, pictures, uniforms_for
from torchvision.transforms import v2

from ablation.augment import Brightness, CutMix, MixUp, OneOf, Sometimes, Strength
from ablation.augment.draws import draw
from ablation.augment.operations.mix import Mixing, misplaced
from ablation.core.seeds import stream

COUNT, SIDE = 200, 48
MIXES = [MixUp(), MixUp(0.2), CutMix(), CutMix(0.3)]


def tensors(drawn: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in drawn.items()}


@pytest.mark.parametrize("operation", MIXES, ids=str)
def test_pictures_are_mixed_as_torchvision_mixes_them(operation):
    """It pairs each picture with the one before it; here the partner is handed over."""
    images = pictures(SIDE, SIDE, COUNT)
    drawn = operation.draw(uniforms_for(operation, COUNT), frames_of(images))
    mixed = operation.mix(images, images.roll(1, 0), tensors(drawn))
    theirs = getattr(v2, type(operation).__name__)(num_classes=2)
    for place in range(COUNT):
        pair = images[[place, place - 1]]
        weight = float(drawn["weight"][place])
        params = {"labels": None, "batch_size": 2, "lam": weight}
        if "box" in drawn:
            params["box"] = [int(side) for side in np.round(drawn["box"][place] * np.float32(SIDE))]
        expected = theirs.transform(pair, params)[0]
        assert (mixed[place] - expected).abs().max() <= 0.0001 / 255


@pytest.mark.parametrize("side", [32, 48, 96])
@pytest.mark.parametrize("operation", [CutMix(), CutMix(0.3)], ids=str)
def test_cutmixs_weight_is_the_share_of_own_pixels(operation, side):
    drawn = operation.draw(uniforms_for(operation, COUNT), np.full((COUNT, 2), float(side)))
    own, partner = torch.ones(COUNT, 3, side, side), torch.zeros(COUNT, 3, side, side)
    share = operation.mix(own, partner, tensors(drawn)).mean(dim=(1, 2, 3), dtype=torch.float64)
    assert drawn["weight"] == pytest.approx(share.numpy(), abs=1e-6)


@pytest.mark.parametrize("operation", MIXES, ids=str)
def test_weights_lie_between_0_and_1(operation):
    weight = operation.draw(uniforms_for(operation, 10_000), np.full((10_000, 2), 33.0))["weight"]
    assert weight.dtype == np.float32
    assert weight.min() >= 0
    assert weight.max() <= 1
    assert weight.std() > 0.1


def test_what_is_mixed_at_the_image_size_has_its_share_after_every_frame():
    """Pictures of any proportions reach the mixing as squares of the image size: some crop frames them."""
    recipe, aspect = (CutMix(),), np.geomspace(0.5, 2, COUNT).astype(np.float32)
    ((part,),) = draw(recipe, 0, 0, aspect, 40).operations
    assert (part.frame == 40).all()


def mixing_of(*recipe, trained=None, seed=0, count=COUNT) -> Mixing:
    trained = np.arange(count) if trained is None else trained
    found = Mixing.of(draw(recipe, seed, 0, np.ones(count), 32), trained)
    assert found is not None
    return found


@pytest.mark.parametrize("operation", MIXES, ids=str)
def test_targets_sum_to_one_and_are_the_share_of_own_and_partners_pixels(operation):
    labels = torch.from_numpy(stream(0, "labels").integers(0, 5, COUNT))
    mixing, rows = mixing_of(operation), stream(0, "rows").permutation(COUNT)[:60]
    targets = mixing.targets(labels, rows, rows, 5)
    assert targets.dtype == torch.float32
    assert targets.shape == (60, 5)
    assert targets.sum(dim=1) == pytest.approx(1, abs=1e-6)
    assert targets.min() >= 0
    own, partner = torch.ones(60, 3, 32, 32), torch.zeros(60, 3, 32, 32)
    share = mixing.pictures(own, partner, rows).mean(dim=(1, 2, 3), dtype=torch.float64)
    expected = torch.zeros(60, 5, dtype=torch.float64)
    for place, row in enumerate(rows):
        expected[place, labels[row]] += share[place]
        expected[place, labels[mixing.partner[row]]] += 1 - share[place]
    assert targets.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_partners_are_among_those_trained_on_and_evenly_so():
    trained = np.arange(0, COUNT, 2)
    mixing = mixing_of(MixUp(), trained=trained)
    assert np.isin(mixing.partner, trained).all()
    many = mixing_of(MixUp(), trained=np.arange(10), count=20_000)
    counts = np.bincount(many.partner, minlength=10)
    assert (abs(counts - 2000) < 5 * np.sqrt(2000)).all()


def test_a_sample_is_mixed_alike_in_every_batch():
    mixing, images = mixing_of(CutMix()), pictures(32, 32, COUNT)
    partners = images[torch.from_numpy(mixing.partner)]
    whole = mixing.pictures(images, partners, np.arange(COUNT))
    rows = stream(0, "rows").permutation(COUNT)[:31]
    assert torch.equal(mixing.pictures(images[rows], partners[rows], rows), whole[rows])
    assert not torch.equal(whole, images)


def test_one_of_two_mixes_and_none_for_the_rest():
    images = pictures(32, 32, COUNT)
    partners = images.roll(1, 0)
    mixing = mixing_of(Sometimes(OneOf((MixUp(), CutMix())), 0.6))
    mixed = mixing.pictures(images, partners, np.arange(COUNT))
    assert [type(part.operation) for part in mixing.parts] == [MixUp, CutMix]
    up, cut = (part.applies for part in mixing.parts)
    assert not (up & cut).any()
    assert 0.4 < (up | cut).mean() < 0.8
    left = ~(up | cut)
    assert torch.equal(mixed[left], images[left])
    assert (mixing.weight[left] == 1).all()
    assert (mixing.partner[left] == np.arange(COUNT)[left]).all()


def test_a_recipe_without_mixing_has_none():
    assert Mixing.of(draw((Brightness(0.4),), 0, 0, np.ones(3), 8), np.arange(3)) is None
    assert Mixing.of(draw((Sometimes(MixUp(), 0),), 0, 0, np.ones(3), 8), np.arange(3)) is None
    assert Mixing.of(draw((Strength((MixUp(),), 0),), 0, 0, np.ones(3), 8), np.arange(3)) is None


PLACES = {
    "nothing": ((), True),
    "alone": ((MixUp(),), True),
    "last": ((Brightness(0.4), CutMix()), True),
    "sometimes": ((Brightness(0.4), Sometimes(CutMix())), True),
    "one of both": ((Brightness(0.4), OneOf((CutMix(), MixUp()))), True),
    "at a strength": ((Strength((Brightness(0.4), CutMix()), 0.5),), True),
    "first": ((MixUp(), Brightness(0.4)), False),
    "twice": ((MixUp(), CutMix()), False),
    "one of it and another": ((OneOf((MixUp(), Brightness(0.4))),), False),
    "first, at a strength": ((Strength((MixUp(), Brightness(0.4)), 0.5),), False),
    "sometimes first": ((Sometimes(MixUp()), Brightness(0.4)), False),
}


@pytest.mark.parametrize(("recipe", "right"), PLACES.values(), ids=PLACES)
def test_mixing_comes_last_and_once(recipe, right):
    assert (misplaced(recipe) == "") == right
