"""Declaration: how results will be judged, recorded in the runs folder before the first of them is there.

runs/EXPERIMENT/declared.jsonl has an event for each plan under which runs were started, with the number of results that
there were by then. The plan that counts is the last one from before the first result; what is judged otherwise later
was chosen with results at hand, and is told wherever they are. Holds against forgetting, not against forgery.
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

from ablation.core.files import Journal
from ablation.core.values import label
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.record import RECORD_FILE

DECLARED_FILE = "declared.jsonl"


@dataclass(frozen=True)
class Declaration:
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
    """What was asked first; before that could be declared, it was every comparison alike."""

    @cached_property
    def hash(self) -> str:
        """12 hexadecimal digits of a SHA-256 over all of it."""
        return _digest(asdict(self), 12)

    def changed_to(self, other: Declaration) -> list[str]:
        """What another declaration judges otherwise, a phrase each. More comparisons alone are no change to these."""
        told = [
            f"{name} {_shown(before)}, now {_shown(after)}"
            for name in ("test", "metric", "margin", "alpha", "baseline", "seeds", "primary")
            if (before := getattr(self, name)) != (after := getattr(other, name))
        ]
        dropped = len(set(self.comparisons) - set(other.comparisons))
        if dropped:
            told.append(f"{dropped} of {len(self.comparisons)} comparisons left out since, for which nothing corrects")
        return told


@dataclass(frozen=True)
class Declared:
    """A declaration with the time (seconds since 1970) and the number of results that the folder held then."""

    declaration: Declaration
    time: float
    results: int

    @property
    def day(self) -> str:
        """'2026-11-25 04:12 UTC'."""
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.time))


def declaration_of(experiment: Experiment, cells: Sequence[Cell]) -> Declaration:
    """How this experiment judges the runs of these cells."""
    baseline = experiment.factors["recipe"][experiment.baseline]
    compared = {_digest(_place(cell), 12) for cell in cells if cell.spec.recipe != baseline}
    return Declaration(
        label(experiment.declared_test),
        experiment.metric,
        experiment.margin,
        experiment.alpha,
        " + ".join(map(label, baseline)) or "no augmentation",
        tuple(sorted(experiment.seed_numbers)),
        tuple(sorted(compared)),
        experiment.primary,
    )


def declare(experiment: Experiment, cells: Sequence[Cell], root: Path) -> None:
    """Record in `root`, the folder of the experiment's runs, how they will be judged, unless it is the newest there."""
    root.mkdir(parents=True, exist_ok=True)
    declaration = declaration_of(experiment, cells)
    with FileLock(root / f"{DECLARED_FILE}.lock"):
        known = declared(root)
        if not known or known[-1].declaration != declaration:
            results = sum(1 for _ in root.glob(f"*/{RECORD_FILE}"))
            Journal(root / DECLARED_FILE).append(
                "declared", plan=declaration.hash, results=results, declaration=asdict(declaration)
            )


def declared(root: Path) -> list[Declared]:
    """Every declaration that was recorded in this folder, oldest first."""
    return [
        Declared(_read(event["declaration"]), event["time"], event["results"])
        for event in Journal(root / DECLARED_FILE).events()
        if event["event"] == "declared"
    ]


def beforehand(root: Path) -> Declared | None:
    """The last declaration from before the first result; None where there is none."""
    return next((told for told in reversed(declared(root)) if not told.results), None)


def _place(cell: Cell) -> dict[str, Any]:
    """What is compared there: everything that the cell is but its seed, and the data, whose change changes no plan."""
    return {name: form for name, form in cell.spec.to_plain().items() if name not in ("seed", "data")}


def _digest(form: Any, digits: int) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()[:digits]


def _read(form: dict[str, Any]) -> Declaration:
    return Declaration(**{**form, "seeds": tuple(form["seeds"]), "comparisons": tuple(form["comparisons"])})


def _shown(item: Any) -> str:
    return ", ".join(map(str, item)) if isinstance(item, tuple) else str(item)
