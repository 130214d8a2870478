"""From an optimizer's value to the object that steps a network: which parameter goes into which group.

torch is imported only inside functions: whoever imports the values imports this module too.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ablation.core.errors import InputError
from ablation.optim.optimizers import SAM, AdamW, Lookahead, Muon, Optimizer, Plain

if TYPE_CHECKING:
    from torch import nn

    from ablation.models.classifier import Classifier
    from ablation.optim.steps import Stepper

_OURS = ("decay_norm_and_bias", "adamw_lr")
"""Fields of the values that torch's optimizers do not know."""
_SPARED_ENDS = ("bias", "bias_table", "_scale", "class_token", "cls_token", "pos_embedding", "pos_embed")
"""How the names of biases, scales, tokens and positions end in torchvision's networks and the usual others."""
Named = list[tuple[str, "nn.Parameter"]]


def build_optimizer(optimizer: Optimizer, model: Classifier, head_lr_factor: float = 1.0) -> Stepper:
    """torch's optimizer of the same name over the model's trainable parameters, stepped by `step(closure)`.

    Groups: parameters with decay, then those `spared` of it; first the backbone's, then the head's where the head has a
    learning rate of its own. Each group carries its "lr_factor", for `set_lr`. Muon steps the backbone's `matrices`;
    AdamW's groups follow Muon's. Raises InputError where Muon has no matrix to step, or torch has no Muon.
    """
    from ablation.optim.steps import SharpnessAware, SlowWeights

    if isinstance(optimizer, SAM):
        within = build_optimizer(optimizer.optimizer, model, head_lr_factor)
        return SharpnessAware(within, optimizer.rho, optimizer.adaptive, model.buffers())
    if isinstance(optimizer, Lookahead):
        return SlowWeights(build_optimizer(optimizer.optimizer, model, head_lr_factor), optimizer.k, optimizer.alpha)
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    head = {*model.head.parameters()} if head_lr_factor != 1 else set()
    if isinstance(optimizer, Muon):
        stepper = _muon(optimizer, model, trainable, head, head_lr_factor)
    else:
        stepper = _torchs(optimizer, _groups(optimizer, trainable, head, head_lr_factor))
    set_lr(stepper, optimizer.lr)
    return stepper


def set_lr(stepper: Stepper, lr: float) -> None:
    """Give each group the learning rate `lr` times its own factor."""
    for group in stepper.param_groups:
        group["lr"] = lr * group["lr_factor"]


def describe_groups(stepper: Stepper) -> list[dict[str, Any]]:
    """For the record, a dict a group: how many numbers it learns, its weight decay, its learning rate's factor."""
    return [
        {
            "parameters": sum(parameter.numel() for parameter in group["params"]),
            "weight_decay": group.get("weight_decay", 0.0),
            "lr_factor": group["lr_factor"],
        }
        for group in stepper.param_groups
    ]


def spared(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay passes it over: fewer than two axes, or a bias, scale, token or position by its name."""
    return parameter.ndim < 2 or name.endswith(_SPARED_ENDS)


def matrices(model: Classifier) -> set[nn.Parameter]:
    """What Muon steps: trainable weights with two axes in the backbone that are not of an embedding.

    A weight is called so: tables of position biases are none.
    """
    from torch import nn

    return {
        parameter
        for module in model.backbone.modules()
        if not isinstance(module, nn.Embedding)
        for name, parameter in module.named_parameters(recurse=False)
        if name.endswith("weight") and parameter.ndim == 2 and parameter.requires_grad
    }


def _groups(
    optimizer: Plain,
    parameters: Named,
    head: set[nn.Parameter],
    head_lr_factor: float,
    factor: float = 1.0,
) -> list[dict[str, Any]]:
    """Parameters by (in the head, spared of decay), each group with what it has other than the rest."""
    sparing = not getattr(optimizer, "decay_norm_and_bias", True)  # Rprop has no decay to spare anything of
    kinds: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in parameters:
        kinds.setdefault((parameter in head, sparing and spared(name, parameter)), []).append(parameter)
    return [
        {"params": kinds[in_head, idle], "lr_factor": factor * (head_lr_factor if in_head else 1.0)}
        | ({"weight_decay": 0.0} if idle else {})
        for in_head, idle in sorted(kinds)
    ]


def _torchs(optimizer: Plain, groups: list[dict[str, Any]]) -> Stepper:
    import torch

    name, version = type(optimizer).__name__, torch.__version__
    settings = {field.name: getattr(optimizer, field.name) for field in fields(optimizer) if field.name not in _OURS}
    if not hasattr(torch.optim, name):
        raise InputError(
            f"the installed torch, {version}, has no {name}: install a newer one, or use another optimizer"
        )
    try:
        stepper: Stepper = getattr(torch.optim, name)(groups, **settings)
    except (TypeError, ValueError) as error:  # a field, or a value of one, that came with a later torch
        raise InputError(f"{name}: the installed torch, {version}, refuses this: {error}") from error
    return stepper


def _muon(
    optimizer: Muon,
    model: Classifier,
    trainable: Named,
    head: set[nn.Parameter],
    head_lr_factor: float,
) -> Stepper:
    from ablation.optim.steps import Together

    taken = matrices(model)
    if not taken:
        raise InputError(
            f"Muon steps matrices, and the backbone {type(model.backbone).__name__} has none to train: it is for"
            " networks with linear layers before their head, such as vit_b_16 and swin_t; use another here, as AdamW"
        )
    adamw = AdamW(
        optimizer.adamw_lr,
        weight_decay=optimizer.weight_decay,
        decay_norm_and_bias=optimizer.decay_norm_and_bias,
    )
    on_matrices = [parameter for _, parameter in trainable if parameter in taken]
    rest = [(name, parameter) for name, parameter in trainable if parameter not in taken]
    return Together(
        _torchs(optimizer, [{"params": on_matrices, "lr_factor": 1.0}]),
        _torchs(adamw, _groups(adamw, rest, head, head_lr_factor, optimizer.adamw_lr / optimizer.lr)),
    )
