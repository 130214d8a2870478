"""Values: frozen dataclasses that check themselves, and their plain form for hashing and JSON.

`@value` makes a frozen dataclass whose constructor holds each argument to its annotation
(`lr: Annotated[float, Range(above=0)]`) and then asks the optional method `check()` for rules between fields. A
mistake raises `InputError`; while an experiment file is being read (`collecting`) it is noted with its line instead,
so that one reading finds every mistake in the file.
"""

from __future__ import annotations

import math
import operator
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from ablation.core.errors import InputError, Problem, did_you_mean
from ablation.core.own_code import is_own_file

T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """Bounds of a number, or of each number in a tuple.

    >>> str(Range(above=0, high=1)), 0 in Range(above=0, high=1)
    ('above 0 and at most 1', False)
    """

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and self.above < number < self.below

    def __str__(self) -> str:
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in (
                ("above", self.above),
                ("at least", self.low),
                ("below", self.below),
                ("at most", self.high),
            )
            if math.isfinite(bound)
        ]
        return " and ".join(bounds)


@dataclass(frozen=True, eq=False)
class OneOf:
    """The names that a text may be: those of a table, read when a value is checked, so that a new row is allowed.

    also: a class whose values are allowed as well. Its `suggested_for` may know what to write for what is not.
    """

    names: Collection[str]
    also: Any = None


Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(low=0)]
Probability = Annotated[float, Range(low=0, high=1)]
BelowOne = Annotated[float, Range(low=0, below=1)]
Count = Annotated[int, Range(low=1)]
Whole = Annotated[int, Range(low=0)]

_collected: ContextVar[tuple[str, list[Problem]] | None] = ContextVar("collected", default=None)
_asked: ContextVar[bool] = ContextVar("asked", default=True)


@contextmanager
def collecting(path: str) -> Iterator[list[Problem]]:
    """Collect the problems of values made in the file `path`, each with its line, instead of raising at the first."""
    problems: list[Problem] = []
    token = _collected.set((path, problems))
    try:
        yield problems
    finally:
        _collected.reset(token)


def file_being_read() -> str:
    """The absolute path of the file whose problems are collected; '' where none is being read."""
    collected = _collected.get()
    return str(Path(collected[0]).absolute()) if collected else ""


@contextmanager
def unchecked() -> Iterator[None]:
    """Make values in the block without their `check()`, which may load code that they name.

    For what a stranger wrote. Each field is held to its annotation all the same.
    """
    token = _asked.set(False)
    try:
        yield
    finally:
        _asked.reset(token)


@contextmanager
def introduced(words: str) -> Iterator[None]:
    """Put `words` before the message of each mistake made in the block, whether it is raised or collected."""
    collected = _collected.get()
    problems = [] if collected is None else collected[1]
    before = len(problems)
    try:
        yield
    except InputError as error:
        raise InputError(_introduced(error.problems, words)) from None
    finally:
        problems[before:] = _introduced(problems[before:], words)


def _introduced(problems: Iterable[Problem], words: str) -> list[Problem]:
    return [replace(problem, message=f"{words}{problem.message}") for problem in problems]


def _report(messages: list[str]) -> None:
    collected = _collected.get()
    if collected is None:
        raise InputError(Problem(message) for message in messages)
    path, problems = collected
    where = _line_in(path)
    problems.extend(Problem(message, where) for message in messages)


def _line_in(path: str) -> str:
    """The line of the file that is being read which makes the value, or that of a file of one's own that it imports."""
    innermost = ""
    frame: types.FrameType | None = sys._getframe(3)
    while frame is not None:
        file = frame.f_code.co_filename
        if not innermost and (file == path or is_own_file(file)):
            innermost = f"{file}:{frame.f_lineno}"
        if file == path:
            return innermost
        frame = frame.f_back
    return path


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass that is checked when it is made; see the module's docstring.

    >>> @value
    ... class Decay:
    ...     rate: Annotated[float, Range(above=0)] = 0.1
    >>> Decay(rate=0)
    Traceback (most recent call last):
    ablation.core.errors.InputError: Decay: rate = 0: must be above 0
    """
    cls = dataclass(frozen=True)(cls)

    @wraps(cls.__init__)  # so that `help` and editors see the fields
    def __init__(self: Any, *args: Any, **given: Any) -> None:
        messages = list(_fill(self, args, given))
        if _asked.get() and hasattr(self, "check"):
            broken = _broken_beside(self, args, given) if messages else self.check()
            messages += [f"{cls.__name__}: {message}" for message in broken]
        if messages:
            _report(messages)

    cls.__init__ = __init__  # type: ignore[method-assign]
    return cls


@cache
def hints(cls: Any) -> dict[str, Any]:
    """Return the annotation of every field of a dataclass, in order."""
    annotations = typing.get_type_hints(cls, include_extras=True)
    return {field.name: annotations[field.name] for field in fields(cls)}


def _fill(self: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Iterator[str]:
    """Set every field of `self` from the arguments, coerced to its annotation; yield what is wrong."""
    cls: Any = type(self)
    names = list(hints(cls))
    if len(args) > len(names):
        yield f"{cls.__name__} takes at most {len(names)} values ({', '.join(names) or 'none'}), got {len(args)}"
    positional = dict(zip(names, args, strict=False))
    for name in positional.keys() & given.keys():
        yield f"{cls.__name__} is given {name} twice, by its position and by its name"
    given = positional | given
    for name in [name for name in given if name not in names]:
        allowed = f"its fields are {', '.join(names)}" if names else "it has no fields"
        yield f"{cls.__name__} has no field {name!r}{did_you_mean(name, names)} ({allowed})"
    for field in fields(cls):
        if field.name in given:
            fitted, wrong = fit(given[field.name], hints(cls)[field.name])
            if wrong:
                yield f"{cls.__name__}: {field.name} = {native(given[field.name])!r}: {wrong}"
        elif field.default is not MISSING:
            fitted = field.default
        elif field.default_factory is not MISSING:
            fitted = field.default_factory()
        else:
            fitted = None
            yield f"{cls.__name__} needs the field {field.name!r}"
        object.__setattr__(self, field.name, fitted)


def _broken_beside(self: Any, args: tuple[Any, ...], given: dict[str, Any]) -> list[str]:
    """The rules that the fields break which fit, where others do not: those that name no other field.

    They are asked of a stand-in that has defaults for the others; none where a field without a default is wrong.
    """
    cls: Any = type(self)
    named = dict(zip(hints(cls), args, strict=False)) | given
    fitted = {name: fit(named[name], hint) for name, hint in hints(cls).items() if name in named}
    good = {name: kept for name, (kept, wrong) in fitted.items() if not wrong}
    others: dict[str, Any] = {}
    for field in fields(cls):
        if field.name not in good and field.default is MISSING and field.default_factory is MISSING:
            return []
        others[field.name] = field.default_factory() if field.default_factory is not MISSING else field.default
    token = _collected.set(None)  # values that the rules make are none of the file's
    try:
        stand_in = cls.__new__(cls)
        for name, value in (others | good).items():
            object.__setattr__(stand_in, name, value)
        broken = list(stand_in.check())
    except Exception:  # a rule that needs what is wrong; that is said already
        return []
    finally:
        _collected.reset(token)
    return [one for one in broken if hints(cls).keys() & set(re.findall(r"\w+", one)) <= good.keys()]


def fit(given: Any, hint: Any) -> tuple[Any, str]:
    """Hold a value to an annotation; return (the value, coerced; '' or what is wrong with it).

    >>> fit([1, 2], tuple[float, float]), fit("fast", Literal["fast", "slow"]), fit("5", int)
    (((1.0, 2.0), ''), ('fast', ''), ('5', 'expected a whole number'))
    """
    if hint is float and type(given) is float and math.isfinite(given):  # most of what a record holds
        return given or 0.0, ""  # -0.0 is 0.0: as JSON they differ, and ids are made of that
    if type(given) not in _FITTED_WITHIN:
        given = native(given, hint is str)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated and isinstance(arguments[1], OneOf):
        return given, _not_one_of(given, arguments[1])
    if origin is Annotated:
        return _fit_range(given, arguments[0], arguments[1])
    if origin in (typing.Union, types.UnionType):
        return _fit_union(given, arguments)
    if origin is Literal:
        return given, _not_among(given, arguments)
    if origin is tuple:
        return _fit_tuple(given, arguments)
    if hint is float or hint is int:
        if isinstance(given, bool) or not isinstance(given, int | hint) or not _is_finite(given):
            return given, f"expected {'a whole' if hint is int else 'a finite'} number"
        return hint(given) or hint(), ""
    return _fit_class(given, hint, origin or hint)


def _fit_class(given: Any, hint: Any, expected: Any) -> tuple[Any, str]:
    if isinstance(expected, type) and not isinstance(given, expected):
        return given, f"expected {describe(hint)}{_suggest_class(given, (expected,))}"
    unnamed = [key for key in given if not isinstance(key, str)] if expected in (dict, Mapping) else []
    given = native(given) if expected is Mapping else given
    return given, f"the name {unnamed[0]!r} is not a text" if unnamed else ""


def native(given: Any, is_text: bool = False) -> Any:
    """A number, array or series of a library as Python's own number or tuple, a range as a tuple; also within others.

    is_text: a path becomes a text, as it does within tuples and dicts. What holds nothing of the kind is returned as it
    is; of what a dict holds a new one is made.

    >>> import numpy as np
    >>> native(np.float64(0.1)), native(np.arange(3)), native({"scale": (np.int64(1), 2)})
    (0.1, (0, 1, 2), {'scale': (1, 2)})
    """
    kind = type(given)
    if kind in _NATIVE:
        return given
    if kind in (tuple, list):
        members = [native(member, True) for member in given]
        return given if all(map(operator.is_, members, given)) else kind(members)
    if kind is dict:
        held = {native(key): native(member, True) for key, member in given.items()}
        return given if all(map(operator.is_, held.values(), given.values())) and [*held] == [*given] else held
    if kind is range:
        return tuple(given)
    if hasattr(given, "dtype") and hasattr(given, "tolist"):
        return _tuples(given.tolist())
    return os.fspath(given) if is_text and isinstance(given, os.PathLike) else given


_NATIVE = frozenset({bool, int, float, str, type(None)})
_FITTED_WITHIN = frozenset({*_NATIVE, tuple, list, dict})
"""What a record is read back as: of the last three each item is fitted by itself, where its annotation says so."""


def _tuples(item: Any) -> Any:
    return tuple(map(_tuples, item)) if isinstance(item, list) else item


def _is_finite(number: float) -> bool:
    """Whether it is finite, and no larger than a float can be."""
    return math.isfinite(number) if isinstance(number, float) else abs(number) <= sys.float_info.max


def _not_one_of(given: Any, allowed: OneOf) -> str:
    """'' for one of the names, and for a value of the class that is allowed as well; or what is wrong."""
    wrong = _not_among(given, allowed.names)
    if not wrong or allowed.also is None:
        return wrong
    names, hint, suggestion = wrong.partition(";")
    return (
        ""
        if isinstance(given, allowed.also)
        else (f"{names}, or {allowed.also.__name__}(...){allowed.also.suggested_for(given)}{hint}{suggestion}")
    )


def _not_among(given: Any, names: Collection[str]) -> str:
    """'' for one of the names, or what is wrong."""
    allowed = ", ".join(map(repr, names))
    return "" if given in tuple(names) else f"expected one of {allowed}{did_you_mean(str(given), names)}"


def _fit_range(given: Any, base: Any, bounds: Range) -> tuple[Any, str]:
    fitted, wrong = fit(given, base)
    numbers = fitted if isinstance(fitted, tuple) else (fitted,)
    if not wrong and not all(number in bounds for number in numbers if number is not None):
        wrong = f"must be {bounds}"
    return fitted, wrong


def _fit_union(given: Any, members: tuple[Any, ...]) -> tuple[Any, str]:
    mistakes = []
    for member in members:
        fitted, wrong = fit(given, member)
        if not wrong:
            return fitted, ""
        mistakes.append(wrong)
    near = [wrong for wrong in mistakes if not wrong.startswith("expected")]
    if near:
        return given, near[0]
    allowed = _any_of([describe(member) for member in members])
    return given, f"expected {allowed}{_suggest_class(given, members)}"


def _fit_tuple(given: Any, members: tuple[Any, ...]) -> tuple[Any, str]:
    if not isinstance(given, list | tuple):
        return given, f"expected {describe(tuple.__class_getitem__(members))}"
    if members[-1:] == (Ellipsis,):
        members = (members[0],) * len(given)
    if len(given) != len(members):
        return given, f"expected {len(members)} values, got {len(given)}"
    fitted = [fit(item, member) for item, member in zip(given, members, strict=True)]
    wrong = next((f"{item!r}: {wrong}" for item, (_, wrong) in zip(given, fitted, strict=True) if wrong), "")
    return tuple(item for item, _ in fitted), wrong


def describe(hint: Any) -> str:
    """Return an annotation in words.

    >>> describe(float | None), describe(tuple[int, ...])
    ('a number or None', 'a tuple of a whole number')
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return describe(arguments[0])
    if origin is Literal:
        return _any_of(list(map(repr, arguments)))
    if origin in (dict, Mapping):
        return "a dict of name -> value"
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return f"a tuple of {describe(arguments[0])}"
    if origin is tuple:
        return f"({', '.join(describe(argument) for argument in arguments)})"
    if origin in (typing.Union, types.UnionType):
        return _any_of([describe(argument) for argument in arguments])
    plain_names = {float: "a number", int: "a whole number", str: "a text", bool: "True or False", type(None): "None"}
    return plain_names.get(hint, getattr(hint, "__name__", str(hint)))


def _any_of(names: list[str]) -> str:
    """Return 'SGD or Adam'; of many, a few: 'RandomResizedCrop, RandomCrop, CenterCrop or any of 35 others'."""
    return f"{', '.join(names[:3])} or any of {len(names) - 3} others" if len(names) > 10 else " or ".join(names)


def _suggest_class(given: Any, members: tuple[Any, ...]) -> str:
    """Return what to write for text where a value belongs ('adamm', 'imagnet'), or for a class not called (`Adam`).

    For anything else a member may know it: its `suggested_for` returns the end of the sentence, or ''.
    """
    names = [
        member.__name__ for member in members if isinstance(member, type) and hasattr(member, "__dataclass_fields__")
    ]
    if isinstance(given, type) and given.__name__ in names:
        return f"; write {given.__name__}(...), with its fields"
    words = [word for member in members if typing.get_origin(member) is Literal for word in typing.get_args(member)]
    if isinstance(given, str):
        return did_you_mean(given, [*names, *words])
    return "".join(member.suggested_for(given) for member in members if hasattr(member, "suggested_for"))


def plain(given: Any) -> Any:
    """Return a value as JSON holds it: a dict with its class under "type", tuples as lists; anything else as it is.

    A field that its class names in `ADDED`, as it came after runs had been made, is left out at its default: so their
    ids stay.
    """
    if not hasattr(given, "__dataclass_fields__"):
        return _plain_item(given)
    known = _known.get(id(given))
    if known is None:
        form = {"type": type(given).__name__} | {
            field.name: _plain_item(getattr(given, field.name))
            for field in fields(given)
            if field.name not in getattr(given, "ADDED", ()) or getattr(given, field.name) != field.default
        }
        if not _is_hashable(given):  # what holds a dict can change under its old identity
            return form
        known = _known[id(given)] = (given, form)
    return known[1]


_known: dict[int, tuple[Any, Any]] = {}
"""The plain forms so far, by identity: values that are equal (1, 1.0 and True in a field) may have different ones. Each
value is held beside its form, so that no other can come to have its identity."""


def _is_hashable(given: Any) -> bool:
    try:
        hash(given)
    except TypeError:
        return False
    return True


def _plain_item(item: Any) -> Any:
    if isinstance(item, tuple):
        return [_plain_item(member) for member in item]
    if isinstance(item, Mapping):
        return {key: _plain_item(member) for key, member in item.items()}
    return plain(item) if hasattr(item, "__dataclass_fields__") else item


def restore(form: Any, classes: Mapping[str, type]) -> Any:
    """Return the value whose plain form this is; `classes` maps each "type" that may occur to its class."""
    if isinstance(form, list):
        return tuple(restore(item, classes) for item in form)
    if isinstance(form, Mapping) and "type" in form:
        return classes[form["type"]](**{key: restore(item, classes) for key, item in form.items() if key != "type"})
    if isinstance(form, Mapping):
        return {key: restore(item, classes) for key, item in form.items()}
    return form


def read_back(cls: Callable[..., T], form: Any) -> T:
    """The dataclass whose fields stand in the dict `form`, as JSON gave it back, each held to its annotation.

    Raises ValueError with all that is missing, unknown or of the wrong kind: a file may be damaged, or of another
    version.
    """
    if not isinstance(form, dict):
        raise ValueError(f"expected a dict of name -> value, got {type(form).__name__}")
    known: Any = cls
    fitted = {name: fit(form[name], hint) for name, hint in hints(known).items() if name in form}
    required = [f.name for f in fields(known) if f.default is MISSING and f.default_factory is MISSING]
    wrong = [f"{name}: {message}" for name, (_, message) in fitted.items() if message]
    wrong += [f"{name} is missing" for name in required if name not in form]
    wrong += [f"{name} is unknown" for name in form if name not in hints(known)]
    if wrong:
        raise ValueError("; ".join(wrong))
    return cls(**{name: item for name, (item, _) in fitted.items()})


def label(given: Any) -> str:
    """Return a value as a table or a chart shows it: `SGD(lr=0.1)`, with fields at their default left out."""
    if not hasattr(given, "__dataclass_fields__"):
        given = native(given, is_text=True)
        return given if isinstance(given, str) else repr(given)
    changed = {
        field.name: getattr(given, field.name)
        for field in fields(given)
        if getattr(given, field.name) != field.default and getattr(given, field.name) != {}
    }
    return f"{type(given).__name__}({', '.join(f'{name}={_labels(item)}' for name, item in changed.items())})"


def _labels(item: Any) -> str:
    """Return a field's value, with values within it by their own labels."""
    if isinstance(item, tuple) and any(hasattr(member, "__dataclass_fields__") for member in item):
        return f"({', '.join(map(label, item))})"
    return label(item) if hasattr(item, "__dataclass_fields__") else repr(item)
