"""Optimizers: values that an experiment names, under torch's own names, fields and defaults. Must not import torch.

To add one of torch's, write its class, and name it in `__all__` and in `Plain`.

Left out of every one are the fields that change how a step is computed and not what it is (foreach, fused, capturable,
differentiable) and `maximize`: a loss is minimised here. Left out of the list are LBFGS, which asks for the loss of a
batch many times a step, and SparseAdam, whose gradients no image classifier has.

Weight decay is applied to weights only: biases, the scales and shifts of normalisation layers, tokens and positions are
left out of it (`build.spared`). `decay_norm_and_bias=True` asks for torch's own behaviour: decay on all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Annotated, Any

from ablation.core.errors import InputError, did_you_mean
from ablation.core.values import BelowOne, Count, NonNegative, Positive, Range, value

Betas = Annotated[tuple[float, float], Range(low=0, below=1)]
UpToOne = Annotated[float, Range(low=0, high=1)]

__all__ = [
    "ASGD",
    "SAM",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lookahead",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
]
"""The optimizers, which are public names of `ablation` and `ablation.optim`."""


@value
class SGD:
    """The learning rate has no default, where torch has 0.001: a good one depends on the network, so it is said.

    >>> SGD(lr=0.1, momentum=0.9).nesterov
    False
    """

    lr: Positive
    momentum: BelowOne = 0.0
    dampening: UpToOne = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False
    decay_norm_and_bias: bool = False

    def check(self) -> Iterator[str]:
        if self.nesterov and not self.momentum:
            yield "nesterov = True needs a momentum above 0"
        if self.nesterov and self.dampening:
            yield f"nesterov = True needs dampening = 0, got {self.dampening:g}"


@value
class Adam:
    """Adam (Kingma and Ba 2015), with L2 regularisation unless its decay is decoupled.

    >>> Adam().betas
    (0.9, 0.999)
    """

    lr: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False
    decoupled_weight_decay: bool = False
    decay_norm_and_bias: bool = False


@value
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    >>> AdamW(lr=3e-4).weight_decay
    0.01
    """

    lr: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 1e-2
    amsgrad: bool = False
    decay_norm_and_bias: bool = False


@value
class NAdam:
    """Adam with Nesterov momentum (Dozat 2016).

    >>> NAdam().momentum_decay
    0.004
    """

    lr: Positive = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False
    decay_norm_and_bias: bool = False


@value
class RAdam:
    """Adam with a rectified variance (Liu et al. 2020).

    >>> RAdam().lr
    0.001
    """

    lr: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    decay_norm_and_bias: bool = False


@value
class Adamax:
    """Adam by the largest gradient (Kingma and Ba 2015, section 7.1).

    >>> Adamax().lr
    0.002
    """

    lr: Positive = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    decay_norm_and_bias: bool = False


@value
class Adagrad:
    """Steps by the root of all squared gradients so far (Duchi et al. 2011).

    >>> Adagrad().lr_decay
    0.0
    """

    lr: Positive = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: Positive = 1e-10
    decay_norm_and_bias: bool = False


@value
class Adadelta:
    """Adagrad over a window, in the units of the weights (Zeiler 2012).

    >>> Adadelta().rho
    0.9
    """

    lr: Positive = 1.0
    rho: BelowOne = 0.9
    eps: Positive = 1e-6
    weight_decay: NonNegative = 0.0
    decay_norm_and_bias: bool = False


@value
class RMSprop:
    """Steps by the root of the running mean of squared gradients (Hinton 2012).

    >>> RMSprop(momentum=0.9).alpha
    0.99
    """

    lr: Positive = 1e-2
    alpha: BelowOne = 0.99
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: BelowOne = 0.0
    centered: bool = False
    decay_norm_and_bias: bool = False


@value
class Rprop:
    """Made for full batches: it looks at the signs of gradients only. It has no weight decay.

    `lr` is the size of the first step of every weight; from there sizes grow and shrink by themselves, and neither a
    schedule nor `head_lr_factor` reaches them after the first step.

    >>> Rprop().etas
    (0.5, 1.2)
    """

    lr: Positive = 1e-2
    etas: Annotated[tuple[float, float], Range(above=0)] = (0.5, 1.2)
    step_sizes: Annotated[tuple[float, float], Range(above=0)] = (1e-6, 50.0)

    weight_decay = 0.0

    def check(self) -> Iterator[str]:
        if not self.etas[0] < 1 < self.etas[1]:
            yield f"etas = {self.etas}: the first must be below 1 and the second above 1"
        if not self.step_sizes[0] <= self.step_sizes[1]:
            yield f"step_sizes = {self.step_sizes}: the first must be at most the second"


@value
class ASGD:
    """As in torch, the network is left with its last weights; their average stays within the optimizer, unused.

    `lambd` shrinks every parameter, biases too. A schedule's learning rate takes effect one step late.

    >>> ASGD().lambd
    0.0001
    """

    lr: Positive = 1e-2
    lambd: NonNegative = 1e-4
    alpha: NonNegative = 0.75
    t0: NonNegative = 1e6
    weight_decay: NonNegative = 0.0
    decay_norm_and_bias: bool = False


@value
class Adafactor:
    """torch steps by `lr` as it is, relative to the size of the weights: not by the paper's schedule of its own.

    >>> Adafactor().eps
    (None, 0.001)
    """

    lr: Positive = 1e-2
    beta2_decay: Annotated[float, Range(high=0)] = -0.8
    eps: Annotated[tuple[float | None, float], Range(low=0)] = (None, 1e-3)
    d: Annotated[float, Range(low=1)] = 1.0
    weight_decay: NonNegative = 0.0
    decay_norm_and_bias: bool = False


@value
class Muon:
    """Muon (Jordan et al. 2024) for the matrices between the first layer and the head; AdamW for all the rest.

    Muon makes the update of a matrix orthogonal, which means nothing for a bias, a norm or an embedding; its author
    leaves the head to Adam as well, and torch's refuses convolutions. Those are stepped by AdamW, whose steps have
    another size altogether and so a learning rate of their own: `adamw_lr`, 3e-4 as in torch's own example. A schedule
    moves both in proportion, and `weight_decay` holds for both. See `build_optimizer` for what counts as a matrix.

    >>> Muon(lr=0.02).adamw_lr
    0.0003
    """

    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.1
    momentum: BelowOne = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315)
    eps: Positive = 1e-7
    ns_steps: Annotated[int, Range(low=1, below=100)] = 5
    adjust_lr_fn: str | None = None
    adamw_lr: Positive = 3e-4
    decay_norm_and_bias: bool = False

    def check(self) -> Iterator[str]:
        allowed = ("original", "match_rms_adamw", "spectral_unclamped")
        if self.adjust_lr_fn not in (None, *allowed):
            got = f"adjust_lr_fn = {self.adjust_lr_fn!r}: expected None, {', '.join(map(repr, allowed))}"
            yield got + did_you_mean(str(self.adjust_lr_fn), allowed)


Plain = SGD | Adam | AdamW | NAdam | RAdam | Adamax | Adagrad | Adadelta | RMSprop | Rprop | ASGD | Adafactor | Muon
"""The optimizers that take one gradient a step."""


class _Around:
    """The learning rate and the weight decay of an optimizer around another are those of the one within."""

    optimizer: Any

    @property
    def lr(self) -> float:
        return float(self.optimizer.lr)

    @property
    def weight_decay(self) -> float:
        return float(self.optimizer.weight_decay)


@value
class SAM(_Around):
    """Sharpness-aware minimisation (Foret et al. 2021, equation 2): the gradient from `rho` up the slope, stepped here.

    Costs two gradients a step. `adaptive` measures the way up relative to each weight (Kwon et al. 2021, equation 8,
    with eta = 0), where a `rho` ten times as large is usual.

    >>> SAM(SGD(lr=0.1), rho=0.1).lr
    0.1
    """

    optimizer: Plain
    rho: Positive = 0.05
    adaptive: bool = False


@value
class Lookahead(_Around):
    """Every `k` steps of the optimizer, go back to `alpha` of the way (Zhang et al. 2019, algorithm 1).

    >>> Lookahead(SAM(AdamW()), k=6).weight_decay
    0.01
    """

    optimizer: Plain | SAM
    k: Count = 5
    alpha: Annotated[float, Range(above=0, high=1)] = 0.5


Optimizer = Plain | SAM | Lookahead


def with_values(optimizer: Optimizer, lr: float | None = None, weight_decay: float | None = None) -> Optimizer:
    """The optimizer with those fields replaced, within SAM and Lookahead too. None leaves a field as it is.

    Raises InputError for what is out of range, and for a weight decay where there is none to set but 0.
    """
    if isinstance(optimizer, SAM | Lookahead):
        return replace(optimizer, optimizer=with_values(optimizer.optimizer, lr, weight_decay))  # type: ignore[arg-type]
    name, own = type(optimizer).__name__, [field.name for field in fields(optimizer)]
    given = {key: number for key, number in (("lr", lr), ("weight_decay", weight_decay)) if number is not None}
    given = {key: number for key, number in given.items() if key in own or number}
    for field in given.keys() - set(own):
        raise InputError(f"{name} has no {field} to set to {given[field]:g} (its fields are {', '.join(own)})")
    return replace(optimizer, **given)  # type: ignore[arg-type]
