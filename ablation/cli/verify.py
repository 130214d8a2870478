"""`ablation verify`: is every number of runs and report still what follows from what training left?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.text import Text

from ablation.cli.compare import show_warnings
from ablation.cli.console import console, say, say_line, table, warn
from ablation.cli.context import FOLDER, ExperimentOptions, on_experiment
from ablation.cli.progress import counting
from ablation.core.errors import InputError, did_you_mean
from ablation.core.text import counted, listing, opening
from ablation.data import Listing
from ablation.data import listing as listing_of
from ablation.data.split import Splittable
from ablation.evidence.study import Study
from ablation.evidence.verification import Check, Difference, check_runs
from ablation.experiment.files import experiment_names
from ablation.experiment.labels import names_of
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.pack import PACK_FILE, own_code
from ablation.experiment.results import Results
from ablation.experiment.runs import folder_of
from ablation.experiment.seal import digest_of_file
from ablation.experiment.unpack import Pack, opened
from ablation.report.render.evidence import EVIDENCE_FILE
from ablation.report.verification import OUT_OF_DATE, check_report, report_held

MOST_SHOWN = 40
"""Differences that are printed without `--all`."""


@dataclass(frozen=True)
class Subject:
    """One experiment that is verified. data: what its parts are drawn from.

    images: the listing of its images, which only training needs. code: names of code of a stranger's that this runs.
    """

    study: Study
    data: Splittable
    images: Callable[[], Listing]
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """What is verified: experiments, the folder of their report, and what was found where they were unpacked."""

    subjects: tuple[Subject, ...]
    report: Path | None
    checks: tuple[Check, ...] = ()


@click.command()
@click.option("--report", "folder", metavar="DIR", type=FOLDER, help="By default reports/EXPERIMENT, if it is there.")
@click.option("--retrain", metavar="ID", help="Also train this finished run again (or 'any') and compare bit for bit.")
@click.option("--trust", is_flag=True, help="Let a pack run code of its author's: its own metric, and for --retrain.")
@click.option("--all", "every", is_flag=True, help=f"Print every difference, not the first {MOST_SHOWN}.")
@on_experiment
def verify(options: ExperimentOptions, folder: Path | None, retrain: str | None, trust: bool, every: bool) -> None:
    """Compute every number of runs and report anew, and say which differ.

    EXPERIMENT may also be the folder of a report, or an evidence pack (see `ablation export`), a zip or a folder.
    Metrics are computed from the stored logits, the report from the records; nothing is trained, and of a pack nothing
    is run without --trust. The status is 1 where anything differs, and where the report is older than the runs.

    \b
    Example:
      ablation verify quickstart
      ablation verify reports/quickstart
      ablation verify quickstart.zip
      ablation verify quickstart --retrain any
    """
    with given(options, folder, trust) as what:
        checks = [*what.checks, *map(_joined, zip(*map(_of_runs, what.subjects), strict=True))]
        if what.report is not None:
            say_line("computing the report anew", "dim")
            checks += check_report([subject.study for subject in what.subjects], what.report)
        if retrain is not None:
            checks.append(_trained_again(what.subjects[0], retrain, options, trust))
        show_checks(checks, every)
        for subject in what.subjects:
            show_warnings(subject.study)
    if any(check.differences for check in checks):
        sys.exit(1)


@contextmanager
def given(options: ExperimentOptions, folder: Path | None, trust: bool = False) -> Iterator[Given]:
    """What the options name, for as long as the block lasts. trust: whether a pack's own metric may be computed."""
    path = Path(options.name)
    if path.suffix.lower() == ".zip" or (path / PACK_FILE).is_file():
        with opened(path) as pack:
            if isinstance(metric := pack.experiment.metric, OwnMetric) and not trust:
                raise InputError(
                    f"the pack is judged by its author's own metric, and verifying it would run {metric}, as it is on "
                    "this machine: read that first, then --trust"
                )
            yield _of_pack(pack, options, folder)
        return
    names = [options.name]
    if folder is None and (path / EVIDENCE_FILE).is_file():
        folder, names = path, list(report_held(path)["experiments"])
    subjects = tuple(_subject(_named(options, name)) for name in names)
    yield Given(subjects, folder or _report_in(Path("reports") / options.named(subjects[0].study.experiment.name)))


def _report_in(folder: Path) -> Path | None:
    return folder if (folder / EVIDENCE_FILE).is_file() else None


def _named(options: ExperimentOptions, name: str) -> ExperimentOptions:
    """The options of one experiment of a report; made small where its name says so, and no file is called so."""
    options, small = replace(options, name=name), name.removesuffix("-smoke")
    return options if small == name or name in experiment_names() else replace(options, name=small, smoke=True)


def _subject(options: ExperimentOptions) -> Subject:
    experiment = options.experiment()
    data = options.listing(experiment)
    cells, root = experiment.cells(data.digest), folder_of(experiment, options.runs)
    results = Results.read(experiment, cells, data, root, len(data.left_out), options.cache)
    return Subject(_study(results, options.command("run"), str(options.runs)), data, lambda: data)


def _study(results: Results, command: str, where: str) -> Study:
    """Raises InputError where no run has left a result, whether or not it was altered since."""
    if not results.records and not (results.frame["status"] == "altered").any():
        name = results.experiment.name
        raise InputError(f"no run of {name} has finished in {where}: there is nothing to verify")
    return Study(results, command=command)


def _of_pack(pack: Pack, options: ExperimentOptions, folder: Path | None) -> Given:
    """A pack carries its data and its report; a hash of the zip is printed, to be held against the author's."""
    differences = tuple(Difference(name, words) for name, words in pack.wrong)
    files = Check("files of the pack, by pack.json", "file", pack.files, differences)
    if (path := Path(options.name)).is_file():
        say_line(f"SHA-256 of {path.name}: {digest_of_file(path)}", "dim")

    def images() -> Listing:
        source = pack.experiment.data if options.data is None else pack.experiment.data.moved_to(options.data)
        data = listing_of(source, options.cache)
        if data.digest != pack.data.digest:
            raise InputError(f"the images here are the data {data.digest}, and the pack is of {pack.data.digest}")
        return data

    code = own_code(pack.experiment, (cell.spec for cell in pack.cells))
    subject = Subject(_study(pack.results, pack.command, options.name), pack.data, images, code)
    return Given((subject,), folder or _report_in(pack.report), (files,))


def _of_runs(subject: Subject) -> tuple[Check, ...]:
    with counting("checking", console) as progress:
        return check_runs(subject.study.results, subject.data, progress)


def _joined(checks: Sequence[Check]) -> Check:
    """The same check of several experiments as one."""
    differences, notes = (sum((getattr(check, name) for check in checks), ()) for name in ("differences", "notes"))
    omitted = "; ".join(filter(None, (check.omitted for check in checks)))
    count = sum(check.count for check in checks)
    return replace(checks[0], count=count, differences=differences, notes=notes, omitted=omitted)


def show_checks(checks: Sequence[Check], every: bool = False) -> None:
    """Print the answer in a line, what was checked, and each difference."""
    omitted = list(filter(None, (check.omitted for check in checks)))
    answer = "; ".join([_answer(checks).removesuffix("."), *omitted]) + "."
    late = [check for check in checks if check.unit == OUT_OF_DATE]
    altered = any(check.differences for check in checks if check not in late)
    say(answer, "bold red" if altered else "bold yellow" if omitted or late else "bold green")
    made = table("checked", "compared", "differ", right=("compared", "differ"))
    for check in checks:
        wrong = len(check.differences)
        compared = counted(check.count, check.unit) if check.count or wrong else "·"
        made.add_row(Text(check.what), compared, Text(f"{wrong:,}" if wrong else "·", "bold red" if wrong else "dim"))
    console.print(made)
    for note in dict.fromkeys(note for check in checks for note in check.notes):
        say(note, bullet="• ")
    differences = [difference for check in checks for difference in check.differences]
    for difference in differences if every else differences[:MOST_SHOWN]:
        say_line(Text.assemble((f"{difference.where}: ", "red"), difference.words))
    if not every and len(differences) > MOST_SHOWN:
        say(f"and {counted(len(differences) - MOST_SHOWN, 'more difference')}; --all prints each")


def _answer(checks: Sequence[Check]) -> str:
    """'All 1,234 numbers are as recomputed, and all 96 files as they were written.'; '3 numbers and 1 file differ.'"""
    wrong = {unit: sum(len(check.differences) for check in checks if check.unit == unit) for unit in _UNITS}
    late = ["the report is out of date"] if any(check.unit == OUT_OF_DATE for check in checks) else []
    if any(wrong.values()):
        some = [counted(count, unit) for unit, count in wrong.items() if count]
        differ = f"{listing(some)} {'differs' if sum(wrong.values()) == 1 else 'differ'}"
        return opening("; ".join([differ, *late])) + "."
    count = {unit: sum(check.count for check in checks if check.unit == unit) for unit in _UNITS}
    files = f", and all {counted(count['file'], 'file')} as they were written" if count["file"] else ""
    same = f"All {counted(count['number'], 'number')}{' of the runs' if late else ''} are as recomputed{files}"
    return opening("; ".join([*late, same[0].lower() + same[1:]] if late else [same])) + "."


_UNITS = ("number", "file", "run")


# --- training a run again


def _trained_again(subject: Subject, wanted: str, options: ExperimentOptions, trust: bool) -> Check:
    """The only check that needs torch and the images."""
    run_id = _chosen(subject.study, wanted)
    if subject.code and not trust:
        named = ", ".join(subject.code)
        raise InputError(f"training again would run code that the pack names ({named}): read it first, then --trust")
    from ablation.training.retrain import device_like, other_environment, retrain

    results = subject.study.results
    spec, record = results.run(run_id).spec, results.records[run_id]
    name = f"{names_of(results.cells)[run_id]} ({run_id})"
    device = device_like(record)
    say_line(f"training {name} again on {device}", "dim")
    if other := other_environment(record, device):
        warn(f"this is not where it was trained ({'; '.join(other)}): other bits would prove nothing")
    with counting("epochs", console) as progress:

        def count(event: dict[str, object]) -> None:
            if event["event"] == "epoch":
                progress(int(str(event["epoch"])), spec.epochs)
            elif event["event"] == "note":
                say_line(str(event["message"]), "dim")

        run, experiment = results.run(run_id), results.experiment
        differing = retrain(run, experiment, subject.images(), options.cache, device, count)
    differences = tuple(Difference(f"{name}: {what}", words) for what, words in differing)
    return Check(f"{name}, trained again, bit for bit", "run", 1, differences)


def _chosen(study: Study, wanted: str) -> str:
    """The id of the run that is wanted: by its first letters, or 'any', the one that took least time."""
    finished = list(dict.fromkeys(study.results.finished["id"]))
    if wanted == "any" and finished:
        return str(min(finished, key=lambda run_id: study.records[run_id].cost.get("seconds") or 0.0))
    fitting = [run_id for run_id in finished if wanted and run_id.startswith(wanted)]
    if len(fitting) != 1:
        why = f"fits {len(fitting)} of them" if fitting else f"is none of them{did_you_mean(wanted, finished)}"
        raise InputError(
            f"--retrain takes the id of one of the {counted(len(finished), 'finished run')}: {wanted!r} {why}"
        )
    return str(fitting[0])
