"""Early stopping: the rule, the network that is tested, the record, and a kill at any epoch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation import SGD, DataError, Plateau
from ablation.data.split import Parts
from ablation.experiment.early_stopping import best_epoch, early_stopping, ran_out

pytestmark = pytest.mark.usefixtures("settled")


def history_of(losses):
    return [{"val_loss": loss} for loss in losses]


def stops_at(losses, patience):
    """The epoch behind which training ends, as a loop would find it; 0 where it does not end."""
    return next((n for n in range(1, len(losses) + 1) if ran_out(history_of(losses[:n]), patience)), 0)


@pytest.mark.parametrize(
    ("losses", "patience", "stop", "best"),
    [
        ([3, 2, 1, 2, 2, 2, 0], 3, 6, 3),
        ([3, 2, 1, 2, 2, 0.5, 2], 3, 0, 6),
        ([3, 3, 3], 1, 2, 1),  # the same is no improvement
        ([None, None, 1], 2, 2, 0),  # no finite loss improves nothing
        ([2, None, 1, None, None], 2, 5, 3),
        ([1, 2, 3], 5, 0, 1),
    ],
)
def test_training_stops_when_so_many_epochs_did_not_improve(losses, patience, stop, best):
    assert stops_at(losses, patience) == stop
    assert best_epoch(history_of(losses[: stop or None])) == best
    assert not ran_out(history_of(losses), None)


def test_the_rule_is_keras():
    """`EarlyStopping(monitor="val_loss", patience=p)`, whose counter starts anew at each lower loss."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        losses, patience = rng.integers(0, 12, 15).tolist(), int(rng.integers(1, 5))
        wait, lowest, expected = 0, math.inf, 0
        for epoch, loss in enumerate(losses, 1):
            wait, lowest = (0, loss) if loss < lowest else (wait + 1, lowest)
            if wait >= patience:
                expected = epoch
                break
        assert stops_at(losses, patience) == expected


@pytest.fixture(scope="module")
def overfitting(small):
    """A learning rate that makes the validation loss rise soon."""
    return replace(small, epochs=30, batch_size=16, optimizers={"sgd": SGD(lr=0.6, momentum=0.9)}, patience=3)


@pytest.mark.parametrize(
    "choice", [{}, {"ema": 0.9}, {"schedule": Plateau(patience=1)}], ids=["plain", "ema", "plateau"]
)
def test_the_network_of_the_best_epoch_is_tested(choice, overfitting, trained):
    """The oracle is a run of so many epochs, to the last bit: schedules that do not look ahead are the same in both."""
    experiment = replace(overfitting, **choice)
    run, record, arrays = trained(experiment, keep_weights=True)
    losses = [epoch["val_loss"] for epoch in record.history]
    stopped, best = len(losses), int(np.argmin([math.inf if one is None else one for one in losses])) + 1
    assert stopped == best + 3 < 30
    assert record.evidence["early_stopping"] == {
        "patience": 3,
        "epochs": stopped,
        "best_epoch": best,
        "reason": "the validation loss had not improved for 3 epochs",
    }
    other, _, expected = trained(replace(experiment, epochs=best, patience=None), keep_weights=True)
    assert np.array_equal(arrays.logits, expected.logits)
    assert np.array_equal(arrays.val_logits, expected.val_logits)
    weights, others = (torch.load(one.weights, weights_only=True) for one in (run, other))
    assert all(torch.equal(weights[name], others[name]) for name in others)
    assert len(run.journal.events()) == stopped


def test_a_run_that_does_not_stop_is_tested_at_its_best_epoch_too(overfitting, trained):
    _, stopped, _ = trained(overfitting)
    longer = replace(overfitting, patience=20, epochs=len(stopped.history))
    _, record, arrays = trained(longer)
    best = record.evidence["early_stopping"]["best_epoch"]
    assert best == len(record.history) - 3
    assert record.evidence["early_stopping"]["reason"] == "all epochs were trained"
    _, _, expected = trained(replace(longer, epochs=best, patience=None))
    assert np.array_equal(arrays.logits, expected.logits)


def test_a_kill_at_any_epoch_changes_no_bit(overfitting, trained, tmp_path):
    _, record, arrays = trained(overfitting)
    for killed in range(1, len(record.history) + 1):

        def stop(event, killed=killed):
            if event["epoch"] == killed:
                raise KeyboardInterrupt

        folder = tmp_path / f"killed at {killed}"
        with pytest.raises(KeyboardInterrupt):
            trained(overfitting, folder, report=stop)
        _, again, others = trained(overfitting, folder)
        assert again.digest(others) == record.digest(arrays), f"killed at epoch {killed}"


def test_a_run_without_patience_says_nothing_of_it(small, trained):
    run, record, _ = trained(small)
    assert "early_stopping" not in record.evidence
    assert "patience" not in run.spec.to_plain()


def test_without_a_validation_part_it_is_refused(overfitting, monkeypatch):
    spec = overfitting.cells("0" * 16)[0].spec
    parts = Parts(np.arange(5), np.arange(0), np.arange(5, 9))
    monkeypatch.setattr(type(spec.split), "draw", lambda *_: parts)
    with pytest.raises(DataError, match="patience = 3: there is no validation part to stop by"):
        spec.parts(None)
    assert replace(spec, patience=None).parts(None) == parts


def test_a_record_says_where_all_epochs_were_best():
    told = early_stopping(history_of([3, 2, 1]), 2, 3)
    assert (told["best_epoch"], told["reason"]) == (3, "all epochs were trained")
