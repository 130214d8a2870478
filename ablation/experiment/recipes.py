"""Recipes in sets: what is left out, added, combined, or made stronger, for `Experiment(recipes=...)`.

Each takes the parts by name, an operation or a recipe of several: {"crop": RandomResizedCrop(), "color":
(Brightness(0.4), Contrast(0.4))}. Parts keep their order. Every set holds "none", the recipe of no augmentation. What
comes out is a mapping that knows what it was made of, so that a report need not guess it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.augment import Operation, Recipe
from ablation.augment.operations.choice import scaled
from ablation.core.errors import InputError
from ablation.core.values import fit, native

Parts = Mapping[str, Operation | Sequence[Operation]]
PartNames = frozenset[str]

MOST = 12
"""Parts in a power set: 2^12 are 4,096 recipes."""


@dataclass(frozen=True)
class DoseSeries:
    """One recipe at several strengths. recipe: as it is at strength 1. names: of the recipes, by their strength."""

    recipe: Recipe
    names: Mapping[float, str]


@dataclass(frozen=True)
class PartDesign:
    """Recipes made of named parts, each after the recipe `base`. names: of the recipes, by the parts that they have."""

    parts: Mapping[str, Recipe]
    base: Recipe
    names: Mapping[PartNames, str]

    def parts_of(self, name: str, recipe: Recipe) -> PartNames | None:
        """The parts that a recipe of this name is made of, by whomever it was written; None where it is of others."""
        declared = next((parts for parts, other in self.names.items() if other == name), None)
        if declared is not None:
            return declared
        if recipe[: len(self.base)] != self.base:
            return None
        rest, named = recipe[len(self.base) :], []
        for part, operations in self.parts.items():
            if operations and rest[: len(operations)] == operations:
                rest = rest[len(operations) :]
                named.append(part)
        return None if rest else frozenset(named)


class Recipes(Mapping[str, Recipe]):
    """Recipes by name, with the designs that they make. It cannot be changed; `|` joins it with others, as dicts are.

    A design whose recipes are not all there any more, as another of the same name replaced one, is dropped.
    """

    def __init__(self, recipes: Mapping[str, Recipe], *designs: DoseSeries | PartDesign):
        self._recipes = dict(recipes)
        self.designs = designs

    def __getitem__(self, name: str) -> Recipe:
        return self._recipes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def __repr__(self) -> str:
        return repr(self._recipes)

    def __or__(self, other: Any) -> Recipes:
        return _merged(self, other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Any) -> Recipes:
        return _merged(other, self) if isinstance(other, Mapping) else NotImplemented


def _merged(first: Mapping[str, Recipe], second: Mapping[str, Recipe]) -> Recipes:
    recipes = {**first, **second}
    designs = [
        design
        for given in (first, second)
        for design in designs_of(given)
        if all(recipes[name] == given[name] for name in design.names.values())
    ]
    return Recipes(recipes, *designs)


def designs_of(recipes: Mapping[str, Recipe]) -> tuple[DoseSeries | PartDesign, ...]:
    """The designs that were declared of these recipes; () of those in a dict written by hand."""
    return recipes.designs if isinstance(recipes, Recipes) else ()


def leave_one_out(parts: Parts) -> Recipes:
    """All parts together, and all but each, which shows what each adds to the others.

    >>> from ablation import Hue, RandomResizedCrop
    >>> list(leave_one_out({"crop": RandomResizedCrop(), "hue": Hue(0.1)}))
    ['none', 'all', 'without crop', 'without hue']
    """
    _check_parts(parts, "none", "all")
    sets = {name: [other for other in parts if other != name] for name in parts}
    return _of_parts(parts, {"none": (), "all": tuple(parts)} | {f"without {name}": sets[name] for name in parts})


def add_one_in(parts: Parts, base: Operation | Sequence[Operation] = ()) -> Recipes:
    """Each part alone, after the recipe `base`, which is there as "base" where it is not empty.

    >>> from ablation import Hue, RandomHorizontalFlip, RandomResizedCrop
    >>> list(add_one_in({"crop": RandomResizedCrop(), "hue": Hue(0.1)}, base=(RandomHorizontalFlip(),)))
    ['none', 'base', 'crop', 'hue']
    """
    _check_parts(parts, "none", "base")
    before = _recipe(base)
    alone = _of_parts(parts, {"base" if before else "none": ()} | {name: [name] for name in parts}, before)
    return {"none": ()} | alone


def powerset(parts: Parts) -> Recipes:
    """Every combination of the parts, 2^k recipes, for a complete attribution. Raises InputError for more than 12.

    >>> from ablation import Hue, RandomResizedCrop
    >>> list(powerset({"crop": RandomResizedCrop(), "hue": Hue(0.1)}))
    ['none', 'crop', 'hue', 'crop + hue']
    """
    _check_parts(parts, "none")
    if len(parts) > MOST:
        many = f"a power set of {len(parts)} parts is {2 ** len(parts):,} recipes"
        raise InputError(f"{many}; at most {MOST} parts are taken")
    sizes = (itertools.combinations(parts, size) for size in range(1, len(parts) + 1))
    return _of_parts(parts, {"none": ()} | {" + ".join(names): names for names in itertools.chain(*sizes)})


def dose(recipe: Operation | Sequence[Operation], factors: Iterable[float] = (0.25, 0.5, 0.75, 1)) -> Recipes:
    """The recipe at several strengths. What a strength is, each operation says (`scaled`).

    >>> from ablation import RandomRotation
    >>> dose(RandomRotation(30), (0.5, 1))["x0.5"]
    (RandomRotation(degrees=15.0, expand=False, fill=0.0),)
    """
    whole = _recipe(recipe)
    try:
        names = {factor: f"x{factor:g}" for factor in map(native, factors) if factor}
    except (TypeError, ValueError):
        raise InputError(f"factors = {factors!r}: expected a tuple of numbers, as (0.5, 1)") from None
    if len(set(names.values())) < len(names):
        raise InputError(
            f"the strengths {', '.join(map(str, names))} are too near each other to have names of their own"
        )
    recipes = {"none": ()} | {name: scaled(whole, factor) for factor, name in names.items()}
    return Recipes(recipes, DoseSeries(whole, names))


def _of_parts(parts: Parts, sets: Mapping[str, Iterable[str]], base: Recipe = ()) -> Recipes:
    """Recipes by the names of their parts, with the design that they make."""
    whole = {name: _recipe(part) for name, part in parts.items()}
    recipes = {name: (*base, *itertools.chain(*(whole[part] for part in own))) for name, own in sets.items()}
    names: dict[PartNames, str] = {}
    for name, own in sets.items():
        names.setdefault(frozenset(own), name)
    return Recipes(recipes, PartDesign(whole, base, names))


def _check_parts(parts: Parts, *taken: str) -> None:
    """Raise InputError where parts have no names, or one has the name that the set gives to a recipe of its own."""
    if wrong := fit(parts, Mapping[str, Any])[1]:
        raise InputError(f"parts = {parts!r}: {wrong}")
    for name in parts:
        if name in taken or " + " in name:
            raise InputError(f"a part may not be called {name!r}: the set has a recipe of that name, or could have")


def _recipe(part: Operation | Sequence[Operation]) -> Recipe:
    """A part as a recipe. Raises InputError where it is of something else than operations."""
    recipe, wrong = fit(part if isinstance(part, list | tuple) else (part,), Recipe)
    if wrong:
        raise InputError(f"a part is an operation, or a recipe of several: {wrong}")
    return tuple(recipe)
