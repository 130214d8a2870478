"""What an experiment could show, before it is run: held to power by simulation, and to the spread of finished runs."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import question, results_of
from scipy.stats import ttest_ind

from ablation import Dunnett
from ablation.analysis.power import Design, detectable
from ablation.analysis.welch import level
from ablation.core.seeds import stream
from ablation.evidence.power import UNKNOWN, Sizes, Spread, comparisons_of, floor_of, planned_power
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.optim import Adam

SIZES = Sizes((40, 40), 0.5)
EACH = replace(question(), primary="each")


def planned(experiment: Experiment, sizes=None, single=UNKNOWN, pooled=UNKNOWN):
    """Of the primary comparisons."""
    cells = experiment.cells("0" * 16)
    sizes = sizes or {cell.condition: SIZES for cell in cells}
    return planned_power(experiment, cells, sizes, single, pooled)


def test_the_sd_is_pooled_over_recipes_of_finished_runs():
    results = results_of(question())
    scores = results.frame.groupby(["recipe", "optimizer"])["accuracy"]
    single = Study(results).seed_spread()
    assert single.sd == pytest.approx(np.sqrt(scores.var(ddof=1).mean()))
    assert single.origin == "estimated from 30 finished runs"
    means = results.frame.groupby(["recipe", "seed"])["accuracy"].mean().groupby("recipe")
    assert Study(results).seed_spread(pooled=True).sd == pytest.approx(np.sqrt(means.var(ddof=1).mean()))
    uneven = results_of(
        question(), lambda cell: "failed" if cell.seed > 1 and cell.factors["recipe"] == "none" else 0.8
    )
    unknown = repr(UNKNOWN)  # from Python 3.13 on not equal to itself, as its sd is no number
    assert repr(replace(Study(uneven).seed_spread(), score=None)) == unknown, "none of them varies"
    assert Study(uneven).seed_spread().score == pytest.approx(0.8)
    assert repr(Study(results_of(question(), lambda cell: "planned")).seed_spread()) == unknown


def test_recipes_weigh_their_degrees_of_freedom():
    def score(cell):
        if cell.factors["recipe"] == "none":
            return "failed" if cell.seed > 1 else 0.8 + 0.02 * cell.seed
        return 0.8 + 0.01 * cell.seed

    results = results_of(replace(question(), optimizers={"adam": question().optimizers["adam"]}), score)
    wide, narrow = np.var([0.8, 0.82], ddof=1), np.var([0.8, 0.81, 0.82, 0.83, 0.84], ddof=1)
    assert Study(results).seed_spread().sd == pytest.approx(np.sqrt((wide + 2 * 4 * narrow) / 9))
    assert Study(results).seed_spread().origin == "estimated from 12 finished runs"


@pytest.mark.parametrize(("asked", "sd", "comparisons"), [(EACH, 0.02, 4), (question(), 0.01, 2)])
def test_the_smallest_difference_is_found_four_times_in_five(asked, sd, comparisons):
    """Of the primary comparisons alone, each of which is up against its share of alpha."""
    (one,) = planned(asked, single=Spread(0.02, "given"), pooled=Spread(0.01, "given"))
    assert comparisons_of([one]) == comparisons
    draws = stream(0, "outlook").normal(0, sd, (2, one.seeds, 20_000))
    p = ttest_ind(draws[0] + one.smallest, draws[1], equal_var=False).pvalue
    assert (p < level(0.05 / comparisons, 5, 5)).mean() == pytest.approx(0.8, abs=0.01)


def test_more_seeds_are_needed_for_less():
    (unknown,) = planned(EACH)
    assert (unknown.spread, unknown.floor, unknown.seeds) == (floor_of(40), floor_of(40), 5)
    known = Spread(0.01, "given")
    (single,) = planned(EACH, single=known)
    differences, needed = zip(*single.needed, strict=True)
    assert differences == (0.005, 0.01, 0.02)
    assert needed[0] > needed[1] > needed[2] > 2
    for difference, seeds in single.needed:
        enough, fewer = (planned(replace(EACH, seeds=number), single=known)[0] for number in (seeds, seeds - 1))
        assert enough.smallest <= difference < fewer.smallest


def test_conditions_that_are_alike_stand_once_and_others_apart():
    (single,), (pooled,) = planned(EACH), planned(question())
    assert single.conditions == pooled.conditions == (("adam",), ("sgd",))
    assert (single.pooled, pooled.pooled, single.recipes) == (False, True, ("bright", "contrast"))
    larger = {("adam",): SIZES, ("sgd",): Sizes((80, 80), 0.5)}
    apart = planned(EACH, larger) + planned(question(), larger)
    assert [(one.conditions, one.test_images) for one in apart] == [
        ((("adam",),), (40, 40)),
        ((("sgd",),), (80, 80)),
        ((("adam",), ("sgd",)), (40, 80)),
    ]


def test_pooled_over_the_only_condition_is_no_comparison_of_its_own():
    rules = ({"recipe": "bright", "optimizer": "sgd"},)
    each, first = (planned(replace(asked, exclude=rules)) for asked in (EACH, question()))
    assert [one.recipes for one in each] == [("bright", "contrast"), ("contrast",)]
    assert [(one.recipes, one.pooled) for one in first] == [(("bright",), False), (("contrast",), True)]
    assert (comparisons_of(each), comparisons_of(first)) == (3, 2)


def test_where_the_baseline_is_excluded_nothing_is_compared():
    lonely = planned(replace(question(), exclude=({"recipe": "none", "optimizer": "sgd"},)))
    assert [(one.conditions, one.pooled) for one in lonely] == [((("adam",),), False)]
    assert planned(replace(question(), recipes={"none": ()})) == []


def test_dunnetts_family_is_a_condition_with_its_share_of_alpha():
    single, _ = planned(replace(question(), test=Dunnett()))
    assert single.smallest == pytest.approx(
        detectable(Design(Dunnett(), 5, floor_of(40).sd, comparisons=2, alpha=0.05 / 3)), rel=1e-6
    )
    (alone,) = planned(replace(question(), test=Dunnett(), optimizers={"adam": Adam()}))
    assert alone.smallest < single.smallest


def test_of_a_loss_nothing_is_assumed():
    """What a point is to an accuracy nothing is to a loss: nobody knows how much it varies before it is there."""
    loss = replace(question(), metric="log_loss")
    for one in planned(loss):
        assert (one.spread, np.isnan(one.smallest), np.isnan(one.at_best), one.needed) == (UNKNOWN, True, True, ())
    spreads = {"single": Spread(0.2, "given"), "pooled": Spread(0.1, "given")}
    (single,), (pooled,) = planned(replace(loss, primary="each"), **spreads), planned(loss, **spreads)
    assert [difference for difference, _ in single.needed] == pytest.approx([0.1, 0.2, 0.4])
    assert [difference for difference, _ in pooled.needed] == pytest.approx([0.1, 0.2, 0.4]), "of one table"
    (points,) = planned(EACH, single=Spread(0.01, "given"))
    assert [seeds for _, seeds in single.needed] == [seeds for _, seeds in points.needed]
