"""`ablation report`: one HTML file with the answer, and the same in MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from ablation.cli.console import console, warn
from ablation.cli.context import FILE, TRACKING_URI, ExperimentOptions, on_experiment
from ablation.evidence.study import Study
from ablation.report.render.write import default_path, write_page
from ablation.tracking.client import Tracker


@click.command()
@click.option("--out", metavar="FILE", type=FILE, help="By default reports/EXPERIMENT.html.")
@click.option("--force", is_flag=True, help="Write it again even if nothing has changed.")
@TRACKING_URI
@click.option("--no-tracking", is_flag=True, help="Do not attach it to MLflow.")
@on_experiment
def report(
    options: ExperimentOptions, out: Path | None, force: bool, tracking_uri: str | None, no_tracking: bool
) -> None:
    """Write the report: one HTML file with the answer, tables and pictures.

    \b
    Example:
      ablation report quickstart
    """
    study = Study(options.results(), command=options.command("run"))
    path = out or default_path(study)
    if force:
        path.unlink(missing_ok=True)
    written = write_page(study, path)
    console.print(f"wrote {path}" if written else f"{path} is up to date", markup=False)
    if not no_tracking:
        Tracker(study.experiment, study.results.cells, options.runs, tracking_uri, warn).publish_report(path)
