"""Which runs a sweep is for, and what it does about those that fail or that another process trains."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.core.errors import InputError, Problem, did_you_mean
from ablation.experiment.experiment import Cell


@dataclass(frozen=True)
class Policy:
    """What a sweep trains, and when it gives up. None of it is in a run's id.

    only: factor -> level, as `{"recipe": "crop", "seed": 0}`, by the names of the experiment file; runs that match one
    of these are trained, where there is any. join: where another process trains the experiment, take what it leaves and
    wait for the rest; else raise HeldError. retry_failed: try those again that failed before. max_retries: how often a
    run that fails is tried again in this sweep. fail_fast: end at the first failure.

    >>> Policy(only=({"recipe": "crop", "optimizer": "sgd"},), max_retries=1).join
    True
    """

    only: tuple[Mapping[str, object], ...] = ()
    join: bool = True
    retry_failed: bool = True
    max_retries: int = 0
    fail_fast: bool = False

    def __post_init__(self) -> None:
        retries = self.max_retries
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise InputError(f"max_retries = {retries!r} (--max-retries): a whole number from 0")
        if isinstance(self.only, Mapping | str) or not all(isinstance(one, Mapping) for one in self.only):
            raise InputError(f"only = {self.only!r}: a tuple of dicts, as ({{'recipe': 'crop'}},)")

    def chosen(self, cells: Sequence[Cell]) -> frozenset[str]:
        """The ids of the runs that the sweep is for. Raises InputError for a factor or a level that no cell has."""
        if not self.only:
            return frozenset(cell.spec.id for cell in cells)
        levels = _levels(cells)
        if problems := [problem for one in self.only for problem in _problems(one, levels)]:
            raise InputError(problems)
        matched = [_matching(one, cells) for one in self.only]
        if empty := [one for one, ids in zip(self.only, matched, strict=True) if not ids]:
            text = [", ".join(f"{factor}={level}" for factor, level in one.items()) for one in empty]
            raise InputError([Problem(f"only {one} (--only): no run is like that, as `exclude` says") for one in text])
        return frozenset().union(*matched)


AS_ALWAYS = Policy()
"""Every run; failed ones again, once."""


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


def _matching(one: Mapping[str, object], cells: Sequence[Cell]) -> set[str]:
    def fits(cell: Cell) -> bool:
        factors = {**cell.factors, "seed": str(cell.seed)}
        return all(factors[factor] == str(level) for factor, level in one.items())

    return {cell.spec.id for cell in cells if fits(cell)}
