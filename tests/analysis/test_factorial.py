"""Analysis of variance against statsmodels' own tables, on complete and incomplete grids."""

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablation.analysis.factorial import anova
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
    rest = expected.loc["Residual", "sum_sq"]
    assert len(found.terms) == 2 ** len(names) - 1
    for term in found.terms:
        line = expected.loc[":".join(f"C({name})" for name in term.factors)]
        assert term.df == line["df"]
        assert term.partial_eta2 == pytest.approx(line["sum_sq"] / (line["sum_sq"] + rest), rel=1e-7, abs=1e-12)
    assert (found.df, found.runs) == (expected.loc["Residual", "df"], len(table))
    assert found.mean_square == pytest.approx(rest / found.df)


def test_blocks_take_the_seeds_out_of_the_rest():
    table = grid()
    luck = stream(21, "luck").normal(0, 0.05, 4)
    table["y"] += luck[table["seed"]]
    found = anova(table["y"], levels(table, "recipe", "optimizer"), blocks=table["seed"].tolist())
    expected = anova_lm(ols("y ~ C(seed) + C(recipe) * C(optimizer)", table).fit(), typ=2)["sum_sq"]
    own = expected["C(recipe):C(optimizer)"]
    assert found.term("optimizer", "recipe").partial_eta2 == pytest.approx(own / (own + expected["Residual"]))
    blind = anova(table["y"], levels(table, "recipe", "optimizer"))
    assert blind.term("recipe", "optimizer").partial_eta2 < found.term("recipe", "optimizer").partial_eta2 / 3


def test_a_cell_that_was_excluded_costs_a_degree_of_freedom_of_the_interaction():
    table = grid()
    table = table[~((table["recipe"] == "hue") & (table["optimizer"] == "sgd"))]
    found = anova(table["y"], levels(table, "recipe", "optimizer"))
    assert [term.df for term in found.terms] == [2, 1, 1]
    assert found.df == len(table) - 5
    within = table.groupby(["recipe", "optimizer"])["y"].transform("mean")
    rest = ((table["y"] - within) ** 2).sum()
    by_hand = ols("y ~ C(recipe) + C(optimizer)", table).fit().ssr - rest
    assert found.term("recipe", "optimizer").partial_eta2 == pytest.approx(by_hand / (by_hand + rest))


def test_order_names_and_unit_change_nothing():
    table = grid(missing=5)
    found = anova(table["y"], levels(table, "recipe", "optimizer"))
    mixed = table.sample(frac=1, random_state=1).reset_index(drop=True)
    mixed["recipe"] = mixed["recipe"].map({"none": "z", "crop": "a", "hue": "m"})
    again = anova(100 * mixed["y"], levels(mixed, "optimizer", "recipe"))
    for term in found.terms:
        assert again.term(*term.factors).partial_eta2 == pytest.approx(term.partial_eta2, rel=1e-6)


def test_without_replication_or_without_spread_there_is_no_rest():
    single = grid()[lambda table: table["seed"] == 0]
    alone = anova(single["y"], levels(single, "recipe", "optimizer", "size"))
    assert (alone.df, math.isnan(alone.mean_square)) == (0, True)
    flat = anova([0.5, 0.5, 0.7, 0.7], {"recipe": ["a", "a", "b", "b"]})
    assert (flat.df, math.isnan(flat.mean_square)) == (2, True)


@pytest.mark.parametrize("step", [0.0, 0.01], ids=["one score", "a score a seed"])
@pytest.mark.parametrize("score", [0.1, 0.7, 1 / 3])
def test_where_nothing_varies_but_the_seed_there_is_nothing_to_share(score, step):
    seeds = [seed for seed in range(3) for _ in range(4)]
    factors = {"recipe": ["a", "a", "b", "b"] * 3, "optimizer": ["x", "y"] * 6}
    found = anova([score + step * seed for seed in seeds], factors, blocks=seeds)
    assert all(math.isnan(term.partial_eta2) for term in found.terms)


def test_a_grid_almost_without_noise_is_analysed():
    scores = [0.1 + (run == 11) * 1e-6 if run > 5 else 0.9 for run in range(12)]
    found = anova(scores, {"recipe": ["a"] * 6 + ["b"] * 6, "optimizer": ["x", "y"] * 6})
    assert found.term("recipe").partial_eta2 > 0.999999
    assert np.isfinite(found.mean_square)


def test_every_mistake_is_named_at_once():
    with pytest.raises(ValueError, match=r"3 levels for 4 scores.*only the level 'adam'.*1 of 4 scores"):
        anova([0.1, 0.2, 0.3, math.nan], {"recipe": ["a", "b", "a"], "optimizer": ["adam"] * 4})
    with pytest.raises(ValueError, match="no factors"):
        anova([0.1, 0.2], {})
