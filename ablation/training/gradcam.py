"""Grad-CAM: where in a picture a network looked for its guess (Selvaraju et al. 2017, equations 1 and 2).

Of the last feature map A (K channels) before the network pools it away: weights a_k = mean over the positions of d
logit / d A_k, map = relu(sum_k a_k A_k). Works for whatever network has such a map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ablation.models.classifier import AdaptiveMean, Classifier
from ablation.training.view import Rows, View

_POOLS = (
    AdaptiveMean, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.LPPool2d, nn.Identity,
    nn.Dropout, nn.Dropout2d,
)  # fmt: skip
"""What ends the convolutional part, or passes on what it is given: its output is no feature map of its own."""


def attention_maps(
    model: Classifier, view: View, rows: Rows, batch_size: int, precision: Callable[[], AbstractContextManager[Any]]
) -> NDArray[np.uint8] | None:
    """(M, h, w) for these rows, each map in steps of 255 of its own maximum; 0 where nothing speaks for the guess.

    None for a network without a feature map that has more than one position.
    """
    training = model.training
    model.eval()
    try:
        maps = list(_maps(model, view, rows, batch_size, precision))
    finally:
        model.train(training)
    if not maps:
        return None
    every = torch.cat(maps)
    most = every.amax(dim=(1, 2), keepdim=True)
    return (every / most.clamp(min=torch.finfo(torch.float32).tiny) * 255).round().byte().cpu().numpy()


def _maps(
    model: Classifier, view: View, rows: Rows, batch_size: int, precision: Callable[[], AbstractContextManager[Any]]
) -> Iterator[Tensor]:
    """Those of each batch; none of a network that has no map."""
    with torch.no_grad(), precision():
        module = last_map(model, view.normalized(view.pictures(rows[:1])))
    if module is None:
        return
    for pictures in view.shown(rows, batch_size):
        images = view.normalized(pictures)
        with torch.enable_grad(), precision():
            yield grad_cam(model, module, images)


def grad_cam(model: Classifier, module: nn.Module, images: Tensor) -> Tensor:
    """(B, h, w) of normalised images (B, 3, S, S), at the output of `module`, before they are scaled."""
    kept: list[Tensor] = []

    def cut(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        kept[:] = [output.detach().requires_grad_()]
        return kept[0].clone()  # what comes next may write to it

    hook = module.register_forward_hook(cut)
    try:
        logits = model(images)
    finally:
        hook.remove()
    (feature_map,) = kept
    guesses = logits.gather(1, logits.argmax(dim=1, keepdim=True))
    (gradient,) = torch.autograd.grad(guesses.sum(), feature_map)
    weights = gradient.float().mean(dim=(2, 3), keepdim=True)
    return (weights * feature_map.detach().float()).sum(dim=1).relu()


def last_map(model: Classifier, images: Tensor) -> nn.Module | None:
    """The module with the last output (B, K, h, w), h w > 1, that is not merely pooled; None where there is none.

    None as well where attention over patches comes after it (a vision transformer): that map is the first layer's, of
    pixels, not of what the network makes of them.
    """
    last: list[nn.Module] = []
    pooled: list[Tensor] = []

    def look(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(module, nn.MultiheadAttention):
            last.clear()
        if not isinstance(output, Tensor) or output.ndim != 4 or output.shape[2] * output.shape[3] < 2:
            return
        if isinstance(module, _POOLS):
            pooled.append(output)
        elif not any(output is one for one in pooled):
            last[:] = [module]

    hooks = [module.register_forward_hook(look) for module in model.backbone.modules()]
    try:
        model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return last[0] if last else None
