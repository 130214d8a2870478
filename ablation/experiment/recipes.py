"""Recipes in sets: what is left out, added, combined, or made stronger, as dicts for `Experiment(recipes=...)`.

Each takes the parts by name, an operation or a recipe of several: {"crop": RandomResizedCrop(), "color":
(Brightness(0.4), Contrast(0.4))}. Parts keep their order. Every set holds "none", the recipe of no augmentation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from ablation.augment import Operation, Recipe
from ablation.augment.strength import scaled
from ablation.core.errors import InputError, Problem

Parts = Mapping[str, Operation | Sequence[Operation]]

MOST = 12
"""Parts in a power set: 2^12 are 4,096 recipes."""


def leave_one_out(parts: Parts) -> dict[str, Recipe]:
    """All parts together, and all but each: "none", "all", "without crop", ... What does each add to the others?"""
    _check_names(parts, "none", "all")
    without = {f"without {name}": _joined(parts, [other for other in parts if other != name]) for name in parts}
    return {"none": (), "all": _joined(parts, parts), **without}


def add_one_in(parts: Parts, base: Recipe = ()) -> dict[str, Recipe]:
    """Each part alone, after the recipe `base`: "none", "crop", ..., and "base" where it is not empty."""
    _check_names(parts, "none", "base")
    alone = {name: (*base, *_recipe(parts[name])) for name in parts}
    return {"none": ()} | ({"base": base} if base else {}) | alone


def powerset(parts: Parts) -> dict[str, Recipe]:
    """Every combination of the parts, 2^k recipes: "none", "crop", ..., "crop + color". For a complete attribution."""
    _check_names(parts, "none")
    if len(parts) > MOST:
        message = f"a power set of {len(parts)} parts is {2 ** len(parts):,} recipes; at most {MOST} parts are taken"
        raise InputError([Problem(message)])
    sizes = (itertools.combinations(parts, size) for size in range(1, len(parts) + 1))
    return {"none": ()} | {" + ".join(names): _joined(parts, names) for names in itertools.chain(*sizes)}


def dose(recipe: Operation | Sequence[Operation], factors: Iterable[float] = (0.25, 0.5, 0.75, 1)) -> dict[str, Recipe]:
    """The recipe at several strengths, as `ablation.augment.strength` understands them: "none", "x0.25", "x0.5", ..."""
    return {"none": ()} | {f"x{factor:g}": scaled(_recipe(recipe), factor) for factor in factors if factor}


def _check_names(parts: Parts, *taken: str) -> None:
    """Raise InputError where a part has a name that the set gives to a recipe of its own."""
    for name in parts:
        if name in taken or " + " in name:
            message = f"a part may not be called {name!r}: the set has a recipe of that name, or could have"
            raise InputError([Problem(message)])


def _recipe(part: Operation | Sequence[Operation]) -> Recipe:
    return tuple(part) if isinstance(part, Sequence) else (part,)


def _joined(parts: Parts, names: Iterable[str]) -> Recipe:
    return tuple(operation for name in names for operation in _recipe(parts[name]))
