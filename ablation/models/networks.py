"""Building a network by name: any torchvision classifier, a small one of this package, or a network of the user's own.

Every network here is a `Classifier`: a backbone that ends in features, then dropout, then one linear layer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ablation.core.errors import InputError, Problem
from ablation.core.seeds import torch_stream
from ablation.models import own
from ablation.models.classifier import AdaptiveMean, Classifier, drop_branches, small_stem
from ablation.models.names import wrong_choices, wrong_model
from ablation.models.weights import load

__all__ = ["AdaptiveMean", "Classifier", "build", "count_parameters", "make_deterministic", "placed", "precision_on"]

_OPTIONS: dict[str, dict[str, Any]] = {
    "inception_v3": {"aux_logits": False, "init_weights": True},
    "googlenet": {"aux_logits": False, "init_weights": True},
}


def build(
    model: str,
    classes: int,
    dropout: float = 0.0,
    seed: int = 0,
    *,
    stem: str = "torchvision",
    weights: str | Path | None = None,
    stochastic_depth: float = 0.0,
    image_size: int | None = None,
    cache: Path | None = None,
) -> Classifier:
    """The network called `model`, its initial weights drawn from the stream "init" of `seed`.

    weights: published ones by name ("IMAGENET1K_V2"), a file, or "sha256:HEX" of one that `cache` keeps; what was taken
    of them is in the network's `loaded`. image_size: needed by the networks that are made for one size (ViT, MaxViT;
    else 224), and the size at which a network of the user's own is tried (else 32).

    Neither dropout, stem, weights nor stochastic depth changes how any other weight is drawn. Raises InputError for
    what this network cannot have, DataError for weights that cannot be read.
    """
    unknown = wrong_model(model)
    if wrong := [unknown] if unknown else [*wrong_choices(model, stem, str(weights or ""), stochastic_depth)]:
        raise InputError(map(Problem, wrong))
    with torch_stream(seed, "init"):
        body = _body(model, classes, image_size)
        network = Classifier(body.backbone, body.features, classes, dropout, body.head_path, body.head)
    if stem == "small":
        small_stem(network.backbone, seed)
    if weights is not None:
        load(network, model, weights, cache)
    drop_branches(network.backbone, stochastic_depth)
    return network


class _Body(NamedTuple):
    """A network up to its features, how many these are, what its head was called, and its head; None: one is drawn."""

    backbone: nn.Module
    features: int
    head_path: str = "head"
    head: nn.Linear | None = None


def _body(model: str, classes: int, image_size: int | None) -> _Body:
    """The network without its head.

    The dropout and stochastic depth that torchvision gives its networks are switched off: an experiment's are all there
    are. In a network of the user's own what is written there stays.
    """
    if model in SMALL_NETWORKS:
        return SMALL_NETWORKS[model]()
    if own.is_own(model):
        return _of_own(model, classes, image_size or 32)
    network = _from_torchvision(model, image_size)
    from torchvision.ops import StochasticDepth

    for module in network.modules():
        if isinstance(module, nn.Dropout | StochasticDepth):
            module.p = 0.0
    body = _without_head(network)
    assert body.head is not None
    return body._replace(head=nn.Linear(body.features, classes, body.head.bias is not None))


def _of_own(model: str, classes: int, side: int) -> _Body:
    """The user's network, which keeps its head as it was drawn there.

    Both parts together must answer as the whole does: tried on noise, with noise on all weights, so that no head of
    zeros and no scale of 1 hides what comes after it. Not tried: shapes alone, and a network that fails on such images.
    """
    network = own.make(model, classes)
    if any(parameter.is_meta or is_lazy(parameter) for parameter in network.parameters()):
        return _without_head(network)
    with own.shaken(network):
        theirs = own.answer(network, side)
        body = _without_head(network)
        assert body.head is not None
        ours = own.answer(nn.Sequential(body.backbone, body.head), side)
    if theirs is not None:
        own.check(model, classes, body.head_path, theirs, ours)
    return body


def _shallow_cnn(widths: tuple[int, ...] = (32, 64, 128)) -> _Body:
    """Three 3x3 convolutions with batch norm, halved twice, averaged over space: 94,000 weights, for small images.

    Rectified behind each maximum, which is the same to the last bit as before it, and a quarter of the work.
    """
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths), widths, strict=False):
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.MaxPool2d(2), nn.ReLU()]
    del layers[-2]  # the last maps are averaged whole
    return _Body(nn.Sequential(*layers, AdaptiveMean(1), nn.Flatten()), widths[-1])


def _lenet() -> _Body:
    """LeNet-5 (LeCun et al. 1998) with rectified units and maxima: 32,000 weights, for small images.

    Its features are of 3 x 3 positions: unlike `shallow_cnn`, it has to learn that a shifted digit is the same.
    """
    convolutions = [
        layer
        for before, after in ((3, 6), (6, 16))
        for layer in (nn.Conv2d(before, after, 5, padding=2), nn.MaxPool2d(2), nn.ReLU())
    ]
    convolutions[-2:] = [nn.ReLU(), nn.MaxPool2d(2)]  # the last map before pooling is where Grad-CAM looks
    linear = [nn.Linear(16 * 3 * 3, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()]
    return _Body(nn.Sequential(*convolutions, AdaptiveMean(3), nn.Flatten(), *linear), 84)


SMALL_NETWORKS: dict[str, Callable[[], _Body]] = {"shallow_cnn": _shallow_cnn, "lenet": _lenet}
"""Those of `names.SMALL`."""


def _from_torchvision(model: str, image_size: int | None) -> nn.Module:
    """torchvision's network as it is, its weights drawn."""
    from torchvision.models import get_model

    options = dict(_OPTIONS.get(model, {}))
    if image_size is not None and model.startswith("vit_"):
        options["image_size"] = image_size
    elif image_size is not None and model.startswith("maxvit"):
        options["input_size"] = (image_size, image_size)
    try:
        network: nn.Module = get_model(model, weights=None, **options)
    except (AssertionError, ValueError) as error:
        if image_size is None:
            raise
        raise InputError(f"image_size = {image_size}: {model} cannot be built for it: {error}") from None
    return network


def _without_head(network: nn.Module) -> _Body:
    """The network without its last linear layer; pooling whose gradient would not repeat becomes `AdaptiveMean`.

    Only torch's own pooling: what a user derives from it may do something else.
    """
    for path, module in list(network.named_modules()):
        if type(module) is nn.AdaptiveAvgPool2d:
            network.set_submodule(path, AdaptiveMean(module.output_size))
    path, head = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    network.set_submodule(path, nn.Identity())
    return _Body(network, head.in_features, path, head)


def count_parameters(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def placed(model: Classifier, device: torch.device, channels_last: bool) -> Classifier:
    """The network on the device; its weights as they are in memory, or with their channels last."""
    there = model.to(device)
    return there.to(memory_format=torch.channels_last) if channels_last else there


def precision_on(device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """What a network runs within on the device: bfloat16 autocast on CUDA, float32 elsewhere."""
    return partial(torch.autocast, "cuda", torch.bfloat16) if device.type == "cuda" else nullcontext


def make_deterministic(device: torch.device) -> None:
    """Make this process repeat its results to the last bit: deterministic kernels, one thread on a CPU, no TF32.

    Operations without a deterministic kernel then raise an error instead of giving other bits on another day.
    """
    torch.use_deterministic_algorithms(True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  (a property that mypy does not see)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cpu":
        torch.set_num_threads(1)
    else:
        torch.cuda.set_device(device.index or 0)  # or whatever asks for "the current device" opens another GPU
