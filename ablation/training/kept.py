"""The images that a worker keeps from one run to the next: those that no run changes, as networks are shown them."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.core.kept import Kept


def _wait_for(dropped: Tensor) -> None:
    """Wait until no stream of a GPU reads what is dropped."""
    if dropped.is_cuda:
        torch.cuda.synchronize(dropped.device)


KEPT = Kept(256_000_000, _wait_for)
"""Test and validation images, and the baseline's training images, of all runs of this process."""
