"""Splits: no image in two parts, every class in each by its share, and nothing but content and seed to depend on."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablation.data import Fixed, PerSeed, stratified
from ablation.errors import DataError, InputError

class_sizes = st.lists(st.integers(20, 60), min_size=1, max_size=6)
tenths = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)).filter(lambda parts: sum(parts) <= 10)
seeds = st.integers(0, 2**31)


def labels_of(sizes: list[int]) -> np.ndarray:
    """Labels in a fixed mixed order, as content order would give."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.Generator(np.random.Philox(3)).permutation(labels)


@settings(deadline=None, max_examples=60)
@given(class_sizes, tenths, seeds)
def test_parts_are_disjoint_and_each_class_gives_its_share_to_within_one_image(sizes, parts_in_tenths, seed):
    labels = labels_of(sizes)
    parts = stratified(labels, tuple(share / 10 for share in parts_in_tenths), seed)
    together = np.concatenate(parts)
    assert len(set(together.tolist())) == len(together)
    assert set(together.tolist()) <= set(range(len(labels)))
    for part, tenth in zip(parts, parts_in_tenths, strict=True):
        assert (np.diff(part) > 0).all()
        for label, size in enumerate(sizes):
            assert abs(int((labels[part] == label).sum()) - Fraction(tenth, 10) * size) <= 1


@settings(deadline=None, max_examples=30)
@given(class_sizes, seeds)
def test_shares_that_add_up_to_one_use_every_image(sizes, seed):
    parts = stratified(labels_of(sizes), (0.1, 0.2, 0.7), seed)  # in floating point these make 0.9999999999999999
    assert sum(map(len, parts)) == sum(sizes)


@settings(deadline=None, max_examples=30)
@given(class_sizes, seeds)
def test_the_same_seed_gives_the_same_split_and_another_a_different_one(sizes, seed):
    labels, shares = labels_of(sizes), (0.5, 0.2, 0.3)
    first, again, other = (stratified(labels, shares, number) for number in (seed, seed, seed + 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_class_is_dealt_alike_whatever_other_classes_there_are():
    alone = np.zeros(50, np.int64)
    beside = np.concatenate([alone, np.ones(30, np.int64)])
    for a, b in zip(stratified(alone, (0.6, 0.2, 0.2), 4), stratified(beside, (0.6, 0.2, 0.2), 4), strict=True):
        assert np.array_equal(a, b[b < 50])


def test_numbers_of_images_are_shared_out_over_the_classes():
    parts = stratified(labels_of([180] * 12), (1200, 120, 0.1), 0)
    assert [len(part) for part in parts] == [1200, 120, 216]


def test_fixed_is_one_split_for_all_seeds_and_per_seed_is_not():
    labels = labels_of([40, 40])
    assert np.array_equal(Fixed().draw(labels, 0).test, Fixed().draw(labels, 1).test)
    assert not np.array_equal(Fixed().draw(labels, 0).test, Fixed(seed=1).draw(labels, 0).test)
    assert not np.array_equal(PerSeed().draw(labels, 0).test, PerSeed().draw(labels, 1).test)
    assert np.array_equal(PerSeed().draw(labels, 5).test, Fixed(seed=5).draw(labels, 0).test)


def test_a_class_too_small_for_a_part_is_named_for_every_part_at_once():
    labels = np.array([0] * 10 + [1], np.int64)
    with pytest.raises(DataError) as error:
        stratified(labels, (0.6, 0.2, 0.2), 0, classes=("Birman", "Bombay"))
    assert len(error.value.problems) == 2
    assert "the val part without an image of 1 class (class 1 (Bombay) has 1)" in str(error.value)
    assert "the test part without an image of 1 class" in str(error.value)
    with pytest.raises(DataError, match=r"\(class 1 has 1\); give each class more images, or the part a larger share"):
        Fixed().draw(labels, 0)


def test_more_images_than_there_are_is_refused():
    with pytest.raises(DataError, match="the split asks for 90 images, the data has 80"):
        stratified(labels_of([40, 40]), (50, 20, 20), 0)
    with pytest.raises(InputError, match=r"add up to 1\.2"):
        Fixed(train=0.8, val=0.2, test=0.2)
