"""Where trainings fail: every bound of `failures` is kept, and not without the rule.

python -m pytest tests/honesty/test_failure_rates.py -m "slow or not slow"      # half a minute
"""

import failures as world
import numpy as np
import pytest
from claims import row

from ablation.analysis import failures, student
from ablation.analysis.comparison import Paired
from ablation.analysis.multiplicity import holm

KNOWN = {claim.asked: claim for claim in world.FAILURES}
CASES = [(claim.asked, seeds) for claim in world.FAILURES for seeds in claim.bounds]


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "seeds"), CASES)
def test_the_bound_is_kept(asked, seeds):
    low, high = KNOWN[asked].bounds[seeds]
    assert low <= KNOWN[asked].measure(seeds) <= high


RULES = ("A/A, 30 % of runs fail", "a verdict on means with failures")


@pytest.mark.parametrize("asked", RULES)
def test_without_the_rule_the_bound_is_not_kept(asked, monkeypatch):
    claim = KNOWN[asked]
    assert claim.measure(3) <= claim.bounds[3][1]
    monkeypatch.setattr(failures, "failed", lambda scores, *_: np.zeros(np.shape(scores), bool))
    assert claim.measure(3) > claim.bounds[3][1]


def test_a_failure_that_is_missed_is_noticed(monkeypatch):
    """Only outliers are looked for: three seeds show none."""
    claim = KNOWN["a verdict on means with failures"]
    monkeypatch.setattr(failures, "failed", lambda scores, level, *_: failures._outlying(scores - level))
    assert claim.measure(3) > claim.bounds[3][1]


def test_the_rule_costs_no_verdict_where_no_run_fails():
    for seeds in (3, 5):
        with_rule, without = (world.finds(seeds, 0.0, rule) for rule in (True, False))
        assert without - with_rule < 0.001


def test_the_grids_are_judged_as_the_product_judges_them():
    """One grid after the other through the declared test and Holm."""
    scores, _ = world.runs(5, 0.2)
    found = holm(student.two_sided(world.estimates(scores)))
    for place in range(50):
        baseline, *recipes = scores[place].tolist()
        p_values = [Paired().difference(recipe, baseline, 0.0).p_value() for recipe in recipes]
        assert holm(p_values).tolist() == pytest.approx(found[place].tolist(), rel=1e-12)


def test_a_row_of_the_docs_tells_the_claim_and_its_figures():
    told = row(KNOWN["“up to so many may fail”, 30 % do"])
    assert told.startswith("| “up to so many may fail”, 30 % do | 1.0000 | 1.0000 | .97")
