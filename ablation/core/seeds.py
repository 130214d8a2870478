"""Randomness: named, independent, counter-based streams, and no other source of it anywhere.

`stream(7, "order", 3)` is the same generator whenever and wherever it is made, and independent of every other name.
torch's initialisers and dropout can only read torch's global generator, so `torch_stream` lends them one for the length
of a `with` block and puts back what was there; no other module may touch global random state (a test holds that).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def _key(seed: int, name: tuple[str | int, ...]) -> int:
    text = json.dumps([seed, *name])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """Return the generator called `name` under `seed`: Philox4x64-10 (Salmon et al. 2011) keyed by a hash of both.

    >>> stream(7, "order", 3).permutation(5).tolist() == stream(7, "order", 3).permutation(5).tolist()
    True
    """
    return np.random.Generator(np.random.Philox(key=_key(seed, name)))


@contextmanager
def torch_stream(seed: int, *name: str | int, device: Any = "cpu") -> Iterator[None]:
    """Make torch's default generators within the block (CPU, and `device` if it is CUDA) the stream called `name`."""
    import torch

    device = torch.device(device)
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        # not `torch.manual_seed`: before CUDA is used it formats a stack trace at each call, a millisecond
        for generator in (torch.default_generator, *(torch.cuda.default_generators[number] for number in devices)):
            generator.manual_seed(_key(seed, name) % 2**63)
        yield
