"""Gatekeeping against Holm's procedure, a graph worked by hand, the closed test behind it, and simulated truths."""

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from holms import holms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ablation.analysis.multiplicity import behind, gatekept
from ablation.core.seeds import stream

CONDITIONS, RECIPES = 2, 3
POOLED_FIRST = [(), (), (), (0,), (0,), (1,), (1,), (2,), (2,)]
"""Three recipes, pooled; then each under two conditions."""
EACH_FIRST = [(3, 4), (5, 6), (7, 8), (), (), (), (), (), ()]
DESIGNS = {"pooled first": POOLED_FIRST, "each first": EACH_FIRST, "flat": [()] * 9, "one alone": [()]}

p_values = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.025, 1.0])


def of_design(parents: Sequence[Sequence[int]], p: Sequence[float], alpha: float = 0.05):
    return gatekept(p, *behind(parents), alpha)


def is_holms(p: Sequence[float]) -> None:
    """Of a flat family; what has no p counts in it."""
    found = of_design([()] * len(p), p).adjusted
    judged = ~np.isnan(p)
    expected = holms(np.where(judged, p, 1.0))
    assert np.isnan(found).tolist() == (~judged).tolist()
    np.testing.assert_allclose(found[judged], expected[judged], rtol=1e-9)


flat_families = st.lists(p_values | st.just(float("nan")), min_size=1, max_size=12)


@settings(max_examples=10)  # statsmodels takes a tenth of a second for each
@given(flat_families)
def test_a_flat_family_is_holms_and_what_has_no_p_counts_in_it(p):
    is_holms(p)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(flat_families)
def test_many_flat_families_are_holms(p):
    is_holms(p)


def test_two_doses_and_two_endpoints_by_hand():
    """Two primary hypotheses that hand half on to each other and half to their own secondary one, each with 1/2.

    H2 goes first (.005 / (1/2)) and leaves H1 3/4 and H4 1/4; H1 (.01 / (3/4)) leaves H3 and H4 1/2 each, as its edges
    have become 2/3 and 1/3; then H3 (.1 / (1/2)), and H4 has all that there is.
    """
    p = [0.01, 0.005, 0.1, 0.5]
    weights, transitions = behind([(), (), (0,), (1,)])
    assert weights.tolist() == [0.5, 0.5, 0, 0]
    assert transitions.tolist() == [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 1, 0, 0], [1, 0, 0, 0]]
    assert gatekept(p, weights, transitions).adjusted == pytest.approx([0.01 / 0.75, 0.01, 0.2, 0.5])


def weights_within(kept: frozenset[int], weights: Sequence[float], graph: np.ndarray) -> dict[int, Fraction]:
    """The shares of an intersection hypothesis: those outside it hand theirs on, one after the other, in fractions."""
    share = {place: Fraction(w).limit_denominator(100) for place, w in enumerate(weights)}
    edge = {
        (i, j): Fraction(float(graph[i, j])).limit_denominator(100) for i in share for j in share if graph[i, j]
    }  # fmt: skip
    for gone in sorted(set(share) - kept):
        left = [place for place in share if place != gone]
        new = {}
        for i, j in itertools.permutations(left, 2):
            loop = edge.get((i, gone), 0) * edge.get((gone, i), 0)
            through = edge.get((i, j), 0) + edge.get((i, gone), 0) * edge.get((gone, j), 0)
            if through and loop < 1:
                new[i, j] = through / (1 - loop)
        share = {place: share[place] + share[gone] * edge.get((gone, place), 0) for place in left}
        edge = new
    return share


def closed_test(p: Sequence[float], weights: np.ndarray, graph: np.ndarray) -> list[float]:
    """Adjusted p by all intersections that hold a hypothesis, each by weighted Bonferroni (Bretz et al. 2009)."""
    found = [0.0] * len(p)
    for size in range(1, len(p) + 1):
        for kept in map(frozenset, itertools.combinations(range(len(p)), size)):
            shares = weights_within(kept, weights, graph)
            ratios = [p[place] / float(shares[place]) for place in kept if shares[place] and not np.isnan(p[place])]
            of_all = min([1.0, *ratios])
            for place in kept:
                found[place] = max(found[place], of_all)
    return found


@pytest.mark.parametrize("parents", [[(), (), (0,), (0,), (1,), (1,)], [(2, 3), (4, 5), (), (), (), ()]])
def test_it_is_the_shortcut_of_a_closed_test(parents):
    random = stream(0, "closed", str(parents))
    for lost in (False, False, True):
        p = random.beta(0.3, 3, len(parents))
        p[1] = np.nan if lost else p[1]
        expected = np.where(np.isnan(p), np.nan, closed_test(p, *behind(parents)))
        np.testing.assert_allclose(of_design(parents, p).adjusted, expected, rtol=1e-9)


@pytest.mark.parametrize("parents", DESIGNS.values(), ids=DESIGNS)
def test_no_more_alpha_is_handed_on_than_there_is(parents):
    weights, transitions = behind(parents)
    assert weights.sum() == pytest.approx(1)
    assert (transitions >= 0).all()
    assert transitions.sum(axis=1).max() <= 1 + 1e-12
    assert np.diag(transitions).tolist() == [0] * len(parents)
    assert [place for place, weight in enumerate(weights) if weight] == [
        place for place, ahead in enumerate(parents) if not ahead
    ]


@pytest.mark.parametrize("parents", DESIGNS.values(), ids=DESIGNS)
@given(st.data())
def test_a_smaller_p_makes_no_other_larger(parents, data):
    p = np.array(data.draw(st.lists(p_values, min_size=len(parents), max_size=len(parents))))
    place, part = data.draw(st.integers(0, len(p) - 1)), data.draw(st.floats(0, 1))
    smaller = p.copy()
    smaller[place] *= part
    before, after = of_design(parents, p), of_design(parents, smaller)
    assert (after.adjusted <= before.adjusted + 1e-12).all()
    assert (before.adjusted >= p - 1e-12).all()


@pytest.mark.parametrize("parents", DESIGNS.values(), ids=DESIGNS)
@given(st.data(), st.sampled_from([0.01, 0.05, 0.2]))
def test_what_is_rejected_has_a_p_below_its_level_and_nothing_else_has(parents, data, alpha):
    drawn = st.floats(0, 1) | st.floats(0, 0.02) | st.just(float("nan"))
    p = np.array(data.draw(st.lists(drawn, min_size=len(parents), max_size=len(parents))))
    found = of_design(parents, p, alpha)
    np.testing.assert_array_equal(found.adjusted < alpha, p < found.level)
    assert (found.level <= alpha + 1e-12).all()


def test_what_stands_behind_is_reached_only_where_something_ahead_is_rejected():
    """However small its own p is; a share comes to it from what stands ahead alone, or from beside it."""
    for parents, place in ((POOLED_FIRST, 3), (EACH_FIRST, 0)):
        ahead = parents[place]
        p = np.full(9, 1e-9)
        p[[*ahead, *(other for other, before in enumerate(parents) if before == ahead and other != place)]] = 1.0
        closed = of_design(parents, p)
        assert (closed.adjusted[place], closed.level[place]) == (1.0, 0.0)
        p[ahead[0]] = 1e-9
        assert of_design(parents, p).adjusted[place] < 0.05


TRUTHS = {  # recipe -> its gain under each condition, in standard errors
    "nothing is there": ((0, 0), (0, 0), (0, 0)),
    "one recipe helps": ((4, 4), (0, 0), (0, 0)),
    "two help beyond doubt": ((9, 9), (9, 9), (0, 0)),
    "it depends on the condition": ((3, -3), (0, 0), (4, -4)),
    "under one condition only": ((5, 0), (3, 0), (0, 0)),
    "all but one condition": ((9, 9), (9, 9), (9, 0)),
}


@pytest.mark.parametrize("grids", [1000, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("parents", [POOLED_FIRST, EACH_FIRST], ids=["pooled first", "each first"])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_the_family_wise_error_is_at_most_alpha(truth, parents, grids):
    """All recipes share the baseline, and what is pooled is the mean of what stands behind it."""
    random = stream(0, "gatekeeping")
    gain = np.array(truth, float)
    arms = random.standard_normal((grids, RECIPES, CONDITIONS)) / np.sqrt(2)
    single = gain + arms - random.standard_normal((grids, 1, CONDITIONS)) / np.sqrt(2)
    pooled = single.sum(axis=2) / np.sqrt(2)
    z = np.concatenate([pooled, single.reshape(grids, -1)], axis=1)
    nothing = np.concatenate([gain.sum(axis=1) == 0, gain.ravel() == 0])
    weights, transitions = behind(parents)
    false = [
        bool((gatekept(p, weights, transitions).adjusted[nothing] < 0.05).any()) for p in 2 * norm.sf(np.abs(z))
    ]  # fmt: skip
    assert np.mean(false) <= 0.05 + 1.96 * np.sqrt(0.05 * 0.95 / grids)
