"""Class weights as an experiment gives them and as a spec holds them, each held to what it may be.

Those that are computed, "balanced", are computed in `ablation.data.balance`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, Literal

from ablation.core.text import counted, listing
from ablation.core.values import Positive

ClassWeights = Literal["balanced"] | tuple[Positive, ...] | Mapping[str, Positive] | None
"""As an experiment gives them: a number a class in the order of the data's classes, or by the name of the class."""

ResolvedWeights = Literal["balanced"] | tuple[float, ...] | tuple[tuple[str, float], ...] | None
"""As a spec holds them: names with their numbers as pairs, in the order of the names."""


def class_weights_of(given: Any) -> ResolvedWeights:
    """An experiment's class weights as a spec holds them."""
    if isinstance(given, Mapping):
        return tuple(sorted((name, float(weight)) for name, weight in given.items()))
    weights: ResolvedWeights = given
    return weights


def wrong_weights(given: Any) -> str:
    """What is wrong with class weights whatever the classes are and their annotation leaves open, or ''."""
    if given is None or isinstance(given, str):
        return ""
    if not given:
        return "expected a number for each class"
    numbers = tuple(given.values()) if isinstance(given, Mapping) else ()
    wrong = [one for one in numbers if isinstance(one, bool) or not isinstance(one, Real)]
    wrong += [one for one in numbers if one not in wrong and not (math.isfinite(one) and one > 0)]
    return f"{wrong[0]!r}: expected a finite number above 0" if wrong else ""


def weights_of(given: ResolvedWeights, classes: Sequence[str]) -> dict[str, float]:
    """The given weight of each class by its name; {} for those that are computed. See `misfits`."""
    if given is None or given == "balanced":
        return {}
    pairs = given if isinstance(given[0], tuple) else zip(classes, given, strict=True)
    return dict(pairs)


def misfits(given: ResolvedWeights, classes: Sequence[str]) -> Iterator[str]:
    """What is wrong with class weights for these classes, each a message."""
    if given is None or given == "balanced":
        return
    if not isinstance(given[0], tuple):
        if len(given) != len(classes):
            yield f"class_weights has {counted(len(given), 'number')}, and the data {len(classes)} classes"
        return
    names = [str(pair[0]) for pair in given if isinstance(pair, tuple)]
    if unknown := [name for name in names if name not in classes]:
        yield f"class_weights names {listing(map(repr, unknown))}, which the data has not ({_few(classes)})"
    if missing := [name for name in classes if name not in names]:
        yield f"class_weights has no number for {_few(missing)}"


def _few(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:5]]
    return listing([*shown, f"{len(names) - 5} more"] if len(names) > 5 else shown)
