"""Scores of several recipes over the same conditions, seed by seed. From the table of results to plain dicts.

For questions that more than two recipes answer together: what each operation contributes, how strong one should be. As
for effects, the score of a seed is its mean over the conditions, and a seed counts only where it finished in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablation.analysis.comparison import MIN_SEEDS
from ablation.evidence.failed_trainings import LOST
from ablation.evidence.pairs import Condition, drawn_table, means_by_seed, overlap_of
from ablation.evidence.study import Study
from ablation.experiment.results import Results


@dataclass(frozen=True)
class RecipeScores:
    """of: recipe -> seed -> score, without the seeds that have not finished under all of the conditions.

    condition: factor -> level, {} where pooled. planned: seeds in the grid. overlap: what training parts have in common
    (`ablation.evidence.pairs.overlap_of`). lost: how many runs diverged, failed, or are failed trainings.
    """

    condition: dict[str, str]
    conditions: tuple[Condition, ...]
    of: Mapping[str, Mapping[int, float]]
    planned: int
    overlap: float
    lost: int

    @property
    def seeds(self) -> int:
        """Of the recipe that has the fewest."""
        return min(map(len, self.of.values()))

    @property
    def shared(self) -> list[int]:
        """The seeds that all recipes have."""
        first, *others = self.of.values()
        return [seed for seed in first if all(seed in other for other in others)]

    def rows(self) -> list[list[float]]:
        """A row a shared seed, with its score under each recipe, in order."""
        return [[scores[seed] for scores in self.of.values()] for seed in self.shared]

    def note(self, seeds: int) -> str:
        """Why nothing is claimed from so many seeds; '' where it is."""
        if seeds < MIN_SEEDS:
            return f"no claim under {MIN_SEEDS} seeds"
        return f"{self.lost} failed or diverged here: no claim on those that are left" if self.lost else ""


def others(results: Results) -> list[str]:
    """The factors that make a condition."""
    return [factor for factor in results.factors if factor != "recipe"]


def conditions_with(results: Results, recipes: Iterable[str]) -> tuple[Condition, ...]:
    """Those in which the grid has all of these recipes; `exclude` may have dropped some."""
    present: dict[Condition, set[str]] = {}
    for cell in results.cells:
        present.setdefault(cell.condition, set()).add(cell.factors["recipe"])
    return tuple(condition for condition, held in present.items() if set(recipes) <= held)


def recipe_scores(study: Study, recipes: Sequence[str]) -> list[RecipeScores]:
    """The scores of the recipes under each condition that has all of them, then pooled where these are several."""
    held = conditions_with(study.results, recipes)
    each = [scores_over(study, recipes, (condition,)) for condition in held]
    return each + ([scores_over(study, recipes, held)] if len(held) > 1 else [])


def scores_over(study: Study, recipes: Iterable[str], conditions: tuple[Condition, ...]) -> RecipeScores:
    """The scores of the recipes over these conditions together."""
    results, recipes = study.results, list(recipes)
    factors, table = others(results), drawn_table(results)
    rows = table[[row in conditions for row in table[factors].itertuples(index=False, name=None)]]
    own = rows[rows["recipe"].isin(recipes)]
    lost = own["status"].isin(LOST) | own["id"].isin(study.failed_trainings)
    metric, done = results.experiment.metric, own[own["status"] == "finished"]
    of = {recipe: means_by_seed(own[own["recipe"] == recipe], metric) for recipe in recipes}
    return RecipeScores(
        dict(zip(factors, conditions[0], strict=True)) if len(conditions) == 1 else {},
        conditions,
        of,
        rows["draw"].nunique(),
        overlap_of(results, done, sorted({seed for scores in of.values() for seed in scores})),
        own.loc[lost, "id"].nunique(),
    )
