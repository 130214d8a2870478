"""Optimizers have torch's fields and take torch's steps, and decay falls on weights only."""

import inspect
import math
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from typing import get_args

import pytest
import torch
from stepped import Small, closure_of, network, same, stepped, through_a_file
from torch import nn

from ablation.errors import InputError
from ablation.models.macs import Unfilled
from ablation.models.networks import build
from ablation.optim import (
    ASGD,
    SAM,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lookahead,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    build_optimizer,
    describe_groups,
    set_lr,
    with_values,
)
from ablation.optim.build import matrices
from ablation.values import plain, restore

CASES = [
    SGD(0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    SGD(0.1, momentum=0.8, dampening=0.3),
    SGD(0.1),
    Adam(0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, amsgrad=True),
    Adam(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    AdamW(0.01, weight_decay=0.1),
    NAdam(0.01, weight_decay=0.1, momentum_decay=0.01, decoupled_weight_decay=True),
    RAdam(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    Adamax(0.01, weight_decay=0.1),
    Adagrad(0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
    Adadelta(0.5, rho=0.8, weight_decay=0.1),
    RMSprop(0.01, alpha=0.9, weight_decay=0.1, momentum=0.5, centered=True),
    Rprop(0.001, etas=(0.4, 1.3), step_sizes=(1e-5, 0.1)),
    ASGD(0.05, lambd=0.01, alpha=0.5, t0=5, weight_decay=0.1),
    Adafactor(0.01, beta2_decay=-0.7, eps=(1e-6, 1e-2), d=1.5, weight_decay=0.1),
    Muon(0.02, momentum=0.9, ns_steps=4, adjust_lr_fn="match_rms_adamw"),
]
WRAPPED = [
    SAM(SGD(0.1, momentum=0.9)),
    SAM(Adam(), adaptive=True),
    Lookahead(AdamW(0.01), k=4),
    Lookahead(SAM(Muon()), 3),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)
every_kind = pytest.mark.parametrize("kind", {type(case): None for case in CASES}, ids=lambda kind: kind.__name__)


def test_every_optimizer_has_its_case_here():
    assert {type(case) for case in (*CASES, *WRAPPED)} == set(get_args(Optimizer))


def torchs_own(case: Optimizer, parameters) -> torch.optim.Optimizer:
    ours = ("decay_norm_and_bias", "adamw_lr")
    settings = {field.name: getattr(case, field.name) for field in fields(case) if field.name not in ours}
    return getattr(torch.optim, type(case).__name__)(parameters, **settings)


def two_groups(case: Optimizer, model: Small) -> list[torch.optim.Optimizer]:
    """torch's own, made by hand as a user would: weights with decay, the rest without."""
    decay = {} if isinstance(case, Rprop) else {"weight_decay": 0.0}
    conv, norm, linear, head = model.backbone[0], model.backbone[1], model.backbone[4], model.head
    spared = {"params": [conv.bias, norm.weight, norm.bias, linear.bias, head.bias], **decay}
    if isinstance(case, Muon):
        decayed = {"params": [conv.weight, head.weight]}
        adamw = torch.optim.AdamW([decayed, spared], lr=case.lr * (3e-4 / case.lr), weight_decay=case.weight_decay)
        return [torchs_own(case, [linear.weight]), adamw]
    return [torchs_own(case, [{"params": [conv.weight, linear.weight, head.weight]}, spared])]


@every_case
def test_twenty_steps_are_torchs_own_to_the_last_bit(case):
    ours, theirs = network(), network()
    losses = stepped(ours, build_optimizer(case, ours))
    by_hand = two_groups(case, theirs)
    for step in range(20):
        assert float(closure_of(theirs, step)()) == losses[step]
        for optimizer in by_hand:
            optimizer.step()
    assert same(ours, theirs)
    assert not torch.equal(ours.backbone[4].weight, network().backbone[4].weight)


@pytest.mark.parametrize("case", [*CASES, *WRAPPED], ids=lambda case: type(case).__name__)
def test_a_training_that_goes_on_from_a_file_ends_with_the_same_bits(case):
    straight = network()
    stepped(straight, build_optimizer(case, straight))
    first = network()
    optimizer = build_optimizer(case, first)
    stepped(first, optimizer, last=10)
    saved = through_a_file({"model": first.state_dict(), "optimizer": optimizer.state_dict()})
    second = network()
    again = build_optimizer(case, second)
    second.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    stepped(second, again, first=10)
    assert same(second, straight)
    assert describe_groups(again) == describe_groups(optimizer)


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


def counts(case: Optimizer, head_lr_factor: float = 1.0) -> list[tuple[int, float, float]]:
    groups = describe_groups(build_optimizer(case, network(), head_lr_factor))
    return [(group["parameters"], group["weight_decay"], group["lr_factor"]) for group in groups]


def test_decay_falls_on_weights_and_on_nothing_else():
    model = network()
    conv, norm, linear, head = model.backbone[0], model.backbone[1], model.backbone[4], model.head
    decayed, spared = build_optimizer(AdamW(weight_decay=0.3), model).param_groups
    assert [id(p) for p in decayed["params"]] == [id(layer.weight) for layer in (conv, linear, head)]
    biases = (conv.bias, norm.weight, norm.bias, linear.bias, head.bias)
    assert [id(p) for p in spared["params"]] == [id(p) for p in biases]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    assert decayed["lr"] == spared["lr"] == 1e-3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("swin_t", {"relative_position_bias_table"}),
        ("swin_v2_t", {"logit_scale"}),
        ("convnext_tiny", {"layer_scale"}),
        ("vit_b_16", {"class_token", "pos_embedding"}),
        ("resnet18", set()),
    ],
)
def test_biases_scales_tokens_and_positions_are_spared_however_many_axes_they_have(name, expected):
    with Unfilled():
        model = build(name, 3)
    decayed, spared = build_optimizer(AdamW(weight_decay=0.3), model).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    deep = {names[id(p)].rpartition(".")[2] for p in spared["params"] if p.ndim > 1}
    assert deep == expected
    assert {names[id(p)].rpartition(".")[2] for p in decayed["params"]} <= {"weight", "in_proj_weight"}
    assert all(p.ndim > 1 for p in decayed["params"])


def test_the_option_asks_for_torchs_behaviour_decay_on_everything():
    (group,) = build_optimizer(AdamW(weight_decay=0.3, decay_norm_and_bias=True), network()).param_groups
    assert len(group["params"]) == 8
    assert group["weight_decay"] == 0.3


def test_the_groups_say_what_they_hold():
    weights, biases = 108 + 128, 4 + 4 + 4 + 8
    assert counts(AdamW(weight_decay=0.3)) == [(weights + 24, 0.3, 1.0), (biases + 3, 0.0, 1.0)]
    backbone, head = [(weights, 0.3, 1.0), (biases, 0.0, 1.0)], [(24, 0.3, 10.0), (3, 0.0, 10.0)]
    assert counts(AdamW(weight_decay=0.3), 10.0) == backbone + head
    assert counts(Rprop()) == [(weights + biases + 27, 0.0, 1.0)]
    assert counts(Rprop(), 10.0) == [(weights + biases, 0.0, 1.0), (27, 0.0, 10.0)]
    assert counts(Muon(0.003, weight_decay=0.3), 10.0) == [
        (128, 0.3, 1.0),
        *((108, 0.3, 3e-4 / 0.003), (biases, 0.0, 3e-4 / 0.003)),
        *((24, 0.3, 3e-4 / 0.003 * 10), (3, 0.0, 3e-4 / 0.003 * 10)),
    ]


@pytest.mark.parametrize("case", [SGD(0.2), SAM(SGD(0.2)), Lookahead(SGD(0.2))], ids=lambda case: type(case).__name__)
def test_the_head_has_a_learning_rate_of_its_own_from_the_first_step_and_after_a_change(case):
    optimizer = build_optimizer(case, network(), head_lr_factor=10.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.2, 2.0, 2.0]
    set_lr(optimizer, 0.05)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.05, 0.5, 0.5]
    optimizer.load_state_dict(through_a_file(optimizer.state_dict()))
    set_lr(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5, 5.0, 5.0]


def test_frozen_parameters_are_left_out():
    model = network()
    model.backbone[0].requires_grad_(False)
    groups = build_optimizer(SGD(0.1), model).param_groups
    assert sum(len(group["params"]) for group in groups) == 6


def test_muon_takes_the_matrices_between_the_first_layer_and_the_head():
    model = network()
    tables = nn.ParameterDict({"bias_table": torch.zeros(5, 2)})
    model.backbone.append(nn.ModuleDict({"embedding": nn.Embedding(7, 2), "tables": tables}))
    model.backbone.append(nn.MultiheadAttention(4, 2))
    muon = build_optimizer(Muon(), model).param_groups[0]
    attention = model.backbone[-1]
    expected = [model.backbone[4].weight, attention.in_proj_weight, attention.out_proj.weight]
    assert [id(p) for p in muon["params"]] == [id(p) for p in expected]
    assert sum(len(group["params"]) for group in build_optimizer(Muon(), model).param_groups) == len(
        list(model.parameters())
    )


def test_the_matrices_of_a_swin_are_its_weights_alone():
    """Its tables of position biases have two axes too."""
    with Unfilled():
        model = build("swin_t", 3)
    assert sum(weight.numel() for weight in matrices(model)) == 27_426_816
    taken = build_optimizer(Muon(), model).param_groups[0]["params"]
    assert {id(p) for p in taken} == {id(p) for p in matrices(model)}


def test_muon_needs_a_matrix():
    with pytest.raises(InputError, match=r"the backbone Sequential has none to train.*AdamW"):
        build_optimizer(Muon(), network(hidden=False))
    model = network()
    model.backbone.requires_grad_(False)
    with pytest.raises(InputError, match="has none to train"):
        build_optimizer(Muon(), model)


def test_a_torch_without_the_optimizer_is_named(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(InputError, match=rf"torch, {torch.__version__.split('+')[0]}.*, has no Muon"):
        build_optimizer(Muon(), network())


def test_what_an_older_torch_refuses_is_told_as_an_error_of_the_input(monkeypatch):
    def older(groups, lr, weight_decay):
        raise AssertionError("not reached")

    monkeypatch.setattr(torch.optim, "SGD", older)
    with pytest.raises(InputError, match=r"SGD: the installed torch, .* refuses this: .*momentum"):
        build_optimizer(SGD(0.1), network())


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
    assert restore(plain(case), classes) == case
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
        (lambda: SAM(SAM(Adam())), r"SAM: optimizer = SAM\(.*: expected SGD, Adam, AdamW or any of 10 others"),
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
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
