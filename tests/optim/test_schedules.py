"""Schedules follow torch's curves: to the last bit where torch has a closed form, OneCycle and Plateau as they run."""

import math
from dataclasses import fields, replace
from inspect import signature
from typing import get_args

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from ablation.core.errors import InputError
from ablation.core.values import plain, restore
from ablation.optim import (
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    learning_rate,
)

LR, STEPS, EPOCHS = 0.3, 7, 12  # a step count that no schedule divides evenly
TOTAL = STEPS * EPOCHS


def curve(schedule: Schedule, epochs: int = EPOCHS) -> list[float]:
    """Ours, step by step."""
    return [learning_rate(schedule, LR, step, STEPS, epochs) for step in range(STEPS * epochs)]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)


def closed_form(kind: type, length: int, **settings) -> list[float]:
    """What torch's formula says at each call of the scheduler, without the rounding of the calls before."""
    schedule, rates = kind(optimizer(), **settings), []
    for call in range(length):
        schedule.last_epoch = call
        rates += schedule._get_closed_form_lr()
    return rates


def as_it_runs(kind: type, length: int, **settings) -> list[float]:
    """What torch's scheduler sets at each call, from what it had set before."""
    stepped, rates = optimizer(), []
    schedule = kind(stepped, **settings)
    for _ in range(length):
        rates.append(stepped.param_groups[0]["lr"])
        stepped.step()
        schedule.step()
    return rates


# ours, torch's, with which settings, and how many of our steps lie between two calls of torch's
TWINS = [
    (Step(every=5, gamma=0.3), lr_scheduler.StepLR, {"step_size": 5, "gamma": 0.3}, STEPS),
    (MultiStep((2, 3, 9), gamma=0.3), lr_scheduler.MultiStepLR, {"milestones": [2, 3, 9], "gamma": 0.3}, STEPS),
    (Exponential(0.9), lr_scheduler.ExponentialLR, {"gamma": 0.9}, STEPS),
    (Cosine(), lr_scheduler.CosineAnnealingLR, {"T_max": TOTAL}, 1),
    (Cosine(final=0.05), lr_scheduler.CosineAnnealingLR, {"T_max": TOTAL, "eta_min": 0.05 * LR}, 1),
    (Polynomial(), lr_scheduler.PolynomialLR, {"total_iters": TOTAL}, 1),
    (Polynomial(2.5), lr_scheduler.PolynomialLR, {"total_iters": TOTAL, "power": 2.5}, 1),
]


@pytest.mark.parametrize(("schedule", "kind", "settings", "every"), TWINS, ids=lambda given: type(given).__name__)
def test_the_learning_rate_is_torchs_closed_form_to_the_last_bit(schedule, kind, settings, every):
    ours, calls = curve(schedule), TOTAL // every
    assert [ours[call * every] for call in range(calls)] == closed_form(kind, calls, **settings)
    assert ours == [ours[step // every * every] for step in range(TOTAL)], "and is still between two calls"
    assert ours[::every] == pytest.approx(as_it_runs(kind, calls, **settings), rel=1e-12)
    assert len(set(ours)) > 2


@pytest.mark.parametrize(("pct_start", "epochs"), [(0.3, EPOCHS), (0.25, EPOCHS), (0.77, 3), (0.05, 3), (0.01, 3)])
def test_one_cycle_is_torchs_to_the_last_bit(pct_start, epochs):
    settings = {"pct_start": pct_start, "div_factor": 20.0, "final_div_factor": 100.0}
    ours, total = curve(OneCycle(**settings), epochs), STEPS * epochs
    torchs = as_it_runs(lr_scheduler.OneCycleLR, total, max_lr=LR, total_steps=total, cycle_momentum=False, **settings)
    assert ours == torchs
    assert ours[-1] == pytest.approx(LR / 2000)


def test_one_cycle_of_a_rise_of_one_step_starts_at_its_peak():
    """Where torch divides by zero."""
    assert learning_rate(OneCycle(pct_start=0.25), LR, 0, 4, 1) == LR
    assert learning_rate(OneCycle(), LR, 0, 1, 1) == pytest.approx(LR / 25e4), "a training of one step is its end"


LOSSES = [
    1.0,
    0.5,
    0.5,
    0.49999,
    0.6,
    0.4,
    0.41,
    None,
    0.42,
    0.43,
    0.3,
    0.35,
    0.29999,
    0.31,
    0.32,
    0.33,
    0.34,
    *[0.3] * 5,
]
PLATEAUS = [
    Plateau(patience=1),
    Plateau(factor=0.5, patience=2, threshold=0.01, threshold_mode="abs", cooldown=2),
    Plateau(factor=0.5, patience=0, threshold=0.2, min_lr=0.02),
    Plateau(factor=0.1, patience=0, eps=1e-3),
    Plateau(patience=3, cooldown=1, threshold=0.0),
]


@pytest.mark.parametrize("schedule", PLATEAUS)
@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_plateau_is_torchs_to_the_last_bit(schedule, lost):
    stepped = optimizer()
    settings = {field.name: getattr(schedule, field.name) for field in fields(schedule) if field.name != "warmup"}
    torchs, expected = lr_scheduler.ReduceLROnPlateau(stepped, **settings), [LR]
    for loss in LOSSES[:-1]:
        torchs.step(lost if loss is None else loss)
        expected.append(stepped.param_groups[0]["lr"])
    ours = [
        learning_rate(schedule, LR, epoch * STEPS + step, STEPS, len(LOSSES), LOSSES[:epoch])
        for epoch in range(len(LOSSES))
        for step in (0, STEPS - 1)
    ]
    assert ours == [rate for rate in expected for _ in range(2)]
    assert len(set(ours)) > 1


def test_plateau_looks_at_finished_epochs_after_the_warm_up_alone():
    schedule = Plateau(patience=0, factor=0.5, warmup=2)
    losses = [0.1, 9.0, 5.0, 6.0, 4.0, 7.0]

    def at(epoch: int) -> float:
        return learning_rate(schedule, 1.0, epoch * STEPS, STEPS, EPOCHS, losses)

    assert [at(epoch) for epoch in (2, 3, 4, 5, 6)] == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_defaults_are_torchs():
    torchs = signature(lr_scheduler.ReduceLROnPlateau).parameters
    assert {field.name: field.default for field in fields(Plateau) if field.name != "warmup"} == {
        name: parameter.default for name, parameter in torchs.items() if name not in ("optimizer", "mode")
    }
    assert torchs["mode"].default == "min"
    for ours, theirs in [(Step(1), lr_scheduler.StepLR), (MultiStep((1,)), lr_scheduler.MultiStepLR)]:
        assert ours.gamma == signature(theirs).parameters["gamma"].default
    assert Polynomial().power == signature(lr_scheduler.PolynomialLR).parameters["power"].default
    for name in ("pct_start", "div_factor", "final_div_factor"):
        assert getattr(OneCycle(), name) == signature(lr_scheduler.OneCycleLR).parameters[name].default


def test_constant_is_constant():
    assert curve(Constant()) == [LR] * TOTAL


WARM = [Constant(3), Cosine(3), Step(4, warmup=3), MultiStep((2, 4), warmup=3), Polynomial(2.0, 3), Exponential(0.8, 3)]


@pytest.mark.parametrize("schedule", [*WARM, Plateau(warmup=3)], ids=lambda schedule: type(schedule).__name__)
def test_warm_up_rises_as_torchs_linear_and_the_schedule_starts_where_it_ends(schedule):
    ours, warm = curve(schedule), 3 * STEPS
    torchs = closed_form(lr_scheduler.LinearLR, warm, start_factor=1 / warm, total_iters=warm - 1)
    assert ours[:warm] == pytest.approx(torchs, rel=1e-12)
    assert ours[warm - 1 : warm + 1] == [LR, LR]
    assert ours[warm:] == curve(replace(schedule, warmup=0), EPOCHS - 3)


def test_every_schedule_is_tested_with_a_warm_up_but_that_with_a_rise_of_its_own():
    assert {type(schedule) for schedule in (*WARM, Plateau())} == {*get_args(Schedule)} - {OneCycle}


def test_warm_up_longer_than_the_training_is_only_a_rise():
    assert curve(Cosine(warmup=5), epochs=2) == pytest.approx(
        [LR * (step + 1) / (5 * STEPS) for step in range(2 * STEPS)]
    )


@pytest.mark.parametrize("schedule", [*WARM, OneCycle(), *PLATEAUS], ids=repr)
def test_a_schedule_survives_its_plain_form(schedule):
    assert restore(plain(schedule), {kind.__name__: kind for kind in get_args(Schedule)}) == schedule


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(0), r"Step: every = 0: must be at least 1"),
        (lambda: Step(5, gamma=0), r"gamma = 0: must be above 0"),
        (lambda: MultiStep(()), r"milestones = \(\): expected rising numbers of epochs, at least one"),
        (lambda: MultiStep((3, 3)), r"milestones = \(3, 3\): expected rising"),
        (lambda: MultiStep((0, 3)), r"milestones = \(0, 3\): must be at least 1"),
        (lambda: MultiStep((1.5,)), r"expected a whole number"),
        (lambda: Cosine(-1), r"Cosine: warmup = -1: must be at least 0"),
        (lambda: Cosine(final=1.1), r"final = 1.1: must be at least 0 and at most 1"),
        (lambda: Constant(1.5), r"warmup = 1.5: expected a whole number"),
        (lambda: OneCycle(pct_start=0), r"pct_start = 0: must be above 0 and below 1"),
        (lambda: OneCycle(pct_start=1), r"pct_start = 1: must be above 0 and below 1"),
        (lambda: OneCycle(div_factor=0.5), r"div_factor = 0.5: must be at least 1"),
        (lambda: OneCycle(warmup=2), r"OneCycle has no field 'warmup'"),
        (lambda: Polynomial(0), r"Polynomial: power = 0: must be above 0"),
        (lambda: Exponential(0), r"Exponential: gamma = 0: must be above 0"),
        (lambda: Plateau(factor=1), r"Plateau: factor = 1: must be above 0 and below 1"),
        (lambda: Plateau(patience=-1), r"patience = -1: must be at least 0"),
        (lambda: Plateau(threshold=1), r"threshold = 1: must be below 1 where threshold_mode is 'rel'"),
        (lambda: Plateau(threshold_mode="relative"), r"threshold_mode = 'relative': expected one of 'rel', 'abs'"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_field_and_bounds(make, message):
    with pytest.raises(InputError, match=message):
        make()
