"""A worker: a child process that trains one run after another on one device, and may die without harm to others.

Both ends of the pipe are here. The parent writes a line of JSON for each run and reads a line for each event; the child
(`-m ablation.training.worker`) imports torch once and keeps the data. It ends itself when the parent is gone, however
that came about, so nothing is left running.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from filelock import Timeout

from ablation.core.errors import AblationError, DataError, InputError, Problem
from ablation.core.files import remove_unfinished
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, RunRecord, write_record
from ablation.experiment.robustness import Condition, conditions_of
from ablation.experiment.runs import SPEC_FILE, Run
from ablation.experiment.spec import RunSpec
from ablation.training.execution import AS_USUAL, MEMORY_FORMATS, STEPS, Execution
from ablation.training.sharing import FAILED, Rate

LOCK_SECONDS = 2.0
"""How long to wait for a run's lock: whoever reads its status holds it for an instant."""

BETWEEN_EPOCHS = 0.2
"""Seconds: epochs that end sooner after one another are not all sent to the parent. The journal has them all."""

KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Tells glibc to keep what tensors have freed for the next step: else the kernel hands out, and clears, its pages anew.
A step of ResNet-50 on a CPU takes 6 % less time so."""

ENDINGS = ("finished", "diverged", "failed", "busy")
"""The last event of a run; "busy" when another process is training it."""

Report = Callable[[dict[str, Any]], None]


class WorkerDied(Exception):
    """The child process ended in the middle of a run."""


class Worker:
    """The parent's end: a child process on `device`, started at the first run or before. What it prints goes to `log`;
    it works in `folder`, by default where its parent does.

    Until its first run that is a file without a name: a child that was started for nothing leaves nothing.
    """

    def __init__(
        self,
        device: str,
        cache: Path,
        log: Path,
        keep_weights: bool = False,
        checkpoint_every: int | None = None,
        execution: Execution = AS_USUAL,
        folder: Path | None = None,
    ):
        self.device, self.cache, self.log, self.execution, self.folder = device, cache, log, execution, folder
        self.keep_weights, self.checkpoint_every = keep_weights, checkpoint_every
        self.process: subprocess.Popen[str] | None = None
        self.printed: IO[bytes] | None = None
        self._stopped, self._lock = False, threading.Lock()

    def start(self) -> None:
        """Start the child, unless it runs: it imports torch while the parent does something else."""
        self._alive()

    def try_out(self, specs: Sequence[RunSpec], classes: int) -> None:
        """Have the child do the dry run of these. Raises what is wrong with them, and WorkerDied."""
        request = {"specs": [spec.to_plain() for spec in specs], "classes": classes}
        for event in self._answers(request):
            if event["event"] == "tried":
                refused = [Problem(*problem) for problem in event["problems"]]
                if refused:
                    raise (DataError if event["data"] else InputError)(refused)
                return

    def rate(self, spec: RunSpec) -> Rate:
        """Have the child train this spec for some seconds, and leave nothing; no images where it cannot, or dies."""
        with suppress(WorkerDied):
            for event in self._answers({"rate": spec.to_plain()}):
                if event.pop("event") == "rated":
                    return Rate(**event)
        return FAILED

    def train(self, run: Run, experiment: Experiment | None = None) -> Iterator[dict[str, Any]]:
        """Train one run; yields its events, the last one of `ENDINGS`. Raises WorkerDied.

        experiment: says under which test conditions the network is tested as well; None: under none.
        """
        yield from self.carry_out(request_of(run, experiment))

    def carry_out(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Train the run of such a request (`request_of`), as `train` does."""
        self._alive()
        for event in self._answers({**request, "log": str(self._log().absolute())}):
            yield event
            if event["event"] in ENDINGS:
                return

    def _answers(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send the child a request and yield its events, as long as somebody takes them. Raises WorkerDied."""
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                yield json.loads(line)
        except (BrokenPipeError, ValueError):
            pass  # the pipe broke, or `stop` closed it under us, or what came was no event
        raise WorkerDied(f"{_cause(self._bury(process))}; {self._last_words()}")

    def _log(self) -> Path:
        """The log, with what the child has printed so far, before its first run."""
        if self.printed is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                log.write(self._printed())
        return self.log

    def _printed(self) -> bytes:
        """What the child has printed before its first run; this can be read once."""
        printed, self.printed = self.printed, None
        if printed is None:
            return b""
        with printed:
            printed.seek(0)
            return printed.read()

    def _last_words(self) -> str:
        """Where what the child printed can be read: of one that had no run yet, the last line itself."""
        if self.printed is None:
            return f"see {self.log}"
        lines = self._printed().decode("utf-8", "replace").splitlines()
        return next(filter(str.strip, reversed(lines)), "it printed nothing")

    def _alive(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise WorkerDied("the worker was stopped")
            if self.process is None or self.process.poll() is not None:
                self.process = self._child()
            return self.process

    def _child(self) -> subprocess.Popen[str]:
        python = [sys.executable, "-P"]  # a queue.py in the working folder is not the library's
        command = [*python, "-m", "ablation.training.worker", "--device", self.device, "--cache", str(self.cache)]
        command += ["--keep-weights"] if self.keep_weights else []
        command += ["--checkpoint-every", str(self.checkpoint_every)] if self.checkpoint_every else []
        command += ["--step", self.execution.step, "--memory-format", self.execution.memory_format]
        self._printed()
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115  (the child prints into it)
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.printed,
            text=True,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            env=_environment(self.device) | _compiling(self.execution, self.cache),
        )

    def stop(self) -> None:
        """End the child at once, and start no other. A run in training loses what it did since its last checkpoint
        (`checkpoint.Pace`)."""
        with self._lock:
            self._stopped = True
            process = self.process
        if process is not None:
            process.kill()
            self._bury(process)
        self._printed()

    def _bury(self, process: subprocess.Popen[str]) -> int:
        """Wait for the child's end and close our side of the pipes; its exit status."""
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.process = None
        return status


def request_of(run: Run, experiment: Experiment | None) -> dict[str, Any]:
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
    return {**KEEPS_MEMORY, **os.environ, **settings}


def _compiling(execution: Execution, cache: Path) -> dict[str, str]:
    """What torch.compile makes is kept for later sweeps, and what it chooses by measuring does not change sums."""
    if execution.step != "compile":
        return {}
    return {"TORCHINDUCTOR_CACHE_DIR": str((cache / "compiled").absolute()), "TORCHINDUCTOR_DETERMINISTIC": "1"}


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
    parser.add_argument("--checkpoint-every", type=int)
    parser.add_argument("--step", choices=STEPS, default="auto")
    parser.add_argument("--memory-format", choices=MEMORY_FORMATS, default="auto")
    options = parser.parse_args()
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print goes to the log, not between the events
    requests, report = _requests(sys.stdin), Reporter(events)
    import_module("ablation.training.loop")  # and torch with it, while the parent is busy with something else
    while True:
        request = json.loads(requests.get())
        if "specs" in request:
            report(_try_out(request, options.cache))
            continue
        if "rate" in request:
            report(_rate(RunSpec.from_plain(request["rate"]), options))
            continue
        _print_to(request["log"])
        root = Path(request["root"])
        spec = json.loads((root / request["id"] / SPEC_FILE).read_text("utf-8"))
        shown = tuple(map(Condition.from_plain, request["conditions"]))
        _train(Run(root, RunSpec.from_plain(spec)), options, report, shown, request["always"])


def _print_to(log: str) -> None:
    """Print to this file from now on."""
    with open(log, "ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


def _try_out(request: dict[str, Any], cache: Path) -> dict[str, Any]:
    """The event with what is wrong with the networks of these specs: problems, and whether the data is to blame."""
    from ablation.training.dry_run import dry_run

    try:
        dry_run(map(RunSpec.from_plain, request["specs"]), request["classes"], cache)
    except AblationError as error:
        problems = [[problem.message, problem.where] for problem in error.problems]
        return {"event": "tried", "problems": problems, "data": isinstance(error, DataError)}
    return {"event": "tried", "problems": []}


def _rate(spec: RunSpec, options: argparse.Namespace) -> dict[str, Any]:
    """The event with how fast this process trains such a spec; with no images where it cannot."""
    import torch

    from ablation.models.networks import make_deterministic
    from ablation.training.rate import rate

    try:
        make_deterministic(device := torch.device(options.device))
        data = _data(options.cache, spec.data, spec.cache_size)
        execution = Execution(options.step, options.memory_format)
        return {"event": "rated", **rate(spec, data, device, options.cache, execution)._asdict()}
    except Exception:  # out of memory, as a rule
        traceback.print_exc()
        return {"event": "rated", **FAILED._asdict()}


class Reporter:
    """Sends events to the parent: of a run's epochs the first, and then at most one in `BETWEEN_EPOCHS`, as each takes
    some of the parent's time."""

    def __init__(self, events: IO[str]):
        self.events, self.sent = events, -math.inf

    def __call__(self, event: dict[str, Any]) -> None:
        now, epoch = time.monotonic(), event["event"] == "epoch"
        if not epoch or now - self.sent >= BETWEEN_EPOCHS:
            self.sent = now if epoch else -math.inf
            print(json.dumps(event), file=self.events)


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
    every, keep = options.checkpoint_every, options.keep_weights
    execution = Execution(options.step, options.memory_format)
    record, arrays = train(run, data, device, report, options.cache, keep, conditions, always, every, execution)
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
