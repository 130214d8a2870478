"""Net benefit and its areas against plain loops, numeric integration, scikit-learn, dcurves and the multi-bootstrap."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize

from ablation.analysis import bootstrap
from ablation.analysis.crossed import crossed
from ablation.analysis.decision import (
    RANGE,
    area,
    confidence,
    net_benefit,
    one_vs_rest_area,
    one_vs_rest_net_benefit,
    one_vs_rest_weighted_area,
    probabilities,
    temperature,
    treat_all,
    weighted_area,
)
from ablation.analysis.metrics import METRICS, log_loss
from ablation.core.seeds import stream

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from dcurves import dca

GRID = np.linspace(0, RANGE, 19)


def answers(images=60, classes=4, seed=0, skill=1.5):
    random = stream(seed, "decisions", images, classes)
    labels = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes)) + skill * np.eye(classes)[labels]
    return logits.astype(np.float32), labels


def plain(p, y, t):
    """NB(t) as it is written, image by image."""
    hits = sum(1 for one, truth in zip(p, y, strict=True) if one >= t and truth)
    false = sum(1 for one, truth in zip(p, y, strict=True) if one >= t and not truth)
    return hits / len(p) - false / len(p) * t / (1 - t)


def integrated(p, y, upto, weight=lambda t: 1.0):
    """The area under `plain`, numerically, from one probability to the next."""
    ends = sorted({0.0, upto, *(float(one) for one in p if one < upto)})
    return sum(
        integrate.quad(lambda t: plain(p, y, t) * weight(t), low, high, epsabs=1e-13, epsrel=1e-13)[0]
        for low, high in pairwise(ends)
    )


def by_dcurves(p, y, thresholds):
    table = pd.DataFrame({"y": np.asarray(y).astype(bool), "p": p})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = dca(table, "y", ["p"], thresholds=list(thresholds))
    return {model: known[known["model"] == model] for model in ("p", "all", "none")}


def test_net_benefit_is_what_a_plain_loop_gives():
    logits, labels = answers()
    p = probabilities(logits)
    by_class = [[plain(p[:, c], labels == c, t) for t in GRID] for c in range(4)]
    assert one_vs_rest_net_benefit(p, labels, GRID).mean(axis=1) == pytest.approx(np.mean(by_class, axis=0), abs=1e-12)
    sure, right = confidence(p, labels)
    assert net_benefit(sure, right, GRID).mean(axis=1) == pytest.approx(
        [plain(sure, right, t) for t in GRID], abs=1e-12
    )


def test_a_probability_at_the_threshold_is_acted_on():
    p = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert net_benefit(p[:, 0], np.array([1, 0]), np.array([0.5])).tolist() == [[1.0, 0.0]]
    worth = one_vs_rest_net_benefit(p, np.array([0, 0]), np.array([0.25]))
    assert worth == pytest.approx(np.full((1, 2), (1 - 1 / 3) / 2))


def test_net_benefit_is_that_of_dcurves():
    logits, labels = answers(images=80)
    p = probabilities(logits)
    known = [by_dcurves(p[:, c], labels == c, GRID) for c in range(4)]
    macro = np.mean([one["p"]["net_benefit"].to_numpy() for one in known], axis=0)
    assert one_vs_rest_net_benefit(p, labels, GRID).mean(axis=1) == pytest.approx(macro, abs=1e-9)
    everyone = np.mean([one["all"]["net_benefit"].to_numpy() for one in known], axis=0)
    assert treat_all(1 / 4, GRID) == pytest.approx(everyone, abs=1e-9)


@pytest.mark.parametrize("upto", [0.3, 0.9, 0.99])
def test_areas_are_those_of_numeric_integration(upto):
    logits, labels = answers(images=40, classes=3)
    p = probabilities(logits)
    by_class = [integrated(p[:, c], labels == c, upto) for c in range(3)]
    assert one_vs_rest_area(p, labels, upto).mean() == pytest.approx(np.mean(by_class), abs=1e-9)
    assert area(p[:, 0], labels == 0, upto).mean() == pytest.approx(by_class[0], abs=1e-9)
    sure, right = confidence(p, labels)
    assert area(sure, right, upto).mean() == pytest.approx(integrated(sure, right, upto), abs=1e-9)


def test_weighted_areas_are_those_of_numeric_integration_and_of_the_brier_score():
    logits, labels = answers(images=40, classes=3)
    p = probabilities(logits)
    by_class = [integrated(p[:, c], labels == c, 1 - 1e-13, lambda t: 1 - t) for c in range(3)]
    assert one_vs_rest_weighted_area(p, labels).mean() == pytest.approx(np.mean(by_class), abs=1e-9)
    assert weighted_area(p[:, 1], labels == 1).mean() == pytest.approx(by_class[1], abs=1e-9)
    brier = METRICS["brier"](logits, labels) / 3
    assert one_vs_rest_weighted_area(p, labels).mean() == pytest.approx((1 / 3 - brier) / 2, abs=1e-12)


def test_areas_are_those_under_the_curve_of_dcurves():
    """Between two probabilities its rates stay as they are, so that its curve is integrated exactly."""
    logits, labels = answers(images=50, classes=3)
    p = probabilities(logits)
    areas = []
    for c in range(3):
        ends = np.unique([0.0, RANGE, *p[p[:, c] < RANGE, c]])
        low, high = ends[:-1], ends[1:]
        known = by_dcurves(p[:, c], labels == c, (low + high) / 2)["p"]
        weights = np.log1p(-low) - np.log1p(-high) - (high - low)
        hits, false = (known[name].to_numpy() for name in ("tp_rate", "fp_rate"))
        areas.append(float((hits * (high - low) - false * weights).sum()))
    assert one_vs_rest_area(p, labels).mean() == pytest.approx(np.mean(areas), abs=1e-6)


@pytest.mark.parametrize("upto", [0, 1, 1.2])
def test_an_area_needs_an_end_below_one(upto):
    with pytest.raises(ValueError, match="between 0 and 1"):
        area([0.5], [1], upto)


def test_a_wrong_answer_of_full_confidence_has_a_finite_term():
    p = np.array([[1.0, 0.0]])
    assert one_vs_rest_area(p, np.array([1])) == pytest.approx([(0.9 + math.log(0.1)) / 2])


def test_areas_over_seeds_and_images_agree_with_the_multi_bootstrap():
    seeds, images = 5, 120
    shared, labels = answers(images, 4, 1)
    terms = []
    for gain in (0.3, 0.0):
        random = stream(3, "runs", str(gain))
        runs = [shared + gain * np.eye(4)[labels] + random.normal(0, 0.4, shared.shape) for _ in range(seeds)]
        terms.append(np.array([one_vs_rest_area(probabilities(run), labels) for run in runs]))
    counts = bootstrap.image_counts(images, 4000)
    groups = [bootstrap.Scores(own.mean(axis=1), np.asarray((own @ counts).T, float) / images, images) for own in terms]
    drawn, known = bootstrap.multi_bootstrap(*groups, paired=True).crossed, crossed(*terms, paired=True)
    assert known.estimate == pytest.approx(drawn.estimate, abs=1e-12)
    assert known.error == pytest.approx(drawn.error, rel=0.04)
    assert known.interval(0.05) == pytest.approx(drawn.interval(0.05), abs=0.08 * known.error)
    assert known.image_error > 0.2 * known.seed_error  # images do matter here


def test_the_temperature_has_the_least_log_loss():
    logits, labels = answers(4000, 5)
    plain_loss = optimize.minimize_scalar(
        lambda t: log_loss((logits / t).astype(np.float32), labels).mean(), bounds=(0.1, 10), method="bounded"
    )
    assert temperature(logits, labels) == pytest.approx(plain_loss.x, rel=2e-3)
    assert temperature(3 * logits, labels) == pytest.approx(3 * temperature(logits, labels), rel=2e-3)


def test_a_planted_temperature_is_recovered():
    random = stream(5, "temperature")
    logits = 2 * random.normal(size=(20000, 6))
    p = probabilities(logits)
    labels = (p.cumsum(axis=1) < random.random((len(p), 1))).sum(axis=1)
    assert temperature(2.5 * logits, labels) == pytest.approx(2.5, rel=0.03)
    assert temperature(0.4 * logits, labels) == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize("images", [1, 2, 5, 100])
@pytest.mark.parametrize("size", [0.1, 3.0, 60.0])
def test_a_temperature_stays_finite_where_every_image_is_right_or_wrong(images, size):
    labels = np.arange(images) % 3
    right = temperature(size * np.eye(3)[labels], labels)
    wrong = temperature(size * np.eye(3)[(labels + 1) % 3], labels)
    assert 0 < right <= 1 <= wrong < math.inf
    assert right > 0.01


def test_a_temperature_without_images_is_one_and_of_logits_that_are_not_finite_unknown():
    assert temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1
    assert math.isnan(temperature(np.array([[math.inf, 0.0]]), np.array([0])))
    assert temperature(np.zeros((4, 3)), np.zeros(4, int)) == pytest.approx(1)
