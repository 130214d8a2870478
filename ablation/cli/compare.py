"""`ablation compare`: what the runs mean, section by section, and the effects as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click

from ablation.cli.console import warn
from ablation.cli.context import FILE, ExperimentOptions, on_experiments
from ablation.cli.sections import show_section
from ablation.core.errors import InputError, attempt
from ablation.evidence.study import Study
from ablation.report.contents import ANSWERS, SECTIONS, absent, section
from ablation.report.render.tables import FORMS, write_effects
from ablation.report.sections.effects.several import several


def _written_as_tables(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each form of the table."""
    for form, name in reversed(FORMS.items()):
        about = f"Also write the effects as {name} ('-': print them)."
        command = click.option(f"--{form}", metavar="FILE", type=FILE, help=about)(command)
    return command


@click.command()
@click.option("--all", "every", is_flag=True, help="Also what stands behind: seeds won, effect sizes, each score.")
@click.option("--section", "slug", metavar="SLUG", help=f"Only this section: {', '.join(SECTIONS)}.")
@_written_as_tables
@on_experiments
def compare(options: tuple[ExperimentOptions, ...], every: bool, slug: str | None, **files: Path | None) -> None:
    """Compare each recipe with the baseline: difference, intervals, p, verdict, and a sentence for each.

    Of several experiments that share data, split and metric: one table, and in what they differ.

    \b
    Example:
      ablation compare quickstart
      ablation compare quickstart --section interaction
      ablation compare quickstart --latex table.tex --csv effects.csv
      ablation compare quickstart other
    """
    if len(options) == 1:
        show(options[0], every, slug, files)
    elif slug is not None or any(path is not None for path in files.values()):
        raise InputError("--section and files of effects are for one experiment; `ablation report` writes those of all")
    else:
        studies = [Study(one.results(), command=one.command("run")) for one in options]
        show_section(several(studies), every)
        for study in studies:
            show_warnings(study)


def show(options: ExperimentOptions, every: bool, slug: str | None, files: Mapping[str, Path | None]) -> None:
    """Print the sections, or the one that is named, and write the files: form -> path, '-' for standard output."""
    study = Study(options.results(), command=options.command("run"))
    if "-" not in map(str, files.values()):
        if slug is None:
            show_results(study, every)
        else:
            _show_one(study, slug, every)
    for form, path in files.items():
        if path is not None:
            write_effects(study.experiment, study.effects, path, form, study.results.left_out)
    show_warnings(study)


def _show_one(study: Study, slug: str, every: bool) -> None:
    found = section(study, slug)
    if found is None:
        raise absent(study, slug)
    show_section(found, every, figures=True)


def show_results(study: Study, every: bool = False, safely: bool = False) -> None:
    """Print every section that answers in sentences, in the order of the contents; `every`: with tables of details.

    safely: a section that cannot be shown costs a warning and nothing else, as at the end of `ablation run`.
    """

    def show(slug: str) -> None:
        section = ANSWERS[slug](study)
        if section is not None:
            show_section(section, every)

    for slug in ANSWERS:
        if safely:
            attempt(f"section {slug}", partial(show, slug), None, warn)
        else:
            show(slug)


def show_warnings(study: Study) -> None:
    """Print what makes the results less than was planned, on standard error."""
    for warning in study.warnings:
        warn(warning)
