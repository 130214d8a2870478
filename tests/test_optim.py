"""Optimizers step like torch's own, decay falls on weights only, and schedules follow torch's curves."""

import math
from dataclasses import fields, replace

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from ablation.errors import InputError
from ablation.optim import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    NAdam,
    OneCycle,
    Optimizer,
    RMSprop,
    Step,
    build_optimizer,
    lr_factor,
)

CASES = [
    SGD(0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    SGD(0.1),
    Adam(0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, amsgrad=True),
    AdamW(0.01, weight_decay=0.1),
    NAdam(0.01, weight_decay=0.1, momentum_decay=0.01, decoupled_weight_decay=True),
    RMSprop(0.01, alpha=0.9, weight_decay=0.1, momentum=0.5, centered=True),
    Adagrad(0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
]
assert {type(case) for case in CASES} == set(Optimizer.__args__), "every optimizer needs its case here"


def network() -> nn.Module:
    """A little of everything that has parameters, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def trained(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters after five steps on fixed images."""
    images = torch.linspace(-1, 1, 8 * 3 * 16).sin().view(8, 3, 4, 4)
    labels = torch.arange(8) % 3
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return [parameter.detach() for parameter in model.parameters()]


def torchs_own(case: Optimizer, parameters) -> torch.optim.Optimizer:
    settings = {field.name: getattr(case, field.name) for field in fields(case) if field.name != "decay_norm_and_bias"}
    return getattr(torch.optim, type(case).__name__)(parameters, **settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)
def test_five_steps_are_torchs_own_to_the_last_bit(case):
    ours, theirs = network(), network()
    got = trained(ours, build_optimizer(replace(case, decay_norm_and_bias=True), ours))
    expected = trained(theirs, torchs_own(case, theirs.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))
    assert not torch.equal(got[0], next(network().parameters()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)
def test_our_defaults_are_torchs(case):
    ours = {field.name: field.default for field in fields(case) if field.name != "decay_norm_and_bias"}
    torchs = getattr(torch.optim, type(case).__name__)([nn.Parameter(torch.zeros(1))], lr=1.0).defaults
    if isinstance(case, SGD):
        del ours["lr"]  # torch has a default, we want it said
    else:
        assert ours.pop("lr") == torchs_own_lr(case)
    assert ours == {name: torchs[name] for name in ours}


def torchs_own_lr(case: Optimizer) -> float:
    return getattr(torch.optim, type(case).__name__)([nn.Parameter(torch.zeros(1))]).defaults["lr"]


def test_decay_falls_on_weights_and_on_nothing_else():
    model = network()
    conv, norm, head = model[0], model[1], model[4]
    decayed, spared = build_optimizer(AdamW(weight_decay=0.3), model).param_groups
    assert [id(p) for p in decayed["params"]] == [id(conv.weight), id(head.weight)]
    assert [id(p) for p in spared["params"]] == [id(p) for p in (conv.bias, norm.weight, norm.bias, head.bias)]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    assert decayed["lr"] == spared["lr"] == 1e-3


def test_the_option_asks_for_torchs_behaviour_decay_on_everything():
    (group,) = build_optimizer(AdamW(weight_decay=0.3, decay_norm_and_bias=True), network()).param_groups
    assert len(group["params"]) == 6
    assert group["weight_decay"] == 0.3


def test_frozen_parameters_are_left_out():
    model = network()
    model[0].requires_grad_(False)
    groups = build_optimizer(SGD(0.1), model).param_groups
    assert sum(len(group["params"]) for group in groups) == 4


STEPS, EPOCHS = 7, 12  # a step count that no schedule divides evenly


def torchs_curve(scheduler, steps: int = STEPS * EPOCHS, **settings) -> list[float]:
    """The learning rate at each step, of a scheduler over an optimizer with lr = 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, curve = scheduler(optimizer, **settings), []
    for _ in range(steps):
        curve.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return curve


def our_curve(schedule, epochs: int = EPOCHS) -> list[float]:
    return [lr_factor(schedule, step, STEPS, epochs) for step in range(STEPS * epochs)]


def test_cosine_is_torchs():
    expected = torchs_curve(lr_scheduler.CosineAnnealingLR, T_max=STEPS * EPOCHS, eta_min=0.05)
    assert our_curve(Cosine(final=0.05)) == pytest.approx(expected, abs=1e-12)


def test_step_is_torchs():
    expected = torchs_curve(lr_scheduler.StepLR, step_size=5 * STEPS, gamma=0.3)
    assert our_curve(Step(every=5, gamma=0.3)) == pytest.approx(expected, rel=1e-12)


def test_one_cycle_is_torchs_within_a_step():
    """torch ends its rise and fall on the last step inside them, we on the first after: we lag by up to a step."""
    settings = {"pct_start": 0.25, "div_factor": 20.0, "final_div_factor": 100.0}
    steps, rise = STEPS * EPOCHS, STEPS * EPOCHS // 4
    torchs = torchs_curve(
        lr_scheduler.OneCycleLR, steps, max_lr=1.0, total_steps=steps, cycle_momentum=False, **settings
    )
    ours = our_curve(OneCycle(**settings))
    assert ours[0] == pytest.approx(1 / 20) == pytest.approx(torchs[0])
    for step in range(1, rise):
        assert torchs[step - 1] <= ours[step] <= torchs[step]
    assert ours[rise] == 1.0
    assert ours[rise:] == pytest.approx(torchs[rise - 1 : -1], abs=1e-12)


def test_constant_is_one():
    assert our_curve(Constant()) == [1.0] * (STEPS * EPOCHS)


@pytest.mark.parametrize("schedule", [Constant(3), Cosine(3), Step(4, warmup=3)])
def test_warm_up_rises_in_equal_steps_to_one_and_the_schedule_starts_there(schedule):
    curve, warm = our_curve(schedule), 3 * STEPS
    assert curve[: warm + 1] == pytest.approx([(step + 1) / warm for step in range(warm)] + [1.0])
    assert curve[warm:] == our_curve(replace(schedule, warmup=0), EPOCHS - 3)


def test_warm_up_longer_than_the_training_is_only_a_rise():
    assert our_curve(Cosine(warmup=5), epochs=2) == pytest.approx(
        [(step + 1) / (5 * STEPS) for step in range(2 * STEPS)]
    )


def test_the_factor_depends_on_the_step_alone():
    schedule = Cosine(2)
    assert [lr_factor(schedule, step, STEPS, EPOCHS) for step in (50, 3, 50)] == [
        our_curve(schedule)[step] for step in (50, 3, 50)
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Step(0), lambda: Step(5, gamma=0), lambda: Cosine(-1), lambda: Cosine(final=1.1), lambda: Constant(1.5),
        lambda: OneCycle(pct_start=0), lambda: OneCycle(pct_start=1), lambda: OneCycle(div_factor=0.5),
        lambda: Adam(betas=(0.9, 1)), lambda: Adam(eps=0), lambda: RMSprop(alpha=1), lambda: Adagrad(lr_decay=-1),
        lambda: NAdam(momentum_decay=-0.1), lambda: AdamW(weight_decay=-0.1), lambda: SGD(math.inf),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused(make):
    with pytest.raises(InputError, match=r"must be|expected"):
        make()
