"""Designs: what the recipes of an experiment can say about their operations. From recipes to parts and their names.

A recipe is a set of parts. Where the author declared the parts (`ablation.experiment.recipes`), they are these; in
recipes written by hand operations that always occur together are one part, and the baseline's, which are in all of
them, count as none. Of all sets of parts whose recipes make a complete design, the largest is taken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from ablation.analysis.attribution import Design, needed
from ablation.core.text import named
from ablation.core.values import label, plain
from ablation.experiment.experiment import Experiment
from ablation.experiment.recipes import PartDesign, designs_of

Parts = frozenset[str]
"""A recipe by the names of its parts; the empty set is the baseline."""

Operations = frozenset[str]
"""A recipe by the plain forms of its operations, without the baseline's."""


@dataclass(frozen=True)
class Plan:
    """parts: their names, in the order in which recipes have them. recipes: those that take part, by their parts.

    left_out: recipe -> why it takes no part.
    """

    design: Design
    parts: tuple[str, ...]
    recipes: Mapping[Parts, str]
    left_out: Mapping[str, str]


def plan_of(experiment: Experiment) -> Plan | None:
    """The largest complete design, of two parts or more; of one size Shapley's before leave-one-out before add-one-in.

    What was declared comes before what is read off recipes. Add-one-in wants a recipe that has all parts together, too:
    without it the comparison with the baseline has said everything.
    """
    declared = [design for design in designs_of(experiment.recipes) if isinstance(design, PartDesign)]
    plans = [plan for design in declared if (plan := _declared(experiment, design)) is not None]
    return max(plans, key=lambda plan: len(plan.parts)) if plans else _read_off(experiment)


def _declared(experiment: Experiment, declared: PartDesign) -> Plan | None:
    """By the declared parts: every recipe that is made of them takes part, also one written by hand."""
    recipes: dict[Parts, str] = {}
    for name, recipe in experiment.factors["recipe"].items():
        parts = declared.parts_of(name, recipe)
        if parts is not None:
            recipes.setdefault(parts, name)
    return _plan(experiment, recipes, declared.parts, {}) if recipes.get(Parts()) == experiment.baseline else None


def _read_off(experiment: Experiment) -> Plan | None:
    """By the operations of the recipes.

    The order of operations is no part of a set: recipes that have them in another order than the baseline and the
    longest recipe are left out, and so is one that has an operation twice.
    """
    forms = {name: _forms(recipe) for name, recipe in experiment.factors["recipe"].items()}
    sets, left_out = _sets(forms, experiment.baseline)
    names = _names(experiment, sets, _together(forms, sets))
    recipes = {Parts(names[part] for part in names if part <= operations): name for operations, name in sets.items()}
    return _plan(experiment, recipes, names.values(), left_out)


def _plan(
    experiment: Experiment, made: Mapping[Parts, str], parts: Iterable[str], left_out: Mapping[str, str]
) -> Plan | None:
    """The largest design of these recipes by their parts; left_out: what is already known to take no part."""
    best = _largest(made.keys())
    if best is None:
        return None
    design, chosen = best
    wanted = needed(design, sorted(chosen)) | {chosen, Parts()}
    recipes = {own: made[own] for own in made if own in wanted}
    out = {
        name: left_out.get(name, "it makes no complete design with the others")
        for name in experiment.recipes
        if name not in recipes.values()
    }
    return Plan(design, tuple(part for part in parts if part in chosen), recipes, out)


def _largest(made: Collection[Parts]) -> tuple[Design, Parts] | None:
    """The largest set of parts of which all recipes of a design are there."""
    for size in sorted({len(parts) for parts in made if len(parts) > 1}, reverse=True):
        for design in get_args(Design):
            for parts in made:
                if len(parts) == size and _complete(design, parts, made):
                    return design, parts
    return None


def _complete(design: Design, parts: Parts, made: Collection[Parts]) -> bool:
    if design == "shapley" and 2 ** len(parts) > len(made):
        return False
    return needed(design, sorted(parts)) <= set(made)


def _forms(recipe: Iterable[Any]) -> tuple[str, ...]:
    """Each operation as text that is the same for the same operation."""
    return tuple(json.dumps(plain(operation), sort_keys=True) for operation in recipe)


def _sets(recipes: Mapping[str, tuple[str, ...]], baseline: str) -> tuple[dict[Operations, str], dict[str, str]]:
    """The recipes as sets of what they add to the baseline, in order, the baseline first; and why others are none."""
    base, left_out = recipes[baseline], {}
    for name, forms in recipes.items():
        if len(set(forms)) < len(forms):
            left_out[name] = "it has an operation twice"
        elif not set(base) <= set(forms):
            left_out[name] = f"it has not all operations of {named(baseline)}"
    usable = {name: forms for name, forms in recipes.items() if name not in left_out and _agree(forms, base)}
    longest = max(usable.values(), key=len, default=())
    sets = {frozenset[str](): baseline} if baseline in usable else {}
    for name, forms in recipes.items():
        operations = frozenset(forms) - set(base)
        if name in left_out or name == sets.get(operations):
            continue
        if name not in usable or not _agree(forms, longest):
            left_out[name] = "it has its operations in another order"
        elif operations in sets:
            left_out[name] = f"it has the operations of {named(sets[operations])}"
        else:
            sets[operations] = name
    return sets, left_out


def _agree(forms: tuple[str, ...], order: tuple[str, ...]) -> bool:
    """Do both have the operations that they share in one order?"""
    return [form for form in forms if form in order] == [form for form in order if form in forms]


def _together(recipes: Mapping[str, tuple[str, ...]], sets: Mapping[Operations, str]) -> list[Operations]:
    """The parts: operations that occur in the very same sets. In the order of the longest recipe, then of the file."""
    by_recipes: dict[frozenset[str], list[str]] = {}
    ordered = sorted(sets.values(), key=lambda name: -len(recipes[name]))[:1] + list(sets.values())
    for form in dict.fromkeys(form for name in ordered for form in recipes[name]):
        holders = frozenset(name for operations, name in sets.items() if form in operations)
        if holders:
            by_recipes.setdefault(holders, []).append(form)
    return [frozenset(forms) for forms in by_recipes.values()]


def _names(
    experiment: Experiment, sets: Mapping[Operations, str], parts: Collection[Operations]
) -> dict[Operations, str]:
    """What each part is called: as the recipe of it alone; else by its operations."""
    known = {form: operation for recipe in experiment.factors["recipe"].values() for operation in recipe
             for form in _forms([operation])}  # fmt: skip
    classes = {part: " + ".join(type(known[form]).__name__ for form in known if form in part) for part in parts}
    labels = {part: " + ".join(label(known[form]) for form in known if form in part) for part in parts}
    names: dict[Operations, str] = {}
    for part in parts:
        alike = Counter(classes.values())[classes[part]] > 1
        choices = (*filter(None, [sets.get(part)]), labels[part] if alike else classes[part], labels[part])
        names[part] = next(name for name in choices if name not in names.values())
    return names
