"""Two thousand experiments in which nothing is true: how often are this package's own verdicts wrong?

About two minutes; `make honesty` runs it and prints the table, which docs/honesty.md must hold to the last digit.
"""

from pathlib import Path

import numpy as np
import pytest
import simulator as world
from claims import CASES, CLAIMS, measured, table

from ablation.analysis import student
from ablation.analysis.comparison import Dunnett, Welch
from ablation.analysis.multiplicity import holm
from ablation.analysis.power import Design, power

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "honesty.md"


def marked(claim, seeds):
    reason = claim.broken.get(seeds)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(claim, seeds, id=f"{claim.asked}, {seeds} seeds", marks=marks)


@pytest.mark.parametrize(("claim", "seeds"), [marked(claim, seeds) for claim, seeds in CASES])
def test_the_bound_is_kept(claim, seeds):
    low, high = claim.bounds[seeds]
    assert low <= measured(claim, seeds) <= high


def test_the_docs_hold_what_was_measured():
    told = DOCS.read_text("utf-8")
    assert [row for row in table() if row not in told.splitlines()] == []
    reasons = [reason for claim in CLAIMS for reason in claim.broken.values()]
    assert all(reason in " ".join(told.split()) for reason in reasons), "a bound that is not kept is explained"


def test_the_simulated_grids_are_judged_as_the_product_judges_them():
    """One grid after the other through the declared test and Holm, as `compare` does it."""
    treatments, baseline = world.scores(5, world.WILD_RECIPE)
    found = holm(student.two_sided(student.contrast((treatments, baseline), (1, -1))))
    for place in range(100):
        arms = treatments[place].tolist()
        p_values = [Welch().difference(arm, baseline[place, 0].tolist(), 0.0).p_value() for arm in arms]
        assert holm(p_values).tolist() == pytest.approx(found[place].tolist(), rel=1e-12)


def test_dunnetts_critical_value_and_its_adjusted_p_agree():
    treatments, baseline = world.scores(5, world.ALIKE)
    share = world.any_false_verdict_of_dunnett(5, world.ALIKE)
    verdicts = [
        min(Dunnett().family(arms.tolist(), reference[0].tolist()).p_adjusted()) < world.ALPHA
        for arms, reference in zip(treatments[:400], baseline[:400], strict=True)
    ]
    found = student.pooled_contrasts([baseline[:400, 0], *(treatments[:400, place] for place in range(4))])
    limit = world.critical(world.ALPHA, world.loadings([5] * 4, 5), 20.0)
    assert verdicts == (np.abs(found.value) > limit * found.error).any(axis=1).tolist()
    assert np.mean(verdicts) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_plan_promises_the_power_that_is_measured(seeds):
    assert power(Design(Welch(), seeds, sd=1.0), 1.5) == pytest.approx(world.finds(seeds, 1.5), abs=0.01)


def test_welchs_coverage_with_three_seeds_is_known_exactly():
    """So the one bound that is not kept is no fault of the simulation: 1 - its power at no difference."""
    assert 1 - power(Design(Welch(), 3, sd=1.0), 0.0) == pytest.approx(0.9649, abs=1e-4)
    assert world.covers(3) == pytest.approx(0.9649, abs=0.003)
