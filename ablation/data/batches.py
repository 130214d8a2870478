"""How samples are cut into batches: the one definition of how many steps an epoch takes. No torch."""

from __future__ import annotations


def bounds(samples: int, batch_size: int) -> list[tuple[int, int]]:
    """Return first sample, and the one after the last, of each batch; the last batch has what is left.

    One image left over joins the batch before it: batch normalisation cannot train on one image alone.
    """
    starts = list(range(0, samples, batch_size))
    if len(starts) > 1 and samples % batch_size == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], samples], strict=True)) if starts else []


def steps(samples: int, batch_size: int) -> int:
    """Return how many batches that makes."""
    return len(bounds(samples, batch_size))
