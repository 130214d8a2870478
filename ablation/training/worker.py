"""A worker: a child process that trains one run after another on one device, and may die without harm to others.

Both ends of the pipe are here. The parent writes a line of JSON for each run and reads a line for each event; the child
(`-m ablation.training.worker`) imports torch once and keeps the data. It ends itself when the parent is gone, however
that came about, so nothing is left running.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any

from filelock import Timeout

from ablation.core.files import remove_unfinished
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, RunRecord, write_record
from ablation.experiment.robustness import Condition, conditions_of
from ablation.experiment.runs import SPEC_FILE, Run
from ablation.experiment.spec import RunSpec

LOCK_SECONDS = 2.0
"""How long to wait for a run's lock: whoever reads its status holds it for an instant."""

ENDINGS = ("finished", "diverged", "failed", "busy")
"""The last event of a run; "busy" when another process is training it."""

Report = Callable[[dict[str, Any]], None]


class WorkerDied(Exception):
    """The child process ended in the middle of a run."""


class Worker:
    """The parent's end: a child process on `device`, started at the first run. What it prints goes to `log`."""

    def __init__(self, device: str, cache: Path, log: Path, keep_weights: bool = False):
        self.device, self.cache, self.log, self.keep_weights = device, cache, log, keep_weights
        self.process: subprocess.Popen[str] | None = None

    def train(self, run: Run, experiment: Experiment | None = None) -> Iterator[dict[str, Any]]:
        """Train one run; yields its events, the last one of `ENDINGS`. Raises WorkerDied.

        experiment: says under which test conditions the network is tested as well; None: under none.
        """
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(_request(run, experiment)) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                yield event
                if event["event"] in ENDINGS:
                    return
        except (BrokenPipeError, ValueError):
            pass  # the pipe broke, or `stop` closed it under us, or what came was no event
        raise WorkerDied(f"{_cause(self._bury(process))}; see {self.log}")

    def _alive(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            python = [sys.executable, "-P"]  # a queue.py in the working folder is not the library's
            command = [*python, "-m", "ablation.training.worker", "--device", self.device, "--cache", str(self.cache)]
            command += ["--keep-weights"] if self.keep_weights else []
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a") as log:  # its own session: Ctrl-C is for the parent, which then ends the child
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                    env=_environment(self.device),
                )
        return self.process

    def stop(self) -> None:
        """End the child at once. A run in training loses at most its current epoch."""
        if self.process is not None:
            self.process.kill()
            self._bury(self.process)

    def _bury(self, process: subprocess.Popen[str]) -> int:
        """Wait for the child's end and close our side of the pipes; its exit status."""
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.process = None
        return status


def _request(run: Run, experiment: Experiment | None) -> dict[str, Any]:
    """What the child is sent: which run, and what it looks at once the network is trained."""
    shown = conditions_of(experiment, run.spec.image_size) if experiment else ()
    return {
        "root": str(run.root),
        "id": run.spec.id,
        "conditions": [condition.to_plain() for condition in shown],
        "always": bool(experiment and (experiment.robustness or experiment.corrupt)),
    }


def _environment(device: str) -> dict[str, str]:
    """One thread a worker on a CPU; on CUDA the workspace that deterministic cuBLAS asks for."""
    settings = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONUNBUFFERED": "1"}
    if device == "cpu":
        settings |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **settings}


def _cause(status: int) -> str:
    if status < 0:
        return f"the worker was killed by {signal.Signals(-status).name}"
    return f"the worker ended with status {status}"


def main() -> None:
    """The child's end: train what the parent asks for until it closes the pipe."""
    parser = argparse.ArgumentParser(prog="ablation.training.worker")
    parser.add_argument("--device", required=True)
    parser.add_argument("--cache", required=True, type=Path)
    parser.add_argument("--keep-weights", action="store_true")
    options = parser.parse_args()
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print goes to the log, not between the events
    requests = _requests(sys.stdin)
    while True:
        request = json.loads(requests.get())
        root = Path(request["root"])
        spec = json.loads((root / request["id"] / SPEC_FILE).read_text("utf-8"))
        report = partial(_report, events)
        shown = tuple(map(Condition.from_plain, request["conditions"]))
        _train(Run(root, RunSpec.from_plain(spec)), options, report, shown, request["always"])


def _report(events: IO[str], event: dict[str, Any]) -> None:
    print(json.dumps(event), file=events)


def _requests(pipe: IO[str]) -> queue.Queue[str]:
    """Lines from the parent. When the pipe closes, the parent is gone or done: the process ends there and then."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in pipe:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _train(
    run: Run,
    options: argparse.Namespace,
    report: Report,
    conditions: Sequence[Condition] = (),
    always: bool = False,
) -> None:
    """Train one run under its lock, and report how it ended. A failure is an event in its journal, not our end."""
    try:
        with run.lock().acquire(timeout=LOCK_SECONDS):
            record = run.record() or _measure(run, options, report, conditions, always)
            report({"event": record.outcome, **record.metrics})
    except Timeout:
        report({"event": "busy"})
    except Exception as error:  # anything a run can raise: bad settings, out of memory, a bug; the sweep goes on
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        with suppress(OSError):  # a full disk, say: then the parent alone hears of it
            run.journal.append("failed", reason=reason, traceback=traceback.format_exc())
        report({"event": "failed", "reason": reason})


def _measure(
    run: Run, options: argparse.Namespace, report: Report, conditions: Sequence[Condition], always: bool
) -> RunRecord:
    """Train the run and write its record."""
    import torch

    from ablation.models.networks import make_deterministic
    from ablation.training.loop import train

    device = torch.device(options.device)
    make_deterministic(device)
    for file in (run.checkpoint, run.weights, run.folder / ARRAYS_FILE, run.folder / RECORD_FILE):
        remove_unfinished(file)
    run.journal.append("started", device=options.device, process=os.getpid())
    data = _data(options.cache, run.spec.data, run.spec.cache_size)
    record, arrays = train(run, data, device, report, options.cache, options.keep_weights, conditions, always)
    write_record(run.folder, record, arrays)
    run.journal.append(record.outcome)
    run.checkpoint.unlink(missing_ok=True)
    return record


@lru_cache(maxsize=4)
def _data(cache: Path, digest: str, size: int) -> Any:
    from ablation.data import load

    return load(cache, digest, size)


if __name__ == "__main__":
    main()
