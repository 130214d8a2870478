"""Class weights and balanced sampling in training: a loss of one scale, own draws, and the same bits after a kill."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import SGD, Brightness, CutMix, Fixed, ImageFolder, InputError, MixUp, RandomResizedCrop
from ablation.augment.draws import draw
from ablation.data import build, listing
from ablation.experiment.runs import Run
from ablation.models.networks import build as build_network
from ablation.training.sampling import sample
from ablation.training.setup import Setup
from ablation.training.step import Passes

pytestmark = pytest.mark.usefixtures("settled")

COUNTS = {"birman": 60, "persian": 12, "sphynx": 24}


@pytest.fixture(scope="module")
def unequal(small, tmp_path_factory):
    """One run on 96 small pictures of three classes, 5 : 1 : 2, which differ in their brightness."""
    root, rng = tmp_path_factory.mktemp("unequal"), np.random.default_rng(0)
    for label, (name, count) in enumerate(COUNTS.items()):
        (root / name).mkdir()
        for number in range(count):
            pixels = rng.normal(70 + 50 * label, 60, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    split = Fixed(train=0.5, val=0.25, test=0.25, together="nothing")
    return replace(small, name="unequal", data=ImageFolder(root), split=split, batch_size=16, epochs=2)


def loss_of(targets, smoothing=0.0, weight=None, precision=nullcontext):
    """The loss and the logits of a pass of three classes."""
    images = torch.randn(len(targets), 3, 8, 8, generator=torch.Generator().manual_seed(1))
    model = build_network("shallow_cnn", 3, 0.0, 0, image_size=8)
    weight = None if weight is None else torch.tensor(weight)
    return Passes(model, precision, len(targets), smoothing, weight=weight)(images, targets)


WEIGHT = [0.3, 2.0, 1.1]
LABELS = torch.tensor([0, 2, 1, 1, 0, 0, 2, 0, 1, 0])
MIXED = torch.rand(10, 3, generator=torch.Generator().manual_seed(2)).softmax(dim=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_labels_is_torchs(smoothing):
    loss, logits = loss_of(LABELS, smoothing, WEIGHT)
    expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHT), label_smoothing=smoothing)(logits, LABELS)
    assert torch.equal(loss, expected)
    assert not torch.isclose(loss_of(LABELS, smoothing)[0], loss)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_mixed_labels_is_an_average_by_weight(smoothing):
    loss, logits = loss_of(MIXED, smoothing, WEIGHT)
    shares = np.exp(logits.double().numpy())
    shares /= shares.sum(axis=1, keepdims=True)
    total, weights = 0.0, 0.0
    for image, target in enumerate(MIXED.double().numpy()):
        for label, weight in enumerate(WEIGHT):
            smoothed = (1 - smoothing) * target[label] + smoothing / 3
            total -= weight * smoothed * np.log(shares[image, label])
            weights += weight * target[label]
    assert loss.item() == pytest.approx(total / weights, rel=1e-5)
    assert loss.item() != pytest.approx(total / len(MIXED), rel=1e-2), "as torch divides"


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("scale", [0.01, 10.0])
@pytest.mark.parametrize("targets", [LABELS, MIXED], ids=["labels", "mixed labels"])
def test_equal_weights_change_no_loss(targets, scale, smoothing):
    loss, _ = loss_of(targets, smoothing, [scale] * 3)
    torch.testing.assert_close(loss, loss_of(targets, smoothing)[0])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_label_weighs_as_much_where_nothing_is_mixed(smoothing):
    certain = torch.nn.functional.one_hot(LABELS, 3).float()
    torch.testing.assert_close(loss_of(certain, smoothing, WEIGHT)[0], loss_of(LABELS, smoothing, WEIGHT)[0])


def test_weights_are_summed_in_full_precision():
    """Within autocast; the logits are those of it, so the network's own rounding takes no part."""
    half = partial(torch.autocast, "cpu", torch.bfloat16)
    loss, logits = loss_of(MIXED, 0.0, WEIGHT, half)
    weighted = MIXED.double() * torch.tensor(WEIGHT).double()
    expected = -(weighted * logits.double().log_softmax(dim=1)).sum() / weighted.sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("targets", [LABELS, MIXED], ids=["labels", "mixed labels"])
def test_without_weights_the_loss_has_torchs_bits(targets, smoothing):
    loss, logits = loss_of(targets, smoothing)
    assert torch.equal(loss, torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, targets))


def setup_of(experiment, cache, folder):
    data = listing(experiment.data, cache)
    spec = experiment.cells(data.digest)[0].spec
    return Setup.of(Run(folder, spec), build(data, spec.cache_size, cache), torch.device("cpu"), cache)


def test_balanced_weights_are_of_the_training_part(unequal, cache, tmp_path):
    setup = setup_of(replace(unequal, class_weights="balanced"), cache, tmp_path)
    counts = np.bincount(setup.data.labels[setup.parts.train])
    assert counts.tolist() == [30, 6, 12]
    assert setup.passes.weight.tolist() == pytest.approx([48 / 90, 48 / 18, 48 / 36])
    given = setup_of(replace(unequal, class_weights={"sphynx": 3, "birman": 1, "persian": 2}), cache, tmp_path)
    assert given.passes.weight.tolist() == [1.0, 2.0, 3.0]
    assert setup_of(unequal, cache, tmp_path).passes.weight is None


def test_weights_for_other_classes_are_refused_before_training(unequal, cache, tmp_path):
    with pytest.raises(InputError, match="class_weights has 2 numbers, and the data 3 classes"):
        setup_of(replace(unequal, class_weights=(1.0, 2.0)), cache, tmp_path)


CHOICES = {
    "weights": {"class_weights": "balanced"},
    "given weights": {"class_weights": (1.0, 5.0, 2.5), "label_smoothing": 0.1},
    "sampling": {"sampling": "balanced"},
    "sampling with a recipe": {"sampling": "balanced", "recipes": {"none": (RandomResizedCrop(), Brightness(0.3))}},
    "sampling with mixing": {"sampling": "balanced", "recipes": {"none": (Brightness(0.3), MixUp(0.4))}},
    "all": {"sampling": "balanced", "class_weights": "balanced", "patience": 9, "recipes": {"none": (CutMix(1.0),)}},
}


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_each_acts_and_a_run_that_is_killed_ends_with_the_same_bits(choice, unequal, trained, tmp_path):
    plain = replace(unequal, recipes=choice.get("recipes", unequal.recipes))
    experiment = replace(unequal, **choice)
    (_, _, before), (_, record, arrays) = trained(plain), trained(experiment)
    assert record.outcome == "finished"
    assert not record.notes
    assert not np.array_equal(before.logits, arrays.logits)

    def stop(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(experiment, tmp_path / "killed", report=stop)
    _, again, others = trained(experiment, tmp_path / "killed")
    assert again.digest(others) == record.digest(arrays)


def test_equal_weights_train_as_none_do_with_mixing_too(unequal, trained):
    mixed = replace(unequal, recipes={"none": (MixUp(),)})
    (_, none, _), (_, ten, _) = trained(mixed), trained(replace(mixed, class_weights=(10.0,) * 3))
    for one, other in zip(none.history, ten.history, strict=True):
        assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-3)
        assert other["val_loss"] == pytest.approx(one["val_loss"], rel=1e-3)


def test_the_small_class_is_found_more_probable(unequal, trained):
    """Of 48 training images 6 are of it: shares of 1/8 become shares of 1/3, if pictures told nothing."""
    experiment = replace(unequal, epochs=5, optimizers={"sgd": SGD(lr=0.05)})

    def share(**choice):
        logits = torch.from_numpy(trained(replace(experiment, **choice))[2].logits)
        return float(logits.softmax(dim=1)[:, 1].mean())

    alone = share()
    assert share(class_weights="balanced") > 1.05 * alone
    assert share(sampling="balanced") > 1.05 * alone
    assert share(class_weights=(1.0, 0.1, 1.0)) < alone


def test_all_arms_of_a_seed_have_the_same_sampling(unequal, cache, tmp_path):
    balanced = replace(unequal, sampling="balanced")
    arms = [balanced, replace(balanced, recipes={"none": (Brightness(0.2),)}, optimizers={"sgd": SGD(0.1)})]
    orders = [sample(setup_of(arm, cache, tmp_path), 3).order.tolist() for arm in arms]
    assert orders[0] == orders[1]
    assert orders[0] != sample(setup_of(replace(balanced, seeds=(1,)), cache, tmp_path), 3).order.tolist()


def test_each_occurrence_has_draws_of_its_own_and_the_first_those_of_an_ordinary_epoch(unequal, cache, tmp_path):
    recipe = (Brightness(0.5),)
    setup = setup_of(replace(unequal, sampling="balanced", recipes={"none": recipe}), cache, tmp_path)
    images, sampled = len(setup.data.labels), sample(setup, 0)
    view = sampled.clean.augmented(recipe, 0, 0, setup.data.aspect, sampled.trained)
    ordinary = setup.clean.augmented(recipe, 0, 0, setup.data.aspect, setup.parts.train)
    row = int(sampled.trained[sampled.trained >= images][0] % images)
    first, second = view.pictures(np.array([row, row + images]))
    assert torch.equal(first, ordinary.pictures(np.array([row]))[0])
    assert not torch.equal(first, second)
    assert (
        sampled.labels[torch.from_numpy(sampled.order)] == setup.labels[torch.from_numpy(sampled.order % images)]
    ).all()


def test_without_a_further_occurrence_draws_are_those_of_before():
    aspect = np.ones(20, np.float32)
    recipe, rows = (RandomResizedCrop(), Brightness(0.5), MixUp(0.3)), np.array([2, 5, 19])
    some, more = draw(recipe, 1, 2, aspect, 8, rows), draw(recipe, 1, 2, aspect, 8, np.array([2, 5, 19, 25]))
    for one, other in zip(some.parts, more.parts, strict=True):
        for name, values in one.parameters.items():
            assert np.array_equal(values, other.parameters[name][:3])
            assert not np.array_equal(other.parameters[name][1], other.parameters[name][3]), "25 is 5 again"


@pytest.mark.parametrize("recipe", [(Brightness(0),), (RandomResizedCrop(scale=(1, 1), ratio=(1, 1)), Brightness(0))])
def test_a_recipe_of_strength_zero_is_the_baseline_to_the_last_bit(recipe, unequal, trained):
    balanced = replace(unequal, sampling="balanced")
    (_, _, one), (_, _, other) = trained(balanced), trained(replace(balanced, recipes={"none": recipe}))
    assert np.array_equal(one.logits, other.logits)
