"""What is shown while a sweep runs: epochs are counted by their number, as not every one of them is reported."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ablation.cli.progress import Progress
from ablation.experiment.runs import runs_of


def epoch(number):
    return {"event": "epoch", "epoch": number, "images_per_second": 100.0}


@pytest.mark.parametrize("reported", [(1, 2, 3), (1, 3), (2,), ()])
def test_epochs_that_are_not_reported_are_counted(small, reported):
    """(2,): of a run that goes on from its checkpoint, or was quick."""
    (run,) = runs_of(small.cells(""), Path("runs"))
    progress = Progress("small", {run.spec.id: "none"}, Console(file=io.StringIO()))
    progress.planned((run,), 0, 1)
    for number in reported:
        progress.event(run, epoch(number))
        assert progress.epochs_done == number
    progress.event(run, {"event": "failed", "reason": ""})
    assert progress.epochs_done == progress.epochs_planned == 3
