"""Contributions against Shapley's axioms, the average over all orders, and scipy."""

import math
from itertools import chain, combinations, permutations

import numpy as np
import pytest
from scipy import stats

from ablation.analysis.attribution import attribute, needed
from ablation.analysis.welch import calibrated
from ablation.core.seeds import stream

OPERATIONS = ("crop", "hue", "blur")


def subsets(names: tuple[str, ...]) -> list[frozenset[str]]:
    return [frozenset(s) for s in chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))]


def simulated(worth: dict[str, float], together: float = 0.0, seeds: int = 6, sd: float = 0.01) -> dict:
    """Recipe -> scores: a sum of worths, and something more where crop and hue meet."""
    random = stream(41, "scores")
    return {
        recipe: 0.7
        + sum(worth[name] for name in recipe)
        + together * ({"crop", "hue"} <= recipe)
        + random.normal(0, sd, seeds)
        for recipe in subsets(tuple(worth))
    }


SCORES = simulated({"crop": 0.05, "hue": 0.01, "blur": 0.0}, together=0.03)


def test_shapley_values_are_the_average_over_all_orders():
    found = attribute(SCORES, OPERATIONS)
    assert found.design == "shapley"
    mean = {recipe: scores.mean() for recipe, scores in SCORES.items()}
    for name, difference in found.contributions.items():
        gains = []
        for order in permutations(OPERATIONS):
            before = frozenset(order[: order.index(name)])
            gains.append(mean[before | {name}] - mean[before])
        assert difference.estimate == pytest.approx(np.mean(gains))


def test_shapley_values_sum_to_what_all_operations_gain():
    found = attribute(SCORES, OPERATIONS)
    assert sum(one.estimate for one in found.contributions.values()) == pytest.approx(found.total.estimate)
    assert found.total.estimate == pytest.approx(SCORES[frozenset(OPERATIONS)].mean() - SCORES[frozenset()].mean())


def test_an_interaction_is_shared_and_a_dummy_gets_nothing():
    exact = {
        recipe: scores * 0 + scores.mean()
        for recipe, scores in simulated({"crop": 0.05, "hue": 0.01, "blur": 0.0}, 0.03, sd=0.0).items()
    }
    crop, hue, blur = (one.estimate for one in attribute(exact, OPERATIONS).contributions.values())
    assert (crop, hue, blur) == pytest.approx((0.05 + 0.015, 0.01 + 0.015, 0.0))


def test_two_operations_worked_by_hand():
    """phi_a = (v(a) - v(0) + v(ab) - v(b)) / 2; its variance is a quarter of the four s^2 / n."""
    random = stream(41, "pair")
    scores = {recipe: random.normal(0.5, 0.1, 4 + len(recipe)) for recipe in subsets(("a", "b"))}
    contribution = attribute(scores, ("a", "b")).contributions["a"]
    parts = [values.var(ddof=1) / len(values) / 4 for values in scores.values()]
    assert contribution.error == pytest.approx(math.sqrt(sum(parts)))
    assert contribution.df == 4 - 1, "of the recipe with fewest seeds (Banerjee 1960)"


def test_paired_seeds_are_a_t_test_of_each_seeds_own_shapley_value():
    luck = stream(41, "luck").normal(0, 0.1, 6)
    scores = {recipe: values + luck for recipe, values in SCORES.items()}
    found = attribute(scores, OPERATIONS, paired=True)
    for name, difference in found.contributions.items():
        own = [
            attribute({recipe: [values[seed], values[seed]] for recipe, values in scores.items()}, OPERATIONS)
            .contributions[name]
            .estimate
            for seed in range(6)
        ]
        scipys = stats.ttest_1samp(own, 0.0)
        assert difference.p_value() == pytest.approx(scipys.pvalue, rel=1e-6)
        assert difference.interval(0.05) == pytest.approx(tuple(scipys.confidence_interval(0.95)), rel=1e-6)
    alone, together = (attribute(scores, OPERATIONS, paired).contributions["crop"] for paired in (False, True))
    assert alone.interval(0.05)[1] > together.interval(0.05)[1]


def test_leave_one_out_and_add_one_in_are_welchs_tests_calibrated():
    every, none = frozenset(OPERATIONS), frozenset()
    out = attribute({recipe: SCORES[recipe] for recipe in needed("leave_one_out", OPERATIONS)}, OPERATIONS)
    alone = attribute({recipe: SCORES[recipe] for recipe in needed("add_one_in", OPERATIONS)}, OPERATIONS)
    assert (out.design, alone.design, out.total) == ("leave_one_out", "add_one_in", None)
    for name in OPERATIONS:
        for found, pair in ((out, (every, every - {name})), (alone, (frozenset({name}), none))):
            scipys = stats.ttest_ind(SCORES[pair[0]], SCORES[pair[1]], equal_var=False)
            p = found.contributions[name].p_value()
            assert p == pytest.approx(float(calibrated(scipys.pvalue, 6, 6)), rel=1e-9)
            assert np.sign(found.contributions[name].estimate) == np.sign(scipys.statistic)


def test_what_is_beyond_the_sum_is_one_contrast_worked_by_hand():
    """all + (k - 1) none - the sum of the singles; each recipe's variance counts with its weight squared."""
    found = attribute(SCORES, OPERATIONS)
    every, none = SCORES[frozenset(OPERATIONS)], SCORES[frozenset()]
    singles = [SCORES[frozenset({name})] for name in OPERATIONS]
    alone = sum(single.mean() - none.mean() for single in singles)
    assert found.remainder.estimate == pytest.approx(every.mean() - none.mean() - alone)
    parts = [every.var(ddof=1), 4 * none.var(ddof=1), *(single.var(ddof=1) for single in singles)]
    assert found.remainder.error == pytest.approx(math.sqrt(sum(parts) / 6))
    assert attribute(SCORES, OPERATIONS, design="add_one_in").remainder == found.remainder
    paired = attribute(SCORES, OPERATIONS, paired=True).remainder
    scipys = stats.ttest_1samp(every + 2 * none - sum(singles), 0.0)
    assert (paired.p_value(), paired.df) == (pytest.approx(scipys.pvalue, rel=1e-9), 5)


def test_in_leave_one_out_it_is_beyond_the_sum_of_what_each_adds_to_the_others():
    every = frozenset(OPERATIONS)
    recipes = needed("leave_one_out", OPERATIONS) | {frozenset()}
    found = attribute({recipe: SCORES[recipe] for recipe in recipes}, OPERATIONS)
    assert found.design == "leave_one_out"
    last = sum(SCORES[every].mean() - SCORES[every - {name}].mean() for name in OPERATIONS)
    assert found.remainder.estimate == pytest.approx(found.total.estimate - last)


def test_without_a_recipe_that_it_needs_a_sum_is_not_told():
    alone = attribute({recipe: SCORES[recipe] for recipe in needed("add_one_in", OPERATIONS)}, OPERATIONS)
    assert (alone.total, alone.remainder) == (None, None)
    one = attribute({recipe: SCORES[recipe] for recipe in subsets(("crop",))}, ("crop",))
    assert one.remainder is None
    assert one.total.estimate == pytest.approx(one.contributions["crop"].estimate)


def test_a_design_can_be_asked_for():
    assert attribute(SCORES, OPERATIONS, design="add_one_in").design == "add_one_in"


def test_intervals_hold_the_true_shapley_value():
    random, inside = stream(41, "coverage"), 0
    recipes = subsets(("a", "b"))
    for _ in range(1500):
        scores = {recipe: 0.5 + 0.2 * ("a" in recipe) + random.normal(0, 0.1, 4) for recipe in recipes}
        low, high = attribute(scores, ("a", "b")).contributions["a"].interval(0.05)
        inside += low <= 0.2 <= high
    assert inside / 1500 > 0.94, "more than .95, since the four variances are alike"


def test_what_is_missing_is_named():
    with pytest.raises(
        ValueError, match=r"shapley lacks .*leave_one_out lacks crop\+hue.*add_one_in lacks the recipe without any"
    ):
        attribute({frozenset({"crop"}): [1, 2], frozenset({"hue"}): [1, 2]}, ("crop", "hue"))
    with pytest.raises(ValueError, match="each once"):
        attribute(SCORES, ("crop", "crop"))
