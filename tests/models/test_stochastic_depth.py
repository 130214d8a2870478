"""Stochastic depth: in training, branches of single images go, by the linear rule; nothing else moves."""

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock
from torchvision.ops import StochasticDepth

from ablation.core.seeds import stream
from ablation.models.networks import build
from ablation.training.cost.macs import Unfilled


def rates(network):
    return [module.p for module in network.modules() if isinstance(module, StochasticDepth)]


def images(count=4):
    return torch.from_numpy(stream(0, "images").standard_normal((count, 3, 32, 32), "float32"))


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", 8),
        ("resnet50", 16),
        ("wide_resnet50_2", 16),
        ("efficientnet_b0", 16),
        ("convnext_tiny", 18),
        ("swin_t", 12),
    ],
)
def test_the_rates_rise_in_a_line_to_the_last_blocks(name, blocks):
    with Unfilled():
        found = rates(build(name, 2, stochastic_depth=0.4))
    assert found == pytest.approx([0.4 * block / blocks for block in range(1, blocks + 1)])


def test_a_block_gives_its_input_where_its_branch_is_dropped():
    """And else its branch over the probability to survive: in the mean, over images, the branch itself."""
    network = build("resnet18", 2, stochastic_depth=0.5)
    block = network.backbone.layer4[1]  # the last: dropped with p = 0.5, no projection on its other way
    assert isinstance(block, BasicBlock)
    maps = torch.from_numpy(stream(0, "maps").random((64, 512, 2, 2), "float32"))  # not negative: a ReLU follows
    branches = []
    block.bn2.drop.register_forward_hook(lambda module, given, out: branches.append((given[0], out.clone())))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        answers = block.train()(maps)
    ((branch, kept),) = branches
    dropped = (kept == 0).flatten(1).all(dim=1)
    assert 16 < dropped.sum() < 48
    assert torch.equal(answers[dropped], maps[dropped])
    torch.testing.assert_close(kept[~dropped], branch[~dropped] * 2)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0"])
def test_at_zero_not_a_bit_differs_and_weights_never_do(name):
    plain, zero, deep = build(name, 2), build(name, 2, stochastic_depth=0.0), build(name, 2, stochastic_depth=0.5)
    assert plain.state_dict().keys() == deep.state_dict().keys()
    assert all(torch.equal(tensor, deep.state_dict()[key]) for key, tensor in plain.state_dict().items())
    with torch.no_grad():
        assert torch.equal(plain.eval()(images()), deep.train().eval()(images()))
        assert torch.equal(plain.train()(images()), zero.train()(images()))


def test_it_learns_through_the_very_weights_of_the_block():
    network = build("resnet18", 2, stochastic_depth=0.2).train()
    with torch.random.fork_rng(devices=[]):
        network(images()).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 20
    assert all(norm.num_batches_tracked == 1 for norm in norms)


def test_loaded_weights_are_those_that_answer(tmp_path):
    first = build("resnet18", 2)
    for place, norm in enumerate(module for module in first.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, 1 + place / 100)
        norm.running_mean += place / 100
    torch.save(first.state_dict(), tmp_path / "w.pt")
    deep = build("resnet18", 2, weights=tmp_path / "w.pt", stochastic_depth=0.3)
    with torch.no_grad():
        assert torch.equal(deep.eval()(images()), first.eval()(images()))
