"""Contrasts of a recipe's effect: by hand and by scipy, over one factor and several, and what cannot be judged."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.analysis import student
from ablation.analysis.interaction import Interaction, interactions
from ablation.analysis.multiplicity import holm
from ablation.core.seeds import stream

TWO = {"adam": {"optimizer": "adam"}, "sgd": {"optimizer": "sgd"}}
THREE = {**TWO, "rms": {"optimizer": "rms"}}
SEEDS = 5


def drawn(conditions, recipes=("none", "crop"), seeds: int = SEEDS, **gains: float):
    """condition -> recipe -> scores; 'crop_sgd=3' adds three sd."""
    random = stream(5, "interaction", *conditions, *recipes)
    return {
        where: {name: random.standard_normal(seeds) + gains.get(f"{name}_{where}", 0.0) for name in recipes}
        for where in conditions
    }


def missing(scores, *cells: tuple[str, str], seeds=slice(None)):
    """The same, without these seeds of these cells."""
    copied = {where: {name: runs.copy() for name, runs in own.items()} for where, own in scores.items()}
    for where, name in cells:
        copied[where][name][seeds] = math.nan
    return copied


def only(found: tuple[Interaction, ...], recipe: str, level: str) -> Interaction:
    (one,) = (one for one in found if (one.recipe, one.level) == (recipe, level))
    return one


def test_with_two_conditions_it_is_one_contrast_a_recipe():
    scores = drawn(TWO, ("none", "crop", "hue"), crop_sgd=1.0)
    found = interactions(scores, TWO, "none")
    assert [(one.recipe, one.factor, one.level, one.others) for one in found] == [
        ("crop", "optimizer", "adam", ("sgd",)),
        ("hue", "optimizer", "adam", ("sgd",)),
    ]
    adam, sgd = ({name: runs.mean() for name, runs in scores[where].items()} for where in TWO)
    assert found[0].effect == pytest.approx(adam["crop"] - adam["none"])
    assert found[0].elsewhere == pytest.approx(sgd["crop"] - sgd["none"])
    assert found[0].difference.estimate == pytest.approx(found[0].effect - found[0].elsewhere)
    cells = [scores["adam"]["crop"], scores["adam"]["none"], scores["sgd"]["crop"], scores["sgd"]["none"]]
    expected = student.contrast(cells, (1, -1, -1, 1))
    assert found[0].difference.error == pytest.approx(math.sqrt(sum(cell.var(ddof=1) / SEEDS for cell in cells)))
    assert found[0].p == pytest.approx(float(student.two_sided(expected)))
    assert found[0].high - found[0].low == pytest.approx(2 * float(student.reach(expected, 0.05)))


def test_where_seeds_are_paired_it_is_students_t_of_one_number_a_seed():
    scores = missing(drawn(TWO, seeds=8), ("adam", "none"), seeds=2)
    (found,) = interactions(scores, TWO, "none", paired=True, alpha=0.1)
    each = scores["adam"]["crop"] - scores["adam"]["none"] - scores["sgd"]["crop"] + scores["sgd"]["none"]
    each = each[np.isfinite(each)]
    assert len(each) == 7
    expected = stats.ttest_1samp(each, 0)
    assert (found.difference.estimate, found.p) == pytest.approx((each.mean(), expected.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert found.effect - found.elsewhere == pytest.approx(each.mean())
    (wider,) = interactions(scores, TWO, "none", paired=True, overlap=0.5)
    assert wider.difference.error == pytest.approx(math.sqrt((1 / 7 + 0.5) * each.var(ddof=1)))


def test_of_three_levels_each_is_compared_with_the_mean_of_the_others():
    scores = drawn(THREE)
    found = interactions(scores, THREE, "none")
    effect = {where: own["crop"].mean() - own["none"].mean() for where, own in scores.items()}
    assert [(one.level, one.others) for one in found] == [
        ("adam", ("sgd", "rms")), ("sgd", ("adam", "rms")), ("rms", ("adam", "sgd")),
    ]  # fmt: skip
    assert found[1].difference.estimate == pytest.approx(effect["sgd"] - (effect["adam"] + effect["rms"]) / 2)
    shares = {"sgd": 1.0, "adam": 0.25, "rms": 0.25}
    parts = [shares[where] * runs.var(ddof=1) / SEEDS for where, own in scores.items() for runs in own.values()]
    assert found[1].difference.error == pytest.approx(math.sqrt(sum(parts)))


def test_levels_are_compared_where_the_other_factors_are_the_same():
    """Sgd has no second size. Sizes are compared under adam alone, optimizers at the small size alone."""
    conditions = {
        "adam small": {"optimizer": "adam", "size": "small"},
        "adam large": {"optimizer": "adam", "size": "large"},
        "sgd small": {"optimizer": "sgd", "size": "small"},
    }
    scores = drawn(conditions)
    effect = {where: own["crop"].mean() - own["none"].mean() for where, own in scores.items()}
    optimizer, size = interactions(scores, conditions, "none")
    assert (optimizer.factor, size.factor) == ("optimizer", "size")
    assert optimizer.difference.estimate == pytest.approx(effect["adam small"] - effect["sgd small"])
    assert size.difference.estimate == pytest.approx(effect["adam small"] - effect["adam large"])
    complete = conditions | {"sgd large": {"optimizer": "sgd", "size": "large"}}
    scores = drawn(complete)
    effect = {where: own["crop"].mean() - own["none"].mean() for where, own in scores.items()}
    optimizer, size = interactions(scores, complete, "none")
    adam, sgd = ((effect[f"{name} small"] + effect[f"{name} large"]) / 2 for name in ("adam", "sgd"))
    assert (optimizer.effect, optimizer.elsewhere) == pytest.approx((adam, sgd))


def test_a_factor_with_one_level_asks_nothing():
    conditions = {where: levels | {"batch_size": "16"} for where, levels in TWO.items()}
    assert [one.factor for one in interactions(drawn(TWO), conditions, "none")] == ["optimizer"]


def test_all_are_one_family_and_those_without_a_p_count():
    scores = drawn(TWO, ("none", "crop", "hue", "tone"), crop_sgd=4.0)
    found = interactions(missing(scores, ("sgd", "tone"), seeds=slice(0, 3)), TWO, "none")
    p_values = [one.p for one in found]
    assert math.isnan(p_values[2])
    assert found[2].others == ()
    assert [one.p_adjusted for one in found][:2] == holm(p_values).tolist()[:2]
    assert found[0].p_adjusted == pytest.approx(3 * found[0].p)


def test_a_cell_that_does_not_take_part_leaves_the_others_to_be_compared():
    """Under rms nothing can be judged: what is left is adam against sgd, once; three contrasts were planned."""
    scores = missing(drawn(THREE, crop_sgd=2.0), ("rms", "none"))
    found = interactions(scores, THREE, "none")
    assert len(found) == 3
    judged = only(found, "crop", "adam")
    (alone,) = interactions({where: scores[where] for where in TWO}, TWO, "none")
    assert (judged.others, judged.p) == (("sgd",), alone.p)
    assert judged.p_adjusted == pytest.approx(min(1.0, 3 * judged.p))
    assert all(math.isnan(only(found, "crop", level).p) for level in ("sgd", "rms"))


def test_a_cell_that_is_not_planned_is_not_asked_about():
    scores = drawn(THREE, ("none", "crop", "hue"))
    del scores["rms"]["hue"]
    assert [(one.recipe, one.level) for one in interactions(scores, THREE, "none")] == [
        ("crop", "adam"), ("crop", "sgd"), ("crop", "rms"), ("hue", "adam"),
    ]  # fmt: skip
    del scores["sgd"]["hue"]
    assert {one.recipe for one in interactions(scores, THREE, "none")} == {"crop"}


@pytest.mark.parametrize("paired", [False, True])
def test_three_seeds_are_enough_and_two_are_not(paired):
    scores = drawn(TWO)
    three = missing(scores, ("adam", "crop"), seeds=slice(0, 2))
    assert interactions(three, TWO, "none", paired)[0].p > 0
    two = missing(scores, ("adam", "crop"), seeds=slice(0, 3))
    assert math.isnan(interactions(two, TWO, "none", paired)[0].p)


def test_paired_seeds_must_be_shared_by_all_cells():
    scores = missing(drawn(TWO), ("adam", "crop"), seeds=slice(0, 2))
    scores = missing(scores, ("sgd", "none"), seeds=slice(3, 5))
    assert math.isnan(interactions(scores, TWO, "none", paired=True)[0].p)
    assert interactions(scores, TWO, "none")[0].p > 0


@pytest.mark.parametrize("paired", [False, True])
def test_without_spread_there_is_no_p_but_something_to_compare(paired):
    scores = {
        where: {"none": np.full(4, 0.1), "crop": np.full(4, gain)} for where, gain in (("adam", 0.3), ("sgd", 0.4))
    }
    (found,) = interactions(scores, TWO, "none", paired)
    assert math.isnan(found.p)
    assert found.others == ("sgd",)
    assert found.difference.estimate == pytest.approx(-0.1)


def test_what_all_runs_of_a_condition_or_of_a_recipe_have_in_common_changes_nothing():
    scores = drawn(TWO, ("none", "crop", "hue"))
    moved = {
        where: {name: runs + 10 * (where == "sgd") - 5 * (name == "hue") for name, runs in own.items()}
        for where, own in scores.items()
    }
    for one, other in zip(interactions(scores, TWO, "none"), interactions(moved, TWO, "none"), strict=True):
        assert one.difference.estimate == pytest.approx(other.difference.estimate)
        assert one.p_adjusted == pytest.approx(other.p_adjusted)


def test_nothing_to_compare_is_no_contrast():
    assert interactions({"adam": drawn(TWO)["adam"]}, TWO, "none") == ()
    assert interactions({}, {}, "none") == ()
