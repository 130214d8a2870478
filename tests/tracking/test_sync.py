"""`Tracker.sync`: what MLflow lacks is published, what somebody changed there is repaired, all else is left alone."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from bench import BORN, Bench, train
from faults import record_fault

from ablation.tracking.publication import run_publication
from ablation.tracking.published import file_of
from ablation.tracking.store import connect


@pytest.fixture
def published(bench: Bench) -> Bench:
    """Three runs of four, published, one of them failed."""
    for run, outcome in zip(bench.runs, ("finished", "finished", "failed"), strict=False):
        train(run, outcome)
    bench.publish()
    return bench


def execute(bench: Bench, statement: str, *values: Any) -> int:
    """Change the database by hand; how many rows that changed."""
    file = file_of(bench.store.uri)
    assert file is not None
    with closing(sqlite3.connect(file)) as opened:
        changed = opened.execute(statement, values).rowcount
        opened.commit()
    return changed


def shown(bench: Bench) -> dict[str, Any]:
    """What MLflow shows of each run, by its id here; without its own ids."""
    runs = {run.data.tags["ablation.run_id"]: run for run in bench.search()}
    ours = {key: run.data for key, run in runs.items()}
    points = {
        key: {metric: bench.points(one, metric) for metric in sorted(ours[key].metrics)}
        for one in bench.runs
        if (key := one.spec.id) in ours
    }
    tags = {
        key: {n: t.replace(run.info.run_id, "RUN") for n, t in run.data.tags.items() if n != "mlflow.runName"}
        for key, run in runs.items()
    }
    return {key: (data.metrics, data.params, tags[key], points[key]) for key, data in ours.items()}


def of_first(bench: Bench) -> str:
    return str(bench.find(bench.runs[0]).info.run_id)


def metric_by_hand(bench: Bench) -> None:
    run = of_first(bench)
    for table in ("metrics", "latest_metrics"):
        assert execute(bench, f"UPDATE {table} SET value = 0.99 WHERE key = 'test/accuracy' AND run_uuid = ?", run) == 1


def history_by_hand(bench: Bench) -> None:
    statement = "UPDATE metrics SET value = 0.01 WHERE key = 'train/loss' AND step = 1 AND run_uuid = ?"
    assert execute(bench, statement, of_first(bench)) == 1


def metric_by_the_client(bench: Bench) -> None:
    connect(bench.store).log_metric(of_first(bench), "test/accuracy", 1.0, step=0)


def metric_removed(bench: Bench) -> None:
    run = of_first(bench)
    for table in ("metrics", "latest_metrics"):
        assert execute(bench, f"DELETE FROM {table} WHERE key = 'test/macro_f1' AND run_uuid = ?", run) == 1


def param_by_hand(bench: Bench) -> None:
    assert execute(bench, "UPDATE params SET value = 'all' WHERE key = 'recipe' AND run_uuid = ?", of_first(bench)) == 1


def tag_by_the_client(bench: Bench) -> None:
    connect(bench.store).set_tag(of_first(bench), "ablation.outcome", "diverged")


def note_by_the_client(bench: Bench) -> None:
    connect(bench.store).set_tag(of_first(bench), "mlflow.note.content", "It is the best of all")


def status_by_the_client(bench: Bench) -> None:
    connect(bench.store).set_terminated(of_first(bench), "FINISHED", 5)


CHANGES = [metric_by_hand, history_by_hand, metric_by_the_client, metric_removed, param_by_hand, tag_by_the_client]
CHANGES += [note_by_the_client, status_by_the_client]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_somebody_changed_in_mlflow_is_repaired(published: Bench, change: Callable[[Bench], None]):
    before = shown(published)
    times = (published.find(published.runs[0]).info.start_time, published.find(published.runs[0]).info.end_time)
    connect(published.store).set_tag(of_first(published), "mine", "a star")
    change(published)
    tracker = published.tracker()
    assert dict(tracker.sync()) == {"repaired": 1, "as it was": 2}
    assert (tracker.off, published.warnings) == (False, [])
    [said] = tracker.repaired
    assert re.search(
        r": (\S+ .+, was written as .+|its description|when it started or ended|an earlier point.*)$", said
    )
    after = shown(published)
    assert after[published.runs[0].spec.id][2].pop("mine") == "a star", "what is not ours is kept"
    assert after == before
    run = published.find(published.runs[0])
    assert (run.info.start_time, run.info.end_time) == times
    assert dict(published.tracker().sync()) == {"as it was": 3}
    case = f"MLflow: {change.__name__.replace('_', ' ')} is changed there"
    record_fault("believed", case, 1, "`ablation sync` repairs it", "1 repaired, 2 as they were")


def test_a_count_of_the_experiments_own_run_is_repaired(published: Bench):
    connect(published.store).log_metric(published.report().info.run_id, "runs_finished", 4.0, 2**45)
    published.tracker().sync()
    assert published.report().data.metrics["runs_finished"] == 2.0


def test_what_is_not_there_is_published_and_all_else_is_left_alone(published: Bench):
    train(published.runs[3])
    connect(published.store).delete_run(of_first(published))
    assert dict(published.tracker().sync()) == {"published": 2, "as it was": 2}
    before = {run.info.run_id: run.to_dictionary() for run in published.search()}
    assert len(before) == 4
    assert dict(published.tracker().sync()) == {"as it was": 4}
    assert {run.info.run_id: run.to_dictionary() for run in published.search()} == before
    record_fault("blocked", "a run is deleted in MLflow", 1, "`ablation sync` publishes it again", "4 of 4 runs there")


def test_a_verdict_stays_on_a_run_that_is_repaired(published: Bench):
    verdicts = {run.spec.id: "better" for run in published.runs[:2]}
    published.tracker().publish_report(description="It helps", verdicts=verdicts)
    metric_by_hand(published)
    assert published.tracker().sync()["repaired"] == 1
    assert published.find(published.runs[0]).data.tags["ablation.verdict"] == "better"
    assert published.report().data.tags["mlflow.note.content"] == "It helps"


def test_a_clock_that_jumps_gives_no_negative_durations(bench: Bench):
    """It is set back by an hour in the middle of a run, and forward by a day in another."""
    for run, jump in ((bench.runs[0], -3600.0), (bench.runs[1], 86400.0)):
        train(run, "failed")
        train(run, born=BORN + jump)
    train(bench.runs[2])
    bench.publish()
    durations = []
    for run in bench.runs[:3]:
        info = bench.find(run).info
        durations.append(info.end_time - info.start_time)
        losses = bench.points(run, "train/loss")
        assert [step for step, _, _ in losses] == [1, 2]
        assert info.start_time <= losses[0][1] <= losses[1][1] <= info.end_time
        assert bench.points(run, "test/accuracy")[0][1] == info.end_time
        made = run_publication(run, bench.cells[:1], bench.experiment)
        assert made is not None
        assert made.start <= made.end
    assert min(durations) >= 0
    assert durations[2] > 0, "where no clock jumped, times are as they were"
    assert bench.report().info.end_time >= bench.report().info.start_time
    seen = f"durations of {min(durations)} to {max(durations)} ms"
    record_fault(
        "blocked", "a clock that is set back or forward while a run is trained", 2, "no negative duration", seen
    )


def test_counts_that_are_published_after_the_clock_was_set_back_are_the_newest(bench: Bench, monkeypatch):
    """MLflow takes the point of the latest time for the newest."""
    train(bench.runs[0])
    bench.publish()
    train(bench.runs[1])
    monkeypatch.setattr("ablation.tracking.client.time.time", lambda: BORN)
    bench.publish()
    assert bench.report().data.metrics["runs_finished"] == 2.0
