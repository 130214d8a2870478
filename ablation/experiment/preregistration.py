"""Preregistration: how results will be judged, recorded in the runs folder before the first of them is there.

runs/EXPERIMENT/declared.jsonl has an event for each plan under which runs were started, with the number of results that
there were by then, but for those of the baseline, which compare nothing. The plan that counts is the last one from
before the first result; what is judged otherwise later was chosen with results at hand, and every report says so. Holds
against forgetting, not against forgery.

A variant (`--set epochs=5`) is declared beside the experiment as its file has it, which is declared at the same time.
It counts only where there was no result yet of what it compares, under any seed: other seeds, another margin or test
for what has results is no variant that was declared beforehand.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from ablation.core.errors import DataError, InputError
from ablation.core.files import Journal, read_file
from ablation.core.text import counted
from ablation.core.values import label, read_back
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.files import names_in, outlines, relative
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import SPEC_FILE
from ablation.experiment.seal import CRLF_REMEDY, has_crlf

PREREGISTRATION_FILE = "declared.jsonl"


@dataclass(frozen=True)
class Preregistration:
    """What verdicts rest on, by value: names of recipes and optimizers take no part.

    margin: of equivalence; None where nothing can be called equivalent. baseline: its operations. comparisons: a digest
    for each recipe under each condition beside the baseline, sorted.
    """

    test: str
    metric: str
    margin: float | None
    alpha: float
    baseline: str
    seeds: tuple[int, ...]
    comparisons: tuple[str, ...]
    primary: str = "each"
    """What is tested first; before that could be chosen, it was every comparison alike."""

    @cached_property
    def hash(self) -> str:
        """12 hexadecimal digits of a SHA-256 over all of it."""
        return _digest(asdict(self), 12)

    def changed_to(self, other: Preregistration) -> list[str]:
        """What the other judges otherwise, a phrase each. More comparisons alone are no change to these."""
        changes = [*self.judged_otherwise(other), *self._changes(other, ("seeds",))]
        dropped = len(set(self.comparisons) - set(other.comparisons))
        lost = f"{dropped} of {len(self.comparisons)} comparisons left out since, for which nothing corrects"
        return [*changes, lost] if dropped else changes

    def judged_otherwise(self, other: Preregistration) -> list[str]:
        """Of these changes those of the rule by which results are judged, whatever they are results of.

        No margin is no change: then nothing is called equivalent, which needs no declaration. It was the 0.01 of a
        metric that is not in points, which was declared for whoever gave none.
        """
        margin = () if other.margin is None else ("margin",)
        return self._changes(other, ("test", "metric", *margin, "alpha", "baseline", "primary"))

    def _changes(self, other: Preregistration, names: Sequence[str]) -> list[str]:
        return [
            f"{name} {_text(before)}, now {_text(after)}"
            for name in names
            if (before := getattr(self, name)) != (after := getattr(other, name))
        ]


@dataclass(frozen=True)
class Preregistered:
    """A plan with the time (seconds since 1970) and the number of results that the folder held then.

    overrides: of a variant what was set otherwise than in the file, as 'epochs=5'; its results are those of what it
    compares alone. file: of the experiment, by its path from the folder of the runs; '' where that was not recorded.
    """

    plan: Preregistration
    time: float
    results: int
    overrides: tuple[str, ...] = ()
    file: str = ""

    @property
    def day(self) -> str:
        """'2026-11-25 04:12 UTC'."""
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.time))


def preregistration_of(experiment: Experiment, cells: Sequence[Cell]) -> Preregistration:
    """How this experiment judges the runs of these cells."""
    baseline = experiment.factors["recipe"][experiment.baseline]
    compared = {_digest(_compared(cell.spec.to_plain()), 12) for cell in cells if cell.spec.recipe != baseline}
    return Preregistration(
        test=label(experiment.declared_test),
        metric=_declared(experiment.metric),
        margin=experiment.declared_margin,
        alpha=experiment.alpha,
        baseline=" + ".join(map(label, baseline)) or "no augmentation",
        seeds=tuple(sorted(experiment.seed_numbers)),
        comparisons=tuple(sorted(compared)),
        primary=experiment.primary,
    )


@dataclass(frozen=True)
class Variant:
    """Of what an experiment is a variant: the experiment as its file has it, with its cells, and what was set."""

    of: Experiment
    cells: Sequence[Cell]
    overrides: tuple[str, ...]


def _declared(metric: str) -> str:
    """Of a metric of the author's own also what it is of, and the digest of its source."""
    return metric.declared if isinstance(metric, OwnMetric) else metric


def preregister(experiment: Experiment, cells: Sequence[Cell], root: Path, variant: Variant | None = None) -> None:
    """Record in `root`, the folder of the experiment's runs, how they will be judged, unless it is the newest there.

    variant: where fields were set otherwise than in the file. Then the plan of the file is recorded too, before it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{PREREGISTRATION_FILE}.lock"):
        if variant is not None:
            results = _results_beside(_baseline(variant.of, variant.cells), root)
            _declare(preregistration_of(variant.of, variant.cells), root, experiment.file, results)
        overrides, baseline = variant.overrides if variant else (), _baseline(experiment, cells)
        beside = {cell.spec.id for cell in baseline}
        compared = [cell for cell in cells if cell.spec.id not in beside]
        results = _results(root, compared) if overrides else _results_beside(baseline, root)
        _declare(preregistration_of(experiment, cells), root, experiment.file, results, overrides)


def _declare(plan: Preregistration, root: Path, file: str, results: int, overrides: tuple[str, ...] = ()) -> None:
    known = [entry for entry in preregistered(root) if entry.overrides == overrides]
    if not known or known[-1].plan != plan:
        event = {"plan": plan.hash, "results": results, "declaration": asdict(plan)}
        event |= {"overrides": list(overrides)} if overrides else {}
        event |= {"file": Path(os.path.relpath(file, root)).as_posix()} if file else {}
        Journal(root / PREREGISTRATION_FILE).append("declared", **event)


def _results(root: Path, cells: Sequence[Cell]) -> int:
    """How many results the folder holds of what these cells compare, under any seed.

    A result whose spec cannot be read may be one of them.
    """
    own = {_digest(_compared(cell.spec.to_plain()), 12) for cell in cells}
    return sum(_held_comparison(record.parent) in (None, *own) for record in root.glob(f"*/{RECORD_FILE}"))


def _baseline(experiment: Experiment, cells: Sequence[Cell]) -> Sequence[Cell]:
    recipe = experiment.factors["recipe"][experiment.baseline]
    return [cell for cell in cells if cell.spec.recipe == recipe]


def _results_beside(baseline: Sequence[Cell], root: Path) -> int:
    """How many results the folder holds but for those of the baseline.

    These compare nothing: whoever has trained a pilot (`ablation plan --pilot`) may still choose how many seeds to
    train. Specs are read only where so few results are there that all may be the baseline's.
    """
    folders = [record.parent for record in root.glob(f"*/{RECORD_FILE}")]
    if len(folders) > len(baseline):
        return len(folders)
    own = {_digest(_compared(cell.spec.to_plain()), 12) for cell in baseline}
    return sum(_held_comparison(folder) not in own for folder in folders)


def _held_comparison(folder: Path) -> str | None:
    """The digest of what the run in this folder is of, but for its seed; None where its spec cannot be read."""
    try:
        return _digest(_compared(json.loads(read_file(folder / SPEC_FILE))), 12)
    except (OSError, ValueError, AttributeError):
        return None


def preregistered(root: Path) -> list[Preregistered]:
    """Every plan that was recorded in this folder, oldest first. Raises DataError where one of them cannot be read.

    A line that was lost may be the plan that counts: without it another one would, or none, and no word of that.
    """
    file = root / PREREGISTRATION_FILE
    events, lost = Journal(file, fits=_fits).read()
    events = [event for event in events if event["event"] == "declared"]
    try:
        plans = [read_back(Preregistration, event["declaration"]) for event in events]
    except ValueError as error:
        advice = "it may be of a later version of this program; install that, or move the file away"
        raise DataError(f"{file} holds a plan that cannot be read ({error}): {advice}") from None
    if lost:
        why = CRLF_REMEDY if has_crlf(file) else "restore it, or move it away: then no plan counts as declared"
        raise DataError(f"{counted(lost, 'line')} of {file} cannot be read, where plans were declared: {why}")
    return [
        Preregistered(plan, event["time"], event["results"], tuple(event.get("overrides", ())), event.get("file", ""))
        for plan, event in zip(plans, events, strict=True)
    ]


def _fits(event: dict[str, Any]) -> bool:
    results, overrides = event.get("results"), event.get("overrides", [])
    fits = type(results) is int and results >= 0 and "declaration" in event and isinstance(event.get("file", ""), str)
    fits = fits and isinstance(overrides, list) and all(isinstance(one, str) for one in overrides)
    return event["event"] != "declared" or fits


def beforehand(root: Path) -> Preregistered | None:
    """The last plan of the experiment's file from before the first result; None where there is none."""
    return next((entry for entry in reversed(preregistered(root)) if not entry.results and not entry.overrides), None)


def refuse_of_another(experiment: Experiment, root: Path) -> None:
    """Raise InputError where another experiment file of the same name has declared how runs in `root` are judged.

    Each would be judged by what the other declared. One that is gone, or has another name by now, stands in no way.
    """
    entries = [entry for entry in preregistered(root) if entry.file] if experiment.file else []
    for entry in entries[-1:]:
        other = _file_of(entry, root)
        names = {experiment.name, experiment.name.removesuffix("-smoke")}
        if other != Path(experiment.file).resolve() and other.is_file() and names & set(names_in(other)):
            both = f"{relative(experiment.file)} and {relative(other)} are both called {experiment.name!r}"
            advice = "give one of them another name=, for a folder of its own"
            raise InputError(f"{both}, and {root} has the runs of the latter: {advice}")


def declared_in(entry: Preregistered, experiment: Experiment, root: Path) -> str:
    """The other file that has declared this plan, or may have, as its name is the same; '' where there is none."""
    if not experiment.file:
        return ""
    here = Path(experiment.file).resolve()
    if entry.file:
        other = _file_of(entry, root)
        return "" if other == here else relative(other)
    others = (one.path for one in outlines(here.parent) if one.name == experiment.name and one.path.resolve() != here)
    return next(map(relative, others), "")


def _file_of(entry: Preregistered, root: Path) -> Path:
    return (root / entry.file).resolve()


def declared_for(plan: Preregistration, root: Path) -> Preregistered | None:
    """What `plan` is to be held to: the plan of the file from before the first result, or of a variant that judges so.

    A variant counts where it was declared before the first result of what it compares. None where there is neither.
    """
    before = beforehand(root)
    if before is not None and not before.plan.changed_to(plan):
        return before
    variants = [entry for entry in preregistered(root) if entry.overrides and not entry.results]
    return next((entry for entry in reversed(variants) if not entry.plan.changed_to(plan)), before)


def _compared(form: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared there: all of a spec but its seed, and the data, whose change changes no plan.

    form: the spec as JSON holds it.
    """
    return {name: item for name, item in form.items() if name not in ("seed", "data")}


def _digest(form: Any, digits: int) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()[:digits]


def _text(item: Any) -> str:
    return ", ".join(map(str, item)) if isinstance(item, tuple) else str(item)
