"""The commands on results: how runs stand, what they mean, and the report. Parse, call, print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ablation.cli.context import Place, on_experiment, warn

if TYPE_CHECKING:
    from ablation.evidence.effects import Effect
    from ablation.experiment.results import Results

FORMS = {"csv": "CSV", "json": "JSON", "latex": "LaTeX (booktabs)", "markdown": "Markdown"}
"""What `compare` writes, by option."""


@click.command()
@on_experiment
def status(place: Place) -> None:
    """Show how the runs stand: finished, diverged, running, failed, interrupted, planned.

    \b
    Example:
      ablation status quickstart
    """
    from ablation.cli.console import show_status

    show_status(place.results(), place.command("run"))


def _written_as_tables(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each form of the table."""
    file = click.Path(dir_okay=False, path_type=Path)
    for form, name in reversed(FORMS.items()):
        told = f"Also write the table as {name} ('-': print it)."
        command = click.option(f"--{form}", metavar="FILE", type=file, help=told)(command)
    return command


@click.command()
@click.option("--all", "every", is_flag=True, help="Also seeds won, effect sizes, intervals by themselves, each score.")
@_written_as_tables
@on_experiment
def compare(place: Place, every: bool, **files: Path | None) -> None:
    """Compare each recipe with the baseline: difference, intervals, p, verdict, and a sentence for each.

    \b
    Example:
      ablation compare quickstart
      ablation compare quickstart --latex table.tex --csv effects.csv
    """
    from ablation.evidence.effects import compare as compare_results
    from ablation.report.render.tables import write_effects

    results = place.results()
    effects = compare_results(results)
    if Path("-") not in files.values():
        show_comparison(results, effects, every)
    for form, path in files.items():
        if path is not None:
            write_effects(results.experiment, effects, path, form, results.left_out)
    show_alarms(results)


def show_comparison(results: Results, effects: Sequence[Effect], every: bool = False) -> None:
    """The tables and sentences of `compare`; `every`: with what stands behind each verdict."""
    from ablation.cli.console_curves import show_curves
    from ablation.cli.console_effects import show_details, show_effects, show_sentences, show_sources
    from ablation.cli.console_interplay import show_interplay

    show_effects(results.experiment, effects)
    if every:
        show_details(results.experiment, effects)
    show_sentences(results.experiment, effects)
    show_sources(results)
    show_interplay(results)
    show_curves(results)


def show_alarms(results: Results) -> None:
    """What makes the results less than was planned, on standard error."""
    from ablation.evidence.warnings import alarms

    for alarm in alarms(results):
        warn(alarm)


@click.command()
@click.option(
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="By default reports/EXPERIMENT.html."
)
@click.option("--force", is_flag=True, help="Write it again even if nothing has changed.")
@click.option("--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow's; by default ./mlflow.db.")
@click.option("--no-tracking", is_flag=True, help="Do not attach it to MLflow.")
@on_experiment
def report(place: Place, out: Path | None, force: bool, tracking_uri: str | None, no_tracking: bool) -> None:
    """Write the report: one HTML file with the answer, tables and pictures.

    \b
    Example:
      ablation report quickstart
    """
    from ablation.cli.console import console
    from ablation.evidence.effects import compare as compare_results
    from ablation.report import input_digest, is_current, write_report
    from ablation.tracking.client import Tracker

    results = place.results()
    experiment = results.experiment
    effects = compare_results(results)
    path = out or Path("reports") / f"{experiment.name}.html"
    if force:
        path.unlink(missing_ok=True)
    current = is_current(path, input_digest(experiment, results, effects, place.command("run")))
    write_report(experiment, results, effects, path, place.command("run"))
    console.print(f"{path} is up to date" if current else f"wrote {path}")
    if not no_tracking:
        Tracker(experiment, results.cells, place.runs, tracking_uri, warn).publish_report(path)
