"""What a person sees while a sweep runs: one panel in a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablation.core.safe import one_line
from ablation.core.text import counted, duration
from ablation.experiment.runs import Run
from ablation.training.worker import ENDINGS


@contextmanager
def counting(doing: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to be called with (done, all): in a terminal it shows a bar, from the first call to the end."""
    columns = (TextColumn("[dim]{task.description}[/]"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
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


class Progress:
    """Counts events (thread-safe) and shows them; use it as a context manager around a sweep.

    names: run id -> what people call the run. backlog: how many runs have ended that are not in MLflow yet.
    """

    def __init__(self, title: str, names: dict[str, str], console: Console, backlog: Callable[[], int] = lambda: 0):
        self.title, self.names, self.console, self.backlog = title, names, console, backlog
        self.live: Live | None = None
        self.bars = ExitStack()
        self.count: Callable[[int, int], None] | None = None
        self._lock = threading.Lock()
        self.counts = dict.fromkeys(ENDINGS, 0)
        self.running: dict[str, dict[str, Any]] = {}
        self.rates: dict[str, float] = {}
        self.total = self.before = self.epochs_done = self.epochs_planned = self.workers = 0
        self.started = time.monotonic()

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
        self.total, self.before, self.workers = len(missing) + finished, finished, workers
        self.epochs_planned = sum(run.spec.epochs for run in missing)
        self.started = time.monotonic()
        if not missing:
            return
        if self.console.is_terminal:
            self.live = Live(get_renderable=self._panel, console=self.console, refresh_per_second=4)
            self.live.start()
            return
        where = counted(workers, "worker")
        of = f"{len(missing):,} of {counted(self.total, 'run')}"
        self.console.print(f"{of} to train, on {where}", highlight=False)

    def event(self, run: Run, event: dict[str, Any]) -> None:
        """Show that something happened to a run."""
        with self._lock:
            if event["event"] in ENDINGS:
                self._ended(run, event)
            elif event["event"] == "note":
                self.note(f"{self.names[run.spec.id]}: {event['message']}")
            elif event["event"] == "epoch":
                before = self.running.get(run.spec.id, {"epoch": 0})  # not every epoch is reported (`worker.Reporter`)
                self.epochs_done += event["epoch"] - before["epoch"]
                self.running[run.spec.id] = event
                self.rates[run.spec.id] = event["images_per_second"]

    def note(self, message: str) -> None:
        """Show a line that matters to people, and ends nothing."""
        self.console.print(Text(one_line(message)))

    def _ended(self, run: Run, event: dict[str, Any]) -> None:
        last = self.running.pop(run.spec.id, {"epoch": 0})
        self.rates.pop(run.spec.id, None)
        self.epochs_done += run.spec.epochs - last["epoch"]
        self.counts[event["event"]] += 1
        if self.live is None:
            done = self.before + sum(self.counts.values())
            self.console.print(Text(one_line(f"[{done}/{self.total}] {self.names[run.spec.id]}: {_outcome(event)}")))
        elif event["event"] != "finished":
            self.live.console.print(Text(one_line(f"{self.names[run.spec.id]}: {_outcome(event)}")))

    def time_left(self) -> str:
        """Return an estimate from the epochs so far, or '' before the first."""
        if not self.epochs_done:
            return ""
        share = (self.epochs_planned - self.epochs_done) / self.epochs_done
        return duration((time.monotonic() - self.started) * share)

    def _panel(self) -> RenderableType:
        with self._lock:
            grid = Table.grid(padding=(0, 2), expand=True)
            grid.add_column(ratio=1)
            grid.add_row(self._counts())
            grid.add_row(ProgressBar(total=self.epochs_planned or 1, completed=self.epochs_done))
            for run_id, event in list(self.running.items())[: 2 * max(1, self.workers)]:
                epoch = f" epoch {event['epoch']:>3}  val {event['val_accuracy']:.3f}"
                grid.add_row(Text.assemble((f"{one_line(self.names[run_id]):<40}", "dim"), epoch))
            return Panel(grid, title=self.title, title_align="left", border_style="dim")

    def _counts(self) -> Text:
        done = str(self.before + self.counts["finished"])
        parts = [Text.assemble((done, "bold green"), f" of {self.total} done"), Text(f"{len(self.running)} running")]
        wrong = [name for name in ("failed", "diverged", "busy") if self.counts[name]]
        parts += [Text(f"{self.counts[name]} {name}", "bold red") for name in wrong]
        if self.rates:
            parts.append(Text(f"{sum(self.rates.values()):,.0f} images/s"))
        left = self.time_left()
        if left and self.running:
            parts.append(Text(f"{left} left"))
        if behind := self.backlog():
            parts.append(Text(f"MLflow: {counted(behind, 'run')} behind", "yellow"))
        return Text("   ").join(parts)


def _outcome(event: dict[str, Any]) -> str:
    if event["event"] == "finished":
        return f"accuracy {event['accuracy']:.3f}"
    return f"failed: {event['reason']}" if event["event"] == "failed" else event["event"]
