"""Would the difference hold for new seeds and new photographs together? Crossed random effects of seeds and images.

For metrics that are means over test images (right or wrong, log loss), where every run is judged on the same images:
not for a split that is redrawn for each seed. Other metrics: `bootstrap`, which ends in the same sum of parts.

The score of image j by the run with seed i of arm a is y_aij = mean_a + seed_ai + image_aj + rest_aij, all but the mean
random. Two designs, by what the arms share:

- `paired=True`, for `Paired`: seed i of both arms has something in common, so the table d_ij = y_1ij - y_0ij is a
  two-way layout itself. Var(mean d) = (MS_seed + MS_image - MS_rest) / (n_s n_i).
- `paired=False`, for `Welch` and `Dunnett`: seeds of the arms are independent, as these tests suppose, but the images
  are the same. An image's own difficulty cancels in the difference of its two means, whose variance over images also
  holds the rest; what the seeds add to that comes from each arm's own table: Var = Var_j(y_1.j - y_0.j) / n_i + sum_a
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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ablation.analysis.comparison import Difference
from ablation.analysis.student import Estimate, Floats, reach, satterthwaite, variance


class Parts(NamedTuple):
    """What the variance of a mean difference is made of, each a (variance, degrees of freedom).

    seeds: of the mean over new seeds with these images; images: over new images with these seeds; rest: what both hold.
    """

    seeds: Sequence[tuple[Floats, float]]
    images: tuple[Floats, float]
    rest: Sequence[tuple[Floats, float]]


@dataclass(frozen=True)
class Crossed:
    """treatment - baseline: estimate, standard error over new seeds and new images together, degrees of freedom.

    seed_error, seed_df: over new seeds alone. image_error: what new images add to that. seed_sizes: seeds of
    both arms where these are independent, by which what is said of seeds alone is calibrated (see `welch`).
    """

    estimate: float
    error: float
    df: float
    seed_error: float
    seed_df: float
    image_error: float
    seed_sizes: tuple[int, int] | None = None

    @property
    def difference(self) -> Difference:
        """What a test judges: never more certain than seeds alone are, see `half_width`."""
        seeds = Difference(self.estimate, self.seed_error, self.seed_df, sizes=self.seed_sizes)
        return Difference(self.estimate, self.error, self.df, floor=seeds)

    def interval(self, alpha: float) -> tuple[float, float]:
        """At level 1 - alpha, and never narrower than the interval over seeds alone. nan where nothing varies."""
        together = Estimate(np.asarray(self.estimate), np.asarray(self.error), np.asarray(self.df))
        error, df = np.asarray(self.seed_error), np.asarray(self.seed_df)
        seeds = Estimate(np.asarray(self.estimate), error, df, self.seed_sizes)
        half = float(half_width(together, seeds, alpha))
        return self.estimate - half, self.estimate + half


def crossed(
    treatment: ArrayLike, baseline: ArrayLike, paired: bool, overlap: float = 0.0, share: bool = False
) -> Crossed:
    """treatment (n_1, N), baseline (n_0, N): a row a seed, a column a test image; n_1, n_0, N >= 2.

    paired: row i is the same seed in both, then n_1 = n_0. In the scores' own unit. overlap: rho / (1 - rho) where the
    seeds' training parts have the share rho of their photographs in common. share: is each image's score right or
    wrong, 1 or 0? Then `few_images` is added.
    """
    treatment, baseline = np.asarray(treatment, float), np.asarray(baseline, float)
    _check(treatment, baseline, paired)
    value, parts = difference_parts(treatment, baseline, paired, overlap, share)
    together, seeds = over_both(value, parts), over_seeds(value, parts)
    return crossed_of(together, seeds)


def crossed_of(together: Estimate, seeds: Estimate) -> Crossed:
    """Of two estimates without repetitions: over both, and over seeds alone."""
    images = np.sqrt(np.maximum(np.square(together.error) - np.square(seeds.error), 0.0))
    own = float(together.value), float(together.error), float(together.df)
    return Crossed(*own, float(seeds.error), float(seeds.df), float(images), seeds.sizes)


def difference_parts(
    treatment: Floats, baseline: Floats, paired: bool, overlap: float = 0.0, share: bool = False
) -> tuple[Floats, Parts]:
    """(mean difference, its parts) of tables (..., seeds, images), see `crossed`; the first axes are repetitions."""
    scale = np.maximum(*(np.abs(table).max(axis=(-2, -1)) for table in (treatment, baseline)))
    if paired:
        value, (seeds, df), columns, rest = _two_way(treatment - baseline, scale)
        wider = seeds * (1 + treatment.shape[-2] * overlap)
        return value, Parts([(wider, df)], _widened(columns, treatment.shape[-1], share), [rest])
    one, other = _two_way(treatment, scale), _two_way(baseline, scale)
    images = treatment.shape[-1]
    columns = variance(treatment.mean(axis=-2) - baseline.mean(axis=-2), scale) / images, images - 1
    return one[0] - other[0], Parts([one[1], other[1]], _widened(columns, images, share), [one[3], other[3]])


def few_images(images: int) -> float:
    """What is added to the variance over images of a difference of two shares: 2 / (N + 2)^2, the variance that one
    image won and one image lost would give.

    Near the ceiling few images differ, and a sample in which none happens to differ has no variance at all: with 50
    images the interval held the truth in .84 of cases. Bonett and Price (2012, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data") add these two images to the counts; here the estimate
    stays where it is.
    """
    return 2 / (images + 2) ** 2


def _widened(columns: tuple[Floats, float], images: int, share: bool) -> tuple[Floats, float]:
    return columns[0] + (few_images(images) if share else 0.0), columns[1]


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


def over_both(value: Floats, parts: Parts) -> Estimate:
    """The mean difference with its error over new seeds and new images.

    The variance is seeds + images - rest, at least the larger of the first two, since what is subtracted is itself an
    estimate; degrees of freedom by Satterthwaite (1946) over all parts.
    """
    seeds, rest = (sum(part for part, _ in those) for those in (parts.seeds, parts.rest))
    images = parts.images[0]
    total = np.maximum(seeds + images - rest, np.maximum(seeds, images))
    every = [*parts.seeds, parts.images, *parts.rest]
    spread = np.asarray(sum(np.square(part) / df for part, df in every))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(spread > 0, np.square(total) / spread, np.nan)
    return Estimate(value, np.sqrt(total), df)


def over_seeds(value: Floats, parts: Parts) -> Estimate:
    """The mean difference with its error over new seeds, the images given: what `Welch` and `Paired` find."""
    variances, dfs = [part for part, _ in parts.seeds], [df for _, df in parts.seeds]
    sizes = (round(dfs[0]) + 1, round(dfs[1]) + 1) if len(dfs) == 2 else None
    return Estimate(value, np.sqrt(np.asarray(sum(variances))), satterthwaite(variances, dfs), sizes)


def half_width(together: Estimate, seeds: Estimate, alpha: float) -> Floats:
    """Half the interval at level 1 - alpha, never less than that over seeds alone.

    Satterthwaite's degrees of freedom are too many where the seed part, known from few seeds, is most of the variance:
    with 3 paired seeds its interval alone holds the truth in 92 instead of 95 % (docs/honesty.md). What is said of new
    seeds and new images must hold of new seeds too, and that bound mends it.
    """
    return np.fmax(reach(together, alpha), reach(seeds, alpha))


def _check(treatment: Floats, baseline: Floats, paired: bool) -> None:
    shapes = f"treatment has shape {treatment.shape}, baseline {baseline.shape}"
    if treatment.ndim != 2 or baseline.ndim != 2 or treatment.shape[1] != baseline.shape[1]:
        raise ValueError(f"crossed needs two tables (seeds, images) over the same images: {shapes}")
    if min(*treatment.shape, *baseline.shape) < 2:
        raise ValueError(f"crossed needs at least 2 seeds in each arm and 2 images: {shapes}")
    if paired and len(treatment) != len(baseline):
        raise ValueError(f"paired seeds are as many in both arms: {shapes}")
