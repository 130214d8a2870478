"""How small a network's images may be, determined by trying: no table to keep, and none of torchvision's to trust."""

from __future__ import annotations

import torch

from ablation.models.classifier import Classifier
from ablation.models.networks import build
from ablation.training.cost.macs import Unfilled

_LARGEST = 256
MADE_FOR = 224
"""The side of the images that ViT and MaxViT are made for, unless `build` is given another."""


def smallest_size(model: str, classes: int = 2, stem: str = "torchvision") -> int:
    """The side in pixels of the smallest square images that the network can be trained on, at most 256.

    Found by halving, on the device "meta", where shapes cost nothing: what works at one size works at all above it. It
    does not for the networks that are made for one size; these need that one.
    """
    if model.startswith(("vit_", "maxvit")):
        return MADE_FOR
    with Unfilled():
        network = build(model, classes, stem=stem)
    network.to("meta")
    low, high = 0, _LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _runs(network, middle) else (middle, high)
    return high


def _runs(network: Classifier, side: int) -> bool:
    try:
        with torch.no_grad(), torch.device("meta"):
            network(torch.zeros(2, 3, side, side))
    except (RuntimeError, ValueError):  # a map of no pixels, or a kernel larger than it
        return False
    return True
