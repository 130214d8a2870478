"""Publishing beside training, to a real MLflow server that is slow, away, refuses or babbles: it never costs a run."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, question, train
from faults import record_fault
from proxy import Proxy, proxy

from ablation.core.safe import mlflow_key
from ablation.tracking import background
from ablation.tracking.background import Background
from ablation.tracking.store import Store
from ablation.tracking.ui import free_port, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server."""
    port = free_port(0)
    with serve(Store.beside(tmp_path_factory.mktemp("server"), None), port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def before(server: str) -> Iterator[Proxy]:
    with proxy(server) as made:
        yield made


@pytest.fixture
def remote(before: Proxy, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """An experiment with four runs, whose store is the server behind the proxy."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Bench(tmp_path, question(mlflow_key(request.node.name).replace(" ", "_")), before.address)


def until(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


def finish(publishing: Background) -> tuple[bool, list[int], list[str]]:
    """Whether everything was published, what was waited for, and what was said at the end."""
    waits: list[int] = []
    said: list[str] = []
    return publishing.finish("`ablation sync it`", waits.append, said.append), waits, said


def finished_there(bench: Bench, server: str) -> int:
    """How many runs the server holds as finished, asked without the proxy."""
    there = Bench(bench.home, bench.experiment, server)
    return sum(run.info.status == "FINISHED" for run in there.search())


def test_a_server_that_answers_nothing_yet_holds_up_nobody_and_all_is_there_in_the_end(
    remote: Bench, before: Proxy, server: str, monkeypatch: pytest.MonkeyPatch
):
    """It answers nothing before every run has ended: the four runs waited for none of its answers."""
    monkeypatch.setattr(background, "BEHIND", 0.0)
    before.open.clear()
    publishing = Background(remote.tracker())
    for run in remote.runs:
        train(run)
        publishing.publish(run)
    assert before.answered == 0
    assert until(lambda: publishing.backlog() == 4)
    publishing.publish_all()
    threading.Timer(1.5, before.open.set).start()
    whole, waits, said = finish(publishing)
    assert (whole, said, remote.warnings, publishing.backlog()) == (True, [], [], 0)
    assert waits[0] == 4, "it is shown what is waited for"
    assert finished_there(remote, server) == 4
    seen = f"4 runs ended with {0} of {before.answered} requests answered; all 4 there at the end"
    record_fault(
        "blocked", "an MLflow server that answers nothing while runs are trained", 1, "no run waits for it", seen
    )


@pytest.mark.torture
@pytest.mark.slow
def test_a_server_that_takes_five_seconds_a_request_gets_everything(remote: Bench, before: Proxy, server: str):
    small = Bench(remote.home, replace(remote.experiment, seeds=1), before.address)
    before.delay = 5.0
    with Background(small.tracker()) as publishing:
        begun = time.monotonic()
        for run in small.runs:
            train(run)
            publishing.publish(run)
        publishing.publish_all()
        trained = time.monotonic() - begun
        whole, _, said = finish(publishing)
    took = time.monotonic() - begun
    assert (whole, said, small.warnings) == (True, [], [])
    assert trained < 5, "not even one answer was waited for"
    assert finished_there(small, server) == 2
    seen = f"2 runs trained in {trained:.1f} s, in MLflow after {took:.0f} s and {before.answered} requests"
    record_fault(
        "blocked", "an MLflow server that takes 5 s a request", 1, "no run waits for it, and all are there", seen
    )


@pytest.mark.parametrize("mode", ["refuse", "babble"])
def test_a_server_that_is_of_no_use_at_first_gets_everything_after_a_pause(
    remote: Bench, before: Proxy, server: str, mode: str
):
    before.mode = mode
    publishing = Background(remote.tracker(), pause=0.1)
    train(remote.runs[0])
    publishing.publish(remote.runs[0])
    assert until(lambda: bool(remote.warnings))
    before.mode = "pass"
    for run in remote.runs[1:]:
        train(run)
        publishing.publish(run)
    assert until(lambda: publishing._is_over()), "nobody has asked it to finish"
    publishing.publish_all()
    assert finish(publishing)[::2] == (True, [])
    assert len(remote.warnings) == 1, remote.warnings
    assert finished_there(remote, server) == 4
    case = f"an MLflow server that {mode}s, and then works"
    record_fault(
        "blocked", case, 1, "one warning; all are there at the end", f"{len(remote.warnings)} warning, 4 runs there"
    )


def test_a_server_that_starts_in_the_middle_gets_everything(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
):
    port = free_port(0)
    late = Bench(tmp_path, question("late"), f"http://127.0.0.1:{port}")
    publishing = Background(late.tracker(), pause=60.0)
    for run in late.runs:
        train(run)
        publishing.publish(run)
    assert until(lambda: bool(late.warnings))
    with proxy(server, port):
        publishing.publish_all()
        assert finish(publishing)[::2] == (True, []), "at the end it is tried without a pause"
    assert len(late.warnings) == 1, late.warnings
    assert finished_there(late, server) == 4
    seen = f"{len(late.warnings)} warning, 4 runs there"
    record_fault(
        "blocked", "an MLflow server that starts in the middle", 1, "one warning; all are there at the end", seen
    )


def test_of_a_server_that_stays_away_it_is_said_once_what_publishes_the_rest(tmp_path: Path):
    port = free_port(0)
    away = Bench(tmp_path, question("away"), f"http://me:secret@127.0.0.1:{port}")
    publishing = Background(away.tracker(), pause=0.05)
    train(away.runs[0])
    publishing.publish(away.runs[0])
    time.sleep(0.5)  # some pauses
    publishing.publish_all()
    whole, waits, said = finish(publishing)
    assert (whole, waits) == (False, [])
    assert said == [
        f"MLflow at http://127.0.0.1:{port} lacks 1 run; `ablation sync it` publishes the rest when that is there"
    ]
    assert len(away.warnings) == 1
    assert "secret" not in away.warnings[0]
    seen = f"{len(away.warnings)} warning and {len(said)} line at the end"
    record_fault(
        "blocked", "an MLflow server that is down all the time", 1, "one warning, and what publishes the rest", seen
    )


def test_ctrl_c_while_it_waits_leaves_the_rest(remote: Bench, before: Proxy):
    before.open.clear()
    publishing = Background(remote.tracker())
    for run in remote.runs[:2]:
        train(run)
        publishing.publish(run)
    said: list[str] = []

    def interrupt(left: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publishing.finish("`ablation sync it`", interrupt, said.append)
    assert said == [f"MLflow at {before.address} lacks 2 runs; `ablation sync it` publishes the rest"]
    assert (remote.runs[0].status(), remote.warnings) == ("finished", [])


def test_what_ends_again_while_it_is_published_is_published_again(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """The newest state of the folder is what is published: nothing else would know of the second end."""
    run, tracker = bench.runs[0], bench.tracker()
    publish, reached, go_on = tracker.publish, threading.Event(), threading.Event()

    def held_up(one):
        publish(one)
        reached.set()
        go_on.wait()

    monkeypatch.setattr(tracker, "publish", held_up)
    publishing = Background(tracker)
    train(run, "failed")
    publishing.publish(run)
    reached.wait()
    train(run)
    publishing.publish(run)
    go_on.set()
    assert finish(publishing)[::2] == (True, [])
    assert bench.find(run).data.tags["ablation.outcome"] == "finished"


def test_one_run_that_is_refused_costs_no_other(remote: Bench, server: str, monkeypatch: pytest.MonkeyPatch):
    from ablation.tracking import publication

    params, odd = publication._params, remote.runs[0].spec.id
    monkeypatch.setattr(
        publication, "_params", lambda cells: params(cells) | ({"a@b": "no key"} if cells[0].spec.id == odd else {})
    )
    publishing = Background(remote.tracker(), pause=0.05)
    for run in remote.runs:
        train(run)
        publishing.publish(run)
    publishing.publish_all()
    whole, _, said = finish(publishing)
    assert (whole, len(said), len(remote.warnings)) == (False, 1, 1)
    assert "a@b" in remote.warnings[0]
    assert finished_there(remote, server) == 3


def test_nothing_to_publish_is_no_wait(bench: Bench):
    publishing = Background(bench.tracker())
    publishing.publish_all()
    assert finish(publishing) == (True, [], [])
