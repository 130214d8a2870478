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
from ablation.analysis.effect_size import Size, hedges_g, p_better
from ablation.analysis.metrics import METRICS
from ablation.analysis.shrinkage import shrunk
from ablation.evidence.families import Compared, Tested, is_comparison
from ablation.evidence.image_intervals import ImageScores
from ablation.evidence.pairs import Pair
from ablation.evidence.power import needs_of
from ablation.experiment.experiment import Experiment

OWN_RUNS = "the baseline's own runs under another name"
NOT_REACHED = "not tested: pooled over conditions, no difference is shown"
NOT_REACHED_POOLED = "not tested: under no condition is a difference shown"

Verdict = Literal["baseline", "better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Effect:
    """One recipe under one condition, against the baseline there; scores in the metric's own unit.

    A point of accuracy is 0.01. condition: factor -> level, {} where pooled. seeds, mean, sd, scores: of the runs that
    were compared, which are those of shared seeds where the test pairs them; where nothing was compared, of all that
    finished. baseline_seeds, baseline_scores: likewise, of the baseline beside them; scores by seed. What cannot be
    computed is nan. `note` says why a verdict is missing, or that the runs are the baseline's own; `flag` what makes
    the recipe suspect, whatever its verdict: an operation that changed nothing.

    >>> baseline, effect = compare(results)
    >>> effect.recipe, effect.seeds, effect.low <= effect.estimate <= effect.high
    ('crop', 3, True)
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
    """Its interval, simultaneous over the family of comparisons. A verdict by Holm's correction may be sharper."""
    alone_low: float = math.nan
    alone_high: float = math.nan
    """Its interval at level 1 - alpha, as if it were the only comparison."""
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
    """Seeds of each recipe that would decide an undecided pair with 80 % power, if the truth is what was observed."""
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

    @property
    def decision(self) -> str:
        """The verdict as every table shows it: 'no verdict' where a note says why there is none, which is not the same
        as undecided; 'not tested' where what comes first left it nothing to be tested with."""
        if self.note.startswith("not tested"):
            return "not tested"
        return "no verdict" if self.verdict == "undecided" and self.note else self.verdict


def effects_of(
    experiment: Experiment, pairs: Sequence[Pair], compared: Compared, scores: ImageScores
) -> tuple[Effect, ...]:
    """Every recipe under every condition, then pooled, in the order of the experiment; the baseline has a row too.

    The correction is made twice over the same comparisons: for differences, and for equivalence. Each holds its own
    family-wise error to alpha; a wrong verdict of either kind then has at most twice that.
    """
    return _expecting([_effect(experiment, pair, compared, scores) for pair in pairs])


def overall(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Those pooled over all conditions, or where there is only one condition, those under it."""
    pooled = tuple(effect for effect in effects if effect.pooled)
    single = len({tuple(effect.condition.items()) for effect in effects}) <= 1
    return pooled or (tuple(effects) if single else ())


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


def _effect(experiment: Experiment, pair: Pair, compared: Compared, scores: ImageScores) -> Effect:
    tested = compared.of(pair.own.recipe, pair.shared)
    runs, reference = (pair.treatment if tested else pair.own), pair.reference
    own = np.array(list(runs.scores.values()))
    effect = Effect(
        runs.recipe,
        pair.condition,
        experiment.metric,
        len(own),
        runs.planned,
        float(own.mean()) if len(own) else math.nan,
        float(own.std(ddof=1)) if len(own) > 1 else math.nan,
        flag=pair.flag,
        failed=len(pair.own.failed),
        trained=pair.own.trained,
        scores=runs.scores,
    )
    if runs.recipe == experiment.baseline:
        return replace(effect, verdict="baseline")
    effect = replace(
        effect,
        primary=compared.is_primary(pair) or not is_comparison(pair, experiment),
        baseline_seeds=len(reference.scores),
        baseline_scores=reference.scores,
        baseline_failed=len(reference.failed),
        baseline_trained=reference.trained,
    )
    if tested is None:
        return replace(effect, note="too few finished seeds" if pair.shared else "nowhere beside the baseline")
    effect = _sized(effect, experiment, pair, tested, scores)
    effect = _decided(effect, pair, tested, experiment.alpha)
    if effect.verdict != "undecided" or effect.note:
        return effect
    return replace(effect, **vars(needs_of(experiment, pair, compared.bar, effect.estimate, scores)))


def _sized(effect: Effect, experiment: Experiment, pair: Pair, tested: Tested, scores: ImageScores) -> Effect:
    """With everything that says how large the difference is; of runs with two names only that it is nothing."""
    if pair.same_runs:
        return replace(effect, estimate=0.0)
    alpha, test = experiment.alpha, experiment.declared_test
    treatment, baseline = (np.array(list(runs.scores.values())) for runs in (pair.treatment, pair.reference))
    new_low, new_high = (math.nan,) * 2 if test.new_images else scores.interval(pair.runs, test.paired, alpha)
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
        p_better=chance.estimate,
        p_better_low=chance.low,
        p_better_high=chance.high,
        g=size.estimate,
        g_low=size.low,
        g_high=size.high,
        macro_f1_difference=_mean(pair.treatment.macro_f1) - _mean(pair.reference.macro_f1),
        without_failed=_without_failed(pair),
    )


def _chance(pair: Pair, metric: str, alpha: float) -> Size:
    """That the recipe beats the baseline in a new seed, over the seeds that both have; nan without one."""
    sign, seeds = -1 if METRICS[metric].lower_is_better else 1, pair.shared_seeds
    gains = [sign * (pair.treatment.scores[seed] - pair.reference.scores[seed]) for seed in seeds]
    return p_better(sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains), len(gains), alpha)


def _without_failed(pair: Pair) -> float:
    """The mean difference without the seeds in which a training failed; nan where none did, or none is left."""
    failed, both = pair.treatment.failed | pair.reference.failed, (pair.treatment, pair.reference)
    if not failed:
        return math.nan
    wrong = {seed for runs in both for seed, ids in runs.runs.items() if failed.intersection(ids)}
    kept = [[score for seed, score in runs.scores.items() if seed not in wrong] for runs in both]
    return float(np.mean(kept[0]) - np.mean(kept[1])) if all(kept) else math.nan


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
    if why := unjudged(pair) or tested.note:
        return why
    if tested.difference.error == 0:
        return "no spread over seeds: the test cannot judge"
    behind = NOT_REACHED if pair.condition else NOT_REACHED_POOLED
    return "" if tested.reached else behind


def unjudged(pair: Pair) -> str:
    """Why nothing is claimed of a recipe and the baseline, whatever is measured of their runs; '' where it is."""
    if pair.seeds < MIN_SEEDS:
        return f"no verdict under {MIN_SEEDS} seeds"
    lost = pair.own.lost + (0 if pair.same_runs else pair.reference.lost)
    if lost:
        return f"{lost} run{'s' * (lost > 1)} failed or diverged here: no verdict on those that are left"
    if pair.same_runs:
        return OWN_RUNS
    if pair.own.failed or pair.reference.failed:
        own, reference = (f"{len(runs.failed)} of {runs.trained}" for runs in (pair.own, pair.reference))
        return f"{own} trainings ended near chance or far below the others, {reference} of the baseline: no verdict"
    return ""


def _mean(scores: dict[int, float]) -> float:
    return float(np.mean(list(scores.values()))) if scores else math.nan


def _expecting(effects: list[Effect]) -> tuple[Effect, ...]:
    """With what to expect of each when repeated, among those of its condition; not where a training failed."""
    beside: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, effect in enumerate(effects):
        if effect.tested and effect.error > 0 and not effect.failed + effect.baseline_failed:
            beside.setdefault(tuple(effect.condition.items()), []).append(index)
    for several in beside.values():
        if len(several) > 1:
            estimates, errors = ([getattr(effects[i], name) for i in several] for name in ("estimate", "error"))
            for index, expected in zip(several, shrunk(estimates, errors).tolist(), strict=True):
                effects[index] = replace(effects[index], expected=expected, beside=len(several))
    return tuple(effects)
