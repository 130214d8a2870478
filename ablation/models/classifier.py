"""The one shape that every network has here: a backbone that ends in features, dropout, and one linear layer.

Beside it are the changes that an experiment may ask for within a backbone of torchvision's: a stem for small images,
and stochastic depth. Knows nothing of names or weights. torchvision, whose import takes a worker over a second, is
imported only where a network of its own is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablation.core.seeds import torch_stream


class AdaptiveMean(nn.Module):
    """`nn.AdaptiveAvgPool2d` as two products with averaging matrices, (B, C, H, W) to (B, C, h, w).

    torch's own has a backward pass on CUDA that does not repeat to the last bit, and refuses where that is required.
    """

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else output_size

    def forward(self, maps: Tensor) -> Tensor:
        height, width = (size or source for source, size in zip(maps.shape[2:], self.output_size, strict=True))
        if (height, width) == (1, 1):
            if maps.stride(1) != 1:
                return maps.mean(dim=(2, 3), keepdim=True)
            # channels last in memory, and so is the gradient by this way: else what comes before is slow
            return maps.permute(0, 2, 3, 1).flatten(1, 2).mean(1)[..., None, None]
        if (height, width) == tuple(maps.shape[2:]):
            return maps  # each mean is of one number
        down, across = averaging(maps.shape[2], height, maps), averaging(maps.shape[3], width, maps)
        return down @ maps @ across.T


def averaging(source: int, size: int, like: Tensor) -> Tensor:
    """The matrix (size, source) whose row i averages from floor(i source / size) to ceil((i + 1) source / size).

    Its numbers are of the kind of those in `like`, and are made on its device: a CUDA graph copies nothing to it.
    """
    row = torch.arange(size, device=like.device).unsqueeze(1)
    pixel = torch.arange(source, device=like.device)
    inside = (pixel >= row * source // size) & (pixel < -(-(row + 1) * source // size))
    return (inside / inside.sum(dim=1, keepdim=True)).to(like.dtype)


@dataclass(frozen=True)
class Loaded:
    """What weights a network began with: `source` names them (published, or sha256:HEX of a file).

    loaded: how many tensors were taken; left_out: what of the source was not, in words; head: whether the head was.
    """

    source: str
    loaded: int
    left_out: tuple[str, ...]
    head: bool


class Classifier(nn.Module):
    """`backbone` maps images (B, 3, S, S) to features (B, F); the head maps those to logits (B, C).

    head: a layer to answer with; else one is drawn. head_path: what it was called in the network as its author wrote it
    ("fc"). loaded: None where all weights were drawn. still: the names of the batch norms whose running statistics do
    not move, whatever `train()` says.
    """

    def __init__(
        self, backbone: nn.Module, features: int, classes: int, dropout: float,
        head_path: str = "head", head: nn.Linear | None = None,
    ):  # fmt: skip
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes) if head is None else head
        self.head_path = head_path
        self.loaded: Loaded | None = None
        self.still: tuple[str, ...] = ()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.backbone(images)))
        return logits

    def logits_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) and (B, F); for evaluation, where dropout is idle."""
        features = self.backbone(images)
        return self.head(features), features

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        for name in self.still:
            self.get_submodule(name).training = False  # it alone: what a norm holds besides may be in training
        return self


def small_stem(network: nn.Module, seed: int) -> None:
    """Give one of torchvision's ResNets the stem for small images: one 3x3 convolution, and no pooling after it.

    torchvision's own leaves an 8x8 map of a picture of 32x32 before the first block. This is the first layer of the
    networks for CIFAR-10 of He et al. 2016, section 4.2, drawn as torchvision draws its convolutions from a stream of
    its own: whichever stem a network has, its other weights are the same.
    """
    first = network.get_submodule("conv1")
    assert isinstance(first, nn.Conv2d)
    with torch_stream(seed, "init", "stem"):
        conv = nn.Conv2d(3, first.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    network.set_submodule("conv1", conv)
    network.set_submodule("maxpool", nn.Identity())


class DroppedNorm(nn.BatchNorm2d):
    """The last batch norm of a residual branch, and the branch's dropping: its weights keep the names they had."""

    def __init__(self, norm: nn.BatchNorm2d, rate: float):
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self._parameters, self._buffers = norm._parameters, norm._buffers
        from torchvision.ops import StochasticDepth

        self.drop = StochasticDepth(rate, "row")

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, as torch calls it
        maps: Tensor = self.drop(super().forward(input))
        return maps


def drop_branches(network: nn.Module, rate: float) -> None:
    """Stochastic depth (Huang et al. 2016): in training, drop whole residual branches, of each image on its own.

    Of L blocks, block l is dropped with probability `rate` l / L (their linear decay rule, from the first block on): by
    torchvision's own modules where a network has them, in ResNets after the last norm of each residual branch. The
    draws come from the generator that is the default in training, as dropout's do. At 0 nothing is touched.
    """
    if not rate:
        return
    from torchvision.models.resnet import BasicBlock, Bottleneck
    from torchvision.ops import StochasticDepth

    blocks = [module for module in network.modules() if isinstance(module, BasicBlock | Bottleneck)]
    drops = [module for module in network.modules() if isinstance(module, StochasticDepth)]
    for number, drop in enumerate(drops, 1):
        drop.p = rate * number / len(drops)
    for number, block in enumerate(blocks, 1):
        last = "bn3" if isinstance(block, Bottleneck) else "bn2"
        block.set_submodule(last, DroppedNorm(block.get_submodule(last), rate * number / len(blocks)))
