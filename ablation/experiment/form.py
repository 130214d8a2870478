"""An experiment as plain data that JSON holds, and back, without running anything that its author wrote.

Every kind keeps its name (a tuple is no list, a set of recipes keeps its designs), so that what comes back is equal and
looks the same. Within `unchecked`, values are not asked for their rules: those of `ImageFunction` would load the code
that they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from ablation.analysis.comparison import Test
from ablation.core.errors import DataError
from ablation.core.values import unchecked
from ablation.data.sources import Source
from ablation.experiment.experiment import Experiment
from ablation.experiment.own_metric import OwnMetric
from ablation.experiment.recipes import DoseSeries, PartDesign, Recipes
from ablation.experiment.spec import CLASSES

KNOWN: dict[str, type] = {
    **CLASSES,
    **{member.__name__: member for union in (Source, Test) for member in get_args(union)},
    **{cls.__name__: cls for cls in (Experiment, OwnMetric, DoseSeries, PartDesign)},
}
"""Every class that may stand in an experiment."""


def form_of(item: Any) -> Any:
    """The item as JSON holds it: a dict with its kind for all that is no text, number, bool or None.

    Raises TypeError for what may not stand in an experiment.
    """
    if item is None or (isinstance(item, str | int | float) and not isinstance(item, OwnMetric)):
        return item
    if isinstance(item, tuple | list):
        return {type(item).__name__: [form_of(member) for member in item]}
    if isinstance(item, frozenset):
        return {"set": sorted(item)}
    if isinstance(item, Recipes):
        return {"recipes": _pairs(item), "designs": [form_of(design) for design in item.designs]}
    if isinstance(item, Mapping):
        return {"dict": _pairs(item)}
    if type(item) not in KNOWN.values():
        raise TypeError(f"{type(item).__name__} cannot stand in an experiment")
    given = {field.name: form_of(getattr(item, field.name)) for field in fields(item) if field.compare}
    return {"value": type(item).__name__, "fields": given}


def _pairs(mapping: Mapping[Any, Any]) -> list[list[Any]]:
    return [[form_of(key), form_of(member)] for key, member in mapping.items()]


def experiment_of(form: Any) -> Experiment:
    """The experiment whose form this is. Raises DataError where it is none, whatever else it is."""
    try:
        with unchecked():
            experiment = _item(form)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"the experiment cannot be read ({error}); it may be of a later version") from error
    if not isinstance(experiment, Experiment):
        raise DataError(f"expected an experiment, got {type(experiment).__name__}")
    return experiment


def _item(form: Any) -> Any:
    if not isinstance(form, dict):
        return form
    match form:
        case {"tuple": members}:
            return tuple(map(_item, members))
        case {"list": members}:
            return list(map(_item, members))
        case {"set": members}:
            return frozenset(members)
        case {"recipes": pairs, "designs": designs}:
            return Recipes(_mapping(pairs), *map(_item, designs))
        case {"dict": pairs}:
            return _mapping(pairs)
        case {"value": name, "fields": given}:
            return KNOWN[name](**{field: _item(member) for field, member in given.items()})
    raise ValueError(f"nothing is of the kind {', '.join(form)}")


def _mapping(pairs: Any) -> dict[Any, Any]:
    return {_item(key): _item(member) for key, member in pairs}
