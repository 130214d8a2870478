"""What makes results less than the experiment planned: each kind raises its alarm, and nothing else does."""

from dataclasses import replace

import pytest
from made_up import question, results_of

from ablation.data import Fixed, PerSeed, TrainSize
from ablation.evidence.alarms import alarms
from ablation.experiment import Experiment
from ablation.optim import Adam


@pytest.fixture
def experiment() -> Experiment:
    return question()


def test_all_is_well_without_alarms(experiment):
    assert alarms(results_of(experiment)) == []


def test_missing_runs_raise_an_alarm_each_kind(experiment):
    endings = {0: "failed", 1: "diverged", 2: "interrupted", 3: "planned"}
    results = results_of(
        replace(experiment, recipes={"none": (), "nothing": ()}, optimizers={"adam": Adam()}),
        lambda cell: endings.get(cell.seed, 0.8),
    )
    assert alarms(results) == [
        f"1 of 5 runs {status}: in no mean and no test"
        for status in ("failed", "diverged", "interrupted", "not started")
    ]


def test_another_split_raises_an_alarm(experiment):
    results = results_of(experiment)
    results.table.loc[3, "split_digest"] = "another"
    assert alarms(results) == ["runs that should share a split do not: the comparison does not hold"]
    redrawn = results_of(replace(experiment, split=PerSeed()))
    redrawn.table["split_digest"] = redrawn.table["seed"].astype(str)
    assert alarms(redrawn) == []


def test_other_test_images_raise_an_alarm(experiment):
    results = results_of(experiment)
    results.table.loc[3, "first_test_batch"] = "other"
    assert alarms(results) == [
        "the test images are not the same in all runs of one split: the comparison does not hold"
    ]


def test_runs_that_train_on_fewer_images_need_not_share_a_split(experiment):
    results = results_of(replace(experiment, vary={"train_size": {"few": TrainSize(5), "all": None}}))
    results.table["split_digest"] = results.table["train_size"]
    assert alarms(results) == []
    results.table.loc[3, "split_digest"] = "another"
    assert alarms(results) == ["runs that should share a split do not: the comparison does not hold"]


@pytest.mark.parametrize(
    ("count", "files"), [(1, "1 file of the data cannot be used and is"), (3, "3 files of the data")]
)
def test_files_that_are_left_out_raise_an_alarm(experiment, count, files):
    (alarm,) = alarms(replace(results_of(experiment), left_out=count))
    assert alarm.startswith(files)
    assert alarm.endswith("left out")


@pytest.mark.parametrize(
    "vary", [{"split": (Fixed(), PerSeed())}, {"image_size": (8, 16)}, {"batch_size": (8, 16)}], ids=str
)
def test_what_shows_other_test_images_by_design_raises_none(experiment, vary):
    results = results_of(replace(experiment, vary=vary))
    (factor,) = vary
    results.table["first_test_batch"] = results.table[factor]
    results.table["split_digest"] = results.table[factor] if factor == "split" else "s"
    assert alarms(results) == []


def test_other_machines_raise_an_alarm(experiment):
    results = results_of(experiment)
    results.table.loc[0, "device"] = "NVIDIA H200"
    assert alarms(results) == ["runs on different devices are compared: NVIDIA H200, cpu"]
