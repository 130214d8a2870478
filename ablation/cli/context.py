"""What commands on an experiment share: the argument and options that say which experiment, and reading it."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ablation.cli.console import console
from ablation.cli.progress import counting
from ablation.data import Listing, listing
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import find, outlines, read

if TYPE_CHECKING:
    from ablation.experiment.results import Results

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
TRACKING_URI = click.option(
    "--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow's; by default ./mlflow.db."
)


@dataclass(frozen=True)
class ExperimentOptions:
    """Which experiment, how it is changed, and the folders of its runs and of the image cache."""

    name: str
    data: str | None
    smoke: bool
    runs: Path
    cache: Path

    def experiment(self) -> Experiment:
        """Read the experiment; its question is that of its file where it has none. Raises InputError."""
        file = read(find(self.name))
        experiment = file.experiment
        if not experiment.question:
            experiment = replace(experiment, question=file.question)
        if self.data is not None:
            experiment = replace(experiment, data=experiment.data.moved_to(self.data))
        return experiment.smoke() if self.smoke else experiment

    def listing(self, experiment: Experiment) -> Listing:
        """Read what the experiment's data holds, with a bar while files are read for the first time."""
        with counting("reading", console) as progress:
            return listing(experiment.data, self.cache, progress)

    def results(self) -> Results:
        """Read the records of all runs, with a bar as in `listing`."""
        from ablation.experiment.results import Results  # pandas, which not every command needs

        with counting("reading", console) as progress:
            return Results.load(self.experiment(), self.runs, self.cache, progress)

    def command(self, verb: str) -> str:
        """Return the command line that does `verb` to the same experiment."""
        smoke = ["--smoke"] if self.smoke else []
        data = ["--data", self.data] if self.data is not None else []
        runs = ["--runs", str(self.runs)] if self.runs != Path("runs") else []
        cache = ["--cache", str(self.cache)] if self.cache != Path("cache") else []
        return shlex.join(["ablation", verb, self.name, *smoke, *data, *runs, *cache])


def on_experiment(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and options of `ExperimentOptions`, which is the first argument that it gets."""

    @functools.wraps(command)
    def with_options(name: str, data: str | None, smoke: bool, runs: Path, cache: Path, **others: Any) -> None:
        command(ExperimentOptions(name, data, smoke, runs, cache), **others)

    return _with_options(with_options, click.argument("name", metavar="EXPERIMENT"))


def on_experiments(command: Callable[..., None]) -> Callable[..., None]:
    """The same for one or more experiments: the command gets a tuple of `ExperimentOptions`."""

    @functools.wraps(command)
    def with_options(
        names: tuple[str, ...], data: str | None, smoke: bool, runs: Path, cache: Path, **others: Any
    ) -> None:
        command(tuple(ExperimentOptions(name, data, smoke, runs, cache) for name in names), **others)

    return _with_options(with_options, click.argument("names", metavar="EXPERIMENT...", nargs=-1, required=True))


def on_experiments_with_runs(command: Callable[..., None]) -> Callable[..., None]:
    """As `on_experiments`; where none is named, the command gets all that the folder of runs holds runs of."""

    @functools.wraps(command)
    def with_options(
        names: tuple[str, ...], data: str | None, smoke: bool, runs: Path, cache: Path, **others: Any
    ) -> None:
        if names:
            every = [ExperimentOptions(name, data, smoke, runs, cache) for name in names]
        else:  # by what the files say: none is run before it is known to have runs
            both = [(one.name, small) for one in outlines() for small in (False, True)]
            held = [(name, small) for name, small in both if (runs / (f"{name}-smoke" if small else name)).is_dir()]
            every = [ExperimentOptions(name, data, small, runs, cache) for name, small in held if small or not smoke]
        command(tuple(every), **others)

    return _with_options(with_options, click.argument("names", metavar="[EXPERIMENT...]", nargs=-1))


def _with_options(command: Callable[..., None], argument: Callable[..., Any]) -> Callable[..., None]:
    for decorate in (
        click.option("--cache", type=FOLDER, default="cache", show_default=True, help="Folder of the image cache."),
        click.option("--runs", type=FOLDER, default="runs", show_default=True, help="Folder of the runs."),
        click.option("--smoke", is_flag=True, help="The experiment made small: few images, one epoch, two seeds."),
        click.option("--data", metavar="PATH", help="Where the images lie, if not where the experiment says."),
        argument,
    ):
        decorate(command)
    return command
