"""What commands share: how Ctrl-C ends them, and how they find their experiment by one argument and a few options."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ablation.data import Listing
    from ablation.experiment.experiment import Experiment
    from ablation.experiment.results import Results


class Commands(click.Group):
    """Ctrl-C ends every command alike: what was done is kept, and the status is 130."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(f"\nstopped; the same command goes on: {shlex.join(['ablation', *sys.argv[1:]])}")
            sys.exit(130)


@dataclass(frozen=True)
class Place:
    """What all commands on an experiment share: which one, changed how, and the folders it lives in."""

    name: str
    data: str | None
    smoke: bool
    runs: Path
    cache: Path

    def experiment(self) -> Experiment:
        """The experiment, with the question that its file asks in `question`."""
        from ablation.experiment.files import find, read

        file = read(find(self.name))
        experiment = file.experiment
        if not experiment.question:
            experiment = replace(experiment, question=file.question)
        if self.data is not None:
            experiment = replace(experiment, data=experiment.data.moved_to(self.data))
        return experiment.smoke() if self.smoke else experiment

    def results(self) -> Results:
        from ablation.cli.console import console
        from ablation.cli.progress import counting
        from ablation.experiment.results import Results

        with counting("reading", console) as progress:
            return Results.load(self.experiment(), self.runs, self.cache, progress)

    def listing(self, experiment: Experiment) -> Listing:
        """What the experiment's data holds, with a bar while files are read for the first time."""
        from ablation.cli.console import console
        from ablation.cli.progress import counting
        from ablation.data import listing

        with counting("reading", console) as progress:
            return listing(experiment.data, self.cache, progress)

    def command(self, verb: str) -> str:
        """The command line that does `verb` to the same experiment."""
        smoke = ["--smoke"] if self.smoke else []
        data = ["--data", self.data] if self.data is not None else []
        runs = ["--runs", str(self.runs)] if self.runs != Path("runs") else []
        cache = ["--cache", str(self.cache)] if self.cache != Path("cache") else []
        return shlex.join(["ablation", verb, self.name, *smoke, *data, *runs, *cache])


def on_experiment(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and options by which a command finds its experiment; it gets a `Place`."""

    def with_place(name: str, data: str | None, smoke: bool, runs: Path, cache: Path, **options: Any) -> None:
        command(Place(name, data, smoke, runs, cache), **options)

    with_place.__doc__ = command.__doc__
    with_place.__name__ = command.__name__
    folder = click.Path(file_okay=False, path_type=Path)
    for decorate in (
        click.option("--cache", type=folder, default="cache", show_default=True, help="Folder of the image cache."),
        click.option("--runs", type=folder, default="runs", show_default=True, help="Folder of the runs."),
        click.option("--smoke", is_flag=True, help="The experiment made small: few images, one epoch, two seeds."),
        click.option("--data", metavar="PATH", help="Where the images lie, if not where the experiment says."),
        click.argument("name", metavar="EXPERIMENT"),
    ):
        with_place = decorate(with_place)
    return with_place


def warn(message: str) -> None:
    """A line on standard error."""
    click.secho(f"warning: {message}", fg="yellow", err=True)
