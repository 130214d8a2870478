"""Worlds in which the truth is known, and how often this package's own functions find it.

Everything is judged by the arrays of `ablation.analysis` that the product itself runs; nothing is computed here but
random numbers and counts. Streams are named, so a figure is the same to the last digit on every run.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import ndtr

from ablation.analysis import student
from ablation.analysis.bootstrap import Scores, class_scores, image_counts, macro_f1, multi_bootstrap
from ablation.analysis.crossed import Parts, difference_parts, half_width
from ablation.analysis.dunnett import critical, loadings
from ablation.analysis.multiplicity import holm
from ablation.core.seeds import stream

SEED = 2026
ALPHA = 0.05
GRIDS = 2000
"""Simulated experiments for an error rate; bounds in the table are for this number."""
REPEATS = 40_000
"""Simulated pairs for a coverage or a power over seeds: a standard error of 0.1 points."""

ALIKE = (1.0, 1.0, 1.0, 1.0, 1.0)
"""sd over seeds of the baseline and of four recipes."""
WILD_RECIPE, WILD_BASELINE = (1.0, 3.0, 1.0, 1.0, 1.0), (3.0, 1.0, 1.0, 1.0, 1.0)


def scores(seeds: int, spreads: tuple[float, ...], shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(GRIDS, recipes, seeds) and (GRIDS, 1, seeds) of the baseline. shift: the true difference of every recipe."""
    random = stream(SEED, "grids", seeds, *map(str, spreads))
    drawn = random.standard_normal((GRIDS, len(spreads), seeds)) * np.array(spreads)[:, None]
    return drawn[:, 1:] + shift, drawn[:, :1]


def any_false_verdict(seeds: int, spreads: tuple[float, ...], correct: Callable | None = None) -> float:
    """Share of grids of identical recipes in which at least one is called different, by Welch's test and Holm's."""
    p_values = student.two_sided(student.contrast(scores(seeds, spreads), (1, -1)))
    return float(((correct or holm)(p_values) < ALPHA).any(axis=1).mean())


def any_false_verdict_of_many(
    seeds: int, recipes: int, conditions: int, ratio: float, calibrated: bool = True
) -> float:
    """The same for recipes whose sd over seeds is `ratio` times the baseline's, under some conditions and pooled.

    Pooled: of each seed the mean over all conditions; where there is but one, that is no comparison of its own. Welch's
    test as it is, or with Satterthwaite's degrees of freedom alone.
    """
    random = stream(SEED, "many", seeds, recipes, conditions, str(ratio))
    drawn = random.standard_normal((GRIDS, recipes + 1, conditions, seeds))
    drawn[:, 1:] *= ratio
    arms = np.concatenate([drawn, drawn.mean(axis=2, keepdims=True)], axis=2) if conditions > 1 else drawn
    found = student.contrast((arms[:, 1:], arms[:, :1]), (1, -1))
    found = found if calibrated else found._replace(sizes=None)
    return float((holm(student.two_sided(found).reshape(GRIDS, -1)) < ALPHA).any(axis=1).mean())


def any_false_verdict_of_dunnett(seeds: int, spreads: tuple[float, ...]) -> float:
    """The same by Dunnett's test: whether the largest |t| passes the critical value of the family."""
    treatments, baseline = scores(seeds, spreads)
    recipes = len(spreads) - 1
    found = student.pooled_contrasts([baseline[:, 0], *(treatments[:, place] for place in range(recipes))])
    limit = critical(ALPHA, loadings([seeds] * recipes, seeds), float(len(spreads) * (seeds - 1)))
    return float((np.abs(found.value) > limit * found.error).any(axis=1).mean())


def any_false_equivalence(seeds: int) -> float:
    """Share of grids in which a recipe that differs by exactly the margin is called equivalent."""
    found = student.contrast(scores(seeds, ALIKE, shift=2.5), (1, -1))
    return float((holm(student.equivalent(found, 2.5)) < ALPHA).any(axis=1).mean())


def pair(seeds: int, spread: float, shift: float, luck: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(REPEATS, seeds) of a recipe and a baseline; luck: sd of what both have in common for a seed."""
    random = stream(SEED, "pairs", seeds, str(spread), str(luck))
    shared = luck * random.standard_normal((REPEATS, seeds))
    return (
        shared + spread * random.standard_normal((REPEATS, seeds)) + shift,
        shared + random.standard_normal((REPEATS, seeds)),
    )


def covers(seeds: int, spread: float = 1.0, paired: bool = False) -> float:
    """Share of intervals over seeds, by Welch's or the paired test, that hold the true difference."""
    groups = pair(seeds, spread, shift=0.7, luck=2.0 if paired else 0.0)
    found = (student.paired_contrast if paired else student.contrast)(groups, (1, -1))
    return float((np.abs(found.value - 0.7) <= student.reach(found, ALPHA)).mean())


OVERLAP = 0.25
"""n_test / n_train where a fifth of the images is tested on, anew for each seed."""


def covers_redrawn(seeds: int, overlap: float = OVERLAP) -> float:
    """Share of intervals of the corrected resampled t that hold the true difference, where splits are redrawn.

    Differences of two seeds have the correlation that Nadeau and Bengio suppose, n_test / (n_test + n_train). overlap:
    what the test is told; 0 makes it the paired t-test.
    """
    random, alike = stream(SEED, "redrawn", seeds), OVERLAP / (1 + OVERLAP)
    shared = random.standard_normal((REPEATS, 1))
    own = random.standard_normal((REPEATS, seeds))
    differences = 0.7 + np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
    found = student.paired_contrast((differences, np.zeros_like(differences)), (1, -1), overlap)
    return float((np.abs(found.value - 0.7) <= student.reach(found, ALPHA)).mean())


def finds(seeds: int, shift: float) -> float:
    """Share of pairs whose true difference, in sd over seeds, is called significant by Welch's test."""
    found = student.contrast(pair(seeds, 1.0, shift), (1, -1))
    return float((student.two_sided(found) < ALPHA).mean())


IMAGES = 300
PHOTOGRAPHS = 10_000
"""Simulated pairs of arms, each with new seeds and new images."""


def crossed_covers(seeds: int, paired: bool, luck: float, how: str = "crossed") -> float:
    """Share of intervals that hold the true difference in accuracy over all seeds and all images.

    An answer is right where the sum of skill, the seed's luck, the image's ease (for all, and for this arm) and noise,
    all normal, is above 0; so the true accuracy is ndtr(skill / total sd). luck: sd over seeds, on that scale.
    how: "crossed" as in the product, or "satterthwaite" alone, "seeds" alone, or with answers as if independent.
    """
    skills, total = (1.3, 1.0), np.sqrt(luck**2 + 1.5**2 + 0.5**2 + 1)
    truth = float(ndtr(skills[0] / total) - ndtr(skills[1] / total))
    random, inside, at_once = stream(SEED, "photographs", seeds, str(luck)), 0, 500
    for _ in range(PHOTOGRAPHS // at_once):
        ease = 1.5 * random.standard_normal((at_once, 1, IMAGES))
        arms = []
        for skill in skills:
            own = 0.5 * random.standard_normal((at_once, 1, IMAGES)) + luck * random.standard_normal(
                (at_once, seeds, 1)
            )
            noise = random.standard_normal((at_once, seeds, IMAGES), np.float32)
            arms.append((skill + ease + own + noise > 0).astype(float))
        inside += _held(arms[0], arms[1], truth, paired, how)
    return inside / PHOTOGRAPHS


def crossed_covers_at_worst(seeds: int, how: str = "crossed") -> float:
    """The same for paired seeds whose luck is nearly all of the variance, in normal scores; images add a tenth."""
    random, inside, at_once = stream(SEED, "worst", seeds), 0, 2000
    for _ in range(20):
        luck = np.sqrt(seeds) * random.standard_normal((at_once, seeds, 1))
        images = np.sqrt(0.1 * 100) * random.standard_normal((at_once, 1, 100))
        rest = np.sqrt(0.01 * 100 * seeds) * random.standard_normal((at_once, seeds, 100))
        inside += _held(luck + images + rest, np.zeros_like(rest), 0.0, True, how)
    return inside / 40_000


def _held(treatment: np.ndarray, baseline: np.ndarray, truth: float, paired: bool, how: str) -> int:
    value, parts = difference_parts(treatment, baseline, paired)
    compare = student.paired_contrast if paired else student.contrast
    half = {
        "crossed": lambda: half_width(parts, ALPHA),
        "satterthwaite": lambda: np.nan_to_num(student.reach(satterthwaite(value, parts), ALPHA)),
        "seeds": lambda: np.nan_to_num(
            student.reach(compare((treatment.mean(axis=-1), baseline.mean(axis=-1)), (1, -1)), ALPHA)
        ),
        "answers": lambda: (
            1.96 * np.sqrt(sum(arm.var(axis=(-2, -1)) for arm in (treatment, baseline)) / treatment[0].size)
        ),
    }[how]()
    return int((np.abs(value - truth) <= half).sum())


def satterthwaite(value: np.ndarray, parts: Parts) -> student.Estimate:
    """The textbook's interval (Satterthwaite 1946), which is too bold where the seeds are most of the variance."""
    every = [*parts.seeds, parts.images, *parts.rest]
    total = sum(part for part, _ in (*parts.seeds, parts.images)) - sum(part for part, _ in parts.rest)
    total = np.maximum(total, np.maximum(sum(part for part, _ in parts.seeds), parts.images[0]))
    return student.Estimate(value, np.sqrt(total), total**2 / sum(part**2 / df for part, df in every))


RESAMPLED = 1000
"""Simulated pairs of arms for the multi-bootstrap, each with 400 draws."""


def bootstrap_covers(seeds: int, luck: float, how: str = "t") -> float:
    """Share of intervals that hold the true difference in macro-F1 of four unequal classes; how: "t" or "percentiles".

    The truth is the mean over very many seeds and sets of images of the same size.
    """
    truth = _true_macro_f1(1.3, luck) - _true_macro_f1(1.0, luck)
    inside = 0
    for repeat in range(RESAMPLED):
        labels, arms = _guesses(seeds, (1.3, 1.0), luck, repeat)
        counts = image_counts(IMAGES, 400, seed=repeat)
        one, other = (class_scores(labels, guesses, counts, macro_f1) for guesses in arms)
        found = multi_bootstrap(one, other, paired=False)
        low, high = found.interval(ALPHA) if how == "t" else _percentiles(one, other, repeat)
        inside += bool(low <= truth <= high)
    return inside / RESAMPLED


def _percentiles(treatment: Scores, baseline: Scores, repeat: int) -> np.ndarray:
    """The interval of Sellam et al. (2021) itself: seeds are drawn with replacement anew for each draw of images."""
    means = []
    for arm, place in ((treatment, 1), (baseline, 0)):
        draws, seeds = arm.resampled.shape
        drawn = stream(repeat, "resampled seeds", place, draws).integers(0, seeds, (draws, seeds))
        means.append(np.take_along_axis(arm.resampled, drawn, axis=1).mean(axis=1))
    return np.quantile(means[0] - means[1], (ALPHA / 2, 1 - ALPHA / 2))


def _guesses(seeds: int, skills: tuple[float, ...], luck: float, repeat: int) -> tuple[np.ndarray, list[np.ndarray]]:
    random = stream(SEED, "guesses", seeds, str(luck), repeat)
    labels = random.choice(4, IMAGES, p=[0.4, 0.3, 0.2, 0.1])
    ease, arms = 1.5 * random.standard_normal(IMAGES) - 0.2 * labels, []
    for skill in skills:
        own = 0.5 * random.standard_normal(IMAGES) + luck * random.standard_normal((seeds, 1))
        right = skill + ease + own + random.standard_normal((seeds, IMAGES)) > 0
        arms.append(np.where(right, labels, random.choice(4, (seeds, IMAGES), p=[0.4, 0.3, 0.2, 0.1])))
    return labels, arms


@cache
def _true_macro_f1(skill: float, luck: float) -> float:
    once, found = np.ones((IMAGES, 1), np.float32), []
    for repeat in range(-3000, 0):
        labels, (guesses,) = _guesses(2, (skill,), luck, repeat)
        found.append(class_scores(labels, guesses, once, macro_f1).observed.mean())
    return float(np.mean(found))
