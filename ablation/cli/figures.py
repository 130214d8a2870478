"""`ablation figures`: each figure of the report as SVG, PDF and PNG, for a paper or slides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ablation.cli.console import say_line, warn
from ablation.cli.context import DRY_RUN, FILE, FOLDER, ExperimentOptions, of_sections, on_experiment
from ablation.core.text import counted, listing
from ablation.report.render.drawings import prepare
from ablation.report.render.second import Second


@click.command()
@click.option("--out", metavar="DIR", type=FOLDER, help="By default reports/EXPERIMENT-figures.")
@of_sections
@click.option("--font", "fonts", metavar="FILE", type=FILE, multiple=True, help="A font for names that others lack.")
@DRY_RUN
@on_experiment
def figures(
    options: ExperimentOptions, out: Path | None, only: tuple[str, ...], fonts: tuple[Path, ...], dry_run: bool
) -> None:
    """Write each figure of the report as SVG, PDF and PNG, for a paper or slides.

    A file is called by its section and its number there. Files that this command wrote are written anew; it replaces no
    other, and none that was changed since.

    \b
    Example:
      ablation figures quickstart
      ablation figures quickstart --section effects --out paper/figures
    """
    with Second(None if only else prepare) as second:  # which imports what draws while records are read
        from ablation.evidence.study import Study  # pandas: after the second process has begun
        from ablation.evidence.warnings import alarms
        from ablation.report.contents import known, parts_ahead
        from ablation.report.render.figure_folder import figures_of, write_figures

        known(*only)
        with options.writing(dry_run) as scratch:
            study = Study(scratch.results(), command=options.command("run"))
        folder = out or Path("reports") / f"{options.named(study.experiment.name)}-figures"
        if dry_run:
            say_line(f"would write the figures of {listing(only) if only else 'all sections'} to {folder}")
            return
        second.begin(parts_ahead([study], only))
        files, without = figures_of(study, only, fonts, second)
    paths = write_figures(files, folder, whole=not only)
    for message in (*without, *alarms(study.results)):
        warn(message)
    kinds = Counter(path.suffix.removeprefix(".").upper() for path in paths)
    say_line(f"wrote {counted(len(paths), 'file')} to {folder}: {listing(f'{n} {kind}' for kind, n in kinds.items())}")
