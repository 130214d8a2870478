"""Dose series: recipes of an experiment that differ in one magnitude only, or are one recipe at several strengths.

Strengths are those that the author declared (`ablation.experiment.recipes.dose`); in recipes written by hand both are
read off the recipes themselves, whatever they are called. The recipe without the operation stands at the dose at which
the operation does nothing, where there is such a dose and such a recipe.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ablation.augment import Recipe, Sometimes, Strength
from ablation.augment.operations.choice import scaled
from ablation.core.errors import InputError
from ablation.core.text import named
from ablation.core.values import label
from ablation.experiment.experiment import Experiment
from ablation.experiment.recipes import DoseSeries, designs_of

MIN_DOSES = 3

Path = tuple[Any, ...]
"""Where a number stands in a recipe: the operation's index, then a field, and an index in it if it is a tuple."""

Leaves = Mapping[Path, Any]


@dataclass(frozen=True)
class Series:
    """magnitude: what the doses count, 'degrees of RandomRotation'. doses (K,), ascending; recipes (K,): their names.

    nothing: the recipe among them that is without the operation, '' where there is none. unit: the recipe at dose 1
    where doses are shares of a strength, else ''.
    """

    magnitude: str
    doses: tuple[float, ...]
    recipes: tuple[str, ...]
    nothing: str = ""
    unit: str = ""


def dose_series(experiment: Experiment) -> tuple[Series, ...]:
    """Three doses or more each, the longest first; none that is part of another.

    What differs in one number is counted in that number rather than in strengths.
    """
    recipes: dict[str, Recipe] = experiment.factors["recipe"]
    leaves = {name: dict(_leaves(recipe, ())) for name, recipe in recipes.items()}
    declared = [design for design in designs_of(experiment.recipes) if isinstance(design, DoseSeries)]
    names = {name for design in declared for name in design.names.values()}
    by_hand = {name: own for name, own in leaves.items() if name not in names}
    every = [
        *_of_one_magnitude(recipes, leaves),
        *(_of_strengths(recipes, design.recipe, design.names) for design in declared),
        *_of_one_recipe(recipes, by_hand),
    ]
    kept: list[Series] = []
    for series in sorted(every, key=lambda series: -len(series.doses)):
        if len(series.doses) >= MIN_DOSES and not any(set(series.recipes) <= set(other.recipes) for other in kept):
            kept.append(series)
    alike = Counter(series.magnitude for series in kept)
    for index, series in enumerate(kept):
        if alike[series.magnitude] > 1:
            first, *_, last = (recipe for recipe in series.recipes if recipe != series.nothing)
            kept[index] = replace(series, magnitude=f"{series.magnitude}, {named(first)} to {named(last)}")
    return tuple(kept)


def _of_one_magnitude(recipes: Mapping[str, Recipe], leaves: Mapping[str, Leaves]) -> Iterator[Series]:
    """Recipes that are alike in all but one number; the dose is that number."""
    groups: dict[tuple[Path, frozenset[tuple[Path, Any]]], dict[float, str]] = {}
    for name, own in leaves.items():
        for path, leaf in own.items():
            if _number(leaf):
                rest = frozenset(item for item in own.items() if item[0] != path)
                groups.setdefault((path, rest), {}).setdefault(leaf, name)
    for (path, _), names in groups.items():
        if len(names) < 2:
            continue
        index, *inside = path
        recipe = recipes[next(iter(names.values()))]
        at = nothing_at(recipe[index], tuple(inside))
        without = _named(recipes, recipe[:index] + recipe[index + 1 :]) if at is not None else ""
        if at is not None and without and at not in names:
            names = names | {float(at): without}
        yield _series(_magnitude(recipe, path), names, without if without in names.values() else "")


def _of_one_recipe(recipes: Mapping[str, Recipe], leaves: Mapping[str, Leaves]) -> Iterator[Series]:
    """Recipes that are one recipe at several strengths, in multiples of the first of them."""
    groups: dict[frozenset[tuple[Path, Any]], list[str]] = {}
    for name, own in leaves.items():
        shape = frozenset((path, None if _number(leaf) else leaf) for path, leaf in own.items())
        groups.setdefault(shape, []).append(name)
    for names in groups.values():
        while len(names) > 1:
            first, *others = names
            factors = {1.0: first}
            for name in others:
                factor = _factor(recipes[first], recipes[name], leaves[first], leaves[name])
                factors |= {} if factor is None else {factor: name}
            names = [name for name in others if name not in factors.values()]
            if len(factors) > 1:
                yield _of_strengths(recipes, recipes[first], factors)


def _of_strengths(recipes: Mapping[str, Recipe], recipe: Recipe, names: Mapping[float, str]) -> Series:
    """The recipe at several strengths, with what is left of it at none."""
    without = _named(recipes, scaled(recipe, 0))
    kinds = " + ".join(type(operation).__name__ for operation in recipe)
    names = ({0.0: without} if without else {}) | dict(names)
    return _series(f"strength of {kinds}", names, without, " + ".join(map(label, recipe)))


def _series(magnitude: str, names: Mapping[float, str], nothing: str, unit: str = "") -> Series:
    doses = sorted(names)
    rounded = tuple(float(f"{dose:.12g}") for dose in doses)
    return Series(magnitude, rounded, tuple(names[dose] for dose in doses), nothing, unit)


def nothing_at(operation: Any, path: Path) -> float | None:
    """The number at `path` with which the operation does nothing; None where there is none, or not by it alone."""
    field, *inside = path
    if field == "p":
        return 0.0
    if isinstance(operation, Sometimes) and inside:
        return nothing_at(operation.operation, tuple(inside))
    if isinstance(operation, Strength):
        return 0.0 if field == "factor" and not scaled(operation.recipe, 0) else None
    if inside or field not in operation.neutral:
        return None
    half = operation.scaled(0.5)
    others = [other.name for other in fields(operation) if other.name != field]
    alone = all(getattr(half, name) == getattr(operation, name) for name in others)
    return operation.neutral[field] if alone else None


def _factor(recipe: Recipe, wanted: Recipe, one: Leaves, other: Leaves) -> float | None:
    """The strength at which the recipe is the one that is wanted; None where it never is. one, other: their leaves."""
    moved = [(one[path], leaf) for path, leaf in other.items() if leaf != one[path]]
    apart = [(leaf - about) / (start - about) for start, leaf in moved for about in (0, 1) if start != about]
    factors = dict.fromkeys(float(f"{factor:.12g}") for factor in apart if factor > 0)
    return next((factor for factor in factors if _is_at(recipe, factor, wanted)), None)


def _is_at(recipe: Recipe, factor: float, wanted: Recipe) -> bool:
    """Is the recipe, at this strength, the one that is wanted? Ends at the first operation that is not."""
    try:
        return all(_alike(scaled((one,), factor), (other,)) for one, other in zip(recipe, wanted, strict=True))
    except InputError:
        return False


def _alike(made: Recipe, wanted: Recipe) -> bool:
    """The same but for rounding."""
    ours, leaves = dict(_leaves(made, ())), dict(_leaves(wanted, ()))
    return ours.keys() == leaves.keys() and all(
        math.isclose(leaf, leaves[path], rel_tol=1e-9, abs_tol=1e-12) if _number(leaf) else leaf == leaves[path]
        for path, leaf in ours.items()
    )


def _leaves(item: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Everything in a recipe with where it stands. A number is one that may make an operation stronger; what cannot
    (a colour) is text."""
    if hasattr(item, "__dataclass_fields__"):
        yield (*path, "type"), type(item).__name__
        for field in fields(item):
            inner = getattr(item, field.name)
            if field.name in getattr(item, "appearance", ()):
                yield (*path, field.name), repr(inner)
            else:
                yield from _leaves(inner, (*path, field.name))
    elif isinstance(item, Mapping | tuple | list):
        for key, inner in item.items() if isinstance(item, Mapping) else enumerate(item):
            yield from _leaves(inner, (*path, key))
    else:
        yield path, item


def _number(leaf: Any) -> bool:
    return isinstance(leaf, int | float) and not isinstance(leaf, bool)


def _named(recipes: Mapping[str, Recipe], recipe: Recipe) -> str:
    """The first name of this recipe, '' where it has none."""
    return next((name for name, other in recipes.items() if other == recipe), "")


def _magnitude(recipe: Recipe, path: Path) -> str:
    """'degrees of RandomRotation', 'amount of Brightness, with RandomResizedCrop()', 'lower bound of scale of ...'."""
    index, *inside = path
    holder: Any = recipe[index]
    while len(inside) > 1 and hasattr(getattr(holder, str(inside[0])), "__dataclass_fields__"):
        holder, inside = getattr(holder, inside[0]), inside[1:]
    kind, field = type(holder).__name__, str(inside[0])
    words = {kind.lower(): "amount", "p": "probability"}.get(field, field.replace("_", " "))
    if len(inside) > 1:
        bounds = {0: "lower bound", 1: "upper bound"} if len(getattr(holder, field)) == 2 else {}
        words = f"{bounds.get(inside[1], f'number {inside[1] + 1}')} of {words}"
    beside = " + ".join(map(label, recipe[:index] + recipe[index + 1 :]))
    return f"{words} of {kind}" + (f", with {beside}" if beside else "")
