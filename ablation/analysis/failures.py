"""Failed trainings: runs that learned nothing, or fell far behind the others of their group. And what few runs hide.

A mean over seeds in which some trainings failed is the mean of two different things, and no test over seeds can tell
how often that will happen. So a failure is first detected, by a rule that is stated here, and then counted. Knows
arrays only; a group is the runs of one recipe under one condition, and which runs these are is decided elsewhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablation.analysis.student import Floats, variance

SHARES = ("accuracy", "balanced_accuracy", "macro_f1")
"""In [0, 1], higher is better."""
LOSSES = ("log_loss", "brier")
"""Lower is better."""
ERRORS = 3.0
"""Standard errors over test images that luck with these images is granted: one run in 740 exceeds them."""
OUTLYING = 0.0004
"""Chance that the lowest run of a group of normal scores is called an outlier; that any is, stays below 1 in 1,000."""


def chance(metric: str, classes: int, shares: ArrayLike | None = None) -> float:
    """The best score that can be expected of guesses that know nothing of the image; nan where there is no such rule.

    shares (C,): of the classes among the test images, equal by default. Then accuracy, balanced accuracy and macro-F1
    are 1 / C, log_loss ln C, brier 1 - 1 / C. Otherwise the best guess for accuracy is the most frequent class, for the
    losses the shares themselves (the entropy, and Gini's impurity); mean recall and macro-F1 stay at 1 / C: recalls of
    a guess add to 1, and 2 p q / (p + q), class k guessed with share q, adds to most where q = p.
    """
    if classes < 2:
        raise ValueError(f"chance needs at least 2 classes: got {classes}")
    p = np.full(classes, 1 / classes) if shares is None else np.asarray(shares, float)
    if p.shape != (classes,) or (p < 0).any() or not math.isclose(p.sum(), 1, rel_tol=1e-6):
        raise ValueError(f"shares of {classes} classes are as many numbers, none negative, of sum 1: got {p.tolist()}")
    levels = {"accuracy": p.max(), "log_loss": -np.log(p[p > 0]) @ p[p > 0], "brier": 1 - p @ p}
    return float(levels.get(metric, 1 / classes if metric in SHARES else math.nan))


def failed(scores: ArrayLike, level: float, metric: str, images: int) -> NDArray[np.bool_]:
    """Which runs of a group are failed trainings. scores (..., n) of one group, its n runs last -> (..., n).

    A run has failed if it lies behind the median of its group by more than `ERRORS` standard errors over the images,
    and either is nearer to chance than to that median, or is an outlier among its group (see `_outlying`). And where at
    least half of a group could be guesses, no more than `ERRORS` standard errors better than chance, all of these have
    failed, unless together they beat chance by as many standard errors of their mean. A task so hard that every run is
    just above chance therefore fails only where its images are too few to tell it from guessing. level: of chance, see
    `chance`; where there is none (nan, as for ece) nothing has failed. images: of the test part.
    """
    if metric not in (*SHARES, *LOSSES) or math.isnan(level):
        return np.zeros(np.shape(scores), bool)
    gain = (-1 if metric in LOSSES else 1) * (np.asarray(scores, float) - level)
    middle = np.median(gain, axis=-1, keepdims=True)
    behind = middle - gain > ERRORS * _noise(middle, level, metric, images)
    alone = behind & ((gain < middle / 2) | _outlying(gain))
    return alone | _guesses(gain, _luck(level, metric, images))


def best_guess(level: float, metric: str, images: int) -> float:
    """The score that guesses reach by luck with so many test images: `ERRORS` standard errors better than chance.

    At best 1, or 0 for losses; nan where chance is.

    >>> round(best_guess(1 / 3, "accuracy", images=24), 3)
    0.622
    """
    luck = _luck(level, metric, images)
    return max(level - luck, 0.0) if metric in LOSSES else min(level + luck, 1.0)


def most_failures(failed: int, runs: int, confidence: float = 0.95) -> float:
    """The largest share of failed trainings that so few failures in so many runs leave possible: 0 of 5 leave .451.

    The one-sided upper limit of Clopper and Pearson (1934), which holds at least as often as `confidence` says.
    """
    from scipy.special import betaincinv

    if not 0 <= failed <= runs:
        raise ValueError(f"failed runs are between 0 and all of them: got {failed} of {runs}")
    return 1.0 if failed == runs else float(betaincinv(failed + 1, runs - failed, confidence))


def _noise(gain: Floats, level: float, metric: str, images: int) -> Floats:
    """Standard error, over test images, of a score that is better than chance by `gain` (...) -> (...).

    Binomial for shares. Losses are those of calibrated probabilities near chance, where a gain g is the price of
    spread: half the variance of log-probabilities, so that an image's loss has variance 2 g; for brier, 4 g / C, with
    1 - level for 1 / C.
    """
    gain = np.maximum(gain, 0.0)
    if metric in LOSSES:
        return np.sqrt((2 if metric == "log_loss" else 4 * (1 - level)) * gain / images)
    share = np.minimum(level + gain, 1.0)
    return np.asarray(np.sqrt(share * (1 - share) / images))


def _luck(level: float, metric: str, images: int) -> float:
    """By how much a single run can beat chance with guesses: `ERRORS` standard errors.

    For losses the guesser must dare to be lucky. Log-probabilities of variance v cost v / 2, and win z sqrt(v / images)
    where luck is z standard errors: at most z^2 / (2 images). For brier likewise z^2 / (C images).
    """
    if metric in LOSSES:
        return ERRORS**2 * (0.5 if metric == "log_loss" else 1 - level) / images
    return ERRORS * math.sqrt(level * (1 - level) / images)


def _guesses(gain: Floats, luck: float) -> NDArray[np.bool_]:
    """Runs no better than guesses, where at least half of the group is so. gain (..., n) over chance -> (..., n).

    Their mean decides: k guesses of their own beat chance by luck / sqrt(k) as rarely as one does by luck. No run
    counts for less than -luck in it, so that one with an enormous loss does not speak for the others.
    """
    near = gain <= luck
    count = near.sum(axis=-1, keepdims=True)
    mean = np.where(near, np.maximum(gain, -luck), 0.0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    return np.asarray(near & (2 * count >= gain.shape[-1]) & (mean <= luck / np.sqrt(np.maximum(count, 1))))


def _outlying(gain: Floats) -> NDArray[np.bool_]:
    """Low outliers among normal scores. gain (..., n), higher is better -> (..., n); all false with n < 4.

    Each run of the lower half is compared with the runs that scored better, k of them: (mean - score) / (s sqrt(1 +
    1 / k)) has Student's t with k - 1 degrees of freedom for the lowest of n but for the choice, which costs a factor n
    (Grubbs 1950). Several outliers do not hide one another, as they are not among the better ones (Rosner 1975). Three
    seeds show next to nothing, as two runs are no measure of spread: a gap of 2,000 of theirs would be needed.
    """
    from scipy.special import stdtrit

    ordered, limit = np.sort(gain, axis=-1), np.full(gain.shape[:-1], -np.inf)
    runs = gain.shape[-1]
    for rank in range(min(runs // 2, runs - 3)):
        better = ordered[..., rank + 1 :]
        count = better.shape[-1]
        reach = float(stdtrit(count - 1, 1 - OUTLYING / runs)) * np.sqrt(variance(better) * (1 + 1 / count))
        outside = better.mean(axis=-1) - ordered[..., rank] > reach
        limit = np.where(outside, ordered[..., rank], limit)
    return gain <= limit[..., None]
