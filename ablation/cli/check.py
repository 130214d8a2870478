"""The commands on data alone: `ablation check DATA`, and `ablation cache`. Parse, call, print."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ablation.data import Source, Split

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("data", metavar="DATA")
@click.option("--classes", metavar="FILE", help="Names of a list's classes; by default the classes.txt beside it.")
@click.option("--root", default="data", show_default=True, help="Where torchvision keeps its data sets.")
@click.option("--outside", is_flag=True, help="A list or table may name files outside its folder.")
@click.option("--first-frame", is_flag=True, help="Take the first frame of an animation instead of refusing it.")
@click.option("--download", is_flag=True, help="Let torchvision fetch a data set that is not there.")
@click.option("--skip-bad", is_flag=True, help="Leave out the files that cannot be used.")
@click.option("--full", is_flag=True, help="Read every file again, also those whose size and time have not changed.")
@click.option("--out", metavar="FOLDER", type=_FOLDER, help="By default reports/DATA/.")
@click.option("--cache", type=_FOLDER, default="cache", show_default=True, help="Where what was read is remembered.")
def check(
    data: str,
    classes: str | None,
    root: str,
    outside: bool,
    first_frame: bool,
    download: bool,
    skip_bad: bool,
    full: bool,
    out: Path | None,
    cache: Path,
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
    from ablation.cli.console import console
    from ablation.cli.console_data import show_check
    from ablation.cli.progress import counting
    from ablation.core.errors import DataError
    from ablation.core.files import atomic, write_json
    from ablation.data import SkipBad
    from ablation.data.check import check as look
    from ablation.data.files import printable
    from ablation.report.data_check.findings import as_json, name_of, stops
    from ablation.report.render.digest import check_digest, is_current

    source, split = _source(data, classes, root)
    source = _with_settings(source, {"outside": outside, "first_frame": first_frame, "download": download})
    source = SkipBad(source) if skip_bad and not isinstance(source, SkipBad) else source
    folder = out or Path("reports") / name_of(source)
    try:
        with counting("reading", console) as progress:
            found = look(source, cache, progress, full, split)
    except DataError:  # what an earlier check said of this data holds no more
        for name in ("check.html", "check.json"):
            (folder / name).unlink(missing_ok=True)
        raise
    told = as_json(found)
    digest = check_digest(told)
    if not is_current(folder / "check.html", digest):
        from ablation.report.data_check.check_page import render_check  # which draws: it takes a second to import

        with atomic(folder / "check.html", "w") as file:
            file.write(render_check(found, digest))
    write_json(folder / "check.json", told)
    show_check(printable(data), found)
    console.print(f"wrote {printable(str(folder / 'check.html'))} and check.json", markup=False)
    if stops(found):
        sys.exit(3)


def _source(data: str, classes: str | None, root: str) -> tuple[Source, Split | None]:
    """What is named: data that is there, else the data of an experiment of that name, with its split."""
    from ablation.data import Subset
    from ablation.data.guess import source_at
    from ablation.experiment.files import experiment_names, find, read

    is_experiment = data.endswith(".py") or (not os.path.exists(data) and data in experiment_names())
    if not is_experiment:
        return source_at(data, classes, root, experiment_names()), None
    experiment = read(find(data)).experiment
    return experiment.data.source if isinstance(experiment.data, Subset) else experiment.data, experiment.split


def _with_settings(source: Source, wanted: dict[str, bool]) -> Source:
    """The source with the settings that were asked for switched on. Raises UsageError where it has no such setting."""
    for name, on in wanted.items():
        if on and name not in {field.name for field in fields(source)}:
            raise click.UsageError(f"--{name.replace('_', '-')} means nothing for {type(source).__name__}")
    settings: dict[str, Any] = {name: True for name, on in wanted.items() if on}
    return replace(source, **settings)


@click.group()
def cache() -> None:
    """List and remove the cached images.

    \b
    Example:
      ablation cache ls
      ablation cache rm 3f0c --cache ~/cache
    """


_CACHE = click.option("--cache", "root", type=_FOLDER, default="cache", show_default=True, help="Folder of the cache.")


@cache.command("ls")
@_CACHE
def ls(root: Path) -> None:
    """Show what is cached: images, size, place on disk, and where it came from.

    \b
    Example:
      ablation cache ls
    """
    from ablation.cli.console_data import show_cached
    from ablation.data.cached import cached

    show_cached(cached(root), root)


@cache.command("rm")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Everything that is cached, and what is remembered of files.")
@_CACHE
def rm(names: tuple[str, ...], every: bool, root: Path) -> None:
    """Remove cached images by name, or the first letters of it. They are made again when they are needed.

    \b
    Example:
      ablation cache rm 3f0c
      ablation cache rm --all
    """
    from ablation.data.cached import remove

    if bool(names) == every:
        raise click.UsageError("name what is to be removed (see `ablation cache ls`), or --all")
    for removed in remove(root, names, every):
        click.echo(f"removed {removed}")
