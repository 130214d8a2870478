"""MLflow's own pages and a real server on this machine: what they show, and that they end with the command."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from bench import Bench, train

from ablation.tracking.client import connect
from ablation.tracking.ui import free_port, page, serve


def test_a_server_takes_runs_and_shows_them(bench: Bench, tmp_path: Path):
    port = free_port(0)
    with serve(bench.store, port) as process:
        address = f"http://127.0.0.1:{port}"
        remote = Bench(tmp_path, bench.experiment, address)
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
        found = page(address, remote.experiment.name)
        assert found
        assert "viewStateShareKey=ablation" in found
        assert page(address, "unheard of") is None
        assert free_port(port) != port
    assert not (tmp_path / "mlflow.db").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_the_pages_end_with_the_command(bench: Bench, environment: dict[str, str], number: signal.Signals):
    train(bench.runs[0])
    bench.publish()
    call = (
        "import signal, sys; from pathlib import Path; from ablation.tracking.ui import serve_ui;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "serve_ui(Path(sys.argv[1]), None, int(sys.argv[2]), lambda line: print(line, flush=True))"
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        command = [sys.executable, "-c", call, str(bench.home / "runs"), str(wanted)]
        behind = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}  # a proxy that leads nowhere
        process = subprocess.Popen(
            command, env=environment | behind, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if "Ctrl-C" in line:
                break
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    assert lines[0].startswith(f"port {wanted} is taken; using ")
    assert any(line.startswith(f"{bench.experiment.name}: http://127.0.0.1:") for line in lines)
    used = int(lines[0].rsplit(" ", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", used)) != 0
