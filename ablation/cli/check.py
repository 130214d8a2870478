"""`ablation check`: a data set on one screen, on a page and as JSON, before anything is trained on it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.table import Table
from rich.text import Text

from ablation.cli.console import as_line, console, say_line, table
from ablation.cli.context import FOLDER
from ablation.cli.progress import counting
from ablation.core.errors import DataError
from ablation.core.files import atomic, write_json
from ablation.core.safe import file_name
from ablation.data import Listing, SkipBad, Source, Split, Subset
from ablation.data.check import Check
from ablation.data.check import check as check_data
from ablation.data.decode import FULL_DEPTH
from ablation.data.files import printable
from ablation.data.guess import source_at
from ablation.data.tables import Columns
from ablation.experiment.files import experiment_names, find, read
from ablation.report.data_check.findings import as_json, findings, moments_line, stops, verdict
from ablation.report.data_check.folder import folder_of, place_of
from ablation.report.render.digest import check_digest, is_current

_MOST_CLASSES = 16  # with more, the eight largest and the eight smallest are shown
_MOST_BAD = 10
_BAR = 28  # characters of the largest class
_SIGN = {"error": ("✗", "bold red"), "warning": ("!", "yellow"), "note": ("·", "default")}


@click.command()
@click.argument("data", metavar="DATA")
@click.option("--classes", metavar="FILE", help="Names of a list's classes; by default the classes.txt beside it.")
@click.option("--root", default="data", show_default=True, help="Where torchvision keeps its data sets.")
@click.option(
    "--column",
    "columns",
    metavar="KIND=NAME",
    multiple=True,
    help="What a table calls its column path, label, split or group, as in --column path=filename.",
)
@click.option("--outside", is_flag=True, help="A list or table may name files outside its folder.")
@click.option("--first-frame", is_flag=True, help="Take the first frame of an animation instead of refusing it.")
@click.option(
    "--bit-depth",
    type=click.IntRange(1, FULL_DEPTH),
    metavar="BITS",
    help="How many bits grey files of 16 use: 12 of many cameras.",
)
@click.option("--download", is_flag=True, help="Let torchvision fetch a data set that is not there.")
@click.option("--skip-bad", is_flag=True, help="Leave out the files that cannot be used.")
@click.option("--full", is_flag=True, help="Read every file again, also those whose size and time have not changed.")
@click.option("--out", metavar="FOLDER", type=FOLDER, help="By default reports/DATA/, or reports/EXPERIMENT-check/.")
@click.option("--cache", type=FOLDER, default="cache", show_default=True, help="Where what was read is remembered.")
def check(
    data: str,
    classes: str | None,
    root: str,
    columns: tuple[str, ...],
    skip_bad: bool,
    full: bool,
    out: Path | None,
    cache: Path,
    **settings: bool | int | None,
) -> None:
    """Look at a data set before training: bad files, copies, balance, sizes, mean and std.

    DATA is a folder with a folder of images for each class (or train/val/test folders with these), a list of
    path<TAB>label, a CSV table with the columns path, label and maybe split and group, a data set of torchvision,
    digits, or an experiment. Writes check.html and check.json. Exit status 3 if something would stop a run.

    \b
    Example:
      ablation check photos/
      ablation check photos/train_list.txt --skip-bad
    """
    source, split, experiment = _source(data, classes, root, _named(columns))
    source = _with_settings(source, settings)
    source = SkipBad(source) if skip_bad and not isinstance(source, SkipBad) else source
    try:
        with counting("reading", console) as progress:
            checked = check_data(source, cache, progress, full, split)
    except DataError as error:  # what an earlier check said of this data holds no more
        folder = out or _folder(source, experiment)
        for name in ("check.html", "check.json"):
            (folder / name).unlink(missing_ok=True)
        raise (_as_typed(error) if split is None else error) from None
    folder = out or _folder(source, experiment, "" if checked.listing is None else checked.listing.digest)
    _write(checked, folder)
    show_check(printable(data), checked, _spelt if split is None else str)
    say_line(f"wrote {printable(str(folder / 'check.html'))} and check.json")
    if stops(checked):
        sys.exit(3)


def _named(columns: Sequence[str]) -> dict[str, str]:
    """Return kind -> name of each column that was named. Raises UsageError for another kind, or one without a name."""
    named = {}
    for given in columns:
        kind, _, name = given.partition("=")
        if kind not in Columns._fields or not name:
            allowed = ", ".join(f"{kind}=NAME" for kind in Columns._fields)
            raise click.UsageError(f"--column {given!r}: expected one of {allowed}")
        named[kind] = name
    return named


def _folder(source: Source, experiment: str, digest: str = "") -> Path:
    """Where the check is written: of an experiment's data apart from that of the data alone, which has other advice."""
    reports = Path("reports")
    return reports / file_name(f"{experiment}-check") if experiment else folder_of(source, reports, digest)


def _source(data: str, classes: str | None, root: str, columns: Mapping[str, str]) -> tuple[Source, Split | None, str]:
    """Return what is named: data that is there, else that of an experiment, with its split and its name."""
    is_experiment = data.endswith(".py") or (not os.path.exists(data) and data in experiment_names())
    if not is_experiment:
        return source_at(data, classes, root, experiment_names(), columns), None, ""
    if columns:
        raise click.UsageError("--column means nothing for an experiment; name the columns in its CsvFile(...)")
    experiment = read(find(data)).experiment
    source = experiment.data.source if isinstance(experiment.data, Subset) else experiment.data
    return source, experiment.split, experiment.name


def _with_settings(source: Source, requested: Mapping[str, bool | int | None]) -> Source:
    """Return the source with the requested settings on. Raises UsageError where it has no such setting."""
    settings: dict[str, Any] = {name: setting for name, setting in requested.items() if setting}
    for name in settings:
        if name not in {field.name for field in fields(source)}:
            raise click.UsageError(f"--{name.replace('_', '-')} means nothing for {type(source).__name__}")
    return replace(source, **settings)


_OPTIONS = {
    "outside=True": "--outside",
    "first_frame=True": "--first-frame",
    "download=True": "--download",
}
"""What an experiment's author writes -> what is typed here."""
_COLUMN = re.compile(r"""(path|label|split|group)_column=('[^']*'|"[^"]*"|\.\.\.)""")


def _spelt(message: str) -> str:
    """Return a message with the settings of a source as they are typed here, for data that was named here."""
    for written, typed in _OPTIONS.items():
        message = message.replace(written, typed)
    message = re.sub(r"\bbit_depth=(\d+)", r"--bit-depth \1", message)
    message = re.sub(r", which CsvFile\(.*?\) reads", "", message)
    message = re.sub(r"CsvFile\(.*?, (\w+_column=.*?)\)", lambda found: found[1].replace(", ", " "), message)
    return _COLUMN.sub(_as_option, message)


def _as_option(column: re.Match[str]) -> str:
    kind, name = column[1], column[2]
    return f"--column {shlex.quote(f'{kind}={name}' if name == '...' else f'{kind}={name[1:-1]}')}"


def _as_typed(error: DataError) -> DataError:
    """Return the error with its options as they are spelt on a command line, for data that was named on one."""
    return DataError(replace(one, message=_spelt(one.message)) for one in error.problems)


def _write(checked: Check, folder: Path) -> None:
    """Write check.html, unless it is there and was made of the same, and check.json."""
    content = as_json(checked) | {"place": place_of(checked.source)}
    digest = check_digest(content)
    if not is_current(folder / "check.html", digest):
        from ablation.report.data_check.page import render_check  # which draws: it takes a second to import

        with atomic(folder / "check.html", "w") as file:
            file.write(render_check(checked, digest))
    write_json(folder / "check.json", content)


def show_check(name: str, checked: Check, spelt: Callable[[str], str] = str) -> None:
    """Print the data as it was named, the verdict, the classes, what is typical, and each finding with its advice.

    spelt: from a sentence to how it is spelt here.
    """
    every = findings(checked)
    style = {"error": "bold red", "warning": "bold yellow", "note": "bold green"}[every[0].level if every else "note"]
    say_line(Text.assemble(f"{name}: ", (verdict(checked), style)))
    console.print()
    if checked.listing is not None:
        _show_classes(checked, checked.listing)
        _show_facts(checked, checked.listing)
    for problem in checked.bad[:_MOST_BAD]:
        say_line(spelt(str(problem)), "red")
    if len(checked.bad) > _MOST_BAD:
        say_line(f"... and {len(checked.bad) - _MOST_BAD} more, all in check.html", "red")
    for finding in every:
        sign, style = _SIGN[finding.level]
        made = Table.grid(padding=(0, 1))
        text = as_line(Text(spelt(finding.text), style))
        if finding.advice:
            text = Text.assemble(text, "\n", as_line(Text(spelt(finding.advice), "dim")))
        made.add_row(Text(sign, style), text)
        console.print(made)
    console.print()


def _show_classes(checked: Check, data: Listing) -> None:
    names, counts, parts = data.classes, checked.counts, checked.part_counts
    shown: Sequence[int] = range(len(names))
    if len(names) > _MOST_CLASSES:
        order = np.argsort(-counts, kind="stable")
        shown = [*order[: _MOST_CLASSES // 2].tolist(), *order[-_MOST_CLASSES // 2 :].tolist()]
    made = table("class", "images", *parts, "", right=("images", *parts))
    for index, row in enumerate(shown):
        if len(names) > _MOST_CLASSES and index == _MOST_CLASSES // 2:
            made.add_row(Text(f"... {len(names) - _MOST_CLASSES} classes between", "dim"))
        bar = "█" * max(1, round(_BAR * counts[row] / counts.max()))
        of_part = [f"{here[row]:,}" for here in parts.values()]
        made.add_row(names[row], f"{counts[row]:,}", *of_part, Text(bar, "cyan"))
    console.print(made)


def _show_facts(checked: Check, data: Listing) -> None:
    width, height = data.traits["width"], data.traits["height"]
    middle = f"{np.median(width):.0f} x {np.median(height):.0f}"
    area = width.astype(np.int64) * height
    least, most = (f"{width[row]:,} x {height[row]:,}" for row in (area.argmin(), area.argmax()))
    facts = {
        "images": f"{len(data.labels):,} of {len(data.classes)} classes, {checked.imbalance:.2f} to 1",
        "size": f"{middle} (median width x height), smallest {least}, largest {most}" if least != most else least,
        "files": "; ".join(filter(None, (_tallied(checked.formats), _tallied(checked.modes)))),
        "mean, std": moments_line(checked),
    }
    made = Table.grid(padding=(0, 2))
    for fact, text in facts.items():
        if text:
            made.add_row(Text(fact, "dim"), as_line(text))
    console.print(made)
    console.print()


def _tallied(counts: Mapping[str, int]) -> str:
    """Return 'JPEG 2,151, GIF 5'."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
