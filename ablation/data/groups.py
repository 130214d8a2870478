"""Groups: which photographs show the same picture. Arrays in, arrays out; Pillow and torch are not needed.

Exact copies have the same pixels. Near-duplicates have perceptual hashes that differ in few bits, as they are or with
one of them mirrored (see `ablation.data.traits`): re-encodings, other sizes, small changes of brightness. In fewer bits
where one of them is turned by 90, 180 or 270 degrees, or turned and mirrored, and both are of one class: so there are
eight poses, and each is read off one hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.data.traits import FLIP, MIRROR, transposed

NEAR = 32
"""The most bits of 256 in which the hashes of two near-duplicates differ."""

TURNED = 24
"""The same where one is turned. Six more poses are as many more chances for unrelated pictures to look alike."""

_PAIRS_AT_ONCE = 1 << 19  # bounds memory (100 bytes a pair), also where all pictures are alike

_BANDED_FROM = 5_000  # hashes from which on it is quicker to compare only those that meet in a band
_BANDS = NEAR // 3 + 1  # two hashes that differ in at most NEAR bits differ in at most two of some band
_TURNED_FROM = 1_000  # the same for turned ones, of which each has six poses
_TURNED_BANDS = TURNED // 3 + 1
_SIDE = 16  # frequencies of a hash, in each direction
_DENSE = 16  # where more than one pair in so many meets, it is quicker to compare each with each

Rows = NDArray[np.int64]


def exact_pairs(traits: NDArray[np.void]) -> Rows:
    """Return (P, 2) rows with the same pixels: each copy beside the first of its kind."""
    _, first, inverse = np.unique(traits["pixels"], return_index=True, return_inverse=True)
    rows = np.arange(len(traits))
    copies = rows[first[inverse] != rows]
    return np.stack([first[inverse[copies]], copies], axis=1)


class Links(NamedTuple):
    """What looks alike."""

    near: Rows
    """(L, 2) pairs of rows that join all near-duplicates, directly or not; no more pairs than there are rows."""
    turned: Rows
    """(T,) rows that look like one of another class, but only with one of both turned. That joins them to none: classes
    may differ by nothing else (letters, arrows)."""


def near_links(traits: NDArray[np.void], labels: Rows) -> Links:
    """Return which photographs are near-duplicates; labels: (N,) their classes.

    Up to a few thousand pictures each is compared with each, of more those that meet in a band (see `near_banded` and
    `turned_banded`). Memory is not quadratic in their number, also where all are alike. What has no meaningful hash
    has no near-duplicate.
    """
    rows = np.flatnonzero(traits["hashed"])
    hashes, labels = traits["hash"][rows], labels[rows]
    _, first, kind = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    _, first_of_class, inverse = np.unique(
        kind * (labels.max(initial=0) + 1) + labels, return_index=True, return_inverse=True
    )
    same = np.stack([first[kind], np.arange(len(rows))], axis=1)
    pending, elsewhere = [same[same[:, 0] != same[:, 1]]], np.zeros(len(rows), bool)
    turned = _of_one_class(_turned_pairs(hashes, np.sort(first_of_class)), hashes, labels, elsewhere)
    for pairs in chain(_near_pairs(hashes, np.sort(first)), turned):
        if len(pairs):
            pending.append(pairs)
        if sum(map(len, pending)) > 2 * len(rows):
            pending = [_spanning(len(rows), np.concatenate(pending))]
    near: Rows = rows[_spanning(len(rows), np.concatenate(pending))].reshape(-1, 2)
    return Links(near, rows[elsewhere[first_of_class[inverse]]])


def _near_pairs(hashes: NDArray[np.uint64], some: Rows) -> Iterator[Rows]:
    """Yield near-duplicates among some rows of the hashes, as they are or mirrored."""
    few = hashes[some]
    for pairs in near_banded(few) if len(few) >= _BANDED_FROM else near_blocks(few, NEAR):
        yield some[pairs[:, :2]]


def _turned_pairs(hashes: NDArray[np.uint64], some: Rows) -> Iterator[Rows]:
    """Yield the same with one of both turned."""
    few = hashes[some]
    for pairs in turned_banded(few) if len(few) >= _TURNED_FROM else turned_blocks(few):
        yield some[pairs[:, :2]]


def _of_one_class(
    every: Iterable[Rows], hashes: NDArray[np.uint64], labels: Rows, elsewhere: NDArray[np.bool_]
) -> Iterator[Rows]:
    """Yield those of the turned pairs that are of one class; mark in `elsewhere` the rows of others that are not near
    as they are."""
    for pairs in every:
        within = labels[pairs[:, 0]] == labels[pairs[:, 1]]
        one, other = pairs[~within].T
        apart = hashes[one] ^ hashes[other]
        only_turned = np.minimum(_ones(apart), _ones(apart ^ MIRROR)) > NEAR
        elsewhere[one[only_turned]] = elsewhere[other[only_turned]] = True
        yield pairs[within]


def _spanning(count: int, links: Rows) -> Rows:
    """Return as few links as join the same: each row to the first of its group."""
    group = joined(count, links)
    first, rows = np.unique(group, return_index=True)[1][group], np.arange(count)
    spanning: Rows = np.stack([first, rows], axis=1)[first != rows]
    return spanning


def near_blocks(hashes: NDArray[np.uint64], most: int) -> Iterator[Rows]:
    """Yield pairs of rows of `hashes` (N, 4) that differ in at most `most` bits, and in how many, some rows at once."""
    return _blocks(hashes, (hashes, hashes ^ MIRROR), most)


def turned_blocks(hashes: NDArray[np.uint64]) -> Iterator[Rows]:
    """Yield the same of pairs that differ in at most `TURNED` bits, with one of them turned."""
    return _blocks(hashes, _turned(hashes), TURNED)


def _turned(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], ...]:
    """Return the six poses of (N, 4) hashes that are neither upright nor mirrored."""
    across = transposed(hashes)
    return hashes ^ FLIP, hashes ^ FLIP ^ MIRROR, across, across ^ MIRROR, across ^ FLIP, across ^ FLIP ^ MIRROR


def _blocks(hashes: NDArray[np.uint64], poses: Sequence[NDArray[np.uint64]], most: int) -> Iterator[Rows]:
    """Yield pairs of rows that differ in at most `most` bits in one of the poses, and in how many, some at once."""
    rows = min(256, -(-_PAIRS_AT_ONCE // max(1, len(hashes))))
    for start in range(0, len(hashes), rows):
        others = hashes[start:]
        apart = _least(_differing(pose[start : start + rows], others) for pose in poses)
        a, b = np.nonzero(apart <= most)
        later = b > a
        a, b = a[later], b[later]
        yield np.stack([start + a, start + b, apart[a, b]], axis=1).astype(np.int64)


def near_banded(hashes: NDArray[np.uint64]) -> Iterator[Rows]:
    """Yield pairs of rows of `hashes` (N, 4) that differ in at most `NEAR` bits, some at once, each pair at least once.

    The bits are dealt into 11 bands, so that such a pair differs in at most two bits of some band (as in Norouzi et al.
    2012, multi-index hashing). There it meets: a row stands under the 24 numbers that differ from its own in at most
    one bit of the band, and under the smaller of each of these and the mirrored one. Rows that meet are compared whole,
    of unrelated hashes one pair in some 700. So time is N log N and a small part of N squared, memory 300 bytes a row;
    where many are alike, and meet often, each is compared with each after all.
    """
    allowed = len(hashes) ** 2 // 2 // _DENSE
    for band in range(_BANDS):
        for met in _meeting(_under_numbers(hashes, band)):
            allowed -= len(met)
            if allowed < 0:
                yield from near_blocks(hashes, NEAR)
                return
            for words in (slice(0, 2), slice(0, 4)):  # half of the bits are enough to part nearly all
                apart = hashes[met[:, 0], words] ^ hashes[met[:, 1], words]
                met = met[np.minimum(_ones(apart), _ones(apart ^ MIRROR[words])) <= NEAR]
            yield met


def _under_numbers(hashes: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """Return, sorted, a number (the upper 32 bits) with a row that stands under it (the lower): N for each flipped bit
    of the band, and N for none."""
    bits, rows = range(band, 64 * hashes.shape[1], _BANDS), np.arange(len(hashes), dtype=np.uint64)
    own, mirrored = _in_band(hashes, bits), _in_band(MIRROR[None], bits)
    under = np.empty((len(bits) + 1, len(hashes)), np.uint64)
    for flipped, numbers in zip([0, *(1 << place for place in range(len(bits)))], under, strict=True):
        number = own ^ np.uint32(flipped)
        numbers[:] = np.minimum(number, number ^ mirrored).astype(np.uint64) << np.uint64(32) | rows
    flat = under.ravel()
    flat.sort()
    return flat


def turned_banded(hashes: NDArray[np.uint64]) -> Iterator[Rows]:
    """Yield pairs of rows that differ in at most `TURNED` bits with one of them turned, each pair at least once.

    As `near_banded`, by 9 bands of 28 bits, each of which a turn leaves in itself: a frequency is in one band with that
    of its row and column exchanged. A row stands under the smallest of a number's eight poses. Of unrelated hashes one
    pair in some 5,000 meets.
    """
    allowed = len(hashes) ** 2 // 2 // _DENSE
    across, poses = transposed(hashes), _turned(hashes)
    for band in range(_TURNED_BANDS):
        for met in _meeting(_under_poses(hashes, across, band)):
            allowed -= len(met)
            if allowed < 0:
                yield from turned_blocks(hashes)
                return
            one, other = met.T
            apart = _least(_ones(pose[one] ^ hashes[other]) for pose in poses)
            yield met[apart <= TURNED]


def _under_poses(hashes: NDArray[np.uint64], across: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """Return the same as `_under_numbers`, where a row stands under the smallest of a number's eight poses."""
    places = _band_of_poses(band)
    bits, partner = [_bit(*place) for place in places], [places.index(place[::-1]) for place in places]
    own, turned, rows = _in_band(hashes, bits), _in_band(across, bits), np.arange(len(hashes), dtype=np.uint64)
    masks = [int(_in_band(mask[None], bits)[0]) for mask in (MIRROR, FLIP, MIRROR ^ FLIP)]
    under = np.empty((len(bits) + 1, len(hashes)), np.uint64)
    for flipped, numbers in zip([None, *range(len(bits))], under, strict=True):
        one = own if flipped is None else own ^ np.uint32(1 << flipped)
        other = turned if flipped is None else turned ^ np.uint32(1 << partner[flipped])
        smallest = np.minimum(one, other)
        for mask in masks:
            np.minimum(smallest, one ^ np.uint32(mask), out=smallest)
            np.minimum(smallest, other ^ np.uint32(mask), out=smallest)
        numbers[:] = smallest.astype(np.uint64) << np.uint64(32) | rows
    flat = under.ravel()
    flat.sort()
    return flat


def _band_of_poses(band: int) -> list[tuple[int, int]]:
    """Return the frequencies (row, column) of a band that a turn leaves in itself: at most 30, and each in one band."""
    pairs = [(row, column) for row in range(_SIDE) for column in range(row)][band::_TURNED_BANDS]
    alone = [(row, row) for row in range(_SIDE)][_TURNED_BANDS - 1 - band :: _TURNED_BANDS]
    return [*pairs, *(pair[::-1] for pair in pairs), *alone]


def _bit(row: int, column: int) -> int:
    """Return where a frequency stands in a hash: bytes are packed from their highest bit down."""
    return (_SIDE * row + column) ^ 7


def _in_band(hashes: NDArray[np.uint64], bits: Sequence[int]) -> NDArray[np.uint32]:
    """Return (N,) these bits of each hash, as a number."""
    number = np.zeros(len(hashes), np.uint32)
    for place, bit in enumerate(bits):
        word, shift = divmod(bit, 64)
        number |= (hashes[:, word] >> np.uint64(shift) & np.uint64(1)).astype(np.uint32) << np.uint32(place)
    return number


def _meeting(under: NDArray[np.uint64]) -> Iterator[Rows]:
    """Yield (P, 2) every two rows that stand under the same number; under: as `_under_numbers` returns it."""
    for start in range(0, len(under), _PAIRS_AT_ONCE):
        first, step = np.arange(start, min(start + _PAIRS_AT_ONCE, len(under))), 1
        while len(first := first[: np.searchsorted(first, len(under) - step)]):
            first = first[under[first] >> np.uint64(32) == under[first + step] >> np.uint64(32)]
            yield np.stack([under[first], under[first + step]], axis=1).astype(np.uint32).astype(np.int64)
            step += 1


def _least(every: Iterable[NDArray[np.uint16]]) -> NDArray[np.uint16]:
    """Return the least of several arrays of one shape, element by element."""
    return reduce(np.minimum, every)


def _ones(words: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return (N,) how many bits of each row of words (N, W) are 1."""
    ones: NDArray[np.uint16] = np.bitwise_count(words).sum(axis=1, dtype=np.uint16)
    return ones


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
    _, start, count = np.unique(numbers[order], return_index=True, return_counts=True)
    many = count > 1
    return [order[first:end] for first, end in zip(start[many], (start + count)[many], strict=True)]


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
