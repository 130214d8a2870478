"""Dealing samples to parts: each class by its shares, shuffled, and groups whole. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.core.seeds import stream
from ablation.data.groups import several

Rows = NDArray[np.int64]


def deal(labels: Rows, groups: Rows, shares: Sequence[float], seed: int, *name: str | int) -> list[Rows]:
    """Rows of each part, ascending, and last of all the rows that no part gets.

    labels: (N,) class of each sample. groups: (N,); samples with the same number go to one part. shares: of each class,
    for each part, adding up to at most 1. seed, name: of the random stream.

    Each class gives each part its share, rounded up or down to whole images, however the groups fall, as long as one of
    the parts has room for each group when its turn comes (those that span classes first, then the largest). A class
    with (parts + 1) x (largest group - 1) images of no group always allows that, if none of its groups spans classes,
    or if a single part has room for all groups that do. A group without room goes to a part that has nothing of its
    class yet, else where most is left, and the others get less.
    """
    classes = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    shuffled = [stream(seed, *(name or ("split",)), label).permutation(rows) for label, rows in enumerate(classes)]
    quotas = np.array([_quotas(len(rows), shares) for rows in classes])
    room = quotas.copy()
    part = np.full(len(labels), -1)
    for rows in _groups(groups, labels):
        chosen = _part_for(rows, labels, shuffled, quotas, room)
        part[rows] = chosen
        np.subtract.at(room[:, chosen], labels[rows], 1)
    for label, rows in enumerate(shuffled):
        single = rows[part[rows] < 0]
        part[single] = np.repeat(np.arange(len(shares) + 1), _fitting(room[label], len(single)))
    return [np.flatnonzero(part == place) for place in range(len(shares) + 1)]


def _quotas(size: int, shares: Sequence[float]) -> Rows:
    """(parts + 1,) how many of `size` images each part gets, and how many none."""
    ends = np.floor(np.cumsum(shares) * size + 0.5 + 1e-9).astype(np.int64)
    return np.diff([0, *ends, size])


def _groups(groups: Rows, labels: Rows) -> list[Rows]:
    """The rows of each group of two or more: those that span classes first, then the largest, then by first row."""
    return sorted(several(groups), key=lambda rows: (np.ptp(labels[rows]) == 0, -len(rows), rows[0]))


def _part_for(rows: Rows, labels: Rows, shuffled: Sequence[Rows], quotas: Rows, room: Rows) -> int:
    """Where a group goes: where its first sample would be dealt if that has room for all, else where most is left."""
    label = labels[rows[0]]
    needed = np.bincount(labels[rows], minlength=len(room))
    spare = (room - needed[:, None])[needed > 0].min(axis=0)
    place = int(np.flatnonzero(shuffled[label] == rows[0])[0])
    natural = int(np.searchsorted(np.cumsum(quotas[label]), place, side="right"))
    if spare[natural] >= 0:
        return natural
    if spare.max() >= 0:
        return int(spare.argmax())
    has_none = quotas[label] == room[label]
    return max(range(len(spare) - 1), key=lambda part: (has_none[part], spare[part]))


def _fitting(room: Rows, count: int) -> Rows:
    """The room of one class for `count` images: what groups took beyond it is taken from the parts with most left."""
    left = np.maximum(room, 0)
    while left.sum() > count:
        left[left.argmax()] -= 1
    return left
