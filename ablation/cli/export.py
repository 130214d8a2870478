"""`ablation export`: an evidence pack, from which a stranger verifies an experiment without its images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from ablation.cli.compare import show_warnings
from ablation.cli.console import say, say_line, warn
from ablation.cli.context import DRY_RUN, FOLDER, ExperimentOptions, on_experiment
from ablation.core.errors import InputError
from ablation.core.text import byte_size, counted
from ablation.evidence.study import Study
from ablation.experiment.files import find
from ablation.experiment.pack import pack_of, refuse_full, write_pack
from ablation.experiment.results import Results
from ablation.experiment.runs import folder_of
from ablation.experiment.seal import digest_of_file
from ablation.report.render.evidence import EVIDENCE_FILE, is_within
from ablation.report.verification import report_held


@click.command()
@click.option(
    "--to", "target", metavar="DIR|FILE.zip", type=click.Path(path_type=Path), required=True, help="Where to."
)
@click.option("--report", "folder", metavar="DIR", type=FOLDER, help="By default reports/EXPERIMENT, if it is there.")
@DRY_RUN
@on_experiment
def export(options: ExperimentOptions, target: Path, folder: Path | None, dry_run: bool) -> None:
    """Pack what a stranger needs to verify an experiment without its images.

    The experiment, the spec, record, predictions and journal of every run, how results were to be judged, the digest of
    every image and which part it is in, the packages, the report, and a README with the commands; with the images, a
    run can be trained again from it. The same runs give the same bytes.

    \b
    Example:
      ablation export quickstart --to quickstart.zip
      ablation verify quickstart.zip
    """
    with options.writing(dry_run) as scratch:
        experiment = options.experiment()
        data = scratch.listing(experiment)
        cells, root = experiment.cells(data.digest), folder_of(experiment, options.runs)
        results = Results.read(experiment, cells, data, root, len(data.left_out), options.cache)
    if not results.records:
        raise InputError(f"no run of {options.name} has finished in {options.runs}: there is nothing to pack")
    report = _report(folder, experiment.name, options)
    source = find(options.name).read_bytes()
    contents = pack_of(results, data, source, options.command("run"), report)
    size = sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in contents.values())
    what = f"{target}: {counted(len(results.records), 'run')}{' and the report' if report else ''}, {byte_size(size)}"
    if dry_run:
        refuse_full(target)
        say_line(f"would write {what}{' in place of what is there' if target.exists() else ''}")
        return
    write_pack(contents, target)
    say_line(f"wrote {what}")
    if target.is_file():
        say_line(f"SHA-256 {digest_of_file(target)}")
        say(
            "Whoever gets the pack should get this number another way: nobody can change the one without the other.",
            "dim",
        )
    show_warnings(Study(results))


def _report(folder: Path | None, name: str, options: ExperimentOptions) -> Mapping[str, Path]:
    """The files of the report by their names in it: those that its evidence names, and the evidence."""
    usual = Path("reports") / options.named(name)
    if folder is None and not (usual / EVIDENCE_FILE).is_file():
        warn(f"there is no report in {usual}; `{options.command('report')}` writes one")
        return {}
    folder = folder or usual
    files = {name: folder / name for name in (EVIDENCE_FILE, *report_held(folder)["files"])}
    if missing := [name for name in files if not is_within(folder, name)]:
        raise InputError(
            f"the report in {folder} lacks {', '.join(missing[:3])}; `{options.command('report')} --force`"
        )
    return files
