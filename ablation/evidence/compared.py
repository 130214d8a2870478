"""Compared: what `compare` has tested already, by recipe and conditions, so that no section judges the same runs anew.

Two tests of one question would sooner or later give two answers. Whoever asks about a recipe and the baseline looks
here first, and takes difference, interval and p-values together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ablation.evidence.families import Tested, judged
from ablation.evidence.pairs import Condition, pairs
from ablation.experiment.results import Results


@dataclass(frozen=True)
class Compared:
    """Every comparison of the experiment; under the conditions that have the recipe and the baseline."""

    tested: Mapping[tuple[str, frozenset[Condition]], Tested | None]

    def of(self, recipe: str, conditions: Collection[Condition]) -> Tested | None:
        """The recipe against the baseline over just these conditions; None where that is no comparison."""
        return self.tested.get((recipe, frozenset(conditions)))


def compared(results: Results) -> Compared:
    """By the declared test, corrected over all comparisons of the experiment."""
    family = [pair for pair in pairs(results) if pair.own.planned and pair.own.recipe != results.experiment.baseline]
    answers = zip(family, judged(results, family), strict=True)
    return Compared({(pair.own.recipe, frozenset(pair.shared)): tested for pair, tested in answers})
