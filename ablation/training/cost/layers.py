"""A network's layers as a table: what each makes, holds and costs; blocks that are alike stand there once.

Computes and lays out nothing on a screen: `rows` is what the table, the CSV and the tests read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    """How often the network has this row: of blocks that are alike there is one."""
    depth: int = 0
    heading: bool = False


@dataclass(frozen=True)
class Node:
    """A module: what it does itself, that with all that it holds, and its children; the names are torchvision's own."""

    layer: Layer
    inside: tuple[Layer, ...]
    module: nn.Module
    children: tuple[Node, ...]

    @property
    def likeness(self) -> tuple[Layer, ...]:
        """Equal for modules of the same make and cost, whatever they are called."""
        return tuple(replace(layer, name=layer.name.removeprefix(self.layer.name)) for layer in self.inside)

    @property
    def block(self) -> str:
        """'conv block (projection shortcut)' or 'identity block' for a residual block of a ResNet, else ''."""
        if not isinstance(self.module, BasicBlock | Bottleneck):
            return ""
        return IDENTITY_BLOCK if self.module.downsample is None else CONV_BLOCK

    def row(self, layers: Sequence[Layer], times: int, depth: int, kind: str = "", heading: bool = False) -> Row:
        """A line on the module that adds up these layers."""
        return Row(
            name=self.layer.name.removeprefix("backbone.") or "(the network)",  # without our own frame around it
            type=self.block or kind or self.layer.type,
            output=self.layer.output,
            parameters=sum(layer.parameters for layer in layers),
            macs=sum(layer.macs for layer in layers),
            thop=sum(layer.thop for layer in layers),
            times=times,
            depth=depth,
            heading=heading,
        )


def rows(model: nn.Module, layers: Sequence[Layer], depth: int | None = None) -> tuple[Row, ...]:
    """The table of a network whose `layers` were counted: layers that hold or compute something, headings for blocks.

    depth: modules this deep are one row each, with all that they hold; None for every layer. The rows that are no
    headings, each `times` over, add up to the network.
    """
    modules = dict(model.named_modules())

    def node(layer: Layer) -> Node:
        within = f"{layer.name}." if layer.name else ""
        inside = tuple(other for other in layers if other is layer or other.name.startswith(within))
        children = (other for other in inside if other is not layer and "." not in other.name.removeprefix(within))
        return Node(layer, inside, modules[layer.name], tuple(map(node, children)))

    return tuple(_rows(node(layers[0]), depth, times=1, level=0))


def _rows(node: Node, depth: int | None, times: int, level: int) -> Iterator[Row]:
    if node.children and depth == 0:
        yield node.row(node.inside, times, level)
        return
    if node.layer.parameters or node.layer.macs or node.layer.thop:
        yield node.row([node.layer], times, level, _own(node) if node.children else "")
    framed = node.layer.name == "" and any(child.layer.name == "backbone" for child in node.children)
    below = depth if depth is None or framed else depth - 1  # our own frame around the network is no level of it
    for _, group in groupby(node.children, key=lambda child: child.likeness):
        first, *others = alike = list(group)
        if below == 0 or not first.children or not (others or first.block):
            for child in alike:
                yield from _rows(child, below, times, level)
        else:
            heading = first.row(first.inside, times * len(alike), level, heading=True)
            last = f" to {others[-1].layer.name.rpartition('.')[2]}" if others else ""
            yield replace(heading, name=f"{heading.name}{last}")
            yield from _rows(first, below, times * len(alike), level + 1)


def _own(node: Node) -> str:
    """The type of a module that computes something beside what its children do."""
    names = ", ".join(name for name, _ in node.module.named_parameters(recurse=False))
    return f"{node.layer.type}: {names or 'its own products'}"
