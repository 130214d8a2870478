"""A small network with a little of everything that has parameters, and steps of it on fixed images."""

import io
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ablation import optim


class Small(nn.Module):
    """As the networks of experiments: a backbone, then one linear layer called `head`."""

    def __init__(self, hidden: bool = True):
        super().__init__()
        layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()]
        self.backbone = nn.Sequential(*layers, *([nn.Linear(16, 8), nn.ReLU()] if hidden else []))
        self.head = nn.Linear(8 if hidden else 16, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images))


def network(hidden: bool = True) -> Small:
    """The same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return Small(hidden)


def closure_of(model: nn.Module, step: int = 0) -> Callable[[], torch.Tensor]:
    """Gradients of the loss on the images of `step`, anew each time it is called."""
    images = torch.linspace(-1, 1, 8 * 3 * 16).mul(1 + step).sin().view(8, 3, 4, 4)
    labels = (torch.arange(8) + step) % 3

    def closure() -> torch.Tensor:
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        return loss.detach()

    return closure


def stepped(model: nn.Module, optimizer, first: int = 0, last: int = 20) -> list[float]:
    """Take the steps from `first` to before `last`; the loss of each."""
    return [float(optimizer.step(closure_of(model, step))) for step in range(first, last)]


def through_a_file(state: dict) -> dict:
    """What a checkpoint gives back, where no code may be loaded."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same(one: nn.Module, other: nn.Module) -> bool:
    """Every parameter and every running statistic alike, to the last bit."""
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, its) for mine, its in states)


CASES = [
    optim.SGD(0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    optim.SGD(0.1, momentum=0.8, dampening=0.3),
    optim.SGD(0.1),
    optim.Adam(0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, amsgrad=True),
    optim.Adam(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    optim.AdamW(0.01, weight_decay=0.1),
    optim.NAdam(0.01, weight_decay=0.1, momentum_decay=0.01, decoupled_weight_decay=True),
    optim.RAdam(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    optim.Adamax(0.01, weight_decay=0.1),
    optim.Adagrad(0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
    optim.Adadelta(0.5, rho=0.8, weight_decay=0.1),
    optim.RMSprop(0.01, alpha=0.9, weight_decay=0.1, momentum=0.5, centered=True),
    optim.Rprop(0.001, etas=(0.4, 1.3), step_sizes=(1e-5, 0.1)),
    optim.ASGD(0.05, lambd=0.01, alpha=0.5, t0=5, weight_decay=0.1),
    optim.Adafactor(0.01, beta2_decay=-0.7, eps=(1e-6, 1e-2), d=1.5, weight_decay=0.1),
    optim.Muon(0.02, momentum=0.9, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
]


WRAPPED = [
    optim.SAM(optim.SGD(0.1, momentum=0.9)),
    optim.SAM(optim.Adam(), adaptive=True),
    optim.Lookahead(optim.AdamW(0.01), k=4),
    optim.Lookahead(optim.SAM(optim.Muon()), 3),
]


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)


every_kind = pytest.mark.parametrize("kind", {type(case): None for case in CASES}, ids=lambda kind: kind.__name__)
