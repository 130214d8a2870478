"""When checkpoints are written: as often as their cost allows, and never less often than wanted."""

import itertools
from dataclasses import replace

import pytest
import torch

from ablation.training.checkpoint import MOST_SHARE, Pace


class Clock:
    """Time that passes only when it is said to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def written(pace, clock, epochs, epoch_seconds, checkpoint_seconds):
    """After which epochs (from 1) there is a checkpoint."""

    def write():
        clock.now += checkpoint_seconds

    after = []
    for epoch in range(1, epochs + 1):
        clock.now += epoch_seconds
        if pace.due():
            pace.save(write)
            after.append(epoch)
    return after


def test_a_long_epoch_has_a_checkpoint_each():
    clock = Clock()
    assert written(Pace(clock=clock), clock, 5, epoch_seconds=60, checkpoint_seconds=0.5) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seconds", [0.01, 0.1, 1.0])
def test_checkpoints_take_at_most_their_share(seconds):
    clock = Clock()
    after = written(Pace(clock=clock), clock, 10_000, seconds, checkpoint_seconds=0.1)
    assert after[0] == 1
    assert len(after) > 10
    assert 0.1 * (len(after) - 1) / clock.now <= MOST_SHARE
    assert max(late - early for early, late in itertools.pairwise(after)) * seconds <= 0.1 / MOST_SHARE + 1


def test_checkpoints_are_never_less_often_than_wanted():
    clock = Clock()
    assert written(Pace(3, clock=clock), clock, 10, 0.01, checkpoint_seconds=0.1) == [1, 4, 7, 10]
    assert written(Pace(1, clock=clock), clock, 4, 0.01, checkpoint_seconds=0.1) == [1, 2, 3, 4]


def test_a_run_that_is_stopped_between_checkpoints_goes_on_from_the_one_before(small, trained, tmp_path, monkeypatch):
    """With checkpoints by time, quick epochs are repeated: the bits are the same."""
    monkeypatch.setattr("ablation.training.checkpoint.MOST_SHARE", 1e-9)  # none but the first
    experiment = replace(small, epochs=6, dropout=0.2)
    _, record, arrays = trained(experiment)

    def stop(event):
        if event["epoch"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(experiment, tmp_path / "stopped", report=stop, checkpoint_every=None)
    events = []
    run, resumed, again = trained(experiment, tmp_path / "stopped", report=events.append, checkpoint_every=None)
    assert [event["epoch"] for event in events] == [2, 3, 4, 5, 6]
    assert resumed.digest(again) == record.digest(arrays)
    assert torch.load(run.checkpoint, weights_only=True)["history"][-1]["epoch"] == 2
