"""Building a network by name: any torchvision classifier with its head replaced, or a shallow CNN.

Every network here is a `Classifier`: a backbone that ends in features, then dropout, then one linear layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ablation.models.names import SHALLOW
from ablation.seeds import torch_stream

_OPTIONS: dict[str, dict[str, Any]] = {
    "inception_v3": {"aux_logits": False, "init_weights": True},
    "googlenet": {"aux_logits": False, "init_weights": True},
}


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


class Classifier(nn.Module):
    """`backbone` maps images (B, 3, S, S) to features (B, F); the head maps those to logits (B, C)."""

    def __init__(self, backbone: nn.Module, features: int, classes: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(self.backbone(images)))

    def logits_and_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) and (B, F); for evaluation, where dropout is idle."""
        features = self.backbone(images)
        return self.head(features), features


def build(name: str, classes: int, dropout: float, seed: int) -> Classifier:
    """The network called `name`, its initial weights drawn from the stream "init" of `seed`."""
    with torch_stream(seed, "init"):
        backbone, features = _shallow_cnn() if name == SHALLOW else _from_torchvision(name)
        return Classifier(backbone, features, classes, dropout)


def _shallow_cnn(widths: tuple[int, ...] = (32, 64, 128)) -> tuple[nn.Module, int]:
    """Three 3x3 convolutions with batch norm, halved twice, averaged over space: 94,000 weights, for small images."""
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths), widths, strict=False):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers[:-1], AdaptiveMean(1), nn.Flatten()), widths[-1]


def _from_torchvision(name: str) -> tuple[nn.Module, int]:
    """torchvision's network without its last linear layer, and that layer's number of inputs.

    Its own dropout layers are switched off: an experiment's `dropout` is all the dropout there is.
    """
    from torchvision.models import get_model

    network = get_model(name, weights=None, **_OPTIONS.get(name, {}))
    for path, module in list(network.named_modules()):
        if isinstance(module, nn.AdaptiveAvgPool2d):
            network.set_submodule(path, AdaptiveMean(module.output_size))
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    path, head = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    network.set_submodule(path, nn.Identity())
    return network, head.in_features


def count_parameters(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def settle(device: torch.device) -> None:
    """Make this process repeat its results to the last bit: deterministic kernels, one thread on a CPU, no TF32.

    Operations without a deterministic kernel then raise an error instead of giving other bits on another day.
    """
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cpu":
        torch.set_num_threads(1)
    else:
        torch.cuda.set_device(device)  # or whatever asks for "the current device" opens another GPU
