"""Freezing: what is frozen does not move in training, bit for bit, and all the rest does."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional

from ablation.core.errors import InputError
from ablation.core.seeds import stream
from ablation.models.classifier import Classifier
from ablation.models.freezing import freeze, layer_count
from ablation.models.networks import build
from ablation.training.cost.macs import Unfilled


def trained(network, steps=2):
    """What of the network's state changes in training."""
    before = deepcopy(network.state_dict())
    network.train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    pictures = torch.from_numpy(stream(0, "images").standard_normal((4, 3, 32, 32), "float32"))
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(network(pictures), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    return {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}


def frozen(network):
    return [name for name, parameter in network.named_parameters() if not parameter.requires_grad]


@pytest.mark.parametrize("policy", ["eval", "train"])
def test_of_a_frozen_backbone_nothing_moves_but_what_the_policy_lets(policy):
    network = build("resnet18", 3)
    freeze(network, "backbone", policy)
    moved = trained(network)
    statistics = {key for key in network.state_dict() if "running" in key or "num_batches" in key}
    assert moved == {"head.weight", "head.bias"} | (statistics if policy == "train" else set())


class OnlyParameters(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.full((3, 4), 0.1))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, images):
        return self.norm(images.mean(dim=(2, 3)) @ self.mix)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3 * 32, 4, batch_first=True)

    def forward(self, images):
        return self.lstm(images.permute(0, 2, 1, 3).flatten(2))[0][:, -1]


@pytest.mark.parametrize("backbone", [OnlyParameters, Recurrent, lambda: nn.Sequential(OnlyParameters(), nn.Tanh())])
@pytest.mark.parametrize("policy", ["eval", "train"])
def test_a_backbone_without_any_layer_of_the_known_kinds_is_frozen_whole(backbone, policy):
    network = Classifier(backbone(), 4, 3, 0.0)
    freeze(network, "backbone", policy)
    statistics = {key for key in network.state_dict() if "running" in key or "num_batches" in key}
    assert trained(network) == {"head.weight", "head.bias"} | (statistics if policy == "train" else set())


def test_a_backbone_that_is_a_batch_norm_stays_still():
    network = Classifier(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3 * 32 * 32)), 3 * 32 * 32, 3, 0.0)
    freeze(network, "backbone")
    assert network.still == ("backbone.1",)
    network = Classifier(nn.BatchNorm1d(5), 5, 3, 0.0)
    freeze(network, "backbone")
    assert network.still == ("backbone",)
    assert not network.backbone.training


def test_the_first_layers_of_a_resnet_with_their_norms():
    network = build("resnet18", 3)
    freeze(network, 2)
    first = {"backbone.conv1", "backbone.bn1", "backbone.layer1.0.conv1", "backbone.layer1.0.bn1"}
    assert {name.rpartition(".")[0] for name in frozen(network)} == first
    moved = trained(network)
    assert not [key for key in moved if key.rpartition(".")[0] in first]
    assert {"backbone.layer1.0.bn2.running_mean", "backbone.layer1.0.conv2.weight"} <= moved


def test_a_frozen_norm_stays_in_evaluation_whatever_the_network_is_told():
    network = build("resnet18", 3, stochastic_depth=0.5)
    freeze(network, "backbone")
    copy = deepcopy(network).train()  # as an average of weights is made
    for one in (network.train(), copy, copy.eval().train()):
        norms = [module for module in one.modules() if isinstance(module, nn.BatchNorm2d)]
        assert not any(norm.training for norm in norms)
        assert one.training
        assert one.backbone.layer1[0].bn2.drop.training, "what is dropped at random still is"
    freeze(network, 0)
    assert frozen(build("resnet18", 3)) == []


def test_to_freeze_nothing_changes_nothing():
    network = build("resnet18", 3)
    freeze(network, 0)
    assert frozen(network) == []
    assert network.still == ()


@pytest.mark.parametrize(
    ("name", "layers"),
    [  # of their papers: 18, 50, ... without the last linear layer, and the projections of the short cuts
        ("resnet18", 17 + 3), ("resnet50", 49 + 4), ("resnet152", 151 + 4), ("vgg16", 15), ("alexnet", 7),
        ("densenet121", 120), ("shallow_cnn", 3),
        ("vit_b_16", 1 + 12 * 3),  # patches, then an attention and two linear layers a block
    ],
)  # fmt: skip
def test_layers_are_as_many_as_are_published(name, layers):
    with Unfilled():
        network = build(name, 3)
    assert layer_count(network) == layers
    freeze(network, layers)
    assert {name for name, parameter in network.named_parameters() if parameter.requires_grad} == {
        "head.weight",
        "head.bias",
    }
    with pytest.raises(InputError, match=rf"its backbone has {layers} layers with weights; give 0 to {layers}"):
        freeze(network, layers + 1)


@pytest.mark.parametrize(
    "name",
    [
        *("resnet50", "vit_b_16", "swin_t", "convnext_tiny", "vgg11"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("maxvit_t", "inception_v3")),
    ],
)
def test_each_layer_freezes_more_and_a_weight_never_thaws(name):
    before: set[str] = set()
    with Unfilled():
        count = layer_count(network := build(name, 3))
    for layers in range(1, count + 1):
        freeze(network, layers)
        now = set(frozen(network))
        assert before < now
        before = now


def test_where_the_weights_of_a_vit_go():
    with Unfilled():
        network = build("vit_b_16", 3)
    freeze(network, 1)
    names = {name.removeprefix("backbone.") for name in frozen(network)}
    assert names == {
        "class_token",
        "conv_proj.weight",
        "conv_proj.bias",
        "encoder.layers.encoder_layer_0.ln_1.weight",
    } | {"encoder.layers.encoder_layer_0.ln_1.bias"}
    freeze(network, 2)
    added = {name.removeprefix("backbone.") for name in frozen(network)} - names
    attention = "encoder.layers.encoder_layer_0.self_attention"
    assert {"encoder.pos_embedding", f"{attention}.in_proj_weight", f"{attention}.out_proj.weight"} < added
