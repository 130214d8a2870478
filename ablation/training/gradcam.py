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

from ablation.augment.apply import on
from ablation.models.classifier import AdaptiveMean, Classifier
from ablation.training.view import Rows

_POOLS = (
    AdaptiveMean, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.LPPool2d, nn.Identity,
    nn.Dropout, nn.Dropout2d,
)  # fmt: skip
"""What ends the convolutional part, or passes on what it is given: its output is no feature map of its own."""


@dataclass
class GradCam:
    """Where a network looks in some of the images that it answers: one pass gives the answers and the maps.

    rows: those whose maps are kept. The answers have the bits that they have without, of a network whose forward pass
    depends on its images alone. One without a feature map of more than one position leaves no maps. What goes wrong
    costs no answer: it is kept as `error`.
    """

    model: Classifier
    rows: Rows
    error: Exception | None = None
    _module: nn.Module | None = None
    _kept: list[tuple[Rows, Tensor]] = field(default_factory=list)
    _begun: bool = False

    def logits_and_features(self, images: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        """(B, C) and (B, F) of normalised images (B, 3, S, S) of these rows, in evaluation."""
        chosen = np.isin(rows, self.rows)
        try:
            if not self._begun:
                self._begun = True
                with torch.no_grad():
                    self._module = last_map(self.model, images[:1])
            if self._module is not None and chosen.any():
                logits, features, maps = grad_cam(self.model, self._module, images, np.flatnonzero(chosen))
                self._kept.append((rows[chosen], maps))
                return logits, features
        except Exception as error:  # whatever a network of one's own raises under hooks
            self._module, self.error = None, error.with_traceback(None)  # which holds all that was computed
        return self.model.logits_and_features(images)

    def maps(self) -> tuple[Rows, NDArray[np.uint8]] | None:
        """(M,) rows, and (M, h, w) maps, each in steps of 255 of its own maximum; 0 where nothing speaks for a guess.

        None for a network that has none. Raises what went wrong.
        """
        if self.error is not None:
            raise self.error
        if not self._kept:
            return None
        rows, maps = zip(*self._kept, strict=True)
        every = torch.cat(maps)
        most = every.amax(dim=(1, 2), keepdim=True)
        scaled = (every / most.clamp(min=torch.finfo(torch.float32).tiny) * 255).round().byte()
        return np.concatenate(rows), scaled.cpu().numpy()


def grad_cam(
    model: Classifier, module: nn.Module, images: Tensor, chosen: Rows | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (B, C), features (B, F), and maps (M, h, w), not scaled, at the output of `module`.

    images: (B, 3, S, S), normalised. chosen: (M,) of which of the images the maps are; None: of all. Gradients are
    computed from the output of `module` on; none are left.
    """
    output_of: list[Tensor] = []

    def begin_gradients(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        output_of[:] = [output.detach().requires_grad_()]
        return output_of[0].clone()  # what comes next may write to it

    with torch.no_grad():  # up to `module`; behind this block gradients are as they were
        hook = module.register_forward_hook(begin_gradients)
        try:
            logits, features = model.logits_and_features(images)
        finally:
            hook.remove()
        (feature_map,) = output_of
        guesses = logits.gather(1, logits.argmax(dim=1, keepdim=True))
        (gradient,) = torch.autograd.grad(guesses.sum(), feature_map)
    with torch.no_grad():
        if chosen is not None:
            which = on(images.device, chosen)
            gradient, feature_map = gradient[which], feature_map[which]
        weights = gradient.float().mean(dim=(2, 3), keepdim=True)
        maps = (weights * feature_map.float()).sum(dim=1).relu()
    return logits.detach(), features.detach(), maps


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
