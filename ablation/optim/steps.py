"""Optimizers that torch has not: SAM, Lookahead, and two optimizers at work on one network.

Each has the interface of torch's own, `Stepper`, around a torch optimizer (or another of these): the parameter groups
and their learning rates are those of the one within. They know nothing of the values that an experiment names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

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


def _parameters(stepper: Stepper) -> list[Tensor]:
    return [parameter for group in stepper.param_groups for parameter in group["params"]]


class SharpnessAware:
    """SAM (Foret et al. 2021, algorithm 1): climb by e, take the gradient there, step with it from where it began.

    e = rho g / |g| (equation 2), the norm over all parameters together; adaptive: e = rho w^2 g / | |w| g |.
    `buffers` (running statistics of batch norm) keep what the first pass gave them: the weights of the second are never
    the network's. Dropout draws another mask for the second pass.
    """

    def __init__(self, within: Stepper, rho: float, adaptive: bool = False, buffers: Iterable[Tensor] = ()):
        self.within, self.rho, self.adaptive = within, rho, adaptive
        self.buffers = tuple(buffers)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.within.param_groups

    def zero_grad(self) -> None:
        self.within.zero_grad()

    def step(self, closure: Closure, /) -> Any:
        loss = closure()
        learned = [parameter for parameter in _parameters(self.within) if parameter.grad is not None]
        kept = [(tensor, tensor.detach().clone()) for tensor in (*learned, *self.buffers)]
        self._climb(learned)
        closure()
        with torch.no_grad():
            for tensor, before in kept:  # copied back: subtracting what was added would lose bits
                tensor.copy_(before)
        self.within.step(lambda: loss)
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
        return self.within.state_dict()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.within.load_state_dict(state)


class SlowWeights:
    """Lookahead (Zhang et al. 2019, algorithm 1): every `k` steps the slow weights go `alpha` of the way to the fast
    ones, which go on from there. Between, the network holds the fast weights, and is evaluated with them.

    What the optimizer within remembers of gradients is kept, the paper's default.
    """

    def __init__(self, within: Stepper, k: int, alpha: float):
        self.within, self.k, self.alpha = within, k, alpha
        self.slow = [parameter.detach().clone() for parameter in _parameters(within)]
        self.taken = 0

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.within.param_groups

    def zero_grad(self) -> None:
        self.within.zero_grad()

    def step(self, closure: Closure, /) -> Any:
        loss = self.within.step(closure)
        self.taken += 1
        if self.taken % self.k == 0:
            self._meet()
        return loss

    @torch.no_grad()
    def _meet(self) -> None:
        for slow, fast in zip(self.slow, _parameters(self.within), strict=True):
            slow.add_(fast - slow, alpha=self.alpha)
            fast.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        return {"within": self.within.state_dict(), "slow": self.slow, "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.within.load_state_dict(state["within"])
        for slow, saved in zip(self.slow, state["slow"], strict=True):
            slow.copy_(saved)
        self.taken = state["taken"]


class Together:
    """Several optimizers, each over parameters of its own, stepped by one gradient."""

    def __init__(self, *within: Stepper):
        self.within = within

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for stepper in self.within for group in stepper.param_groups]

    def zero_grad(self) -> None:
        for stepper in self.within:
            stepper.zero_grad()

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
