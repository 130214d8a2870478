"""MLflow's own pages, served from the store on this machine until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ablation.core.errors import AblationError
from ablation.tracking.client import Store, quiet_environment
from ablation.tracking.runs import VIEW, example_filters

HOST = "127.0.0.1"
PORT = 5000
PATIENCE = 60.0
"""Seconds that the server has to start: importing mlflow takes some, and a first database as many again."""


def serve_ui(runs: Path, uri: str | None = None, port: int | None = None, say: Callable[[str], None] = print) -> None:
    """Serve MLflow's pages for the store of this folder of runs, tell where they are, and wait until interrupted.

    uri: as for `Tracker`; of a remote store the address is told, no more. port: the wanted one, by default 5000; if it
    is taken another is, and that is told. Raises AblationError if the server does not start.
    """
    store = Store.beside(runs.absolute().parent, uri)
    if store.remote:
        tell(store.uri, runs, say)
        return
    chosen = free_port(port or PORT)
    if chosen != (port or PORT):
        say(f"port {port or PORT} is taken; using {chosen}")
    try:
        with serve(store, chosen) as process:
            tell(f"http://{HOST}:{chosen}", runs, say)
            say("Ctrl-C ends it")
            process.wait()
    except KeyboardInterrupt:
        return
    raise AblationError(f"MLflow's server ended by itself, with status {process.returncode}")


def tell(address: str, runs: Path, say: Callable[[str], None]) -> None:
    """Where to look, newest experiment first, and what to type there."""
    folders = [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []
    newest = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    pages = {folder.name: found for folder in newest if (found := page(address, folder.name))}
    for name, found in pages.items():
        say(f"{name}: {found}")
    if not pages:
        say(f"MLflow: {address.rstrip('/')} (nothing of this folder is there yet; `ablation run` publishes it)")
    say("filters for the search box there:")
    for example in example_filters():
        say(f"  {example}")


def page(address: str, experiment: str) -> str | None:
    """The address of the experiment's table of runs; None if MLflow does not have it."""
    address, name = address.rstrip("/"), urllib.parse.quote(experiment)
    try:
        question = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}"
        with _ask(question) as answer:
            found = json.load(answer)["experiment"]
    except (OSError, ValueError, KeyError):
        return None
    wanted = {"workflowType": "machine_learning"}
    if any(tag["key"].endswith(f".{VIEW}") for tag in found.get("tags", ())):
        wanted["viewStateShareKey"] = VIEW
    return f"{address}/#/experiments/{found['experiment_id']}/runs?{urllib.parse.urlencode(wanted)}"


def _ask(question: str) -> Any:
    """The answer, opened; this machine's own server is not asked through a proxy, which would not find it."""
    direct = [urllib.request.ProxyHandler({})] if question.startswith(f"http://{HOST}:") else []
    return urllib.request.build_opener(*direct).open(question, timeout=5)


def free_port(wanted: int) -> int:
    """The wanted port, or any other that is free if it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            if os.name == "posix":  # a port whose last connections are still winding down counts as free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise AblationError(f"no port is free on {HOST}")


@contextmanager
def serve(store: Store, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server on this port, answering; it and its children are ended on the way out, however that is taken."""
    quiet_environment()
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store.uri, "--artifacts-destination", store.artifacts.as_uri()]
    # PYTHONSAFEPATH: a user's own select.py must not stand in for Python's. No jobs: they are for language models.
    settings = {**os.environ, "PYTHONSAFEPATH": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryFile() as log, _terminating():
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings, start_new_session=True
        )
        try:
            _await_start(process, port, log)
            yield process
        finally:
            _end(process)


def _await_start(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            _ask(f"http://{HOST}:{port}/health").close()
            return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    told = log.read().decode(errors="replace").strip().splitlines()[-10:]
    raise AblationError("\n".join(["MLflow's server did not start:", *told]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, which share a session of their own; by force if asking does not do."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def _terminating() -> Iterator[None]:
    """Within, SIGTERM interrupts as Ctrl-C does, so that the server never outlives us."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
