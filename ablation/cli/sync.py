"""`ablation sync`: what is not in MLflow yet, and what was changed there; and the wait for it at the end of a run."""

from __future__ import annotations

import os
import shlex
from collections import Counter

import click

from ablation.cli.console import console, say_line, warn
from ablation.cli.context import DRY_RUN, ONLY, TRACKING_URI, ExperimentOptions, on_experiments_with_runs
from ablation.cli.progress import counting
from ablation.core.errors import InputError, Problem, TryAgainError
from ablation.core.text import counted
from ablation.tracking.background import Background
from ablation.tracking.client import Tracker
from ablation.tracking.store import without_password

_SHOWN = 10
"""Runs that were repaired that are named, at most."""


@click.command()
@TRACKING_URI
@ONLY
@DRY_RUN
@on_experiments_with_runs
def sync(options: tuple[ExperimentOptions, ...], tracking_uri: str | None, dry_run: bool) -> None:
    """Publish to MLflow what is not there yet, and repair what was changed there.

    Without EXPERIMENT: every experiment in experiments/ that has runs. What MLflow shows of each run (metrics, params,
    tags) is compared with the runs folder; nothing is trained.

    \b
    Example:
      ablation sync quickstart
      ablation sync
    """
    if not options:
        raise InputError("the folder of runs holds none of an experiment in experiments/: name the experiment")
    problems: list[Problem] = []
    for one in dict.fromkeys(options):  # two files may have an experiment of one name
        try:
            with one.writing(dry_run) as scratch:
                _sync(scratch, tracking_uri, dry_run)
        except TryAgainError as error:
            problems += error.problems
    if problems:
        raise TryAgainError(problems)


def _sync(options: ExperimentOptions, tracking_uri: str | None, dry_run: bool) -> None:
    experiment = options.experiment()
    data = options.listing(experiment)
    warnings: list[str] = []
    cells = experiment.cells(data.digest)
    tracker = Tracker(experiment, cells, options.runs, tracking_uri, warnings.append)
    tracker.chosen = frozenset(cell.spec.id for cell in options.chosen(cells))
    if dry_run:
        say_line(f"{experiment.name}: {_would(tracker.would_sync(), str(tracker.store))}")
        return
    with counting(f"comparing {experiment.name} with MLflow", console) as progress:
        counts = tracker.sync(progress)
    if tracker.off:
        raise TryAgainError("; ".join(warnings) or f"MLflow at {tracker.store} does not take the runs")
    for message in warnings:
        warn(message)
    say_line(f"{experiment.name}: {_words(counts, str(tracker.store))}")
    for repaired in tracker.repaired[:_SHOWN]:
        say_line(f"  repaired {repaired}")
    if more := tracker.repaired[_SHOWN:]:
        say_line(f"  and {len(more)} more")


def _would(counts: Counter[str], store: str) -> str:
    if not counts.total():
        return "no run has ended yet: nothing to publish"
    parts = [f"{counts['new']:,} to publish"] if counts["new"] else []
    parts += [f"{counts['known']:,} to compare with what was published"] if counts["known"] else []
    if counts["either"]:
        parts.append("to publish those that are not there, and to compare the others")
    return f"would look at {counted(counts.total(), 'run')} in MLflow at {store}: {', '.join(parts)}"


def _words(counts: Counter[str], store: str) -> str:
    total = counts.total()
    if not total:
        return "no run has ended yet: nothing to publish"
    parts = [f"{counts[what]} {what}" for what in ("published", "repaired") if counts[what]]
    kept = counts["as it was"]
    if not parts:
        return f"{counted(total, 'run')} in MLflow at {store}: all as they were"
    return f"{counted(total, 'run')} in MLflow at {store}: {', '.join([*parts, f'{kept} as they were'])}"


def await_published(tracker: Background, options: ExperimentOptions, tracking_uri: str | None) -> None:
    """Wait until everything is in MLflow, and say for what; on Ctrl-C the rest is left to `ablation sync`.

    tracking_uri: as it was given to the command, which `sync` needs as well unless it is in the environment.
    """
    sync = options.command("sync")
    if tracking_uri is not None and tracking_uri != os.environ.get("MLFLOW_TRACKING_URI"):
        sync += f" --tracking-uri {shlex.quote(without_password(tracking_uri))}"
    line = console.status("") if console.is_terminal else None
    printed: list[int] = []

    def wait(left: int) -> None:
        what = f"{counted(left, 'run')} to publish" if left else "an answer"
        after = f"All results are saved: Ctrl-C ends the wait, and `{sync}` publishes the rest"
        text = f"waiting for MLflow at {tracker.tracker.store}: {what}. {after}"
        if line is not None:  # one short line, as it is written again and again
            line.start()
            line.update(f"MLflow: {what if left else 'waiting for an answer'}; Ctrl-C ends the wait")
        elif not printed:
            printed.append(left)
            say_line(text)

    try:
        tracker.finish(f"`{sync}`", wait, warn)
    finally:
        if line is not None:
            line.stop()
