"""Variants that were tried: other plans that were declared for an experiment and have results.

Whoever tries several values of a field one after another and shows one of them has chosen it with results at hand.
Each is judged as it was declared, and no p is corrected for the choice: so every other one is named beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ablation.core.text import listing
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.preregistration import (
    Preregistered,
    Preregistration,
    Result,
    baselines_of,
    preregistered,
    preregistration_of,
    results_in,
)

LONGEST = 60
"""Characters of what was set that a name has."""


class Others(NamedTuple):
    """Other plans with results, by name and oldest first.

    variants: what compares other things, or judges by another rule, as 'epochs=3' or 'the file as of 2026-11-25 04:12
    UTC'. seeds: the same by the same rule with other seeds, as '0 to 2'.
    """

    variants: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()


def others_with_results(
    experiment: Experiment, cells: Sequence[Cell], root: Path, held_to: Preregistration | None = None
) -> Others:
    """The other plans that were declared in `root`, the folder of the experiment's runs, and have results.

    held_to: the plan that this one was held to, whose other rule or seeds are said already. A plan that compares more
    or less of the same is none: for what is added verdicts are corrected, and what is left out is said by
    `Preregistration.changed_to`. Reads the specs of runs, and only where another plan was declared.
    """
    plan, entries = preregistration_of(experiment, cells), preregistered(root)
    if all(entry.plan == plan for entry in entries):
        return Others()
    results, baselines = results_in(root), baselines_of(experiment, cells)
    ran = [entry for index, entry in enumerate(entries) if _had_results(entry.plan, entries[index + 1 :])]
    same = [entry for entry in ran if _nested(entry.plan, plan) and entry.plan != held_to]
    unlike = [entry for entry in entries if not _nested(entry.plan, plan)]
    variants = [*_of_other_things(unlike, plan, baselines, results), *_of_another_rule(same, plan, results)]
    seeds = [entry.plan.seeds for entry in same if _has_other_seeds(entry.plan, plan, results)]
    return Others(_named(sorted(variants, key=lambda one: one[0].time)), tuple(map(_ranges, dict.fromkeys(seeds))))


def _nested(one: Preregistration, other: Preregistration) -> bool:
    """Whether one compares what the other does, or some of it."""
    return set(one.comparisons) <= set(other.comparisons) or set(one.comparisons) >= set(other.comparisons)


def _had_results(plan: Preregistration, later: Sequence[Preregistered]) -> bool:
    """Whether there were results by the time another plan that counts them was declared; where none was, there may be.

    A plan that was given up before its first result is none to choose.
    """
    compared = set(plan.comparisons)
    counted = (entry for entry in later if not entry.overrides or compared <= set(entry.plan.comparisons))
    following = next(counted, None)
    return following is None or following.results > 0


def _of_other_things(
    entries: Sequence[Preregistered], plan: Preregistration, baselines: Collection[str], results: Sequence[Result]
) -> Iterator[tuple[Preregistered, str]]:
    """Those with results of what this plan does not compare, each with a note."""
    for entry in entries:
        if _any_of(results, set(entry.plan.comparisons) - set(plan.comparisons), entry.plan.seeds):
            yield entry, ""
        elif _any_of(results, set(entry.baselines) - set(baselines), entry.plan.seeds):
            yield entry, ", the baseline alone"


def _of_another_rule(
    entries: Sequence[Preregistered], plan: Preregistration, results: Sequence[Result]
) -> Iterator[tuple[Preregistered, str]]:
    """Those that judge results of the same by another rule."""
    for entry in entries:
        other = entry.plan
        if plan.judged_otherwise(other) and _any_of(results, set(other.comparisons), other.seeds):
            yield entry, ""


def _has_other_seeds(other: Preregistration, plan: Preregistration, results: Sequence[Result]) -> bool:
    """Whether it has results of the same by the same rule, with more seeds or with fewer."""
    if other.seeds == plan.seeds or plan.judged_otherwise(other):
        return False
    more = set(other.seeds) - set(plan.seeds)
    return _any_of(results, set(other.comparisons), more or other.seeds)


def _any_of(results: Sequence[Result], compared: Collection[str], seeds: Collection[int]) -> bool:
    return any(result.of in compared and result.seed in seeds for result in results)


def _named(variants: Sequence[tuple[Preregistered, str]]) -> tuple[str, ...]:
    """A name for each, whatever its seeds; what was set is a better one than when the file said so."""
    names: dict[Preregistration, list[tuple[bool, int, str]]] = {}
    for entry, note in variants:
        what = [one for one in entry.overrides if not one.startswith("seeds=")]
        name = ", ".join(what)
        name = f"{name[: LONGEST - 4]} ..." if len(name) > LONGEST else name or f"the file as of {entry.day}"
        of = replace(entry.plan, seeds=())
        names.setdefault(of, []).append((not what, len(what), name + note))
    return tuple(min(some)[-1] for some in names.values())


def _ranges(seeds: Sequence[int]) -> str:
    """'0 to 4', or each where they are in no row."""
    row = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if row else listing(map(str, seeds))
