"""Groups: which photographs show the same picture. Arrays in, arrays out; Pillow and torch are not needed.

Exact copies have the same pixels. Near-duplicates have perceptual hashes that differ in few bits, as they are or with
one of them mirrored (see `ablation.data.traits`): re-encodings, other sizes, small changes of brightness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.data.traits import MIRROR

NEAR = 32
"""The most bits of 256 in which the hashes of two near-duplicates differ."""

_PAIRS_AT_ONCE = 1 << 19  # bounds memory (100 bytes a pair), also where all pictures are alike

Rows = NDArray[np.int64]


def exact_pairs(traits: NDArray[np.void]) -> Rows:
    """Return (P, 2) rows with the same pixels: each copy beside the first of its kind."""
    _, first, inverse = np.unique(traits["pixels"], return_index=True, return_inverse=True)
    rows = np.arange(len(traits))
    copies = rows[first[inverse] != rows]
    return np.stack([first[inverse[copies]], copies], axis=1)


def near_links(traits: NDArray[np.void]) -> Rows:
    """Return (L, 2) pairs of rows that join all near-duplicates, directly or not; no more pairs than there are rows.

    Takes time quadratic in the number of pictures, and memory that is not, also where all pictures are alike. What has
    no meaningful hash has no near-duplicate.
    """
    rows = np.flatnonzero(traits["hashed"])
    _, first, inverse = np.unique(traits["hash"][rows], axis=0, return_index=True, return_inverse=True)
    same = np.stack([first[inverse], np.arange(len(rows))], axis=1)
    links: Rows = same[same[:, 0] != same[:, 1]]
    different = np.sort(first)
    for pairs in near_blocks(traits["hash"][rows][different], NEAR):
        if len(pairs):
            links = _spanning(len(rows), np.concatenate([links, different[pairs[:, :2]]]))
    near: Rows = rows[links].reshape(-1, 2)
    return near


def _spanning(count: int, links: Rows) -> Rows:
    """Return as few links as join the same: each row to the first of its group."""
    group = joined(count, links)
    first, rows = np.unique(group, return_index=True)[1][group], np.arange(count)
    spanning: Rows = np.stack([first, rows], axis=1)[first != rows]
    return spanning


def near_blocks(hashes: NDArray[np.uint64], most: int) -> Iterator[Rows]:
    """Yield pairs of rows of `hashes` (N, 4) that differ in at most `most` bits, and in how many, some rows at once."""
    rows = min(256, -(-_PAIRS_AT_ONCE // max(1, len(hashes))))
    for start in range(0, len(hashes), rows):
        some, others = hashes[start : start + rows], hashes[start:]
        apart = np.minimum(_differing(some, others), _differing(some ^ MIRROR, others))
        a, b = np.nonzero(apart <= most)
        later = b > a
        a, b = a[later], b[later]
        yield np.stack([start + a, start + b, apart[a, b]], axis=1).astype(np.int64)


def _differing(some: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return (A, B): the number of bits in which each of `some` (A, 4) differs from each of `others` (B, 4)."""
    apart = np.zeros((len(some), len(others)), np.uint16)
    for word in range(some.shape[1]):
        apart += np.bitwise_count(some[:, None, word] ^ others[None, :, word])
    return apart


def given_pairs(names: Sequence[str]) -> Rows:
    """Return (P, 2) rows that the data itself says belong together: those with the same name, '' for none."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(name, row), row) for row, name in enumerate(names) if name]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)


def several(numbers: Rows) -> list[Rows]:
    """Return the rows of each group number that occurs more than once, ascending within and by number."""
    order = np.argsort(numbers, kind="stable")
    return [rows for rows in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(rows) > 1]


def joined(count: int, *pairs: Rows) -> Rows:
    """Return (count,) numbers of groups, in the order of their first rows; the rows of each pair are in one group.

    Each group goes by its lowest row: both ends of a link by the lower of their names, until no link joins two names.
    scipy's connected_components does the same, but importing it takes as long as the rest of a check of known data.
    """
    a, b = np.concatenate([of_kind[:, :2] for of_kind in pairs]).T
    name = np.arange(count)
    while (name[a] != name[b]).any():
        lower = np.minimum(name[a], name[b])
        np.minimum.at(name, name[a], lower)
        np.minimum.at(name, name[b], lower)
        while (name[name] != name).any():
            name = name[name]
    return np.unique(name, return_inverse=True)[1]
