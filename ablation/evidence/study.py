"""A study: everything that is computed of results, each thing once."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.core.text import listing
from ablation.experiment.experiment import Cell
from ablation.experiment.labels import condition_text
from ablation.experiment.results import Results


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
