"""Test images that flip: one of two recipes is right on them, the other wrong, again and again over seeds.

Among many images some flip often by chance. How many is what happens when in each seed the two recipes are swapped or
not by the toss of a coin: a randomisation test (Fisher 1935) of the single image, which McNemar's (1947) is for one
pair of runs. It needs no assumption about images, and leaves what the runs of a seed have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.core.seeds import stream

Counts = NDArray[np.int64]

MOST_EXACT = 10
"""Seeds up to which every way of swapping is gone through; with more, `DRAWS` of them are drawn, always the same."""
DRAWS = 512
BLOCK = 4096
"""Images that are counted at once."""
FEWEST, FEW = 2, 1.0
"""Pairs in which an image must flip at least; of fewer images than this by chance is an image said to flip."""


@dataclass(frozen=True, eq=False)
class Flips:
    """won, lost (T,): in how many pairs of runs the treatment alone, or the baseline alone, is right on an image.

    pairs: in which an image was tested; the most of any. least: so many more pairs one way than the other make an image
    one that flips. by_chance: how many images would flip one way, or the other, if neither recipe did anything.
    """

    won: Counts
    lost: Counts
    pairs: int
    least: int
    by_chance: float

    def flipped(self, better: bool) -> Counts:
        """The images that flip one way, those first that do it most often."""
        net = self.won - self.lost if better else self.lost - self.won
        chosen = np.flatnonzero(net >= self.least)
        return chosen[np.argsort(-net[chosen], kind="stable")]


def flips(won: ArrayLike, lost: ArrayLike, pairs: ArrayLike) -> Flips:
    """won, lost, pairs (S, T): of each seed, in how many pairs of runs; pairs: those in which the image was tested.

    An image flips if it does so in the fewest pairs, net, of which chance gives fewer than one image; in a quarter of
    all pairs at least, and where chance gives more even then, in more than half of them.

    >>> one_way = flips(np.ones((8, 3), int), np.zeros((8, 3), int), np.ones((8, 3), int))
    >>> one_way.flipped(better=True).tolist(), one_way.least, one_way.by_chance
    ([0, 1, 2], 3, 0.43359375)
    """
    won, lost = np.asarray(won), np.asarray(lost)
    tested = np.asarray(pairs).sum(axis=0)
    most, chance = int(tested.max(initial=0)), _by_chance(won - lost)
    expected = np.append(chance, np.zeros(most + FEWEST + 1))
    least, half = max(FEWEST, -(-most // 4)), max(FEWEST, most // 2 + 1)
    while least < half and expected[least] >= FEW:
        least += 1
    return Flips(won.sum(axis=0), lost.sum(axis=0), most, least, float(expected[least]))


def _by_chance(difference: Counts) -> NDArray[np.float64]:
    """(K,): how many images flip one way in k pairs or more, net, as a mean over the ways of swapping. (S, T) ->."""
    moving = np.flatnonzero(difference.any(axis=0))
    signs, counts = _signs(len(difference)), np.zeros(int(np.abs(difference).sum(axis=0).max(initial=0)) + 1)
    for start in range(0, len(moving), BLOCK):
        net = signs @ difference[:, moving[start : start + BLOCK]].astype(np.float32)
        counts += np.bincount(np.abs(net).astype(np.int64).ravel(), minlength=len(counts))
    tail: NDArray[np.float64] = counts[::-1].cumsum()[::-1] / 2 / len(signs)
    return tail


def _signs(seeds: int) -> NDArray[np.float32]:
    """(ways, seeds) of +1 and -1, the first seed always +1: the other half are the same ways mirrored."""
    if seeds <= MOST_EXACT:
        return np.array(list(_ways(seeds)), np.float32)
    drawn = stream(0, "flips", seeds).integers(0, 2, size=(DRAWS, seeds)) * 2 - 1
    return (drawn * drawn[:, :1]).astype(np.float32)


def _ways(seeds: int) -> Iterator[tuple[int, ...]]:
    return ((1, *rest) for rest in product((1, -1), repeat=seeds - 1))
