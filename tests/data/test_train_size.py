"""Training on fewer images: `TrainSize`, drawn with the split, as a factor of the grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from piles import parted_piles, pile, seeds

from ablation import SGD, Adam, CorrectedResampled, Crossed, Digits, Experiment, RunSpec
from ablation.core.errors import DataError, InputError
from ablation.data import Fixed, Given, KFold, PerSeed, Redrawn, TrainSize


def question(**fields: Any) -> Experiment:
    return Experiment(
        name="sizes", data=Digits(), recipes={"none": ()}, optimizers={"adam": Adam()}, baseline="none", **fields
    )


def spec_of(split: Any, size: TrainSize | None, seed: int = 0) -> RunSpec:
    return question(split=split, train_size=size, seeds=(seed,)).cells("d")[0].spec


SPLITS = (Redrawn(0.3, 0.1, 0.3), Fixed(), PerSeed(), KFold(4), Given(duplicates="drop"))
sizes = st.one_of(st.integers(1, 12), st.integers(2, 20).map(lambda share: share / 20))


@settings(deadline=None, max_examples=60)
@given(parted_piles(), st.lists(sizes, min_size=2, max_size=4), seeds)
def test_smaller_sizes_are_contained_in_larger_ones(data, some, seed):
    parts = PerSeed().draw(data, seed)
    for label in range(3):
        train = parts.train[data.labels[parts.train] == label]
        kept = [TrainSize(size).kept(data, parts.train, seed) for size in some]
        of_class = sorted((set(rows[data.labels[rows] == label].tolist()) for rows in kept), key=len)
        assert all(smaller <= larger for smaller, larger in zip(of_class, [*of_class[1:], set(train)], strict=True))
        for size, rows in zip(some, kept, strict=True):
            assert (np.diff(rows) > 0).all()
            count = int((data.labels[rows] == label).sum())
            assert count == size if isinstance(size, int) else abs(count - size * len(train)) <= 0.5 + 1e-9


@settings(deadline=None, max_examples=40)
@given(
    parted_piles((0, 1, 2)),
    st.sampled_from(SPLITS),
    st.integers(0, 99),
)
def test_val_and_test_stay_as_they_are(data, split, seed):
    whole, fewer = (spec_of(split, size, seed).parts(data) for size in (None, TrainSize(5)))
    drawn = split.draw(data, seed)
    for part, same, other in zip(drawn, whole, fewer, strict=True):
        assert np.array_equal(part, same)
        assert np.array_equal(part, other) == (part is not drawn.train)
    assert set(fewer.train.tolist()) < set(whole.train.tolist())
    assert np.bincount(data.labels[fewer.train]).tolist() == [5, 5, 5]


def test_one_choice_for_all_runs_of_a_fixed_split_and_another_for_each_seed_of_a_redrawn_one():
    data = pile([0, 1] * 40, parts=[0] * 60 + [1] * 10 + [2] * 10)
    for split in (Fixed(), Fixed(seed=3), Given()):
        one, other = (spec_of(split, TrainSize(7), seed).parts(data).train for seed in (0, 1))
        assert np.array_equal(one, other)
    train = Given().draw(data, 0).train
    of_given, of_other_seed = (spec_of(Given(seed=seed), TrainSize(7)).parts(data).train for seed in (0, 1))
    assert np.array_equal(of_given, TrainSize(7).kept(data, train, 0))
    assert not np.array_equal(of_given, of_other_seed)
    redrawn = spec_of(PerSeed(), TrainSize(7), seed=3).parts(data).train
    assert np.array_equal(redrawn, spec_of(Fixed(seed=3), TrainSize(7)).parts(data).train)
    first, second = (spec_of(Redrawn(0.3, 0.1, 0.3), TrainSize(7), seed).parts(data).train for seed in (0, 1))
    assert not set(first.tolist()) & set(second.tolist()), "of training parts that share no photograph"
    folded = spec_of(KFold(2), TrainSize(7), seed=3).parts(data).train
    assert np.array_equal(folded, TrainSize(7).kept(data, KFold(2).draw(data, 3).train, 3))


def test_too_few_images_are_told_of_every_class():
    data = pile([0] * 50 + [1] * 20 + [2] * 10)._replace(classes=("Birman", "Bombay", "Sphynx"))
    with pytest.raises(DataError) as error:
        spec_of(Fixed(), TrainSize(13)).parts(data)
    assert str(error.value).splitlines() == [
        "train_size = 13 takes 13 images of each class, and class 1 (Bombay) has 12 to train on",
        "train_size = 13 takes 13 images of each class, and class 2 (Sphynx) has 6 to train on",
    ]
    with pytest.raises(DataError) as error:
        spec_of(Fixed(), TrainSize(0.04)).parts(data)
    assert str(error.value).splitlines() == [
        "train_size = 0.04 takes 0 images of each class, and class 1 (Bombay) has 12 to train on",
        "train_size = 0.04 takes 0 images of each class, and class 2 (Sphynx) has 6 to train on",
    ]
    assert np.bincount(data.labels[spec_of(Fixed(), TrainSize(0.5)).parts(data).train]).tolist() == [15, 6, 3]
    assert np.array_equal(spec_of(Fixed(), TrainSize(1.0)).parts(data).train, Fixed().draw(data, 0).train)


@pytest.mark.parametrize(
    ("size", "wrong"),
    [
        (0, "must be at least 1"),
        (1.5, "must be above 0 and at most 1"),
        (0.0, "must be"),
        (True, "expected"),
        ("5", ""),
    ],
)
def test_sizes_that_mean_nothing_are_refused(size, wrong):
    with pytest.raises(InputError, match=f"TrainSize: per_class = {size!r}: {wrong}"):
        TrainSize(size)


def test_the_size_is_a_factor_of_the_grid():
    levels = {"five": TrainSize(5), "half": TrainSize(0.5), "all": None}
    experiment = question(vary={"train_size": levels}, seeds=2, split=PerSeed())
    cells = experiment.cells("d")
    assert [(cell.factors["train_size"], cell.seed) for cell in cells] == [(name, s) for name in levels for s in (0, 1)]
    assert [cell.spec.train_size for cell in cells] == [size for size in levels.values() for _ in (0, 1)]
    assert len({cell.spec.id for cell in cells}) == 6
    assert {cell.spec.id for cell in cells[4:]} == {
        cell.spec.id for cell in question(seeds=2, split=PerSeed()).cells("d")
    }
    assert all(RunSpec.from_plain(cell.spec.to_plain()) == cell.spec for cell in cells)
    unnamed = question(vary={"train_size": (TrainSize(5), TrainSize(10), None)})
    assert list(unnamed.factors["train_size"]) == ["TrainSize(per_class=5)", "TrainSize(per_class=10)", "None"]
    data = pile([0, 1] * 50)
    assert [len(cell.spec.parts(data).train) for cell in cells] == [10, 10, 30, 30, 60, 60]
    with pytest.raises(InputError, match=r"vary\['train_size'\]: 5: expected TrainSize or None"):
        question(vary={"train_size": (5, 10)})


def test_one_image_is_another_size_than_all_images():
    cells = question(vary={"train_size": {"one": TrainSize(1), "all": TrainSize(1.0)}}, seeds=1).cells("d")
    assert len({cell.spec.id for cell in cells}) == 2


def test_a_smoke_run_trains_on_all_that_there_is():
    experiment = question(
        train_size=TrainSize(100),
        vary={"train_size": {"few": TrainSize(50), "all": None}, "batch_size": (8, 16), "dropout": (0.0, 0.5)},
        exclude=({"train_size": "few", "dropout": "0.5"},),
    )
    assert len(experiment.cells("d")) == 5 * (8 - 2)
    small = experiment.smoke()
    assert {cell.spec.train_size for cell in small.cells("d")} == {None}
    assert "train_size" not in small.factors
    assert len(small.cells("d")) == 4


def test_the_default_test_is_that_of_the_way_the_split_is_made():
    assert isinstance(question(split=KFold()).declared_test, CorrectedResampled)
    assert isinstance(question(split=Given()).declared_test, Crossed)
    varied = replace(question(), vary={"split": (Fixed(), KFold())}, optimizers={"sgd": SGD(lr=0.1)})
    assert isinstance(varied.declared_test, CorrectedResampled)
