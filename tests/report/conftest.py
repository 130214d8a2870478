"""A runs folder that looks real and cost nothing: made-up scores, curves, features and pictures, written as records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ablation.experiment.results
from ablation import SGD, Adam, Brightness, Contrast, Cosine, Digits, Experiment, RandomResizedCrop, Results
from ablation.core.seeds import stream
from ablation.data import Redrawn
from ablation.experiment.experiment import Cell
from ablation.experiment.preregistration import preregister
from ablation.experiment.record import Arrays, RunRecord, write_record
from ablation.experiment.runs import Run, folder_of

CROP = RandomResizedCrop(scale=(0.35, 1.0))
ENVIRONMENT = {
    "device": "cpu", "precision": "float32", "host": "laptop", "platform": "Linux", "python": "3.12.3",
    "torch": "2.11.0", "numpy": "2.1.0", "ablation": "0.1.0",
}  # fmt: skip
GAINS = {"none": 0.0, "crop": 0.045, "brightness": 0.006, "contrast": -0.001, "all": 0.06}


def recipes_and_optimizers(**changes: Any) -> Experiment:
    """Five recipes under two optimizers, five seeds with a training part each; `changes` are fields of Experiment."""
    given: dict[str, Any] = {
        "name": "fake",
        "data": Digits(),
        "recipes": {
            "none": (),
            "crop": (CROP,),
            "brightness": (Brightness(0.4),),
            "contrast": (Contrast(0.4),),
            "all": (CROP, Brightness(0.4), Contrast(0.4)),
        },
        "optimizers": {"adam": Adam(lr=1e-3), "sgd": SGD(lr=0.1, momentum=0.9)},
        "baseline": "none", "model": "shallow_cnn", "image_size": 16, "epochs": 12, "batch_size": 32,
        "schedule": Cosine(warmup=2), "seeds": 5, "split": Redrawn(train=0.1, val=0.1, test=0.3),
    }  # fmt: skip
    return Experiment(**given | changes)


def fake_results(
    experiment: Experiment,
    root: Path,
    classes: int = 10,
    images: int = 120,
    gains: Mapping[str, float] = GAINS,
    fate: Callable[[Cell], str] = lambda _: "finished",
    spread: float = 0.008,
) -> Results:
    """Write a record for every cell and load them as `Results` does.

    fate: 'finished', 'diverged', 'failed' or 'planned' for each cell. gains: of accuracy over the baseline, by recipe.
    spread: the sd over seeds. images: of the test part; the data has as many as the split makes them a share of.
    """
    names = tuple(f"class {index}" for index in range(classes))
    listing = SimpleNamespace(digest="8f14e45fceea167a5a36dedd4bea2543f6d2c9e1a1b0c3d4", classes=names, left_out=())
    listing.labels = listing.near = np.arange(10 * images // 3)
    cells = experiment.cells(listing.digest)
    preregister(experiment, cells, folder_of(experiment, root))
    for cell in cells:
        run, ending = Run(folder_of(experiment, root), cell.spec), fate(cell)
        if ending in ("finished", "diverged") and run.record() is None:
            run.prepare()
            write_record(
                run.folder, *_record(cell, ending, gains.get(cell.factors["recipe"], 0.0), classes, images, spread)
            )
        elif ending == "failed":
            run.prepare()
            run.journal.append("failed", reason="OutOfMemoryError: 3 GiB asked, 1 GiB free")
    with pytest.MonkeyPatch.context() as patch:  # the data itself is never looked at: only its digest and class names
        patch.setattr(ablation.experiment.results, "listing", lambda *_: listing)
        return Results.load(experiment, runs=root)


def _record(cell: Cell, ending: str, gain: float, classes: int, images: int, spread: float) -> tuple[RunRecord, Arrays]:
    finished = ending == "finished"
    random = stream(cell.seed, "fake", cell.spec.id)
    accuracy = 0.8 + gain - 0.02 * (cell.factors["optimizer"] == "sgd") + spread * random.normal()
    accuracy = round(images * accuracy) / images
    metrics = {"accuracy": accuracy, "macro_f1": accuracy - 0.01, "balanced_accuracy": accuracy - 0.005}
    metrics |= {"log_loss": 1.2 - accuracy, "brier": 0.6 - accuracy / 2, "ece": 0.05}
    evidence = {
        "first_test_batch": "a1b2c3d4e5f60718", "split": "0123456789abcdef", "mean": [0.31, 0.32, 0.33],
        "std": [0.2, 0.21, 0.22], "parameters": 1_234_567, "train_images": images // 3, "val_images": images // 3,
        "test_images": images, "diverged_step": None if finished else 7,
        "captions": ["unchanged", "crop 62 %", "brightness × 1.31"],
    }  # fmt: skip
    record = RunRecord(
        id=cell.spec.id,
        outcome="finished" if finished else "diverged",
        history=tuple(
            _epoch(epoch, cell.spec.epochs, accuracy, random) for epoch in range(cell.spec.epochs if finished else 1)
        ),
        metrics=metrics if finished else {},
        evidence=evidence,
        cost={"seconds": 65.5, "images_per_second": 1490.0, "gpu_memory_mib": None},
        environment=ENVIRONMENT,
    )
    return record, _arrays(cell, gain, classes, images if finished else 0, accuracy)


def _epoch(epoch: int, epochs: int, accuracy: float, random: np.random.Generator) -> dict[str, Any]:
    done = 1 - np.exp(-4 * (epoch + 1) / epochs)
    return {
        "epoch": epoch + 1,
        "lr": 1e-3,
        "train_loss": float(2.3 - 2.0 * done + 0.03 * random.normal()),
        "train_accuracy": float(0.95 * done),
        "val_loss": float(2.3 - 1.7 * done),
        "val_accuracy": float(accuracy * done + 0.01 * random.normal()),
    }


def _arrays(cell: Cell, gain: float, classes: int, images: int, accuracy: float) -> Arrays:
    """Clusters, the further apart the larger the gain; the picture is the same but for the shade that a draw has.

    As many are right as the accuracy says, the easier ones in every run.
    """
    labels = np.arange(images) % classes
    centres = stream(0, "centres", classes).normal(size=(classes, 32))
    noise = stream(cell.seed, "features", cell.spec.id).normal(size=(images, 32))
    features = (centres[labels] * (1.0 + 10 * gain) + noise).astype(np.float32)
    right = stream(0, "difficulty", images).permutation(images) < round(images * accuracy)
    logits = 5 * np.eye(classes, dtype=np.float32)[np.where(right, labels, (labels + 1) % classes)]
    side = cell.spec.image_size
    coarse = stream(cell.seed, "picture").integers(60, 200, size=(4, 4, 3))
    original = coarse.repeat(side // 4, 0).repeat(side // 4, 1).astype(np.uint8)
    draws = np.stack([np.clip(original + 1000 * gain * draw, 0, 255).astype(np.uint8) for draw in range(3)])
    return Arrays(np.arange(images), labels, logits, features, original, draws)


@pytest.fixture(scope="session")
def build() -> Callable[..., Experiment]:
    return recipes_and_optimizers


@pytest.fixture(scope="session")
def fake() -> Callable[..., Results]:
    return fake_results


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Fifty finished runs."""
    return fake_results(recipes_and_optimizers(), tmp_path_factory.mktemp("runs"), images=240)
