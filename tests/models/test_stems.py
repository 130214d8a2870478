"""The stem for small images: the network keeps all pixels up to its first block, and all its other weights."""

import pytest
import torch
from torch import nn

from ablation.models.networks import build, count_parameters


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d"])
def test_the_first_block_sees_every_pixel(name):
    network, seen = build(name, 2, stem="small").eval(), []
    network.backbone.layer1.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[2:]))
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
    assert seen == [(32, 32)]


def test_it_is_the_resnet_18_for_cifar_as_others_count_it():
    """11,173,962 weights for 10 classes: a 3x3 convolution in place of 7x7 (kuangliu/pytorch-cifar has the same)."""
    network = build("resnet18", 10, stem="small")
    assert count_parameters(network) == 11_173_962
    assert isinstance(network.backbone.maxpool, nn.Identity)


def test_other_weights_are_drawn_as_without_it():
    plain, small = build("resnet18", 3, seed=2).state_dict(), build("resnet18", 3, seed=2, stem="small").state_dict()
    assert plain.keys() == small.keys()
    assert [key for key in plain if not torch.equal(plain[key], small[key])] == ["backbone.conv1.weight"]


def test_its_own_are_drawn_from_the_seed_as_torchvision_draws_a_resnets():
    first, again, other = (build("resnet18", 3, seed=seed, stem="small").backbone.conv1.weight for seed in (2, 2, 3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.1)  # He et al. 2015, by the outputs
