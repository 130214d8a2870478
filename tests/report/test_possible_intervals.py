"""An interval of few seeds may go beyond what two scores can differ by: what is shown ends there, and nothing moves."""

import math
import re
from dataclasses import replace

import pytest
from made_up import question, results_of

from ablation.evidence.study import Study
from ablation.report.fonts import texts_of
from ablation.report.sections.effects.section import effects
from ablation.report.text import WITHIN_ONE, difference_interval, interval_text, possible

SCORES = {"none": (0.5, 0.1, 0.9), "bright": (0.9, 0.1, 0.2), "contrast": (0.15, 0.95, 0.4)}


@pytest.fixture(scope="module")
def study() -> Study:
    """Three seeds that are as far apart as they can be."""
    asked = replace(question(), seeds=3, optimizers={"adam": question().optimizers["adam"]})
    return Study(results_of(asked, lambda cell: SCORES[cell.factors["recipe"]][cell.seed]))


def test_the_numbers_stay_and_what_is_shown_ends_where_it_can(study):
    wide = [effect for effect in study.effects if effect.low < -1 or effect.high > 1]
    assert wide, "as these are"
    for effect in wide:
        low, high = possible(effect.low, effect.high, effect.metric)
        assert -1 <= low <= effect.estimate <= high <= 1
        assert low in (effect.low, -1)
        assert high in (effect.high, 1)
        assert interval_text(effect) == difference_interval(effect.low, effect.high, effect.metric)
        assert effect.verdict == "undecided"


def test_no_number_of_the_results_is_beyond_what_can_be(study):
    texts = list(texts_of(effects(study)))
    found = [float(number.replace("\u2212", "-")) for text in texts for number in re.findall(r"[+\u2212]\d+\.\d", text)]
    assert max(map(abs, found)) == 100.0


@pytest.mark.parametrize(("metric", "least"), [("log_loss", -1.5), ("cohen_kappa", -1.5), ("brier", -1.5)])
def test_what_has_other_bounds_is_left(metric, least):
    assert metric not in WITHIN_ONE
    assert possible(least, 1.5, metric) == (least, 1.5)


def test_what_is_within_or_is_none_is_left():
    assert possible(-0.2, 0.3, "accuracy") == (-0.2, 0.3)
    assert all(map(math.isnan, possible(math.nan, math.nan, "accuracy")))
