"""MLflow's own pages, served from the store on this machine until Ctrl-C."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ablation.core.errors import AblationError, attempt
from ablation.core.processes import end, start
from ablation.tracking.publication import KEY, KIND, REPORT, REPORT_DIGEST
from ablation.tracking.store import Store, await_answer, connect, make_whole, without_password
from ablation.tracking.view import VIEW, VIEW_TAG, example_filters

HOST = "127.0.0.1"
PORT = 5000
PATIENCE = 180.0
"""Seconds that the server has to start: importing mlflow takes some, and many on a machine that is busy."""

GRACE = 0.5
"""Seconds that the server has to end what it is just doing; SQLite loses nothing when it is killed then."""


def serve_ui(runs: Path, uri: str | None = None, port: int | None = None, say: Callable[[str], None] = print) -> None:
    """Serve MLflow's pages for the store of this folder of runs, say where they are, and wait until interrupted.

    uri: as for `Tracker`; of a server that runs already only the addresses are said. port: the wanted one, by default
    5000; if it is taken another is used, and that is said. Raises AblationError if the server does not start.
    """
    store = Store.beside(runs.absolute().parent, uri)
    if store.remote:
        say_pages(str(store), store, runs, say)
        return
    wanted = port or PORT
    chosen = free_port(wanted)
    if chosen != wanted:
        say(f"port {wanted} is taken; using {chosen}")
    try:
        with serve(store, chosen, say) as process:
            say_pages(f"http://{HOST}:{chosen}", store, runs, say)
            say("Ctrl-C ends it")
            process.wait()
    except KeyboardInterrupt:
        gc.freeze()  # or Python would look through all of MLflow for garbage before it ends: a second
        return
    raise AblationError(f"MLflow's server ended by itself, with status {process.returncode}")


def say_pages(address: str, store: Store, runs: Path, say: Callable[[str], None]) -> None:
    """Say where the pages of each experiment are, the newest first, and what to type there."""
    folders = [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []
    newest = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    names = [folder.name for folder in newest]
    pages = attempt(
        f"what MLflow at {store} holds",
        lambda: pages_of(names, address, store),
        None,
        lambda problem: say(without_password(problem)),
    )
    for name, page in (pages or {}).items():
        say(f"{name}: {page}")
    if pages is None:
        say(f"MLflow: {address}")
    elif not pages:
        say(f"MLflow: {address.rstrip('/')} (nothing of this folder is there yet; `ablation run` publishes it)")
    say("filters for the search box there:")
    for example in example_filters():
        say(f"  {example}")


def pages_of(names: list[str], address: str, store: Store) -> dict[str, str]:
    """Experiment -> the address of its table of runs, for those that the store has; likewise of their reports."""
    client, pages = connect(store), {}
    for name in names:
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            view = [f"viewStateShareKey={VIEW}"] if VIEW_TAG in experiment.tags else []
            runs = f"{address.rstrip('/')}/#/experiments/{experiment.experiment_id}/runs"
            pages[name] = f"{runs}?{'&'.join([KIND, *view])}"
            for run in client.search_runs([experiment.experiment_id], f"tags.`{KEY}` = '{REPORT}'", max_results=1):
                if REPORT_DIGEST in run.data.tags:
                    pages[f"{name}, the report"] = f"{runs}/{run.info.run_id}?{KIND}"
    return pages


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
            return int(probe.getsockname()[1])
    raise AblationError(f"no port is free on {HOST}")


@contextmanager
def serve(store: Store, port: int, say: Callable[[str], None] = print) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow's server on this port, answering; it and its children are ended on the way out, however that is taken.

    Within, SIGTERM interrupts as Ctrl-C does. Where this process is killed, the server ends with it.
    """
    make_whole(store, say)  # or the server makes the tables itself, in place, beside whoever else does
    arguments = ["server", "--host", HOST, "--port", str(port), "--workers", "1"]
    arguments += ["--backend-store-uri", store.uri, "--artifacts-destination", store.artifacts.as_uri()]
    # PYTHONSAFEPATH: a user's own select.py must not stand in for Python's. No jobs: they are for language models.
    settings = {**os.environ, "PYTHONSAFEPATH": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryFile() as log:
            process = start("mlflow", *arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings)
            try:
                _await_start(process, port, log)
                yield process
            finally:
                end(process, GRACE)
    finally:
        signal.signal(signal.SIGTERM, before)


def _await_start(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline, direct = time.monotonic() + PATIENCE, urllib.request.ProxyHandler({})  # a proxy would not find it
    while time.monotonic() < deadline and process.poll() is None:
        try:
            await_answer(f"http://{HOST}:{port}", direct)
            return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()[-10:]
    raise AblationError("\n".join(["MLflow's server did not start:", *lines]))
