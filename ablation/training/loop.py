"""Training one run, from its spec to its record: one loop that reads like a page.

Knows nothing of grids, workers or MLflow. All randomness comes from the spec's seed by name, and the learning rate is a
function of the step, so that a run which is killed and goes on from its checkpoint ends with the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ablation.augment.apply import on
from ablation.core.errors import attempt
from ablation.core.seeds import torch_stream
from ablation.data import Dataset
from ablation.data.batches import bounds
from ablation.experiment.early_stopping import History, best_epoch, ran_out
from ablation.experiment.record import Arrays, RunRecord
from ablation.experiment.robustness import Condition
from ablation.experiment.runs import Run
from ablation.experiment.spec import RunSpec
from ablation.optim import learning_rate, set_lr
from ablation.training.ahead import ahead
from ablation.training.checkpoint import Pace, Progress, resume, save, unwritten, write_tensors
from ablation.training.execution import AS_USUAL, Execution
from ablation.training.finish import environment_of, finish
from ablation.training.sampling import Sampled, sample
from ablation.training.sentinel import Sentinel
from ablation.training.setup import Setup
from ablation.training.view import View, loss_and_accuracy, predict

Report = Callable[[dict[str, Any]], None]


class Interrupted(Exception):
    """The training was to end before it was through. It goes on from the checkpoint that it left, if it could."""


def train(
    run: Run,
    data: Dataset,
    device: torch.device,
    report: Report = lambda event: None,
    cache: Path | None = None,
    keep_weights: bool = False,
    conditions: Sequence[Condition] = (),
    always: bool = False,
    checkpoint_every: int | None = 1,
    execution: Execution = AS_USUAL,
    ending: Callable[[], bool] = lambda: False,
) -> tuple[RunRecord, Arrays]:
    """Train and test the run's spec on `data`. Each epoch goes to the journal and to `report`.

    cache: the folder that holds the files of weights to start from. keep_weights: leave those that were tested in the
    run's folder, for another experiment's `weights`. conditions, always: see `ablation.training.finish`.
    checkpoint_every: after so many epochs at the latest there is a checkpoint; None: see `checkpoint.Pace`.
    execution: how the steps are computed. ending: asked at each epoch's end; where it says True before the last one, a
    checkpoint is left and Interrupted is raised.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    spec, environment = run.spec, environment_of(device) | execution.on(str(device), run.spec.model).environment
    setup = Setup.of(run, data, device, cache, execution)
    parts = setup.parts
    progress, pace = resume(run, setup.learned, environment, partial(_tell, report)), Pace(checkpoint_every)
    diverged_step, val_logits = None, None

    for epoch in _epochs_left(progress.history, spec):
        started = time.perf_counter()
        sampled = sample(setup, epoch)
        sentinel = Sentinel(sampled.clean, spec, data.aspect, sampled.trained) if epoch == 0 else None
        losses, right, lr = train_epoch(setup, epoch, [one["val_loss"] for one in progress.history], sentinel, sampled)
        if sentinel:
            progress.changes = sentinel.changes()
            progress.notes += sentinel.notes
        finite = losses.isfinite()  # read once an epoch: at every step the host would wait for the device
        if not finite.all():
            diverged_step = epoch * setup.steps_per_epoch + int((~finite).nonzero()[0]) + 1
            break
        val_logits, _ = predict(setup.tested, setup.clean, parts.val, spec.batch_size, setup.precision)
        val_loss, val_accuracy = loss_and_accuracy(val_logits, data.labels[parts.val])
        figures = {
            "epoch": epoch + 1,
            "lr": lr,
            "train_loss": float(losses.sum()) / len(parts.train),
            "train_accuracy": float(right) / len(parts.train),
            "val_loss": val_loss if math.isfinite(val_loss) else None,
            "val_accuracy": val_accuracy,
        }
        progress.history.append(figures)
        _keep_best(setup, progress.history)
        seconds = time.perf_counter() - started
        speed = {"seconds": round(seconds, 4), "images_per_second": round(len(parts.train) / seconds, 1)}
        event = _journaled(run, figures | speed, progress, report)
        attempt("progress", partial(report, event), None, progress.notes.append)
        ends = ending()
        if not _is_through(progress.history, spec) and (ends or pace.due()):
            try:
                pace.save(partial(save, run, setup.learned, progress, environment))
            except OSError as error:  # a full disk: it may have room at the next epoch
                _note(unwritten(error), progress, report)
            if ends:
                raise Interrupted

    _put_best(setup, progress.history)
    progress.notes += setup.passes.notes
    if setup.best:
        val_logits = None  # another epoch's network may be tested
    record, arrays = finish(setup, progress, diverged_step, environment, conditions, always, val_logits)
    if keep_weights and record.outcome == "finished":
        write_tensors(run.weights, setup.tested.state_dict())
    return record, arrays


def _is_through(history: History, spec: RunSpec) -> bool:
    """Whether these were all epochs that the run takes."""
    return len(history) == spec.epochs or ran_out(history, spec.patience)


def _epochs_left(history: History, spec: RunSpec) -> Iterator[int]:
    """The epochs (from 0) behind those in the history, which is asked again before each."""
    while not _is_through(history, spec):
        yield len(history)


def _keep_best(setup: Setup, history: History) -> None:
    """After an epoch: keep its network where it is the best so far, and training may stop early."""
    if setup.best and best_epoch(history) == len(history):
        setup.best.load_state_dict(setup.tested.state_dict())


def _put_best(setup: Setup, history: History) -> None:
    """Make the network that is tested that of the best epoch, where one was kept."""
    if setup.best and best_epoch(history):
        setup.tested.load_state_dict(setup.best.state_dict())


def _journaled(run: Run, epoch: dict[str, Any], progress: Progress, report: Report) -> dict[str, Any]:
    """The event of an epoch, which the journal has unless it cannot be written: that costs no training."""
    try:
        return run.journal.note("epoch", **epoch)
    except OSError as error:
        _note(f"{unwritten(error, 'epochs')}; what they took is not in the time of the run", progress, report)
        return {"event": "epoch", **epoch}


def _note(message: str, progress: Progress, report: Report) -> None:
    """Keep a note for the record, and tell of it when it is new."""
    if message not in progress.notes:
        progress.notes.append(message)
        _tell(report, message)


def _tell(report: Report, message: str) -> None:
    """Report a line for people: whoever listens can cost no run."""
    attempt("a message", partial(report, {"event": "note", "message": message}), None, lambda wrong: None)


def train_epoch(
    setup: Setup,
    epoch: int,
    val_losses: Sequence[float | None],
    sentinel: Sentinel | None,
    sampled: Sampled | None = None,
) -> tuple[Tensor, Tensor, float]:
    """Take the steps of one epoch (from 0): the loss of each, summed over its batch; right guesses; the last lr.

    val_losses: of the epochs before, which some schedules look at. sentinel: watches the first epoch's pictures.
    sampled: what `sample` gives for this epoch, where it is at hand.
    """
    spec, sampled = setup.run.spec, sampled or sample(setup, epoch)
    view = sampled.clean.augmented(spec.recipe, spec.seed, epoch, setup.data.aspect, sampled.trained)
    losses, right = torch.zeros(setup.steps_per_epoch, device=setup.device), torch.zeros((), device=setup.device)
    setup.model.train()
    with torch_stream(spec.seed, "dropout", epoch, device=setup.device):
        made = _batches(setup, view, sampled, sentinel)
        for step, (images, targets) in enumerate(made if sentinel else ahead(made, setup.device)):
            done = epoch * setup.steps_per_epoch + step
            lr = learning_rate(spec.schedule, spec.optimizer.lr, done, setup.steps_per_epoch, spec.epochs, val_losses)
            set_lr(setup.optimizer, lr)
            answers: list[Tensor] = []  # SAM computes gradients twice; the first answer is of these weights
            loss = setup.optimizer.step(partial(_gradients, setup, images, targets, answers))
            if setup.average:
                setup.average.update_parameters(setup.model)
            losses[step] = loss * len(images)
            labels = targets if targets.ndim == 1 else targets.argmax(dim=1)  # of a mixed picture, its larger part
            right += (answers[0].argmax(dim=1) == labels).sum()
    return losses, right, lr


def _batches(setup: Setup, view: View, sampled: Sampled, sentinel: Sentinel | None) -> Iterator[tuple[Tensor, Tensor]]:
    """The images (B, 3, S, S) and targets of each batch, several batches rendered in one go where pictures are small.

    Outside `precision`: pixels are float32 everywhere.
    """
    order = sampled.order
    cuts = bounds(len(order), setup.run.spec.batch_size)
    ordered = np.sort(setup.parts.train)
    kept = view.kept(ordered)  # of the baseline's: its pictures are the same in each epoch
    together = max(1, view.at_once // setup.run.spec.batch_size)
    for first in range(0, len(cuts), together):
        some = cuts[first : first + together]
        begin = some[0][0]
        within = [(start - begin, stop - begin) for start, stop in some]
        rows = order[begin : some[-1][1]]
        pictures = view.pictures(rows) if kept is None else kept[on(kept.device, ordered.searchsorted(view.own(rows)))]
        if sentinel:
            sentinel.observe(rows, pictures, within)
        images, targets = view.normalized(pictures), view.targets(sampled.labels, rows, len(setup.data.classes))
        for start, stop in within:  # copied: a kernel may give other bits where its input begins elsewhere in memory
            yield images[start:stop].clone(), targets[start:stop].clone()


def _gradients(setup: Setup, images: Tensor, targets: Tensor, answers: list[Tensor]) -> Tensor:
    """One pass forward and backward: the loss; the logits go to `answers`."""
    loss, logits = setup.passes(images, targets)
    if setup.run.spec.clip_norm:
        nn.utils.clip_grad_norm_(setup.model.parameters(), setup.run.spec.clip_norm)
    answers.append(logits)
    return loss
