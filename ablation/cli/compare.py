"""`ablation compare`: what the runs mean, in short with the main table, or by sections; and the effects as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from ablation.cli.console import console, say, say_line, warn
from ablation.cli.context import FILE, ONLY, ExperimentOptions, on_experiments
from ablation.cli.sections import MOST_ROWS, show_section, show_table
from ablation.cli.status import next_step, others_here
from ablation.cli.verdicts import show_verdicts
from ablation.core.errors import InputError
from ablation.core.text import counted, named
from ablation.evidence.effects import Effect, primaries
from ablation.evidence.study import Study
from ablation.report import glossary
from ablation.report.contents import ANSWERS, SECTIONS, absent, section
from ablation.report.render.tables import FORMS, write_effects
from ablation.report.section import Table
from ablation.report.sections.effects.several import several
from ablation.report.sections.effects.table import main_table
from ablation.report.text import unit_text


def _written_as_tables(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each form of the table."""
    for form, name in reversed(FORMS.items()):
        about = f"Also write the effects as {name}; without FILE, or '-': print them."
        option = click.option(f"--{form}", metavar="[FILE]", type=FILE, is_flag=False, flag_value="-", help=about)
        command = option(command)
    return command


@click.command()
@click.option("--all", "every", is_flag=True, help="Every section with every test: intervals, effect sizes, scores.")
@click.option("--section", "slug", metavar="SLUG", help=f"Only this section: {', '.join(SECTIONS)}.")
@ONLY
@_written_as_tables
@on_experiments
def compare(options: tuple[ExperimentOptions, ...], every: bool, slug: str | None, **files: Path | None) -> None:
    """Compare each recipe with the baseline: the answer, then differences, intervals and verdicts.

    Of several experiments that share data, split and metric: one table, and in what they differ.

    \b
    Example:
      ablation compare quickstart
      ablation compare quickstart --only recipe=crop,optimizer=sgd
      ablation compare quickstart --section interaction
      ablation compare quickstart --latex table.tex --csv effects.csv
      ablation compare quickstart other
    """
    if options[0].cells and (every or slug is not None or len(options) > 1):
        raise click.UsageError("--only chooses rows of the main table of one experiment: leave out --all and --section")
    if len(options) == 1:
        show(options[0], every, slug, files)
    elif slug is not None or any(path is not None for path in files.values()):
        raise InputError("--section and files of effects are for one experiment; `ablation report` writes those of all")
    else:
        studies = [Study(one.results(), command=one.command("run")) for one in options]
        joint = several(studies)
        show_section(joint if every else replace(joint, tables=tuple(map(simple, joint.tables))), every)
        for study in studies:
            show_warnings(study)


def show(options: ExperimentOptions, every: bool, slug: str | None, files: Mapping[str, Path | None]) -> None:
    """Write the files (form -> path, '-' for standard output), and print the answer, or a section, or every section."""
    study = Study(options.results(), command=options.command("run"))
    shown = _chosen(study, options)
    for form, path in files.items():
        if path is not None:
            write_effects(study.experiment, shown, path, form, study.results.left_out)
    if "-" not in map(str, files.values()):
        if options.cells:
            _show_rows(study, shown, options)
        elif slug is not None:
            _show_one(study, slug, every)
        elif every:
            show_results(study)
        else:
            _show_answer(study, options)
        if slug is not None or every:
            say(glossary.WHERE, "dim")
    if slug is not None or every or options.cells or "-" in map(str, files.values()):
        show_warnings(study)


def _chosen(study: Study, options: ExperimentOptions) -> Sequence[Effect]:
    """The effects of what `--only` chooses, each with its baseline; all without it. Raises InputError for a seed.

    An effect that is pooled over conditions is of none of them, and is chosen by its recipe alone.
    """
    if not options.cells:
        return study.effects
    if any("seed" in choice for choice in options.only):
        raise InputError(
            "--only: compare is over all seeds; choose recipes and conditions, as recipe=crop,optimizer=sgd"
        )
    options.chosen(study.results.cells)  # or says which name is wrong

    def fits(effect: Effect, choice: Mapping[str, object]) -> bool:
        levels = {"recipe": effect.recipe, **effect.condition}
        return all(levels.get(factor) == level for factor, level in choice.items())

    chosen = [effect for effect in study.effects if any(fits(effect, choice) for choice in options.only)]
    beside = [effect.condition for effect in chosen]
    return [
        effect
        for effect in study.effects
        if effect in chosen or (effect.verdict == "baseline" and effect.condition in beside)
    ]


def _show_rows(study: Study, shown: Sequence[Effect], options: ExperimentOptions) -> None:
    """Print rows of the main table. What they say rests on all comparisons, and that is said."""
    if study.results.finished.empty:
        say("no run has finished: there is nothing to compare", "yellow")
        _say_what_lies_here(study, options)
        return
    table = simple(main_table(study.experiment, tuple(shown)))
    show_table(replace(table, caption=_about(study)), MOST_ROWS, "--csv -")
    compared = [[one for one in effects if one.verdict != "baseline"] for effects in (shown, study.effects)]
    some, every = map(len, compared)
    say(f"--only: {some} of {counted(every, 'comparison')}; p and verdicts are corrected over all that were declared.")


def _show_answer(study: Study, options: ExperimentOptions) -> None:
    """Print the answer with a line a recipe, the warnings, the main table, and where there is more."""
    show_verdicts(study)
    show_warnings(study)
    if study.results.finished.empty:
        _say_what_lies_here(study, options)
        say_line(f"next: {next_step(options, study.results)}")
        return
    table = simple(main_table(study.experiment, study.effects))
    show_table(replace(table, caption=_about(study)), MOST_ROWS, "--csv -")
    console.print()
    say_line(f"every test and section: {options.command('compare')} --all")
    say_line(f"next: {next_step(options, study.results)}")


def _say_what_lies_here(study: Study, options: ExperimentOptions) -> None:
    for text in others_here(options, study.results, "compare"):
        say_line(text)


def _about(study: Study) -> str:
    """What the main table shows, in words of the field."""
    experiment = study.experiment
    corrected = ", corrected for the number of comparisons" if primaries(study.effects) > 1 else ""
    return (
        f"Scores are means over seeds ± sd, on test images. Differences are to {named(experiment.baseline)}, in "
        f"{unit_text(experiment.metric)}. “better” and “worse” need p < {experiment.alpha:g}{corrected}."
    )


def simple(table: Table) -> Table:
    """A table of effects with the p that counts alone, of those that it has, and called so."""
    if "p_adjusted" not in table.headers:
        return table
    headers = {key: text for key, text in table.headers.items() if key not in ("p", "p_equivalent")} | {
        "p_adjusted": "p"
    }
    return replace(table, headers=headers, spare=("macro_f1", "p_adjusted", "seeds"))


def _show_one(study: Study, slug: str, every: bool) -> None:
    found = section(study, slug)
    if found is None:
        raise absent(study, slug)
    show_section(found, every, figures=True)


def show_results(study: Study) -> None:
    """Print every section that answers in sentences, in the order of the contents, with tables of details."""
    for compute in ANSWERS.values():
        section = compute(study)
        if section is not None:
            show_section(section, every=True)


def show_warnings(study: Study) -> None:
    """Print what makes the results less than was planned, on standard error."""
    for warning in study.warnings:
        warn(warning)
