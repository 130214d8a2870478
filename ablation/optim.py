"""Optimizers and learning-rate schedules: values that an experiment names, under torch's names and defaults.

Weight decay is applied to weights only: parameters with fewer than two axes (biases, and the scales and shifts of
normalisation layers) are left out of it. `decay_norm_and_bias=True` asks for torch's own behaviour: decay on all.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

from ablation.values import BelowOne, Count, NonNegative, Positive, Range, Whole, value

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer as TorchOptimizer

Betas = Annotated[tuple[float, float], Range(low=0, below=1)]


@value
class SGD:
    lr: Positive
    momentum: BelowOne = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False
    decay_norm_and_bias: bool = False

    def check(self):
        if self.nesterov and not self.momentum:
            yield "nesterov = True needs a momentum above 0"


@value
class Adam:
    lr: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False
    decay_norm_and_bias: bool = False


@value
class AdamW:
    lr: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 1e-2
    amsgrad: bool = False
    decay_norm_and_bias: bool = False


@value
class NAdam:
    lr: Positive = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False
    decay_norm_and_bias: bool = False


@value
class RMSprop:
    lr: Positive = 1e-2
    alpha: BelowOne = 0.99
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: BelowOne = 0.0
    centered: bool = False
    decay_norm_and_bias: bool = False


@value
class Adagrad:
    lr: Positive = 1e-2
    lr_decay: NonNegative = 0.0
    eps: Positive = 1e-10
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    decay_norm_and_bias: bool = False


Optimizer = SGD | Adam | AdamW | NAdam | RMSprop | Adagrad


def build_optimizer(optimizer: Optimizer, model: nn.Module) -> TorchOptimizer:
    """torch's optimizer of the same name over the model's trainable parameters, in its two decay groups."""
    import torch

    settings: dict[str, Any] = {field.name: getattr(optimizer, field.name) for field in fields(optimizer)}
    decay_everything = settings.pop("decay_norm_and_bias")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in parameters if decay_everything or parameter.ndim >= 2]
    spared = [parameter for parameter in parameters if not decay_everything and parameter.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return getattr(torch.optim, type(optimizer).__name__)([group for group in groups if group["params"]], **settings)


@value
class Constant:
    """The optimizer's own learning rate, after `warmup` epochs of linear rise."""

    warmup: Whole = 0

    def decay(self, progress: float, epoch: float) -> float:
        return 1.0


@value
class Step:
    """Multiplied by `gamma` every `every` epochs."""

    every: Count
    gamma: Positive = 0.1
    warmup: Whole = 0

    def decay(self, progress: float, epoch: float) -> float:
        return self.gamma ** int(epoch // self.every)


@value
class Cosine:
    """Half a cosine from 1 to `final` (Loshchilov and Hutter 2017, equation 5, one cycle), after a linear warm-up."""

    warmup: Whole = 0
    final: Annotated[float, Range(low=0, high=1)] = 0.0

    def decay(self, progress: float, epoch: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@value
class OneCycle:
    """Rises from 1 / `div_factor` to 1 over the share `pct_start`, then falls to 1 / (`div_factor` `final_div_factor`).

    Both by cosine, as torch's `OneCycleLR` (Smith and Topin 2018); the optimizer's `lr` is the peak. Momentum stays.
    """

    pct_start: Annotated[float, Range(above=0, below=1)] = 0.3
    div_factor: Annotated[float, Range(low=1)] = 25.0
    final_div_factor: Annotated[float, Range(low=1)] = 1e4

    warmup = 0

    def decay(self, progress: float, epoch: float) -> float:
        low, final = 1 / self.div_factor, 1 / (self.div_factor * self.final_div_factor)
        if progress < self.pct_start:
            return _cosine(low, 1.0, progress / self.pct_start)
        return _cosine(1.0, final, (progress - self.pct_start) / (1 - self.pct_start))


Schedule = Constant | Step | Cosine | OneCycle


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


def lr_factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """What the learning rate is multiplied by at `step` (from 0): a pure function, so that a resumed run agrees.

    Warm-up rises linearly over its epochs and reaches 1 at its last step; what follows it starts from there.
    """
    warm = schedule.warmup * steps_per_epoch
    if step < warm:
        return (step + 1) / warm
    total = steps_per_epoch * epochs
    return schedule.decay((step - warm) / max(1, total - warm), (step - warm) / steps_per_epoch)
