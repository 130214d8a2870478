"""Effects: what the results mean. Each recipe against the baseline, under each condition and pooled over them.

The verdict rests on the declared test alone, corrected for the number of comparisons (`ablation.evidence.families`).
Beside it stand how large the difference is, how many trainings failed, and what is still needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ablation.analysis.comparison import MIN_SEEDS
from ablation.analysis.effect_size import hedges_g, p_better
from ablation.analysis.metrics import METRICS
from ablation.analysis.shrinkage import shrunk
from ablation.evidence.families import Tested, are_primary, distinct, hardest_bar, judged, same_runs
from ablation.evidence.image_intervals import image_scores
from ablation.evidence.needs import needs_of
from ablation.evidence.pairs import Arm, Pair, pairs
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

OWN_RUNS = "the baseline's own runs under another name"
NOT_REACHED = "not tested: the pooled comparison comes first, and has shown no difference"
NOT_REACHED_POOLED = "not tested: those under each condition come first, and have shown no difference"

Verdict = Literal["baseline", "better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Effect:
    """One recipe under one condition, against the baseline there. Scores in the metric's own unit (0.01 is a point).

    condition: factor -> level, {} where pooled. seeds, mean, sd, scores: of the runs that were compared, which are
    those of shared seeds where the test pairs them; where nothing was compared, of all that finished. baseline_seeds,
    baseline_scores: likewise, of the baseline beside them; scores by seed. What cannot be computed is nan. `note` says
    why a verdict is missing, or that the runs are the baseline's own; `flag` what makes the recipe suspect, whatever
    its verdict: an operation that changed nothing.
    """

    recipe: str
    condition: dict[str, str]
    metric: str
    seeds: int
    planned: int
    mean: float
    sd: float
    baseline_seeds: int = 0
    estimate: float = math.nan
    """The mean difference to the baseline."""
    error: float = math.nan
    """Its standard error, by the declared test."""
    low: float = math.nan
    high: float = math.nan
    """Its interval, simultaneous over the family of comparisons and in agreement with their verdicts."""
    alone_low: float = math.nan
    alone_high: float = math.nan
    """Its interval at level 1 - alpha, as if nothing else were asked."""
    new_low: float = math.nan
    new_high: float = math.nan
    """That for new photographs too, where the declared test judges on those given (`evidence.image_intervals`)."""
    p: float = math.nan
    p_adjusted: float = math.nan
    """Two-sided, before and after correction for the number of comparisons."""
    p_equivalent: float = math.nan
    """Of the two one-sided tests within the margin, after correction."""
    primary: bool = True
    """Is it a comparison of the primary family, or does it stand behind that?"""
    p_better: float = math.nan
    p_better_low: float = math.nan
    p_better_high: float = math.nan
    """The chance that the recipe beats the baseline in a new seed, with its interval at level 1 - alpha."""
    g: float = math.nan
    g_low: float = math.nan
    g_high: float = math.nan
    """The difference in standard deviations over seeds (Hedges' g), with its interval."""
    macro_f1_difference: float = math.nan
    expected: float = math.nan
    """The difference to expect when it is repeated, shrunk for having been picked from the comparisons beside it."""
    beside: int = 1
    """How many recipes stand beside the baseline there, this one included."""
    failed: int = 0
    trained: int = 0
    """How many of the recipe's trainings failed (`ablation.analysis.failures`), of those that finished."""
    baseline_failed: int = 0
    baseline_trained: int = 0
    without_failed: float = math.nan
    """The mean difference to the baseline without the seeds in which a training failed, where one did."""
    overlap: float = 0.0
    """What the training parts of its seeds have in common, as rho / (1 - rho); 0 where they share no photograph."""
    seeds_needed: float = math.nan
    """Seeds of each arm that would decide an undecided pair with 80 % power, if the truth is what was observed."""
    images_needed: float = math.nan
    """Test photographs that would, with the seeds there are."""
    decided_as: str = ""
    """What they would decide it as: "different" or "equivalent"; "neither" where not even 1,000 seeds would."""
    verdict: Verdict = "undecided"
    note: str = ""
    flag: str = ""
    scores: dict[int, float] = field(default_factory=dict)
    baseline_scores: dict[int, float] = field(default_factory=dict)

    @property
    def pooled(self) -> bool:
        return not self.condition

    @property
    def tested(self) -> bool:
        """Is it a comparison, one of the family? Not the baseline's row, nor one where the grid has no baseline."""
        return self.verdict != "baseline" and self.planned > 0


def compare(results: Results) -> tuple[Effect, ...]:
    """Every recipe under every condition, then pooled, in the order of the experiment; the baseline has a row too.

    The correction is made twice over the same comparisons: for differences, and for equivalence. Each holds its own
    family-wise error to alpha; a wrong verdict of either kind then has at most twice that.
    """
    experiment = results.experiment
    found = list(pairs(results))
    family = [pair for pair in found if _is_comparison(pair, experiment)]
    primary = are_primary(experiment, family)
    requested = distinct([pair for pair, first in zip(family, primary, strict=True) if first])
    bar = hardest_bar(experiment, len(requested), len({pair.block for pair in requested}))
    told = iter(zip(judged(results, family), primary, strict=True))
    effects = []
    for pair in found:
        tested, first = next(told) if _is_comparison(pair, experiment) else (None, True)
        effects.append(replace(_effect(results, pair, tested, bar), primary=first))
    return _expecting(effects)


def comparisons(effects: Sequence[Effect]) -> int:
    """How many are made. Pooled over the only condition that has the recipe and the baseline is none of its own."""
    single = Counter(effect.recipe for effect in effects if effect.tested and not effect.pooled)
    return single.total() + sum(effect.tested and single[effect.recipe] != 1 for effect in effects if effect.pooled)


def primaries(effects: Sequence[Effect]) -> int:
    """How many of them are primary."""
    single = Counter(effect.recipe for effect in effects if effect.tested and not effect.pooled)
    return sum(
        effect.tested and effect.primary and not (effect.pooled and single[effect.recipe] == 1) for effect in effects
    )


def _is_comparison(pair: Pair, experiment: Experiment) -> bool:
    return pair.own.recipe != experiment.baseline and pair.own.planned > 0


def _effect(results: Results, pair: Pair, tested: Tested | None, bar: tuple[int, float]) -> Effect:
    experiment = results.experiment
    arm = pair.treatment if tested else pair.own
    scores = np.array(list(arm.scores.values()))
    effect = Effect(
        arm.recipe,
        pair.condition,
        experiment.metric,
        len(scores),
        arm.planned,
        float(scores.mean()) if len(scores) else math.nan,
        float(scores.std(ddof=1)) if len(scores) > 1 else math.nan,
        flag=pair.flag,
        failed=len(pair.own.failed),
        trained=pair.own.trained,
        scores=arm.scores,
    )
    if arm.recipe == experiment.baseline:
        return replace(effect, verdict="baseline")
    effect = replace(
        effect,
        baseline_seeds=len(pair.reference.scores),
        baseline_scores=pair.reference.scores,
        baseline_failed=len(pair.reference.failed),
        baseline_trained=pair.reference.trained,
    )
    if tested is None:
        return replace(effect, note="too few finished seeds" if pair.shared else "nowhere beside the baseline")
    effect = _sized(effect, results, pair, tested)
    return _needing(_decided(effect, pair, tested, experiment.alpha), results, pair, bar)


def _sized(effect: Effect, results: Results, pair: Pair, tested: Tested) -> Effect:
    """With everything that tells how large the difference is; of runs with two names only that it is nothing."""
    if same_runs(pair):
        return replace(effect, estimate=0.0)
    experiment = results.experiment
    alpha, test = experiment.alpha, experiment.declared_test
    treatment, baseline = (np.array(list(arm.scores.values())) for arm in (pair.treatment, pair.reference))
    arms = pair.treatment.runs, pair.reference.runs
    new_low, new_high = (math.nan,) * 2 if test.new_images else image_scores(results).interval(arms, test.paired, alpha)
    chance, size = _chance(pair, effect.metric, alpha), hedges_g(treatment, baseline, alpha)
    return replace(
        effect,
        estimate=tested.difference.estimate,
        error=tested.difference.error,
        low=tested.low,
        high=tested.high,
        alone_low=tested.alone_low,
        alone_high=tested.alone_high,
        new_low=new_low,
        new_high=new_high,
        p=tested.p,
        p_adjusted=tested.p_adjusted,
        p_equivalent=tested.p_equivalent,
        overlap=pair.overlap,
        p_better=chance[0],
        p_better_low=chance[1],
        p_better_high=chance[2],
        g=size.estimate,
        g_low=size.low,
        g_high=size.high,
        macro_f1_difference=_mean(pair.treatment.macro_f1) - _mean(pair.reference.macro_f1),
        without_failed=_without_failed(pair),
    )


def _chance(pair: Pair, metric: str, alpha: float) -> tuple[float, float, float]:
    """That the recipe beats the baseline in a new seed, over the seeds that both have; nan without one."""
    treatment, baseline = pair.treatment.scores, pair.reference.scores
    sign = -1 if METRICS[metric].lower_is_better else 1
    gains = [sign * (treatment[seed] - baseline[seed]) for seed in treatment if seed in baseline]
    if not gains:
        return (math.nan,) * 3
    found = p_better(sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains), len(gains), alpha)
    return found.estimate, found.low, found.high


def _without_failed(pair: Pair) -> float:
    """The mean difference without the seeds in which a training failed; nan where none did, or none is left."""
    arms = pair.treatment, pair.reference
    if not any(arm.failed for arm in arms):
        return math.nan
    kept = [[score for seed, score in arm.scores.items() if not _failed(seed, arms)] for arm in arms]
    return float(np.mean(kept[0]) - np.mean(kept[1])) if all(kept) else math.nan


def _failed(seed: int, arms: Sequence[Arm]) -> bool:
    """Did a training of this seed fail in one of the arms?"""
    return any(arm.failed.intersection(arm.runs.get(seed, ())) for arm in arms)


def _decided(effect: Effect, pair: Pair, tested: Tested, alpha: float) -> Effect:
    """The verdict from the corrected p-values; a difference that is real counts before one that is small."""
    note = _note(pair, tested)
    if note:
        return replace(effect, note=note)
    if tested.p_adjusted < alpha:
        gain = -effect.estimate if METRICS[effect.metric].lower_is_better else effect.estimate
        return replace(effect, verdict="better" if gain > 0 else "worse")
    return replace(effect, verdict="equivalent") if tested.p_equivalent < alpha else effect


def _note(pair: Pair, tested: Tested) -> str:
    """Why there is no verdict; '' where there is one."""
    if pair.seeds < MIN_SEEDS:
        return f"no verdict under {MIN_SEEDS} seeds"
    same = same_runs(pair)
    lost = pair.own.lost + (0 if same else pair.reference.lost)
    if lost:
        return f"{lost} run{'s' * (lost > 1)} failed or diverged here: no verdict on those that are left"
    if same:
        return OWN_RUNS
    if tested.note:
        return tested.note
    if pair.own.failed or pair.reference.failed:
        own, reference = (f"{len(arm.failed)} of {arm.trained}" for arm in (pair.own, pair.reference))
        return f"{own} trainings failed or ended far below the others, {reference} of the baseline: no verdict on means"
    if tested.difference.error == 0:
        return "no spread over seeds: the test cannot judge"
    behind = NOT_REACHED if pair.condition else NOT_REACHED_POOLED
    return "" if tested.reached else behind


def _needing(effect: Effect, results: Results, pair: Pair, bar: tuple[int, float]) -> Effect:
    """With the seeds, or the photographs, that would decide it, where it is undecided for want of them."""
    if effect.verdict != "undecided" or effect.note:
        return effect
    return replace(effect, **vars(needs_of(results, pair, bar, effect.estimate)))


def _mean(scores: dict[int, float]) -> float:
    return float(np.mean(list(scores.values()))) if scores else math.nan


def _expecting(effects: list[Effect]) -> tuple[Effect, ...]:
    """With what to expect of each when repeated, among those of its condition; not where a training failed."""
    beside: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for place, effect in enumerate(effects):
        if effect.tested and effect.error > 0 and not effect.failed + effect.baseline_failed:
            beside.setdefault(tuple(effect.condition.items()), []).append(place)
    for places in (several for several in beside.values() if len(several) > 1):
        told = shrunk([effects[place].estimate for place in places], [effects[place].error for place in places])
        for place, expected in zip(places, told, strict=True):
            effects[place] = replace(effects[place], expected=float(expected), beside=len(places))
    return tuple(effects)
