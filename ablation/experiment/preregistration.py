"""Preregistration: how results will be judged, recorded in the runs folder before the first of them is there.

runs/EXPERIMENT/declared.jsonl has an event for each plan under which runs were started, with the number of results that
there were by then. The plan that counts is the last one from before the first result; what is judged otherwise later
was chosen with results at hand, and every report says so. Holds against forgetting, not against forgery.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from ablation.core.errors import DataError
from ablation.core.files import Journal
from ablation.core.text import counted
from ablation.core.values import label, read_back
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.record import RECORD_FILE
from ablation.experiment.seal import CRLF_REMEDY, has_crlf

PREREGISTRATION_FILE = "declared.jsonl"


@dataclass(frozen=True)
class Preregistration:
    """What verdicts rest on, by value: names of recipes and optimizers take no part.

    baseline: its operations. comparisons: a digest for each recipe under each condition beside the baseline, sorted.
    """

    test: str
    metric: str
    margin: float
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
        changes = [
            f"{name} {_text(before)}, now {_text(after)}"
            for name in ("test", "metric", "margin", "alpha", "baseline", "seeds", "primary")
            if (before := getattr(self, name)) != (after := getattr(other, name))
        ]
        dropped = len(set(self.comparisons) - set(other.comparisons))
        lost = f"{dropped} of {len(self.comparisons)} comparisons left out since, for which nothing corrects"
        return [*changes, lost] if dropped else changes


@dataclass(frozen=True)
class Preregistered:
    """A plan with the time (seconds since 1970) and the number of results that the folder held then."""

    plan: Preregistration
    time: float
    results: int

    @property
    def day(self) -> str:
        """'2026-11-25 04:12 UTC'."""
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.time))


def preregistration_of(experiment: Experiment, cells: Sequence[Cell]) -> Preregistration:
    """How this experiment judges the runs of these cells."""
    baseline = experiment.factors["recipe"][experiment.baseline]
    compared = {_digest(_compared(cell), 12) for cell in cells if cell.spec.recipe != baseline}
    return Preregistration(
        test=label(experiment.declared_test),
        metric=experiment.metric,
        margin=experiment.margin,
        alpha=experiment.alpha,
        baseline=" + ".join(map(label, baseline)) or "no augmentation",
        seeds=tuple(sorted(experiment.seed_numbers)),
        comparisons=tuple(sorted(compared)),
        primary=experiment.primary,
    )


def preregister(experiment: Experiment, cells: Sequence[Cell], root: Path) -> None:
    """Record in `root`, the folder of the experiment's runs, how they will be judged, unless it is the newest there."""
    root.mkdir(parents=True, exist_ok=True)
    plan = preregistration_of(experiment, cells)
    with FileLock(root / f"{PREREGISTRATION_FILE}.lock"):
        known = preregistered(root)
        if not known or known[-1].plan != plan:
            results = sum(1 for _ in root.glob(f"*/{RECORD_FILE}"))
            event = {"plan": plan.hash, "results": results, "declaration": asdict(plan)}
            Journal(root / PREREGISTRATION_FILE).append("declared", **event)


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
    return [Preregistered(plan, event["time"], event["results"]) for plan, event in zip(plans, events, strict=True)]


def _fits(event: dict[str, Any]) -> bool:
    results = event.get("results")
    return event["event"] != "declared" or (type(results) is int and results >= 0 and "declaration" in event)


def beforehand(root: Path) -> Preregistered | None:
    """The last plan from before the first result; None where there is none."""
    return next((entry for entry in reversed(preregistered(root)) if not entry.results), None)


def _compared(cell: Cell) -> dict[str, Any]:
    """What is compared there: everything that the cell is but its seed, and the data, whose change changes no plan."""
    return {name: form for name, form in cell.spec.to_plain().items() if name not in ("seed", "data")}


def _digest(form: Any, digits: int) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()[:digits]


def _text(item: Any) -> str:
    return ", ".join(map(str, item)) if isinstance(item, tuple) else str(item)
