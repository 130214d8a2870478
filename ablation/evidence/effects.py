"""Effects: what the results mean. Each recipe against the baseline, under each condition and pooled over them.

The verdict rests on the declared test alone, corrected for the number of comparisons (`ablation.evidence.families`).
Beside it stand how large the difference is, whether it would hold on new photographs, and what is still needed.
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
from ablation.analysis.power import Design, seeds_to_decide
from ablation.evidence.arms import Pair, pairs
from ablation.evidence.families import Tested, distinct, hardest_bar, judged, same_runs
from ablation.evidence.photographs import ImageScores
from ablation.experiment import LOWER_IS_BETTER, Experiment
from ablation.results import Results

OWN_RUNS = "the baseline's own runs under another name"

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
    low: float = math.nan
    high: float = math.nan
    """Its interval over seeds."""
    new_low: float = math.nan
    new_high: float = math.nan
    """Its interval over seeds and new photographs together, see `ablation.evidence.photographs`."""
    p: float = math.nan
    p_adjusted: float = math.nan
    """Two-sided, before and after correction for the number of comparisons."""
    p_equivalent: float = math.nan
    """Of the two one-sided tests within the margin, after Holm's correction."""
    p_better: float = math.nan
    p_better_low: float = math.nan
    p_better_high: float = math.nan
    """The chance that a new run of the recipe scores better than a new run of the baseline, with its interval."""
    g: float = math.nan
    g_low: float = math.nan
    g_high: float = math.nan
    """The difference in standard deviations over seeds (Hedges' g), with its interval."""
    macro_f1_difference: float = math.nan
    seeds_needed: float = math.nan
    """Seeds of each arm that would decide an undecided pair with 80 % power, if the truth is what was seen so far."""
    decided_as: str = ""
    """What they would decide it as: "different" or "equivalent"; "neither" where not even 1,000 would."""
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

    Holm's correction is made twice over the same comparisons: for differences, and for equivalence. Each holds its own
    family-wise error to alpha; a wrong verdict of either kind then has at most twice that.
    """
    experiment, images = results.experiment, ImageScores(results)
    found = list(pairs(results))
    family = [pair for pair in found if _is_comparison(pair, experiment)]
    asked = distinct(family)
    bar = hardest_bar(experiment, len(asked), len({pair.block for pair in asked}))
    answers = iter(judged(experiment, family))
    return tuple(
        _effect(experiment, pair, next(answers) if _is_comparison(pair, experiment) else None, bar, images)
        for pair in found
    )


def comparisons(effects: Sequence[Effect]) -> int:
    """How many are made. Pooled over the only condition that has the recipe and the baseline is none of its own."""
    single = Counter(effect.recipe for effect in effects if effect.tested and not effect.pooled)
    return single.total() + sum(effect.tested and single[effect.recipe] != 1 for effect in effects if effect.pooled)


def _is_comparison(pair: Pair, experiment: Experiment) -> bool:
    return pair.own.recipe != experiment.baseline and pair.own.planned > 0


def _effect(
    experiment: Experiment, pair: Pair, tested: Tested | None, bar: tuple[int, float], images: ImageScores
) -> Effect:
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
        scores=arm.scores,
    )
    if arm.recipe == experiment.baseline:
        return replace(effect, verdict="baseline")
    effect = replace(effect, baseline_seeds=len(pair.reference.scores), baseline_scores=pair.reference.scores)
    if tested is None:
        return replace(effect, note="too few finished seeds" if pair.shared else "nowhere beside the baseline")
    effect = _sized(effect, experiment, pair, tested, images)
    return _needing(_decided(effect, pair, tested, experiment.alpha), experiment, pair, bar)


def _sized(effect: Effect, experiment: Experiment, pair: Pair, tested: Tested, images: ImageScores) -> Effect:
    """With everything that tells how large the difference is; of runs with two names only that it is nothing."""
    if same_runs(pair):
        return replace(effect, estimate=0.0)
    alpha, paired = experiment.alpha, experiment.declared_test.paired
    treatment, baseline = (np.array(list(arm.scores.values())) for arm in (pair.treatment, pair.reference))
    sign = -1 if effect.metric in LOWER_IS_BETTER else 1
    new_low, new_high = images.interval((pair.treatment.runs, pair.reference.runs), paired, alpha)
    chance, size = p_better(sign * treatment, sign * baseline, alpha), hedges_g(treatment, baseline, alpha)
    return replace(
        effect,
        estimate=tested.difference.estimate,
        low=tested.low,
        high=tested.high,
        new_low=new_low,
        new_high=new_high,
        p=tested.p,
        p_adjusted=tested.p_adjusted,
        p_equivalent=tested.p_equivalent,
        p_better=chance.estimate,
        p_better_low=chance.low,
        p_better_high=chance.high,
        g=size.estimate,
        g_low=size.low,
        g_high=size.high,
        macro_f1_difference=_mean(pair.treatment.macro_f1) - _mean(pair.reference.macro_f1),
    )


def _decided(effect: Effect, pair: Pair, tested: Tested, alpha: float) -> Effect:
    """The verdict from the corrected p-values; a difference that is real counts before one that is small."""
    note = _note(pair, tested)
    if note:
        return replace(effect, note=note)
    if tested.p_adjusted < alpha:
        gain = -effect.estimate if effect.metric in LOWER_IS_BETTER else effect.estimate
        return replace(effect, verdict="better" if gain > 0 else "worse")
    return replace(effect, verdict="equivalent") if tested.p_equivalent < alpha else effect


def _note(pair: Pair, tested: Tested) -> str:
    """Why there is no verdict; '' where there is one."""
    if pair.seeds < MIN_SEEDS:
        return f"no verdict under {MIN_SEEDS} seeds"
    same = same_runs(pair)
    diverged = pair.own.diverged + (0 if same else pair.reference.diverged)
    if diverged:
        return f"{diverged} diverged here: no verdict on those that are left"
    if same:
        return OWN_RUNS
    return "no spread over seeds: the test cannot judge" if tested.difference.error == 0 else ""


def _needing(effect: Effect, experiment: Experiment, pair: Pair, bar: tuple[int, float]) -> Effect:
    """With the seeds that would decide it, where it is undecided for want of them."""
    if effect.verdict != "undecided" or effect.note:
        return effect
    treatment, baseline = (list(arm.scores.values()) for arm in (pair.treatment, pair.reference))
    paired = experiment.declared_test.paired
    design = Design(
        experiment.declared_test,
        pair.seeds,
        float(np.std(treatment, ddof=1)),
        float(np.std(baseline, ddof=1)),
        _correlation(treatment, baseline) if paired else 0.0,
        pair.test_share,
        *bar,
    )
    need = seeds_to_decide(design, effect.estimate, experiment.margin)
    return replace(
        effect, seeds_needed=need.seeds if need else math.nan, decided_as=need.verdict if need else "neither"
    )


def _correlation(treatment: list[float], baseline: list[float]) -> float:
    """Of the two arms over shared seeds; 0 where one of them does not vary."""
    if min(np.ptp(treatment), np.ptp(baseline)) == 0:
        return 0.0
    return float(np.corrcoef(treatment, baseline)[0, 1])


def _mean(scores: dict[int, float]) -> float:
    return float(np.mean(list(scores.values()))) if scores else math.nan
