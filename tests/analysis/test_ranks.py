"""Ranks against Demsar's published example and scipy; winners against worked grids."""

import numpy as np
import pytest
from scipy import stats

from ablation.analysis.comparison import Paired, Welch
from ablation.analysis.multiplicity import holm
from ablation.analysis.ranks import EVERYWHERE, rank_stability, winner
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


def test_demsars_example_from_his_table():
    """Printed to three digits, voting (0.975 twice) is a tie; he ranked more digits, in which C4.5+cf is ahead."""
    printed = rank_stability(DEMSAR)
    assert printed.average[:2] == pytest.approx(PRINTED_RANKS[:2], abs=5e-4)
    assert printed.average == pytest.approx(stats.rankdata(-np.array(DEMSAR), axis=1).mean(axis=0))
    more_digits = np.array(DEMSAR)
    more_digits[12, 2] += 1e-5
    found = rank_stability(more_digits)
    assert found.average == pytest.approx(PRINTED_RANKS, abs=5e-4)
    assert found.kendall_w == pytest.approx(9.28 / (14 * 3), abs=2e-4), "from the chi2 that he prints"


def test_without_ties_agreement_is_that_of_scipys_friedman():
    scores = stream(31, "scores").random((6, 5))
    statistic = stats.friedmanchisquare(*scores.T).statistic
    assert rank_stability(scores).kendall_w == pytest.approx(statistic / (6 * 4))


def test_agreement_runs_from_none_to_all():
    assert rank_stability([[3, 2, 1], [30, 20, 10], [0.3, 0.2, 0.1]]).kendall_w == 1.0
    assert rank_stability([[3, 2, 1], [1, 2, 3]]).kendall_w == 0.0
    assert rank_stability([[3, 2, 1], [3, 2, 1]]).average == (1.0, 2.0, 3.0)


def test_ranks_depend_neither_on_unit_nor_on_order():
    scores = stream(31, "scores").random((6, 5))
    first, again = rank_stability(scores), rank_stability(100 * scores[::-1, ::-1])
    assert again.average == pytest.approx(first.average[::-1])
    assert again.kendall_w == pytest.approx(first.kendall_w)


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
    assert [rival.p for rival in found.rivals] == pytest.approx(holm(p_values).tolist()[2:])


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
    assert (found.rivals[1].p, found.rivals[1].declared, found.pairs) == (
        pytest.approx(holm(own).tolist()[1]),
        False,
        2,
    )
    assert "none" in found.contenders
    better = known | {(EVERYWHERE, "crop"): (0.035, 0.03)}
    assert "none" not in winner({"adam": ADAM, "sgd": sgd}, baseline="none", known=better).contenders
    worse = known | {("sgd", "crop"): (-0.01, 0.04)}
    assert not winner({"adam": ADAM, "sgd": sgd}, baseline="none", known=worse).survives
