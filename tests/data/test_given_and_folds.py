"""The data's own parts, folds that take turns, and training on fewer images: `Given`, `KFold`, `TrainSize`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from piles import parted_piles, pile, seeds, sides, told

from ablation.core.errors import InputError
from ablation.core.values import plain, restore
from ablation.data import Given, ImageFolder, KFold, listing
from ablation.data.split import own_parts

# --- the data's own parts


@settings(deadline=None, max_examples=40)
@given(parted_piles((0, 1, 2)), seeds)
def test_the_parts_of_the_data_are_taken_as_they_are(data, seed):
    data = data._replace(near=np.arange(len(data.labels)))
    for place, part in enumerate(Given(val=0.5, seed=seed).draw(data, seed)):
        assert np.array_equal(part, np.flatnonzero(data.parts == place))


@settings(deadline=None, max_examples=40)
@given(parted_piles((0, 2)), st.integers(1, 5), seeds)
def test_where_val_is_missing_it_is_taken_from_train(data, tenths, seed):
    parts = Given(tenths / 10, seed, "keep").draw(data, 0)
    assert np.array_equal(parts.test, np.flatnonzero(data.parts == 2))
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.val])), np.flatnonzero(data.parts == 0))
    assert sides(parts._replace(test=parts.test[:0]), data.near) == 1
    for label in range(3):
        mine = int(((data.labels == label) & (data.parts == 0)).sum())
        assert abs(int((data.labels[parts.val] == label).sum()) - tenths * mine / 10) <= 1 + 1e-9
    for part, other in zip(parts, Given(tenths / 10, seed, "keep").draw(data, 1), strict=True):
        assert np.array_equal(part, other)
    assert not np.array_equal(parts.val, Given(tenths / 10, seed + 1, "keep").draw(data, 0).val)


@pytest.mark.parametrize(("parts", "missing"), [((-1, -1), "train"), ((0, 0), "test"), ((1, 2), "train")])
def test_data_without_parts_is_refused(parts, missing):
    assert told(Given(), pile([0, 1] * 20, parts=[*parts] * 20)) == (
        f"Given() takes the data's own parts, and this data has no {missing} part; have the folders train and test, "
        "or a table with a `split` column, or use Fixed(...)"
    )


USUAL = pile([0, 1] * 20, parts=[0, 0, 0, 0, 0, 0, 1, 1] * 5)
"""Train and val alone: the usual layout."""


def test_train_and_val_alone_are_trained_and_tested_on_and_validation_comes_from_train():
    assert told(Given(), USUAL) == (
        'Given() takes the data\'s own parts, and this data has no test part; Given(test="val") tests on its val part, '
        "and validates on some of train"
    )
    split = Given(val=0.2, test="val")
    parts = split.draw(USUAL, 0)
    assert np.array_equal(parts.test, np.flatnonzero(USUAL.parts == 1))
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.val])), np.flatnonzero(USUAL.parts == 0))
    assert len(parts.val) == 6
    assert split.smoke() == Given(0.2, test="val")
    whole = pile([0, 1] * 20, parts=[0, 0, 1, 1, 2, 2, 0, 0] * 5)
    assert told(split, whole) == (
        'Given(test="val") is for data without a test part, and this data has one: Given() tests on it'
    )
    assert told(Given(test="val"), pile([0, 1] * 20, parts=[0, 0] * 20)).endswith("or use Fixed(...)")


def test_copies_in_train_and_val_are_refused_with_a_remedy_that_works():
    near = np.arange(40)
    near[6] = 0  # row 0 of train is in val too
    data = USUAL._replace(near=near)
    refused = told(Given(test="val"), data)
    assert 'Given(test="val", duplicates="drop") leaves them out of training' in refused
    assert own_parts(data) == Given(test="val", duplicates="drop")
    parts = own_parts(data).draw(data, 0)
    assert 6 in parts.test
    assert 0 not in np.concatenate([parts.train, parts.val])


@pytest.mark.parametrize(
    ("parts", "split"),
    [
        ((0, 2), Given()),
        ((0, 1, 2), Given()),
        ((0, 1), Given(test="val")),
        ((0, 1, -1), Given(test="val")),
        ((0,), None),
        ((1, 2), None),
        ((-1,), None),
    ],
)
def test_the_split_that_keeps_the_parts_of_the_data_can_be_made(parts, split):
    data = pile([0, 1] * 60, parts=np.repeat(np.array(parts), 2).tolist() * (60 // len(parts)))
    assert own_parts(data) == split
    if split is not None:
        assert len(split.draw(data, 0).test) == 120 // len(parts)


def test_how_what_is_tested_on_is_chosen_changes_no_id_of_before():
    assert plain(Given()) == {"type": "Given", "val": 0.1, "seed": 0, "duplicates": "refuse"}
    assert plain(Given(test="val")) == plain(Given()) | {"test": "val"}
    for split in (Given(), Given(0.2, 3, "drop"), Given(test="val", duplicates="keep")):
        assert restore(plain(split), {"Given": Given}) == split


LEAKING = pile(
    labels=[0, 1] * 9,
    parts=[0] * 6 + [1] * 6 + [2] * 6,
    #     train               val                     test
    near=[0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 1, 7, 14, 15, 16, 17],
)
"""Row 0 is again in val, 1 in test; 7 of val is again in test."""


def test_photographs_that_are_in_two_parts_are_refused_and_named():
    told_of = told(Given(), LEAKING)
    assert told_of == (
        "3 photographs of train or val belong together with one in another part ('0.png', '1.png', '7.png'), as "
        "near-duplicates or as the data says; "
        '`ablation check` shows them. Given(duplicates="drop") leaves them out of training, "keep" accepts them'
    )
    more = LEAKING._replace(near=np.where(np.arange(18) == 3, 15, LEAKING.near))
    assert "4 photographs of train or val" in told(Given(), more)
    assert "('0.png', '1.png', '3.png', ...), as near-duplicates" in told(Given(), more)


def test_photographs_that_are_in_two_parts_are_dropped_or_kept_on_demand():
    dropped = Given(duplicates="drop").draw(LEAKING, 0)
    assert [part.tolist() for part in dropped] == [[2, 3, 4, 5], [6, 8, 9, 10, 11], [12, 13, 14, 15, 16, 17]]
    kept = Given(duplicates="keep").draw(LEAKING, 0)
    assert [part.tolist() for part in kept] == [[*range(6)], [*range(6, 12)], [*range(12, 18)]]


@settings(deadline=None, max_examples=60)
@given(parted_piles((0, 1, 2)) | parted_piles((0, 2)), seeds)
def test_what_is_dropped_is_what_a_later_part_has_too(data, seed):
    parts, kept = (Given(0.2, seed, duplicates).draw(data, 0) for duplicates in ("drop", "keep"))
    assert sides(parts, data.near) == 1
    assert np.array_equal(parts.test, kept.test)
    for place in (0, 1):
        later = np.concatenate(kept[place + 1 :])
        expected = [row for row in kept[place] if data.near[row] not in data.near[later]]
        assert parts[place].tolist() == expected
    leaking = sum(map(len, kept)) - sum(map(len, parts))
    if leaking:
        assert told(Given(0.2, seed), data).startswith(f"{leaking} photograph")
    else:
        assert np.array_equal(Given(0.2, seed).draw(data, 0).train, kept.train)


def test_a_class_of_which_nothing_is_left_is_named():
    data = pile([0] * 6 + [1] * 3, [0, 1, 2, 3, 4, 5, 6, 6, 6], parts=[0, 0, 1, 1, 2, 2, 0, 1, 2])
    advice = "give each class more images, or the part a larger share"
    assert told(Given(duplicates="drop"), data).splitlines() == [
        f"the split leaves the {part} part without an image of 1 class (class 1 (c1) has 3); {advice}"
        for part in ("train", "val")
    ]


def draw_photographs(folder: Path, order: Sequence[int]) -> ImageFolder:
    """Two classes of 20 photographs in train and 5 in test, called by their place in `order`; 49 is 0, mirrored."""
    for name, number in enumerate(order):
        blots = np.random.Generator(np.random.Philox(number % 49)).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        image = Image.fromarray(blots).resize((48, 48), Image.Resampling.BICUBIC)
        place = folder / ("train" if number < 40 else "test") / ("calico", "tabby")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (ImageOps.mirror(image) if number == 49 else image).save(place / f"{name:02}.png")
    return ImageFolder(str(folder))


def test_folders_of_parts_are_split_so_whatever_files_are_called(tmp_path):
    first = listing(draw_photographs(tmp_path / "one", range(50)), tmp_path / "cache")
    other = listing(draw_photographs(tmp_path / "two", range(49, -1, -1)), tmp_path / "cache")
    assert "in another part ('train/calico/00.png'), as near-duplicates" in told(Given(), first)
    assert "in another part ('train/calico/49.png'), as near-duplicates" in told(Given(), other)
    parts = [Given(0.2, duplicates="drop").draw(found, 0) for found in (first, other)]
    assert [list(map(len, some)) for some in parts] == [[31, 8, 10]] * 2
    for one, two in zip(*parts, strict=True):
        assert [first.contents[row] for row in one] == [other.contents[row] for row in two]


# --- folds


@settings(deadline=None, max_examples=60)
@given(parted_piles(), st.integers(2, 6), st.integers(0, 100))
def test_k_seeds_test_every_image_once_each_class_to_within_one(data, k, turn):
    folds = [KFold(k).draw(data, k * turn + fold).test for fold in range(k)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(data.labels)))
    alone = data._replace(near=np.arange(len(data.labels)))
    for fold in range(k):
        tested = np.bincount(data.labels[KFold(k).draw(alone, k * turn + fold).test], minlength=3)
        assert (abs(tested - np.bincount(data.labels) / k) <= 1 + 1e-9).all()


@settings(deadline=None, max_examples=60)
@given(parted_piles(), st.integers(2, 6), st.sampled_from((0.1, 0.2, 0.3)), seeds)
def test_what_is_not_tested_on_is_trained_on_or_looked_at(data, k, val, seed):
    parts = KFold(k, val).draw(data, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(data.labels)))
    assert sides(parts, data.near) == 1
    assert np.array_equal(parts.test, KFold(k, 0.15).draw(data, seed).test)
    assert abs(len(parts.val) - val * len(data.labels)) <= 3
    alone = KFold(k, val).draw(data._replace(near=np.arange(len(data.labels))), seed)
    assert (abs(np.bincount(data.labels[alone.val], minlength=3) - val * np.bincount(data.labels)) < 2).all()


def test_after_k_seeds_the_folds_are_dealt_anew():
    data = pile([0, 1] * 30)
    first, second = ([set(KFold(3).draw(data, seed).test) for seed in range(turn, turn + 3)] for turn in (0, 3))
    assert all(fold not in first for fold in second)
    assert not np.array_equal(KFold(3).draw(data, 0).val, KFold(3).draw(data, 1).val)
    assert (KFold.redraws_training, KFold.redraws_test, KFold().drawn_from(7)) == (True, True, 7)


def test_folds_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match=r"KFold: val = 0\.5 leaves nothing to train on beside a test fold of 1/2"):
        KFold(2, 0.5)
    with pytest.raises(InputError, match="KFold: k = 1: must be at least 2"):
        KFold(1)
    assert told(KFold(5), pile([0] * 20 + [1] * 3), 1).startswith(
        "the split leaves the val part without an image of 1 class (class 1 (c1) has 3); "
    )


@pytest.mark.parametrize("seed", range(6))
def test_ten_images_of_each_class_are_enough_for_a_smoke_run(seed):
    data = pile([0, 1] * 10, [0, 1, 0, 1, 0, *range(5, 20)], parts=[0, 0, 0, 0, 0, 0, 1, 1, 2, 2] * 2)
    for split in (KFold(10, 0.02), KFold(2, 0.05), Given(0.01, 0, "drop")):
        parts = split.smoke().draw(data, seed)
        assert all(set(data.labels[part].tolist()) == {0, 1} for part in parts)
    without_val = data._replace(parts=np.array([0] * 16 + [2] * 4, np.int8))
    assert len(Given(0.01).smoke().draw(without_val, seed).val) == 4
    assert KFold(10, 0.02, "exact").smoke() == KFold(3, 0.2, "exact")
    assert KFold(2, 0.1).smoke().k == 2
    assert Given(0.1, 5, "keep").smoke() == Given(0.2, 5, "keep")
