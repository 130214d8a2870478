"""Any measure of a trained network, compared between each recipe and the baseline by the experiment's declared test.

`ablation.evidence.effects` judges the experiment's metric; this judges whatever else a section measures in a run: a
generalisation gap, an area under a decision curve, the recall of one class. The comparisons are those pooled over all
conditions, of the same runs as the effects, with the same reasons for giving no verdict. Each section corrects over its
own family, so that it claims nothing that its corrected test leaves open. What `Dunnett` declares is judged here by its
t-test of one recipe, which then is corrected for as every other.

    effects = measure_effects(study, "gap", gap_of_run)          # one a recipe
    effects = corrected(effects, study.experiment.alpha)         # Holm's correction over all that are given
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.comparison import Crossed, Difference
from ablation.analysis.crossed import CrossedDifference, crossed
from ablation.analysis.multiplicity import behind, gatekept, holm
from ablation.core.text import counted
from ablation.evidence.effects import unjudged
from ablation.evidence.families import MIN_SCORES, OTHER_IMAGES
from ablation.evidence.image_intervals import by_photograph, photograph_groups
from ablation.evidence.pairs import Pair, blocks
from ablation.evidence.study import Study
from ablation.experiment.results import Results

Floats = NDArray[np.float64]

_Measures = Mapping[int, Sequence["RunMeasure"]]
"""Of one recipe: those of each seed's runs, over whose conditions it is averaged."""


@dataclass(frozen=True, eq=False)
class RunMeasure:
    """A measure of one run: `value`, and where it is a mean over images also what each of them contributes.

    per_image: (T,) terms whose mean is the value; sample: (T,) the rows of these images in the data set. Both are None
    for a measure that is no mean over test images. share: is each term 0 or 1? (`ablation.analysis.crossed.few_images`)
    """

    value: float
    per_image: Floats | None = None
    sample: NDArray[np.int64] | None = None
    share: bool = False

    @classmethod
    def mean(cls, per_image: Floats, sample: NDArray[np.int64], share: bool = False) -> RunMeasure:
        """The mean of these terms."""
        return cls(float(np.mean(per_image)) if len(per_image) else math.nan, per_image, sample, share)


@dataclass(frozen=True)
class MeasureEffect:
    """One recipe against the baseline in one measure, pooled over all conditions, in the measure's own unit.

    seeds: that were compared, of `planned` many. mean, baseline_mean: over these seeds. difference: None where too few
    seeds have the measure. low, high: simultaneous over those that `corrected` was given (Bonferroni); p: before and
    p_adjusted: after correction. over_images: is the claim about new test images, too, or about those given? reached:
    was it tested, or did what it stands behind leave it nothing? note: why nothing is claimed, '' where it is judged.
    """

    recipe: str
    measure: str
    seeds: int
    planned: int
    mean: float = math.nan
    baseline_mean: float = math.nan
    difference: Difference | CrossedDifference | None = None
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan
    over_images: bool = False
    reached: bool = True
    note: str = ""

    @property
    def estimate(self) -> float:
        """The mean difference to the baseline; nan where there is none."""
        return self.difference.estimate if self.difference else math.nan

    def shown(self, alpha: float) -> bool:
        """Is the difference shown, after correction?"""
        return not self.note and self.p_adjusted < alpha


def pooled_pairs(study: Study) -> tuple[Pair, ...]:
    """Each recipe beside the baseline over all conditions together, in the order of the experiment."""
    every = blocks(study.results)[-1]
    baseline = study.experiment.baseline
    return tuple(
        pair for pair in study.pairs if pair.block == every and pair.own.recipe != baseline and pair.own.planned > 0
    )


def measure_effects(
    study: Study, measure: str, of: Callable[[str], RunMeasure | None], pairs: Sequence[Pair] | None = None
) -> tuple[MeasureEffect, ...]:
    """Every recipe against the baseline in a measure, before correction.

    of: run id -> the measure of that run; None where its record lacks what is needed. It is called once a run. pairs:
    what is compared, by default `pooled_pairs`; a measure that not all runs have in common gives fewer seeds of each.
    """
    known = cache(of)
    return tuple(_effect(study, pair, measure, known) for pair in (pooled_pairs(study) if pairs is None else pairs))


def corrected(
    effects: Sequence[MeasureEffect], alpha: float, parents: Sequence[Sequence[int]] | None = None
) -> tuple[MeasureEffect, ...]:
    """With p-values and intervals corrected over all that are given: by Holm's procedure.

    parents: of each, the indices of those behind which it stands, () for the primary ones: then by gatekeeping
    (`ablation.analysis.multiplicity`). What cannot be tested counts all the same, as its absence may have to do with
    what it would have been.
    """
    if not effects:
        return ()
    if parents is None or not any(parents):
        return _by_holm(effects, alpha)
    weights, transitions = behind(parents)
    kept = gatekept([effect.p for effect in effects], weights, transitions, alpha)
    judged = []
    for index, (effect, ahead) in enumerate(zip(effects, parents, strict=True)):
        share = min((weights[other] * transitions[other, index] for other in ahead), default=weights[index])
        low, high = effect.difference.interval(alpha * share) if effect.difference else (math.nan, math.nan)
        reached = not ahead or bool(kept.level[index] > 0)
        judged.append(replace(effect, low=low, high=high, p_adjusted=float(kept.adjusted[index]), reached=reached))
    return tuple(judged)


def _by_holm(effects: Sequence[MeasureEffect], alpha: float) -> tuple[MeasureEffect, ...]:
    """Where all are primary: the same as by gatekeeping, which takes minutes for the classes of a large data set."""
    judged = []
    for effect, p in zip(effects, holm([effect.p for effect in effects]).tolist(), strict=True):
        low, high = effect.difference.interval(alpha / len(effects)) if effect.difference else (math.nan, math.nan)
        judged.append(replace(effect, low=low, high=high, p_adjusted=p))
    return tuple(judged)


def _effect(study: Study, pair: Pair, measure: str, of: Callable[[str], RunMeasure | None]) -> MeasureEffect:
    test = study.experiment.declared_test
    own, reference = (_by_seed(runs, of) for runs in pair.runs)
    if test.paired:
        both = [seed for seed in own if seed in reference]
        own, reference = ({seed: group[seed] for seed in both} for group in (own, reference))
    effect = MeasureEffect(pair.own.recipe, measure, min(len(own), len(reference)), pair.own.planned)
    if effect.seeds < MIN_SCORES:
        return replace(effect, note=_lacking(pair, of) or "too few finished seeds")
    scores, baseline = ([_value(runs) for runs in group.values()] for group in (own, reference))
    effect = replace(effect, mean=float(np.mean(scores)), baseline_mean=float(np.mean(baseline)))
    if pair.same_runs:
        return replace(effect, difference=Difference(0.0, 0.0, math.nan), note=unjudged(pair))
    note = unjudged(pair) or _lacking(pair, of)
    difference: Difference | CrossedDifference = test.difference(scores, baseline, pair.overlap)
    every = [one for group in (own, reference) for runs in group.values() for one in runs]
    over_images = isinstance(test, Crossed) and all(one.per_image is not None for one in every)
    if over_images and _share_images(study.results, every):
        difference = _over_images(study.results, own, reference, pair.overlap)
    elif over_images:
        difference, note = Difference(difference.estimate, 0.0, math.nan), note or OTHER_IMAGES
    if not difference.error > 0:
        note = note or "no spread over seeds: the test cannot judge"
    p = math.nan if note else difference.p_value()
    return replace(effect, difference=difference, p=p, over_images=over_images, note=note)


def _lacking(pair: Pair, of: Callable[[str], RunMeasure | None]) -> str:
    """Of how many seeds the measure is not known, and why; '' where it is of all."""
    seeds = [[of(run) for run in ids] for group in pair.runs for ids in group.values()]
    if without := sum(None in runs for runs in seeds):
        return f"the records of {counted(without, 'seed')} lack what this is computed from"
    endless = sum(any(one is not None and not math.isfinite(one.value) for one in runs) for runs in seeds)
    return f"it is no finite number in {counted(endless, 'seed')}" if endless else ""


def _by_seed(runs: Mapping[int, Sequence[str]], of: Callable[[str], RunMeasure | None]) -> _Measures:
    """Without the seeds of which a run lacks the measure, or has one that is no finite number."""
    seeds = {}
    for seed, ids in runs.items():
        measures = [one for run in ids if (one := of(run)) is not None and math.isfinite(one.value)]
        if len(measures) == len(ids):
            seeds[seed] = measures
    return seeds


def _value(runs: Sequence[RunMeasure]) -> float:
    return float(np.mean([one.value for one in runs]))


def _share_images(results: Results, every: Sequence[RunMeasure]) -> bool:
    """Are all of them means over the same images, which are two photographs or more?"""
    first = every[0].sample
    if first is None or any(one.sample is None or not np.array_equal(one.sample, first) for one in every):
        return False
    return len(np.unique(photograph_groups(results, first))) > 1


def _over_images(results: Results, own: _Measures, reference: _Measures, overlap: float) -> CrossedDifference:
    """The difference over new seeds and new images together, of means over the same images."""
    first = next(iter(own.values()))[0]
    sample = first.sample
    assert sample is not None

    def table(group: _Measures) -> list[Floats]:
        terms = [np.mean([one.per_image for one in runs if one.per_image is not None], 0) for runs in group.values()]
        return [by_photograph(results, sample, row) for row in terms]

    return crossed(table(own), table(reference), True, overlap, share=first.share)
