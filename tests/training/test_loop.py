"""One run from spec to record: repeatable to the last bit, resumable, and honest about divergence."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import (
    SGD,
    AugMix,
    Brightness,
    Contrast,
    CutMix,
    Fixed,
    GaussianNoise,
    ImageFolder,
    MixUp,
    OneOf,
    RandAugment,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Sometimes,
    sweep,
)  # fmt: skip
from ablation.analysis.metrics import classification_metrics
from ablation.core.errors import AblationError
from ablation.experiment.record import read_digest, write_record
from ablation.experiment.runs import Run
from ablation.training.checkpoint import write_checkpoint
from ablation.training.preview import DRAWS
from ablation.training.view import batches, predict

pytestmark = pytest.mark.usefixtures("settled")


def test_a_run_learns_and_its_record_is_whole(small, trained):
    run, record, arrays = trained(replace(small, epochs=20, optimizers={"sgd": SGD(lr=0.1, momentum=0.9)}))
    assert record.outcome == "finished"
    assert [epoch["epoch"] for epoch in record.history] == list(range(1, 21))
    assert record.history[-1]["train_loss"] < record.history[0]["train_loss"] / 2
    assert record.metrics["accuracy"] > 0.6  # chance is 0.1
    assert record.metrics == classification_metrics(arrays.logits, arrays.label)
    assert arrays.logits.shape == (202, 10)
    assert arrays.features.shape == (202, 128)
    assert arrays.original.shape == (8, 8, 3)
    assert arrays.draws.shape == (DRAWS, 8, 8, 3)
    assert record.evidence["captions"] == ["unchanged"] * DRAWS
    assert (record.evidence["train_images"], record.evidence["test_images"]) == (100, 202)
    assert record.evidence["parameters"] == 94_762
    assert len(run.journal.events()) == 20


def test_the_same_spec_gives_the_same_bits(tiny, trained):
    (_, first, arrays), (_, second, again) = trained(tiny), trained(tiny)
    assert first.digest(arrays) == second.digest(again)


def test_another_seed_gives_other_bits(small, trained_once):
    (_, first, arrays), (_, second, other) = trained_once(small), trained_once(replace(small, seeds=(1,)))
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
def test_a_recipe_of_strength_zero_is_the_baseline_to_the_last_bit(recipe, small, trained_once):
    (_, record, arrays) = trained_once(small)
    (_, other, others) = trained_once(replace(small, recipes={"none": recipe}))
    assert record.id != other.id
    changes = other.evidence["changes"]
    assert [operation["mean_change"] for operation in changes] == [0.0] * len(recipe)
    bare = replace(other, id=record.id, evidence=other.evidence | {"changes": record.evidence["changes"]})
    assert bare.digest(others) == record.digest(arrays)


def test_augmentation_changes_training_pictures_and_never_test_pictures(small, trained_once):
    (_, record, arrays), (_, other, others) = (
        trained_once(replace(small, recipes={"none": recipe}))
        for recipe in ((), (RandomResizedCrop(), Brightness(0.5)))
    )
    assert np.array_equal(arrays.original, others.original)
    assert not np.array_equal(arrays.draws, others.draws)
    assert (arrays.draws == arrays.original).all()
    assert re.fullmatch(r"crop \d+ % · brightness × \d\.\d\d", other.evidence["captions"][0])
    assert record.evidence["first_test_batch"] == other.evidence["first_test_batch"]


def test_test_images_that_were_changed_are_an_error(small, trained, monkeypatch):
    def careless(model, view, rows, *others):
        """As a loop that tests through the training view would."""
        flipped = view.augmented((RandomHorizontalFlip(p=1.0),), 0, 0, np.ones(1797, np.float32), rows)
        return predict(model, flipped, rows, *others)

    monkeypatch.setattr("ablation.training.finish.predict", careless)
    with pytest.raises(AblationError, match="the test images were changed"):
        trained(small)


EVERYTHING = (RandomResizedCrop(), RandAugment(), Sometimes(GaussianNoise()), AugMix(), OneOf((MixUp(), CutMix())))


@pytest.mark.parametrize(
    ("dropout", "recipe"), [(0.0, ()), (0.3, ()), (0.0, EVERYTHING)], ids=["", "dropout", "recipe"]
)
def test_an_interrupted_run_goes_on_with_the_same_bits(dropout, recipe, small, trained, tmp_path):
    experiment = replace(small, epochs=4, dropout=dropout, recipes={"none": recipe})
    _, record, arrays = trained(experiment)

    def stop_after_two(event):
        if event["epoch"] == 3:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        trained(experiment, folder, report=stop_after_two)
    events = []
    run, resumed, again = trained(experiment, folder, report=events.append)
    assert [event["epoch"] for event in events] == [3, 4], "the third epoch had no checkpoint yet"
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


def another_byte(content: bytes, at: int) -> bytes:
    """The content with another byte there."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {
    "no checkpoint": lambda content: b"\x80\x02 no checkpoint",
    "half of it": lambda content: content[: len(content) // 2],
    "another name": lambda content: content.replace(b"history", b"mystery", 1),
    "another weight": lambda content: another_byte(content, len(content) // 2),  # torch would not mind
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_costs_time_and_nothing_else(small, trained, trained_once, tmp_path, damage):
    _, record, arrays = trained_once(small)
    run, _, _ = trained(small, tmp_path / "damaged")
    for path in run.checkpoints:
        path.write_bytes(damage(path.read_bytes()))
    events = []
    run, again, arrays_again = trained(small, tmp_path / "damaged", report=events.append)
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
    assert again.digest(arrays_again) == record.digest(arrays)
    assert run.journal.events()[3]["event"] == "restarted"


def test_a_checkpoint_of_another_version_is_not_gone_on_from(small, trained, tmp_path):
    run, record, arrays = trained(small, tmp_path / "moved")
    for path in run.checkpoints:
        state = torch.load(path, weights_only=True)
        write_checkpoint(path, state | {"environment": state["environment"] | {"torch": "2.0.0"}})
    events = []
    _, again, arrays_again = trained(small, tmp_path / "moved", report=events.append)
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
    assert again.digest(arrays_again) == record.digest(arrays)


def test_a_file_of_tensors_that_is_no_checkpoint_is_left_aside(small, trained, trained_once, tmp_path):
    _, record, arrays = trained_once(small)
    run, _, _ = trained(small, tmp_path / "foreign")
    write_checkpoint(run.checkpoint, {"model": {}})
    run, again, arrays_again = trained(small, tmp_path / "foreign")
    assert again.digest(arrays_again) == record.digest(arrays)
    assert run.journal.events()[3]["reason"] == "the checkpoint is not one of this program's"


def test_a_constant_channel_does_not_diverge(small, trained, tmp_path):
    noise = np.random.Generator(np.random.Philox(1)).integers(0, 255, (40, 8, 8, 3), np.uint8)
    noise[..., 0] = 7
    for row, pixels in enumerate(noise):
        (tmp_path / "photos" / str(row % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / str(row % 2) / f"{row}.png")
    experiment = replace(small, data=ImageFolder(str(tmp_path / "photos")), split=Fixed())
    assert trained(experiment)[1].outcome == "finished"


def test_batches_have_the_size_that_was_given():
    rows = np.arange(65)
    assert [len(batch) for batch in batches(rows, 32)] == [32, 33], "no image is left alone"
    assert [len(batch) for batch in batches(rows, 20)] == [20, 20, 20, 5]
    assert np.array_equal(np.concatenate(list(batches(rows, 20))), rows)
    assert [len(batch) for batch in batches(rows[:1], 20)] == [1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["shallow_cnn", "resnet18", "vgg11"])
def test_runs_on_cuda_repeat_their_bits(model, small, cache, tmp_path):
    experiment = replace(small, model=model, image_size=32, cache_size=32)
    runs = [sweep(experiment, tmp_path / name, cache, device="cuda") for name in ("one", "two")]
    assert [run.status() for (run,) in runs] == ["finished", "finished"], [run.failure() for (run,) in runs]
    assert read_digest(runs[0][0].folder) == read_digest(runs[1][0].folder)
    assert runs[0][0].record().environment["precision"] == "bfloat16"
