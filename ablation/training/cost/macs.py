"""What one forward pass does: multiply-accumulates by module, and the bytes it keeps for the backward pass.

Nothing is computed and no memory is taken: the pass runs on torch's fake tensors, which have a shape, a type and a
device, and no numbers. So a CPU computes what a GPU would keep under bfloat16 autocast. A network whose code depends on
numbers can be counted by a real pass on the CPU. Knows networks, not experiments.

A MAC is one multiplication and one addition; 1 MAC = 2 FLOPs. (The package torchinfo gives neither: it multiplies a
linear layer's weights once for all tokens, and leaves out the products of attention: 0.17 GMAC for a ViT-B/16 of 17.6.)
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_flop_count

from ablation.core.seeds import torch_stream
from ablation.models.networks import AdaptiveMean

Precision = Literal["float32", "bfloat16"]
"""How training runs: in float32 on a CPU, under bfloat16 autocast on CUDA."""


@dataclass(frozen=True)
class Layer:
    """What one module itself does to one image: what its children do is theirs. Shapes are without the batch."""

    name: str
    type: str
    output: tuple[int, ...]
    parameters: int
    trainable: int
    macs: int
    training_macs: int
    """Forward and backward: a layer's weights and its input each cost as much again, where they need a gradient."""
    thop: int
    """Operations by the rules of the package thop, which its users call MACs."""


@dataclass(frozen=True)
class Kept:
    """Bytes that a forward pass keeps for the backward pass, parameters and buffers not counted."""

    per_image: int
    per_step: int
    """Whatever the batch: under autocast, the weights' copies in bfloat16."""


class Unfilled(TorchFunctionMode):
    """Within it `torch.empty` takes no memory: weights are made on the device "meta", and initialising them is free.

    `torch.device("meta")` would also empty the small tables that some networks (RegNet) read while they are built.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def layers(model: nn.Module, size: int, fake: bool = True) -> tuple[Layer, ...]:
    """Every module in the order of definition, as it treats images (3, size, size); `model` itself is called ''.

    fake: whether the pass runs on fake tensors, or on the model's own weights and black images.
    """
    batch = 2  # batch normalisation cannot train on one value
    names: dict[nn.Module, str] = {}
    outputs: dict[str, tuple[int, ...]] = {}
    thop: dict[str, int] = {}
    input_learns: dict[str, bool] = {}

    def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        name = names[module]
        first = next((tensor for tensor in inputs if isinstance(tensor, Tensor)), None)
        input_learns[name] = first is not None and first.requires_grad
        main = output[0] if isinstance(output, tuple) else output
        outputs[name] = tuple(main.shape[1:]) if isinstance(main, Tensor) else ()
        if first is not None and type(module) in THOP:
            thop[name] = thop.get(name, 0) + THOP[type(module)](module, first, main) // batch

    with _pass(model, "float32", fake) as ready, FlopCounterMode(display=False, custom_mapping=_ATTENTION) as counter:
        for name, module in ready.named_modules():
            names[module] = name
            module.register_forward_hook(record)
        ready(torch.zeros(batch, 3, size, size))
    flops = counter.get_flop_counts()
    root = type(model).__name__
    inside = {name: sum(flops.get(f"{root}.{name}" if name else root, {}).values()) // (2 * batch) for name in outputs}
    reverse = [
        _layer(name, module, inside, input_learns.get(name, False), outputs.get(name, ()), thop.get(name, 0))
        for name, module in reversed(list(model.named_modules()))  # children before what holds them
    ]
    return tuple(reversed(reverse))


def _layer(
    name: str, module: nn.Module, inside: dict[str, int], input_learns: bool, output: tuple[int, ...], thop: int
) -> Layer:
    """inside: MACs of every module that was called, with its children's; those of a mere list are added here."""
    children = [f"{name}.{child}" if name else child for child, _ in module.named_children()]
    of_children = sum(inside[child] for child in children)
    macs = 0 if isinstance(module, AdaptiveMean) else inside.setdefault(name, of_children) - of_children
    own = list(module.parameters(recurse=False))
    trainable = sum(parameter.numel() for parameter in own if parameter.requires_grad)
    learns = trainable > 0
    times = 1 + learns + input_learns if not children else 1 + 2 * (learns or input_learns)
    numbers = sum(parameter.numel() for parameter in own)
    return Layer(name, type(module).__name__, output, numbers, trainable, macs, macs * times, thop)


def kept(model: nn.Module, size: int, precision: Precision, fake: bool = True) -> Kept:
    """What training on images (3, size, size) keeps, each piece of memory once: by the difference of two batches.

    fake: as in `layers`; a real pass runs in float32.
    """
    two, three = (_kept_by(model, batch, size, precision, fake) for batch in (2, 3))
    return Kept(three - two, two - 2 * (three - two))


def _kept_by(model: nn.Module, batch: int, size: int, precision: Precision, fake: bool) -> int:
    pieces: dict[int, Any] = {}  # the storages are held: an identity may be given again once it is free

    def pack(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        pieces[storage._cdata] = storage
        return saved

    with _pass(model, precision, fake) as ready:
        resident = {tensor.untyped_storage()._cdata for tensor in (*ready.parameters(), *ready.buffers())}
        device = next(ready.parameters()).device
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
            logits = ready(torch.zeros(batch, 3, size, size, device=device))
            functional.cross_entropy(logits.float(), torch.zeros(batch, dtype=torch.long, device=device))
        return sum(piece.nbytes() for identity, piece in pieces.items() if identity not in resident)


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_ATTENTION = {} if _ON_CPU in flop_registry else {_ON_CPU: _attention}
"""Attention on a CPU, which torch 2.11 does not count."""


@contextmanager
def _pass(model: nn.Module, precision: Precision, fake: bool) -> Iterator[nn.Module]:
    """A copy of the model: on fake tensors, as in float32 on a CPU or as on CUDA under autocast; or as the model is.

    What the real pass draws, as dropout does, it draws from a stream of its own.
    """
    with ExitStack() as stack:
        if not fake:
            stack.enter_context(torch_stream(0, "count"))
            stack.enter_context(torch.enable_grad())
            yield copy.deepcopy(model)
            return
        stack.enter_context(_quiet())
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(torch.enable_grad())
        ready = _like(model, "cpu" if precision == "float32" else "cuda")
        if precision == "bfloat16":
            stack.enter_context(_autocast())
            stack.enter_context(_flash_attention())
        yield ready


def _like(model: nn.Module, device: str) -> nn.Module:
    """A copy of the model with fake weights on `device`: same modules, same `requires_grad`, same modes."""
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        fake = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
        memo[id(parameter)] = nn.Parameter(fake, requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = torch.empty(buffer.shape, dtype=buffer.dtype, device=device)
    return copy.deepcopy(model, memo)


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's fake tensors log what they cannot do, before they raise it."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


@contextmanager
def _autocast() -> Iterator[None]:
    """`torch.autocast("cuda", torch.bfloat16)`, which refuses to begin where there is no GPU."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


@contextmanager
def _flash_attention() -> Iterator[None]:
    """Attention by the kernel that CUDA takes for bfloat16, which keeps no matrix of tokens x tokens.

    torch chooses by the GPU's properties; without one it takes the kernel that keeps the matrix, as it does for a mask.
    """
    original = functional.scaled_dot_product_attention

    def attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None, *rest: Any, **named: Any) -> Tensor:
        if attn_mask is not None:
            return original(query, key, value, attn_mask, *rest, **named)
        low = (tensor.to(torch.bfloat16) for tensor in (query, key, value))
        made: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(*low)[0]
        return made

    functional.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original


def _normalisation(module: Any, given: Tensor, made: Tensor) -> int:
    affine = getattr(module, "affine", False) or getattr(module, "elementwise_affine", False)
    return (4 if affine else 2) * given.numel()


def _adaptive_pooling(module: Any, given: Tensor, made: Tensor) -> int:
    window = math.prod(given.shape[2:]) / math.prod(made.shape[2:])
    return int((window + 1) * made.numel())


def _softmax(module: Any, given: Tensor, made: Tensor) -> int:
    features: int = given.shape[module.dim]
    return given.numel() // features * (3 * features - 1)


THOP: dict[type, Callable[[Any, Tensor, Tensor], int]] = {
    nn.Conv2d: lambda module, given, made: (
        made.numel() * (given.shape[1] // module.groups) * math.prod(module.kernel_size)
    ),
    nn.Linear: lambda module, given, made: made.numel() * module.in_features,
    nn.BatchNorm2d: _normalisation,
    nn.BatchNorm1d: _normalisation,
    nn.LayerNorm: _normalisation,
    nn.AvgPool2d: lambda module, given, made: made.numel(),
    nn.AdaptiveAvgPool2d: _adaptive_pooling,
    AdaptiveMean: _adaptive_pooling,
    nn.Softmax: _softmax,
}
"""What thop 0.1.1 counts of a module, its input and its output, by exact type (a subclass counts as nothing): four
operations for each number in a normalisation with scale and shift, one for each output of a pooling layer (of an
adaptive one: and one for each number it averages), and nothing for attention, activations and biases."""
