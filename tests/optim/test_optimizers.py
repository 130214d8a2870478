"""Optimizers, as values: they have torch's fields and defaults, say what is out of range, and need no torch."""

import inspect
import json
import math
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from typing import get_args

import pytest
import torch
from stepped import CASES, WRAPPED, every_kind

from ablation import optim
from ablation.core.errors import InputError
from ablation.core.values import plain, restore
from ablation.optim import (
    ASGD,
    SAM,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Lookahead,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    Schedule,
    optimizers,
    schedules,
    with_values,
)


def test_every_optimizer_has_its_case_here():
    assert {type(case) for case in (*CASES, *WRAPPED)} == set(get_args(Optimizer))


def test_what_the_type_allows_is_what_is_public():
    """`ablation.optim` has these classes and no other: nothing that its modules import for themselves."""
    assert sorted(optimizers.__all__) == sorted(kind.__name__ for kind in get_args(Optimizer))
    assert sorted(schedules.__all__) == sorted(kind.__name__ for kind in get_args(Schedule))
    classes = {thing for thing in vars(optim).values() if inspect.isclass(thing)}
    assert classes == {*get_args(Optimizer), *get_args(Schedule)}


LEFT_OUT = {"self", "params", "foreach", "fused", "capturable", "differentiable", "maximize"}


@every_kind
def test_fields_and_defaults_are_torchs(kind):
    torchs = {
        name: parameter.default
        for name, parameter in inspect.signature(getattr(torch.optim, kind.__name__)).parameters.items()
        if name not in LEFT_OUT
    }
    ours = {field.name: field.default for field in fields(kind)}
    assert ours.pop("decay_norm_and_bias", None) is (None if kind is Rprop else False)
    if kind is SGD:
        assert ours["lr"] is MISSING, "torch has a default, we want it said"
        del ours["lr"], torchs["lr"]
    if kind is Muon:
        assert ours.pop("adamw_lr") == 3e-4
    assert ours == torchs
    assert list(ours) == list(torchs), "and they may be given by their places"


def test_values_replace_those_of_the_optimizer_within():
    assert with_values(SGD(0.1, momentum=0.9), lr=0.3) == SGD(0.3, momentum=0.9)
    assert with_values(AdamW(), weight_decay=0.0) == AdamW(weight_decay=0.0)
    assert with_values(AdamW()) == AdamW()
    nested = with_values(Lookahead(SAM(AdamW(), rho=0.1), k=7), lr=0.5, weight_decay=0.2)
    assert nested == Lookahead(SAM(AdamW(0.5, weight_decay=0.2), rho=0.1), k=7)
    assert (nested.lr, nested.weight_decay) == (0.5, 0.2)
    assert with_values(Rprop(), lr=0.5) == Rprop(0.5)
    assert Rprop().weight_decay == 0.0


def test_values_that_cannot_be_set_are_refused():
    with pytest.raises(InputError, match=r"Rprop has no weight_decay to set to 0.1 \(its fields are lr, etas"):
        with_values(Lookahead(Rprop()), weight_decay=0.1)
    with pytest.raises(InputError, match=r"Adam: lr = -1: must be above 0"):
        with_values(SAM(Adam()), lr=-1)


@pytest.mark.parametrize("case", [*CASES, *WRAPPED], ids=lambda case: type(case).__name__)
def test_an_optimizer_survives_its_plain_form(case):
    classes = {kind.__name__: kind for kind in get_args(Optimizer)}
    restored = restore(json.loads(json.dumps(plain(case))), classes)
    assert restored == case
    assert json.dumps(plain(restored)) == json.dumps(plain(case))
    assert replace(case) == case


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0), r"SGD: lr = 0: must be above 0"),
        (lambda: SGD(math.inf), r"SGD: lr = inf: expected a finite number"),
        (lambda: SGD(0.1, momentum=1), r"momentum = 1: must be at least 0 and below 1"),
        (lambda: SGD(0.1, dampening=1.1), r"dampening = 1.1: must be at least 0 and at most 1"),
        (lambda: SGD(0.1, nesterov=True), r"SGD: nesterov = True needs a momentum above 0"),
        (lambda: SGD(0.1, 0.9, 0.1, nesterov=True), r"nesterov = True needs dampening = 0, got 0.1"),
        (lambda: Adam(betas=(0.9, 1)), r"Adam: betas = \(0.9, 1\): must be at least 0 and below 1"),
        (lambda: Adam(eps=0), r"eps = 0: must be above 0"),
        (lambda: AdamW(weight_decay=-0.1), r"AdamW: weight_decay = -0.1: must be at least 0"),
        (lambda: NAdam(momentum_decay=-0.1), r"momentum_decay = -0.1: must be at least 0"),
        (lambda: RAdam(lr=-1), r"RAdam: lr = -1: must be above 0"),
        (lambda: Adagrad(lr_decay=-1), r"lr_decay = -1: must be at least 0"),
        (lambda: Adadelta(rho=1), r"rho = 1: must be at least 0 and below 1"),
        (lambda: RMSprop(alpha=1), r"alpha = 1: must be at least 0 and below 1"),
        (lambda: Rprop(etas=(1.1, 1.2)), r"Rprop: etas = \(1.1, 1.2\): the first must be below 1"),
        (lambda: Rprop(step_sizes=(2, 1)), r"step_sizes = \(2.0, 1.0\): the first must be at most the second"),
        (lambda: Rprop(weight_decay=0.1), r"Rprop has no field 'weight_decay'"),
        (lambda: ASGD(lambd=-1), r"lambd = -1: must be at least 0"),
        (lambda: Adafactor(beta2_decay=0.1), r"beta2_decay = 0.1: must be at most 0"),
        (lambda: Adafactor(d=0.5), r"d = 0.5: must be at least 1"),
        (lambda: Adafactor(eps=(None, -1)), r"eps = \(None, -1\): must be at least 0"),
        (lambda: Muon(ns_steps=100), r"ns_steps = 100: must be at least 1 and below 100"),
        (lambda: Muon(adjust_lr_fn="orignal"), r"expected None, 'original', .*did you mean 'original'\?"),
        (lambda: SAM(Adam(), rho=0), r"SAM: rho = 0: must be above 0"),
        (lambda: SAM(SAM(Adam())), r"SAM: optimizer = SAM\(.*: expected SGD, Adam, AdamW or any of \d+ others"),
        (lambda: Lookahead(Adam(), k=0), r"Lookahead: k = 0: must be at least 1"),
        (lambda: Lookahead(Adam(), alpha=1.5), r"alpha = 1.5: must be above 0 and at most 1"),
        (lambda: Lookahead("adam"), r"expected SGD, .*did you mean 'Adam'\?"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_field_and_bounds(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_values_come_without_torch(environment):
    script = "import sys; import ablation.optim; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "False"
