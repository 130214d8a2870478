"""The stem of a ResNet for small images: one 3x3 convolution that keeps the size, and no pooling after it.

torchvision's stem (7x7 at stride 2, then 3x3 max-pooling at stride 2) leaves an 8x8 map of a picture of 32x32 before
the first block has seen it. This is the first layer of the networks for CIFAR-10 of He et al. 2016, section 4.2.
"""

from __future__ import annotations

from torch import nn

from ablation.core.seeds import torch_stream


def small_stem(network: nn.Module, seed: int) -> None:
    """Give one of torchvision's ResNets the stem for small images; drawn as torchvision draws its convolutions.

    From a stream of its own: whichever stem a network has, its other weights are the same.
    """
    first = network.get_submodule("conv1")
    assert isinstance(first, nn.Conv2d)
    with torch_stream(seed, "init", "stem"):
        conv = nn.Conv2d(3, first.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    network.set_submodule("conv1", conv)
    network.set_submodule("maxpool", nn.Identity())
