"""Preregistration: how results will be judged, recorded in the runs folder before the first of them is there.

runs/EXPERIMENT/declared.jsonl has an event for each plan under which runs were started, with the number of results that
there were by then. Those of the baseline compare nothing, and do not count while their seeds are all among the plan's:
after a pilot the number of seeds may be chosen, but not which. The plan that counts is the last one from before the
first result; what is judged otherwise later was chosen with results at hand, and every report says so. Holds against
forgetting, not against forgery.

A variant (`--set epochs=5`) is declared beside the experiment as its file has it, which is declared at the same time.
It counts only where there was no result yet of what it compares, under any seed, nor of a plan that it is a part of:
other seeds, another margin or test for what has results is no variant that was declared beforehand. Other plans that
have results are said beside it (`ablation.experiment.variants`).
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
from ablation.core.files import Journal, json_bytes, read_file
from ablation.core.text import counted
from ablation.core.values import label, read_back
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.files import names_in, outlines, relative
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.runs import SPEC_FILE
from ablation.experiment.seal import CRLF_REMEDY, has_crlf

PREREGISTRATION_FILE = "declared.jsonl"
BESIDE_FILE = "beside.json"
"""Of a pack: [digest, seed] of each result of another plan that was declared; such runs are in no pack."""


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
    baselines: a digest of the baseline under each condition, as `Preregistration.comparisons`; () of older versions.
    """

    plan: Preregistration
    time: float
    results: int
    overrides: tuple[str, ...] = ()
    file: str = ""
    baselines: tuple[str, ...] = ()

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
        if variant is not None and not _is_known(variant.of, variant.cells, (), root):
            _declare(variant.of, variant.cells, (), root)
        overrides = variant.overrides if variant else ()
        every = preregistered(root)
        if not every or every[-1].overrides != overrides or not _is_known(experiment, cells, overrides, root):
            _declare(experiment, cells, overrides, root)


def _is_known(experiment: Experiment, cells: Sequence[Cell], overrides: tuple[str, ...], root: Path) -> bool:
    """Whether the newest plan with these overrides is this one."""
    known = [entry for entry in preregistered(root) if entry.overrides == overrides]
    return bool(known) and known[-1].plan == preregistration_of(experiment, cells)


def _declare(experiment: Experiment, cells: Sequence[Cell], overrides: tuple[str, ...], root: Path) -> None:
    """Append the plan. One that was declared before is declared again where another was since: the order is told by it.

    What it was declared with at first is what counts for it.
    """
    plan, baselines = preregistration_of(experiment, cells), baselines_of(experiment, cells)
    results = _results(plan, baselines, overrides, root)
    event: dict[str, Any] = {"plan": plan.hash, "results": results, "declaration": asdict(plan)}
    event |= {"overrides": list(overrides)} if overrides else {}
    event |= {"file": Path(os.path.relpath(experiment.file, root)).as_posix()} if experiment.file else {}
    Journal(root / PREREGISTRATION_FILE).append("declared", **event, baselines=list(baselines))


def baselines_of(experiment: Experiment, cells: Sequence[Cell]) -> tuple[str, ...]:
    """A digest of the baseline under each condition, sorted: what it is but for the seed."""
    recipe = experiment.factors["recipe"][experiment.baseline]
    return tuple(sorted({_digest(_compared(c.spec.to_plain()), 12) for c in cells if c.spec.recipe == recipe}))


@dataclass(frozen=True)
class Result:
    """Of what a run that has a result is, but for the data: a digest without its seed, and the seed.

    Both None where its spec cannot be read.
    """

    of: str | None
    seed: int | None


def results_in(root: Path) -> list[Result]:
    """Every run with a record in this folder, as its spec has it; the record itself is not read.

    Of a pack those too that were beside its runs, where it was made.
    """
    return [*(_result(record.parent) for record in root.glob(f"*/{RECORD_FILE}")), *_beside(root / BESIDE_FILE)]


def beside_of(cells: Sequence[Cell], root: Path) -> bytes | None:
    """For a pack of these cells' runs: what other plans that were declared have results of; None where none has any."""
    entries = preregistered(root)
    if len({entry.plan for entry in entries}) < 2:
        return None
    ids = {cell.spec.id for cell in cells}
    declared = {digest for entry in entries for digest in (*entry.plan.comparisons, *entry.baselines)}
    others = {_result(record.parent) for record in root.glob(f"*/{RECORD_FILE}") if record.parent.name not in ids}
    known = sorted({*others, *_beside(root / BESIDE_FILE)}, key=str)
    return json_bytes([[one.of, one.seed] for one in known if one.of in declared]) if known else None


def _beside(file: Path) -> list[Result]:
    """Raises DataError where the file is not as `beside_of` made it."""
    if not file.is_file():
        return []
    try:
        return [read_back(Result, {"of": of, "seed": seed}) for of, seed in json.loads(read_file(file))]
    except (ValueError, TypeError) as error:
        raise DataError(f"{file} is not what a pack has there ({error}); take it from the pack again") from None


def _result(folder: Path) -> Result:
    try:
        form = json.loads(read_file(folder / SPEC_FILE))
        return Result(_digest(_compared(form), 12), int(form["seed"]))
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return Result(None, None)


def _results(plan: Preregistration, baselines: Sequence[str], overrides: Sequence[str], root: Path) -> int:
    """How many results the folder holds with which this plan may have been chosen.

    Of the baseline those of seeds that the plan leaves out: whoever has trained a pilot (`ablation plan --pilot`) may
    choose how many seeds to train. Of all else every one; but for a variant those of what it compares, under any seed,
    and of plans that it is a part of. A result whose spec cannot be read may be one of them.
    """
    wholes = (set(entry.plan.comparisons) for entry in preregistered(root))
    family = set(plan.comparisons).union(*(whole for whole in wholes if whole >= set(plan.comparisons)))

    def counts(result: Result) -> bool:
        if result.of in baselines:
            return result.seed not in plan.seeds
        return not overrides or result.of is None or result.of in family

    return sum(map(counts, results_in(root)))


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
        Preregistered(
            plan,
            event["time"],
            event["results"],
            tuple(event.get("overrides", ())),
            event.get("file", ""),
            tuple(event.get("baselines", ())),
        )
        for plan, event in zip(plans, events, strict=True)
    ]


def _fits(event: dict[str, Any]) -> bool:
    results, texts = event.get("results"), [event.get("overrides", []), event.get("baselines", [])]
    fits = type(results) is int and results >= 0 and "declaration" in event and isinstance(event.get("file", ""), str)
    fits = fits and all(isinstance(some, list) and all(isinstance(one, str) for one in some) for some in texts)
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
        return relative(other) if other != here and other.is_file() else ""  # a folder of runs may have been moved
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
