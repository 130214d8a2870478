"""A worker: a child process that trains one run after another on one device, and may die without harm to others.

Both ends of the pipe are here. The parent writes a line of JSON for each run and reads a line for each event; the child
(`-m ablation.training.worker`) imports torch once and keeps the data. It ends when the parent is gone, however that
came about, with whatever it started (`ablation.core.processes`), so nothing is left running.

SIGTERM lets the child train until the end of the epoch, and leave a checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from filelock import Timeout

from ablation.core import own_modules, processes
from ablation.core.errors import AblationError, DataError, InputError, Problem
from ablation.core.files import remove_unfinished
from ablation.core.text import duration
from ablation.experiment.experiment import Experiment
from ablation.experiment.record import ARRAYS_FILE, RECORD_FILE, RunRecord, write_record
from ablation.experiment.robustness import Condition, conditions_of
from ablation.experiment.runs import SPEC_FILE, Run
from ablation.experiment.spec import RunSpec
from ablation.training.causes import TERMINATED, Cause, Failure, failure_at_end, failure_of, oom_kills
from ablation.training.execution import AS_USUAL, MEMORY_FORMATS, STEPS, Execution
from ablation.training.log import shorten
from ablation.training.sharing import FAILED, Rate
from ablation.training.stacks import dump, enable, own_line_in

LOCK_SECONDS = 2.0
"""How long to wait for a run's lock: whoever reads its status holds it for an instant."""

START_SECONDS = 600.0
"""A child has so long to import torch and begin its first run, or to try out a network; it is ended then."""

NOT_BEGUN = "the worker had not begun after {}"

MOST_READ = 1_000_000
"""Bytes at the end of a log in which the stacks of a child are looked for."""

END_SECONDS = 2.0
"""A child that has closed its pipe has so long to end, and to leave its own exit status."""

BETWEEN_EPOCHS = 0.2
"""Seconds: epochs that end sooner after one another are not all sent to the parent. The journal has them all."""

KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Tells glibc to keep what tensors have freed for the next step: else the kernel hands out, and clears, its pages anew.
A step of ResNet-50 on a CPU takes 6 % less time so."""

ENDINGS = ("finished", "diverged", "failed", "busy", "interrupted")
"""The last event of a run; "busy" when another process is training it, "interrupted" when the worker was told to end.

A failure has its reason, in a line, and its cause (`causes.Cause`).
"""

Report = Callable[[dict[str, Any]], None]


class WorkerDied(Exception):
    """The child process ended in the middle of a run. cause: what sort of end that was."""

    def __init__(self, reason: str, cause: Cause = "killed"):
        super().__init__(reason)
        self.cause = cause


class Worker:
    """The parent's end: a child process on `device`, started at the first run or before. What it prints goes to `log`;
    it works in `folder`, by default where its parent does. A run that takes longer than `timeout` seconds is ended, and
    the child with it.

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
        timeout: float | None = None,
    ):
        self.device, self.cache, self.log, self.execution, self.folder = device, cache, log, execution, folder
        self.keep_weights, self.checkpoint_every, self.timeout = keep_weights, checkpoint_every, timeout
        self.process: subprocess.Popen[str] | None = None
        self.printed: IO[bytes] | None = None
        self._stopped, self._lock, self._begun = False, threading.Lock(), 0

    def start(self) -> None:
        """Start the child, unless it runs: it imports torch while the parent does something else."""
        self._alive()

    def try_out(self, specs: Sequence[RunSpec], classes: int) -> None:
        """Have the child do the dry run of these. Raises what is wrong with them, and WorkerDied."""
        event = self._answer({"specs": [spec.to_plain() for spec in specs], "classes": classes})
        if refused := [Problem(*problem) for problem in event["problems"]]:
            raise (DataError if event["data"] else InputError)(refused)

    def rate(self, spec: RunSpec) -> Rate:
        """Have the child train this spec for some seconds, and leave nothing; no images where it cannot, or dies."""
        try:
            event = self._answer({"rate": spec.to_plain()})
        except WorkerDied:
            return FAILED
        return Rate(**{name: value for name, value in event.items() if name != "event"})

    def train(self, run: Run, experiment: Experiment | None = None) -> Iterator[dict[str, Any]]:
        """Train one run; yields its events, the last one of `ENDINGS`. Raises WorkerDied.

        experiment: says under which test conditions the network is tested as well; None: under none.
        """
        yield from self.carry_out(request_of(run, experiment))

    def carry_out(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Train the run of such a request (`request_of`), as `train` does."""
        process = self._alive()
        log = self._begin_in_log(f"run {request['id']} of {Path(request['root']).name}")
        see = "" if self.folder else str(log)  # a cluster's machine brings home what was printed
        with Alarm(process, lambda: dump(process, log)) as alarm:
            alarm.set(START_SECONDS, NOT_BEGUN)
            for event in self._answers({**request, "log": str(log.absolute()), "see": see}, alarm):
                if event["event"] == "started":
                    alarm.set(self.timeout, "no end after {} (--timeout)")
                elif event.get("cause") == "memory" or event["event"] == "interrupted":
                    self._bury(process)  # a new one has all the memory that there is
                yield event
                if event["event"] in ENDINGS:
                    return

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send the child a request that has one event for an answer. Raises WorkerDied, as where it takes too long."""
        with Alarm(self._alive()) as alarm:
            alarm.set(START_SECONDS, NOT_BEGUN)
            return next(self._answers(request, alarm))

    def _answers(self, request: dict[str, Any], alarm: Alarm | None = None) -> Iterator[dict[str, Any]]:
        """Send the child a request and yield its events, as long as somebody takes them. Raises WorkerDied."""
        process, killed, babble = self._alive(), oom_kills(), ""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if not _is_event(event := _read(line)):
                    babble = line
                    break
                yield event
        except (BrokenPipeError, ValueError):
            pass  # the pipe broke, or `stop` closed it under us
        peak = None if babble else processes.await_exit(process, END_SECONDS)
        lives = process.returncode is None
        status = self._bury(process)
        if alarm is not None and alarm.rang:
            failure = Failure("timeout", alarm.reason)
        elif babble:
            failure = Failure("pipe", f"the worker sent what is no event ({babble.strip()[:60]!r}), and was ended")
        elif lives:
            failure = Failure("pipe", "the worker closed its pipe and did not end, so that it was ended")
        else:
            failure = failure_at_end(status, peak, out_of_memory=(oom_kills() or 0) > (killed or 0))
        raise WorkerDied(f"{failure.reason}{self._last_words(failure.cause)}", failure.cause)

    def _begin_in_log(self, title: str) -> Path:
        """The log, with what the child has printed so far, before its first run, and a line where this one begins."""
        if self.printed is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                log.write(self._printed())
        with suppress(OSError), self.log.open("ab") as log:  # on a full disk the run itself says so
            log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S %Z')}: {title} on {self.device}\n".encode())
            log.flush()
            self._begun = log.tell()
        return self.log

    def _in_log(self) -> str:
        """The end of what the log has of the last run."""
        with suppress(OSError), self.log.open("rb") as log:
            size = self.log.stat().st_size
            begun = self._begun if self._begun <= size else 0  # it was shortened
            log.seek(max(begun, size - MOST_READ))
            return log.read().decode("utf-8", "replace")
        return ""

    def _printed(self) -> bytes:
        """What the child has printed before its first run; this can be read once."""
        printed, self.printed = self.printed, None
        if printed is None:
            return b""
        with printed:
            printed.seek(0)
            return printed.read()

    def _last_words(self, cause: Cause) -> str:
        """Where it stood, and where what the child printed can be read: of one that had no run yet, the last line.

        Nothing where it has printed nothing in this run.
        """
        if self.printed is not None:
            lines = self._printed().decode("utf-8", "replace").splitlines()
            return f"; {next(filter(str.strip, reversed(lines)), 'it printed nothing')}"
        text = self._in_log()
        line = own_line_in(text) if cause in ("timeout", "crash") else ""
        return (f", at {line}" if line else "") + (f"; see {self.log}" if text.strip() else "")

    def _alive(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise WorkerDied("the worker was stopped")
            if self.process is None or self.process.poll() is not None:
                self.process = self._child()
            return self.process

    def _child(self) -> subprocess.Popen[str]:
        arguments = ["--device", self.device, "--cache", str(self.cache)]
        arguments += ["--keep-weights"] if self.keep_weights else []
        arguments += ["--checkpoint-every", str(self.checkpoint_every)] if self.checkpoint_every else []
        arguments += ["--step", self.execution.step, "--memory-format", self.execution.memory_format]
        self._printed()
        self.printed = tempfile.TemporaryFile()  # noqa: SIM115  (the child prints into it)
        return processes.start(
            "ablation.training.worker",
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.printed,
            text=True,
            cwd=self.folder,
            env=_environment(self.device) | _compiling(self.execution, self.cache),
        )

    def stop(self, grace: float = 0.0) -> None:
        """End the child and what it started, and start no other: at once, or by SIGTERM and after `grace` seconds.

        A run in training loses what it did since its last checkpoint (`checkpoint.Pace`).
        """
        with self._lock:
            self._stopped = True
            process = self.process
        if process is not None:
            if grace:
                process.terminate()  # and not its group: what a recipe has started is needed to the epoch's end
                processes.await_exit(process, grace)
            self._bury(process)
        self._printed()

    def _bury(self, process: subprocess.Popen[str]) -> int:
        """End the child and what it started, and close our side of the pipes; its exit status."""
        status = processes.end(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.process = None
        return status


class Alarm:
    """Ends a child when its time is over. `rang`: that was so. It is set anew as often as one likes."""

    def __init__(self, process: subprocess.Popen[str], before: Callable[[], None] = lambda: None):
        self.process, self.before, self.rang, self.reason = process, before, False, ""
        self._timer: threading.Timer | None = None

    def set(self, seconds: float | None, reason: str = "") -> None:
        """Let it go off after so many seconds from now, in place of what was set before; None: never.

        reason: what is said then, with {} for how long that is.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self.reason, self._timer = reason.format(duration(seconds)), threading.Timer(seconds, self._ring)
            self._timer.daemon = True
            self._timer.start()

    def _ring(self) -> None:
        self.rang = True
        self.before()
        processes.end(self.process)

    def __enter__(self) -> Alarm:
        return self

    def __exit__(self, *error: object) -> None:
        self.set(None)


def _read(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_event(form: Any) -> bool:
    return isinstance(form, dict) and isinstance(form.get("event"), str)


def request_of(run: Run, experiment: Experiment | None) -> dict[str, Any]:
    """What the child is sent: which run, and what it looks at once the network is trained."""
    shown = conditions_of(experiment, run.spec.image_size) if experiment else ()
    return {
        "root": str(run.root),
        "id": run.spec.id,
        "spec": run.spec.to_plain(),
        "conditions": [condition.to_plain() for condition in shown],
        "always": bool(experiment and (experiment.robustness or experiment.corrupt)),
    }


def _environment(device: str) -> dict[str, str]:
    """One thread a worker on a CPU; on CUDA the workspace that deterministic cuBLAS asks for."""
    settings = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONUNBUFFERED": "1"}
    if device == "cpu":
        settings |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**KEEPS_MEMORY, **os.environ, **own_modules.environment(), **settings}


def _compiling(execution: Execution, cache: Path) -> dict[str, str]:
    """What torch.compile makes is kept for later sweeps, and what it chooses by measuring does not change sums."""
    if execution.step != "compile":
        return {}
    return {"TORCHINDUCTOR_CACHE_DIR": str((cache / "compiled").absolute()), "TORCHINDUCTOR_DETERMINISTIC": "1"}


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
    termination = Termination()
    signal.signal(signal.SIGTERM, termination.request)
    events = os.fdopen(os.dup(1), "w", buffering=1)
    enable()
    os.dup2(2, 1)  # whatever libraries print goes to the log, not between the events
    _set_forks_apart(events)
    own_modules.stay_importable()
    requests, report = _requests(sys.stdin), Reporter(events)
    compiles, printed = options.step == "compile", deque[Path](maxlen=1)
    threading.Thread(target=_keep_short, args=(printed,), daemon=True).start()
    import_module("ablation.training.loop")  # and torch with it, while the parent is busy with something else
    while True:
        request = json.loads(requests.get())
        if "specs" in request:
            report(_try_out(request, options))
            continue
        if "rate" in request:
            report(_rate(RunSpec.from_plain(request["rate"]), options))
            continue
        _print_to(request["log"])
        printed.append(Path(request["log"]))
        run = Run(Path(request["root"]), RunSpec.from_plain(request["spec"]))
        shown = tuple(map(Condition.from_plain, request["conditions"]))
        if compiles:
            report({"event": "note", "message": "torch compiles the network's step first, which may take minutes"})
            compiles = False
        with termination.at_the_end_of_an_epoch() as ending:
            _train(run, options, report, shown, request["always"], ending, request["see"])
            shorten(Path(request["log"]))


def _set_forks_apart(events: IO[str]) -> None:
    """What a recipe forks holds no pipe whose end the parent waits for; SIGTERM ends it, as `multiprocessing` expects.

    A signal that comes before the child is that far waits until it is: the worker's own handler would swallow it.
    """

    def in_child() -> None:
        os.dup2(2, events.fileno())
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        mask(signal.SIG_UNBLOCK)

    def mask(how: int) -> None:
        signal.pthread_sigmask(how, [signal.SIGTERM])

    os.register_at_fork(
        before=lambda: mask(signal.SIG_BLOCK),
        after_in_parent=lambda: mask(signal.SIG_UNBLOCK),
        after_in_child=in_child,
    )


class Termination:
    """SIGTERM in the child: it ends at once, or where it trains, when the training next asks whether it should."""

    def __init__(self) -> None:
        self.requested = self.training = False

    def request(self, number: int, frame: object) -> None:
        """Handle the signal."""
        self.requested = True
        if not self.training:
            os._exit(TERMINATED)

    @contextmanager
    def at_the_end_of_an_epoch(self) -> Iterator[Callable[[], bool]]:
        """Yield a function that says whether a training in the block should end; the process ends behind it."""
        self.training = True
        yield lambda: self.requested
        self.training = False
        if self.requested:
            os._exit(TERMINATED)


def _keep_short(printed: Sequence[Path]) -> None:
    """Look once a second at the log that is printed to, the last one of these, and shorten it."""
    while True:
        time.sleep(1.0)
        for log in list(printed):
            shorten(log)


def _print_to(log: str) -> None:
    """Print to this file from now on."""
    with open(log, "ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


def _try_out(request: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The event with what is wrong with the networks of these specs: problems, and whether the data is to blame."""
    from ablation.training.dry_run import dry_run

    try:
        execution = Execution(options.step, options.memory_format)
        dry_run(map(RunSpec.from_plain, request["specs"]), request["classes"], options.cache, execution)
    except AblationError as error:
        problems = [[problem.message, problem.where] for problem in error.problems]
        return {"event": "tried", "problems": problems, "data": isinstance(error, DataError)}
    except SystemExit as error:  # of a network that cannot go on, in the opinion of who wrote it
        reason = failure_of(error, "cpu", options.cache).reason
        return {"event": "tried", "problems": [[reason, ""]], "data": False}
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
    ending: Callable[[], bool] = lambda: False,
    see: str = "",
) -> None:
    """Train one run under its lock, and report how it ended. A failure is an event in its journal, not our end.

    see: the log, as a failure refers people to it.
    """
    try:
        with run.lock().acquire(timeout=LOCK_SECONDS):
            ended = _outcome(run, options, report, conditions, always, ending, see)
    except Timeout:
        ended = {"event": "busy"}
    except OSError as error:  # no lock: a full disk, or a folder that may not be written, or that has its name
        failure = failure_of(error, options.device, run.folder)
        if isinstance(error, IsADirectoryError):
            file = run.folder / Path(error.filename).name
            failure = Failure("error", f"{file} is a folder, and must be a file: remove it")
        ended = {"event": "failed", **failure._asdict()}
        with suppress(OSError):  # `status` says so, too
            run.journal.append("failed", **failure._asdict())
    report(ended)


def _outcome(
    run: Run,
    options: argparse.Namespace,
    report: Report,
    conditions: Sequence[Condition],
    always: bool,
    ending: Callable[[], bool],
    see: str = "",
) -> dict[str, Any]:
    """The event with which the run ends; it is in its journal before anybody else can take the run up."""
    from ablation.training.loop import Interrupted

    try:
        record = run.record() or _measure(run, options, report, conditions, always, ending)
        return {"event": record.outcome, **record.metrics}
    except Interrupted:
        return run.journal.append("interrupted")
    except BaseException as error:  # whatever a run can raise, GeneratorExit too; the sweep goes on
        with suppress(OSError):  # the log may be on the disk that is full
            traceback.print_exc()
        if ending():  # SIGTERM reached what the run had started, too
            return run.journal.append("interrupted")
        failure = failure_of(error, options.device, run.folder)._asdict()
        if see and failure["cause"] == "error":
            failure["reason"] += f"; see {see}"
        if written := _end_behind_record(run, failure["reason"], report):
            return {"event": written.outcome, **written.metrics}
        with suppress(OSError):  # a full disk, say: then the parent alone hears of it
            run.journal.append("failed", **failure, traceback=traceback.format_exc())
        return {"event": "failed", **failure}


def _end_behind_record(run: Run, reason: str, report: Report) -> RunRecord | None:
    """The record of a run that has one, whatever failed behind it: this run has not failed. None where it has none."""
    with suppress(OSError, DataError):
        if record := run.record():
            report({"event": "note", "message": f"{reason}; the run had its record by then"})
            for path in run.checkpoints:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            with suppress(OSError):
                run.journal.append(record.outcome)
            return record
    return None


def _measure(
    run: Run,
    options: argparse.Namespace,
    report: Report,
    conditions: Sequence[Condition],
    always: bool,
    ending: Callable[[], bool],
) -> RunRecord:
    """Train the run and write its record. What its folder says that it is becomes what was asked for."""
    import torch

    from ablation.models.networks import make_deterministic
    from ablation.training.loop import train

    device = torch.device(options.device)
    make_deterministic(device)
    for file in (run.checkpoint, run.weights, *(run.folder / name for name in (SPEC_FILE, ARRAYS_FILE, RECORD_FILE))):
        remove_unfinished(file)
    run.prepare()
    where = {"host": platform.node(), "process": os.getpid(), "command": os.getppid()}
    report(run.journal.append("started", device=options.device, **where))
    data = _data(options.cache, run.spec.data, run.spec.cache_size)
    every, keep = options.checkpoint_every, options.keep_weights
    execution = Execution(options.step, options.memory_format)
    record, arrays = train(run, data, device, report, options.cache, keep, conditions, always, every, execution, ending)
    run.prepare()
    write_record(run.folder, record, arrays)
    run.journal.append(record.outcome)
    run.remove_checkpoints()
    return record


@lru_cache(maxsize=4)
def _data(cache: Path, digest: str, size: int) -> Any:
    from ablation.data import load

    return load(cache, digest, size)


if __name__ == "__main__":
    main()
