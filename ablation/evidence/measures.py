"""Any measure of a trained network, compared between each recipe and the baseline by the experiment's declared test.

`ablation.evidence.effects` judges the experiment's metric; this judges whatever else a section measures in a run: a
generalisation gap, an area under a decision curve, the recall of one class. The comparisons are those pooled over all
conditions, of the same runs as the effects, with the same reasons for giving no verdict. Each section corrects over its
own family, so that it claims nothing that its corrected test leaves open.

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
from ablation.evidence.families import OTHER_IMAGES
from ablation.evidence.image_intervals import by_photograph
from ablation.evidence.pairs import Pair, blocks
from ablation.evidence.study import Study
from ablation.experiment.results import Results

Floats = NDArray[np.float64]

MIN_SCORES = 2


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

    of: run id -> the measure of that run; None where its record lacks what is needed. It is asked once a run. pairs:
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
    if not any(parents or ()):
        return _by_holm(effects, alpha)
    weights, transitions = behind(parents or [()] * len(effects))
    kept = gatekept([effect.p for effect in effects], weights, transitions, alpha)
    judged = []
    for index, effect in enumerate(effects):
        ahead = parents[index] if parents else ()
        share = min((weights[other] * transitions[other, index] for other in ahead), default=weights[index])
        low, high = effect.difference.interval(alpha * share) if effect.difference else (math.nan, math.nan)
        reached = not ahead or bool(kept.level[index] > 0)
        p = float(kept.adjusted[index])
        judged.append(replace(effect, low=low, high=high, p_adjusted=p, reached=reached))
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
    missing = len(pair.treatment.runs) + len(pair.reference.runs) - len(own) - len(reference)
    if test.paired:
        both = [seed for seed in own if seed in reference]
        own, reference = ({seed: group[seed] for seed in both} for group in (own, reference))
    effect = MeasureEffect(pair.own.recipe, measure, min(len(own), len(reference)), pair.own.planned)
    if effect.seeds < MIN_SCORES:
        return replace(effect, note=_lacking(missing) or unjudged(pair) or "too few finished seeds")
    scores, baseline = ([one.value for one in group.values()] for group in (own, reference))
    effect = replace(effect, mean=float(np.mean(scores)), baseline_mean=float(np.mean(baseline)))
    if pair.same_runs:
        return replace(effect, difference=Difference(0.0, 0.0, math.nan), note=unjudged(pair))
    difference: Difference | CrossedDifference = test.difference(scores, baseline, pair.overlap)
    note = unjudged(pair) or _lacking(missing)
    over_images = isinstance(test, Crossed) and all(one.per_image is not None for one in own.values())
    if over_images:
        over_both = _over_images(study.results, own, reference, pair.overlap)
        difference, note = over_both or difference, note or ("" if over_both else OTHER_IMAGES)
    if not note and not difference.error > 0:
        note = "no spread over seeds: the test cannot judge"
    p = math.nan if note else difference.p_value()
    return replace(effect, difference=difference, p=p, over_images=over_images, note=note)


def _lacking(seeds: int) -> str:
    records = f"the records of {counted(seeds, 'seed')}"
    return f"{records} lack what this is computed from (an older version made them)" if seeds else ""


def _by_seed(runs: Mapping[int, Sequence[str]], of: Callable[[str], RunMeasure | None]) -> dict[int, RunMeasure]:
    """The mean of each seed's runs, without the seeds of which a run lacks the measure."""
    seeds = {}
    for seed, ids in runs.items():
        measures = [measure for run in ids if (measure := of(run)) is not None and math.isfinite(measure.value)]
        if len(measures) == len(ids):
            seeds[seed] = _mean(measures)
    return seeds


def _mean(measures: Sequence[RunMeasure]) -> RunMeasure:
    first, value = measures[0], float(np.mean([one.value for one in measures]))
    terms = [one.per_image for one in measures if one.per_image is not None]
    if len(terms) < len(measures) or not all(_same_images(one, first) for one in measures):
        return RunMeasure(value)
    return RunMeasure(value, np.mean(terms, axis=0), first.sample, first.share)


def _over_images(
    results: Results, own: Mapping[int, RunMeasure], reference: Mapping[int, RunMeasure], overlap: float
) -> CrossedDifference | None:
    """The difference over new seeds and new images; None where the runs do not share two test images or more."""
    every = [*own.values(), *reference.values()]
    sample = every[0].sample
    if sample is None or len(sample) < 2 or not all(_same_images(one, every[0]) for one in every):
        return None
    one, other = (
        np.array([by_photograph(results, sample, row.per_image) for row in group.values() if row.per_image is not None])
        for group in (own, reference)
    )
    if one.shape[1] < 2:
        return None
    return crossed(one, other, True, overlap, share=every[0].share)


def _same_images(one: RunMeasure, other: RunMeasure) -> bool:
    return one.sample is not None and other.sample is not None and np.array_equal(one.sample, other.sample)
