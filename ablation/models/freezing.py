"""Freezing: which weights of a network do not learn, and what becomes of the batch norms among them.

A network is a row of layers with weights: its convolutions, its linear layers and its attentions (whose projections
count as one), in the order in which it lists them, which is torchvision's order of the forward pass. A norm goes with
the layer before it. Weights of no such layer (class tokens, position embeddings, the scales of a ConvNeXt's blocks) go
with the layer that follows them in the list. The head, which answers, is never frozen; the backbone as a whole is all
else, whatever it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ablation.core.errors import InputError
from ablation.models.classifier import Classifier
from ablation.models.names import Freeze, FrozenBatchNorm

_LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.MultiheadAttention)
_WITH_STATISTICS = nn.modules.batchnorm._NormBase
_NORMS = (_WITH_STATISTICS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def freeze(network: Classifier, freeze: Freeze, frozen_batch_norm: FrozenBatchNorm = "eval") -> None:
    """Stop the first `freeze` layers, or the whole backbone, from learning; 0 lets all of it learn.

    A frozen batch norm stays in evaluation, so that its running statistics do not move ("eval"), or goes on to
    normalise by each batch and to follow it ("train"). What a network drops at random it drops in frozen layers too.
    Raises InputError where there are not so many layers.
    """
    backbone = network.backbone
    if freeze == "backbone":
        backbone.requires_grad_(False)
        frozen = [name for name, _ in backbone.named_modules()]
    else:
        frozen = _first(backbone, freeze)
    norms = [name for name in frozen if isinstance(backbone.get_submodule(name), _WITH_STATISTICS)]
    network.still = tuple(f"backbone.{name}".rstrip(".") for name in norms) if frozen_batch_norm == "eval" else ()
    network.train(network.training)


def _first(backbone: nn.Module, count: int) -> list[str]:
    """Freeze so many layers; the names of the modules they are made of."""
    layers = _layers(backbone)
    if not 0 <= count <= len(layers):
        allowed = f"its backbone has {len(layers)} layers with weights; give 0 to {len(layers)}, or 'backbone'"
        raise InputError(f"freeze = {count!r}: {allowed}")
    frozen = [name for layer in layers[:count] for name in layer]
    for name in frozen:
        whole = isinstance(module := backbone.get_submodule(name), nn.MultiheadAttention)
        for parameter in module.parameters(recurse=whole):
            parameter.requires_grad_(False)
    return frozen


def layer_count(network: Classifier) -> int:
    """How many layers with weights there are before the head."""
    return len(_layers(network.backbone))


def _layers(backbone: nn.Module) -> list[list[str]]:
    """The names of the modules that each layer is made of, itself and what goes with it, first layer first."""
    layers: list[list[str]] = []
    ahead: list[str] = []
    for name, module in _with_weights(backbone):
        if isinstance(module, _LAYERS):
            layers.append([*ahead, name])
            ahead = []
        elif isinstance(module, _NORMS) and layers:
            layers[-1].append(name)
        else:
            ahead.append(name)
    if layers:
        layers[-1] += ahead
    return layers


def _with_weights(backbone: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules with parameters of their own, and norms, but for those inside an attention."""
    inside: tuple[str, ...] = ()
    for name, module in backbone.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, nn.MultiheadAttention):
            inside += (f"{name}.",)
        if isinstance(module, _NORMS) or next(module.parameters(recurse=False), None) is not None:
            yield name, module
