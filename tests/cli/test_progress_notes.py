"""What a run or a sweep has to say beside its epochs, as of a checkpoint that was left aside, reaches who watches."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ablation.cli.progress import Progress
from ablation.experiment.runs import runs_of


@pytest.mark.parametrize("terminal", [False, True])
def test_a_note_is_a_line_with_the_name_of_its_run(small, terminal):
    (run,) = runs_of(small.cells(""), Path("runs"))
    console = Console(file=(output := io.StringIO()), width=80, force_terminal=terminal, color_system=None)
    with Progress("small", {run.spec.id: "crop · adam · seed 0"}, console) as progress:
        progress.planned((run,), 0, 1)
        progress.event(run, {"event": "note", "message": "the checkpoint is damaged; the run starts over"})
        progress.note("the cache was built again")
        progress.event(run, {"event": "finished", "accuracy": 0.5})
    shown = output.getvalue()
    assert "crop · adam · seed 0: the checkpoint is damaged; the run starts over" in shown
    assert "the cache was built again" in shown
    assert progress.counts["finished"] == 1, "a note ends no run"
    assert progress.epochs_done == small.epochs
