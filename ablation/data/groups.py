"""Groups: which photographs show the same picture. Arrays in, arrays out; Pillow and torch are not needed.

Exact copies have the same pixels. Near-duplicates have perceptual hashes that differ in few bits, as they are or with
one of them mirrored (see `ablation.data.traits`): re-encodings, other sizes, small changes of brightness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ablation.data.traits import MIRROR

NEAR = 32
"""The most bits of 256 in which the hashes of two near-duplicates differ."""

_ROWS_AT_ONCE = 256  # rows held against all others: bounds memory, whatever the number of samples

Rows = NDArray[np.int64]


def exact_pairs(traits: NDArray[np.void]) -> Rows:
    """(P, 2) rows with the same pixels: each copy beside the first of its kind."""
    _, first, inverse = np.unique(traits["pixels"], return_index=True, return_inverse=True)
    rows = np.arange(len(traits))
    copies = rows[first[inverse] != rows]
    return np.stack([first[inverse[copies]], copies], axis=1)


def near_pairs(traits: NDArray[np.void], most: int = NEAR) -> Rows:
    """(P, 3): two rows, the smaller first, and in how many bits their hashes differ, at most `most`.

    Takes time quadratic in the number of pictures. What has no meaningful hash has no near-duplicate.
    """
    rows = np.flatnonzero(traits["hashed"])
    hashes = traits["hash"][rows]
    found = [np.zeros((0, 3), np.int64)]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some, others = hashes[start : start + _ROWS_AT_ONCE], hashes[start:]
        apart = np.minimum(_differing(some, others), _differing(some ^ MIRROR, others))
        a, b = np.nonzero(apart <= most)
        later = b > a
        a, b = a[later], b[later]
        found.append(np.stack([rows[start + a], rows[start + b], apart[a, b]], axis=1))
    return np.concatenate(found)


def _differing(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """(A, B) number of bits in which each of `some` (A, 4) differs from each of `others` (B, 4)."""
    apart = np.zeros((len(some), len(others)), np.uint16)
    for word in range(some.shape[1]):
        apart += np.bitwise_count(some[:, None, word] ^ others[None, :, word])
    return apart


def given_pairs(names: Sequence[str]) -> Rows:
    """(P, 2) rows that the data itself says belong together: those with the same name, '' for none."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(name, row), row) for row, name in enumerate(names) if name]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)


def joined(count: int, *pairs: Rows) -> Rows:
    """(count,) the number of each row's group, when the rows of each pair belong together."""
    links = np.concatenate([found[:, :2] for found in pairs])
    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
