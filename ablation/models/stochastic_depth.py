"""Stochastic depth (Huang et al. 2016): in training, drop whole residual branches, of each image on its own.

Of L blocks, block l is dropped with probability p l / L (their linear decay rule, from the first block on): the last
with p. torchvision's own modules for it are used where a network has them; ResNets get them after the last norm of
each residual branch. The draws come from the generator that is the default in training, as dropout's do.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import StochasticDepth


class DroppedNorm(nn.BatchNorm2d):
    """The last batch norm of a residual branch, and the branch's dropping: its weights keep the names they had."""

    def __init__(self, norm: nn.BatchNorm2d, rate: float):
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self._parameters, self._buffers = norm._parameters, norm._buffers
        self.drop = StochasticDepth(rate, "row")

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, as torch calls it
        return self.drop(super().forward(input))


def switch_off(network: nn.Module) -> None:
    """Set the rates that torchvision gives its own networks to 0: what an experiment asks for is all there is."""
    for module in network.modules():
        if isinstance(module, StochasticDepth):
            module.p = 0.0


def drop_branches(network: nn.Module, rate: float) -> None:
    """Set the rates of the blocks by the linear rule, the last block's to `rate`; at 0 nothing is touched."""
    if not rate:
        return
    blocks = [module for module in network.modules() if isinstance(module, BasicBlock | Bottleneck)]
    drops = [module for module in network.modules() if isinstance(module, StochasticDepth)]
    for place, drop in enumerate(drops, 1):
        drop.p = rate * place / len(drops)
    for place, block in enumerate(blocks, 1):
        last = "bn3" if isinstance(block, Bottleneck) else "bn2"
        block.set_submodule(last, DroppedNorm(block.get_submodule(last), rate * place / len(blocks)))
