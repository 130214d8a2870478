"""The crossed interval against an ordinary two-way analysis of variance, arithmetic, and what it must never do."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablation.analysis.comparison import Paired, Welch
from ablation.analysis.crossed import crossed, difference_parts, few_images, half_width
from ablation.core.seeds import stream
from ablation.data import Redrawn


def right_or_wrong(seeds: int, images: int, gain: float, name: str, seed_sd: float = 0.6) -> np.ndarray:
    """(seeds, images) of 0 and 1: images differ in difficulty, somewhat otherwise for each arm, and seeds in luck."""
    random, hard = stream(3, name, seeds, images), stream(3, "difficulty", images).normal(0, 1.5, images)
    hard, luck = hard + random.normal(0, 1.0, images), random.normal(0, seed_sd, (seeds, 1))
    return (gain + hard + luck + random.normal(0, 1, (seeds, images)) > 0).astype(float)


TREATMENT, BASELINE = right_or_wrong(5, 60, 1.3, "treatment"), right_or_wrong(5, 60, 0.9, "baseline")


def mean_squares(table: np.ndarray) -> dict[str, float]:
    """Of a two-way layout without replication, by statsmodels."""
    rows, columns = np.indices(table.shape)
    long = pd.DataFrame({"y": table.ravel(), "seed": rows.ravel(), "image": columns.ravel()})
    found = anova_lm(ols("y ~ C(seed) + C(image)", long).fit())
    return dict(zip(("seed", "image", "rest"), found["mean_sq"], strict=True))


def test_paired_seeds_give_the_two_way_random_effects():
    """(MS_seed + MS_image - MS_rest) / (n_s n_i); in the interval each part has its own quantile (Banerjee 1960)."""
    squares = mean_squares(TREATMENT - BASELINE)
    total = squares["seed"] + squares["image"] - squares["rest"]
    assert total > max(squares["seed"], squares["image"]), "the floor is tested below"
    found = crossed(TREATMENT, BASELINE, paired=True)
    assert found.estimate == pytest.approx(TREATMENT.mean() - BASELINE.mean())
    assert found.error == pytest.approx(math.sqrt(total / 300), rel=1e-9)
    of_seeds, of_images = (stats.t.ppf(0.975, df) ** 2 for df in (4, 59))
    half = math.sqrt((of_seeds * squares["seed"] + of_images * (squares["image"] - squares["rest"])) / 300)
    assert found.interval(0.05) == pytest.approx((found.estimate - half, found.estimate + half), rel=1e-9)


def test_independent_seeds_take_the_images_from_the_arms_means_and_the_seeds_from_each_arm():
    treatment = right_or_wrong(4, 60, 1.3, "treatment")
    one, other = mean_squares(treatment), mean_squares(BASELINE)
    seeds = (one["seed"] - one["rest"]) / 240 + (other["seed"] - other["rest"]) / 300
    images = np.var(treatment.mean(axis=0) - BASELINE.mean(axis=0), ddof=1) / 60
    found = crossed(treatment, BASELINE, paired=False)
    floor = max(images, one["seed"] / 240 + other["seed"] / 300)
    assert found.error**2 == pytest.approx(max(images + seeds, floor), rel=1e-9)


def test_the_part_of_the_seeds_is_what_the_declared_test_finds():
    for test, paired in ((Welch(), False), (Paired(), True)):
        over_seeds = test.difference(TREATMENT.mean(axis=1), BASELINE.mean(axis=1), 0.0)
        found = crossed(TREATMENT, BASELINE, paired)
        assert found.seed_error == pytest.approx(over_seeds.error, rel=1e-9)
        assert found.error >= over_seeds.error
        assert found.p_value() >= over_seeds.p_value() - 1e-12
        low, high = over_seeds.interval(0.05)
        wide_low, wide_high = found.interval(0.05)
        assert wide_low <= low + 1e-12
        assert high - 1e-12 <= wide_high


def test_the_variance_has_a_floor():
    """Where the rest is more than chance allows, seeds + images - rest would be too little, or below 0."""
    rest = stream(4, "rest").normal(0, 1, (3, 40))
    rest -= rest.mean(axis=0) * 0.999
    rest -= rest.mean(axis=1, keepdims=True) * 0.999
    squares = mean_squares(rest)
    assert squares["seed"] + squares["image"] < squares["rest"]
    found = crossed(rest, np.zeros_like(rest), paired=True)
    assert found.error**2 == pytest.approx(max(squares["seed"], squares["image"]) / 120, rel=1e-6)


def test_seeds_are_not_images():
    """Forty seeds on the same six images say much about seeds and little about photographs, and the other way round."""
    few_images = crossed(right_or_wrong(40, 6, 1.3, "a", 0.1), right_or_wrong(40, 6, 0.9, "b", 0.1), paired=False)
    few_seeds = crossed(right_or_wrong(3, 600, 1.3, "a", 0.4), right_or_wrong(3, 600, 0.9, "b", 0.4), paired=False)
    assert few_images.error > 2 * few_images.seed_error
    assert few_seeds.error < 1.1 * few_seeds.seed_error
    naive = math.sqrt(2 * 0.2 / 1800)  # as if 1,800 independent answers had been counted in each arm
    assert few_seeds.error > 3 * naive


def test_the_interval_is_never_narrower_than_over_seeds_alone():
    """Satterthwaite's would be: few images add a part with many degrees of freedom."""
    luck = np.array([[-0.3], [0.0], [0.3]])
    images = stream(8, "images").normal(0, 1.0, (1, 30))
    table = luck + images + stream(8, "rest").normal(0, 0.01, (3, 30))
    found = crossed(table, np.zeros_like(table), paired=True)
    squares = mean_squares(table)
    spread = squares["seed"] ** 2 / 2 + squares["image"] ** 2 / 29 + squares["rest"] ** 2 / 58
    df = (squares["seed"] + squares["image"] - squares["rest"]) ** 2 / spread
    low, high = Paired().difference(table.mean(axis=1), [0.0] * 3, 0.0).interval(0.05)
    assert 2 * stats.t.ppf(0.975, df) * found.error < high - low
    assert found.interval(0.05)[0] <= low
    assert high <= found.interval(0.05)[1]


@given(st.randoms(use_true_random=False), st.booleans())
def test_neither_order_nor_unit_matters(shuffle, paired):
    rows, columns = shuffle.sample(range(5), 5), shuffle.sample(range(60), 60)
    found = np.array(crossed(TREATMENT, BASELINE, paired).interval(0.05))
    other_rows = rows if paired else shuffle.sample(range(5), 5)
    mixed = crossed(TREATMENT[rows][:, columns] * 100, BASELINE[other_rows][:, columns] * 100, paired)
    np.testing.assert_allclose(mixed.interval(0.05), 100 * found, rtol=1e-9)
    exchanged = crossed(BASELINE, TREATMENT, paired).interval(0.05)
    np.testing.assert_allclose(exchanged, -found[::-1], rtol=1e-9)


def test_arms_that_never_vary_have_no_interval_and_one_that_does_has():
    same = np.tile([1.0, 0.0, 1.0, 1.0], (3, 1))
    assert all(map(math.isnan, crossed(same, same, paired=True).interval(0.05)))
    assert all(map(math.isnan, crossed(np.ones((3, 9)), np.full((3, 9), 0.5), paired=False).interval(0.05)))
    low, high = crossed(same, np.zeros((3, 4)), paired=True).interval(0.05)  # all seeds alike, images not
    assert low < 0.75 < high


@pytest.mark.parametrize(
    ("treatment", "baseline", "paired", "told"),
    [
        (np.ones((3, 8)), np.ones((3, 9)), False, r"over the same images.*\(3, 8\).*\(3, 9\)"),
        (np.ones((1, 8)), np.ones((3, 8)), False, "at least 2 seeds"),
        (np.ones((4, 8)), np.ones((3, 8)), True, "as many in both groups"),
        (np.ones(8), np.ones((3, 8)), False, "two tables"),
    ],
)
def test_tables_that_do_not_fit_are_refused(treatment, baseline, paired, told):
    with pytest.raises(ValueError, match=told):
        crossed(treatment, baseline, paired)


POOL, TRAINED = 60, 30
SHARED = Redrawn(train=TRAINED, val=20, test=20, together="nothing")
DATA = SimpleNamespace(labels=np.arange(100) % 2, classes=("a", "b"), names=(), near=np.arange(100))


def trained_on(seeds: int) -> np.ndarray:
    """(seeds, 100) which photographs each seed's training part holds: drawn by the product's own split."""
    return np.array([np.isin(np.arange(100), SHARED.draw(DATA, seed).train) for seed in range(seeds)], float)


def seeds_part(parts: np.ndarray, overlap: float, run: float = 0.0) -> tuple[float, float]:
    """(mean variance, coverage of 0) of the seeds' part in 20,000 worlds. Each photograph does something of its own, a
    part the sum of that, and the run adds so many times as much variance."""
    seeds, trained = len(parts), parts[0].sum()
    random = stream(5, "photographs", seeds)
    scores = random.standard_normal((20_000, 100)) @ parts.T
    scores += math.sqrt(run * trained) * random.standard_normal(scores.shape)
    tables = np.repeat(scores[:, :, None], 2, axis=2)
    value, found = difference_parts(tables, np.zeros_like(tables), True, overlap)
    variance, df = found.seeds[0]
    inside = np.abs(value) <= stats.t.ppf(0.975, df) * np.sqrt(variance)
    return float(variance.mean()), float(inside.mean())


@pytest.mark.parametrize("seeds", [4, 7])
def test_training_parts_that_overlap_take_as_much_from_the_seeds_as_is_added(seeds):
    """What their mean varies by is told by the seeds' part times 1 + n rho / (1 - rho), and not without it."""
    parts = trained_on(seeds)
    rho = (parts @ parts.T / TRAINED)[np.triu_indices(seeds, 1)].mean()
    overlap = rho / (1 - rho)
    truth = float(np.square(parts.mean(axis=0)).sum())
    assert seeds_part(parts, overlap)[0] == pytest.approx(truth, rel=0.03)
    assert seeds_part(parts, 0.0)[0] < 0.75 * truth
    assert seeds_part(parts, overlap, run=0.5)[1] >= 0.95
    assert seeds_part(parts, 0.0, run=0.5)[1] < 0.92


def test_the_seeds_part_with_overlap_is_nadeaus_and_bengios():
    """Over seeds alone it is the paired test with that correction, and p-values are no bolder."""
    found = crossed(TREATMENT, BASELINE, True, 0.5)
    over_seeds_alone = Paired().difference(TREATMENT.mean(axis=1), BASELINE.mean(axis=1), 0.5)
    assert found.seed_error == pytest.approx(over_seeds_alone.error, rel=1e-9)
    assert found.p_value() >= over_seeds_alone.p_value() - 1e-12
    assert found.p_equivalent(0.2) >= over_seeds_alone.p_equivalent(0.2) - 1e-12
    assert found.error > crossed(TREATMENT, BASELINE, True).error


@pytest.mark.parametrize("images", [20, 50, 400])
@pytest.mark.parametrize("paired", [True, False])
def test_where_no_image_differs_the_variance_is_that_of_one_won_and_one_lost(images, paired):
    """As of Bonett and Price's adjusted Wald interval with no discordant pair."""
    alike = np.ones((3, images))
    discordant = 1 / (images + 2)
    expected = math.sqrt((discordant + discordant) / (images + 2))
    found = crossed(alike, alike, paired, share=True)
    assert (found.estimate, found.error, found.seed_error) == (0.0, pytest.approx(expected), 0.0)
    low, high = found.interval(0.05)
    assert high == -low == pytest.approx(stats.t.ppf(0.975, images - 1) * expected)
    assert crossed(alike, alike, paired).error == 0


def test_near_the_ceiling_few_images_say_little():
    """Of 50 images 3 % are won and 1 % is lost, in every seed alike: what is added is what the interval lacks."""
    draws = stream(6, "ceiling").random((4000, 1, 50))
    gains = np.where(draws < 0.03, 1.0, np.where(draws > 0.99, -1.0, 0.0)) + np.zeros((1, 3, 1))
    covers = {}
    for share in (False, True):
        value, found = difference_parts(gains, np.zeros_like(gains), True)
        half = half_width(found, 0.05, few_images(50) if share else 0.0)
        covers[share] = float((np.abs(value - 0.02) <= half).mean())
    assert covers[True] >= 0.95
    assert covers[False] < 0.9


@pytest.mark.parametrize("seeds", [2, 3, 30])
def test_what_is_beyond_any_doubt_has_a_p_of_next_to_nothing(seeds):
    sure = crossed(np.ones((seeds, 5000)), np.zeros((seeds, 5000)), True, share=True)
    assert 0 < sure.p_value() < 1e-100
    found = crossed(1000 + TREATMENT[:, :30], BASELINE[:, :30], True, share=True)
    assert 0 < found.p_value() < 1e-9
    assert found.p_equivalent(1.0) == pytest.approx(1)


@given(st.floats(1e-9, 0.999), st.booleans())
def test_p_is_the_level_at_which_the_interval_ends_at_nothing(alpha, paired):
    """And of equivalence, that of the one-sided interval which ends at the margin."""
    found = crossed(TREATMENT, BASELINE, paired, share=True)
    low, high = found.interval(alpha)
    at_the_end = replace(found, estimate=(high - low) / 2)
    assert at_the_end.p_value() == pytest.approx(alpha, rel=1e-6)
    assert at_the_end.p_equivalent(high - low) == pytest.approx(alpha / 2, rel=1e-6)
    assert replace(found, estimate=0.0).p_value() == 1.0
