"""What each recipe costs beside the baseline: training time and peak GPU memory, as ratios, judged over seeds.

Seconds of two runs have a meaning together only where both were trained on one device, each in one go, and beside as
many other runs. A seed counts where that holds of its run and the baseline's, under every condition.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.comparison import MIN_SEEDS
from ablation.evidence.effects import Effect, overall
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.pairs import Pair
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.runs import Run

Floats = NDArray[np.float64]

MOST_APART = 0.5
"""By how many other runs, on average over a run, two runs may differ that were trained beside others."""


@dataclass(frozen=True)
class Circumstances:
    """Under which a run was timed.

    machine: its host and device, None where the record does not say. attempts: how often it was started. others: how
    many other runs of the experiment were trained on the host meanwhile, as a mean over its time; nan where not known.
    began: when, in seconds of the clock; nan where not known.
    """

    machine: tuple[str, str] | None
    attempts: int = 1
    others: float = math.nan
    began: float = math.nan

    def comparable(self, other: Circumstances) -> bool:
        """May the seconds of the two be compared?"""
        apart = abs(self.others - other.others) > MOST_APART  # never of nan
        return self.machine == other.machine and max(self.attempts, other.attempts) == 1 and not apart


@dataclass(frozen=True)
class RecipeCost:
    """One recipe beside the baseline. time, memory: of the logarithms of seconds and MiB; memory: None if not known.

    effect: what the comparison says of its score; None where there is none. left_out: finished seeds whose runs cannot
    be compared.
    """

    recipe: str
    time: MeasureEffect
    memory: MeasureEffect | None
    effect: Effect | None
    left_out: int = 0


@dataclass(frozen=True)
class Costs:
    """baseline: its effect, with its scores. circumstances: of each run with a record, by its id.

    blocked: were the recipes trained one after the other, rather than mixed?
    """

    experiment: Experiment
    recipes: tuple[RecipeCost, ...]
    baseline: Effect | None
    circumstances: Mapping[str, Circumstances]
    blocked: bool

    @property
    def machines(self) -> Counter[tuple[str, str] | None]:
        """How many runs were trained on each host and device."""
        return Counter(one.machine for one in self.circumstances.values())

    @property
    def others(self) -> Floats:
        """Of each run that is known: how many others were trained beside it."""
        known = [one.others for one in self.circumstances.values() if not math.isnan(one.others)]
        return np.array(known, float)

    @property
    def resumed(self) -> int:
        """Runs that were trained in more than one go."""
        return sum(one.attempts > 1 for one in self.circumstances.values())


def costs_of(study: Study) -> Costs | None:
    """None where no run has finished."""
    if study.results.finished.empty:
        return None
    alpha, known = study.experiment.alpha, circumstances(study)
    every = pooled_pairs(study)
    pairs = [_comparable(pair, known) for pair in every]
    times = _with_reason(measure_effects(study, "time", _logarithm(study, "seconds"), pairs), every)
    memories: list[MeasureEffect] = []
    if _has_memory(study, pairs):
        memories = _with_reason(measure_effects(study, "memory", _logarithm(study, "gpu_memory_mib"), pairs), every)
    varies = any(one.difference is not None and one.difference.error > 0 for one in memories)
    both = corrected([*times, *memories] if varies else times, alpha)
    beside: Sequence[MeasureEffect | None] = both[len(pairs) :] if varies else memories or [None] * len(pairs)
    effects = _effects(study)
    recipes = tuple(
        RecipeCost(
            pair.own.recipe,
            time,
            memory,
            effects.get(pair.own.recipe),
            len(whole.shared_seeds) - len(pair.shared_seeds),
        )
        for pair, whole, time, memory in zip(pairs, every, both[: len(pairs)], beside, strict=True)
    )
    return Costs(study.experiment, recipes, effects.get(study.experiment.baseline), known, _blocked(study, known))


def circumstances(study: Study) -> dict[str, Circumstances]:
    """Of each run with a record, from that and from its journal, where there is one."""
    spans = {cell.spec.id: _spans(Run(study.results.root, cell.spec)) for cell in study.results.cells}
    machines = {run: _machine(study, run) for run in spans if run in study.records}
    others: dict[str, float] = {}
    for host in {machine[0] for machine in machines.values() if machine}:
        others |= _others({run: spans[run] for run, one in machines.items() if one and one[0] == host})
    return {
        run: Circumstances(
            machine,
            max(1, len(spans[run])),
            others.get(run, math.nan),
            spans[run][0][0] if spans[run] else math.nan,
        )
        for run, machine in machines.items()
    }


def _machine(study: Study, run: str) -> tuple[str, str] | None:
    environment = study.records[run].environment
    where = tuple(environment.get(name) for name in ("host", "device"))
    return (str(where[0]), str(where[1])) if all(where) else None


def _spans(run: Run) -> list[tuple[float, float]]:
    """When each attempt began and ended, in seconds; [] where the journal is not there."""
    spans: list[tuple[float, float]] = []
    for event in run.journal.events():
        if event["event"] == "started":
            spans.append((event["time"], event["time"]))
        elif spans:
            spans[-1] = spans[-1][0], event["time"]
    return spans


def _others(spans: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, float]:
    """How many other runs went on at the same time, as a mean over the time of each. spans: of the runs of one host."""
    flat = np.array([span for own in spans.values() for span in own], float).reshape(-1, 2)
    if not flat.size:
        return {}
    at, change = flat.ravel(), np.tile([1.0, -1.0], len(flat))
    order = np.argsort(at, kind="stable")
    at, running = at[order], np.cumsum(change[order])
    together = np.concatenate([[0.0], np.cumsum(running[:-1] * np.diff(at))])  # seconds of all runs up to each time
    counts = {}
    for run, own in spans.items():
        ends = np.array(own, float).reshape(-1, 2)
        taken = float((ends[:, 1] - ends[:, 0]).sum())
        if taken > 0:
            inside = float((np.interp(ends[:, 1], at, together) - np.interp(ends[:, 0], at, together)).sum())
            counts[run] = max(0.0, inside / taken - 1)
    return counts


def _blocked(study: Study, known: Mapping[str, Circumstances]) -> bool:
    """Do runs of one recipe follow each other, so that the recipe changes seldom more often than it must?"""
    recipe_of = {cell.spec.id: cell.factors["recipe"] for cell in reversed(study.results.cells)}
    began = sorted((one.began, run) for run, one in known.items() if not math.isnan(one.began))
    order = [recipe_of[run] for _, run in began]
    recipes, changes = len(set(order)), sum(one != other for one, other in pairwise(order))
    return recipes > 1 and len(order) > 2 * recipes and changes <= 2 * (recipes - 1)


def _comparable(pair: Pair, known: Mapping[str, Circumstances]) -> Pair:
    """The pair with those seeds alone whose runs can be compared, condition by condition; all where none differ."""
    own, reference = pair.runs
    if pair.same_runs:
        return pair
    kept = [
        seed
        for seed in own
        if seed in reference and all(_alike(known, *runs) for runs in zip(own[seed], reference[seed], strict=False))
    ]
    if len(kept) == len(pair.shared_seeds) and _one_machine(pair, known):
        return pair
    return replace(pair, treatment=pair.treatment.of(kept), reference=pair.reference.of(kept))


def _alike(known: Mapping[str, Circumstances], own: str, reference: str) -> bool:
    nothing = Circumstances(None)
    return known.get(own, nothing).comparable(known.get(reference, nothing))


def _one_machine(pair: Pair, known: Mapping[str, Circumstances]) -> bool:
    runs = [run for group in pair.runs for ids in group.values() for run in ids if run in known]
    return len({known[run].machine for run in runs}) <= 1 and all(known[run].attempts == 1 for run in runs)


def _with_reason(effects: Sequence[MeasureEffect], every: Sequence[Pair]) -> list[MeasureEffect]:
    """With the reason where too few seeds can be compared, though enough have finished."""
    few = [
        effect.seeds < MIN_SEEDS <= pair.seeds and not effect.note.startswith("the records")
        for effect, pair in zip(effects, every, strict=True)
    ]
    return [
        replace(effect, note=f"no verdict under {MIN_SEEDS} seeds whose runs can be compared") if short else effect
        for effect, short in zip(effects, few, strict=True)
    ]


def _logarithm(study: Study, name: str) -> Callable[[str], RunMeasure | None]:
    """Of a run: the logarithm of what its record says that it cost, whose differences are ratios."""

    def of(run: str) -> RunMeasure | None:
        amount = study.records[run].cost.get(name) if run in study.records else None
        return RunMeasure(math.log(amount)) if amount else None

    return of


def _has_memory(study: Study, pairs: Sequence[Pair]) -> bool:
    """Does every run that is compared have it?"""
    runs = {run for pair in pairs for group in pair.runs for ids in group.values() for run in ids}
    return bool(runs) and all(run in study.records and study.records[run].cost.get("gpu_memory_mib") for run in runs)


def _effects(study: Study) -> dict[str, Effect]:
    """Of each recipe the effect pooled over all conditions, or that of the only one."""
    return {effect.recipe: effect for effect in overall(study.effects)}
