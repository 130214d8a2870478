"""Power against statsmodels, scipy's noncentral t, and simulation with the tests themselves."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from ablation.analysis import student
from ablation.analysis.comparison import CorrectedResampled, Crossed, Dunnett, Paired, Welch
from ablation.analysis.dunnett import critical, loadings
from ablation.analysis.power import (
    Design,
    detectable,
    images_needed,
    power,
    power_of_equivalence,
    seeds_needed,
    seeds_to_decide,
)
from ablation.analysis.welch import level
from ablation.core.seeds import stream


@pytest.mark.parametrize("comparisons", [1, 12])
@pytest.mark.parametrize(("seeds", "difference"), [(2, 1.0), (3, 1.5), (5, 1.5), (10, 0.5), (200, 0.1)])
def test_the_paired_tests_are_statsmodels(seeds, difference, comparisons):
    design = Design(Paired(), seeds, sd=1.0, comparisons=comparisons)
    expected = TTestPower().power(difference / math.sqrt(2), seeds, 0.05 / comparisons)
    assert power(design, difference) == pytest.approx(expected, abs=3e-5)
    share = 0.3
    noncentral = difference / math.sqrt(2 * (1 / seeds + share))
    steps = stats.t.isf(0.025 / comparisons, seeds - 1)
    found = power(replace(design, test=CorrectedResampled(), overlap=share), difference)
    expected = stats.nct.sf(steps, seeds - 1, noncentral) + stats.nct.cdf(-steps, seeds - 1, noncentral)
    assert found == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize(("seeds", "calibrated", "plain"), [(3, 0.188, 0.224), (5, 0.504, 0.521), (10, 0.881, 0.884)])
def test_welch_at_one_and_a_half_sd(seeds, calibrated, plain):
    """plain: with Satterthwaite's degrees of freedom as they are, as scipy's test finds in simulated scores."""
    groups = stream(11, "one and a half", seeds).normal(0, 1, (2, 100_000, seeds))
    found = stats.ttest_ind(groups[0] + 1.5, groups[1], axis=1, equal_var=False).pvalue
    assert (found < 0.05).mean() == pytest.approx(plain, abs=0.006)
    assert (found < level(0.05, seeds, seeds)).mean() == pytest.approx(calibrated, abs=0.006)
    assert power(Design(Welch(), seeds, sd=1.0), 1.5) == pytest.approx(calibrated, abs=0.005)


@pytest.mark.parametrize(("seeds", "sd", "alpha"), [(2, 1.0, 0.2), (3, 3.0, 0.05), (5, 0.3, 0.05), (8, 1.0, 0.0125)])
def test_welch_is_what_its_own_test_does_on_simulated_seeds(seeds, sd, alpha):
    random, draws = stream(11, "welch", seeds), 200_000
    groups = random.normal(1.2, sd, (draws, seeds)), random.normal(0, 1.0, (draws, seeds))
    found = (student.two_sided(student.contrast(groups, (1, -1))) < alpha).mean()
    assert power(Design(Welch(), seeds, sd, baseline_sd=1.0, alpha=alpha), 1.2) == pytest.approx(found, abs=0.004)


def test_many_seeds_make_welch_an_ordinary_t_test():
    expected = TTestIndPower().power(0.3, 100, 0.05)
    assert power(Design(Welch(), 100, sd=1.0), 0.3) == pytest.approx(expected, abs=1e-3)


def test_dunnett_is_what_its_own_family_does_on_simulated_seeds():
    random, draws = stream(11, "dunnett"), 50_000
    arms = [random.normal(1.5 * (place == 1), 1, (draws, 4)) for place in range(4)]
    found = student.pooled_contrasts(arms)
    beyond = np.abs(found.value[:, 0]) > critical(0.05, loadings([4] * 3, 4), 12.0) * found.error[:, 0]
    assert power(Design(Dunnett(), 4, sd=1.0, comparisons=3), 1.5) == pytest.approx(beyond.mean(), abs=0.008)


@pytest.mark.parametrize(("test", "pair"), [(Welch(), student.contrast), (Paired(), student.paired_contrast)])
def test_power_of_equivalence_is_that_of_two_one_sided_tests(test, pair):
    random, draws = stream(11, "equivalence", test.paired), 200_000
    groups = random.normal(0.2, 1, (draws, 10)), random.normal(0, 1, (draws, 10))
    found = (student.equivalent(pair(groups, (1, -1)), 1.3) < 0.05 / 2).mean()
    design = Design(test, 10, sd=1.0, comparisons=2)
    assert power_of_equivalence(design, 0.2, 1.3) == pytest.approx(found, abs=0.004)


def test_the_detectable_difference_is_found_with_the_power_asked_for():
    design = Design(Welch(), 5, sd=0.012, comparisons=4)
    assert power(design, detectable(design)) == pytest.approx(0.8, abs=1e-6)
    assert power(design, detectable(design, 0.95)) == pytest.approx(0.95, abs=1e-6)
    assert power(design, -detectable(design)) == pytest.approx(0.8, abs=1e-6), "a loss is found as well as a gain"


def test_what_makes_a_difference_easier_to_find():
    design = Design(Welch(), 5, sd=0.01, comparisons=4)
    least = detectable(design)
    assert detectable(replace(design, seeds=10)) < least
    assert detectable(replace(design, comparisons=1)) < least
    assert detectable(replace(design, sd=0.005, baseline_sd=0.005)) == pytest.approx(least / 2)
    paired = replace(design, test=Paired())
    assert detectable(replace(paired, correlation=0.9)) < detectable(paired)
    redrawn = replace(design, test=CorrectedResampled(), overlap=0.25)
    assert detectable(redrawn) > detectable(paired)
    points = replace(design, sd=1.0)
    assert detectable(points) == pytest.approx(100 * least), "fractions or points"


def test_seeds_needed_are_the_fewest():
    design = Design(Welch(), 0, sd=0.01, comparisons=4)
    for difference in (0.005, 0.01, 0.02, 0.1):
        seeds = seeds_needed(design, difference)
        assert power(replace(design, seeds=seeds), difference) >= 0.8
        assert seeds == 3 or power(replace(design, seeds=seeds - 1), difference) < 0.8


def test_no_number_of_seeds_finds_what_the_overlap_of_training_parts_hides():
    """The variance of a redrawn split has a floor, n_test / n_train, that seeds do not lower."""
    design = Design(CorrectedResampled(), 5, sd=0.01, overlap=0.25)
    assert seeds_needed(design, 0.01) is None
    noncentral = {seeds: 3 / math.sqrt(2 * (1 / seeds + 0.25)) for seeds in (6, 7)}
    enough = {n: stats.nct.sf(stats.t.isf(0.025, n - 1), n - 1, ncp) > 0.8 for n, ncp in noncentral.items()}
    assert enough == {6: False, 7: True}
    assert seeds_needed(design, 0.03) == 7
    assert seeds_needed(replace(design, test=Paired()), 0.0) is None


def test_an_undecided_pair_is_decided_by_whichever_comes_first():
    design = Design(Welch(), 5, sd=0.01, comparisons=4)
    large, small = seeds_to_decide(design, 0.02, margin=0.01), seeds_to_decide(design, 0.001, margin=0.01)
    assert (large.verdict, large.seeds) == ("different", seeds_needed(design, 0.02))
    assert small.verdict == "equivalent"
    assert power_of_equivalence(replace(design, seeds=small.seeds), 0.001, 0.01) >= 0.8
    assert power_of_equivalence(replace(design, seeds=small.seeds - 1), 0.001, 0.01) < 0.8
    assert seeds_to_decide(design, 0.0) is None, "without a margin nothing shows that there is no difference"
    assert seeds_to_decide(design, -0.02).seeds == large.seeds


def test_designs_at_the_edge():
    assert math.isnan(power(Design(Welch(), 1, sd=1.0), 1.0))
    assert math.isnan(detectable(Design(Paired(), 1, sd=1.0)))
    assert detectable(Design(Welch(), 3, sd=0.0)) == 0.0
    assert power(Design(Paired(), 3, sd=1.0, correlation=1.0), 0.1) == 1.0
    assert power(Design(Welch(), 3, sd=1.0, baseline_sd=0.0), 9.0) > 0.9


def test_few_images_may_be_what_lacks_where_none_of_them_varied():
    """A sample without spread over images is judged as if one were won and one lost."""
    alike = Design(Crossed(), 15, 0.0056, 0.0, comparisons=4, images=800, image_sd=0.0, share=True)
    assert power(alike, 0.0055) < 0.4 < 0.79 < power(replace(alike, images=4000), 0.0055)
    needed = images_needed(alike, 0.0055)
    assert 4000 < needed < 6000
    assert power(replace(alike, images=needed), 0.0055) >= 0.8
    assert images_needed(replace(alike, share=False), 0.0055) is None, "images play no part"
