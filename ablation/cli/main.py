"""The commands: parse, call, print. What they do lives elsewhere, and is imported when a command needs it.

    runs = sweep(experiment)               # trains only what is missing
    results = Results.load(experiment)     # tidy: one row per run
    effects = compare(results)             # the declared test, corrected for multiplicity
    write_report(experiment, results, effects)

Exit codes: 0 done, 1 some runs failed, 2 a mistake in the command or the experiment file, 3 a mistake in the data,
130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ablation.analysis.metrics import METRICS
from ablation.cli.check import cache, check
from ablation.cli.compare import compare, report, show_alarms, show_comparison, status
from ablation.cli.context import Commands, Place, on_experiment, warn
from ablation.cli.summary import doctor, summary
from ablation.core.errors import AblationError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ablation", message="ablation %(version)s")
def cli() -> None:
    """Find out, with evidence, which image augmentation really helps.

    EXPERIMENT is a name in experiments/ or the path of a file.

    \b
    Example:
      ablation plan quickstart      what it would train
      ablation run quickstart       train what is missing, then the verdicts
      ablation report quickstart    reports/quickstart.html
    """


for command in (check, cache, summary, doctor, status, compare, report):
    cli.add_command(command)


@cli.command("list")
def list_() -> None:
    """List the experiments in experiments/.

    \b
    Example:
      ablation list
    """
    from ablation.cli.console import console, show_experiments
    from ablation.experiment.files import FOLDER, experiment_names, find, read

    rows = []
    for name in experiment_names():
        try:
            file = read(find(name))
            rows.append((name, str(len({cell.spec.id for cell in file.experiment.cells("")})), file.question))
        except AblationError as error:
            rows.append((name, "", f"cannot be read: {error.problems[0]}"))
    if not rows:
        console.print(f"no experiment in {FOLDER}/; start in the project's folder")
        return
    show_experiments(rows)


@cli.command()
@click.option("--all", "every", is_flag=True, help="Every run with its id and how it stands.")
@click.option(
    "--sd",
    metavar="X",
    type=click.FloatRange(min=0, min_open=True),
    help="The metric's sd over seeds, in points (or the metric's own unit), in place of an estimate.",
)
@on_experiment
def plan(place: Place, every: bool, sd: float | None) -> None:
    """Show what an experiment would train, and what it could show.

    \b
    Example:
      ablation plan quickstart
      ablation plan cats12 --data ~/cats12 --sd 1.5 --all
    """
    from ablation.cli.console import show_grid
    from ablation.cli.console_plan import show_plan
    from ablation.cli.plan_cost import show_cost
    from ablation.evidence.power import Spread, seed_spread
    from ablation.experiment.runs import folder_of, runs_of

    experiment = place.experiment()
    data = place.listing(experiment)
    cells = experiment.cells(data.digest)
    runs = runs_of(cells, folder_of(experiment, place.runs))
    finished = {run.spec.id: record for run in runs if (record := run.record())}
    if sd is not None:
        spread = Spread(sd / 100 if METRICS[experiment.metric].unit == "points" else sd, "given")
        single = pooled = spread
    elif finished:
        results = place.results()
        single, pooled = seed_spread(results), seed_spread(results, pooled=True)
    else:
        single = pooled = Spread()
    show_plan(experiment, data, cells, len(finished), single, pooled)
    show_cost(cells, data, place.cache, finished)
    if every:
        show_grid(cells, {run.spec.id: run.status() for run in runs})


@cli.command()
@click.option("--recipe", "recipes", metavar="R", multiple=True, help="Only this recipe; may be repeated.")
@click.option(
    "--image",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A photograph, in place of the first that is trained on.",
)
@click.option(
    "--out",
    metavar="F.png",
    type=click.Path(dir_okay=False, path_type=Path),
    help="By default reports/EXPERIMENT-preview.png.",
)
@on_experiment
def preview(place: Place, recipes: tuple[str, ...], image: Path | None, out: Path | None) -> None:
    """Draw what each recipe makes of a photograph: several draws, and what was changed.

    \b
    Example:
      ablation preview quickstart
      ablation preview cats12 --recipe crop --recipe all --image ~/cat.jpg
    """
    from ablation.cli.console import console
    from ablation.cli.progress import counting
    from ablation.core.files import atomic
    from ablation.report.sections.pictures.section import preview_info
    from ablation.report.sections.pictures.strips import draw_preview
    from ablation.report.style import styles
    from ablation.training.preview import previews

    experiment = place.experiment()
    place.listing(experiment)
    with counting("reading images into the cache", console) as progress:
        shown = previews(experiment, place.cache, recipes, image, progress)
    path = out or Path("reports") / f"{experiment.name}-preview.png"
    info = preview_info(experiment, shown.previews, f"The image {shown.name}", f"seed {shown.seed}")
    with atomic(path) as file:
        file.write(draw_preview(info, styles(experiment.recipes, experiment.baseline)))
    console.print(f"wrote {path}", markup=False)


@cli.command()
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Workers; by default one per GPU, or one per CPU core.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow's; by default ./mlflow.db.")
@click.option("--no-tracking", is_flag=True, help="Publish nothing to MLflow.")
@click.option("--keep-weights", is_flag=True, help="Leave each run's network in its folder, as weights.pt.")
@on_experiment
def run(
    place: Place, jobs: int | None, device: str, tracking_uri: str | None, no_tracking: bool, keep_weights: bool
) -> None:
    """Train the runs that are missing, publish them to MLflow, print the verdicts.

    Ctrl-C stops it; the same command goes on where it was.

    \b
    Example:
      ablation run quickstart
      ablation run cats12 --smoke --data ~/cats12
    """
    from ablation.cli.console import console, names_of
    from ablation.cli.progress import Progress
    from ablation.evidence.effects import compare as compare_results
    from ablation.tracking.client import Tracker
    from ablation.training.sweep import sweep

    experiment = place.experiment()
    cells = experiment.cells(place.listing(experiment).digest)
    tracker = Tracker(experiment, cells, place.runs, tracking_uri, warn) if not no_tracking else None
    with Progress(experiment.name, names_of(cells), console) as progress:
        ended = tracker.publish if tracker else lambda run: None
        runs = sweep(experiment, place.runs, place.cache, jobs, device, progress, ended, keep_weights)
    if tracker:
        tracker.publish_all()
    results = place.results()
    show_comparison(results, compare_results(results))
    show_alarms(results)
    if keep_weights and (without := [run for run in runs if run.record() and not run.weights.exists()]):
        warn(f"{len(without)} runs had finished before without their weights; remove their folders to train them anew")
    failed = [run for run in runs if run.status() not in ("finished", "diverged")]
    if failed:
        warn(
            f"{len(failed)} runs did not finish; {place.command('status')} says why, the same command tries them again"
        )
        sys.exit(1)


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="By default 5000, or the next one that is free.")
@click.option("--tracking-uri", metavar="URI", envvar="MLFLOW_TRACKING_URI", help="MLflow's; by default ./mlflow.db.")
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="Folder of the runs.")
def ui(port: int | None, tracking_uri: str | None, runs: Path) -> None:
    """Start MLflow's own pages on 127.0.0.1, with the right store; Ctrl-C ends them.

    \b
    Example:
      ablation ui --port 5001
    """
    from ablation.tracking.ui import serve_ui

    serve_ui(runs, tracking_uri, port, click.echo)


def main() -> None:
    """The `ablation` command."""
    try:
        cli.main(prog_name="ablation")
    except AblationError as error:
        for problem in error.problems:
            click.secho(f"error: {problem}", fg="red", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written: the system's own words, and where
        click.secho(f"error: {error.filename or 'writing'}: {error.strerror or error}", fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
