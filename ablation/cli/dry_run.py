"""What `ablation run --dry-run` prints: which runs would be trained, and what they take. Trains and writes nothing."""

from __future__ import annotations

from collections import Counter

from ablation.cli.console import say, say_line, warn
from ablation.cli.context import ExperimentOptions
from ablation.core.errors import attempt
from ablation.core.text import counted
from ablation.experiment.experiment import Experiment
from ablation.experiment.labels import names_of
from ablation.experiment.runs import folder_of, held_of, runs_of
from ablation.training.cost.grid import grid_time
from ablation.training.policy import Policy

SHOWN = 20
"""Runs that are named, at most."""


def show_what_would_run(
    options: ExperimentOptions, experiment: Experiment, policy: Policy, jobs: int | None = None
) -> None:
    """Print how many runs the same command would train without `--dry-run`, which, and about how long.

    jobs: workers; by default as many as `ablation run` starts.
    """
    with options.writing(dry_run=True) as scratch:
        data = scratch.listing(experiment)
        cells, root = experiment.cells(data.digest), folder_of(experiment, options.runs)
        chosen, runs = policy.chosen(cells), runs_of(cells, root)
        held, names = held_of(runs), names_of(cells)
        statuses = {run.spec.id: run.status() for run in runs if run.spec.id in chosen}
        kept = ("finished", "diverged", "altered", *(() if policy.retry_failed else ("failed",)))
        missing = {run_id: status for run_id, status in statuses.items() if status not in kept}
        counts = Counter(statuses.values())
        others = [f"{counts[status]:,} {status}" for status in kept if counts[status]]
        of = f" ({', '.join(others)})" if others else ""
        say(f"would train {len(missing):,} of {counted(len(statuses), 'run')}{of}; nothing is written", "bold")
        for run_id, status in list(missing.items())[:SHOWN]:
            again = "" if status == "planned" else f"  ({status} before)"
            say_line(f"  {run_id}  {names[run_id]}{again}")
        if len(missing) > SHOWN:
            say(f"  and {len(missing) - SHOWN:,} more; `{options.command('plan')} --all` lists every run")
        finished = {run_id: one.record for run_id, one in held.items() if one.record is not None}
        if missing:
            wanted = [cell for cell in cells if cell.spec.id in missing or cell.spec.id in finished]
            time = attempt(
                "how long that takes", lambda: grid_time(wanted, data, scratch.cache, finished, jobs, root), None, warn
            )
            say(f"{time}" if time else "how long that takes is not known")
