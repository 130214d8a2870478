"""Batches that a GPU makes on a second stream, while it trains on those before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

STEPS_AHEAD = 3
"""How many steps the host may be ahead of the device, which then never lacks work; their images take memory."""

Batch = tuple[Tensor, Tensor]


@lru_cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """The one stream for this: memory that was freed is used again on the stream that it was for."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches in the same order; on CUDA each is computed on a side stream. As they are on a CPU.

    The host asks for a batch when it has given the device the step before, which still runs: so the two overlap.
    """
    if device.type != "cuda":
        yield from batches
        return
    main, side = torch.cuda.current_stream(device), side_stream(device)
    side.wait_stream(main)  # what batches are made of is there
    taken: deque[torch.cuda.Event] = deque()
    while True:
        with torch.cuda.stream(side):
            batch = next(batches, None)
        if batch is None:
            return
        main.wait_stream(side)
        for tensor in batch:
            tensor.record_stream(main)  # its memory is not used again before the step is over
        yield batch
        taken.append(main.record_event())
        if len(taken) > STEPS_AHEAD:
            taken.popleft().synchronize()
