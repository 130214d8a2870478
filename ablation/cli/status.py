"""`ablation status`: how the runs stand, why runs failed or are not used, and which operations changed no picture."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ablation.cli.console import console, say, say_json, say_line, show_left_out, table, warn
from ablation.cli.context import ONLY, ExperimentOptions, on_experiment
from ablation.core.errors import AblationError
from ablation.core.text import NONE, counted, duration
from ablation.evidence.warnings import HOW_TO_MEND, lost_lines
from ablation.experiment.experiment import Cell
from ablation.experiment.labels import names_of
from ablation.experiment.preregistration import preregistered
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.results import NO_SCORE, Results
from ablation.experiment.runs import runs_of
from ablation.experiment.standing import Standing, seconds_left, standings
from ablation.report.text import images_changed, pixels_changed

STATUS_STYLE = {
    "finished": "green",
    "altered": "bold red",
    "failed": "bold red",
    "diverged": "red",
    "running": "cyan",
    "interrupted": "yellow",
}
"""How a run can stand -> its style; every other status is dim."""

EVERY = 2.0
"""Seconds from one look at the runs to the next."""

INTERRUPTED = 10
"""So many interrupted runs are shown each by itself."""


@dataclass(frozen=True)
class Snapshot:
    """How the runs of an experiment stand at one moment."""

    results: Results
    now: float

    @cached_property
    def names(self) -> dict[str, str]:
        return names_of(self.results.cells)

    @cached_property
    def runs(self) -> list[Standing]:
        return standings(runs_of(self.results.cells, self.results.root), self.results.frame, self.now)

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(one.status for one in self.runs)

    @property
    def done(self) -> int:
        return self.counts["finished"] + self.counts["diverged"]

    @property
    def seconds_left(self) -> float | None:
        took = self.results.frame.drop_duplicates("id").get("seconds")
        return seconds_left(self.runs, [] if took is None else took.dropna().tolist())

    def line(self) -> str:
        """Return the answer: '62 of 80 runs done, 2 running, 16 planned; about 4 min left'."""
        others = [f"{number:,} {status}" for status, number in self._others()]
        left = self.seconds_left
        about = f"; about {duration(left)} left" if left is not None else ""
        return ", ".join([f"{self.done:,} of {counted(len(self.runs), 'run')} done", *others]) + about

    def _others(self) -> list[tuple[str, int]]:
        order = list(STATUS_STYLE)
        others = [(status, number) for status, number in self.counts.items() if status != "finished"]
        return sorted(others, key=lambda one: (order.index(one[0]) if one[0] in order else len(order), one[0]))

    def to_plain(self, again: str) -> dict[str, object]:
        """Return it as what JSON can hold. again: the command that trains what is missing."""
        factors = {cell.spec.id: {**cell.factors, "seed": cell.seed} for cell in self.results.cells}
        return {
            "experiment": self.results.experiment.name,
            "folder": str(self.results.root),
            "time": round(self.now, 3),
            "total": len(self.runs),
            "done": self.done,
            "counts": dict(self.counts),
            "seconds_left": self.seconds_left,
            "train_the_rest": again,
            "runs": [{"name": self.names[one.id], "factors": factors[one.id], **one.to_plain()} for one in self.runs],
        }


@click.command()
@click.option("--watch", is_flag=True, help="Show it anew every other second, until all runs are done or Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, a row a run, for a program.")
@ONLY
@on_experiment
def status(options: ExperimentOptions, watch: bool, as_json: bool) -> None:
    """Show how the runs stand: finished, diverged, altered, running, failed, interrupted, planned.

    Of running ones the epoch, the time left and since when nothing was written; of failed ones the cause.

    \b
    Example:
      ablation status quickstart
      ablation status quickstart --watch
    """
    if watch:
        _watch(options, as_json)
    elif as_json:
        _print_json(options)
    else:
        _show(options)


def _snapshot(options: ExperimentOptions) -> Snapshot:
    results = options.results()
    if options.cells:
        chosen = set(map(id, options.chosen(results.cells)))
        rows = [id(cell) in chosen for cell in results.cells]
        cells = tuple(cell for cell in results.cells if id(cell) in chosen)
        results = replace(results, cells=cells, frame=results.frame[rows])
    return Snapshot(results, time.time())


def _print_json(options: ExperimentOptions) -> None:
    plain = _snapshot(options).to_plain(options.command("run", only=True))
    say_json(plain)


def _show(options: ExperimentOptions) -> None:
    at = _snapshot(options)
    say(at.line(), "bold")
    say_line(f"in {at.results.root}")
    console.print(_counts(at.results))
    if begun := _begun(at.runs):
        console.print(_how_far(begun, at.names))
    _show_changes(at.results)
    for one in at.runs:
        if one.status in ("altered", "failed", "diverged"):
            say_line(Text.assemble((one.id, "red"), f"  {at.names[one.id]}: {_reason(one, at.results)}"))
    show_left_out(at.results.left_out)
    if altered := at.counts["altered"]:
        say(f"{counted(altered, 'run')} altered after training, in no mean and no test. {HOW_TO_MEND}.", "bold red")
    for warning in lost_lines(at.results):
        warn(warning)
    if not at.done and not altered:
        for text in others_here(options, at.results, "status"):
            say_line(text)
    if at.done + altered < len(at.runs) and not at.counts["running"]:
        say_line(Text.assemble("to train the rest: ", (options.command("run", only=True), "bold")))


def next_step(options: ExperimentOptions, results: Results) -> str:
    """The command line that comes next: train what is missing, look at what failed or is being trained; else report."""
    statuses = set(results.frame["status"]) - {"finished", "diverged", "altered", NO_SCORE}
    if statuses & {"failed", "running"}:
        return options.command("status")
    return options.command("run" if statuses else "report")


def others_here(options: ExperimentOptions, results: Results, verb: str) -> list[str]:
    """Which finished runs lie in the experiment's folder and are none of it, a line each with the command for them.

    Variants by what was set (`--set`), as it was declared; of the others there is no more to say than how many. verb:
    of the command that is named.
    """
    known = set(results.frame["id"])
    here = {record.parent.name for record in results.root.glob(f"*/{RECORD_FILE}")} - known
    lines = []
    for sets, ids in _variants(options, results) if here else ():
        if here & ids:
            runs, command = counted(len(here & ids), "run"), replace(options, sets=sets, cells=()).command(verb)
            lines.append(f"{runs} under other settings {'lies' if len(here & ids) == 1 else 'lie'} here: {command}")
            here -= ids
    if here:
        lie = "lies" if len(here) == 1 else "lie"
        lines.append(f"{counted(len(here), 'run')} {lie} here of other settings or data than the file has now")
    return lines


def _variants(options: ExperimentOptions, results: Results) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """What was set in each variant that was declared, and the ids of its runs; and the file as it is, for a variant."""
    with suppress(AblationError):  # of declarations: what cannot be read is said by whatever judges by them
        declared = [entry.overrides for entry in preregistered(results.root) if entry.overrides]
        for sets in dict.fromkeys([*([()] if options.sets else []), *reversed(declared)]):
            with suppress(AblationError):  # the file may not take them any more
                experiment = replace(options, sets=sets).experiment()
                yield sets, {cell.spec.id for cell in experiment.cells(results.cells[0].spec.data)}


def _reason(one: Standing, results: Results) -> str:
    if one.status != "diverged":
        return one.reason
    step = results.records[one.id].evidence.get("diverged_step")
    return "diverged" if step is None else f"diverged at step {step:,}"


def _watch(options: ExperimentOptions, as_json: bool) -> None:
    """Show it again and again: in a terminal in place, elsewhere a line whenever it is another."""
    if as_json or not console.is_terminal:
        _watch_lines(options, as_json)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            at = _snapshot(options)
            live.update(_panel(at), refresh=True)
            if at.done + at.counts["altered"] == len(at.runs):
                return
            time.sleep(EVERY)


def _watch_lines(options: ExperimentOptions, as_json: bool) -> None:
    before = ""
    while True:
        at = _snapshot(options)
        if at.line() != before:
            before = at.line()
            _print_json(options) if as_json else say_line(before)
        if at.done + at.counts["altered"] == len(at.runs):
            return
        time.sleep(EVERY)


def _panel(at: Snapshot) -> RenderableType:
    parts: list[RenderableType] = [Text(at.line(), "bold"), Text(time.strftime("%H:%M:%S"), "dim"), _counts(at.results)]
    if begun := _begun(at.runs):
        parts.append(_how_far(begun, at.names))
    failed = [one for one in at.runs if one.status == "failed"]
    parts += [Text(f"{at.names[one.id]}: {one.reason}", "red") for one in failed[-5:]]
    return Group(*parts)


def _begun(runs: Sequence[Standing]) -> list[Standing]:
    """Those that are being trained, then some of those that were interrupted."""
    running = [one for one in runs if one.status == "running"]
    return running + [one for one in runs if one.status == "interrupted"][:INTERRUPTED]


def _how_far(begun: Sequence[Standing], names: Mapping[str, str]) -> Table:
    made = table("begun", "epoch", "left", "by", right=("epoch", "left"))
    for one in begun:
        left = duration(one.seconds_left) if one.seconds_left is not None else "?"
        by = Text(" ".join(filter(None, (one.host, one.device))))
        silent = duration(one.silent_seconds) if one.silent_seconds is not None else ""
        if one.status == "interrupted":
            left, by = NONE, Text(f"interrupted {silent} ago", STATUS_STYLE[one.status])
        elif one.is_silent:
            by.append(f" nothing for {silent}", "bold red")
        made.add_row(names[one.id], f"{one.epoch}/{one.epochs}", left, by)
    return made


def show_grid(cells: Sequence[Cell], statuses: Mapping[str, str]) -> None:
    """Print every cell with its id and status. statuses: by the run's id."""
    made = table("run", "recipe", *[factor for factor in cells[0].factors if factor != "recipe"], "seed", "status")
    for cell in cells:
        made.add_row(cell.spec.id, *cell.factors.values(), str(cell.seed), _styled(statuses[cell.spec.id]))
    console.print(made)


def _counts(results: Results) -> Table:
    counts = Counter(zip(results.frame["recipe"], results.frame["status"], strict=True))
    statuses = [status for status in (*STATUS_STYLE, "planned") if any(status == other for _, other in counts)]
    made = table("recipe", *statuses)
    for column in made.columns[1:]:
        column.justify = "right"
    for recipe in dict.fromkeys(results.frame["recipe"]):
        made.add_row(recipe, *(_styled(status, str(counts[recipe, status] or "·")) for status in statuses))
    return made


def _styled(status: str, text: str = "") -> Text:
    return Text(text or status, STATUS_STYLE.get(status, "dim"))


def _show_changes(results: Results) -> None:
    """What each operation did to the pictures of the first epoch, over the runs that have ended; flagged where
    nothing."""
    changes = results.changes()
    if changes.empty:
        return
    made = table("recipe", "operation", "images changed", "mean change")
    made.columns[2].justify = made.columns[3].justify = "right"
    last = ""
    for row in changes.to_dict("records"):
        idle = ("  changed nothing", "bold red") if row["idle"] else ""
        share, change = images_changed(row["share_changed"]), pixels_changed(row["mean_change"])
        made.add_row(
            row["recipe"] if row["recipe"] != last else "", Text.assemble(row["operation"], idle), share, change
        )
        last = row["recipe"]
    say("what each operation changes (first epoch, mean over runs): share of images, mean change of a pixel")
    console.print(made)
