"""`ablation run --robustness`: what is trained from then on has it, and runs of before are named."""

import shutil

import pytest
from commands import ablation

from ablation import Results


@pytest.fixture
def project(finished, tmp_path):
    return shutil.copytree(finished.folder, tmp_path / "project")


def test_runs_that_had_finished_before_are_counted_and_new_ones_have_it(finished, project):
    results = finished.results
    first, *others = [cell.spec.id for cell in results.cells]
    assert all(not results.records[run].evidence["conditions"] for run in others), "too much work to do unasked"
    shutil.rmtree(project / "runs" / finished.experiment.name / first)
    ended = ablation(project, "run", "small", "--robustness", "--no-tracking", "--device", "cpu", "--jobs", "1")
    assert ended.code == 0, ended.err
    said = " ".join((ended.out + ended.err).split())
    assert f"{len(others)} runs had finished before without test conditions; remove their folders" in said
    again = Results.load(finished.experiment, project / "runs", project / "cache")
    assert len(again.corrupted(first).conditions) == 18
    assert again.corrupted(others[0]) is None
    quiet = ablation(project, "run", "small", "--no-robustness", "--no-tracking", "--device", "cpu")
    assert "without test conditions" not in quiet.out + quiet.err
