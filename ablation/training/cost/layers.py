"""A network's layers as a table: what each makes, holds and costs, with blocks that are alike told once.

Computes and lays out nothing on a screen: `rows` is what the table, the CSV and the tests read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from ablation.training.cost.macs import Layer

CONV_BLOCK = "conv block (projection shortcut)"
IDENTITY_BLOCK = "identity block"


@dataclass(frozen=True)
class Row:
    """One line. A heading counts nothing itself: its layers follow, one step deeper, `times` times over."""

    name: str
    type: str
    output: tuple[int, ...]
    """Of one image: channels x height x width, or features."""
    parameters: int
    macs: int
    thop: int
    times: int = 1
    """How often the network has this row: blocks that are alike are told once."""
    depth: int = 0
    heading: bool = False


@dataclass(frozen=True)
class Node:
    """A module with what it does itself, and its children; the name is torchvision's own."""

    layer: Layer
    module: nn.Module
    children: tuple[Node, ...]

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for modules of the same make and cost; names do not count."""
        return (replace(self.layer, name=""), *(child.likeness for child in self.children))


def rows(model: nn.Module, layers: Sequence[Layer], depth: int | None = None) -> tuple[Row, ...]:
    """The table of a network whose `layers` were counted: layers that hold or compute something, headings for blocks.

    depth: modules this deep are told as one row each, with all that they hold; None for every layer. The rows that are
    no headings, each `times` over, add up to the network.
    """
    by_name = {layer.name: layer for layer in layers}
    return tuple(_told(_tree("", model, by_name), depth, times=1, level=0))


def _tree(name: str, module: nn.Module, layers: dict[str, Layer]) -> Node:
    children = tuple(
        _tree(path, child, layers)
        for path, child in ((f"{name}.{key}" if name else key, child) for key, child in module.named_children())
        if path in layers  # a module that has two names is told by its first
    )
    return Node(layers[name], module, children)


def _told(node: Node, depth: int | None, times: int, level: int) -> Iterator[Row]:
    if node.children and depth == 0:
        yield _row(node, _whole(node), times, level)
        return
    if node.layer.parameters or node.layer.macs or node.layer.thop:
        yield _row(node, node.layer, times, level, own=bool(node.children))
    frame = node.layer.name == "" and any(child.layer.name == "backbone" for child in node.children)
    below = depth if depth is None or frame else depth - 1  # our own frame around the network is no level of it
    for _, group in groupby(node.children, key=lambda child: child.likeness):
        alike = list(group)
        apart = len(alike) == 1 and not _block(alike[0].module)
        if below == 0 or apart or not alike[0].children:
            for child in alike:
                yield from _told(child, below, times, level)
        else:
            yield _heading(alike, times, level)
            yield from _told(alike[0], below, times * len(alike), level + 1)


def _whole(node: Node) -> Layer:
    """The node's layer with all that its children hold."""
    layer = node.layer
    for child in map(_whole, node.children):
        sums = {name: getattr(layer, name) + getattr(child, name) for name in _COUNTED}
        layer = replace(layer, **sums)
    return layer


_COUNTED = [field.name for field in fields(Layer) if field.name not in ("name", "type", "output")]


def _heading(alike: Sequence[Node], times: int, level: int) -> Row:
    first, whole = alike[0], _whole(alike[0])
    name = _shown(first.layer.name)
    if len(alike) > 1:
        name = f"{name} to {alike[-1].layer.name.rpartition('.')[2]}"
    kind = _block(first.module) or first.layer.type
    return replace(_row(first, whole, times * len(alike), level), name=name, type=kind, heading=True)


def _row(node: Node, layer: Layer, times: int, level: int, own: bool = False) -> Row:
    kind = _block(node.module) or layer.type
    if own:
        names = ", ".join(name for name, _ in node.module.named_parameters(recurse=False))
        kind = f"{layer.type}: {names}" if names else f"{layer.type}: its own products"
    return Row(_shown(layer.name), kind, layer.output, layer.parameters, layer.macs, layer.thop, times, level)


def _block(module: nn.Module) -> str:
    """'conv block (projection shortcut)' or 'identity block' for a residual block of a ResNet, else ''."""
    if not isinstance(module, BasicBlock | Bottleneck):
        return ""
    return IDENTITY_BLOCK if module.downsample is None else CONV_BLOCK


def _shown(name: str) -> str:
    """torchvision's own name: without our frame."""
    return name.removeprefix("backbone.") or "(the network)"
