"""A study: everything that is computed of results, each thing once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ablation.core.text import listing
from ablation.evidence.compared import Compared, compared
from ablation.evidence.effects import Effect, compare
from ablation.evidence.variance_sources import Sources, sources
from ablation.evidence.warnings import alarms
from ablation.experiment.experiment import Cell
from ablation.experiment.record import RunRecord
from ablation.experiment.labels import condition_text
from ablation.experiment.results import Results


class Study:
    """The results of an experiment with everything that is computed of them, each thing once.

    `compare`, the report, the end of `run` and a notebook ask the same value, so that they agree and nobody waits
    twice.

    >>> study = Study(Results.load(experiment))  # doctest: +SKIP
    >>> [effect.verdict for effect in study.effects]  # doctest: +SKIP
    """

    def __init__(self, results: Results, effects: Sequence[Effect] | None = None, command: str = ""):
        """effects: where they are known already. command: what trains the runs again, if not `ablation run NAME`."""
        self.results = results
        self.experiment = results.experiment
        self.command = command or f"ablation run {results.experiment.name}"
        if effects is not None:
            self.effects = tuple(effects)

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """Each recipe against the baseline, under each condition and pooled (`ablation.evidence.effects`)."""
        return compare(self.results)

    @cached_property
    def compared(self) -> Compared:
        """The comparisons behind the effects, by recipe and conditions."""
        return compared(self.results)

    @cached_property
    def records(self) -> dict[str, RunRecord]:
        """Every record that there is, by run id."""
        found = {cell.spec.id: self.results.run(cell.spec.id).record() for cell in self.results.cells}
        return {run_id: record for run_id, record in found.items() if record is not None}

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What makes the results less than was planned (`ablation.evidence.warnings`)."""
        return tuple(alarms(self.results))

    @cached_property
    def sources(self) -> Sources | None:
        """Where the variance comes from (`ablation.evidence.variance_sources`)."""
        return sources(self.results)

    @cached_property
    def shown_runs(self) -> Choice | None:
        """One run a recipe, for what is shown of single runs."""
        return chosen_runs(self.results)


@dataclass(frozen=True)
class Choice:
    """The runs that are looked at: recipe -> id, under one condition and seed; `missing` recipes have not finished."""

    condition: str
    seed: int
    runs: dict[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        without = f"; not finished there: {listing(self.missing)}" if self.missing else ""
        return f"{self.condition}, seed {self.seed}{without}"


def chosen_runs(results: Results) -> Choice | None:
    """The first condition and seed with the most finished recipes; None where nothing has finished."""
    finished = set(results.finished["id"])
    places: dict[tuple[tuple[str, ...], int], list[Cell]] = {}
    for cell in results.cells:
        places.setdefault((cell.condition, cell.seed), []).append(cell)
    counts = {place: sum(cell.spec.id in finished for cell in cells) for place, cells in places.items()}
    best = max(places, key=counts.__getitem__)
    if not counts[best]:
        return None
    others = {factor: level for factor, level in places[best][0].factors.items() if factor != "recipe"}
    return Choice(
        condition_text(others, results.experiment),
        best[1],
        {cell.factors["recipe"]: cell.spec.id for cell in places[best] if cell.spec.id in finished},
        tuple(cell.factors["recipe"] for cell in places[best] if cell.spec.id not in finished),
    )
