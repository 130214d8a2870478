"""Images that flip over seeds, beside a plain program that tosses every coin."""

from itertools import product

import numpy as np
import pytest

from ablation.analysis.flips import FEW, MOST_EXACT, flips
from ablation.core.seeds import stream


def drawn(seeds: int, images: int, runs: int = 1, moved: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two recipes, right in .8 of all cases; on the first `moved` images the second recipe is always right."""
    random = stream(3, "flips", seeds, images, runs)
    own, other = (random.random((seeds, runs, images)) < 0.8 for _ in range(2))
    own[..., :moved], other[..., :moved] = True, False
    won, lost = (own & ~other).sum(axis=1), (other & ~own).sum(axis=1)
    return won, lost, np.full_like(won, runs)


def by_hand(won: np.ndarray, lost: np.ndarray, least: int) -> float:
    """Every way of swapping the recipes in seeds, image by image."""
    counts = []
    for signs in product((1, -1), repeat=len(won)):
        net = [sum(s * int(d) for s, d in zip(signs, column, strict=True)) for column in (won - lost).T]
        counts.append(sum(one >= least for one in net))
    return float(np.mean(counts))


@pytest.mark.parametrize(("seeds", "runs"), [(2, 1), (3, 1), (5, 2), (8, 2)])
def test_chance_is_that_of_all_swaps_and_least_is_the_first_count_with_fewer_than_one(seeds, runs):
    won, lost, pairs = drawn(seeds, 60, runs)
    found = flips(won, lost, pairs)
    assert found.by_chance == pytest.approx(by_hand(won, lost, found.least))
    assert found.pairs == seeds * runs
    smallest, half = max(2, -(-found.pairs // 4)), max(2, found.pairs // 2 + 1)
    assert smallest <= found.least <= half
    if found.least < half:
        assert found.by_chance < FEW
    if found.least > smallest:
        assert by_hand(won, lost, found.least - 1) >= FEW


def test_images_that_always_flip_come_first_and_the_other_way_is_not_theirs():
    won, lost, pairs = drawn(8, 300, moved=5)
    won[7, 4], pairs_before = 0, pairs.copy()
    found = flips(won, lost, pairs)
    assert found.flipped(better=True)[:5].tolist() == [0, 1, 2, 3, 4]
    assert not set(range(5)) & set(found.flipped(better=False).tolist())
    mirrored = flips(lost, won, pairs)
    assert mirrored.flipped(better=False).tolist() == found.flipped(better=True).tolist()
    assert mirrored.by_chance == found.by_chance
    np.testing.assert_array_equal(pairs, pairs_before)


def test_many_seeds_are_drawn_and_agree_with_all_ways_of_fewer():
    won, lost, pairs = drawn(MOST_EXACT + 2, 400)
    found = flips(won, lost, pairs)
    assert found.by_chance == pytest.approx(by_hand(won, lost, found.least), abs=0.25)
    assert flips(won, lost, pairs).by_chance == found.by_chance


def test_nothing_flips_where_nothing_differs_or_one_pair_is_all():
    zero = np.zeros((4, 10), int)
    same = flips(zero, zero, zero + 1)
    assert same.by_chance == 0
    assert len(same.flipped(better=True)) == len(same.flipped(better=False)) == 0
    once = flips(np.ones((1, 5), int), np.zeros((1, 5), int), np.ones((1, 5), int))
    assert len(once.flipped(better=True)) == 0, "one pair of runs is no repetition"


def test_an_image_that_few_seeds_tested_flips_only_if_it_did_often_enough():
    won, lost, pairs = drawn(8, 40, moved=2)
    won[2:, 1], lost[2:, 1], pairs[2:, 1] = 0, 0, 0
    found = flips(won, lost, pairs)
    assert 0 in found.flipped(better=True)
    assert (1 in found.flipped(better=True)) == (found.least <= 2)
