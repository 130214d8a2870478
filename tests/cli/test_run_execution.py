"""`ablation run --step`, `--memory-format`, `--per-device`: refused where a CPU has none of it, else in the record."""

import shutil

import pytest
from commands import ablation

from ablation import Results


@pytest.fixture
def project(finished, tmp_path):
    """With one run missing."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    shutil.rmtree(folder / "runs" / finished.experiment.name / finished.results.cells[0].spec.id)
    return folder


@pytest.mark.parametrize(
    ("option", "error"),
    [
        (("--step", "graph"), "error: step = 'graph' (--step): the CPU has auto, eager, compile"),
        (
            ("--per-device", "auto"),
            "error: per_device (--per-device) is for GPUs: of a CPU, jobs (--jobs) gives the workers",
        ),
        (("--per-device", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_a_cpu_has_not_is_an_error_before_any_run(option, error, finished, project):
    ended = ablation(project, "run", "small", "--no-tracking", "--device", "cpu", *option)
    assert (ended.code, error in ended.err) == (2, True)
    assert not (project / "runs" / finished.experiment.name / finished.results.cells[0].spec.id).exists()


def test_another_memory_format_is_recorded_and_warned_of(finished, project):
    options = ("--no-tracking", "--device", "cpu", "--jobs", "1", "--memory-format", "contiguous")
    ended = ablation(project, "run", "small", *options)
    assert ended.code == 0, ended.err
    records = Results.load(finished.experiment, project / "runs", project / "cache").records
    chosen = [record.environment.get("memory_format") for record in records.values()]
    assert sorted(map(str, chosen)) == ["channels_last"] * 5 + ["contiguous"]
    said = " ".join((ended.out + ended.err).split())
    assert "Runs on different memory formats are compared: channels_last (5 runs), contiguous (1 run)." in said
