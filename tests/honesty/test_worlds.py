"""The default kind of verdict where seeds, training and test photographs vary: how often is it wrong? See `worlds`.

`digits` asks the same of real photographs. Both tables stand in docs/honesty.md, to the last digit.
"""

from pathlib import Path

import numpy as np
import pytest
from claims import measured
from digits import DIGITS, digits, logits, truth
from mutations import kept
from worlds import EASE, WORLDS, answers, skill

from ablation.core.seeds import stream

DOCS = Path(__file__).parents[2] / "docs" / "honesty.md"
CASES = [pytest.param(claim, seeds, id=f"{claim.asked}, {seeds}") for claim in WORLDS for seeds in claim.bounds]
REAL = [pytest.param(claim, seeds, id=f"{claim.asked}, {seeds}") for claim in DIGITS for seeds in claim.bounds]


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "seeds"), CASES)
def test_the_bound_is_kept(claim, seeds):
    assert kept(claim, seeds, measured(claim, seeds))


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "seeds"), REAL)
def test_the_bound_is_kept_on_real_digits(claim, seeds):
    assert kept(claim, seeds, measured(claim, seeds))


@pytest.mark.slow
def test_the_docs_hold_what_was_measured():
    import digits as real
    import worlds

    told = DOCS.read_text("utf-8").splitlines()
    assert [row for row in (*worlds.rows(), *real.rows()) if row not in told] == []


def test_the_true_accuracy_of_the_simulated_answers_is_what_it_is_said_to_be():
    random = stream(0, "worlds")
    found = [
        answers(random, [skill(0.98, 0.5, 0.3)], 2000, 0.5, 0.3 * random.standard_normal((1, 50))).mean()
        for _ in range(40)
    ]
    assert np.mean(found) == pytest.approx(0.98, abs=4 * np.std(found) / np.sqrt(40))
    assert EASE == 1.5


def test_the_learner_learns_and_again_is_none_with_other_weights():
    data = digits()
    order = stream(0, "order").permutation(len(data.labels))
    train, test = order[:100], order[100:]
    right = {recipe: logits(recipe, train, test, 1).argmax(axis=1) == data.labels[test] for recipe in ("none", "again")}
    assert min(own.mean() for own in right.values()) > 0.75
    assert (right["none"] != right["again"]).any()


@pytest.mark.slow
def test_the_truth_has_both_signs():
    assert max(truth().values()) > 0.01
    assert min(truth().values()) < -0.01
