"""Analysis of variance against statsmodels' own tables, on complete and incomplete grids."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablation.analysis.comparison import CorrectedResampled
from ablation.analysis.factorial import HUGE, anova, partial_eta2_interval, spread_by_chance
from ablation.core.seeds import stream


def grid(missing: int = 0, interaction: float = 0.02) -> pd.DataFrame:
    """Three recipes x two optimizers x two sizes x four seeds; crop helps only under adam."""
    random = stream(21, "grid")
    rows = [
        {
            "recipe": recipe,
            "optimizer": optimizer,
            "size": size,
            "seed": seed,
            "y": 0.8 + interaction * (recipe == "crop" and optimizer == "adam") + 0.01 * size + random.normal(0, 0.01),
        }
        for recipe in ("none", "crop", "hue")
        for optimizer in ("adam", "sgd")
        for size in (0, 1)
        for seed in range(4)
    ]
    return pd.DataFrame(rows).drop(index=random.choice(len(rows), missing, replace=False)).reset_index(drop=True)


def levels(table: pd.DataFrame, *names: str) -> dict[str, list]:
    return {name: table[name].tolist() for name in names}


@pytest.mark.parametrize("missing", [0, 9])
@pytest.mark.parametrize("names", [("recipe",), ("recipe", "optimizer"), ("recipe", "optimizer", "size")])
def test_every_line_is_statsmodels_type_two(names, missing):
    table = grid(missing)
    found = anova(table["y"], levels(table, *names))
    expected = anova_lm(ols(f"y ~ {' * '.join(f'C({name})' for name in names)}", table).fit(), typ=2)
    assert len(found.terms) == 2 ** len(names) - 1
    for term in found.terms:
        line = expected.loc[":".join(f"C({name})" for name in term.factors)]
        assert (term.df, term.sum_of_squares) == pytest.approx((line["df"], line["sum_sq"]), rel=1e-7, abs=1e-12)
        assert (term.f, term.p) == pytest.approx((line["F"], line["PR(>F)"]), rel=1e-7)
    assert found.df == expected.loc["Residual", "df"]
    assert found.mean_square == pytest.approx(expected.loc["Residual", "sum_sq"] / found.df)


def test_blocks_take_the_seeds_out_of_the_rest():
    table = grid()
    luck = stream(21, "luck").normal(0, 0.05, 4)
    table["y"] += luck[table["seed"]]
    found = anova(table["y"], levels(table, "recipe", "optimizer"), blocks=table["seed"].tolist())
    expected = anova_lm(ols("y ~ C(seed) + C(recipe) * C(optimizer)", table).fit(), typ=2)
    assert found.term("recipe", "optimizer").f == pytest.approx(expected.loc["C(recipe):C(optimizer)", "F"])
    blind = anova(table["y"], levels(table, "recipe", "optimizer"))
    assert blind.term("recipe", "optimizer").p > 10 * found.term("optimizer", "recipe").p


def test_a_cell_that_was_excluded_costs_a_degree_of_freedom_of_the_interaction():
    table = grid()
    table = table[~((table["recipe"] == "hue") & (table["optimizer"] == "sgd"))]
    found = anova(table["y"], levels(table, "recipe", "optimizer"))
    assert [term.df for term in found.terms] == [2, 1, 1]
    assert found.df == len(table) - 5
    assert all(math.isfinite(term.p) for term in found.terms)
    within = table.groupby(["recipe", "optimizer"])["y"].transform("mean")
    by_hand = ols("y ~ C(recipe) + C(optimizer)", table).fit().ssr - ((table["y"] - within) ** 2).sum()
    assert found.term("recipe", "optimizer").sum_of_squares == pytest.approx(by_hand)


def test_partial_eta_squared_is_the_share_beside_the_rest():
    table = grid()
    found = anova(table["y"], levels(table, "recipe", "optimizer"))
    for term in found.terms:
        assert term.partial_eta2 == pytest.approx(term.f * term.df / (term.f * term.df + found.df))
        assert (term.low > 0) == (term.p < 0.05), "the interval at 90 % is the F test at 5 %"


def test_the_interval_of_bargmanns_example():
    """F = 11.2213 with 4 and 50 df, 55 runs: used by Fleishman (1980) and Steiger (2004); ends by their definition."""
    low, high = partial_eta2_interval(11.2213, 4, 50, 55)
    assert (low, high) == pytest.approx((0.2606, 0.5654), abs=1e-4)
    for end, quantile in ((low, 0.95), (high, 0.05)):
        assert stats.ncf.cdf(11.2213, 4, 50, 55 * end / (1 - end)) == pytest.approx(quantile, abs=1e-6)


def test_the_interval_holds_the_true_share_as_often_as_it_says():
    """One-way, 3 groups of 6: share f^2 / (1 + f^2) with f the sd of the true means over sigma."""
    means = np.array([0.0, 0.5, 1.0])
    share = means.var() / (means.var() + 1)
    random, inside = stream(22, "coverage"), 0
    for _ in range(600):
        groups = random.normal(means[:, None], 1.0, (3, 6))
        f = stats.f_oneway(*groups).statistic
        low, high = partial_eta2_interval(f, 2, 15, 18)
        inside += low <= share <= high
    assert inside / 600 == pytest.approx(0.90, abs=0.035)


def test_holm_covers_all_terms_and_order_names_and_unit_change_nothing():
    table = grid(missing=5)
    found = anova(table["y"], levels(table, "recipe", "optimizer"))
    assert all(term.p_holm >= term.p for term in found.terms)
    assert max(term.p_holm / term.p for term in found.terms) <= 3 + 1e-9
    mixed = table.sample(frac=1, random_state=1).reset_index(drop=True)
    mixed["recipe"] = mixed["recipe"].map({"none": "z", "crop": "a", "hue": "m"})
    again = anova(100 * mixed["y"], levels(mixed, "optimizer", "recipe"))
    for term in found.terms:
        other = again.term(*term.factors)
        assert (other.f, other.p, other.partial_eta2) == pytest.approx((term.f, term.p, term.partial_eta2), rel=1e-6)


def test_unequal_spread_is_reported():
    table = grid()
    table.loc[table["recipe"] == "hue", "y"] += stream(21, "wild").normal(0, 0.2, 16)
    assert anova(table["y"], levels(table, "recipe")).spread_ratio > 5
    assert anova(grid()["y"], levels(grid(), "recipe")).spread_ratio < 3


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
def test_two_cells_spread_by_chance_as_the_f_distribution_says(runs):
    """The larger variance over the smaller passes the quantile at 97.5 % in 5 % of cases: either may be larger."""
    df = runs - 1
    assert spread_by_chance(2, df) ** 2 == pytest.approx(stats.f.ppf(0.975, df, df))


@pytest.mark.parametrize(("cells", "df"), [(3, 4), (10, 4), (40, 2)])
def test_many_cells_spread_by_chance_as_drawn_ones_do(cells, df):
    variances = stream(24, "variances").chisquare(df, (40_000, cells))
    beyond = np.sqrt(variances.max(axis=1) / variances.min(axis=1)) > spread_by_chance(cells, df)
    assert beyond.mean() == pytest.approx(0.05, abs=0.004)


def test_chance_is_that_of_the_smallest_cell():
    table = grid()
    assert anova(table["y"], levels(table, "recipe")).spread_by_chance == pytest.approx(spread_by_chance(3, 15))
    table = table.drop(index=table.index[:13])
    smallest = table.groupby("recipe").size().min()
    assert smallest < 16
    assert anova(table["y"], levels(table, "recipe")).spread_by_chance == pytest.approx(
        spread_by_chance(3, smallest - 1)
    )


def test_with_two_recipes_f_is_the_square_of_the_corrected_resampled_t():
    random = stream(25, "pairs")
    none, crop = random.normal(0.8, 0.02, 6), random.normal(0.82, 0.02, 6)
    found = anova([*none, *crop], {"recipe": ["none"] * 6 + ["crop"] * 6}, blocks=[*range(6), *range(6)], overlap=0.25)
    t = CorrectedResampled().difference(crop.tolist(), none.tolist(), 0.25)
    assert found.terms[0].f == pytest.approx((t.estimate / t.error) ** 2)
    assert found.terms[0].p == pytest.approx(t.p_value())


def redrawn(random: np.random.Generator, overlap: float, gain: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """(5 seeds, cells) of scores, each with the luck of its seed, and their seeds.

    Between two seeds the errors of a cell correlate by overlap / (1 + overlap), as Nadeau and Bengio suppose: n_test /
    (n_test + n_train). What is left has variance 1.
    """
    shared = random.normal(0, np.sqrt(overlap), len(gain))
    scores = gain + shared + random.normal(0, 1, (5, len(gain))) + random.normal(0, 3, (5, 1))
    return scores, np.repeat(np.arange(5), len(gain)).tolist()


def test_training_parts_that_overlap_are_allowed_for():
    """Three recipes x two optimizers that do nothing: without the allowance every other F test finds something."""
    factors = {"recipe": ["none", "crop", "hue"] * 10, "optimizer": (["adam"] * 3 + ["sgd"] * 3) * 5}
    random, found = stream(26, "overlap"), {0.0: [], 0.5: []}
    for _ in range(150):
        scores, seeds = redrawn(random, 0.5, np.zeros(6))
        for overlap, below in found.items():
            made = anova(scores.ravel(), factors, seeds, overlap=overlap)
            below += [term.p < 0.05 for term in made.terms]
    assert np.mean(found[0.0]) > 0.2
    assert np.mean(found[0.5]) == pytest.approx(0.05, abs=0.025)


def test_with_overlap_the_interval_still_holds_the_true_share():
    gain, inside, random = np.array([0.0, 0.8, 1.6]), 0, stream(27, "share")
    share = gain.var() / (gain.var() + 1)
    for _ in range(300):
        scores, seeds = redrawn(random, 0.5, gain)
        (term,) = anova(scores.ravel(), {"recipe": ["a", "b", "c"] * 5}, seeds, overlap=0.5).terms
        inside += term.low <= share <= term.high
        assert (term.low > 0) == (term.p < 0.05)
    assert inside / 300 == pytest.approx(0.90, abs=0.045)


def test_without_replication_or_without_spread_nothing_is_tested():
    single = grid()[lambda table: table["seed"] == 0]
    assert all(math.isnan(term.p) for term in anova(single["y"], levels(single, "recipe", "optimizer", "size")).terms)
    flat = anova([0.5, 0.5, 0.7, 0.7], {"recipe": ["a", "a", "b", "b"]})
    assert math.isnan(flat.terms[0].p)
    assert math.isnan(flat.terms[0].low)


def test_every_mistake_is_told_at_once():
    with pytest.raises(ValueError, match=r"3 levels for 4 scores.*only the level 'adam'.*1 of 4 scores"):
        anova([0.1, 0.2, 0.3, math.nan], {"recipe": ["a", "b", "a"], "optimizer": ["adam"] * 4})
    with pytest.raises(ValueError, match="no factors"):
        anova([0.1, 0.2], {})
    with pytest.raises(ValueError, match="give the blocks"):
        anova([0.1, 0.2, 0.3], {"recipe": ["a", "b", "b"]}, overlap=0.2)


@pytest.mark.parametrize(("df", "rest", "runs"), [(2, 24, 30), (2, 8, 12), (1, 8, 12), (10, 200, 300)])
def test_the_interval_is_known_however_large_f_is(df, rest, runs):
    """scipy's noncentral F knows no F of 1e9; where both ways work they agree."""
    beyond = HUGE * (1 + 1e-9)
    assert partial_eta2_interval(beyond, df, rest, runs) == pytest.approx(
        partial_eta2_interval(HUGE, df, rest, runs), abs=1e-6
    )
    for f in (1e9, 1e15, 1e20):
        low, high = partial_eta2_interval(f, df, rest, runs)
        assert 0.999999 < low <= high <= 1


def test_a_grid_almost_without_noise_is_analysed():
    scores = [0.1 + (place == 11) * 1e-6 if place > 5 else 0.9 for place in range(12)]
    found = anova(scores, {"recipe": ["a"] * 6 + ["b"] * 6, "optimizer": ["x", "y"] * 6})
    assert found.term("recipe").f > 1e9
    assert found.term("recipe").low > 0.999
