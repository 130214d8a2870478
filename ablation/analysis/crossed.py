"""Would the difference hold for new seeds and new photographs together? Crossed random effects of seeds and images.

For metrics that are means over test images (right or wrong, log loss), where every run is judged on the same images:
not for a split that is redrawn for each seed. Other metrics: `bootstrap`, which ends in the same sum of parts.

The score of image j by the run with seed i of group a is y_aij = mean_a + seed_ai + image_aj + rest_aij, all but the
mean random. Two designs, by what the groups share:

- `paired=True`, for `Paired`: seed i of both groups has something in common, so the table d_ij = y_1ij - y_0ij is a
  two-way layout itself. Var(mean d) = (MS_seed + MS_image - MS_rest) / (n_s n_i).
- `paired=False`, for `Welch` and `Dunnett`: seeds of the groups are independent, as these tests suppose, but the images
  are the same. An image's own difficulty cancels in the difference of its two means, whose variance over images also
  holds the rest; what the seeds add to that comes from each group's own table: Var = Var_j(y_1.j - y_0.j) / n_i + sum_a
  (MS_seed,a - MS_rest,a) / (n_a n_i).

Where the training part is redrawn for each seed, seed_i is what the seed and its training photographs do together.
Parts that have the share rho of their photographs in common are alike by at most that (their effects are sums over
photographs in first order), so that MS_seed measures only 1 - rho of the variance, and the mean keeps rho of it however
many seeds there are: the seed part is multiplied by 1 + n_s rho / (1 - rho). That is the reasoning of Nadeau and Bengio
(2003), and for many seeds the variance of the delete-d jackknife (Shao and Wu 1989).

Both are the sum of an image part and seed parts less what both of these hold. Where seeds in truth share something
(a split, initial weights) and are treated as independent, the interval is too wide, never too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.student import Floats, variance


class Parts(NamedTuple):
    """What the variance of a mean difference is made of, each a (variance, degrees of freedom).

    seeds: of the mean over new seeds with these images; images: over new images with these seeds; rest: what both hold.
    """

    seeds: Sequence[tuple[Floats, float]]
    images: tuple[Floats, float]
    rest: Sequence[tuple[Floats, float]]


@dataclass(frozen=True)
class CrossedDifference:
    """treatment - baseline, and what its variance is made of; more: what is added to that of images (`few_images`)."""

    estimate: float
    parts: Parts
    more: float = 0.0

    @property
    def error(self) -> float:
        """The standard error over new seeds and new images together."""
        images = float(self.parts.images[0])
        return math.sqrt(max(self.seed_error**2 + self.image_error**2, images) + self.more)

    @property
    def seed_error(self) -> float:
        """That over new seeds alone."""
        return math.sqrt(sum(float(part) for part, _ in self.parts.seeds))

    @property
    def image_error(self) -> float:
        """What new images add to it, as it was measured."""
        return math.sqrt(float(_added(self.parts)))

    def interval(self, alpha: float) -> tuple[float, float]:
        """At level 1 - alpha, see `half_width`; nan where nothing varies."""
        half = float(half_width(self.parts, alpha, self.more)) if self.error > 0 else math.nan
        return self.estimate - half, self.estimate + half

    def p_value(self) -> float:
        """Two-sided p of no difference; 1 where the scores do not differ at all, nan where nothing varies."""
        return self._p(abs(self.estimate)) if self.estimate else 1.0

    def p_equivalent(self, margin: float) -> float:
        """p of the two one-sided tests that |difference| < margin (Schuirmann 1987): the larger of the two."""
        room = margin - abs(self.estimate)
        return self._p(room) / 2 if room > 0 else 1 - self._p(-room) / 2

    def _p(self, distance: float) -> float:
        return two_sided(self.parts, distance, self.more) if self.error > 0 else math.nan


def crossed(
    treatment: ArrayLike, baseline: ArrayLike, paired: bool, overlap: float = 0.0, share: bool = False
) -> CrossedDifference:
    """treatment (n_1, N), baseline (n_0, N): a row a seed, a column a test image; n_1, n_0, N >= 2.

    paired: row i is the same seed in both, then n_1 = n_0. In the scores' own unit. overlap: rho / (1 - rho) where the
    seeds' training parts have the share rho of their photographs in common. share: is each image's score right or
    wrong, 1 or 0? Then `few_images` is added.
    """
    treatment, baseline = np.asarray(treatment, float), np.asarray(baseline, float)
    _check(treatment, baseline, paired)
    value, parts = difference_parts(treatment, baseline, paired, overlap)
    return CrossedDifference(float(value), parts, few_images(treatment.shape[1]) if share else 0.0)


def half_width(parts: Parts, alpha: float, more: float = 0.0) -> Floats:
    """Half the interval at level 1 - alpha: the root of the sum of t^2 v over the independent parts v of the variance.

    Each part has its own quantile of Student's t: the interval of Banerjee (1960, "Expressions for the lower bound to
    confidence coefficients", Sankhya 21), whose confidence is never below 1 - alpha, at any level and whatever the
    ratio of the parts. Satterthwaite's degrees of freedom are up to 1.6 times too bold at the levels that Holm asks
    for. It is never narrower than over seeds alone, nor than over images alone.
    """
    from scipy.special import stdtrit

    def reach2(part: ArrayLike, df: float) -> Floats:
        return np.where(np.asarray(part) > 0, np.square(stdtrit(df, alpha / 2)) * np.asarray(part), 0.0)

    images, df = parts.images
    together = sum(reach2(*part) for part in parts.seeds) + reach2(_added(parts) + more, df)
    return np.sqrt(np.maximum(together, reach2(images + more, df)))


def two_sided(parts: Parts, distance: float, more: float = 0.0) -> float:
    """The alpha at which `half_width` is this distance: a p-value, down to 1e-148. For parts without repetitions."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    def beyond(steps: float) -> float:
        return float(half_width(parts, 2 * ndtr(-steps), more)) - distance

    if beyond(0.0) >= 0:  # no distance; older versions of scipy have a median of Student's t just above 0
        return 1.0
    most = 26.0  # of the normal quantile: far beyond it scipy's quantiles of t fail, and their squares overflow
    return 2 * float(ndtr(-(brentq(beyond, 0.0, most, xtol=1e-12) if beyond(most) > 0 else most)))


def _added(parts: Parts) -> Floats:
    """What new images add to the variance over seeds: their own part less what both hold, at least 0."""
    return np.maximum(parts.images[0] - sum(part for part, _ in parts.rest), 0.0)


def difference_parts(treatment: Floats, baseline: Floats, paired: bool, overlap: float = 0.0) -> tuple[Floats, Parts]:
    """(mean difference, its parts) of tables (..., seeds, images), see `crossed`; the first axes are repetitions."""
    scale = np.maximum(*(np.abs(table).max(axis=(-2, -1)) for table in (treatment, baseline)))
    if paired:
        value, (seeds, df), columns, rest = _two_way(treatment - baseline, scale)
        wider = seeds * (1 + treatment.shape[-2] * overlap)
        return value, Parts([(wider, df)], columns, [rest])
    one, other = _two_way(treatment, scale), _two_way(baseline, scale)
    images = treatment.shape[-1]
    columns = variance(treatment.mean(axis=-2) - baseline.mean(axis=-2), scale) / images, images - 1
    return one[0] - other[0], Parts([one[1], other[1]], columns, [one[3], other[3]])


def few_images(images: int) -> float:
    """What is added to the variance over images of a difference of two shares: 2 / (N + 2)^2, the variance that one
    image won and one image lost would give.

    Near the ceiling few images differ, and a sample in which none happens to differ has no variance at all: with 50
    images the interval held the truth in .84 of cases. Bonett and Price (2012, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data") add these two images to the counts; here the estimate
    stays where it is.
    """
    return 2 / (images + 2) ** 2


def _two_way(
    table: Floats, scale: Floats
) -> tuple[Floats, tuple[Floats, float], tuple[Floats, float], tuple[Floats, float]]:
    """(..., n_s, n_i) -> mean, and MS / (n_s n_i) of rows, columns and rest, with df (Searle et al. 1992, ch. 4)."""
    rows, columns = table.shape[-2:]
    row_mean, column_mean = table.mean(axis=-1), table.mean(axis=-2)
    mean = row_mean.mean(axis=-1)
    row_part, column_part = variance(row_mean, scale) / rows, variance(column_mean, scale) / columns
    total = np.square(table - mean[..., None, None]).mean(axis=(-2, -1))
    rest_df = (rows - 1) * (columns - 1)
    rest = total - (rows - 1) * row_part - (columns - 1) * column_part
    return mean, (row_part, rows - 1), (column_part, columns - 1), (np.maximum(rest, 0.0) / rest_df, rest_df)


def _check(treatment: Floats, baseline: Floats, paired: bool) -> None:
    shapes = f"treatment has shape {treatment.shape}, baseline {baseline.shape}"
    if treatment.ndim != 2 or baseline.ndim != 2 or treatment.shape[1] != baseline.shape[1]:
        raise ValueError(f"crossed needs two tables (seeds, images) over the same images: {shapes}")
    if min(*treatment.shape, *baseline.shape) < 2:
        raise ValueError(f"crossed needs at least 2 seeds in each group and 2 images: {shapes}")
    if paired and len(treatment) != len(baseline):
        raise ValueError(f"paired seeds are as many in both groups: {shapes}")
