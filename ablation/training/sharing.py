"""How many workers share a GPU: as many as train more in all and have the memory, by a short measurement.

A step of a small network leaves most of a GPU idle; another worker's steps fit beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from ablation.experiment.spec import RunSpec

if TYPE_CHECKING:
    from ablation.training.worker import Worker

COUNTS = (1, 2, 4)
"""Workers on a GPU that are tried."""

WORTH = 1.1
"""So many times the images a second must more workers train, all together."""

ASIDE = 2**30
"""Bytes that a process takes on a GPU beside its tensors, generously."""


class Rate(NamedTuple):
    """What one worker measured: images a second (0: it failed), the most bytes its tensors took, bytes still free.

    On a CPU the bytes are 0.
    """

    images_per_second: float
    taken: int
    free: int


FAILED = Rate(0.0, 0, 0)
"""That of a worker which could not train."""


def best_count(measured: Callable[[int], Sequence[Rate]], most: int) -> int:
    """The number of workers on a GPU that train most images a second in all.

    measured: what so many workers measure that train at the same time. most: more have nothing to do.
    """
    best, fastest = 1, 0.0
    for count in COUNTS:
        if count > most:
            break
        each = measured(count)
        total = sum(rate.images_per_second for rate in each)
        if any(rate.images_per_second == 0 for rate in each) or total < WORTH * fastest:
            break
        best, fastest = count, total
        if _full(each):
            break
    return best


def rates(workers: Sequence[Worker], spec: RunSpec) -> list[Rate]:
    """What workers measure that train at the same time, once each has made itself ready."""
    with ThreadPoolExecutor(len(workers)) as pool:
        for _ in range(2):  # first they load the data and record or compile a step, one sooner than another
            each = list(pool.map(lambda worker: worker.rate(spec), workers))
    return each


def _full(each: Sequence[Rate]) -> bool:
    """Whether there is no memory for as many workers again; on a CPU none is measured."""
    taken = max(rate.taken for rate in each)
    return taken > 0 and min(rate.free for rate in each) < len(each) * (taken + ASIDE)
