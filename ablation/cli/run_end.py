"""What `ablation run` says when its runs have ended: the answer on one screen; of a smoke run whether all is well."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ablation.cli.console import console, say, say_line, warn
from ablation.cli.context import ExperimentOptions
from ablation.cli.status import next_step
from ablation.cli.verdicts import show_screen
from ablation.core.errors import attempt
from ablation.core.text import counted, duration
from ablation.evidence.study import Study
from ablation.evidence.warnings import warnings_of
from ablation.experiment.record import RunRecord
from ablation.experiment.results import NO_SCORE, Results
from ablation.experiment.runs import Run
from ablation.training.sweep import Swept

ENDED = ("finished", "diverged", "altered")
"""How a run may stand that is not trained again; of an altered one the warnings say what to do."""


@dataclass(frozen=True)
class Trained:
    """What one command did. chosen: the ids of the runs that it was to train. seconds: how long it took.

    weights, conditions: whether every run was to leave its weights, and to be tested on changed images.
    """

    swept: Swept
    chosen: Collection[str]
    seconds: float
    weights: bool
    conditions: bool


class Ended(NamedTuple):
    """How many of the chosen runs have not finished, and whether one of them was altered.

    failure: why the first one failed that did.
    """

    unfinished: int
    altered: bool
    failure: str


def show_end(options: ExperimentOptions, results: Results, trained: Trained) -> bool:
    """Print what the runs mean, and what is wrong with them; whether all of those chosen have ended well."""
    study = Study(results, command=options.command("run"))
    runs = results.frame.drop_duplicates("id")
    runs = runs[runs["id"].isin(trained.chosen)]
    statuses = runs["status"]
    failure = next(iter(runs[statuses == "failed"]["reason"]), "") if not trained.swept.stopped else ""
    ended = Ended(int((~statuses.isin([*ENDED, NO_SCORE])).sum()), bool((statuses == "altered").any()), failure)
    alarms = [*([trained.swept.stopped] if trained.swept.stopped else []), *_of_records(study, trained)]
    if options.smoke:
        _show_smoke(options, study, trained, ended, alarms)
    else:
        alarms = [*_unfinished(options, ended), *alarms]
        alarms += attempt("what makes the results less than was planned", lambda: study.warnings, (), warn)
        then = options.command("status") if ended.unfinished else next_step(options, results)
        show_screen(study, alarms, options.command("compare"), then)
    return not ended.unfinished and not ended.altered


def _unfinished(options: ExperimentOptions, ended: Ended) -> list[str]:
    """How many runs it lacks, and where the reasons are."""
    if not ended.unfinished:
        return []
    why = f"{options.command('status')} says why, the same command tries them again"
    first = f"; the first that failed: {ended.failure}" if ended.failure else ""
    return [f"{counted(ended.unfinished, 'run')} did not finish{first}; {why}"]


def _of_records(study: Study, trained: Trained) -> list[str]:
    """Which finished runs lack what every run was to leave."""
    return lacking(trained.swept.runs, study.records, trained.weights, trained.conditions)


def lacking(runs: Iterable[Run], records: Mapping[str, RunRecord], weights: bool, conditions: bool) -> list[str]:
    """How many of the finished runs have no weights, or were not tested on changed images, where they were to."""
    both = [(run, records[run.spec.id]) for run in runs if run.spec.id in records]
    finished = [(run, record) for run, record in both if record.outcome == "finished"]
    lacks: list[tuple[str, Callable[[Run, RunRecord], bool], bool]] = [
        ("their weights", lambda run, record: not run.weights.exists(), weights),
        ("test conditions", lambda run, record: not record.evidence.get("conditions"), conditions),
    ]
    counts = {what: sum(lack(*one) for one in finished) for what, lack, wanted in lacks if wanted}
    return [
        f"{counted(count, 'run')} had finished before without {what}; remove their folders to train them anew"
        for what, count in counts.items()
        if count
    ]


def _show_smoke(options: ExperimentOptions, study: Study, trained: Trained, ended: Ended, alarms: list[str]) -> None:
    """Print whether all is well, and what the full experiment takes; scores of a smoke run mean nothing."""
    others: list[str] = []
    alarms += attempt("what is wrong with the runs", lambda: warnings_of(study.results, frozenset()), others, warn)
    for alarm in alarms:
        warn(alarm)
    console.print()
    count = len(trained.chosen)
    took = f" in {duration(trained.seconds)}" if trained.seconds >= 1 else ""
    if ended.unfinished:
        failed = f"{ended.unfinished} of {counted(count, 'run')} did not finish{took}"
        say(f"{failed}: {options.command('status')} says why", "bold red")
        return
    runs = f"{counted(count, 'run')}{took}"
    say(f"{runs}, with {counted(len(alarms), 'warning')} above" if alarms else f"all is well: {runs}", "bold")
    full = replace(options, smoke=False)
    if whole := attempt("what the full experiment takes", lambda: _whole(full), "", warn):
        say(f"the full experiment has {whole}")
    say_line(f"now: {full.command('run')}")


def _whole(full: ExperimentOptions) -> str:
    """'60 runs, about 5 h here with 2 workers (...)'; without the time where it is not known."""
    from ablation.training.cost.grid import grid_time  # what estimates, and may load torch: only here

    experiment = full.experiment()
    data = full.listing(experiment)
    cells = full.chosen(experiment.cells(data.digest))
    runs = counted(len({cell.spec.id for cell in cells}), "run")
    time = attempt("time", lambda: grid_time(cells, data, full.cache), None, lambda problem: None)
    return f"{runs}, {time}" if time else runs
