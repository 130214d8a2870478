"""Learning-rate schedules: values that an experiment names, and the learning rate as a pure function of the step.

A run that is killed and goes on asks for the same step and gets the same bits; nothing is counted on the way. The
arithmetic follows torch's own schedulers operation by operation (their closed forms, where they have one). Epochs and
steps are counted from the end of the warm-up, as where torch's `SequentialLR` puts a warm-up first. Must not import
torch.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Literal

from ablation.core.values import Count, NonNegative, Positive, Range, Whole, value

__all__ = ["Constant", "Cosine", "Exponential", "MultiStep", "OneCycle", "Plateau", "Polynomial", "Step"]
"""The schedules, which are public names of `ablation` and `ablation.optim`."""


@value
class Constant:
    """The optimizer's own learning rate, after `warmup` epochs of linear rise.

    >>> Constant().rate(lr=0.1, step=3, total=4, steps_per_epoch=1)
    0.1
    """

    warmup: Whole = 0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        return lr


@value
class Step:
    """Multiplied by `gamma` every `every` epochs, as torch's `StepLR`.

    >>> Step(every=2, gamma=0.5).rate(lr=1.0, step=3, total=4, steps_per_epoch=1)
    0.5
    """

    every: Count
    gamma: Positive = 0.1
    warmup: Whole = 0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        return lr * self.gamma ** (step // steps_per_epoch // self.every)


@value
class MultiStep:
    """Multiplied by `gamma` after each of these numbers of epochs, as torch's `MultiStepLR`.

    >>> MultiStep((1, 3), gamma=0.5).rate(lr=1.0, step=3, total=4, steps_per_epoch=1)
    0.25
    """

    milestones: Annotated[tuple[int, ...], Range(low=1)]
    gamma: Positive = 0.1
    warmup: Whole = 0

    def check(self) -> Iterator[str]:
        if not self.milestones or any(late <= early for early, late in pairwise(self.milestones)):
            yield f"milestones = {self.milestones}: expected rising numbers of epochs, at least one"

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        return lr * self.gamma ** bisect_right(self.milestones, step // steps_per_epoch)


@value
class Cosine:
    """Half a cosine from 1 to `final` (Loshchilov and Hutter 2017, equation 5, one cycle), after a linear warm-up.

    torch's `CosineAnnealingLR` over the steps of the training, with `eta_min` = `final` x lr.

    >>> Cosine().rate(lr=1.0, step=2, total=4, steps_per_epoch=1)
    0.5
    """

    warmup: Whole = 0
    final: Annotated[float, Range(low=0, high=1)] = 0.0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        lowest = self.final * lr
        return lowest + (lr - lowest) * (1 + math.cos(math.pi * step / total)) / 2


@value
class OneCycle:
    """Rises from 1 / `div_factor` to 1 over the share `pct_start`, then falls to 1 / (`div_factor` `final_div_factor`).

    Both by cosine, as torch's `OneCycleLR` (Smith and Topin 2018); the optimizer's `lr` is the peak. Momentum stays.

    >>> OneCycle(pct_start=0.5).rate(lr=1.0, step=1, total=4, steps_per_epoch=1)
    1.0
    """

    pct_start: Annotated[float, Range(above=0, below=1)] = 0.3
    div_factor: Annotated[float, Range(low=1)] = 25.0
    final_div_factor: Annotated[float, Range(low=1)] = 1e4

    warmup = 0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        first = lr / self.div_factor
        last = first / self.final_div_factor
        peak = self.pct_start * total - 1  # the step, not always a whole one, at which `lr` is reached
        if step <= peak and peak > 0:
            return _between(first, lr, step / peak)
        return _between(lr, last, (step - peak) / (total - 1 - peak))


@value
class Polynomial:
    """Falls to 0 as a power of the share of the training that is left, as torch's `PolynomialLR` over its steps.

    >>> Polynomial(power=2.0).rate(lr=1.0, step=2, total=4, steps_per_epoch=1)
    0.25
    """

    power: Positive = 1.0
    warmup: Whole = 0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        return lr * math.pow(1.0 - step / total, self.power)


@value
class Exponential:
    """Multiplied by `gamma` every epoch, as torch's `ExponentialLR`.

    >>> Exponential(gamma=0.5).rate(lr=1.0, step=2, total=4, steps_per_epoch=1)
    0.25
    """

    gamma: Positive
    warmup: Whole = 0

    def rate(self, lr: float, step: int, total: int, steps_per_epoch: int) -> float:
        return lr * self.gamma ** (step // steps_per_epoch)


@value
class Plateau:
    """Multiplied by `factor` when the validation loss has not improved for `patience` epochs.

    torch's `ReduceLROnPlateau` with `mode="min"`. An epoch without a finite loss did not improve; those of the warm-up
    do not count.

    >>> Plateau(patience=0).reduced(1.0, losses=[0.5, 0.5])
    0.1
    """

    factor: Annotated[float, Range(above=0, below=1)] = 0.1
    patience: Whole = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Whole = 0
    min_lr: NonNegative = 0.0
    eps: NonNegative = 1e-8
    warmup: Whole = 0

    def check(self) -> Iterator[str]:
        if self.threshold_mode == "rel" and self.threshold >= 1:
            yield f"threshold = {self.threshold:g}: must be below 1 where threshold_mode is 'rel'"

    def reduced(self, lr: float, losses: Sequence[float | None]) -> float:
        """The learning rate after epochs that ended with these validation losses."""
        best, bad, rest = math.inf, 0, 0
        for loss in losses:
            if loss is not None and self._is_better(loss, best):
                best, bad = loss, 0
            else:
                bad += 1
            if rest:
                rest, bad = rest - 1, 0
            if bad > self.patience:
                lower = max(lr * self.factor, self.min_lr)
                lr = lower if lr - lower > self.eps else lr
                rest, bad = self.cooldown, 0
        return lr

    def _is_better(self, loss: float, best: float) -> bool:
        return loss < (best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)


Schedule = Constant | Step | MultiStep | Cosine | OneCycle | Polynomial | Exponential | Plateau


def shortened(schedule: Schedule, epochs: int) -> Schedule:
    """The schedule with a warm-up that so many epochs have room for."""
    return replace(schedule, warmup=epochs - 1) if schedule.warmup >= epochs else schedule  # type: ignore[arg-type]


def _between(start: float, stop: float, share: float) -> float:
    """From `start` to `stop` along half a cosine, in torch's order of operations."""
    return stop + (start - stop) / 2.0 * (math.cos(math.pi * share) + 1)


def learning_rate(
    schedule: Schedule,
    lr: float,
    step: int,
    steps_per_epoch: int,
    epochs: int,
    val_losses: Sequence[float | None] = (),
) -> float:
    """The learning rate at `step` (from 0, over all epochs), of an optimizer whose own is `lr`.

    Warm-up rises linearly over its epochs and reaches `lr` at its last step; what follows starts from there.
    `val_losses` holds the validation loss of each finished epoch, None where it was not finite: only Plateau uses them.
    """
    warm = schedule.warmup * steps_per_epoch
    if step < warm:
        return lr * ((step + 1) / warm)
    if isinstance(schedule, Plateau):
        return schedule.reduced(lr, val_losses[schedule.warmup : step // steps_per_epoch])
    return schedule.rate(lr, step - warm, steps_per_epoch * epochs - warm, steps_per_epoch)
