"""What does each operation of a recipe contribute? From leave-one-out, add-one-in, or all 2^k combinations.

Each contribution is a weighted sum of the mean scores of recipes, so one formula gives its standard error (of more than
two recipes with independent seeds: with the degrees of freedom of the one with fewest seeds, see `student.contrast`).
Leave-one-out asks what an operation adds to all the others, add-one-in what it does alone; they differ where
operations overlap. With all combinations, Shapley values average over every order in which the operations could have
been added, and sum to what all of them together gain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Literal, get_args

from ablation.analysis.comparison import Difference
from ablation.analysis.student import contrast, paired_contrast

Design = Literal["shapley", "leave_one_out", "add_one_in"]
Recipe = frozenset[str]
"""The names of its operations; the empty set is the baseline without any."""


@dataclass(frozen=True)
class Attribution:
    """contributions: of each operation, in order; positive where scores are higher with it, in the metric's unit.

    total: what all of them together gain. remainder: see `remainder_weights`. Both are None where a recipe that they
    need was not run.
    """

    design: Design
    contributions: Mapping[str, Difference]
    total: Difference | None
    remainder: Difference | None


def attribute(
    scores: Mapping[Recipe, Sequence[float]],
    operations: Sequence[str],
    paired: bool = False,
    overlap: float = 0.0,
    design: Design | None = None,
) -> Attribution:
    """scores: recipe -> per-seed scores (n,), n >= 2; recipes of other operations are left out.

    paired: all recipes have the same seeds in one order, as the declared test wants it; overlap as for
    `CorrectedResampled`. design: by default the first of `Design` for which all recipes are there. Raises ValueError,
    with the recipes that are missing, where there is none.

    >>> scores = {frozenset(): [0.7, 0.71], frozenset({"crop"}): [0.75, 0.76]}
    >>> round(attribute(scores, ["crop"]).contributions["crop"].estimate, 3)
    0.05
    """
    chosen = _design(scores, operations, design)
    total = {frozenset(operations): 1.0, frozenset[str](): -1.0}
    total_and_remainder = [
        _difference(scores, share, paired, overlap) if share and share.keys() <= scores.keys() else None
        for share in (total, remainder_weights(chosen, operations))
    ]
    each = {name: _difference(scores, weights(chosen, operations, name), paired, overlap) for name in operations}
    return Attribution(chosen, each, *total_and_remainder)


def weights(design: Design, operations: Sequence[str], operation: str) -> dict[Recipe, float]:
    """recipe -> its weight in the contribution of `operation`.

    Shapley (1953), equation 13: with s of the k operations in a recipe that has it, (s - 1)! (k - s)! / k!, and the
    same with a minus for the recipe without it.
    """
    every = frozenset(operations)
    if design == "leave_one_out":
        return {every: 1.0, every - {operation}: -1.0}
    if design == "add_one_in":
        return {frozenset({operation}): 1.0, frozenset(): -1.0}
    shares: dict[Recipe, float] = {}
    for without in _subsets(every - {operation}):
        share = factorial(len(without)) * factorial(len(every) - len(without) - 1) / factorial(len(every))
        shares |= {without | {operation}: share, without: -share}
    return shares


def remainder_weights(design: Design, operations: Sequence[str]) -> dict[Recipe, float]:
    """recipe -> its weight in what all operations gain together, less the sum of what each of them does; {} of one.

    Each alone, or in leave-one-out each added to all the others. 0 where effects add up. Alone: below 0 where they do
    the same work twice, above 0 where one helps the other; in leave-one-out the other way round.
    """
    every, count = frozenset(operations), len(operations)
    if count < 2:
        return {}
    if design == "leave_one_out":
        return {every: 1.0 - count, frozenset(): -1.0} | {every - {name}: 1.0 for name in operations}
    return {every: 1.0, frozenset(): count - 1.0} | {frozenset({name}): -1.0 for name in operations}


def needed(design: Design, operations: Sequence[str]) -> set[Recipe]:
    """The recipes that a design is made of."""
    return {recipe for name in operations for recipe in weights(design, operations, name)}


def _subsets(operations: Recipe) -> Iterable[Recipe]:
    return (frozenset(some) for size in range(len(operations) + 1) for some in combinations(sorted(operations), size))


def _difference(
    scores: Mapping[Recipe, Sequence[float]], share: Mapping[Recipe, float], paired: bool, overlap: float
) -> Difference:
    groups, factors = [scores[recipe] for recipe in share], list(share.values())
    return Difference.of(paired_contrast(groups, factors, overlap) if paired else contrast(groups, factors))


def _design(scores: Mapping[Recipe, Sequence[float]], operations: Sequence[str], wanted: Design | None) -> Design:
    if not operations or len(set(operations)) != len(operations):
        raise ValueError(f"operations are to be attributed by their names, each once: got {list(operations)}")
    missing: dict[Design, set[Recipe]] = {}
    designs: tuple[Design, ...] = (wanted,) if wanted else get_args(Design)
    for design in designs:
        missing[design] = needed(design, operations) - set(scores)
        if not missing[design]:
            return design
    lacking = "; ".join(f"{design} lacks {', '.join(map(_name, lacks))}" for design, lacks in missing.items())
    raise ValueError(f"contributions cannot be computed: {lacking}")


def _name(recipe: Recipe) -> str:
    return "+".join(sorted(recipe)) or "the recipe without any"
