"""`ablation report`: the folder of a report, with the answer in HTML and PDF, and the same in MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from ablation.cli.console import console, warn
from ablation.cli.context import FILE, FOLDER, TRACKING_URI, ExperimentOptions, on_experiment
from ablation.evidence.study import Study
from ablation.report.render.write import HTML_FILE, default_folder, write_folder
from ablation.tracking.client import Tracker


@click.command()
@click.option("--out", metavar="DIR", type=FOLDER, help="By default reports/EXPERIMENT.")
@click.option("--pdf/--no-pdf", default=True, help="Also write report.pdf (the default).")
@click.option("--only", metavar="SLUG", multiple=True, help="Only this section; may be given several times.")
@click.option("--font", "fonts", metavar="FILE", type=FILE, multiple=True, help="A font for names that others lack.")
@click.option("--force", is_flag=True, help="Write it again even if nothing has changed.")
@click.option("--publish", is_flag=True, help="Also attach it to the experiment's run in MLflow.")
@TRACKING_URI
@on_experiment
def report(
    options: ExperimentOptions,
    out: Path | None,
    pdf: bool,
    only: tuple[str, ...],
    fonts: tuple[Path, ...],
    force: bool,
    publish: bool,
    tracking_uri: str | None,
) -> None:
    """Write the report: the answer, tables and pictures as HTML and PDF, and every number as data.

    \b
    Example:
      ablation report quickstart
      ablation report quickstart --only effects --no-pdf
    """
    study = Study(options.results(), command=options.command("run"))
    written = write_folder(study, out or default_folder(study), pdf, only, fonts, force)
    for message in written.without:
        warn(message)
    page = written.folder / HTML_FILE
    console.print(f"wrote {page}" if written.fresh else f"{page} is up to date", markup=False)
    if publish:
        Tracker(study.experiment, study.results.cells, options.runs, tracking_uri, warn).publish_report(written.folder)
