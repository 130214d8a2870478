"""`ablation cache`: the cached images, listed and removed."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from ablation.cli.console import console, say_line, table
from ablation.cli.context import DRY_RUN, FOLDER
from ablation.core.text import byte_size
from ablation.data.cache import cached, removable, remove


@click.group()
def cache() -> None:
    """List and remove the cached images.

    \b
    Example:
      ablation cache ls
      ablation cache rm 3f0c --cache ~/cache
    """


_CACHE = click.option("--cache", "root", type=FOLDER, default="cache", show_default=True, help="Folder of the cache.")


@cache.command("ls")
@_CACHE
def ls(root: Path) -> None:
    """Show what is cached: images, size, location on disk, and where it came from.

    \b
    Example:
      ablation cache ls
    """
    entries = cached(root)
    if not entries:
        say_line(f"nothing is cached in {root}")
        return
    made = table("name", "images", "side", "MB", "made", "source", right=("images", "side", "MB"))
    for entry in entries:
        size = f"{entry.bytes / 1e6:,.1f}"
        made.add_row(entry.name, f"{entry.images:,}", str(entry.size), size, entry.made, Text(entry.source))
    console.print(made)
    say_line(f"{byte_size(sum(entry.bytes for entry in entries))} in {root}")


@cache.command("rm")
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Everything that is cached, and what is remembered of files.")
@_CACHE
@DRY_RUN
def rm(names: tuple[str, ...], every: bool, root: Path, dry_run: bool) -> None:
    """Remove cached images by name, or the first letters of it. They are made again when they are needed.

    \b
    Example:
      ablation cache rm 3f0c
      ablation cache rm --all
    """
    if bool(names) == every:
        raise click.UsageError("name what is to be removed (see `ablation cache ls`), or --all")
    if dry_run:
        for name in removable(root, names, every):
            say_line(f"would remove {name}")
        return
    for removed in remove(root, names, every):
        say_line(f"removed {removed}")
