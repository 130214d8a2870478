"""Training one run, from its spec to its record: one loop that reads like a page.

Knows nothing of grids, workers or MLflow. All randomness comes from the spec's seed by name, and the learning rate is a
function of the step, so that a run which is killed and goes on from its checkpoint ends with the same bits.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import ablation
from ablation.analysis.metrics import classification_metrics
from ablation.core.errors import AblationError, InputError, attempt
from ablation.core.files import atomic
from ablation.core.seeds import stream, torch_stream
from ablation.data import Dataset, Parts
from ablation.data.batches import steps
from ablation.data.normalization import moments
from ablation.experiment.record import Arrays, RunRecord
from ablation.experiment.runs import Run, history_of
from ablation.experiment.spec import RunSpec
from ablation.models.freezing import freeze
from ablation.models.networks import Classifier, build, count_parameters, placed, precision_on
from ablation.models.own import is_own, source_digest
from ablation.optim import averaged, build_optimizer, describe_groups, learning_rate, set_lr
from ablation.training.preview import Preview, blank, preview
from ablation.training.sentinel import Sentinel
from ablation.training.view import View, batches, loss_and_accuracy, predict, untouched

REPEATS = ("device", "precision", "torch", "torchvision", "numpy", "ablation")
"""What of the environment must be the same for a result to repeat bit for bit."""

Tell = Callable[[dict[str, Any]], None]


def train(
    run: Run,
    data: Dataset,
    device: torch.device,
    tell: Tell = lambda event: None,
    cache: Path | None = None,
    keep_weights: bool = False,
) -> tuple[RunRecord, Arrays]:
    """Train and test the run's spec on `data`. Each epoch goes to the journal, to the checkpoint and to `tell`.

    cache: the folder that holds the files of weights to start from. keep_weights: leave those that were tested in the
    run's folder, for another experiment's `weights`.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    spec = run.spec
    parts = spec.parts(data)
    mean, std = moments(spec.normalization, data, parts.train)
    labels = torch.from_numpy(data.labels).to(device)
    clean = View.clean(data, device, spec.image_size, mean, std)
    precision = precision_on(device)

    model = placed(network(spec, len(data.classes), cache), device)
    optimizer = build_optimizer(spec.optimizer, model, spec.head_lr_factor)
    average = averaged(model, spec.ema) if spec.ema else None
    tested_model = cast(Classifier, average.module) if average else model
    steps_per_epoch = steps(len(parts.train), spec.batch_size)
    environment = _environment(device)
    state = {"model": model, "optimizer": optimizer} | ({"average": average} if average else {})
    history, changes, notes = _resume(run, state, environment)
    diverged_step = None

    def gradients(images: Tensor, truth: Tensor, answers: list[Tensor]) -> Tensor:
        """One pass forward and backward: the loss; the logits go to `answers`."""
        optimizer.zero_grad()
        with precision():
            logits = model(images)
            loss = functional.cross_entropy(logits.float(), truth, label_smoothing=spec.label_smoothing)
        loss.backward()
        if spec.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), spec.clip_norm)
        answers.append(logits.detach())
        return loss.detach()

    for epoch in range(len(history), spec.epochs):
        started = time.perf_counter()
        view = clean.augmented(spec.recipe, spec.seed, epoch, data.aspect, parts.train)
        sentinel = Sentinel(clean, spec, data.aspect, parts.train) if epoch == 0 else None
        order = stream(spec.seed, "order", epoch).permutation(parts.train)
        val_losses = [one["val_loss"] for one in history]
        losses, right = torch.zeros(steps_per_epoch, device=device), torch.zeros((), device=device)
        model.train()
        with torch_stream(spec.seed, "dropout", epoch, device=device):
            for step, rows in enumerate(batches(order, spec.batch_size)):
                at = epoch * steps_per_epoch + step
                lr = learning_rate(spec.schedule, spec.optimizer.lr, at, steps_per_epoch, spec.epochs, val_losses)
                set_lr(optimizer, lr)
                truth = view.targets(labels, rows, len(data.classes))
                pictures = view.pictures(rows)  # outside `precision`: pixels are float32 everywhere
                if sentinel:
                    sentinel.see(rows, pictures)
                answers: list[Tensor] = []  # SAM asks for the gradients twice; the first answer is of these weights
                loss = optimizer.step(partial(gradients, view.normalized(pictures), truth, answers))
                if average:
                    average.update_parameters(model)
                losses[step] = loss * len(rows)
                hard = truth if truth.ndim == 1 else truth.argmax(dim=1)  # of a mixed picture, what it shows most of
                right += (answers[0].argmax(dim=1) == hard).sum()

        if sentinel:
            changes, notes = sentinel.told(), [*notes, *sentinel.notes]
        finite = losses.isfinite()  # asked once an epoch: at every step it would make the host wait for the device
        if not finite.all():
            diverged_step = epoch * steps_per_epoch + int((~finite).nonzero()[0]) + 1
            break
        val_logits, _ = predict(tested_model, clean, parts.val, spec.batch_size, precision)
        val_loss, val_accuracy = loss_and_accuracy(val_logits, data.labels[parts.val])
        history.append(
            {
                "epoch": epoch + 1,
                "lr": lr,
                "train_loss": float(losses.sum()) / len(order),
                "train_accuracy": float(right) / len(order),
                "val_loss": val_loss if math.isfinite(val_loss) else None,
                "val_accuracy": val_accuracy,
            }
        )
        seconds = time.perf_counter() - started
        speed = {"seconds": round(seconds, 4), "images_per_second": round(len(order) / seconds, 1)}
        event = run.journal.append("epoch", **history[-1], **speed)
        attempt("progress", partial(tell, event), None, notes.append)
        if epoch + 1 < spec.epochs:
            _save(run, state, history, changes, notes, environment)

    tested = parts.test if diverged_step is None else parts.test[:1]
    seen: list[str] = []
    test_logits, features = predict(tested_model, clean, tested, spec.batch_size, precision, seen)
    if seen != untouched(data, device, spec, tested):
        raise AblationError("the test images were changed on their way to the network; the run does not count")
    if diverged_step is None and not np.isfinite(test_logits).all():
        diverged_step = spec.epochs * steps_per_epoch
    if diverged_step is not None:
        tested, test_logits, features = tested[:0], test_logits[:0], features[:0]
    test_labels = data.labels[tested]
    original, draws, captions = _first_pictures(run, data, clean, parts, notes)
    groups: list[dict[str, Any]] = attempt("parameter groups", lambda: describe_groups(optimizer), [], notes.append)
    cost: dict[str, Any] = attempt("what the run took", lambda: _cost(run, device), {}, notes.append)
    record = RunRecord(
        id=spec.id,
        outcome="finished" if diverged_step is None else "diverged",
        history=tuple(history),
        metrics=classification_metrics(test_logits, test_labels) if diverged_step is None else {},
        evidence={
            "first_test_batch": seen[0],
            "split": _split_digest(parts),
            "train_images": len(parts.train),
            "val_images": len(parts.val),
            "test_images": len(parts.test),
            "mean": mean.tolist(),
            "std": std.tolist(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "trained_parameters": count_parameters(model),
            "parameter_groups": groups,
            "weights": asdict(model.loaded) if model.loaded else None,
            "diverged_step": diverged_step,
            "changes": changes,
            "captions": list(captions),
        },
        cost=cost,
        environment=environment,
        notes=tuple(dict.fromkeys(notes)),
    )
    if keep_weights and diverged_step is None:
        _write(run.weights, tested_model.state_dict())
    return record, Arrays(tested, test_labels, test_logits, features, original, draws)


def network(spec: RunSpec, classes: int, cache: Path | None = None) -> Classifier:
    """The network that the spec asks for, with the weights it starts from and what of it stays as it is.

    Raises InputError where the source of a network of one's own is another than when the run was planned: what was
    trained would not be what the id says.
    """
    model = build(
        spec.model,
        classes,
        spec.dropout,
        spec.seed,
        stem=spec.stem,
        weights=spec.weights,
        stochastic_depth=spec.stochastic_depth,
        image_size=spec.image_size,
        cache=cache,
    )
    if is_own(spec.model) and source_digest(spec.model) != spec.model_source:
        raise InputError(f"the source of {spec.model} has changed since the run was planned; give the command again")
    freeze(model, spec.freeze, spec.frozen_batch_norm)
    return model


def _resume(
    run: Run, parts: Mapping[str, Any], environment: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Put the newest checkpoint into model, optimizer and average; the epochs so far, what the sentinel told after the
    first, and notes; each [] where there is none to go on from.

    A checkpoint that is damaged, or was made by another device or version, is left aside and the run starts over: half
    a run here and half there would be no run of either.
    """
    if not run.checkpoint.exists():
        return [], [], []
    try:
        state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        run.journal.append("restarted", reason=f"the checkpoint cannot be read: {type(error).__name__}")
        return [], [], []
    here = {name: environment[name] for name in REPEATS}
    if state["environment"] != here:
        run.journal.append(
            "restarted", reason="the checkpoint is of another device or version", was=state["environment"]
        )
        return [], [], []
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["history"], state["changes"], state.get("notes", [])


def _save(
    run: Run,
    parts: Mapping[str, Any],
    history: list[dict[str, Any]],
    changes: list[dict[str, Any]],
    notes: list[str],
    environment: dict[str, Any],
) -> None:
    here = {name: environment[name] for name in REPEATS}
    state = {
        **{name: part.state_dict() for name, part in parts.items()},
        "history": history,
        "changes": changes,
        "notes": notes,
        "environment": here,
    }
    _write(run.checkpoint, state)


def _write(path: Path, state: dict[str, Any]) -> None:
    with atomic(path) as file:
        torch.save(state, file)


def _first_pictures(run: Run, data: Dataset, clean: View, parts: Parts, notes: list[str]) -> Preview:
    """The first training image, the same for all recipes, without augmentation and as the first epochs draw it."""
    spec, row = run.spec, int(parts.train[0])
    draw = partial(preview, clean, spec.recipe, spec.seed, row, data.aspect, parts.train)
    return attempt("the first pictures", draw, blank(spec.image_size), notes.append)


def _split_digest(parts: Parts) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part.astype("<i8").tobytes())
    return digest.hexdigest()


def _cost(run: Run, device: torch.device) -> dict[str, Any]:
    """What training took, over all attempts: seconds in epochs, images per second, and peak memory on a GPU."""
    epochs = history_of(run)
    seconds = sum(epoch["seconds"] for epoch in epochs)
    images = sum(epoch["seconds"] * epoch["images_per_second"] for epoch in epochs)
    memory = round(torch.cuda.max_memory_allocated(device) / 2**20) if device.type == "cuda" else None
    speed = round(images / seconds, 1) if seconds else None
    return {"seconds": round(seconds, 2), "images_per_second": speed, "gpu_memory_mib": memory}


def _environment(device: torch.device) -> dict[str, Any]:
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
