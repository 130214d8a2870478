"""Steps that torch has not: SAM, Lookahead, two optimizers at work on one network, and the average of its weights.

Each optimizer has the interface of torch's own, `Stepper`, around others of torch's (or another of these): the
parameter groups and their learning rates are those of the ones within. They know nothing of the values that an
experiment names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Closure = Callable[[], Any]
"""Zeroes the gradients, runs the network forward and backward, and returns the loss."""


class Stepper(Protocol):
    """What a training loop needs of an optimizer; torch's have it.

    `step` calls the closure at least once, changes the parameters, and returns the loss that they had before.
    """

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...
    def step(self, closure: Closure, /) -> Any: ...
    def zero_grad(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


def _parameters(stepper: Stepper | Around) -> list[Tensor]:
    return [parameter for group in stepper.param_groups for parameter in group["params"]]


class Around:
    """What is the same for all that step through optimizers within: their groups and gradients are its own."""

    def __init__(self, *within: Stepper):
        self.within = within

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for stepper in self.within for group in stepper.param_groups]

    def zero_grad(self) -> None:
        for stepper in self.within:
            stepper.zero_grad()


class Together(Around):
    """Several optimizers, each over parameters of its own, stepped by one gradient."""

    def step(self, closure: Closure, /) -> Any:
        loss = closure()
        for stepper in self.within:
            stepper.step(lambda: loss)
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"within": [stepper.state_dict() for stepper in self.within]}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        for stepper, saved in zip(self.within, state["within"], strict=True):
            stepper.load_state_dict(saved)


class SharpnessAware(Around):
    """SAM (Foret et al. 2021, algorithm 1): climb by e, take the gradient there, step with it from where it began.

    e = rho g / |g| (equation 2), the norm over all parameters together; adaptive: e = rho w^2 g / | |w| g |.
    `buffers` (running statistics of batch norm) keep what the first pass gave them: the weights of the second are never
    the network's. Dropout draws another mask for the second pass.
    """

    def __init__(self, within: Stepper, rho: float, adaptive: bool = False, buffers: Iterable[Tensor] = ()):
        super().__init__(within)
        self.rho, self.adaptive, self.buffers = rho, adaptive, tuple(buffers)

    def step(self, closure: Closure, /) -> Any:
        loss = closure()
        learned = [parameter for parameter in _parameters(self) if parameter.grad is not None]
        kept = [(tensor, tensor.detach().clone()) for tensor in (*learned, *self.buffers)]
        self._climb(learned)
        closure()
        with torch.no_grad():
            for tensor, before in kept:  # copied back: subtracting what was added would lose bits
                tensor.copy_(before)
        self.within[0].step(lambda: loss)
        return loss

    @torch.no_grad()
    def _climb(self, parameters: list[Tensor]) -> None:
        slopes = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.adaptive:
            slopes = [parameter.abs() * slope for parameter, slope in zip(parameters, slopes, strict=True)]
        length = self.rho / (get_total_norm(slopes) + 1e-12)
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.add_(slope * length * (parameter.abs() if self.adaptive else 1.0))

    def state_dict(self) -> dict[str, Any]:
        return self.within[0].state_dict()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.within[0].load_state_dict(state)


class SlowWeights(Around):
    """Lookahead (Zhang et al. 2019, algorithm 1): every `k` steps the slow weights go `alpha` of the way to the fast
    ones, which go on from there. Between, the network holds the fast weights, and is evaluated with them.

    What the optimizer within remembers of gradients is kept, the paper's default.
    """

    def __init__(self, within: Stepper, k: int, alpha: float):
        super().__init__(within)
        self.k, self.alpha, self.taken = k, alpha, 0
        self.slow = [parameter.detach().clone() for parameter in _parameters(within)]

    def step(self, closure: Closure, /) -> Any:
        loss = self.within[0].step(closure)
        self.taken += 1
        if self.taken % self.k == 0:
            self._meet()
        return loss

    @torch.no_grad()
    def _meet(self) -> None:
        for slow, fast in zip(self.slow, _parameters(self), strict=True):
            slow.add_(fast - slow, alpha=self.alpha)
            fast.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        return {"within": self.within[0].state_dict(), "slow": self.slow, "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.within[0].load_state_dict(state["within"])
        for slow, saved in zip(self.slow, state["slow"], strict=True):
            slow.copy_(saved)
        self.taken = state["taken"]


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of `model`, in `.module`, that follows it as the exponential moving average of its parameters.

    Call `update_parameters(model)` after each step: the first call copies, each later one makes
    average = decay x average + (1 - decay) x parameter. That remembers some 1 / (1 - decay) steps, so a training needs
    several times as many, or the average is still near where it began. `state_dict` holds the average and the number of
    updates. The copy is not trained: it is in evaluation mode and asks for no gradients.

    The running statistics of batch norm are averaged alike: those of the model itself belong to other weights, and with
    them an average can fall to the accuracy of chance. Whole numbers (counts of batches, tables of indices) are copied.
    """
    moving_average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    def follow(averages: Any, currents: Any, updates: Any) -> None:
        """torch calls this for the tensors of each kind of number; its own function rounds whole numbers down."""
        if averages[0].is_floating_point():
            moving_average(averages, currents, updates)
        else:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True).requires_grad_(False).eval()
