"""What commands on an experiment share: the argument and options that say which experiment, and reading it."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ablation.cli.console import console, warn
from ablation.cli.progress import counting
from ablation.core.safe import file_name
from ablation.core.text import listing as listed
from ablation.data import Listing, listing
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.files import load, outlines
from ablation.experiment.overrides import changes, overridden, read_overrides
from ablation.experiment.preregistration import Variant
from ablation.experiment.selection import Only, chosen_cells, read_only

if TYPE_CHECKING:
    from ablation.experiment.results import Results

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
TRACKING_URI = click.option(
    "--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow's; by default ./mlflow.db."
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
ONLY = click.option(
    "--only",
    "cells",
    multiple=True,
    metavar="FACTOR=LEVEL,...",
    help="Only these runs of the grid, as recipe=crop,optimizer=sgd; given several times, they add up.",
)
"""For commands on experiments: `ExperimentOptions.cells` and `only` have what is given."""


def _chooses_no_section(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> None:
    if given:
        hint = "it chooses runs, as recipe=crop, and here all of them count; a section is --section SLUG"
        raise click.NoSuchOption("--only", f"No such option '--only': {hint}.", ctx=context)


def of_sections(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that writes sections of the report the option that chooses them, as `only`."""
    misplaced = click.option(
        "--only", "misplaced", multiple=True, hidden=True, expose_value=False, callback=_chooses_no_section
    )
    about = "Only this section, as effects (compare --help names all); given several times, they add up."
    return click.option("--section", "only", metavar="SLUG", multiple=True, help=about)(misplaced(command))


@dataclass(frozen=True)
class ExperimentOptions:
    """Which experiment, how it is changed, the runs of it that are meant, and the folders of runs and image cache."""

    name: str
    data: str | None
    smoke: bool
    runs: Path
    cache: Path
    sets: tuple[str, ...] = ()
    """'FIELD=VALUE' of each `--set`."""
    cells: tuple[str, ...] = ()
    """'FACTOR=LEVEL,...' of each `--only`."""

    def experiment(self) -> Experiment:
        """Read the experiment; its question is that of its file where it has none. Raises InputError."""
        of_file = self._of_file()  # first: code of one's own that an override names is looked for beside this file
        overrides = read_overrides(self.sets)
        experiment = overridden(of_file, overrides)
        if self.data is not None:
            experiment = replace(experiment, data=experiment.data.moved_to(self.data))
        if not self.smoke:
            return experiment
        small = experiment.smoke()
        if lost := [f"--set {one.typed}" for one in overrides if _is_lost(one.field, experiment, small)]:
            _warn_once(f"--smoke makes the experiment small, whatever was set: {listed(lost)} has no effect")
        return small

    def _of_file(self) -> Experiment:
        file = load(self.name)
        return file.experiment if file.experiment.question else replace(file.experiment, question=file.question)

    def variant(self, data: str) -> Variant | None:
        """What the experiment is a variant of, where `--set` changes it; data: the digest of the photographs."""
        changed = changes(self._of_file(), read_overrides(self.sets)) if self.sets else ()
        if not changed:
            return None
        unchanged = replace(self, sets=()).experiment()
        return Variant(unchanged, unchanged.cells(data), changed)

    @property
    def only(self) -> Only:
        """What `--only` chooses. Raises InputError for what is no list of factors and levels."""
        return tuple(map(read_only, self.cells))

    def chosen(self, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        """Those of the cells that `--only` chooses; all without it. Raises InputError for a name that none has."""
        return chosen_cells(self.only, cells)

    def listing(self, experiment: Experiment) -> Listing:
        """Read what the experiment's data holds, with a bar while files are read for the first time."""
        with counting("reading", console) as progress:
            return listing(experiment.data, self.cache, progress)

    def results(self) -> Results:
        """Read the records of all runs, with a bar as in `listing`."""
        from ablation.experiment.results import Results  # pandas, which not every command needs

        with counting("reading", console) as progress:
            return Results.load(self.experiment(), self.runs, self.cache, progress)

    def named(self, name: str) -> str:
        """What files on the experiment of this name are called: those on a variant are not those on the experiment."""
        return file_name("-".join([name, *self.sets])) if self.sets else name

    def command(self, verb: str, only: bool = False) -> str:
        """Return the command line that does `verb` to the same experiment; only: to the runs that are meant alone."""
        smoke = ["--smoke"] if self.smoke else []
        data = ["--data", self.data] if self.data is not None else []
        sets = [word for one in self.sets for word in ("--set", one)]
        chosen = [word for one in self.cells for word in ("--only", one)] if only else []
        runs = ["--runs", str(self.runs)] if self.runs != Path("runs") else []
        cache = ["--cache", str(self.cache)] if self.cache != Path("cache") else []
        return shlex.join(["ablation", verb, self.name, *smoke, *data, *sets, *chosen, *runs, *cache])

    @contextmanager
    def writing(self, dry_run: bool) -> Iterator[ExperimentOptions]:
        """The same for a block that may write to the cache, see `writable`."""
        with writable(self.cache, dry_run) as cache:
            yield replace(self, cache=cache)


@contextmanager
def writable(cache: Path, dry_run: bool) -> Iterator[Path]:
    """A cache that may be written; in a dry run one that knows what that one does, and is gone behind the block."""
    if not dry_run:
        yield cache
        return
    with TemporaryDirectory(prefix="ablation-") as folder:
        scratch = Path(folder) / "cache"
        if cache.is_dir():
            ignored = shutil.ignore_patterns("*.lock")
            shutil.copytree(cache, scratch, copy_function=_linked, ignore=ignored, ignore_dangling_symlinks=True)
        yield scratch


def _is_lost(field: str, experiment: Experiment, small: Experiment) -> bool:
    """Whether a number that was set is another one in the experiment made small."""
    if field == "seeds":
        return small.seed_numbers != experiment.seed_numbers
    numbers = ("epochs", "batch_size", "image_size", "cache_size", "train_size")
    return field in numbers and getattr(small, field) != getattr(experiment, field)


def _warn_once(text: str) -> None:
    """Warn once in a command, which may read its experiment several times."""
    said = click.get_current_context().meta.setdefault(__name__, set())
    if text not in said:
        said.add(text)
        warn(text)


def _linked(source: str, target: str) -> None:
    """Make `target` stand for the file `source`; what is written there replaces the link, and leaves the file."""
    try:
        os.symlink(os.path.abspath(source), target)
    except OSError:  # of Windows, where not everybody may
        shutil.copy2(source, target)


def on_experiment(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and options of `ExperimentOptions`, which is the first argument that it gets."""
    return _on(click.argument("names", metavar="EXPERIMENT", nargs=1), lambda every: every[0], command)


def on_experiments(command: Callable[..., None]) -> Callable[..., None]:
    """The same for one or more experiments: the command gets a tuple of `ExperimentOptions`."""
    return _on(click.argument("names", metavar="EXPERIMENT...", nargs=-1, required=True), tuple, command)


def on_experiments_with_runs(command: Callable[..., None]) -> Callable[..., None]:
    """As `on_experiments`; where none is named, the command gets all that the folder of runs holds runs of."""
    return _on(click.argument("names", metavar="[EXPERIMENT...]", nargs=-1), tuple, command)


def _on(
    argument: Callable[..., Any], given: Callable[[Sequence[ExperimentOptions]], Any], command: Callable[..., None]
) -> Callable[..., None]:
    """argument: what names experiments. given: what the command gets of the options of each."""

    @functools.wraps(command)
    def with_options(names: str | tuple[str, ...], sets: tuple[str, ...], **others: Any) -> None:
        shared = {name: others.pop(name) for name in ("data", "smoke", "runs", "cache")}
        shared |= {"sets": sets, "cells": others.pop("cells", ())}
        named = (names,) if isinstance(names, str) else names
        every = [ExperimentOptions(name, **shared) for name in named]
        command(given(every or _with_runs(ExperimentOptions("", **shared))), **others)

    for decorate in (
        click.option("--cache", type=FOLDER, default="cache", show_default=True, help="Folder of the image cache."),
        click.option("--runs", type=FOLDER, default="runs", show_default=True, help="Folder of the runs."),
        click.option("--smoke", is_flag=True, help="The experiment made small: few images, one epoch, two seeds."),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="FIELD=VALUE",
            help="This value instead of the file's, as epochs=5 or 'split=Fixed(0.6, 0.2, 0.2)'; may be repeated.",
        ),
        click.option("--data", metavar="PATH", help="Where the images lie, if not where the experiment says."),
        argument,
    ):
        decorate(with_options)
    return with_options


def _with_runs(options: ExperimentOptions) -> list[ExperimentOptions]:
    """The options for each experiment that has runs, by what the files say: none is run before that is known."""
    if options.sets or options.cells:
        raise click.UsageError("--set and --only are for experiments that are named: which one?")
    both = [(one.name, small) for one in outlines() for small in (False, True)]
    held = [(name, small) for name, small in both if (options.runs / (f"{name}-smoke" if small else name)).is_dir()]
    return [replace(options, name=name, smoke=small) for name, small in held if small or not options.smoke]
