"""Tensors that a worker keeps from one run to the next, as far as there is room: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor


class Kept:
    """At most `room` bytes of tensors, each under a key that says all that decides its numbers."""

    def __init__(self, room: int):
        self.room, self._tensors = room, OrderedDict[Hashable, Tensor]()

    def fits(self, size: int) -> bool:
        """Return whether `size` bytes are to be kept: more than half of the room would push out too much else."""
        return size <= self.room // 2

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return the tensor of this key, made now if it is not there. It is not to be changed."""
        if key not in self._tensors:
            made = make()
            while self._tensors and self.size() + made.nbytes > self.room:
                _, gone = self._tensors.popitem(last=False)
                if gone.is_cuda:  # another stream may still read it
                    torch.cuda.synchronize(gone.device)
            self._tensors[key] = made
        self._tensors.move_to_end(key)
        return self._tensors[key]

    def size(self) -> int:
        """Return how many bytes are kept."""
        return sum(tensor.nbytes for tensor in self._tensors.values())


KEPT = Kept(256_000_000)
"""Those of this process: test and validation images as networks are shown them, which no run changes."""
