"""Ladders: recipes of an experiment that differ in one magnitude only, or are one recipe at several strengths.

Found in the recipes themselves, whatever they are called. The recipe without the operation stands at the dose at which
the operation does nothing, where there is such a dose and such a recipe.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ablation.augment import (
    Brightness,
    ColorJitter,
    Contrast,
    CutMix,
    Cutout,
    GaussianNoise,
    Hue,
    MixUp,
    RandomAdjustSharpness,
    RandomAffine,
    RandomPerspective,
    RandomPosterize,
    RandomRotation,
    Recipe,
    Saturation,
    Sometimes,
    Strength,
)  # fmt: skip
from ablation.augment.strength import SCALED, scaled
from ablation.core.errors import InputError
from ablation.core.values import label, plain
from ablation.experiment.experiment import Experiment

MIN_DOSES = 3

Path = tuple[Any, ...]
"""Where a number stands in a recipe: the operation's place, then a field, and a place in it if it is a tuple."""

Leaves = Mapping[Path, Any]

NO_STRENGTH = ("fill", "value", "center", "num_magnitude_bins")
"""Fields whose numbers make nothing stronger: what is seen where the picture is not, and about which point."""

NOTHING: dict[tuple[type, str], float] = {
    (Brightness, "brightness"): 0, (Contrast, "contrast"): 0, (Saturation, "saturation"): 0, (Hue, "hue"): 0,
    (ColorJitter, "brightness"): 0, (ColorJitter, "contrast"): 0, (ColorJitter, "saturation"): 0,
    (ColorJitter, "hue"): 0, (RandomRotation, "degrees"): 0, (RandomAffine, "degrees"): 0,
    (RandomPerspective, "distortion_scale"): 0, (GaussianNoise, "sigma"): 0, (Cutout, "length"): 0,
    (RandomAdjustSharpness, "sharpness_factor"): 1, (RandomPosterize, "bits"): 8, (MixUp, "alpha"): 0,
    (CutMix, "alpha"): 0,
}  # fmt: skip
"""The magnitude at which an operation does nothing, or comes as near to it as one likes, if it has no other.

A crop is not here: with all of its area left it still shows a picture that is no square in other proportions.
"""


@dataclass(frozen=True)
class Ladder:
    """magnitude: what the doses count, 'degrees of RandomRotation'. doses (K,), ascending; recipes (K,): their names.

    nothing: the recipe among them that is without the operation, '' where there is none. unit: the recipe at dose 1
    where doses are shares of a strength, else ''.
    """

    magnitude: str
    doses: tuple[float, ...]
    recipes: tuple[str, ...]
    nothing: str = ""
    unit: str = ""


def ladders(experiment: Experiment) -> tuple[Ladder, ...]:
    """Three doses or more each, the longest first; none that is part of another."""
    recipes: dict[str, Recipe] = experiment.factors["recipe"]
    found = [*_of_one_magnitude(recipes), *_of_strength(recipes)]
    kept: list[Ladder] = []
    for ladder in sorted(found, key=lambda ladder: -len(ladder.doses)):
        if len(ladder.doses) >= MIN_DOSES and not any(set(ladder.recipes) <= set(other.recipes) for other in kept):
            kept.append(ladder)
    alike = Counter(ladder.magnitude for ladder in kept)
    return tuple(_told_apart(ladder) if alike[ladder.magnitude] > 1 else ladder for ladder in kept)


def _told_apart(ladder: Ladder) -> Ladder:
    names = [recipe for recipe in ladder.recipes if recipe != ladder.nothing]
    return replace(ladder, magnitude=f"{ladder.magnitude}, {names[0]} to {names[-1]}")


def _of_one_magnitude(recipes: Mapping[str, Recipe]) -> Iterator[Ladder]:
    """Recipes that are alike in all but one number; the dose is that number."""
    groups: dict[tuple[Path, frozenset[tuple[Path, Any]]], dict[float, str]] = {}
    for name, recipe in recipes.items():
        leaves = _leaves(recipe)
        for path, leaf in leaves.items():
            if _may_grow(path, leaf):
                rest = frozenset(item for item in leaves.items() if item[0] != path)
                groups.setdefault((path, rest), {}).setdefault(leaf, name)
    for (path, _), names in groups.items():
        if len(names) < 2:
            continue
        place, *inside = path
        recipe = recipes[next(iter(names.values()))]
        at = nothing_at(recipe[place], tuple(inside))
        without = _named(recipes, recipe[:place] + recipe[place + 1 :]) if at is not None else ""
        if at is not None and without and at not in names:
            names = names | {float(at): without}
        yield _ladder(_magnitude(recipe, path), names, without if without in names.values() else "")


def _of_strength(recipes: Mapping[str, Recipe]) -> Iterator[Ladder]:
    """Recipes that are one recipe at several strengths; the dose is the strength."""
    groups: dict[frozenset[tuple[Path, Any]], list[str]] = {}
    for name, recipe in recipes.items():
        shape = frozenset((path, None if _may_grow(path, leaf) else leaf) for path, leaf in _leaves(recipe).items())
        groups.setdefault(shape, []).append(name)
    for names in groups.values():
        left = sorted(names, key=lambda name: _told(name) != 1)  # "x1" is the unit where there is one
        while len(left) > 1:
            unit, *others = left
            factors = {unit: 1.0} | {name: f for name in others if (f := _factor(recipes, unit, name)) is not None}
            left = [name for name in others if name not in factors]
            if len(factors) > 1:
                yield _strengths(recipes, unit, factors)


def _strengths(recipes: Mapping[str, Recipe], unit: str, factors: Mapping[str, float]) -> Ladder:
    """In the shares that the names tell, where they do: 'x0.5'."""
    named = _told(unit) or 1.0
    if any(not math.isclose(_told(name) or 0.0, named * factor) for name, factor in factors.items()):
        named = 1.0
    doses = {named * factor: name for name, factor in factors.items()}
    without = _named(recipes, scaled(recipes[unit], 0))
    kinds = " + ".join(type(operation).__name__ for operation in recipes[unit])
    whole = " + ".join(map(label, recipes[unit])) if named == 1 else ""
    return _ladder(f"strength of {kinds}", ({0.0: without} if without else {}) | doses, without, whole)


def _ladder(magnitude: str, names: Mapping[float, str], nothing: str, unit: str = "") -> Ladder:
    doses = sorted(names)
    rounded = tuple(float(f"{dose:.12g}") for dose in doses)
    return Ladder(magnitude, rounded, tuple(names[dose] for dose in doses), nothing, unit)


def nothing_at(operation: Any, path: Path) -> float | None:
    """The number at `path` with which the operation does nothing; None where there is none, or not by it alone."""
    field, *inside = path
    if field == "p":
        return 0.0
    if isinstance(operation, Sometimes) and inside:
        return nothing_at(operation.operation, tuple(inside))
    if isinstance(operation, Strength):
        return 0.0 if field == "factor" and not scaled(operation.recipe, 0) else None
    if inside or (type(operation), field) not in NOTHING:
        return None
    half = SCALED[type(operation)](operation, 0.5)
    others = [other.name for other in fields(operation) if other.name != field]
    alone = all(getattr(half, name) == getattr(operation, name) for name in others)
    return NOTHING[type(operation), field] if alone else None


def _factor(recipes: Mapping[str, Recipe], unit: str, name: str) -> float | None:
    """The strength at which the recipe `unit` is the recipe `name`; None where it never is."""
    one, other = _leaves(recipes[unit]), _leaves(recipes[name])
    told = [_told(name) / _told(unit)] if _told(name) and _told(unit) else []
    moved = [(one[path], leaf) for path, leaf in other.items() if leaf != one[path]]
    apart = [(leaf - about) / (start - about) for start, leaf in moved for about in (0, 1) if start != about]
    factors = dict.fromkeys(float(f"{factor:.12g}") for factor in (*told, *apart) if factor > 0)
    return next((factor for factor in factors if _is_at(recipes[unit], factor, recipes[name])), None)


def _is_at(recipe: Recipe, factor: float, wanted: Recipe) -> bool:
    """Is the recipe, at this strength, the one that is wanted? Ends at the first operation that is not."""
    try:
        return all(_alike(scaled((one,), factor), (other,)) for one, other in zip(recipe, wanted, strict=True))
    except InputError:
        return False


def _alike(made: Recipe, wanted: Recipe) -> bool:
    """The same but for rounding."""
    found, leaves = _leaves(made), _leaves(wanted)
    return found.keys() == leaves.keys() and all(
        math.isclose(leaf, leaves[path], rel_tol=1e-9, abs_tol=1e-12) if _number(leaf) else leaf == leaves[path]
        for path, leaf in found.items()
    )


def _leaves(recipe: Recipe) -> dict[Path, Any]:
    def walk(form: Any, path: Path) -> Iterator[tuple[Path, Any]]:
        if isinstance(form, Mapping | list):
            for key, inner in form.items() if isinstance(form, Mapping) else enumerate(form):
                yield from walk(inner, (*path, key))
        else:
            yield path, form

    return dict(walk([plain(operation) for operation in recipe], ()))


def _number(leaf: Any) -> bool:
    return isinstance(leaf, int | float) and not isinstance(leaf, bool)


def _may_grow(path: Path, leaf: Any) -> bool:
    """Is it a number that may make an operation stronger?"""
    return _number(leaf) and not set(path) & set(NO_STRENGTH)


def _named(recipes: Mapping[str, Recipe], recipe: Recipe) -> str:
    """The first name of this recipe, '' where it has none."""
    return next((name for name, other in recipes.items() if _leaves(other) == _leaves(recipe)), "")


def _told(name: str) -> float:
    """The strength in a name as `ablation.experiment.recipes.dose` gives it: 'x0.5'; 0 without."""
    found = re.fullmatch(r"x(\d+(?:\.\d+)?)", name)
    return float(found[1]) if found else 0.0


def _magnitude(recipe: Recipe, path: Path) -> str:
    """'degrees of RandomRotation', 'amount of Brightness, with RandomResizedCrop()', 'lower bound of scale of ...'."""
    place, *inside = path
    holder: Any = recipe[place]
    while len(inside) > 1 and hasattr(getattr(holder, str(inside[0])), "__dataclass_fields__"):
        holder, inside = getattr(holder, inside[0]), inside[1:]
    kind, field = type(holder).__name__, str(inside[0])
    words = {kind.lower(): "amount", "p": "probability"}.get(field, field.replace("_", " "))
    if len(inside) > 1:
        bounds = {0: "lower bound", 1: "upper bound"} if len(getattr(holder, field)) == 2 else {}
        words = f"{bounds.get(inside[1], f'number {inside[1] + 1}')} of {words}"
    beside = " + ".join(map(label, recipe[:place] + recipe[place + 1 :]))
    return f"{words} of {kind}" + (f", with {beside}" if beside else "")
