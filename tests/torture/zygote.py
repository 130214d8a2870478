"""Commands that start in a tenth of a second: forks of a process which has imported all that they would import.

A fork is a process of its own: it is killed as one, its workers are processes of their own (forks of it in place of
`python -m ablation.training.worker`), and all the code that runs in them is the program's. What is not tried in this
way is the start of Python and the imports; `test_kills.py` kills real commands there.

    zygote = Zygote()
    command = zygote.start(["run", "NAME"], folder)
    command.wait()
"""

import fcntl
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from select import select

import failpoints

from ablation.core import processes

MODULES = (
    "ablation.cli.main ablation.cli.run ablation.cli.compare ablation.cli.status ablation.cli.sections "
    "ablation.training.worker ablation.training.loop ablation.training.dry_run ablation.training.finish "
    "ablation.tracking.client ablation.evidence.study ablation.report.contents joblib "
    "mlflow mlflow.store.tracking.sqlalchemy_store alembic.command"
)
"""What a command and its worker import."""

# --- the test's side


class Command:
    """A running command. output: the file with all that it prints."""

    def __init__(self, zygote: "Zygote", pid: int, output: Path):
        self.zygote, self.pid, self.output, self.status = zygote, pid, output, None

    def wait(self, limit: float = 120.0) -> int:
        """Wait for its end: the exit status, or minus the number of the signal that ended it.

        A command that has not ended after `limit` seconds is killed; raises TimeoutError.
        """
        if self.status is None:
            slow = not select([self.zygote.process.stdout], [], [], limit)[0]
            if slow:
                self.kill()
            self.status = self.zygote.receive()["status"]
            if slow:
                raise TimeoutError(f"the command still ran after {limit:g} s: {self.printed()[-2000:]}")
        return self.status

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status is None and not select([self.zygote.process.stdout], [], [], 0)[0]

    def kill(self) -> None:
        """End it at once."""
        if self.running():
            os.kill(self.pid, signal.SIGKILL)

    def printed(self) -> str:
        return self.output.read_text("utf-8", "replace")


class Zygote:
    """The process that is forked; one command of it runs at a time."""

    def __init__(self) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FAILPOINT")}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}
        environment |= {"MLFLOW_LOGGING_LEVEL": "CRITICAL"}  # which it reads when it is imported
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        command = [sys.executable, str(Path(__file__))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def start(self, argv: list[str], folder: Path, environment: dict[str, str] | None = None) -> Command:
        """Start `ablation ARGV` in a folder."""
        output = folder.parent / f"{folder.name}.{self.process.pid}.out"
        request = {"argv": argv, "folder": str(folder), "output": str(output), "environment": environment or {}}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Command(self, self.receive()["pid"], output)

    def receive(self) -> dict[str, int]:
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


# --- the zygote's side


class ForkedWorker:
    """As `subprocess.Popen` of a worker, by a fork of this command."""

    def __init__(self, command, stdin, stdout, stderr, text, start_new_session, pass_fds, env, cwd=None):
        to_child, from_parent = os.pipe()
        to_parent, from_child = os.pipe()
        printed = stderr.fileno()
        self.args, self.returncode = command, None
        self.pid = os.fork()
        if self.pid == 0:
            with suppress(BaseException):
                os.setsid()
                _become([to_child, from_child, printed], env, pass_fds)
                os.chdir(cwd or ".")
                sys.argv = command[command.index(processes.__file__) :]
                _run("worker", env, processes.main)
            os._exit(70)
        os.close(to_child)
        os.close(from_child)
        for descriptor in (from_parent, to_parent):
            fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        self.stdin, self.stdout, self.stderr = os.fdopen(from_parent, "w"), os.fdopen(to_parent, "r"), None

    def poll(self):
        return self.wait(0.0) if self.returncode is None else self.returncode

    def wait(self, timeout=None):
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, 0 if until is None else os.WNOHANG)
            except ChildProcessError:  # another thread has waited for it
                while self.returncode is None:
                    time.sleep(0.001)
                break
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                if timeout == 0.0:
                    return None
                raise subprocess.TimeoutExpired(self.args, timeout)
            else:
                time.sleep(0.002)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


def _become(descriptors: list[int], environment: dict[str, str], kept: tuple[int, ...] = ()) -> None:
    """Make these descriptors 0, 1 and 2, close all others but those that are kept, and take on an environment."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 200) for descriptor in descriptors]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, number)
    gc.freeze()  # what was inherited is never collected: it would close descriptors that are others by then
    for descriptor in {*range(3, 1024)} - {*kept}:
        with suppress(OSError):
            os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)


def _run(process: str, environment: dict[str, str], main) -> None:
    """Run a program's main in this fork, and end with its status as Python does; of its threads none is waited for."""
    warnings.filterwarnings("ignore", module="runpy")  # of a module that was imported before the fork
    if "FAILPOINT_ROOT" in environment:
        failpoints.install(process, environment)
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def _command(request: dict) -> None:
    """What a fork of the zygote does."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    environment = {**os.environ, **request["environment"]}
    _become([nothing, output, output], environment)
    os.chdir(request["folder"])
    sys.argv = ["ablation", *request["argv"]]
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    original = subprocess.Popen

    def popen(command, *positional, **named):
        made = ForkedWorker if "ablation.training.worker" in command else original
        return made(command, *positional, **named)

    subprocess.Popen = popen
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from ablation.cli.main import main

    _run("command", environment, main)


def serve() -> None:
    """Fork a command for each line of standard input; answer with its id, and with its status when it ends."""
    for module in MODULES.split():
        importlib.import_module(module)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                _command(json.loads(line))
            os._exit(71)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve()
