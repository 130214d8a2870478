"""What a person sees while a sweep runs: one panel in a terminal, plain lines elsewhere and on a dumb one."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from statistics import fmean
from types import TracebackType
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from ablation.cli.panel import Best, State, Training, panel, time_left
from ablation.core.safe import one_line
from ablation.core.text import counted
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import Run, history_of
from ablation.training.worker import ENDINGS


@contextmanager
def counting(doing: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to be called with (done, all): in a terminal it shows a bar, from the first call to the end."""
    columns = (TextColumn("[dim]{task.description}[/]"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=console, transient=True, disable=not in_place(console))
    tasks: list[TaskID] = []

    def count(done: int, total: int) -> None:
        if not tasks:
            tasks.append(bar.add_task(doing, total=total))
            bar.start()
        bar.update(tasks[0], completed=done, total=total)

    try:
        yield count
    finally:
        bar.stop()


class _Begun(NamedTuple):
    """A run in training. until: when it is to be done, by the monotonic clock; None before its first epoch."""

    run: Run
    epoch: int = 0
    rate: float = 0.0
    until: float | None = None


class Progress:
    """Counts events (thread-safe) and shows them; use it as a context manager around a sweep.

    names: run id -> what people call the run. backlog: how many runs have ended that are not in MLflow yet. cells: of
    the experiment; with them the panel shows how the recipes stand.
    """

    def __init__(
        self,
        title: str,
        names: dict[str, str],
        console: Console,
        backlog: Callable[[], int] = lambda: 0,
        cells: Sequence[Cell] = (),
    ):
        self.title, self.names, self.console, self.backlog = title, names, console, backlog
        self.live: Live | None = None
        self.bars = ExitStack()
        self.count: Callable[[int, int], None] | None = None
        self._lock = threading.Lock()
        self.counts = dict.fromkeys(ENDINGS, 0)
        self.running: dict[str, _Begun] = {}
        self.cells: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            self.cells[cell.spec.id].append(cell)
        self._scores: dict[str, float] = {}  # by run: the validation accuracy at its end
        self._until: float | None = None
        self._begun: float | None = None
        self.total = self.before = self.epochs_done = self.epochs_planned = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.close()
        if self.live is not None:
            self.live.update(self._panel(), refresh=True)
            self.live.stop()

    def caching(self, done: int, total: int) -> None:
        """Show that the image cache is being built."""
        if self.count is None:
            self.count = self.bars.enter_context(counting("reading images into the cache", self.console))
        self.count(done, total)
        if done == total:
            self.bars.close()
            self.count = None
            self.console.print(Text(f"read {total:,} images into the cache", "dim"))

    def planned(self, missing: tuple[Run, ...], finished: int, workers: int) -> None:
        """Show that the sweep starts."""
        self.total, self.before = len(missing) + finished, finished
        self.epochs_planned = sum(run.spec.epochs for run in missing)
        if not missing:
            return
        if in_place(self.console):
            others = self.cells.keys() - {run.spec.id for run in missing}
            ended = [Run(missing[0].root, self.cells[key][0].spec) for key in others] if finished else []
            threading.Thread(target=self._read, args=(ended,), daemon=True).start()
            self.live = Live(get_renderable=self._panel, console=self.console, refresh_per_second=4)
            self.live.start()
            return
        where = counted(workers, "worker")
        of = f"{len(missing):,} of {counted(self.total, 'run')}"
        self.console.print(f"{of} to train, on {where}", highlight=False)

    def event(self, run: Run, event: dict[str, Any]) -> None:
        """Show that something happened to a run."""
        with self._lock:
            if self._begun is None:
                self._begun = time.monotonic()
            if event["event"] in ENDINGS:
                self._ended(run, event)
            elif event["event"] == "note":
                self.note(f"{self.names[run.spec.id]}: {event['message']}")
            elif event["event"] == "started":
                self.running.setdefault(run.spec.id, _Begun(run))
            elif event["event"] == "epoch":
                self._epoch(run, event)

    def note(self, message: str) -> None:
        """Show a line that matters to people, and ends nothing."""
        self.console.print(Text(one_line(message)))

    def _epoch(self, run: Run, event: dict[str, Any]) -> None:
        before = self.running.get(run.spec.id, _Begun(run))  # not every epoch is reported (`worker.Reporter`)
        epoch = event["epoch"]
        self.epochs_done += epoch - before.epoch
        seconds = event.get("seconds")
        until = None if seconds is None else time.monotonic() + (run.spec.epochs - epoch) * seconds
        self.running[run.spec.id] = _Begun(run, epoch, event["images_per_second"], until)
        self._estimate()

    def _ended(self, run: Run, event: dict[str, Any]) -> None:
        last = self.running.pop(run.spec.id, _Begun(run))
        self.epochs_done += run.spec.epochs - last.epoch
        self.counts[event["event"]] += 1
        self._estimate()
        line = f"{self.names[run.spec.id]}: {_outcome(event)}"
        if self.live is None:
            done = self.before + sum(self.counts.values())
            left = time_left(self.left()) if done < self.total else ""
            self.console.print(Text(one_line("; ".join(filter(None, (f"[{done}/{self.total}] {line}", left))))))
            return
        if event["event"] != "finished":
            self.live.console.print(Text(one_line(line)))
        self._read([run])

    def _estimate(self) -> None:
        """Say anew when all is done, from what the epochs so far took; between two such moments the time runs down."""
        if self.epochs_done and self._begun is not None:
            now = time.monotonic()
            share = (self.epochs_planned - self.epochs_done) / self.epochs_done
            self._until = now + (now - self._begun) * share

    def left(self) -> float | None:
        """Return the seconds that all runs still take, by an estimate; None before the first epoch has ended."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def _read(self, runs: Iterable[Run]) -> None:
        """Take note of the validation accuracy with which runs ended, as the journal has it."""
        for run in runs:
            with suppress(OSError, ValueError, LookupError, TypeError):
                if run.spec.id in self.cells and (run.folder / RECORD_FILE).exists():
                    self._scores[run.spec.id] = float(history_of(run)[-1]["val_accuracy"])

    def _best(self) -> list[Best]:
        """Of each recipe with runs that have ended: where its mean is highest."""
        arms: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
        scores = dict(self._scores)
        for key, cells in self.cells.items():
            for cell in cells:
                arm = arms[cell.factors["recipe"]][cell.condition]
                arm += [scores[key]] if key in scores else []
        best = []
        for recipe, conditions in arms.items():
            means = [(fmean(one), ", ".join(condition), len(one)) for condition, one in conditions.items() if one]
            if means:
                accuracy, condition, runs = max(means, key=lambda one: one[0])
                best.append(Best(recipe, accuracy, condition if len(conditions) > 1 else "", runs))
        return best

    def _panel(self) -> Any:
        now = time.monotonic()
        with self._lock:
            training = [
                Training(
                    self.names[key],
                    min(one.epoch + 1, one.run.spec.epochs),
                    one.run.spec.epochs,
                    one.rate,
                    None if one.until is None else max(0.0, one.until - now),
                )
                for key, one in self.running.items()
            ]
            wrong = {name: self.counts[name] for name in ("failed", "diverged", "busy")}
            done, share = self.before + self.counts["finished"], self.epochs_done / (self.epochs_planned or 1)
        state = State(self.title, done, self.total, wrong, training, self._best(), share, self.left(), self.backlog())
        return panel(state, self.console.width, self.console.height, self.console.encoding)


def in_place(console: Console) -> bool:
    """Return whether something can be shown again in its place: a dumb terminal has lines alone."""
    return console.is_terminal and not console.is_dumb_terminal


def _outcome(event: dict[str, Any]) -> str:
    if event["event"] == "finished":
        return f"accuracy {event['accuracy']:.3f}"
    return f"failed: {event['reason']}" if event["event"] == "failed" else event["event"]
