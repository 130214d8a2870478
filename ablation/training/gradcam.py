"""Grad-CAM: where in a picture a network looked for its guess (Selvaraju et al. 2017, equations 1 and 2).

Of the last feature map A (K channels) before the network pools it away: weights a_k = mean over the positions of d
logit / d A_k, map = relu(sum_k a_k A_k). Works for whatever network has such a map.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ablation.models.classifier import AdaptiveMean, Classifier

_POOLS = (
    AdaptiveMean, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.LPPool2d, nn.Identity,
    nn.Dropout, nn.Dropout2d,
)  # fmt: skip
"""What ends the convolutional part, or passes on what it is given: its output is no feature map of its own."""


@dataclass
class Attention:
    """Where a network looks in some of the images that it answers, by the way: the answers are those it gives without.

    chosen: (N,) which of the images, in the order in which they will come. A network without a feature map that has
    more than one position leaves no maps. Nothing here can cost an answer: what went wrong is kept.
    """

    model: Classifier
    chosen: NDArray[np.bool_]
    wrong: Exception | None = None
    _module: nn.Module | None = None
    _kept: list[Tensor] = field(default_factory=list)
    _answered: int = 0

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C) logits and (B, F) features of the next normalised images (B, 3, S, S), in evaluation."""
        chosen = self.chosen[self._answered : self._answered + len(images)]
        first, self._answered = self._answered == 0, self._answered + len(images)
        try:
            if first:
                with torch.no_grad():
                    self._module = last_map(self.model, images[:1])
            if self._module is not None and chosen.any():
                answer, maps = grad_cam(self.model, self._module, images)
                self._kept.append(maps[torch.from_numpy(chosen).to(maps.device)])
                return answer
        except Exception as error:  # whatever a network of one's own raises under hooks
            self.wrong, self._module = error, None
        return self.model.logits_and_features(images)

    def maps(self) -> NDArray[np.uint8] | None:
        """(M, h, w) of the chosen images, each in steps of 255 of its own maximum; 0 where nothing speaks for a guess.

        None for a network that has none. Raises what went wrong.
        """
        if self.wrong is not None:
            raise self.wrong
        if not self._kept:
            return None
        every = torch.cat(self._kept)
        most = every.amax(dim=(1, 2), keepdim=True)
        return (every / most.clamp(min=torch.finfo(torch.float32).tiny) * 255).round().byte().cpu().numpy()


def grad_cam(model: Classifier, module: nn.Module, images: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Logits and features of normalised images (B, 3, S, S), and (B, h, w) the maps at the output of `module`.

    The maps are not scaled. Gradients are computed from that output on.
    """
    kept: list[Tensor] = []

    def cut(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        kept[:] = [output.detach().requires_grad_()]
        return kept[0].clone()  # what comes next may write to it

    with torch.no_grad():  # behind it gradients are as they were
        hook = module.register_forward_hook(cut)
        try:
            logits, features = model.logits_and_features(images)
        finally:
            hook.remove()
        (feature_map,) = kept
        guesses = logits.gather(1, logits.argmax(dim=1, keepdim=True))
        (gradient,) = torch.autograd.grad(guesses.sum(), feature_map)
    with torch.no_grad():
        weights = gradient.float().mean(dim=(2, 3), keepdim=True)
        maps = (weights * feature_map.float()).sum(dim=1).relu()
    return (logits.detach(), features.detach()), maps


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
