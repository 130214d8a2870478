"""A study: the results of an experiment with everything that is computed of them, each thing once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ablation.core.text import listing, named
from ablation.evidence.comparisons import Effects
from ablation.evidence.effects import Effect, effects_of
from ablation.evidence.failed_trainings import failed_trainings
from ablation.evidence.families import Compared, compare_pairs
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Pair, pairs
from ablation.evidence.power import Spread, seed_spread
from ablation.evidence.variance_sources import Sources, variance_sources
from ablation.evidence.warnings import warnings_of
from ablation.experiment.experiment import Cell
from ablation.experiment.labels import condition_named
from ablation.experiment.record import Arrays, RunRecord
from ablation.experiment.results import Results


class Study:
    """The results of an experiment with everything that is computed of them, each thing once and when it is needed.

    `compare`, the report, the end of `ablation run` and a notebook ask the same value, so that they agree and nobody
    waits twice.

    >>> study = Study(results)
    >>> [effect.recipe for effect in study.effects]
    ['none', 'crop']
    >>> study.warnings
    ()
    """

    def __init__(self, results: Results, effects: Sequence[Effect] | None = None, command: str = ""):
        """effects: where they are known already. command: what trains the runs again, if not `ablation run NAME`.

        Raises TypeError for what are no results.
        """
        if not isinstance(results, Results):
            raise TypeError(f"{type(results).__name__}: expected Results; Results.load(experiment) reads them")
        self.results = results
        self.experiment = results.experiment
        self.command = command or f"ablation run {results.experiment.name}"
        if effects is not None:
            self.effects = Effects(effects, self.experiment)

    @cached_property
    def effects(self) -> Effects:
        """Each recipe against the baseline, under each condition and pooled (`ablation.evidence.effects`)."""
        return Effects(effects_of(self.experiment, self.pairs, self.compared, self.image_scores), self.experiment)

    @cached_property
    def compared(self) -> Compared:
        """The comparisons behind the effects, by recipe and conditions."""
        return compare_pairs(self.experiment, self.pairs, self.image_scores)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The scores of every recipe and the baseline beside it, under each condition and pooled."""
        return pairs(self.results, self.failed_trainings)

    @cached_property
    def failed_trainings(self) -> frozenset[str]:
        """The ids of the runs that finished and learned nothing, or fell far behind."""
        return failed_trainings(self.results)

    @cached_property
    def image_scores(self) -> ImageScores:
        """What each test image gave in each run; predictions are read when they are needed."""
        return ImageScores(self.results)

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """Every record that there is, by run id."""
        return self.results.records

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What makes the results less than was planned (`ablation.evidence.warnings`)."""
        return tuple(warnings_of(self.results, self.failed_trainings))

    @cached_property
    def sources(self) -> Sources | None:
        """Where the variance comes from (`ablation.evidence.variance_sources`)."""
        return variance_sources(self.results, self.pairs, self.image_scores)

    def seed_spread(self, pooled: bool = False) -> Spread:
        """The sd over seeds, of scores under one condition or of means over all (`ablation.evidence.power`)."""
        return seed_spread(self.experiment, self.pairs, self.image_scores, pooled)

    @cached_property
    def shown_runs(self) -> Choice | None:
        """One run a recipe, for what is shown of single runs."""
        return chosen_runs(self.results)

    @cached_property
    def shown_arrays(self) -> Mapping[str, Arrays]:
        """The arrays of the shown runs, by recipe; a run that is several recipes is read once."""
        runs = self.shown_runs.runs if self.shown_runs else {}
        by_run = {run_id: self.results.arrays(run_id) for run_id in dict.fromkeys(runs.values())}
        return {recipe: by_run[run_id] for recipe, run_id in runs.items()}


def compare(results: Results) -> Effects:
    """Each recipe against the baseline, under each condition and pooled over them: `Study(results).effects`.

    By the experiment's declared test, corrected for the number of comparisons. What is returned is a tuple of `Effect`,
    which shows itself and gives its numbers to pandas (`Effects`).

    >>> baseline, effect = compare(results)
    >>> effect.recipe, effect.condition
    ('crop', {'optimizer': 'sgd'})

    Raises TypeError for what are no results.
    """
    return Study(results).effects


@dataclass(frozen=True)
class Choice:
    """The runs that are looked at: recipe -> id, under one condition and seed; `missing` recipes have not finished."""

    condition: str
    seed: int
    runs: dict[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        without = f"; not finished there: {listing(map(named, self.missing))}" if self.missing else ""
        return f"{self.condition}, seed {self.seed}{without}"


def chosen_runs(results: Results) -> Choice | None:
    """The first condition and seed with the most finished recipes; None where nothing has finished."""
    finished = set(results.finished["id"])
    by_condition: dict[tuple[tuple[str, ...], int], list[Cell]] = {}
    for cell in results.cells:
        by_condition.setdefault((cell.condition, cell.seed), []).append(cell)
    best = max(by_condition.values(), key=lambda cells: sum(cell.spec.id in finished for cell in cells))
    done = {cell.factors["recipe"]: cell.spec.id for cell in best if cell.spec.id in finished}
    if not done:
        return None
    others = {factor: level for factor, level in best[0].factors.items() if factor != "recipe"}
    missing = tuple(cell.factors["recipe"] for cell in best if cell.spec.id not in finished)
    return Choice(condition_named(others, results.experiment), best[0].seed, done, missing)
