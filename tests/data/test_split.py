"""Splits: no image in two parts, every class in each by its share, groups whole, and content and seed decide alone."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from piles import mixed, pile, piles, seeds, sides, told

from ablation.core.errors import InputError
from ablation.data import Fixed, Given, KFold, PerSeed
from ablation.data.split import ONE_EACH

ROOT = Path(__file__).parents[2]
CATS = ROOT.parent / "shared" / "data" / "cats12"

tenths = st.tuples(*[st.integers(1, 8)] * 3).filter(lambda parts: sum(parts) <= 10)
kinds = st.one_of(
    tenths.map(lambda parts: Fixed(*(part / 10 for part in parts))),
    tenths.map(lambda parts: PerSeed(*(part / 10 for part in parts))),
    st.builds(KFold, st.integers(2, 5), st.sampled_from((0.1, 0.2, 0.3))),
)


def shares_of(split: Fixed | PerSeed) -> list[Fraction]:
    return [Fraction(round(share * 10), 10) for share in (split.train, split.val, split.test)]


# --- what every split keeps


@settings(deadline=None, max_examples=80)
@given(piles(spanning=True), kinds, seeds)
def test_parts_share_no_image_and_no_group_is_in_two_of_them(data, split, seed):
    parts = split.draw(data, seed)
    rows = np.concatenate(parts)
    assert len(set(rows.tolist())) == len(rows)
    assert set(rows.tolist()) <= set(range(len(data.labels)))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert sides(parts, data.near) == 1


@settings(deadline=None, max_examples=80)
@given(piles(), tenths, seeds)
def test_each_class_gives_its_share_to_within_one_image_groups_or_not(data, parts_in_tenths, seed):
    for split in (Fixed(*(part / 10 for part in parts_in_tenths)), PerSeed(*(part / 10 for part in parts_in_tenths))):
        for part, share in zip(split.draw(data, seed), shares_of(split), strict=True):
            for label, size in enumerate(np.bincount(data.labels).tolist()):
                assert abs(int((data.labels[part] == label).sum()) - share * size) <= 1


@settings(deadline=None, max_examples=30)
@given(piles(), seeds)
def test_shares_that_add_up_to_one_use_every_image(data, seed):
    parts = Fixed(0.1, 0.2, 0.7, seed).draw(data, 0)  # in floating point these make 0.9999999999999999
    assert sum(map(len, parts)) == len(data.labels)


@settings(deadline=None, max_examples=30)
@given(piles(spanning=True), kinds, seeds)
def test_the_same_seed_gives_the_same_split(data, split, seed):
    for part, again in zip(split.draw(data, seed), split.draw(data, seed), strict=True):
        assert np.array_equal(part, again)


@settings(deadline=None, max_examples=30)
@given(piles(), seeds, st.integers(2, 5))
def test_another_seed_gives_another_split(data, seed, k):
    for split, other in (
        (PerSeed().draw(data, seed), PerSeed().draw(data, seed + 1)),
        (Fixed(seed=seed).draw(data, 0), Fixed(seed=seed + 1).draw(data, 0)),
        (KFold(k).draw(data, seed), KFold(k).draw(data, seed + 1)),
        (KFold(k).draw(data, seed), KFold(k).draw(data, seed + k)),
    ):
        assert not np.array_equal(split.test, other.test)
        assert not np.array_equal(split.train, other.train)


@settings(deadline=None, max_examples=30)
@given(piles(), kinds, seeds)
def test_how_groups_are_numbered_does_not_matter(data, split, seed):
    renumbered = data._replace(near=7 * (data.near.max() - data.near), exact=data.exact.max() - data.exact)
    for part, other in zip(split.draw(data, seed), split.draw(renumbered, seed), strict=True):
        assert np.array_equal(part, other)


# --- what stays together


@settings(deadline=None, max_examples=30)
@given(piles(spanning=True), kinds, seeds)
def test_exact_copies_alone_may_be_kept_together(data, split, seed):
    exact = replace(split, together="exact").draw(data, seed)
    assert sides(exact, data.exact) == 1
    for part, other in zip(exact, split.draw(data._replace(near=data.exact), seed), strict=True):
        assert np.array_equal(part, other)


@settings(deadline=None, max_examples=30)
@given(piles(spanning=True), kinds, seeds)
def test_if_nothing_is_kept_together_groups_do_not_matter(data, split, seed):
    alone = split.draw(pile(data.labels.tolist()), seed)
    for part, other in zip(alone, replace(split, together="nothing").draw(data, seed), strict=True):
        assert np.array_equal(part, other)


def test_groups_are_parted_where_they_may_be():
    near = np.arange(100) // 4
    data = pile([0, 1] * 50, near, np.arange(100) // 2)
    for split in (Fixed, PerSeed, KFold):
        assert sides(split(together="near").draw(data, 0), data.near) == 1
        assert sides(split(together="exact").draw(data, 0), data.near) > 1
        assert sides(split(together="nothing").draw(data, 0), data.exact) > 1


# --- by share and by number


def test_a_class_is_dealt_alike_whatever_other_classes_there_are():
    alone, beside = pile([0] * 50), pile([0] * 50 + [1] * 30)
    for part, other in zip(Fixed(seed=4).draw(alone, 0), Fixed(seed=4).draw(beside, 0), strict=True):
        assert np.array_equal(part, other[other < 50])


def test_numbers_of_images_are_shared_out_over_the_classes():
    cats = mixed([180] * 12)
    assert [len(part) for part in Fixed(1200, 120, 0.1).draw(cats, 0)] == [1200, 120, 216]
    assert [len(part) for part in PerSeed(0.5, 12, 600).draw(cats, 1)] == [1080, 12, 600]
    assert np.bincount(cats.labels[Fixed(200, 0.2, 0.2).draw(cats, 0).train]).tolist() == [17] * 12


def test_fixed_is_one_split_for_all_seeds_and_per_seed_is_not():
    data = mixed([40, 40])
    for one, other in zip(Fixed().draw(data, 0), Fixed().draw(data, 1), strict=True):
        assert np.array_equal(one, other)
    for one, other in zip(PerSeed().draw(data, 5), Fixed(seed=5).draw(data, 0), strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(PerSeed().draw(data, 0).test, PerSeed().draw(data, 1).test)
    assert (Fixed.redraws_training, Fixed.redraws_test) == (False, False)
    assert (PerSeed.redraws_training, PerSeed.redraws_test) == (True, True)
    assert (Fixed(seed=7).drawn_from(3), PerSeed().drawn_from(3)) == (7, 3)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(1, 5), seeds)
def test_ten_images_of_each_class_are_enough_for_a_smoke_run(some, others, seed):
    near = np.concatenate([[0] * some, np.arange(some, 10), [10] * others, np.arange(10 + others, 20)])
    data = pile([0] * 10 + [1] * 10, near)
    for split in (Fixed(0.9, 0.05, 0.05, seed), PerSeed(1900, 100, 0.01)):
        parts = split.smoke().draw(data, seed)
        assert sides(parts, near) == 1
        assert [np.bincount(data.labels[part]).tolist() for part in parts] == [[5, 5], [2, 2], [3, 3]]
    assert Fixed(0.8, 0.1, 0.1, 7, "exact").smoke() == Fixed(0.5, 0.2, 0.3, 7, "exact")
    assert PerSeed(0.8, 0.1, 0.1, "nothing").smoke() == PerSeed(0.5, 0.2, 0.3, "nothing")


# --- what is refused

THREE = ONE_EACH.format(3, "part")
"""The advice for a class that has fewer photographs, or groups of them, than there are parts."""


def test_a_class_too_small_for_a_part_is_named_for_every_part_at_once():
    data = pile([0] * 10 + [1])._replace(classes=("Birman", "Bombay"))
    lacking = f"the split leaves the {{}} part without an image of 1 class (class 1 (Bombay) has 1); {THREE}"
    assert told(Fixed(), data).splitlines() == [lacking.format("val"), lacking.format("test")]
    assert told(PerSeed(0.2, 0.2, 0.6), data).splitlines() == [lacking.format("train"), lacking.format("val")]
    of_fold = lacking.replace(THREE, ONE_EACH.format(5, "fold"))
    assert told(KFold(5), data, 0).splitlines() == [of_fold.format("val"), of_fold.format("test")]
    assert told(KFold(5), data, 2).splitlines() == [of_fold.format("train"), of_fold.format("val")]
    given_parts = data._replace(parts=np.array([0] * 8 + [2] * 2 + [0], np.int8))
    assert told(Given(), given_parts).splitlines() == [lacking.format("val"), lacking.format("test")]


def test_a_class_whose_images_are_all_in_one_group_is_named():
    told_of = told(Fixed(), pile([0] * 20 + [1] * 8, [*range(20), *[20] * 8])).splitlines()
    assert told_of == [
        f"the split leaves the {part} part without an image of 1 class (class 1 (c1) has 8 in 1 group that stays "
        f"whole); {THREE}"
        for part in ("val", "test")
    ]


def test_of_many_classes_that_are_too_small_five_are_named():
    named = ", ".join(f"class {label} (c{label}) has 1" for label in range(5))
    assert told(Fixed(), pile(range(8))).splitlines() == [
        f"the split leaves the {part} part without an image of 8 classes ({named}, and 3 more); {THREE}"
        for part in ("val", "test")
    ]


def test_more_images_than_there_are_is_refused():
    assert told(Fixed(50, 20, 20), mixed([40, 40])).splitlines() == ["the split asks for 90 images, the data has 80"]
    assert told(PerSeed(50, 0.3, 0.2), mixed([40, 40])).splitlines() == [
        "the split asks for 90 images, the data has 80"
    ]
    for split in (Fixed, PerSeed):
        with pytest.raises(InputError, match=rf"{split.__name__}: the shares of train, val and test add up to 1\.2"):
            split(train=0.8, val=0.2, test=0.2)
        with pytest.raises(InputError, match="together = 'neer': expected one of 'near', 'exact', 'nothing'; did you"):
            split(together="neer")
