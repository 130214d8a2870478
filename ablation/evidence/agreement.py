"""Several experiments side by side: do they agree in what a common table needs, and in what do they differ?

A score can stand beside another where both are the same metric of the same photographs: data, split and metric must
agree. Everything else may differ, and is named. Nothing is tested across experiments: their seeds may be shared or not,
and no family of comparisons was declared over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from ablation.core.errors import InputError
from ablation.core.text import NONE, listing
from ablation.core.values import label
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment

ASIDE = (
    "name",
    "question",
    "file",
    "data",
    "metric",
    "split",
    "train_size",
    "recipes",
    "optimizers",
    "vary",
    "exclude",
)
"""Fields that say nothing by themselves, or are compared in another way."""


NO_OPERATION = "no augmentation"


@dataclass(frozen=True)
class Difference:
    """In what the experiments differ, and how each has it, in their order."""

    what: str
    levels: tuple[str, ...]


def differences(studies: Sequence[Study]) -> tuple[Difference, ...]:
    """In what experiments differ that may stand in one table.

    Raises InputError where one of them is given twice, or where data, split or metric do not agree.
    """
    names = [study.experiment.name for study in studies]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{listing(twice)} is given twice: name different experiments")
    if wrong := _differing([_needed(study) for study in studies]):
        lines = [f"  {one.what}: {'; '.join(map(_of, names, one.levels))}" for one in wrong]
        raise InputError(
            "\n".join([f"{listing(names)} cannot stand in one table, as they do not agree in their", *lines])
        )
    return _differing([_rest(study.experiment) for study in studies])


def _of(name: str, level: str) -> str:
    return f"{name} has {level}"


def _needed(study: Study) -> dict[str, str]:
    """What must agree: the photographs that are tested on, and what is measured on them."""
    experiment = study.experiment
    return {
        "data": f"{label(experiment.data)} ({study.results.cells[0].spec.data[:12]})",
        "split": _levels(experiment, "split"),
        "metric": experiment.metric,
    }


def _rest(experiment: Experiment) -> dict[str, str]:
    """What may differ: each recipe and optimizer by its name, and every other field."""
    recipes = {
        f"recipe {name}": " + ".join(map(label, recipe)) or NO_OPERATION for name, recipe in experiment.recipes.items()
    }
    optimizers = {f"optimizer {name}": label(optimizer) for name, optimizer in experiment.optimizers.items()}
    own = {field.name: _levels(experiment, field.name) for field in fields(experiment) if field.name not in ASIDE}
    return {
        **own,
        "test": label(experiment.declared_test),
        "training part": _levels(experiment, "train_size"),
        **recipes,
        **optimizers,
    }


def _levels(experiment: Experiment, field: str) -> str:
    """The value of a field, or all those that it takes in the grid."""
    if field in experiment.vary:
        return ", ".join(map(label, experiment.levels(field).values()))
    return label(getattr(experiment, field))


def _differing(own: Sequence[Mapping[str, str]]) -> tuple[Difference, ...]:
    """What is not the same in all of them; a dash where one has none."""
    every = dict.fromkeys(what for one in own for what in one)
    found = (Difference(what, tuple(one.get(what, NONE) for one in own)) for what in every)
    return tuple(difference for difference in found if len(set(difference.levels)) > 1)
