"""A run in training is in MLflow with its epochs so far; one that nobody trains any more is not RUNNING there."""

import io
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench import Bench, question, train
from PIL import Image
from proxy import proxy
from sweeps import Log

from ablation import sweep
from ablation.data import listing
from ablation.experiment.runs import Run
from ablation.tracking.background import Background
from ablation.tracking.client import Tracker
from ablation.tracking.picture import strip
from ablation.tracking.store import Store
from ablation.tracking.ui import free_port, serve
from ablation.training.watch import Following


def until(what: Callable[[], object], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(what())


@contextmanager
def in_training(run: Run, epochs: int = 1) -> Iterator[Callable[[int], None]]:
    """What a worker has left after so many epochs, while it trains on; yields a function that ends another epoch."""
    run.prepare()

    def end(epoch: int) -> None:
        run.journal.append("epoch", epoch=epoch, train_loss=1 / epoch, val_accuracy=0.1 * epoch, seconds=1.0)

    with run.lock():
        run.journal.append("started", device="cpu")
        for epoch in range(1, epochs + 1):
            end(epoch)
        yield end


def steps(bench: Bench, run: Run, metric: str = "train/loss") -> list[int]:
    """The steps that MLflow has of a metric: of each point, as none may be there twice."""
    return [step for step, _, _ in bench.points(run, metric)]


def status(bench: Bench, run: Run) -> str:
    return str(bench.find(run).info.status)


def test_each_epoch_is_there_while_the_run_trains_and_once_when_it_has_ended(bench: Bench):
    run, tracker = bench.runs[0], bench.tracker()
    with in_training(run) as end:
        tracker.follow(run)
        assert (status(bench, run), steps(bench, run)) == ("RUNNING", [1])
        shown = bench.find(run)
        assert shown.data.params["recipe"] == "none"
        assert shown.data.tags["ablation.outcome"] == "running"
        assert shown.data.tags["mlflow.note.content"].startswith("- Outcome: running, after 1 of 2 epochs")
        tracker.follow(run)
        end(2)
        tracker.follow(run)
        assert steps(bench, run) == [1, 2]
    first = shown.info.run_id
    told = [round(event["time"] * 1000) for event in run.journal.events() if event["event"] == "epoch"]
    assert [time for _, time, _ in bench.points(run, "train/loss")] == told, "the times are the journal's"
    run.journal.append("failed", reason="RuntimeError: a bad day")
    tracker.publish(run)
    assert (status(bench, run), steps(bench, run)) == ("FAILED", [1, 2])
    with in_training(run, 0):
        tracker.follow(run)
        assert status(bench, run) == "RUNNING", "it is tried again"
        assert "ablation.digest" not in bench.find(run).data.tags
    train(run)
    tracker.publish(run)
    tracker.publish_all()
    bench.publish()
    assert (status(bench, run), steps(bench, run)) == ("FINISHED", [1, 2])
    assert bench.find(run).info.run_id == first
    assert bench.warnings == []


def test_a_run_that_starts_anew_shows_no_epoch_of_the_training_that_was_given_up(bench: Bench):
    run = bench.runs[0]
    with in_training(run, 2):
        bench.tracker().follow(run)
    with in_training(run, 0) as end:
        run.journal.append("restarted")
        end(1)
        tracker = bench.tracker()
        tracker.follow(run)
        [(step, when, _)] = bench.points(run, "train/loss")
        assert (step, when) == (1, round(run.journal.events()[-1]["time"] * 1000))
        run.journal.append("restarted")
        end(1)
        tracker.follow(run)
        assert steps(bench, run) == [1]


def test_what_is_no_longer_trained_is_not_followed(bench: Bench):
    run, tracker = bench.runs[0], bench.tracker()
    with in_training(run):
        pass
    tracker.follow(run)
    assert bench.search() == []
    train(run)
    tracker.publish(run)
    tracker.follow(run)
    assert status(bench, run) == "FINISHED"


def test_a_run_that_was_left_is_killed_there_at_the_next_publication(bench: Bench):
    run, other = bench.runs[:2]
    with in_training(other):
        with in_training(run):
            bench.tracker().follow(run)
            bench.tracker().follow(other)
        bench.publish()
        assert (status(bench, run), status(bench, other)) == ("KILLED", "RUNNING")
    note = bench.find(run).data.tags["mlflow.note.content"]
    assert note.startswith("- Outcome: interrupted, after 1 of 2 epochs")
    with in_training(run, 0) as end:
        end(2)
        bench.tracker().follow(run)
        assert (status(bench, run), steps(bench, run)) == ("RUNNING", [1, 2])


def test_an_interrupted_command_leaves_nothing_running_there(bench: Bench):
    run, publishing = bench.runs[0], Background(bench.tracker(), follow=0.0)
    with in_training(run):
        publishing.follow(run)
        assert until(lambda: publishing._shown and not publishing._busy)
        assert status(bench, run) == "RUNNING"
        publishing.__exit__(KeyboardInterrupt)
    assert status(bench, run) == "KILLED"


def test_a_quick_run_is_written_once(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Where runs are shorter than `FOLLOW` they cost what they did."""
    run, tracker = bench.runs[0], bench.tracker()
    followed: list[Run] = []
    monkeypatch.setattr(tracker, "follow", followed.append)
    publishing = Background(tracker)
    publishing.follow(run)
    train(run)
    publishing.follow(run)
    publishing.publish(run)
    publishing.publish_all()
    assert publishing.finish("", lambda left: None, bench.warnings.append)
    assert (followed, publishing._news, publishing._shown) == ([], {}, {})
    assert status(bench, run) == "FINISHED"


@pytest.mark.slow
def test_a_sweep_has_its_charts_while_it_trains(tiny, tmp_path: Path):
    """Real workers, real MLflow: of a run that is in training there are epochs in the store."""
    experiment = replace(tiny, recipes={"none": ()}, optimizers={"sgd": tiny.optimizers["sgd"]}, seeds=1, epochs=150)
    warned: list[str] = []
    seen: list[int] = []
    store = tmp_path / "mlflow.db"

    def look(run: Run, event: dict) -> None:
        if event["event"] == "epoch" and store.exists():
            with sqlite3.connect(store, timeout=20) as opened:
                query = "SELECT COUNT(*) FROM metrics JOIN runs USING (run_uuid) WHERE status = 'RUNNING' AND key = ?"
                seen.append(opened.execute(query, ("val/accuracy",)).fetchone()[0])

    cells = experiment.cells(listing(experiment.data, tmp_path / "cache").digest)
    with Background(Tracker(experiment, cells, tmp_path / "runs", warn=warned.append), follow=0.0) as publishing:
        publishing.tracker._send(lambda connection: None)  # importing mlflow takes longer than these runs
        watch = Following(Log(look), publishing.follow)
        runs = sweep(experiment, tmp_path / "runs", tmp_path / "cache", watch, publishing.publish, jobs=1)
        publishing.publish_all()
        assert publishing.finish("", lambda left: None, warned.append)
    assert warned == []
    assert any(seen), "the epochs of runs in training were in the store"
    bench = Bench(tmp_path, experiment)
    for run in runs:
        assert (status(bench, run), steps(bench, run)) == ("FINISHED", list(range(1, 151)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server."""
    port = free_port(0)
    with serve(Store.beside(tmp_path_factory.mktemp("server"), None), port):
        yield f"http://127.0.0.1:{port}"


def test_a_server_that_goes_away_in_the_middle_and_comes_back_gets_everything(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with proxy(server) as before:
        remote = Bench(tmp_path, question("middle"), before.address)
        there = Bench(tmp_path, remote.experiment, server)
        first, second, third = remote.runs[:3]
        publishing = Background(remote.tracker(), pause=0.1, follow=0.0)
        with in_training(second) as end:
            train(first)
            publishing.publish(first)
            publishing.follow(second)
            assert until(lambda: publishing._shown and publishing._is_over())
            assert (status(there, first), status(there, second)) == ("FINISHED", "RUNNING")
            before.mode = "refuse"
            end(2)
            publishing.follow(second)
            train(third)
            publishing.publish(third)
            assert until(lambda: bool(remote.warnings))
            assert steps(there, second) == [1], "nothing arrives meanwhile, and nothing waits for it"
            before.mode = "pass"
            assert until(lambda: publishing._is_over() and steps(there, second) == [1, 2])
        second.journal.append("failed", reason="RuntimeError: a bad day")
        publishing.publish(second)
        publishing.publish_all()
        assert publishing.finish("", lambda left: None, remote.warnings.append)
        assert len(remote.warnings) == 1, remote.warnings
        shown = {run.spec.id: (status(there, run), steps(there, run)) for run in (first, second, third)}
        ended = ("FINISHED", [1, 2])
        assert list(shown.values()) == [ended, ("FAILED", [1, 2]), ended]


def test_the_description_shows_the_pictures_that_the_run_was_trained_on(bench: Bench):
    run = bench.runs[0]
    train(run)
    bench.publish()
    shown = bench.find(run)
    address = f"get-artifact?path=preview.png&run_uuid={shown.info.run_id}"
    assert f"({address})" in shown.data.tags["mlflow.note.content"]
    folder = bench.home / "mlartifacts" / bench.experiment.name / shown.info.run_id / "artifacts"
    with Image.open(folder / "preview.png") as picture:
        assert picture.size == (100, 48), "the photograph and one draw"


def test_a_strip_has_the_photograph_and_its_draws_in_their_order(tmp_path: Path):
    original, draws = np.zeros((12, 12, 3), np.uint8), np.zeros((5, 12, 12, 3), np.uint8)
    draws[:] = 40 * np.arange(1, 6)[:, None, None, None]
    np.savez(tmp_path / "arrays.npz", original=original, draws=draws)
    with Image.open(io.BytesIO(strip(tmp_path / "arrays.npz"))) as picture:
        assert [picture.getpixel((24 + 52 * number, 24))[0] for number in range(6)] == [0, 40, 80, 120, 160, 200]
        assert picture.height < 60, "MLflow folds a description of more than 100 pixels"


def test_pictures_that_cannot_be_read_cost_the_picture_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    from ablation.tracking import connection

    monkeypatch.setattr(connection, "strip", lambda pictures: 1 / 0)
    train(bench.runs[0])
    bench.tracker().publish_all()
    assert bench.warnings == ["its preview: not known (ZeroDivisionError: division by zero)"]
    assert status(bench, bench.runs[0]) == "FINISHED"
