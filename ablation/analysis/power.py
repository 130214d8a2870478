"""What a design can find, before it is run: power, the smallest difference it detects, the seeds it needs.

The question is always whether one comparison passes Holm's correction. Approximation: its p must be below alpha / m,
the first and hardest of Holm's m steps, so true power is at least what is said here (once other comparisons have
passed, the bar is lower). Scores are taken to be normal over seeds. Within that nothing is approximated: T of the
paired tests is noncentral t, that of Welch's is a mixture of noncentral t over the ratio of its two sample variances,
and both are integrated; Welch's p is judged as it is calibrated (see `welch`). Knows no experiments and reads no
scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ablation.analysis import welch
from ablation.analysis.comparison import MIN_SEEDS, Dunnett, Test, Welch
from ablation.analysis.crossed import few_images
from ablation.analysis.dunnett import critical, loadings
from ablation.analysis.student import Floats, quantile_nodes, root_mean_chi2, satterthwaite

POWER = 0.8
MOST_SEEDS = 1000  # nobody trains more; a question that needs more has no answer here

_NODES = 64  # of Gauss and Legendre, over quantiles of the sample variances


@dataclass(frozen=True)
class Design:
    """A declared test, its seeds per recipe, and how much scores vary from seed to seed.

    sd, baseline_sd: of the recipe's and the baseline's score over seeds (the same where baseline_sd is None), in the
    metric's unit. correlation: of both over shared seeds, for the tests that pair them; 0 is the careful guess.
    overlap: n_test / n_train for `CorrectedResampled`, rho / (1 - rho) where training parts share photographs.
    comparisons: the size m of Holm's family. images, image_sd: for `Crossed`, the test photographs, and the sd over
    them of the mean difference of both; with 0 images these count as given, and seeds are all that varies. share: is
    each image right or wrong? Then the test allows for few images (`crossed.few_images`).
    """

    test: Test
    seeds: int
    sd: float
    baseline_sd: float | None = None
    correlation: float = 0.0
    overlap: float = 0.0
    comparisons: int = 1
    alpha: float = 0.05
    images: int = 0
    image_sd: float = 0.0
    share: bool = False


@dataclass(frozen=True)
class Need:
    """seeds per recipe that would decide a pair, and how: `verdict` is "different" or "equivalent"."""

    seeds: int
    verdict: str


def power(design: Design, difference: float) -> float:
    """Chance of p below alpha / m, in either direction, if the true difference is `difference`. nan under 2 seeds."""
    if design.seeds < 2:
        return math.nan
    from scipy.special import ndtr

    weight, half, sigma = _half_widths(design, partial(_steps, design))
    if sigma == 0:
        return float(difference != 0)
    bar = half / sigma
    return float((weight * (ndtr(difference / sigma - bar) + ndtr(-difference / sigma - bar))).sum())


def power_of_equivalence(design: Design, difference: float, margin: float) -> float:
    """Chance that two one-sided tests at alpha / m show |difference| < margin (Schuirmann 1987)."""
    if design.seeds < 2:
        return math.nan
    from scipy.special import ndtr

    tail = design.alpha / design.comparisons
    weight, half, sigma = _half_widths(design, partial(_quantile, design, tail=tail))
    if sigma == 0:
        return float(abs(difference) < margin)
    room = (margin - half) / sigma
    inside = ndtr(room - difference / sigma) - ndtr(-room - difference / sigma)
    return float((weight * np.maximum(inside, 0.0)).sum())


def detectable(design: Design, wanted: float = POWER) -> float:
    """The smallest true difference that is detected with power `wanted`; nan under 2 seeds."""
    from scipy.optimize import brentq

    if design.seeds < 2:
        return math.nan
    sigma = _half_widths(design, partial(_steps, design))[2]
    if sigma == 0:
        return 0.0
    high = sigma
    while power(design, high) < wanted:
        high *= 2
    return float(brentq(lambda difference: power(design, difference) - wanted, 0.0, high, xtol=1e-9 * sigma))


def sd_interval(sd: float, df: int, level: float = 0.95) -> tuple[float, float]:
    """Where the true sd lies if this one was estimated with df degrees of freedom, df >= 1 (chi-square)."""
    return sd_at_most(sd, df, (1 - level) / 2), sd_at_most(sd, df, (1 + level) / 2)


def sd_at_most(sd: float, df: int, level: float = POWER) -> float:
    """The upper limit of the true sd at this one-sided level, if it was estimated with df degrees of freedom.

    A plan from a small pilot that takes the limit at 80 % has the power that it says in 80 % of cases, and one that
    takes the estimate itself in fewer than half (Browne 1995, "On the use of a pilot sample for sample size
    determination").
    """
    from scipy.special import chdtri

    return sd * math.sqrt(df / float(chdtri(df, level)))


def images_needed(design: Design, difference: float, wanted: float = POWER) -> int | None:
    """The fewest test photographs, above those there are, with power `wanted` at that difference and these seeds.

    None where not even a thousand times as many would be enough, or images play no part: seeds are then what lacks. In
    a sample that shows no spread over images, few of them may still be what lacks (`crossed.few_images`).
    """
    part = design.images and (design.image_sd or design.share)
    if not part or power(replace(design, images=1000 * design.images), difference) < wanted:
        return None
    low, high = design.images, 1000 * design.images
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        enough = power(replace(design, images=middle), difference) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def seeds_needed(design: Design, difference: float, wanted: float = POWER) -> int | None:
    """The fewest seeds per recipe, at least 3, with power `wanted` at that difference; None where 1000 are not enough.

    More seeds do not help without end where the split is redrawn: the same images come back (Nadeau and Bengio 2003).
    """
    return _fewest(lambda seeds: power(replace(design, seeds=seeds), difference) >= wanted)


def seeds_to_decide(design: Design, estimate: float, margin: float = 0.0, wanted: float = POWER) -> Need | None:
    """The fewest seeds per recipe that decide an undecided pair, if the truth is what was estimated so far.

    Either as different, or, where the estimate is within the declared margin, as equivalent; None where 1000 are not
    enough. A plan, not a promise: the estimate is itself uncertain, and as a rule too large where it was picked for its
    size. Seeds are to be declared before they are run: a test that is repeated after every new seed until it is
    significant has no error rate.
    """
    needs = [Need(seeds, "different") for seeds in [seeds_needed(design, estimate, wanted)] if seeds]
    if abs(estimate) < margin:
        seeds = _fewest(lambda n: power_of_equivalence(replace(design, seeds=n), estimate, margin) >= wanted)
        needs += [Need(seeds, "equivalent")] if seeds else []
    return min(needs, key=lambda need: need.seeds, default=None)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The smallest number of seeds from 3 on that is enough, by halving; power grows with seeds."""
    if not enough(MOST_SEEDS):
        return None
    low, high = MIN_SEEDS - 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _steps(design: Design, df: Floats) -> Floats:
    """How many standard errors a difference must be from 0, at the first step of Holm's or within Dunnett's family."""
    if isinstance(design.test, Dunnett):
        family = loadings([design.seeds] * design.comparisons, design.seeds)
        return np.asarray(critical(design.alpha, family, float(df)))
    return _quantile(design, df, design.alpha / design.comparisons / 2)


def _quantile(design: Design, df: Floats, tail: float) -> Floats:
    """How many standard errors have a one-sided p of `tail` by the declared test."""
    from scipy.special import stdtrit

    level = welch.level(2 * tail, design.seeds, design.seeds) if isinstance(design.test, Welch) else 2 * tail
    return np.asarray(-stdtrit(df, level / 2))


def _half_widths(design: Design, steps: Callable[[Floats], Floats]) -> tuple[Floats, Floats, float]:
    """(weights, half widths of the interval) at the nodes, and the true sd of the estimated difference.

    steps: degrees of freedom -> standard errors. Seeds and test photographs as in `crossed.half_width`.
    """
    weight, error, df, sigma = _errors(design)
    half = steps(df) * error
    if not design.images:
        return weight, half, sigma
    images = design.image_sd**2 / design.images
    counted = images + (few_images(design.images) if design.share else 0.0)
    last = np.asarray(max(design.images - 1.0, 1.0))
    return weight, np.sqrt(np.square(half) + np.square(steps(last)) * counted), math.sqrt(sigma**2 + images)


def _errors(design: Design) -> tuple[Floats, Floats, Floats, float]:
    """(weights, standard errors, degrees of freedom) at the nodes, and the true sd of the estimated difference."""
    first, second = design.sd, design.sd if design.baseline_sd is None else design.baseline_sd
    n, test = design.seeds, design.test
    if test.paired:
        spread = first**2 + second**2 - 2 * design.correlation * first * second
        return _one_variance(n - 1, math.sqrt(max(spread, 0.0) * (1 / n + design.overlap)))
    if isinstance(test, Dunnett):
        return _one_variance((design.comparisons + 1) * (n - 1), math.sqrt((first**2 + second**2) / n))
    return _two_variances(n, first**2 / n, second**2 / n)


def _one_variance(df: int, sigma: float) -> tuple[Floats, Floats, Floats, float]:
    quantile, weight = quantile_nodes(_NODES)
    return weight, sigma * root_mean_chi2(quantile, df), np.asarray(float(df)), sigma


def _two_variances(n: int, first: float, second: float) -> tuple[Floats, Floats, Floats, float]:
    """Welch: the ratio of the sample variances sets the degrees of freedom, and is independent of their sum.

    With q = chi2_1 / (chi2_1 + chi2_2) ~ Beta((n - 1) / 2, (n - 1) / 2), error^2 is 2 (first q + second (1 - q)) times
    a mean chi2 with 2 (n - 1) degrees of freedom.
    """
    from scipy.special import betaincinv

    quantile, weight = quantile_nodes(_NODES)
    ratio = betaincinv((n - 1) / 2, (n - 1) / 2, quantile)[:, None]
    one, other = first * ratio, second * (1 - ratio)
    df = satterthwaite((one, other), (n - 1, n - 1))
    error = np.sqrt(2 * (one + other)) * root_mean_chi2(quantile, 2 * (n - 1))
    return weight[:, None] * weight, error, df, math.sqrt(first + second)
