"""Whom does it help, and whom does it harm? The recall of each class under each recipe, and the photographs that flip.

An augmentation can help on average and harm a class (Balestriero, Bottou and LeCun 2022, "The effects of regularization
and data augmentation are class dependent", NeurIPS). Each recipe against the baseline in the recall of each class,
pooled over all conditions, by the experiment's declared test over new photographs of the class; one family for Holm's
correction: recipes x classes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.flips import Flips, flips
from ablation.evidence.effects import Effect
from ablation.evidence.image_intervals import photograph_groups
from ablation.evidence.measures import MeasureEffect, RunMeasure, corrected, measure_effects, pooled_pairs
from ablation.evidence.pairs import Pair
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.experiment.results import Results

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_IMAGES = 2
"""Of a class, in the test part of every run; photographs of one group count as one."""


@dataclass(frozen=True, eq=False)
class TestPart:
    """T test images, sorted by class. rows, label (T,); order (T,): where each was; starts (C + 1,): of each class.

    groups (C,): how many photographs a class has, where those of one group are one.
    """

    __test__ = False  # no test of pytest's

    rows: Ints
    label: Ints
    order: Ints
    starts: Ints
    groups: Ints

    @classmethod
    def of(cls, results: Results, sample: Ints, label: Ints) -> TestPart:
        """From the rows in the data set and the classes of the images as a run stored them."""
        classes, order = len(results.classes), np.argsort(label, kind="stable")
        group = photograph_groups(results, sample)
        several = np.unique(label * (int(group.max(initial=0)) + 1) + group) // (int(group.max(initial=0)) + 1)
        return cls(
            sample[order],
            label[order],
            order,
            np.searchsorted(label[order], np.arange(classes + 1)),
            np.bincount(several, minlength=classes),
        )

    def within(self, label: int) -> slice:
        """Where the images of a class are."""
        return slice(int(self.starts[label]), int(self.starts[label + 1]))


@dataclass(frozen=True, eq=False)
class Guesses:
    """What a trained network takes its T test images for: guess (T,) classes, in the order of its part."""

    part: TestPart
    guess: Ints

    @cached_property
    def right(self) -> Floats:
        """(T,) 1 where the guess is right, else 0."""
        right: Floats = (self.guess == self.part.label).astype(np.float64)
        return right


@dataclass(frozen=True, eq=False)
class Rights:
    """right (T,): of several runs that were tested on the same images, the share that is right on each."""

    part: TestPart
    right: Floats

    def recall(self, label: int) -> RunMeasure:
        """The share of the images of a class that are guessed right; nan without one."""
        own = self.part.within(label)
        return RunMeasure.mean(self.right[own], self.part.rows[own], share=True)


@dataclass(frozen=True, eq=False)
class RecipeClasses:
    """One recipe. effects: against the baseline in the recall of each judged class, corrected. average: in the metric.

    runs: pairs of runs with the same seed under the same conditions, the recipe's and the baseline's, a tuple a seed.
    flips: over these, of the images `ClassHarm.rows`; None without a pair.
    """

    recipe: str
    effects: Mapping[int, MeasureEffect]
    average: Effect | None
    runs: tuple[tuple[tuple[Guesses, Guesses], ...], ...]
    flips: Flips | None

    def shown(self, alpha: float, harm: bool) -> list[int]:
        """The classes that are shown to be harmed, or helped; the largest change first."""
        sign = -1 if harm else 1
        changed = {
            label: sign * one.estimate
            for label, one in self.effects.items()
            if one.shown(alpha) and sign * one.estimate > 0
        }
        return sorted(changed, key=lambda label: -changed[label])

    def by_change(self) -> list[int]:
        """The judged classes that have a difference, from the largest loss to the largest gain."""
        known = {label: one.estimate for label, one in self.effects.items() if not math.isnan(one.estimate)}
        return sorted(known, key=known.__getitem__)

    @property
    def note(self) -> str:
        """Why nothing is claimed of any class; '' where something may be."""
        notes = {one.note for one in self.effects.values()}
        return min(notes) if "" not in notes and notes else ""

    def more_often(self, label: int) -> tuple[int, float] | None:
        """The wrong class that images of this class are taken for more often than under the baseline, and by how much.

        A share of the images of the class, mean over pairs of runs; None where there is none.
        """
        pairs = [pair for seed in self.runs for pair in seed]
        known = [(own, other) for own, other in pairs if own.part.starts[label] < own.part.starts[label + 1]]
        if not known:
            return None
        change = np.zeros(len(known[0][0].part.groups))
        for own, other in known:
            part = own.part.within(label)
            counts = (np.bincount(one.guess[part], minlength=len(change)) for one in (own, other))
            change += np.subtract(*counts) / (part.stop - part.start) / len(known)
        change[label] = 0.0
        most = int(change.argmax())
        return (most, float(change[most])) if change[most] > 0 else None


@dataclass(frozen=True, eq=False)
class ClassHarm:
    """images (C,): test images of each class, in the run that has fewest. judged: the classes that are compared.

    rows (T,), labels (T,): every image that was tested in some run, by its row in the data set, and its class.
    """

    experiment: Experiment
    classes: tuple[str, ...]
    images: Ints
    judged: tuple[int, ...]
    recipes: tuple[RecipeClasses, ...]
    rows: Ints
    labels: Ints

    @property
    def family(self) -> int:
        """How many comparisons are corrected for."""
        return len(self.judged) * len(self.recipes)

    @property
    def worst(self) -> tuple[RecipeClasses, int] | None:
        """The recipe and the class with the largest loss that is shown; None without one."""
        alpha = self.experiment.alpha
        harmed = [(own, label) for own in self.recipes for label in own.shown(alpha, harm=True)]
        return min(harmed, key=lambda one: one[0].effects[one[1]].estimate, default=None)

    @property
    def half_widths(self) -> dict[int, float]:
        """Of each judged class: the smallest change that had been shown by itself; a median over recipes."""
        widths = {
            label: [half for own in self.recipes if not math.isnan(half := _half_width(own.effects[label]))]
            for label in self.judged
        }
        return {label: float(np.median(halves)) for label, halves in widths.items() if halves}


def class_harm_of(study: Study) -> ClassHarm | None:
    """Reads the predictions of every run that is compared, once; None without one, or without a second recipe."""
    results, pairs = study.results, pooled_pairs(study)
    known = _guesses(results, pairs)
    if not known:
        return None
    parts = list({id(one.part): one.part for one in known.values()}.values())
    photographs = np.min([part.groups for part in parts], axis=0)
    judged = tuple(np.flatnonzero(photographs >= MIN_IMAGES).tolist())
    effects = _effects(study, pairs, known, judged)
    rows, first = np.unique(np.concatenate([part.rows for part in parts]), return_index=True)
    labels = np.concatenate([part.label for part in parts])[first]
    recipes = tuple(
        RecipeClasses(pair.own.recipe, effects[pair.own.recipe], _average(study, pair), runs, _flips(runs, rows))
        for pair in pairs
        for runs in [_run_pairs(pair, known)]
    )
    images = np.min([np.diff(part.starts) for part in parts], axis=0)
    return ClassHarm(study.experiment, results.classes, images, judged, recipes, rows, labels)


def _guesses(results: Results, pairs: Iterable[Pair]) -> dict[str, Guesses]:
    """Run id -> its guesses; runs that were tested on the same images share the part."""
    known: dict[str, Guesses] = {}
    parts: list[tuple[Ints, Ints, TestPart]] = []
    ids = dict.fromkeys(run for pair in pairs for runs in pair.runs for of_seed in runs.values() for run in of_seed)
    for run in ids:
        sample, label, logits = results.test_predictions(run)
        alike = (part for rows, own, part in parts if np.array_equal(rows, sample) and np.array_equal(own, label))
        part = next(alike, None)
        if part is None:
            part = TestPart.of(results, sample, label)
            parts.append((sample, label, part))
        known[run] = Guesses(part, logits.argmax(axis=1)[part.order])
    return known


def _effects(
    study: Study, pairs: Sequence[Pair], known: Mapping[str, Guesses], judged: Sequence[int]
) -> dict[str, dict[int, MeasureEffect]]:
    """recipe -> class -> its effect in recall, corrected over all of them together."""
    rights: dict[str, Rights] = {}
    joined = [
        replace(
            pair,
            treatment=replace(pair.treatment, runs=_joined(pair.treatment.runs, known, rights)),
            reference=replace(pair.reference, runs=_joined(pair.reference.runs, known, rights)),
        )
        for pair in pairs
    ]

    def recall(label: int) -> Callable[[str], RunMeasure]:
        return lambda key: rights[key].recall(label)

    each = [one for label in judged for one in measure_effects(study, "recall", recall(label), joined)]
    every = [
        replace(one, low=max(one.low, -1.0), high=min(one.high, 1.0)) for one in corrected(each, study.experiment.alpha)
    ]  # no difference of two shares is beyond
    by_recipe: dict[str, dict[int, MeasureEffect]] = {pair.own.recipe: {} for pair in pairs}
    for index, effect in enumerate(every):
        by_recipe[effect.recipe][judged[index // len(pairs)]] = effect
    return by_recipe


def _joined(
    runs: Mapping[int, Sequence[str]], known: Mapping[str, Guesses], rights: dict[str, Rights]
) -> dict[int, tuple[str, ...]]:
    """The runs of each seed as one where they were tested on the same images, which a mean over them is the same as.

    rights: receives what each key stands for.
    """
    seeds = {}
    for seed, ids in runs.items():
        alike = len({id(known[run].part) for run in ids}) == 1
        groups = [tuple(ids)] if alike else [(run,) for run in ids]
        for group in groups:
            if " ".join(group) not in rights:
                right = np.mean([known[run].right for run in group], axis=0)
                rights[" ".join(group)] = Rights(known[group[0]].part, right)
        seeds[seed] = tuple(map(" ".join, groups))
    return seeds


def _average(study: Study, pair: Pair) -> Effect | None:
    """The effect in the experiment's metric over the same runs."""
    same = (one for one in study.effects if (one.recipe, one.condition) == (pair.own.recipe, pair.condition))
    return next(same, None)


def _run_pairs(pair: Pair, known: Mapping[str, Guesses]) -> tuple[tuple[tuple[Guesses, Guesses], ...], ...]:
    """Of each seed that both have, the runs under the same conditions side by side; without those tested on others."""
    own, other = pair.runs
    every = (
        tuple(
            (known[one], known[two])
            for one, two in zip(own[seed], other[seed], strict=True)
            if np.array_equal(known[one].part.rows, known[two].part.rows)
        )
        for seed in own
        if seed in other
    )
    return tuple(seed for seed in every if seed)


def _flips(runs: Sequence[Sequence[tuple[Guesses, Guesses]]], rows: Ints) -> Flips | None:
    if not runs:
        return None
    won, lost, pairs = (np.zeros((len(runs), len(rows)), np.int64) for _ in range(3))
    places: dict[int, Ints] = {}
    for seed, of_seed in enumerate(runs):
        for own, other in of_seed:
            place = places.setdefault(id(own.part), np.searchsorted(rows, own.part.rows))
            won[seed, place] += own.right > other.right
            lost[seed, place] += own.right < other.right
            pairs[seed, place] += 1
    return flips(won, lost, pairs)


def _half_width(effect: MeasureEffect) -> float:
    return math.nan if effect.note else (effect.high - effect.low) / 2


@dataclass(frozen=True)
class Photograph:
    """An image that flips. row: in the data set; times, back: in how many of `pairs` it flips, and the other way.

    baseline, recipe: what the runs of each take it for, (class, runs), the most frequent first.
    """

    row: int
    label: int
    baseline: tuple[tuple[int, int], ...]
    recipe: tuple[tuple[int, int], ...]
    times: int
    back: int
    pairs: int


def photographs(harm: ClassHarm, own: RecipeClasses, better: bool, most: int) -> tuple[Photograph, ...]:
    """The images that flip most often one way, at most so many."""
    if own.flips is None:
        return ()
    times, back = (own.flips.won, own.flips.lost) if better else (own.flips.lost, own.flips.won)
    found = []
    for image in own.flips.flipped(better)[:most].tolist():
        row, label = int(harm.rows[image]), int(harm.labels[image])
        guesses = [
            (int(one.guess[place]), int(other.guess[place]))
            for of_seed in own.runs
            for one, other in of_seed
            for place in np.flatnonzero(one.part.rows == row)
        ]
        recipe, baseline = (tuple(Counter(each).most_common()) for each in zip(*guesses, strict=True))
        found.append(Photograph(row, label, baseline, recipe, int(times[image]), int(back[image]), len(guesses)))
    return tuple(found)
