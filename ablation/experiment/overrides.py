"""Overrides: `--set epochs=5` and the like, values of fields in place of those in the experiment's file.

Texts in, an Experiment out. A text is read without running anything: as a literal, else as a call of a public name of
`ablation` with such values, else as the text itself. It is held to the field's annotation and to the experiment's own
rules, as if it stood in the file. Knows nothing of a command line but how its options are spelt.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any

from ablation.core.errors import InputError, Problem, did_you_mean
from ablation.core.text import listing
from ablation.core.values import fit, hints, label
from ablation.experiment.experiment import Experiment
from ablation.experiment.form import KNOWN
from ablation.experiment.recipes import add_one_in, dose, leave_one_out, powerset

SETTABLE = tuple(field.name for field in fields(Experiment) if field.name not in ("name", "file"))
"""The fields that may be set. The name is that of the folder of runs; the file is where the experiment stands."""

CALLABLE: dict[str, Callable[..., Any]] = {
    **{name: cls for name, cls in KNOWN.items() if name in import_module("ablation").__all__ and cls is not Experiment},
    **{function.__name__: function for function in (add_one_in, dose, leave_one_out, powerset)},
}
"""What a value may call: public classes of values, and the functions that make sets of recipes."""

MOST = 120
"""Characters of what was typed that an error repeats."""

_OPTION = re.compile(r"\s*([^=\s]*)\s*=(.*)", re.DOTALL)
_CALL = re.compile(r"\s*[A-Za-z_]\w*\s*\(")


@dataclass(frozen=True)
class Override:
    """A field with its new value, and the option as it was typed."""

    field: str
    value: Any
    typed: str

    def __str__(self) -> str:
        return f"{self.field}={label(self.value)}"


class _Unreadable(Exception):
    """The text is no value that may be written here; the message says why."""


def read_overrides(texts: Sequence[str]) -> tuple[Override, ...]:
    """Read 'FIELD=VALUE' of each text. Raises InputError with every mistake in a name, a value or its type.

    >>> read_overrides(["epochs=5", "model=resnet18", "split=Fixed(0.6, 0.2, 0.2)"])[2].value.train
    0.6
    """
    problems: list[Problem] = []
    read: dict[str, Override] = {}
    for text in texts:
        try:
            one = _override(text)
            if one.field in read:
                raise _Unreadable(f"{one.field} is set twice; a field has one value, and `vary` takes several")
            read[one.field] = one
        except (_Unreadable, InputError) as error:
            messages = [one.message for one in error.problems] if isinstance(error, InputError) else [str(error)]
            problems += [Problem(message, _typed(text)) for message in messages]
    if problems:
        raise InputError(problems)
    return tuple(read.values())


def overridden(experiment: Experiment, overrides: Sequence[Override]) -> Experiment:
    """The experiment with these values. A field that varied has the one value then.

    Raises InputError with every rule of `Experiment` that they break, each with the options that break it.

    >>> overridden(experiment, read_overrides(["epochs=5"])).epochs
    5
    """
    if not overrides:
        return experiment
    varied = [
        one for one in overrides if any(other.field == "vary" and one.field in other.value for other in overrides)
    ]
    if varied:
        again = "is set, and `vary` is set to vary it: leave one out"
        raise InputError([Problem(f"{one.field} {again}", _typed(one.typed)) for one in varied])
    try:
        return _replaced(experiment, overrides)
    except InputError as error:
        raise InputError([_blamed(one.message, experiment, overrides) for one in error.problems]) from None


def changes(experiment: Experiment, overrides: Sequence[Override]) -> tuple[str, ...]:
    """'epochs=5', ... of the overrides that change something about the experiment, sorted: how a variant is known."""

    def is_changed(one: Override) -> bool:
        return one.field in experiment.vary or getattr(experiment, one.field) != one.value

    return tuple(sorted(str(one) for one in overrides if is_changed(one)))


def _typed(text: str) -> str:
    return f"--set {text if len(text) <= MOST else text[:MOST] + ' ...'}"


def _replaced(experiment: Experiment, overrides: Sequence[Override]) -> Experiment:
    values = {one.field: one.value for one in overrides}
    if "vary" not in values and values.keys() & experiment.vary.keys():
        values["vary"] = {factor: levels for factor, levels in experiment.vary.items() if factor not in values}
    return replace(experiment, **values)


def _blamed(message: str, experiment: Experiment, overrides: Sequence[Override]) -> Problem:
    """The problem with the options that each break this rule alone, or all of them where they do together."""
    guilty = [one for one in overrides if len(overrides) > 1 and message in _messages(experiment, one)]
    where = listing([_typed(one.typed) for one in guilty or overrides])
    return Problem(message.removeprefix("Experiment: "), where)


def _messages(experiment: Experiment, override: Override) -> list[str]:
    try:
        _replaced(experiment, [override])
    except InputError as error:
        return [one.message for one in error.problems]
    return []


# --- one option


def _override(text: str) -> Override:
    parts = _OPTION.fullmatch(text)
    if parts is None or not parts[1]:
        raise _Unreadable("expected FIELD=VALUE, as epochs=5")
    name, written = parts[1], parts[2].strip()
    if name == "name":
        raise _Unreadable("an experiment keeps its name, which is that of the folder of its runs; set other fields")
    if name not in SETTABLE:
        raise _Unreadable(
            f"an experiment has no field {name!r}{did_you_mean(name, SETTABLE)} (`python -m pydoc "
            "ablation.Experiment` lists them)"
        )
    return Override(name, _fitted(name, written), text)


def _fitted(name: str, written: str) -> Any:
    """The value for this field. What is a text there needs no quotes: `weights=1234` is the name of a file."""
    hint = hints(Experiment)[name]
    value = _value(written, is_text=not fit(written, hint)[1])
    fitted, wrong = fit(value, hint)
    if wrong and written in CALLABLE:  # 'Cosine': the class, and not a value of it
        wrong = fit(CALLABLE[written], hint)[1] or wrong
    if wrong and not isinstance(value, str):
        as_text, unfit = fit(written, hint)
        fitted, wrong = (as_text, "") if not unfit else (fitted, wrong)
    if wrong:
        where = "; `--data PATH` says where the images lie" if name == "data" else ""
        raise _Unreadable(f"{name} = {repr(value)[:MOST]}: {wrong}{where}")
    return fitted


def _value(written: str, is_text: bool) -> Any:
    """What is written, or the text itself where it is no expression. is_text: whether the field takes any text."""
    try:
        tree = ast.parse(written, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if not written and not is_text:
            raise _Unreadable("expected a value after '='") from None
        if is_text or not (_CALL.match(written) or written.startswith(("(", "[", "{", "'", '"'))):
            return written
        raise _Unreadable(f"cannot be read: {getattr(error, 'msg', error)}") from None
    if isinstance(tree, ast.Call) and is_text:
        return written  # 'Is Cosine(warmup=5) better?' is a question
    try:
        return _evaluated(tree)
    except _NoValue:
        return written


class _NoValue(Exception):
    """The expression is none of values: a name, a sum, an attribute."""


def _evaluated(node: ast.expr) -> Any:
    """The value of an expression of literals and of calls of `CALLABLE`; nothing else is computed."""
    match node:
        case ast.Constant(value=str() | int() | float() | bool() | None):
            return node.value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
            return ast.literal_eval(node)
        case ast.Tuple(elts=items):
            return tuple(map(_evaluated, items))
        case ast.List(elts=items):
            return list(map(_evaluated, items))
        case ast.Dict(keys=keys, values=items):
            return _mapping(keys, items)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _joined(_evaluated(left), _evaluated(right))
        case ast.Call():
            return _called(node)
    raise _NoValue


def _mapping(keys: Sequence[ast.expr | None], items: Sequence[ast.expr]) -> dict[Any, Any]:
    if None in keys:
        raise _Unreadable("'**' cannot be used here; write the names out")
    names = [_evaluated(key) for key in keys if key is not None]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise _Unreadable(f"the name {twice[0]!r} is given twice")
    return dict(zip(names, map(_evaluated, items), strict=True))


def _joined(first: Any, second: Any) -> Any:
    """Two sets of recipes as one."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        raise _NoValue
    return first | second  # type: ignore[operator]


def _called(call: ast.Call) -> Any:
    written = ast.unparse(call.func)
    if written not in CALLABLE:
        raise _Unreadable(
            f"{written}(...) is no value of ablation's{did_you_mean(written, CALLABLE)}; what is your own, the "
            "experiment's file can call"
        )
    if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args):
        raise _Unreadable(f"{written}: '*' cannot be used here; write the values out")
    try:
        given = [_evaluated(one) for one in call.args]
        named = {keyword.arg: _evaluated(keyword.value) for keyword in call.keywords if keyword.arg}
    except _NoValue:  # a name, as in Adam(lr=x)
        raise _Unreadable(
            f"{ast.unparse(call)}: expected numbers, texts in quotes, tuples, or values of ablation's"
        ) from None
    try:
        return CALLABLE[written](*given, **named)
    except TypeError as error:  # of the functions: how many arguments they take
        raise _Unreadable(str(error)) from None
