"""Optimizers take torch's steps, and decay falls on weights only."""

from dataclasses import fields

import pytest
import torch
from stepped import CASES, WRAPPED, Small, closure_of, every_case, network, same, stepped, through_a_file
from torch import nn

from ablation.core.errors import InputError
from ablation.models.networks import build
from ablation.optim import (
    SAM,
    SGD,
    AdamW,
    Lookahead,
    Muon,
    Optimizer,
    Rprop,
    build_optimizer,
    describe_groups,
    set_lr,
)
from ablation.optim.build import matrices
from ablation.training.cost.macs import Unfilled


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


def counts(case: Optimizer, head_lr_factor: float = 1.0) -> list[tuple[int, float, float]]:
    groups = describe_groups(build_optimizer(case, network(), head_lr_factor))
    return [(group["parameters"], group["weight_decay"], group["lr_factor"]) for group in groups]
