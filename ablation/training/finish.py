"""The end of a run: the network is tested, and what happened is put together as its record."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ablation
from ablation.analysis.metrics import classification_metrics
from ablation.core.errors import AblationError, attempt
from ablation.core.values import label
from ablation.experiment.early_stopping import early_stopping
from ablation.experiment.record import Arrays, RunRecord
from ablation.experiment.robustness import Condition
from ablation.experiment.runs import Run, history_of
from ablation.models.networks import count_parameters
from ablation.optim import describe_groups
from ablation.training.checkpoint import Progress
from ablation.training.looks import grad_cam_of, looks
from ablation.training.preview import Preview, blank, preview
from ablation.training.setup import Setup
from ablation.training.view import predict, untouched


def finish(
    setup: Setup,
    progress: Progress,
    diverged_step: int | None,
    environment: dict[str, Any],
    conditions: Sequence[Condition] = (),
    always: bool = False,
    val_logits: NDArray[np.float32] | None = None,
) -> tuple[RunRecord, Arrays]:
    """Test the network, and return the record of its run with the arrays beside it.

    diverged_step: the step (from 1) whose loss was not finite; such a run has no metrics and no test predictions.
    conditions, always: test conditions, and whether they are shown whatever they cost (`ablation.training.looks`).
    val_logits: (V, C) of the validation part, where they are known.
    Raises AblationError where the test images were not those of the cache: the run does not count.
    """
    run, data, spec, notes = setup.run, setup.data, setup.run.spec, progress.notes
    tested = setup.parts.test if diverged_step is None else setup.parts.test[:1]
    digests: list[str] = []
    unknown: dict[str, Any] = {}
    cost = attempt("what the run took", partial(_cost, run, setup.device), unknown, notes.append)
    grad_cam = attempt("where the network looks", partial(grad_cam_of, setup), None, notes.append)
    answer = grad_cam.logits_and_features if grad_cam else None
    logits, features = predict(setup.tested, setup.clean, tested, spec.batch_size, setup.precision, digests, answer)
    if tuple(digests) != untouched(data, setup.device, spec, tested):
        raise AblationError("the test images were changed on their way to the network; the run does not count")
    if diverged_step is None and not np.isfinite(logits).all():
        diverged_step = spec.epochs * setup.steps_per_epoch
    if diverged_step is not None:
        tested, logits, features = tested[:0], logits[:0], features[:0]
    labels = data.labels[tested]
    first = attempt("the first pictures", partial(_first_pictures, setup), blank(spec.image_size), notes.append)
    started = time.perf_counter()
    looked = looks(setup, conditions, always, notes.append, grad_cam, val_logits) if diverged_step is None else {}
    cost |= {"evaluation_seconds": round(time.perf_counter() - started, 4)}
    shown = conditions if "corrupted_logits" in looked else ()
    evidence = _evidence(setup, notes) | {
        "first_test_batch": digests[0],
        "diverged_step": diverged_step,
        "changes": progress.changes,
        "captions": list(first.captions),
        "conditions": [[one.name, one.strength, " + ".join(map(label, one.recipe))] for one in shown],
    }
    if spec.patience:
        evidence["early_stopping"] = early_stopping(progress.history, spec.patience, spec.epochs)
    record = RunRecord(
        id=spec.id,
        outcome="finished" if diverged_step is None else "diverged",
        history=tuple(progress.history),
        metrics=classification_metrics(logits, labels) if diverged_step is None else {},
        evidence=evidence,
        cost=cost,
        environment=environment,
        notes=tuple(dict.fromkeys(notes)),
    )
    return record, Arrays(tested, labels, logits, features, first.original, first.draws, **looked)


def environment_of(device: torch.device) -> dict[str, Any]:
    """Where a run was trained: the device, its arithmetic, and the versions that results depend on."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "precision": "bfloat16" if cuda else "float32",
        "host": platform.node(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a class of its own, which a checkpoint may not hold
        "torchvision": version("torchvision"),
        "numpy": np.__version__,
        "ablation": ablation.__version__,
    }


def _evidence(setup: Setup, notes: list[str]) -> dict[str, Any]:
    """What the run proves of its parts, its normalisation and its network."""
    parts, model = setup.parts, setup.model
    none: list[dict[str, Any]] = []
    return {
        "split": parts.digest,
        "train_images": len(parts.train),
        "val_images": len(parts.val),
        "test_images": len(parts.test),
        "mean": setup.clean.mean.tolist(),
        "std": setup.clean.std.tolist(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained_parameters": count_parameters(model),
        "parameter_groups": attempt("parameter groups", lambda: describe_groups(setup.optimizer), none, notes.append),
        "weights": asdict(model.loaded) if model.loaded else None,
    }


def _first_pictures(setup: Setup) -> Preview:
    """The first training image, the same for all recipes, without augmentation and as the first epochs draw it."""
    spec, trained, aspect = setup.run.spec, setup.parts.train, setup.data.aspect
    return preview(setup.clean, spec.recipe, spec.seed, int(trained[0]), aspect, trained)


def _cost(run: Run, device: torch.device) -> dict[str, Any]:
    """What training took, over all attempts: seconds in epochs, images per second, and peak memory on a GPU so far."""
    epochs = history_of(run)
    seconds = sum(epoch["seconds"] for epoch in epochs)
    images = sum(epoch["seconds"] * epoch["images_per_second"] for epoch in epochs)
    memory = round(torch.cuda.max_memory_allocated(device) / 2**20) if device.type == "cuda" else None
    speed = round(images / seconds, 1) if seconds else None
    return {"seconds": round(seconds, 2), "images_per_second": speed, "gpu_memory_mib": memory}
