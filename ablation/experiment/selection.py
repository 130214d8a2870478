"""Some cells of a grid, chosen by the names of factors and levels: `--only recipe=crop,optimizer=sgd`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ablation.core.errors import InputError, Problem, did_you_mean
from ablation.experiment.experiment import Cell

Only = Sequence[Mapping[str, object]]
"""Choices, factor -> level, as {"recipe": "crop", "seed": 0}, by the names of the experiment file; they add up."""


def read_only(text: str) -> dict[str, str]:
    """Read 'recipe=crop,optimizer=sgd'. A level may hold commas and signs of equality, as 'Cosine(warmup=5, x=1)'.

    Raises InputError for what is no list of factors and levels.

    >>> read_only("recipe=crop, schedule=Cosine(warmup=5)")
    {'recipe': 'crop', 'schedule': 'Cosine(warmup=5)'}
    """
    starts = [
        match for match in re.finditer(r"(?:^|,)\s*([A-Za-z_]\w*)\s*=", text) if not _depth(text[: match.start()])
    ]
    if not starts or starts[0].start() != 0:
        raise InputError(
            f"--only {text!r}: expected FACTOR=LEVEL, or several with commas, as recipe=crop,optimizer=sgd"
        )
    ends = [match.start() for match in starts[1:]] + [len(text)]
    chosen: dict[str, str] = {}
    for match, end in zip(starts, ends, strict=True):
        if match[1] in chosen:
            raise InputError(f"--only {text!r}: {match[1]} is named twice; for two levels give --only twice")
        chosen[match[1]] = text[match.end() : end].strip()
    return chosen


def chosen_ids(only: Only, cells: Sequence[Cell]) -> frozenset[str]:
    """The ids of the runs of these cells that one of the choices fits; of all where there is no choice.

    Raises InputError with every factor and level that no cell has, and for a choice that no cell fits.
    """
    return frozenset(cell.spec.id for cell in chosen_cells(only, cells))


def chosen_cells(only: Only, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells that one of the choices fits, in order; see `chosen_ids`."""
    if not only:
        return tuple(cells)
    levels = _levels(cells)
    if problems := [problem for one in only for problem in _problems(one, levels)]:
        raise InputError(problems)
    if empty := [one for one in only if not any(_fits(one, cell) for cell in cells)]:
        text = [", ".join(f"{factor}={level}" for factor, level in one.items()) for one in empty]
        raise InputError([Problem(f"only {one} (--only): no run is like that, as `exclude` says") for one in text])
    return tuple(cell for cell in cells if any(_fits(one, cell) for one in only))


def _fits(one: Mapping[str, object], cell: Cell) -> bool:
    factors = {**cell.factors, "seed": str(cell.seed)}
    return all(factors[factor] == str(level) for factor, level in one.items())


def _depth(text: str) -> int:
    """How many brackets are open at the end of the text."""
    return sum(text.count(sign) for sign in "([{") - sum(text.count(sign) for sign in ")]}")


def _levels(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """Every factor with its levels as a person names them, the seed being one of them."""
    levels: dict[str, dict[str, None]] = {}
    for cell in cells:
        for factor, level in (*cell.factors.items(), ("seed", str(cell.seed))):
            levels.setdefault(factor, {})[level] = None
    return {factor: list(names) for factor, names in levels.items()}


def _problems(one: Mapping[str, object], levels: Mapping[str, list[str]]) -> list[Problem]:
    problems = []
    for factor, level in one.items():
        known = levels.get(factor)
        if known is None:
            hint = did_you_mean(factor, levels)
            problems.append(
                Problem(f"only {factor}={level} (--only): no factor of that name{hint} ({', '.join(levels)})")
            )
        elif str(level) not in known:
            hint = did_you_mean(str(level), known)
            problems.append(Problem(f"only {factor}={level} (--only): no such {factor}{hint} ({', '.join(known)})"))
    return problems
