"""`ablation report`: the folder of a report, with the answer in HTML and PDF, and the same in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ablation.cli.console import console, say_line, warn
from ablation.cli.context import DRY_RUN, FILE, FOLDER, TRACKING_URI, ExperimentOptions, of_sections, on_experiments
from ablation.core.errors import InputError, Problem
from ablation.report.render.drawings import prepare
from ablation.report.render.evidence import EVIDENCE_FILE
from ablation.report.render.second import Second
from ablation.report.render.write import HTML_FILE, PDF_FILE, default_folder, is_current, write_folder
from ablation.tracking.client import Tracker
from ablation.tracking.publication import MAX_DESCRIPTION

if TYPE_CHECKING:
    from ablation.evidence.study import Study

REPORT_FILES = (HTML_FILE, PDF_FILE, EVIDENCE_FILE, "tables", "figures")
"""What of the folder goes to MLflow; there may be other things in it."""


@dataclass(frozen=True)
class Wanted:
    """What the options ask for, by their names."""

    out: Path | None
    pdf: bool
    only: tuple[str, ...]
    fonts: tuple[Path, ...]
    force: bool
    publish: bool

    def folder(self, every: Sequence[ExperimentOptions], studies: Sequence[Study]) -> Path:
        """Where the report is, unless a folder is given; a variant's does not replace that of the experiment."""
        folder = default_folder(*studies, only=self.only)
        return self.out or folder.with_name(every[0].named(folder.name))


@click.command()
@click.option("--out", metavar="DIR", type=FOLDER, help="By default reports/EXPERIMENT, or reports/EXPERIMENT-SLUG.")
@click.option("--pdf/--no-pdf", default=True, help="Also write report.pdf (the default).")
@of_sections
@click.option("--font", "fonts", metavar="FILE", type=FILE, multiple=True, help="A font for names that others lack.")
@click.option("--force", is_flag=True, help="Write it again even if nothing has changed.")
@click.option("--publish", is_flag=True, help="Also put it on the experiment's own run in MLflow.")
@TRACKING_URI
@DRY_RUN
@on_experiments
def report(options: tuple[ExperimentOptions, ...], tracking_uri: str | None, dry_run: bool, **chosen: Any) -> None:
    """Write the report: the answer, tables and pictures, as HTML and PDF and as data.

    Of several experiments that share data, split and metric: one table, and in what they differ.

    \b
    Example:
      ablation report quickstart
      ablation report quickstart --section effects --no-pdf
      ablation report quickstart other
    """
    wanted = Wanted(**chosen)
    if dry_run:
        _say_what_would_be_written(options, wanted)
        return
    with Second(None if wanted.only else prepare) as second:  # which imports what draws while records are read
        from ablation.evidence.study import Study  # pandas: after the second process has begun
        from ablation.evidence.warnings import alarms

        studies = [Study(one.results(), command=one.command("run")) for one in options]
        _refuse_for_several(studies, wanted)
        _refuse_of_nothing(options, studies)
        folder = wanted.folder(options, studies)
        written = write_folder(studies, folder, wanted.pdf, wanted.only, wanted.fonts, wanted.force, second)
    for message in (*written.without, *(alarm for study in studies for alarm in alarms(study.results))):
        warn(message)
    page = written.folder / HTML_FILE
    also = f" and {PDF_FILE}" if (written.folder / PDF_FILE).exists() else ""
    console.print(f"wrote {page}{also}" if written.fresh else f"{page}{also}: up to date", markup=False, soft_wrap=True)
    for name in written.removed:
        say_line(f"removed {written.folder / name}, which was of before")
    if wanted.publish:
        (study,) = studies
        from ablation.report.render.description import description, verdicts

        tracker = Tracker(study.experiment, study.results.cells, options[0].runs, tracking_uri, warn)
        files = (path for name in REPORT_FILES if (path := written.folder / name).exists())
        tracker.publish_report(*files, description=description(study, MAX_DESCRIPTION), verdicts=verdicts(study))
        if not tracker.off:
            console.print(f"published it to {tracker.store}; `ablation ui` shows it", markup=False, soft_wrap=True)


def _refuse_for_several(studies: Sequence[Study], wanted: Wanted) -> None:
    if len(studies) > 1 and (wanted.only or wanted.publish):
        raise InputError("--section and --publish are for the report of one experiment")


def _refuse_of_nothing(options: Sequence[ExperimentOptions], studies: Sequence[Study]) -> None:
    """Raise InputError for an experiment of which no run has left a result, whether or not it was altered since."""
    from ablation.cli.status import others_here  # which loads pandas

    for one, study in zip(options, studies, strict=True):
        if study.records or (study.results.frame["status"] == "altered").any():
            continue
        begun = not study.results.frame["status"].isin(["planned"]).all()
        says = f"; {one.command('status')} says how they stand" if begun else f"; train them: {one.command('run')}"
        nothing = f"no run of {study.experiment.name} has finished in {one.runs}: there is nothing to report{says}"
        raise InputError([Problem(text) for text in (nothing, *others_here(one, study.results, "report"))])


def _say_what_would_be_written(every: Sequence[ExperimentOptions], wanted: Wanted) -> None:
    """Print where the same command would write the report without `--dry-run`, and what would stop it."""
    from ablation.evidence.study import Study
    from ablation.report.contents import known

    known(*wanted.only)
    with ExitStack() as stack:
        scratch = [stack.enter_context(one.writing(dry_run=True)) for one in every]
        studies = [Study(one.results(), command=one.command("run")) for one in scratch]
    _refuse_for_several(studies, wanted)
    _refuse_of_nothing(every, studies)
    folder = wanted.folder(every, studies)
    what = f"{folder / HTML_FILE}{f' and {PDF_FILE}' if wanted.pdf else ''}"
    fresh = wanted.force or not is_current(studies, folder, wanted.pdf, wanted.only, wanted.fonts)
    say_line(f"would write {what}" if fresh else f"{what}: up to date, nothing would be written")
    if wanted.publish:
        say_line(f"would put it on the run of {studies[0].experiment.name} in MLflow")
