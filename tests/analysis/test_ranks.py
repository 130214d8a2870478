"""Ranks against Demsar's published example and scipy; winners against worked grids."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.analysis import ranks
from ablation.analysis.comparison import Paired, Welch, holm
from ablation.analysis.ranks import EVERYWHERE, from_average_ranks, least_p, rank_stability, winner
from ablation.core.seeds import stream

# Demsar (2006), Table 6: AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets.
DEMSAR = [
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.975, 0.975], [0.957, 0.978, 0.946, 0.970],
]  # fmt: skip
PRINTED_RANKS = [3.143, 2.000, 2.893, 1.964]


def test_demsars_example_from_the_ranks_that_he_prints():
    found = from_average_ranks(PRINTED_RANKS, 14)
    assert found.chi2 == pytest.approx(9.28, abs=0.005)
    assert found.f == pytest.approx(3.69, abs=0.005)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.p == pytest.approx(stats.f.sf(3.69, 3, 39), abs=1e-4)
    assert from_average_ranks(PRINTED_RANKS, 14, alpha=0.1).critical_difference == pytest.approx(1.12, abs=0.005)


def test_demsars_example_from_his_table():
    """Printed to three digits, voting (0.975 twice) is a tie; he ranked more digits, in which C4.5+cf is ahead."""
    printed = rank_stability(DEMSAR)
    assert printed.average[:2] == pytest.approx(PRINTED_RANKS[:2], abs=5e-4)
    more_digits = np.array(DEMSAR)
    more_digits[12, 2] += 1e-5
    assert rank_stability(more_digits).average == pytest.approx(PRINTED_RANKS, abs=5e-4)
    assert rank_stability(more_digits).chi2 == pytest.approx(9.28, abs=0.005)


def test_without_ties_friedman_is_scipys():
    scores = stream(31, "scores").random((6, 5))
    found = rank_stability(scores)
    assert found.chi2 == pytest.approx(stats.friedmanchisquare(*scores.T).statistic)
    assert found.kendall_w == pytest.approx(found.chi2 / (6 * 4))


def test_agreement_runs_from_none_to_all():
    assert rank_stability([[3, 2, 1], [30, 20, 10], [0.3, 0.2, 0.1]]).kendall_w == 1.0
    assert rank_stability([[3, 2, 1], [1, 2, 3]]).kendall_w == 0.0
    assert rank_stability([[3, 2, 1], [3, 2, 1]]).average == (1.0, 2.0, 3.0)


def test_full_agreement_of_few_conditions_is_no_proof():
    """With three recipes, a second condition repeats the order of the first in one case of six."""
    assert rank_stability([[3, 2, 1], [3, 2, 1]]).p == pytest.approx(1 / 6)
    assert rank_stability([[3, 2, 1]] * 3).p == pytest.approx(1 / 36)
    random = stream(31, "orders")
    orders = random.permuted(np.tile(np.arange(3.0), (4000, 2, 1)), axis=2)
    assert (orders[:, 0] == orders[:, 1]).all(axis=1).mean() == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize(
    ("orders", "p"),
    [
        ([[1, 2, 3], [1, 2, 3], [1, 2, 3], [2, 1, 3]], 0.042),  # three recipes, four conditions, chi2 = 6.5
        ([[1, 2, 3, 4], [1, 2, 3, 4], [1, 3, 2, 4]], 0.017),  # four recipes, three conditions, chi2 = 8.2
    ],
)
def test_p_is_that_of_friedmans_own_tables(orders, p):
    assert rank_stability(-np.array(orders)).p == pytest.approx(p, abs=5e-4)


def test_under_two_conditions_p_is_that_of_spearmans_correlation():
    first, second = np.array([5.0, 4, 3, 2, 1]), np.array([5.0, 3, 4, 1, 1])
    oracle = stats.permutation_test(
        (second,),
        lambda order: stats.spearmanr(first, order).statistic,
        permutation_type="pairings",
        alternative="greater",
        vectorized=False,
    )
    assert rank_stability([first, second]).p == pytest.approx(oracle.pvalue)


def test_drawn_orders_give_the_p_of_all_of_them(monkeypatch):
    scores = stream(32, "scores").random((3, 4)) + np.array([0, 0.2, 0.4, 0.6])
    exact = rank_stability(scores).p
    assert 0.01 < exact < 0.5
    monkeypatch.setattr(ranks, "EXACT", 0)
    assert rank_stability(scores).p == pytest.approx(exact, abs=0.01)
    assert rank_stability(scores).p != exact
    assert rank_stability([[3, 2, 1]] * 9).p == 1 / (1 + ranks.DRAWS), "the observed order is one of them"


def test_ranks_see_neither_unit_nor_order():
    scores = stream(31, "scores").random((6, 5))
    first, again = rank_stability(scores), rank_stability(100 * scores[::-1, ::-1])
    assert again.average == pytest.approx(first.average[::-1])
    assert (again.p, again.kendall_w) == pytest.approx((first.p, first.kendall_w))


def test_gaps_are_refused():
    with pytest.raises(ValueError, match="finite scores"):
        rank_stability([[0.5, np.nan], [0.4, 0.3]])
    with pytest.raises(ValueError, match=r"\(1, 3\)"):
        rank_stability([[0.5, 0.4, 0.3]])


ADAM = {"none": [0.70, 0.71, 0.72], "crop": [0.78, 0.79, 0.80], "hue": [0.74, 0.75, 0.76]}


def test_a_winner_everywhere():
    found = winner({"adam": ADAM, "sgd": {name: [score - 0.1 for score in runs] for name, runs in ADAM.items()}})
    assert (found.overall, found.same, found.survives, found.rivals) == ("crop", True, True, ())
    assert found.best == {"adam": "crop", "sgd": "crop"}


def test_a_winner_that_is_only_just_behind_survives():
    found = winner({"adam": ADAM, "sgd": {"none": [0.5, 0.6, 0.7], "crop": [0.58, 0.65, 0.7], "hue": [0.6, 0.65, 0.7]}})
    assert (found.overall, found.same, found.survives) == ("crop", False, True)
    (rival,) = found.rivals
    assert (rival.condition, rival.recipe) == ("sgd", "hue")
    assert rival.difference.estimate == pytest.approx(0.65 - 1.93 / 3)
    assert rival.p > 0.5


def test_a_winner_that_is_beaten_elsewhere_does_not_survive():
    sgd = {"none": [0.70, 0.71, 0.72], "crop": [0.700, 0.701, 0.699], "hue": [0.731, 0.730, 0.732]}
    found = winner({"adam": ADAM, "sgd": sgd})
    assert (found.overall, found.survives) == ("crop", False)
    assert [rival.recipe for rival in found.rivals] == ["none", "hue"]
    p_values = [
        Welch().difference(arms[name], arms["crop"], 0).p_value() for arms in (ADAM, sgd) for name in ("none", "hue")
    ]
    assert [rival.p for rival in found.rivals] == pytest.approx(holm(p_values)[2:])


def test_less_may_be_better_and_the_declared_test_decides():
    loss = {where: {name: [-score for score in runs] for name, runs in ADAM.items()} for where in ("adam", "sgd")}
    found = winner(loss, Paired(), higher_is_better=False)
    assert (found.overall, found.same) == ("crop", True)
    assert winner(loss).overall == "none"


def test_contenders_are_those_that_no_test_puts_behind_the_winner():
    """Bonferroni over all comparisons with the winner: hue is far behind under adam alone, none nowhere."""
    sgd = {"none": [0.70, 0.75, 0.80], "crop": [0.72, 0.77, 0.82], "hue": [0.71, 0.76, 0.81]}
    adam = {"none": [0.76, 0.80, 0.81], "crop": [0.80, 0.801, 0.802], "hue": [0.70, 0.701, 0.702]}
    found = winner({"adam": adam, "sgd": sgd})
    assert (found.overall, found.contenders) == ("crop", ("none",))
    p = Welch().difference(adam["hue"], adam["crop"], 0).p_value()
    assert winner({"adam": adam, "sgd": sgd}, alpha=4 * p * 1.01).contenders == ("none",)
    assert winner({"adam": adam, "sgd": sgd}, alpha=4 * p * 0.99).contenders == ("none", "hue")


def test_missing_runs_are_left_out_and_pairs_are_made_of_the_seeds_that_both_have():
    none, crop = [0.70, 0.80, np.nan, 0.75, 0.77], [0.69, np.nan, 0.90, 0.76, 0.745]
    found = winner({"adam": {"none": none, "crop": crop}, "sgd": {"none": none, "crop": crop}}, Paired())
    assert found.overall == "crop"
    assert found.rivals[0].difference.estimate == pytest.approx(np.mean([0.01, -0.01, 0.025]))
    single = Paired().difference([0.70, 0.75, 0.77], [0.69, 0.76, 0.745], 0).p_value()
    assert found.rivals[0].p == pytest.approx(min(1, 2 * single))
    own = winner({"adam": {"none": none, "crop": crop}, "sgd": {"none": crop, "crop": none}})
    (rival,) = own.rivals
    assert rival.difference.estimate == pytest.approx(np.nanmean(crop) - np.nanmean(none))
    scipys = stats.ttest_ind(none, crop, equal_var=False, nan_policy="omit").pvalue
    assert rival.p == pytest.approx(min(1, 2 * scipys))


def test_a_single_score_may_lead_and_is_never_proof():
    found = winner({"adam": {"none": [0.7], "crop": [0.9]}, "sgd": {"none": [0.8], "crop": [0.7]}})
    assert (found.overall, found.same, found.survives) == ("crop", False, True)
    assert np.isnan(found.rivals[0].p)
    assert found.contenders == ("none",)


def test_a_recipe_that_some_condition_lacks_cannot_win():
    assert winner({"adam": ADAM, "sgd": {"none": [0.5, 0.6, 0.7], "hue": [0.6, 0.65, 0.7]}}).overall == "hue"
    with pytest.raises(ValueError, match="every condition"):
        winner({"adam": {"a": [1, 2]}, "sgd": {"b": [1, 2]}})


def test_comparisons_with_the_baseline_are_not_judged_again():
    """Crop wins; what is known of it and the baseline is kept, and hue is corrected over its own two pairs."""
    sgd = {"none": [0.70, 0.71, 0.72], "crop": [0.700, 0.701, 0.699], "hue": [0.731, 0.730, 0.732]}
    known = {("adam", "crop"): (0.08, 0.2), ("sgd", "crop"): (-0.01, 0.06), (EVERYWHERE, "crop"): (0.035, 0.3)}
    found = winner({"adam": ADAM, "sgd": sgd}, baseline="none", known=known)
    assert [(one.recipe, one.p, one.declared) for one in found.rivals[:1]] == [("none", 0.06, True)]
    own = [Welch().difference(arms["hue"], arms["crop"], 0).p_value() for arms in (ADAM, sgd)]
    assert (found.rivals[1].p, found.rivals[1].declared, found.pairs) == (pytest.approx(holm(own)[1]), False, 2)
    assert "none" in found.contenders
    better = known | {(EVERYWHERE, "crop"): (0.035, 0.03)}
    assert "none" not in winner({"adam": ADAM, "sgd": sgd}, baseline="none", known=better).contenders
    worse = known | {("sgd", "crop"): (-0.01, 0.04)}
    assert not winner({"adam": ADAM, "sgd": sgd}, baseline="none", known=worse).survives


def test_many_recipes_have_ranks_too():
    found = rank_stability(stream(31, "many").random((2, 200)))
    assert 0 < found.p <= 1
    assert least_p(200, 2) == 0.0 < least_p(100, 2) == pytest.approx(1 / math.factorial(100))
    assert least_p(3, 2) == pytest.approx(1 / 6)
