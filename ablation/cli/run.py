"""`ablation run`: train what is missing, publish it to MLflow, print what it means."""

from __future__ import annotations

import re
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import click

from ablation.cli.console import console, warn
from ablation.cli.context import DRY_RUN, ONLY, TRACKING_URI, ExperimentOptions, on_experiment
from ablation.cli.dry_run import show_what_would_run
from ablation.cli.progress import Progress
from ablation.cli.sync import await_published
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import names_of
from ablation.experiment.runs import Run, folder_of, held_of, runs_of
from ablation.tracking.background import Background
from ablation.tracking.client import Tracker
from ablation.training.crew import Training
from ablation.training.execution import MEMORY_FORMATS, STEPS, Execution, MemoryFormat, Step
from ablation.training.policy import Policy
from ablation.training.sweep import crew_for, train_missing
from ablation.training.watch import Following

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
"""Of a time that is typed, each with its seconds, in the order in which they are written."""


class Seconds(click.ParamType[Any]):
    """A time: '90' or '90s', '30m', '2h', '1h30m'; in seconds. positive: it must be above 0."""

    name = "TIME"

    def __init__(self, positive: bool = False):
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value).strip()
        number = r"\d+(?:\.\d+)?"
        parts = r"\s*".join(rf"(?:({number})\s*{unit})?" for unit in UNITS)
        read = re.fullmatch(parts, f"{text}s" if re.fullmatch(number, text) else text)
        if not text or read is None:
            self.fail(f"{value!r} is no time: give it as 90s, 30m, 2h or 1h30m", param, ctx)
        seconds = sum(float(count or 0) * each for count, each in zip(read.groups(), UNITS.values(), strict=True))
        if self.positive and not seconds:
            self.fail(f"{value!r} is too short: give a time above 0, as 90s, 30m, 2h or 1h30m", param, ctx)
        return seconds


class Workers(click.ParamType[Any]):
    """A number of workers from 1, or auto."""

    name = "K|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "auto" else click.IntRange(min=1).convert(value, param, ctx)


@click.command()
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Workers; by default one per GPU, or one per CPU core.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@TRACKING_URI
@click.option("--no-tracking", is_flag=True, help="Publish nothing to MLflow.")
@click.option("--keep-weights", is_flag=True, help="Leave each run's network in its folder, as weights.pt.")
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    metavar="EPOCHS",
    help="A checkpoint at least every so many epochs; by default as often as 2 % of a run's time allows.",
)
@click.option(
    "--robustness/--no-robustness",
    default=None,
    help="Test each network on changed test images, too; by default where that is less than a tenth of the work.",
)
@click.option(
    "--step",
    type=click.Choice(STEPS),
    default="auto",
    show_default=True,
    help="How a step is computed; auto: as a CUDA graph on a GPU, else eagerly. Compiled, it has other last bits.",
)
@click.option(
    "--memory-format",
    type=click.Choice(MEMORY_FORMATS),
    default="auto",
    show_default=True,
    help="Of images and weights; auto: channels_last; contiguous for a network of one's own. Changes the last bits.",
)
@click.option(
    "--per-device",
    type=Workers(),
    default="1",
    show_default=True,
    metavar="K|auto",
    help="Workers on each GPU; auto: by a short measurement.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Train on a Dask cluster: tcp://HOST:8786, a scheduler file, or local:4 for one of 4 workers here.",
)
@ONLY
@click.option("--join/--no-join", default=True, help="Help another process that trains the experiment; else say who.")
@click.option("--retry-failed/--no-retry-failed", default=True, help="Try runs again that failed before.")
@click.option(
    "--max-retries",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Try a run that fails again, up to N times, in this command.",
)
@click.option("--fail-fast", is_flag=True, help="End at the first run that fails.")
@click.option(
    "--timeout",
    type=Seconds(positive=True),
    help="The longest that a run may take, as 90s, 30m, 2h or 1h30m; by default any.",
)
@click.option(
    "--grace",
    type=Seconds(),
    default="8s",
    show_default=True,
    help="After SIGTERM, how long runs may take to end their epoch and leave a checkpoint.",
)
@DRY_RUN
@on_experiment
def run(
    options: ExperimentOptions,
    jobs: int | None,
    device: str,
    tracking_uri: str | None,
    no_tracking: bool,
    keep_weights: bool,
    checkpoint_every: int | None,
    robustness: bool | None,
    step: Step,
    memory_format: MemoryFormat,
    per_device: int | Literal["auto"],
    cluster: str | None,
    join: bool,
    retry_failed: bool,
    max_retries: int,
    fail_fast: bool,
    timeout: float | None,
    grace: float,
    dry_run: bool,
) -> None:
    """Train the runs that are missing, publish them to MLflow, print the verdicts.

    Ctrl-C stops it; the same command goes on where it was, and a second one beside it helps.

    \b
    Example:
      ablation run quickstart
      ablation run cats12 --smoke --data ~/cats12
    """
    started = time.monotonic()
    experiment = options.experiment()
    if robustness is not None:
        experiment = replace(experiment, robustness=robustness)
    execution = Execution(step, memory_format, per_device)
    policy = Policy(tuple(options.only), join, retry_failed, max_retries, fail_fast)
    if dry_run:
        show_what_would_run(options, experiment, policy, jobs)
        if keep_weights or robustness:
            _say_what_lacks(options, experiment, policy, keep_weights, bool(robustness))
        return
    training = Training(jobs, device, keep_weights, checkpoint_every, execution, timeout, grace, cluster)
    with crew_for(experiment, options.runs, options.cache, training, policy) as crew:
        data = options.listing(experiment)
        cells = experiment.cells(data.digest)
        tracker = None if no_tracking else Background(Tracker(experiment, cells, options.runs, tracking_uri, warn))
        backlog = tracker.backlog if tracker else lambda: 0
        ranked = cells if experiment.metric == "accuracy" else ()  # the panel knows validation accuracy alone
        names = names_of(cells)
        with tracker or nullcontext(), Progress(experiment.name, names, console, backlog, ranked) as progress:
            ended = partial(_on_ended, tracker)
            watch = Following(progress, tracker.follow) if tracker else progress
            swept = train_missing(
                experiment, data, cells, crew, options.cache, watch, ended, policy, options.variant(data.digest)
            )
    if tracker:
        tracker.publish_all(held=swept.held)

    from ablation.cli.run_end import Trained, show_end
    from ablation.experiment.results import Results

    results = Results.read(experiment, cells, data, crew.root, len(data.left_out), options.cache, swept.held)
    took = time.monotonic() - started
    trained = Trained(swept, policy.chosen(cells), took, keep_weights, conditions=bool(robustness))
    ended_well = show_end(options, results, trained)
    if tracker:
        await_published(tracker, options, tracking_uri)
    if not ended_well:
        sys.exit(1)


def _on_ended(tracker: Background | None, run: Run) -> None:
    """Publish a run that has ended.

    Pandas and the report, for the verdicts, are imported behind the first one, while workers train the next ones:
    before, they would wait for it.
    """
    import ablation.cli.run_end
    import ablation.experiment.results  # noqa: F401

    if tracker:
        tracker.publish(run)


def _say_what_lacks(
    options: ExperimentOptions, experiment: Experiment, policy: Policy, weights: bool, conditions: bool
) -> None:
    """Print which finished runs have not what is asked for now: they are not trained again."""
    from ablation.cli.run_end import lacking

    with options.writing(dry_run=True) as scratch:
        cells = experiment.cells(scratch.listing(experiment).digest)
    chosen = policy.chosen(cells)
    runs = [run for run in runs_of(cells, folder_of(experiment, options.runs)) if run.spec.id in chosen]
    records = {run_id: one.record for run_id, one in held_of(runs).items() if one.record is not None}
    for text in lacking(runs, records, weights, conditions):
        warn(text)
