"""Dealing: every row in one place, groups whole, and each class by its shares, as far as its groups allow."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ablation.data.split import deal

seeds = st.integers(0, 2**31)


@st.composite
def shares_in(draw: st.DrawFn, whole: int, most: int = 4) -> list[int]:
    """One to `most` shares, as parts of `whole`."""
    ends = draw(st.lists(st.integers(1, whole), min_size=1, max_size=most, unique=True).map(sorted))
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def laid_out(bundles: Sequence[Sequence[int]], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the groups of rows in mixed order; a bundle holds the labels of a group."""
    labels = np.array([label for bundle in bundles for label in bundle], np.int64)
    groups = np.repeat(np.arange(len(bundles)), [len(bundle) for bundle in bundles])
    generator = np.random.Generator(np.random.Philox(seed))
    order = generator.permutation(len(labels))
    return labels[order], generator.permutation(10 * len(bundles))[groups[order]]


def singles(label: int, count: int) -> list[list[int]]:
    return [[label]] * count


def enough(parts: int, largest: int) -> int:
    """The images of no group with which a class can always be dealt by its shares."""
    return (parts + 1) * (largest - 1)


@st.composite
def classes_with_groups(draw: st.DrawFn, parts: int, spanning: bool) -> tuple[np.ndarray, np.ndarray]:
    """One to four classes, each with just enough images of no group; maybe groups that span classes."""
    several, largest = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    members = st.lists(st.integers(0, several - 1), min_size=2, max_size=largest)
    bundles = draw(st.lists(members, max_size=5)) if spanning else []
    for label in range(several):
        bundles += [[label] * size for size in draw(st.lists(st.integers(2, largest), max_size=12))]
        bundles += singles(label, enough(parts, largest) + draw(st.integers(0, 3)))
    return laid_out(bundles, draw(seeds))


def counts(parts: Sequence[np.ndarray], labels: np.ndarray, label: int) -> list[int]:
    return [int((labels[rows] == label).sum()) for rows in parts]


def spans(rows: np.ndarray, labels: np.ndarray) -> bool:
    return len(set(labels[rows].tolist())) > 1


# --- whatever the groups are


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=80), shares_in(10), seeds)
def test_every_row_goes_to_one_place_and_groups_stay_whole(rows, tenths, seed):
    labels, groups = np.array(rows).T
    dealt = deal(labels, groups, [share / 10 for share in tenths], seed)
    assert len(dealt) == len(tenths) + 1
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(rows)))
    assert all((np.diff(part) > 0).all() for part in dealt)
    assert sum(len(set(groups[part].tolist())) for part in dealt) == len(set(groups.tolist()))
    if sum(tenths) == 10:
        assert len(dealt[-1]) == 0


@settings(deadline=None, max_examples=50)
@given(st.data(), shares_in(10), seeds)
def test_how_groups_are_numbered_does_not_matter(data, tenths, seed):
    labels, groups = data.draw(classes_with_groups(len(tenths), spanning=True))
    others = np.random.Generator(np.random.Philox(seed)).permutation(10 * len(labels))[groups]
    shares = [share / 10 for share in tenths]
    for part, other in zip(deal(labels, groups, shares, seed), deal(labels, others, shares, seed), strict=True):
        assert np.array_equal(part, other)


@settings(deadline=None, max_examples=50)
@given(st.data(), seeds)
def test_the_same_stream_deals_alike_and_another_differently(data, seed):
    labels, groups = data.draw(classes_with_groups(2, spanning=True))
    labels, groups = np.append(labels, [0] * 30), np.append(groups, groups.max() + 1 + np.arange(30))
    streams = ((seed,), (seed,), (seed + 1,), (seed, "val"), (seed, "val", 1))
    first, again, *others = (np.concatenate(deal(labels, groups, (0.5, 0.2), *stream)) for stream in streams)
    assert np.array_equal(first, again)
    assert len({rows.tobytes() for rows in (first, *others)}) == 4


@settings(deadline=None, max_examples=50)
@given(st.data(), shares_in(10), seeds)
def test_a_class_is_dealt_alike_whatever_classes_come_after_it(data, tenths, seed):
    labels, groups = data.draw(classes_with_groups(len(tenths), spanning=False))
    shares, first = [share / 10 for share in tenths], np.flatnonzero(labels == 0)
    alone = deal(labels[first], groups[first], shares, seed)
    for part, beside in zip(alone, deal(labels, groups, shares, seed), strict=True):
        assert np.array_equal(first[part], beside[labels[beside] == 0])


# --- classes by their shares


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=4), shares_in(20), seeds)
@example([45], [2, 12], 0)  # 0.1 + 0.6 is less than 0.7 in floating point, and 31.5 images are 32
def test_without_groups_shares_are_rounded_where_they_end_and_half_an_image_is_one(sizes, twentieths, seed):
    labels = laid_out([[label] for label, size in enumerate(sizes) for _ in range(size)], seed)[0]
    dealt = deal(labels, np.arange(len(labels)), [share / 20 for share in twentieths], seed)
    for label, size in enumerate(sizes):
        ends = [
            floor(Fraction(sum(twentieths[:place]), 20) * size + Fraction(1, 2)) for place in range(len(twentieths) + 1)
        ]
        assert counts(dealt, labels, label) == np.diff([*ends, size]).tolist()


@settings(deadline=None, max_examples=150)
@given(st.data(), shares_in(10), seeds)
def test_each_class_gives_its_share_to_within_one_image_however_its_groups_fall(data, tenths, seed):
    labels, groups = data.draw(classes_with_groups(len(tenths), spanning=False))
    dealt = deal(labels, groups, [share / 10 for share in tenths], seed)
    for label, size in enumerate(np.bincount(labels)):
        for count, tenth in zip(counts(dealt, labels, label), [*tenths, 10 - sum(tenths)], strict=True):
            assert abs(count - Fraction(tenth, 10) * int(size)) <= 1


@settings(deadline=None, max_examples=150)
@given(st.data(), shares_in(10), seeds)
def test_so_it_is_with_groups_that_span_classes_if_one_part_has_room_for_them(data, tenths, seed):
    labels, groups = data.draw(classes_with_groups(len(tenths), spanning=True))
    spanning = [number for number in set(groups.tolist()) if spans(groups == number, labels)]
    sizes = np.bincount(labels)
    needed = np.bincount(labels[np.isin(groups, spanning)], minlength=len(sizes))
    assume((needed <= max(tenths) * sizes // 10 - 1).all())
    dealt = deal(labels, groups, [share / 10 for share in tenths], seed)
    for label, size in enumerate(sizes):
        for count, tenth in zip(counts(dealt, labels, label), [*tenths, 10 - sum(tenths)], strict=True):
            assert abs(count - Fraction(tenth, 10) * int(size)) <= 1


def test_groups_that_span_classes_go_before_the_room_of_their_classes_is_taken():
    for seed in range(300):  # in some of these, groups of one class would leave no part with room for the pair
        bundles = [[0, 0], [0, 0], [1, 1], [1, 1], [0, 1], *singles(0, 3), *singles(1, 3)]
        labels, groups = laid_out(bundles, seed)
        dealt = deal(labels, groups, (0.5, 0.5), seed)
        assert [counts(dealt, labels, label) for label in (0, 1)] == [[4, 4, 0]] * 2


def test_a_group_is_as_likely_in_a_part_as_the_part_is_large():
    labels, groups = laid_out([[0, 0], *singles(0, 8)], 0)
    (held,) = np.flatnonzero(np.bincount(groups) == 2)
    dealt = [deal(labels, groups, (0.5, 0.2), seed) for seed in range(1000)]
    places = [[held in groups[part] for part in parts].index(True) for parts in dealt]
    assert np.allclose(np.bincount(places, minlength=3) / 1000, (0.5, 0.2, 0.3), atol=0.05)


# --- where groups leave no choice


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), shares_in(10), seeds)
def test_with_too_few_single_images_no_part_gets_a_whole_group_more_than_its_share(sizes, tenths, seed):
    labels, groups = laid_out([[0] * size for size in sizes], seed)
    dealt = deal(labels, groups, [share / 10 for share in tenths], seed)
    for part, tenth in zip(dealt, [*tenths, 10 - sum(tenths)], strict=True):
        assert len(part) <= Fraction(tenth, 10) * sum(sizes) + 1 + (max(sizes) - 1)


def test_the_largest_group_is_dealt_first_so_that_the_others_fit_around_it():
    labels, groups = laid_out([[0] * 6, [0, 0], [0, 0], [0, 0]], 0)
    for seed in range(20):
        assert [len(part) for part in deal(labels, groups, (0.5, 0.5), seed)] == [6, 6, 0]


def test_a_group_that_is_too_large_goes_where_most_is_left_and_the_other_parts_get_less():
    labels, groups = laid_out([[0] * 6, *singles(0, 4)], 1)
    for seed in range(20):
        dealt = deal(labels, groups, (0.5, 0.2, 0.3), seed)
        assert [len(part) for part in dealt] == [6, 2, 2, 0]
        assert len(set(groups[dealt[0]].tolist())) == 1
        assert [len(part) for part in deal(labels, groups, (0.4, 0.1), seed)] == [6, 1, 3]


def test_a_group_that_only_fits_among_the_unused_is_not_used():
    labels, groups = laid_out([[0] * 6, *singles(0, 4)], 1)
    for seed in range(20):
        dealt = deal(labels, groups, (0.2, 0.1), seed)
        assert [len(part) for part in dealt] == [2, 1, 7]
        assert np.bincount(groups[dealt[2]]).max() == 6


@pytest.mark.parametrize("sizes", [(30, 30, 30), (25, 28, 31)])
def test_of_three_large_groups_each_part_gets_one(sizes):
    groups = np.repeat(np.arange(3), sizes)
    for seed in range(20):
        *parts, unused = deal(np.zeros(len(groups), np.int64), groups, (0.6, 0.2, 0.2), seed)
        assert all(len(rows) for rows in parts)
        assert len(unused) == 0
