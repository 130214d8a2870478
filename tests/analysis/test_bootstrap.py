"""The multi-bootstrap against scikit-learn on real resamples, against the crossed interval, and against itself."""

import numpy as np
import pytest
from sklearn import metrics as sklearns

from ablation.analysis.bootstrap import (
    Scores,
    balanced_accuracy,
    class_scores,
    image_counts,
    macro_f1,
    multi_bootstrap,
)
from ablation.analysis.crossed import crossed
from ablation.core.seeds import stream

IMAGES, CLASSES = 120, 5
RANDOM = stream(7, "predictions")
LABELS = RANDOM.integers(0, CLASSES, IMAGES)
HARD = RANDOM.random(IMAGES)


def guesses(seeds: int, skill: float, name: str, luck: float = 0.05) -> np.ndarray:
    random = stream(7, name, seeds)
    own = skill + random.normal(0, luck, (seeds, 1))
    right = 0.6 * HARD + 0.4 * random.random((seeds, IMAGES)) < own
    return np.where(right, LABELS, random.integers(0, CLASSES, (seeds, IMAGES)))


ONE, OTHER = guesses(4, 0.6, "one"), guesses(6, 0.5, "other")
COUNTS = image_counts(IMAGES, draws=2000)


def accuracy(right: np.ndarray, guessed: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """A mean over images, for which the crossed interval is known."""
    return right.sum(axis=0) / labelled.sum(axis=0)


@pytest.mark.parametrize(
    ("metric", "sklearn"),
    [
        (accuracy, sklearns.accuracy_score),
        (balanced_accuracy, sklearns.balanced_accuracy_score),
        (macro_f1, lambda labels, guess: sklearns.f1_score(labels, guess, average="macro")),
    ],
)
def test_scores_are_scikit_learns_on_the_resampled_images(metric, sklearn):
    found = class_scores(LABELS, ONE, COUNTS, metric)
    assert found.observed.tolist() == pytest.approx([sklearn(LABELS, guess) for guess in ONE])
    for draw in (0, 7, 1999):
        drawn = np.repeat(np.arange(IMAGES), COUNTS[:, draw].astype(int))
        assert len(drawn) == IMAGES
        assert found.resampled[draw] == pytest.approx([sklearn(LABELS[drawn], guess[drawn]) for guess in ONE])


def test_a_class_that_is_not_drawn_is_left_out_as_scikit_learn_does():
    labels, guess = np.array([0, 0, 1, 3]), np.array([[0, 1, 1, 1]])
    once = np.array([[1.0], [1.0], [1.0], [0.0]], dtype=np.float32)
    found = class_scores(labels, guess, once, macro_f1)
    assert found.resampled[0, 0] == pytest.approx(sklearns.f1_score([0, 0, 1], [0, 1, 1], average="macro"))
    assert found.observed[0] == pytest.approx(sklearns.f1_score(labels, guess[0], average="macro", zero_division=0))


@pytest.mark.parametrize("paired", [True, False])
def test_for_accuracy_the_interval_is_the_crossed_one(paired):
    arms = (ONE, guesses(4, 0.5, "other")) if paired else (ONE, OTHER)
    counts = image_counts(IMAGES, draws=20_000)
    found = multi_bootstrap(*(class_scores(LABELS, arm, counts, accuracy) for arm in arms), paired=paired)
    exact = crossed(arms[0] == LABELS, arms[1] == LABELS, paired)
    assert float(found.estimate) == pytest.approx(exact.estimate)
    assert found.crossed.seed_error == pytest.approx(exact.seed_error)
    assert found.crossed.error == pytest.approx(exact.error, rel=0.02)
    assert found.crossed.image_error == pytest.approx(exact.image_error, rel=0.05)
    assert [float(end) for end in found.interval(0.05)] == pytest.approx(exact.interval(0.05), abs=0.01)


def test_curves_are_resampled_point_by_point():
    """A curve that is a mean over images at each of its points, here of three."""
    values = stream(7, "values").random((4, IMAGES, 3))
    arms = [
        Scores(arm.mean(axis=1), np.tensordot(COUNTS.T / IMAGES, arm, axes=(1, 1)), IMAGES)
        for arm in (values, values[:3] - 0.1)
    ]
    found = multi_bootstrap(*arms, paired=False)
    low, high = found.interval(0.05)
    assert low.shape == high.shape == found.estimate.shape == (3,)
    for point in range(3):
        exact = crossed(values[..., point], values[:3, :, point] - 0.1, paired=False)
        assert found.estimate[point] == pytest.approx(exact.estimate)
        assert float(high[point] - low[point]) == pytest.approx(np.diff(exact.interval(0.05)).item(), rel=0.06)


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one():
    arms = [class_scores(LABELS, arm, COUNTS, macro_f1) for arm in (ONE, OTHER)]
    np.testing.assert_array_equal(image_counts(IMAGES, 50), image_counts(IMAGES, 50))
    first, again = (multi_bootstrap(*arms, paired=False) for _ in range(2))
    assert first.interval(0.05) == again.interval(0.05)
    counts = image_counts(IMAGES, 2000, seed=1)
    elsewhere = multi_bootstrap(*(class_scores(LABELS, arm, counts, macro_f1) for arm in (ONE, OTHER)), paired=False)
    assert elsewhere.crossed.error == pytest.approx(first.crossed.error, rel=0.1)


def test_what_does_not_fit_is_refused():
    arms = [class_scores(LABELS, arm, COUNTS, accuracy) for arm in (ONE, OTHER)]
    with pytest.raises(ValueError, match="same N images"):
        class_scores(LABELS[:-1], ONE, COUNTS, accuracy)
    with pytest.raises(ValueError, match="as many in both groups"):
        multi_bootstrap(*arms, paired=True)
    with pytest.raises(ValueError, match="at least 2 seeds"):
        multi_bootstrap(class_scores(LABELS, ONE[:1], COUNTS, accuracy), arms[1], paired=False)
    with pytest.raises(ValueError, match="same draws"):
        multi_bootstrap(class_scores(LABELS, ONE, COUNTS[:, :9], accuracy), arms[1], paired=False)
