"""`ablation new`: an experiment file for data that is at hand, which runs as it is and says why it is as it is."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ablation.cli.console import console, say_line
from ablation.cli.context import DRY_RUN, writable
from ablation.cli.context import FOLDER as FOLDER_PATH
from ablation.cli.messages import spelled
from ablation.cli.progress import counting
from ablation.core.errors import DataError, InputError, Problem
from ablation.core.files import atomic
from ablation.core.safe import message_lines
from ablation.core.text import counted
from ablation.data import Digits, SkipBad, Source
from ablation.data.check import Check
from ablation.data.check import check as check_data
from ablation.data.guess import source_at
from ablation.experiment.draft import Draft, drafted, text_of
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import FOLDER, outlines, read
from ablation.models.names import SMALL, wrong_model
from ablation.models.own import is_own
from ablation.optim import Adam
from ablation.report.data_check.findings import findings

MOST_BAD = 10
"""Files that cannot be used that are named, at most."""


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--data",
    metavar="PATH",
    required=True,
    help="A folder with a folder of images for each class, a list, or a CSV table; as for `ablation check`.",
)
@click.option("--model", metavar="MODEL", help="A classifier of torchvision's; by default one that suits the data.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Trainings of each recipe.")
@click.option("--skip-bad", is_flag=True, help="Leave out the files that cannot be used, now and in every run.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option(
    "--cache", type=FOLDER_PATH, default="cache", show_default=True, help="Where what was read is remembered."
)
@DRY_RUN
def new(
    name: str, data: str, model: str | None, seeds: int, skip_bad: bool, force: bool, cache: Path, dry_run: bool
) -> None:
    """Write experiments/NAME.py for the images at PATH, with the reason for each choice.

    Looks at the number of images and classes, sizes and balance, and chooses a split, a network, image size, epochs and
    batch size. The file runs as it is, and is yours to change. With --dry-run it is printed instead.

    \b
    Example:
      ablation new cats --data photos/cats
      ablation new cats --data photos/train_list.txt --model resnet50
      ablation new cats --data photos/cats --skip-bad
    """
    path = FOLDER / f"{name}.py"
    wrong = [*_wrong_name(name), *(() if dry_run else _taken(path, force)), *_wrong_model(model)]
    if wrong:
        raise InputError(map(Problem, wrong))
    with writable(cache, dry_run) as known:
        source = source_at(data)
        draft, text = _written(name, SkipBad(source) if skip_bad else source, data, model, seeds, known)
    if dry_run:
        click.echo(text, nl=False)
        return
    with atomic(path, "w") as file:
        file.write(text)
    runs = counted(len(draft.recipes) * seeds, "run")
    say_line(f"wrote {path}: {len(draft.data.labels):,} photographs of {len(draft.data.classes)} classes, {runs}")
    say_line("next: look at the data and at the plan, and try it, made small:")
    for arguments in (["check", data, *["--skip-bad"] * skip_bad], ["plan", name], ["run", name, "--smoke"]):
        click.echo(f"  {spelled(message_lines(shlex.join(['ablation', *arguments])))}")  # never broken: it is copied


def _written(name: str, source: Source, given: str, model: str | None, seeds: int, cache: Path) -> tuple[Draft, str]:
    """What is chosen for the data, and the text of its file. Raises DataError for all that would stop a run.

    given: the data as it was typed.
    """
    with counting("reading", console) as progress:
        checked = check_data(source, cache, progress)
    if checked.listing is None:
        raise DataError(_problems(checked, given))
    try:
        draft = drafted(name, source, checked.listing, model, seeds, _smallest(model))
        text = text_of(draft)
        _try(draft, text)
    except DataError as error:
        raise DataError(_problems(checked, given) or error.problems) from None
    if problems := _problems(replace(checked, split=draft.split, unsplit=()), given):
        raise DataError(problems)
    return draft, text


def _wrong_model(model: str | None) -> list[str]:
    wrong = wrong_model(model) if model is not None else ""
    return [f"--model {model}: {wrong}"] if wrong else []


def _wrong_name(name: str) -> list[str]:
    """What is wrong with the name, as an experiment's and as a file's."""
    if name.endswith(".py") or name != Path(name).name:
        return [
            f"{name!r} is no name of an experiment but a path; give the name alone: it is written to {FOLDER}/NAME.py"
        ]
    if name.endswith("-smoke"):
        return [f"{name!r}: names that end in -smoke are those of smoke runs; use another one"]
    try:
        Experiment(name, Digits(), {"none": ()}, {"adam": Adam()}, baseline="none", model=SMALL[0])
    except InputError as error:
        return [problem.message.removeprefix("Experiment: ") for problem in error.problems]
    return _claimed(name)


def _claimed(name: str) -> list[str]:
    """Two experiments of one name would share a folder of runs."""
    others = [one for one in outlines() if one.name == name and one.path.stem != name]
    return [f"{others[0].path} has an experiment called {name!r} already; use another name"] if others else []


def _taken(path: Path, force: bool) -> list[str]:
    if force or not path.exists():
        return []
    return [f"{path} is there already; --force replaces it, another NAME leaves it"]


def _problems(checked: Check, given: str) -> list[Problem]:
    """All that would stop a run, as `ablation check` says it; [] where nothing would."""
    wrong = [one for one in findings(checked) if one.level == "error"]
    if not wrong:
        return []
    texts = [f"{one.text}{f': {one.advice}' if one.advice else ''}" for one in wrong]
    more = f"`ablation check {shlex.quote(given)}` shows more"
    return [*checked.bad[:MOST_BAD], *map(Problem, [*texts, more])]


def _smallest(model: str | None) -> int:
    """The side that the images of a network must have, where that is more than any image has here."""
    if model is None or model in SMALL or is_own(model):
        return 0
    from ablation.training.cost.smallest_size import smallest_size  # torch, which only other networks need

    return smallest_size(model)


def _try(draft: Draft, text: str) -> None:
    """Read the file as `ablation run` would, and part the data for each run. Raises InputError or DataError."""
    with TemporaryDirectory(prefix="ablation-") as folder:
        path = Path(folder) / f"{draft.name}.py"
        path.write_text(text, "utf-8")
        experiment = read(path).experiment
    for seed in experiment.seed_numbers:
        experiment.split.draw(draft.data, seed)
