"""`Redrawn`: one test and one validation part, training parts without a photograph in common while there are enough."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from piles import mixed, pile, piles, seeds, sides, told

from ablation import Adam, Digits, Experiment
from ablation.core.errors import InputError
from ablation.data import Redrawn, TrainSize

SIZES = (120, 90, 60)
DATA = mixed(SIZES)


def alone(*sizes: float, **fields: int) -> Redrawn:
    """Photographs that belong to nobody."""
    return Redrawn(*sizes, together="nothing", **fields)


def training_parts(split: Redrawn, count: int) -> list[set[int]]:
    return [set(split.draw(DATA, seed).train.tolist()) for seed in range(count)]


kinds = st.sampled_from([Redrawn(), Redrawn(0.2, 0.1, 0.3), Redrawn(0.25, 0.2, 0.2, runs_per_draw=2)])


@settings(deadline=None, max_examples=60)
@given(piles(spanning=True), kinds, seeds, st.integers(0, 9), st.integers(0, 9))
def test_all_seeds_have_one_test_and_one_validation_part_and_groups_stay_whole(data, kind, deal, seed, other):
    split = replace(kind, seed=deal)
    parts, others = split.draw(data, seed), split.draw(data, other)
    assert np.array_equal(parts.val, others.val)
    assert np.array_equal(parts.test, others.test)
    assert not set(others.train.tolist()) & {*parts.val.tolist(), *parts.test.tolist()}
    assert sides(parts, data.near) == 1
    assert len(set(np.concatenate(parts).tolist())) == sum(map(len, parts))
    for part, again in zip(parts, split.draw(data, seed), strict=True):
        assert np.array_equal(part, again)


@pytest.mark.parametrize(
    ("split", "blocks"), [(alone(0.3, 0.1, 0.3), 2), (alone(0.2, 0.1, 0.3), 3), (alone(18, 27, 27), 12)]
)
def test_training_parts_share_no_photograph_while_there_are_enough(split, blocks):
    found = training_parts(split, 2 * blocks)
    assert all(not one & other for one, other in itertools.combinations(found[:blocks], 2))
    assert found[0] & set().union(*found[blocks:]), "later ones are drawn from all that is left"
    later = found[blocks:]
    assert any(one & other for one, other in itertools.combinations(later, 2)), "each by itself"


@pytest.mark.parametrize("seed", [0, 5])
def test_each_class_gives_each_part_its_share(seed):
    for split, train in ((alone(0.3, 0.1, 0.3), 0.3), (alone(54, 27, 81), 0.2)):
        parts = split.draw(DATA, seed)
        for label, size in enumerate(SIZES):
            shares = (train, 0.1, 0.3)
            counts = [int((DATA.labels[part] == label).sum()) for part in parts]
            assert counts == pytest.approx([share * size for share in shares], abs=1)


def test_runs_per_draw_seeds_in_a_row_are_trained_on_the_same_photographs():
    single, double = training_parts(alone(0.2, 0.1, 0.3), 3), training_parts(alone(0.2, 0.1, 0.3, runs_per_draw=2), 6)
    assert double == [part for part in single for _ in range(2)]


def test_the_number_of_the_deal_deals_all_parts_anew():
    one, other = Redrawn().draw(DATA, 0), Redrawn(seed=1).draw(DATA, 0)
    assert not any(np.array_equal(part, another) for part, another in zip(one, other, strict=True))


def shared(parts: list[set[int]]) -> float:
    """The mean share of photographs that two of them have in common."""
    return float(np.mean([len(one & other) / len(one) for one, other in itertools.combinations(parts, 2)]))


@pytest.mark.parametrize("draws", [2, 3, 5, 8])
@pytest.mark.parametrize("train", [0.1, 0.2, 0.25, 0.3, 0.45])
def test_overlap_is_what_is_counted_in_the_draws(train, draws):
    """On average over deals; exactly 0 where parts share nothing."""
    split = alone(train, 0.1, 0.3)
    trained = len(split.draw(DATA, 0).train)
    expected = split.overlap(sum(SIZES), range(draws), trained)
    rho = np.mean([shared(training_parts(replace(split, seed=deal), draws)) for deal in range(30)])
    assert rho / (1 - rho) == pytest.approx(expected, rel=0.04)


def test_training_on_fewer_of_them_lessens_the_overlap():
    """`TrainSize` keeps other photographs of each training part, drawn with it."""
    split, rho, data = alone(0.3, 0.1, 0.3), [], mixed((90, 90, 90))
    whole, fewer = (split.overlap(270, range(4), trained) for trained in (81, 30))
    assert whole > 2 * fewer > 0
    for deal in range(40):
        own = replace(split, seed=deal)
        kept = [set(TrainSize(10).kept(data, own.draw(data, seed).train, seed).tolist()) for seed in range(4)]
        assert {len(part) for part in kept} == {30}
        rho.append(shared(kept))
    assert np.mean(rho) == pytest.approx(fewer / (1 + fewer), rel=0.08)


def test_a_training_part_that_cannot_be_redrawn_is_refused():
    """Nothing is known of other training photographs where every seed is trained on the same."""
    with pytest.raises(InputError, match=r"every image: each seed would be trained on the same ones; use Fixed"):
        Redrawn(0.6, 0.2, 0.2)
    assert told(Redrawn(70, 100, 100), DATA).startswith("the split trains on all 70 images that are left: each seed")
    assert len(training_parts(alone(0.59, 0.2, 0.2), 2)) == 2


def test_sizes_that_cannot_be_are_refused():
    assert told(Redrawn(200, 50, 50), DATA) == "the split asks for 200 images to train on, and 170 are left"
    with pytest.raises(InputError, match=r"train, val and test add up to 1.1; they may not pass 1"):
        Redrawn(0.6, 0.2, 0.3)
    with pytest.raises(InputError, match="runs_per_draw"):
        Redrawn(runs_per_draw=0)
    assert "leaves the train part without an image of 1 class" in told(Redrawn(0.05, 0.1, 0.3), mixed((90, 8)))
    assert told(Redrawn(0.3, 300, 30), DATA) == "the split asks for 81 images to train on, and 0 are left"


def test_copies_never_meet_in_two_training_parts_of_one_turn():
    """Ten pairs of near-duplicates among 80: each pair is in one part of a turn, or in none."""
    near = np.arange(80)
    near[1:20:2] = near[0:20:2]
    data = pile([0, 1] * 40, near=near)
    parts = [Redrawn(0.2, 0.1, 0.3).draw(data, seed).train for seed in range(3)]
    for pair in range(0, 20, 2):
        held = [np.isin([pair, pair + 1], part).sum() for part in parts]
        assert sorted(held, reverse=True) in ([2, 0, 0], [0, 0, 0])


def test_it_is_what_an_experiment_has_unless_it_says_otherwise():
    asked = Experiment(
        name="default", data=Digits(), recipes={"none": ()}, optimizers={"adam": Adam()}, baseline="none"
    )
    assert asked.split == Redrawn()
    assert {cell.spec.split for cell in asked.cells("d")} == {Redrawn()}
