"""`ablation status`: how far a sweep is, for people in a terminal and for programs."""

import json
import re
import shutil
import subprocess
import sys
import time

import pytest
from commands import ablation

from ablation.experiment.files import find, read
from ablation.experiment.runs import folder_of, runs_of
from ablation.experiment.standing import Standing, seconds_left


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """Of six runs three have ended, one is in training, one failed and one was interrupted, as their journals say."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    monkeypatch.chdir(folder)
    experiment = read(find("small")).experiment
    digest = json.loads(next((folder / "runs" / "small").glob("*/spec.json")).read_text())["data"]
    running, failed, interrupted = runs_of(experiment.cells(digest), folder_of(experiment, folder / "runs"))[:3]
    for run in (running, failed, interrupted):
        shutil.rmtree(run.folder)
        run.prepare()
        run.journal.append("started", device="cpu", process=1234, host="castor")
        run.journal.append("epoch", epoch=1, seconds=3.0, val_loss=0.7)
    failed.journal.append("failed", reason="RuntimeError: no luck")
    with running.lock():
        yield folder, running.spec.id, failed.spec.id, interrupted.spec.id


def test_the_first_line_says_it_all(project):
    out = ablation(project[0], "status", "small").out
    assert out.startswith("3 of 6 runs done, 1 failed, 1 running, 1 interrupted; about ")
    assert re.search("none · sgd · seed 0 +1/2 +3.0 s +castor cpu", out)
    assert re.search("none · sgd · seed 2 +1/2 +. +interrupted [0-9.]+ s ago", out)
    assert f"{project[2]}  none · sgd · seed 1: RuntimeError: no luck" in out


def test_a_program_gets_a_row_a_run(project):
    folder, running, failed, interrupted = project
    code, out, _ = ablation(folder, "status", "small", "--json")
    read = json.loads(out)
    assert (code, read["done"], read["total"]) == (0, 3, 6)
    assert read["counts"] == {"finished": 3, "running": 1, "failed": 1, "interrupted": 1}
    assert read["train_the_rest"] == "ablation run small"
    runs = {run["id"]: run for run in read["runs"]}
    assert [runs[run_id]["status"] for run_id in project[1:]] == ["running", "failed", "interrupted"]
    assert (runs[running]["epoch"], runs[running]["epochs"], runs[running]["seconds_left"]) == (1, 2, 3.0)
    assert (runs[running]["host"], runs[running]["process"], runs[running]["device"]) == ("castor", 1234, "cpu")
    assert 0 <= runs[running]["silent_seconds"] < 60
    assert runs[failed]["reason"] == "RuntimeError: no luck"
    assert runs[running]["factors"] == {"recipe": "none", "optimizer": "sgd", "seed": 0}
    assert runs[interrupted]["seconds_left"] is None


def test_one_that_writes_nothing_any_more_is_marked(project, monkeypatch):
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    out = ablation(project[0], "status", "small").out
    assert "nothing for 17 min" in " ".join(out.split())


def test_a_clock_that_went_back_gives_no_negative_age(project, monkeypatch):
    earlier = time.time() - 1000
    monkeypatch.setattr(time, "time", lambda: earlier)
    read = json.loads(ablation(project[0], "status", "small", "--json").out)
    assert all(run["silent_seconds"] in (0, None) for run in read["runs"])


def test_watching_ends_when_all_is_done(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    assert ablation(folder, "status", "small", "--watch").out == "6 of 6 runs done\n"
    assert json.loads(ablation(folder, "status", "small", "--watch", "--json").out)["done"] == 6


@pytest.mark.slow
def test_watching_a_sweep(finished, tmp_path, environment):
    """Each line is another, and the last one says that all is done; beside it the sweep loses nothing."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    for record in sorted((folder / "runs" / "small").glob("*/record.json"))[:3]:
        shutil.rmtree(record.parent)
    command = [sys.executable, "-m", "ablation.cli"]
    watch = subprocess.Popen(
        [*command, "status", "small", "--watch"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    with watch:
        assert watch.stdout.readline() == "3 of 6 runs done, 3 planned\n"
        subprocess.run([*command, "run", "small", "--no-tracking", "-j", "1"], cwd=folder, env=environment, check=True)
        lines = watch.stdout.read().splitlines()
        assert watch.wait(timeout=60) == 0
    assert lines[-1] == "6 of 6 runs done"
    assert len(set(lines)) == len(lines)


def test_the_time_left_counts_those_at_work_and_those_to_come():
    running = Standing("a", "running", epoch=5, epochs=10, epoch_seconds=2.0)
    assert running.seconds_left == 10
    waiting = [Standing(name, "planned", epochs=10) for name in "bcd"]
    assert seconds_left([running, *waiting], [20.0]) == 10 + 3 * 20
    assert seconds_left([running, running, *waiting], [20.0]) == (10 + 10 + 3 * 20) / 2
    assert seconds_left(waiting, [20.0]) is None, "nobody trains them"
    assert seconds_left([Standing("a", "running", epochs=10)], []) is None, "nothing is known yet"
