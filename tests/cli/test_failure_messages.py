"""A failure says the exception, the line of the user's own file and the log: when it happens, at the end, in status."""

import re
from pathlib import Path

import pytest
from commands import ablation

OWN = """
from torch import nn

class Own(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 2:
            raise ValueError("not ready")
        return super().forward(images)

def network(classes):
    return Own(nn.Flatten(), nn.Linear(192, classes))
"""

QUESTION = """
from ablation import Digits, Experiment, Fixed, SGD
experiment = Experiment(
    name="own", data=Digits(), model="own_network:network", image_size=8, cache_size=8, epochs=1, batch_size=32,
    recipes={"none": ()}, optimizers={"sgd": SGD(lr=0.05)}, split=Fixed(train=0.2, val=0.2, test=0.4), seeds=SEEDS,
    baseline="none",
)
"""

SAID = r"ValueError: not ready \(line 7 of experiments/own_network\.py\)"
LOG = r"; see runs/own/worker-0\.log"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "own_network.py").write_text(OWN)
    return tmp_path


def run(project: Path, seeds: int):
    (project / "experiments" / "own.py").write_text(QUESTION.replace("SEEDS", str(seeds)))
    return ablation(project, "run", "own", "--jobs", "1", "--device", "cpu", "--no-tracking")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.slow
def test_a_failure_says_what_where_and_which_log_in_its_line_at_the_end_and_in_status(project):
    ended, status = run(project, 2), ablation(project, "status", "own")
    assert ended.code == 1
    assert re.search(rf"\[1/2\] none · sgd · seed [01]: failed: {SAID}{LOG}; about .* left", words(ended.out))
    assert re.search(rf"2 runs did not finish; the first that failed: {SAID}{LOG};", words(ended.err + ended.out))
    assert len(re.findall(SAID + LOG, words(status.out))) == 2
    assert "ValueError: not ready" in (project / "runs" / "own" / "worker-0.log").read_text()


@pytest.mark.usefixtures("inside")
def test_a_failure_is_explained_where_it_happens_at_the_end_and_in_status(project):
    """In this process, which has no log of a worker."""
    ended, status = run(project, 2), ablation(project, "status", "own")
    assert ended.code == 1
    assert re.search(rf"\[1/2\] none · sgd · seed [01]: failed: {SAID}; about .* left", words(ended.out))
    assert re.search(rf"2 runs did not finish; the first that failed: {SAID};", words(ended.err + ended.out))
    assert len(re.findall(SAID, words(status.out))) == 2


@pytest.mark.usefixtures("inside")
def test_a_sweep_whose_first_runs_fail_alike_ends_and_says_why_once(project):
    ended = run(project, 5)
    assert ended.code == 1
    assert (
        len(re.findall(rf"the first 3 runs failed alike, and the others were not tried: {SAID}", words(ended.err))) == 1
    )
    assert len(re.findall(rf"seed \d: failed: {SAID}", words(ended.out))) == 3
    assert len(list((project / "runs" / "own").glob("*/journal.jsonl"))) <= 4
