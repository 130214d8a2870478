"""A real Dask scheduler and real Dask workers, each on what it takes for a machine of its own.

A machine has its own working folder, HOME, TMPDIR and environment, and where the kernel allows it (`unshare`) its own
host name, and a file system in which the caller's folder is empty.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
APART = 'hostname "$1"; mount -t tmpfs none "$2"; shift 2; exec "$@"'
"""Becomes a machine that is called $1 and sees nothing in $2."""


def can_set_apart() -> bool:
    """Whether this system lets us make such machines."""
    command = ["unshare", "--map-root-user", "--uts", "--mount", "sh", "-c", "hostname x && mount -t tmpfs none /mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def wait_for(what: str, true: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait until it is true; fail with `what` where it is not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Machines:
    """A cluster whose processes are started one by one in `folder`. hidden: the folder that no machine sees."""

    def __init__(self, folder: Path, hidden: Path, apart: bool = True):
        self.folder, self.hidden, self.apart = folder, hidden, apart and can_set_apart()
        self.processes: dict[str, subprocess.Popen] = {}
        self.address = ""

    def start_scheduler(self, name: str = "scheduler", **environment: str) -> str:
        """Its address, with a port of the system's choice."""
        file = self.folder / f"{name}.json"
        options = [
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
            "--scheduler-file",
            str(file),
        ]
        self._start(name, ["distributed.cli.dask_scheduler", *options], [], environment)
        wait_for("the scheduler's file", lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        return self.address

    def start_worker(self, name: str, *options: str, **environment: str) -> int:
        """Start a Dask worker of one thread, without a nanny, on a machine of this name; its process."""
        home = self.folder / name
        apart = ["unshare", "--map-root-user", "--uts", "--mount", "sh", "-c", APART, "sh", name, str(self.hidden)]
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", *options)
        options = (*options, "--name", name, "--local-directory", str(home / "dask"))
        command = ["distributed.cli.dask_worker", self.address, *options]
        return self._start(name, command, apart if self.apart else [], environment)

    def _start(self, name: str, module: list[str], apart: list[str], environment: dict[str, str] | None = None) -> int:
        home = self.folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        kept = {variable: os.environ[variable] for variable in ("PATH", "LANG") if variable in os.environ}
        own = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(ROOT)} | (environment or {})
        with (home / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*apart, sys.executable, "-m", *module],
                cwd=home,
                env=kept | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[name].pid

    def name_of(self, event: dict) -> str:
        """The machine on which a run has started."""
        return next((name for name, process in self.processes.items() if process.pid == event["command"]), "")

    def wait_for_workers(self, count: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            wait_for(f"{count} workers", lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == count)

    def kill(self, name: str) -> None:
        """SIGKILL it, and nothing else: what it has started is left to itself."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        """End every machine, with what is left on it."""
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def machines(folder: Path, hidden: Path, names: tuple[str, ...], apart: bool = True) -> Iterator[Machines]:
    """A scheduler and a machine of each name, all of which have joined."""
    cluster = Machines(folder, hidden, apart)
    try:
        cluster.start_scheduler()
        for name in names:
            cluster.start_worker(name)
        cluster.wait_for_workers(len(names))
        yield cluster
    finally:
        cluster.close()
