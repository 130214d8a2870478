"""MLflow's own pages and a real server on this machine: what they show, and that they end with the command."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, train
from faults import record_fault

from ablation.tracking.store import Store, connect
from ablation.tracking.ui import free_port, pages_of, say_pages

CALL = (
    "import signal, sys; from pathlib import Path; from ablation.tracking.ui import serve_ui;"
    "signal.signal(signal.SIGINT, signal.default_int_handler);"
    "serve_ui(Path(sys.argv[1]), None, int(sys.argv[2]), lambda line: print(line, flush=True))"
)


@contextmanager
def command(runs: Path, port: int, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`ablation ui`, and what it has printed once it serves; behind a proxy that leads nowhere."""
    behind = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    arguments = [sys.executable, "-c", CALL, str(runs), str(port)]
    process = subprocess.Popen(
        arguments, env=environment | behind, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    lines = []
    try:
        for line in process.stdout:
            lines.append(line.strip())
            if "Ctrl-C" in line:
                break
        yield process, lines
    finally:
        process.terminate()
        process.communicate(timeout=30)


def taken_port() -> socket.socket:
    """A socket that listens; its port is not free."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def ends(process: subprocess.Popen[str], number: signal.Signals, port: int) -> None:
    """The signal ends the command, in silence and with status 0, and its server."""
    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_takes_runs_shows_them_and_ends_with_the_command(
    bench: Bench, environment: dict[str, str], tmp_path: Path
):
    train(bench.runs[0])
    bench.publish()
    taken = taken_port()
    wanted = taken.getsockname()[1]
    with taken, command(bench.home / "runs", wanted, environment) as (process, lines):
        assert lines[0].startswith(f"port {wanted} is taken; using ")
        port = int(lines[0].rsplit(" ", 1)[1])
        address = f"http://127.0.0.1:{port}"
        [page] = [line for line in lines if line.startswith(f"{bench.experiment.name}: ")]
        assert re.search(rf"{address}/#/experiments/\d+/runs\?.*viewStateShareKey=ablation", page)
        assert free_port(port) != port

        remote = Bench(tmp_path, replace(bench.experiment, name="remote"), address)
        for run in remote.runs:
            train(run)
        (tmp_path / "report.html").write_text("report")
        remote.publish()
        remote.tracker().publish_report(tmp_path / "report.html")
        first = {run.info.run_id for run in remote.search()}
        remote.publish()
        assert {run.info.run_id for run in remote.search()} == first
        assert [run.info.status for run in remote.search()] == ["FINISHED"] * 4
        assert remote.report().info.status == "FINISHED"
        artifacts = connect(remote.store).list_artifacts(remote.report().info.run_id)
        assert [artifact.path for artifact in artifacts] == ["report.html"]
        (tmp_path / "evidence.json").write_text("{}")
        remote.tracker().publish_report(tmp_path / "evidence.json", description="New", verdicts={})
        artifacts = connect(remote.store).list_artifacts(remote.report().info.run_id)
        assert [artifact.path for artifact in artifacts] == ["evidence.json"], "the server removes what has gone"
        assert remote.warnings == []
        pages = pages_of([remote.experiment.name, "unheard of"], address, remote.store)
        assert list(pages) == ["remote", "remote, the report"]
        assert f"/runs/{remote.report().info.run_id}?" in pages["remote, the report"]
        ends(process, signal.SIGINT, port)
    assert not (tmp_path / "mlflow.db").exists()


def descendants_of(process: int) -> set[int]:
    """The processes that it started, and those that they did, as the kernel knows them."""
    found: set[int] = set()
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            children = set(map(int, listed.read_text().split()))
            found |= children.union(*map(descendants_of, children))
    return found


def is_alive(process: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def until(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads a process's children from /proc")
@pytest.mark.parametrize("count", [1, 2], ids=["while the server starts", "with the server's own child"])
def test_a_server_dies_with_the_command_that_is_killed(
    bench: Bench, environment: dict[str, str], tmp_path: Path, count: int
):
    connect(bench.store)  # so that its tables are there
    arguments = [sys.executable, "-c", CALL, str(bench.home / "runs"), str(free_port(0))]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: len(descendants_of(process.pid)) >= count, 120)
        started = descendants_of(process.pid)
    finally:
        process.kill()
        process.wait()
    killed = time.monotonic()
    assert until(lambda: not any(map(is_alive, started)), 10), "they outlived it"
    seen = f"{len(started)} processes gone within {time.monotonic() - killed:.2f} s"
    record_fault("blocked", "a SIGKILL of `ablation ui`", 1, "MLflow's server and its children end with it", seen)


@pytest.mark.slow
def test_it_ends_when_it_is_terminated(bench: Bench, environment: dict[str, str]):
    port = free_port(0)
    with command(bench.home / "runs", port, environment) as (process, _):
        ends(process, signal.SIGTERM, port)


def test_of_a_server_that_is_down_the_address_is_said_without_its_password(tmp_path: Path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        store = Store(f"http://me:secret@{address}", tmp_path)
        lines: list[str] = []
        say_pages(str(store), store, tmp_path, lines.append)
    assert "no answer" in lines[0]
    assert f"MLflow: http://{address}" in lines
    assert "secret" not in "".join(lines)


def test_a_port_that_is_taken_is_not_used():
    with taken_port() as taken:
        assert free_port(taken.getsockname()[1]) != taken.getsockname()[1]
