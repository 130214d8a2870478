"""One run from spec to record: repeatable to the last bit, resumable, and honest about divergence."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation import SGD, Brightness, Contrast, RandomHorizontalFlip, RandomResizedCrop
from ablation.analysis.metrics import classification_metrics
from ablation.data import build, listing
from ablation.models.networks import settle
from ablation.record import write_record
from ablation.runs import Run, runs_of
from ablation.train import PICTURES, train

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def settled():
    """As in a worker; what it changes is put back."""
    threads = torch.get_num_threads()
    settle(CPU)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def trained(tmp_path, cache):
    """A function that trains the first run of an experiment in a folder of its own: (run, record, arrays)."""
    made = []

    def first_run(experiment, folder=None, **kwargs):
        data = listing(experiment.data, cache)
        made.append(None)
        run = runs_of(experiment.cells(data.digest), folder or tmp_path / str(len(made)))[0]
        run.prepare()
        return (run, *train(run, build(data, run.spec.cache_size, cache), CPU, **kwargs))

    return first_run


def test_a_run_learns_and_its_record_is_whole(small, trained):
    run, record, arrays = trained(replace(small, epochs=12, optimizers={"sgd": SGD(lr=0.1, momentum=0.9)}))
    assert record.outcome == "finished"
    assert [epoch["epoch"] for epoch in record.history] == list(range(1, 13))
    assert record.history[-1]["train_loss"] < record.history[0]["train_loss"] / 2
    assert record.metrics["accuracy"] > 0.6  # chance is 0.1
    assert record.metrics == classification_metrics(arrays.logits, arrays.label)
    assert arrays.logits.shape == (202, 10)
    assert arrays.features.shape == (202, 128)
    assert arrays.pictures.shape == (PICTURES, 8, 8, 3)
    assert (record.evidence["train_images"], record.evidence["test_images"]) == (100, 202)
    assert record.evidence["parameters"] == 94_762
    assert len(run.journal.events()) == 12


def test_the_same_spec_gives_the_same_bits(tiny, trained):
    (_, first, arrays), (_, second, again) = trained(tiny), trained(tiny)
    assert first.digest(arrays) == second.digest(again)


def test_another_seed_gives_other_bits(small, trained):
    (_, first, arrays), (_, second, other) = trained(small), trained(replace(small, seeds=(1,)))
    assert first.metrics != second.metrics
    assert not np.array_equal(arrays.logits, other.logits)
    assert np.array_equal(arrays.sample, other.sample), "a fixed split is the same for all seeds"


NOTHING = {
    "brightness": (Brightness(0.0),),
    "contrast": (Contrast(0.0),),
    "flip": (RandomHorizontalFlip(p=0.0),),
    "all": (RandomHorizontalFlip(p=0.0), Brightness(0.0), Contrast(0.0)),
}


@pytest.mark.parametrize("recipe", NOTHING.values(), ids=NOTHING)
def test_a_recipe_of_strength_zero_is_the_baseline_to_the_last_bit(recipe, small, trained):
    (_, record, arrays), (_, other, others) = trained(small), trained(replace(small, recipes={"none": recipe}))
    assert record.id != other.id
    assert replace(other, id=record.id).digest(others) == record.digest(arrays)


def test_augmentation_changes_training_pictures_and_never_test_pictures(small, trained):
    (_, record, arrays), (_, other, others) = (
        trained(replace(small, recipes={"none": recipe})) for recipe in ((), (RandomResizedCrop(), Brightness(0.5)))
    )
    assert not np.array_equal(arrays.pictures, others.pictures)
    assert record.evidence["first_test_batch"] == other.evidence["first_test_batch"]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_an_interrupted_run_goes_on_with_the_same_bits(dropout, small, trained, tmp_path):
    experiment = replace(small, epochs=4, dropout=dropout)
    _, record, arrays = trained(experiment)

    def stop_after_two(event):
        if event["epoch"] == 3:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        trained(experiment, folder, tell=stop_after_two)
    told = []
    run, resumed, again = trained(experiment, folder, tell=told.append)
    assert [event["epoch"] for event in told] == [3, 4], "the third epoch had no checkpoint yet"
    assert resumed.digest(again) == record.digest(arrays)
    assert resumed.cost["seconds"] > 0
    assert [event["epoch"] for event in run.journal.events()] == [1, 2, 3, 3, 4]


def test_a_non_finite_loss_ends_the_run_as_diverged_with_its_step(small, trained):
    run, record, arrays = trained(replace(small, optimizers={"sgd": SGD(lr=1e30)}))
    steps_per_epoch = 4
    assert record.outcome == "diverged"
    assert 2 <= record.evidence["diverged_step"] <= 2 * steps_per_epoch
    assert record.metrics == {}
    assert arrays.logits.shape == (0, 10)
    write_record(run.folder, record, arrays)
    assert json.loads((run.folder / "record.json").read_text())["outcome"] == "diverged"
    assert Run(run.root, run.spec).status() == "diverged"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_cuda_repeats_its_bits(small, cache, tmp_path):
    data = listing(small.data, cache)
    digests = []
    for folder in ("one", "two"):
        run = runs_of(small.cells(data.digest), tmp_path / folder)[0]
        run.prepare()
        record, arrays = train(run, build(data, run.spec.cache_size, cache), torch.device("cuda"))
        digests.append(record.digest(arrays))
    assert digests[0] == digests[1]
