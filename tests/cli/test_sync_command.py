"""`ablation sync`: what a person reads of it, and what it says where it can do nothing."""

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from commands import ablation
from faults import record_fault

from ablation.tracking.background import Background

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

OF_SQLALCHEMY = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # by MLflow's own code


@OF_SQLALCHEMY
def test_it_publishes_repairs_and_says_so_in_a_line(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    at = f"6 runs in MLflow at sqlite:///{folder}/mlflow.db"
    lost = min((folder / "runs" / "small").glob("*/record.json")).parent
    shutil.copytree(lost, tmp_path / "kept")
    shutil.rmtree(lost)
    code, out, err = ablation(folder, "sync", "small")
    assert (code, err) == (0, "")
    assert out == f"small: {at.replace('6', '5', 1)}: 5 published, 0 as they were\n"
    shutil.copytree(tmp_path / "kept", lost)
    with closing(sqlite3.connect(folder / "mlflow.db")) as opened:
        (run,) = opened.execute("SELECT run_uuid FROM metrics WHERE key = 'test/accuracy' LIMIT 1").fetchone()
        for table in ("metrics", "latest_metrics"):
            opened.execute(f"UPDATE {table} SET value = 1 WHERE key = 'test/accuracy' AND run_uuid = ?", [run])
        opened.commit()
    shutil.copy(folder / "experiments" / "small.py", folder / "experiments" / "again.py")
    code, out, err = ablation(folder, "sync")
    head, line = out.splitlines()
    assert (code, err, head) == (0, "", f"small: {at}: 1 published, 1 repaired, 4 as they were"), "once per name"
    assert re.fullmatch(r"  repaired (none|crop) · sgd · seed \d: test/accuracy 1\.0, was written as 0\.\d+", line)
    (folder / "experiments" / "again.py").unlink()
    assert ablation(folder, "sync", "small") == (0, f"small: {at}: all as they were\n", "")


def test_a_server_that_is_away_is_status_75(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    code, out, err = ablation(folder, "sync", "small", "--tracking-uri", "http://me:secret@127.0.0.1:9")
    assert (code, out) == (75, "")
    assert "MLflow at http://127.0.0.1:9 does not take the runs: no answer" in err
    assert "secret" not in err
    record_fault("blocked", "`ablation sync` where MLflow's server is away", 1, "exit status 75", f"exit status {code}")


def test_without_runs_it_wants_a_name(tmp_path):
    code, _, err = ablation(tmp_path, "sync")
    assert code == 2
    assert "name the experiment" in err


class Silent(BaseHTTPRequestHandler):
    """Answers nothing before `go_on` is set, and then nothing that MLflow can use."""

    go_on = threading.Event()

    def do_GET(self) -> None:
        self.go_on.wait()

    def log_message(self, *what: object) -> None:
        pass


def test_a_run_prints_its_verdicts_before_it_waits_for_a_server(finished, tmp_path, monkeypatch):
    """The server answers nothing before the command waits for it, and nothing of use then."""
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    finish = Background.finish

    def finish_and_let_go(*arguments):
        threading.Timer(1.5, Silent.go_on.set).start()
        return finish(*arguments)

    monkeypatch.setattr(Background, "finish", finish_and_let_go)
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        code, out, err = ablation(folder, "run", "small", "--tracking-uri", address)
        server.shutdown()
    assert code == 0, "a server costs no run"
    assert "crop" in out
    assert out.splitlines()[-1].startswith(f"waiting for MLflow at {address}: ")
    rest = f"ablation sync small --tracking-uri {address}` publishes the rest when that is there"
    assert rest in err


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.parametrize("rounds", [5])
def test_several_first_commands_at_once_have_every_run_in_mlflow_once(finished, tmp_path, environment, rounds):
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "ablation.cli.main", "run", "small"]
    there = []
    for number in range(rounds):
        folder = shutil.copytree(finished.folder, tmp_path / str(number))
        every = [subprocess.Popen(command, cwd=folder, env=environment, **PIPES) for _ in range(3)]
        ended = [(process.communicate(timeout=300), process.returncode) for process in every]
        assert [(errors, code) for (_, errors), code in ended] == [("", 0)] * 3
        with closing(sqlite3.connect(folder / "mlflow.db")) as opened:
            alive = "run_uuid IN (SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' AND status = 'FINISHED')"
            keys = opened.execute(f"SELECT value FROM tags WHERE key = 'ablation.run_id' AND {alive}").fetchall()
        there.append((len(keys), len(set(keys))))
    assert there == [(7, 7)] * rounds, "six runs and the experiment's own"
    seen = f"7 of 7 runs there once, in {there.count((7, 7))} of {rounds} rounds"
    case = "three first `ablation run` at once on a new mlflow.db"
    record_fault("blocked", case, rounds, "each run is in MLflow once", seen)
