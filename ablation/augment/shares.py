"""Pieces of work shared by threads of Python, each of which computes alone.

torch's own threads share each operation, and wait for one another after each of them; pictures need not wait.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache

import torch


def in_shares(work: Callable[[int], None], pieces: Iterable[int], shared: bool) -> None:
    """Do the work for each piece: where it may be `shared`, by as many threads as torch computes on, of which the next
    piece goes to who is free.

    Returns when no thread is at work any more; then raises what the work raised, if it did.
    """
    threads = torch.get_num_threads() if shared else 1
    pool = None if threads == 1 else _pool(os.getpid(), threads)
    if pool is None:
        for piece in pieces:
            work(piece)
        return
    pending = iter(list(pieces))
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()  # a thread has its own

    def some() -> None:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            for piece in pending:
                work(piece)

    shares = [pool.submit(some) for _ in range(threads)]
    wait(shares)
    for share in shares:
        share.result()


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor | None:
    """Threads that stay, in each of which torch computes on one; None where it cannot be held to that.

    A forked process has none of its parent's threads, and so a pool of its own.
    """
    if not _can_be_alone():
        return None
    return ThreadPoolExecutor(threads, "augment", initializer=_compute_alone)


def _compute_alone() -> None:
    """torch computes on one thread in this thread from now on, where OpenMP's runtime can be reached.

    `torch.set_num_threads` would set the number of threads to come, too, and how MKL shares products of matrices.
    """
    torch.get_num_threads()  # the first question in a thread sets the number
    set_threads = getattr(ctypes.CDLL(None), "omp_set_num_threads", None) if sys.platform == "linux" else None
    if set_threads is not None:
        set_threads(1)


def _can_be_alone() -> bool:
    """Whether a thread can be held to computing alone."""
    with ThreadPoolExecutor(1, initializer=_compute_alone) as probe:
        return probe.submit(torch.get_num_threads).result() == 1
