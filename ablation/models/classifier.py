"""The one shape that every network has here: a backbone that ends in features, dropout, and one linear layer.

Knows nothing of names, weights or torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class AdaptiveMean(nn.Module):
    """`nn.AdaptiveAvgPool2d` as two products with averaging matrices, (B, C, H, W) to (B, C, h, w).

    torch's own has a backward pass on CUDA that does not repeat to the last bit, and refuses where that is asked.
    """

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else output_size

    def forward(self, maps: Tensor) -> Tensor:
        if self.output_size == (1, 1):
            return maps.mean(dim=(2, 3), keepdim=True)
        down, across = (
            averaging(source, size or source).to(maps)
            for source, size in zip(maps.shape[2:], self.output_size, strict=True)
        )
        return down @ maps @ across.T


def averaging(source: int, size: int) -> Tensor:
    """The matrix (size, source) whose row i averages from floor(i source / size) to ceil((i + 1) source / size)."""
    place = torch.arange(size).unsqueeze(1)
    pixel = torch.arange(source)
    inside = (pixel >= place * source // size) & (pixel < -(-(place + 1) * source // size))
    return inside / inside.sum(dim=1, keepdim=True)


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
        self,
        backbone: nn.Module,
        features: int,
        classes: int,
        dropout: float,
        head_path: str = "head",
        head: nn.Linear | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes) if head is None else head
        self.head_path = head_path
        self.loaded: Loaded | None = None
        self.still: tuple[str, ...] = ()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(self.backbone(images)))

    def logits_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) and (B, F); for evaluation, where dropout is idle."""
        features = self.backbone(images)
        return self.head(features), features

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        for name in self.still:
            self.get_submodule(name).training = False  # it alone: what a norm holds besides may be in training
        return self
