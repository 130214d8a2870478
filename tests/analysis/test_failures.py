"""Failed trainings: levels of chance by brute force, the rule on arms whose failures are known, limits beside scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.analysis.failures import LOSSES, SHARES, _luck, _noise, _outlying, chance, failed, most_failures
from ablation.analysis.metrics import classification_metrics
from ablation.core.seeds import stream


@pytest.fixture
def draws(request) -> np.random.Generator:
    return stream(7, "failures", request.node.name)


def accuracy(scores, classes=10, images=1000):
    return failed(scores, 1 / classes, "accuracy", images).tolist()


def guesses(shares, draws, confident, images=4000):
    """Metrics of predictions that know nothing of the image: its class is drawn after them."""
    labels = draws.choice(len(shares), images, p=shares)
    logits = np.log(shares) + confident * draws.standard_normal((images, len(shares)))
    return classification_metrics(logits.astype(np.float32), labels)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_chance_of_equal_classes(classes):
    assert {metric: chance(metric, classes) for metric in (*SHARES, *LOSSES)} == pytest.approx(
        {**dict.fromkeys(SHARES, 1 / classes), "log_loss": math.log(classes), "brier": 1 - 1 / classes}
    )
    assert math.isnan(chance("ece", classes))


@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.5, 0.2, 0.2, 0.1)])
@pytest.mark.parametrize("confident", [0.0, 0.5, 3.0])
def test_no_guess_is_better_than_chance_beyond_luck(shares, confident):
    found = guesses(shares, stream(7, "guesses", str(shares), str(confident)), confident)
    for metric in (*SHARES, *LOSSES):
        level = chance(metric, 4, shares)
        gain = (level - found[metric]) if metric in LOSSES else found[metric] - level
        assert gain <= _luck(level, metric, 4000), metric


def test_the_best_guess_reaches_chance():
    shares = np.array([0.5, 0.2, 0.2, 0.1])
    labels = np.repeat(np.arange(4), (1000 * shares).astype(int))
    told = classification_metrics(np.tile(np.log(shares), (1000, 1)).astype(np.float32), labels)
    for metric in ("accuracy", "balanced_accuracy", *LOSSES):
        assert told[metric] == pytest.approx(chance(metric, 4, shares), rel=1e-6)


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes: got 1"):
        chance("accuracy", 1)
    for shares in ((0.5, 0.4), (1.0,), (1.5, -0.5)):
        with pytest.raises(ValueError, match="shares of 2 classes"):
            chance("accuracy", 2, shares)


@pytest.mark.parametrize("metric", LOSSES)
def test_luck_is_what_daring_guesses_win_at_most(metric, draws):
    """Losses of probabilities around 1 / C, independent of the labels: the mean and 3 sd over images, by simulation."""
    classes, images = 10, 2000
    level, best = chance(metric, classes), 0.0
    for daring in (0.02, 0.05, 0.07, 0.1, 0.2):
        p = np.exp(daring * draws.standard_normal((200_000, classes)))
        p /= p.sum(axis=1, keepdims=True)
        losses = -np.log(p[:, 0]) if metric == "log_loss" else ((p - np.eye(classes)[0]) ** 2).sum(axis=1)
        best = max(best, level - losses.mean() + 3 * losses.std() / math.sqrt(images))
    assert best == pytest.approx(_luck(level, metric, images), rel=0.25)


@pytest.mark.parametrize("metric", LOSSES)
def test_noise_of_a_loss_near_chance(metric, draws):
    """Labels drawn from the probabilities themselves: as calibrated as can be."""
    p = np.exp(0.3 * draws.standard_normal((200_000, 10)))
    p /= p.sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) > draws.random((len(p), 1))).argmax(axis=1)
    rows = np.arange(len(p))
    losses = -np.log(p[rows, labels]) if metric == "log_loss" else ((p - np.eye(10)[labels]) ** 2).sum(axis=1)
    level = chance(metric, 10)
    told = float(_noise(np.array(level - losses.mean()), level, metric, 1))
    assert told == pytest.approx(losses.std(), rel=0.15)


ONE = [False, False, True, False, False]


@pytest.mark.parametrize("classes", [2, 10, 12, 100])
def test_one_run_far_below_its_arm(classes):
    assert accuracy([0.911, 0.912, 0.502, 0.910, 0.913], classes) == ONE
    assert accuracy([0.911, 0.912, 1 / classes, 0.910, 0.913], classes) == ONE
    assert accuracy([0.911, 1 / classes, 0.913], classes) == [False, True, False]


def test_a_milder_outlier_is_one_beside_the_spread_of_its_arm_and_the_images():
    assert accuracy([0.911, 0.912, 0.80, 0.910, 0.913]) == ONE
    assert not any(accuracy([0.911, 0.935, 0.80, 0.89, 0.913])), "the others differ too"
    assert not any(accuracy([0.911, 0.912, 0.80, 0.910, 0.913], images=40)), "40 images differ by as much"
    assert not any(accuracy([0.911, 0.80, 0.913])), "two others are no measure of spread"
    assert not any(accuracy([0.9, 0.9, 0.9, 0.9, 0.85], images=20)), "one image of 20"
    assert not any(accuracy([0.911, 0.912, 0.99, 0.910, 0.913])), "a better run has not failed"


def test_several_failures_do_not_hide_one_another():
    assert accuracy([0.1, 0.91, 0.11, 0.92, 0.1]) == [True, False, True, False, True], "most of the arm"
    assert accuracy([0.1, 0.91]) == [True, False]
    found = accuracy([0.911, 0.502, 0.502, 0.91, 0.913, 0.912, 0.91, 0.912, 0.909, 0.911], 100)
    assert found == [False, True, True, *[False] * 7]


def test_an_arm_that_only_guesses_has_failed_in_every_run(draws):
    arms = draws.binomial(1000, 0.1, (4000, 5)) / 1000
    found = failed(arms, 0.1, "accuracy", 1000)
    assert found.all(axis=1).mean() > 0.98, "by luck a single run is now and then better"
    assert found.any(axis=1).mean() > 0.998
    assert accuracy([0.1]) == [True]
    assert accuracy([0.0, 0.02, 0.1]) == [True] * 3, "worse than chance is no better than chance"


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_runs_that_guess_are_found_among_those_that_train(seeds, draws):
    for share in (0.1, 0.3, 0.6, 0.9):
        lost = draws.random((4000, seeds)) < share
        trained = 0.6 + 0.02 * draws.standard_normal(lost.shape)
        found = failed(np.where(lost, draws.binomial(1000, 0.1, lost.shape) / 1000, trained), 0.1, "accuracy", 1000)
        assert (lost & ~found).mean() < 0.005
        assert (found & ~lost).mean() < 0.001


def test_a_very_hard_task_fails_only_where_images_are_too_few_to_tell(draws):
    """1.4 % of 100 classes. What 10,000 images or ten seeds tell from guessing has not failed; 200 tell nothing."""
    hard = {seeds: 0.014 + 0.0005 * draws.standard_normal((4000, seeds)) for seeds in (5, 10)}
    for seeds, images, most in ((5, 10_000, 0.001), (10, 2000, 0.001)):
        assert failed(hard[seeds], 0.01, "accuracy", images).mean() < most
    assert failed(hard[5], 0.01, "accuracy", 200).all()
    assert accuracy([0.014, 0.0145, 0.010, 0.0135, 0.014], 100, 20_000) == ONE, "one that guesses is found even here"


def test_a_hard_arm_around_the_limit_of_one_run_has_not_failed():
    """Half of the runs are within luck of chance, but never would half of guesses be so near its edge."""
    limit = 0.01 + _luck(0.01, "accuracy", 1000)
    assert not any(accuracy(limit + np.array([0.001, -0.001, -0.0005, 0.002, -0.002]), 100))


@pytest.mark.parametrize("metric", LOSSES)
def test_losses_fail_upwards(metric):
    level = chance(metric, 10)
    good = level * np.array([0.1, 0.11, 0.1, 0.105, 0.1])
    for bad in (level * 0.99, level, level * 1.5):
        assert failed(np.where(ONE, bad, good), level, metric, 1000).tolist() == ONE
    assert not failed(good, level, metric, 1000).any()
    assert not failed(np.where(ONE, 0.0, good), level, metric, 1000).any(), "a lower loss is better"
    assert failed(level * np.array([1.0, 1.02, 5.0]), level, metric, 1000).all()
    assert not failed(level * np.array([0.98, 0.981, 0.98]), level, metric, 10_000).any(), "little, but learned"


def test_an_enormous_loss_does_not_speak_for_a_hard_arm():
    """With 100 images each of the others could be a guess, of a loss .045 below chance; all four are not."""
    level = math.log(100)
    told = failed(level - np.array([0.040, 0.041, -60.0, 0.039, 0.040]), level, "log_loss", 100)
    assert told.tolist() == ONE


def test_without_a_level_nothing_fails():
    assert not failed([[0.1, 0.9, 0.1]], math.nan, "ece", 1000).any()
    assert not failed([0.1, 0.9, 0.1], math.nan, "accuracy", 1000).any()


def test_a_row_of_an_array_is_judged_as_by_itself(draws):
    arms = np.where(draws.random((200, 6)) < 0.3, 0.1, 0.5 + 0.1 * draws.standard_normal((200, 6)))
    found = failed(arms.reshape(20, 10, 6), 0.1, "accuracy", 500)
    assert found.reshape(200, 6).tolist() == [accuracy(arm, images=500) for arm in arms]
    assert found.any()
    assert not found.all()


def test_a_score_does_not_depend_on_its_place(draws):
    arm = np.array([0.911, 0.502, 0.502, 0.91, 0.913, 0.912, 0.1, 0.912, 0.909, 0.911])
    order = draws.permutation(10)
    assert failed(arm[order], 0.01, "accuracy", 1000).tolist() == failed(arm, 0.01, "accuracy", 1000)[order].tolist()


def test_outliers_are_grubbs_for_the_lowest(draws):
    """Grubbs' critical value, from Student's t as in any table of it, one-sided with n - 2 degrees of freedom."""
    for n in (4, 5, 8, 10):
        t = stats.t.isf(0.0004 / n, n - 2)
        critical = (n - 1) / math.sqrt(n) * math.sqrt(t**2 / (n - 2 + t**2))
        rest = draws.standard_normal(n - 1)
        for low in np.linspace(-3, -200, 200):
            arm = np.append(rest, low)
            grubbs = (arm.mean() - arm.min()) / arm.std(ddof=1) > critical
            assert _outlying(arm)[-1] == grubbs


@pytest.mark.parametrize("seeds", range(3, 11))
def test_a_normal_arm_has_an_outlier_less_often_than_once_in_a_thousand(seeds, draws):
    assert _outlying(draws.standard_normal((100_000, seeds))).any(axis=1).mean() < 0.001


def test_most_failures_is_clopper_and_pearsons_limit():
    assert [most_failures(0, runs) for runs in (3, 5, 10)] == pytest.approx([0.632, 0.451, 0.259], abs=5e-4)
    for runs in range(1, 12):
        for count in range(runs + 1):
            exact = stats.binomtest(count, runs, alternative="less").proportion_ci(0.9, method="exact").high
            assert most_failures(count, runs, 0.9) == pytest.approx(exact, rel=1e-9)
            limit = most_failures(count, runs)
            assert limit == 1.0 or stats.binom.cdf(count, runs, limit) == pytest.approx(0.05)


def test_most_failures_of_no_run_is_all():
    assert most_failures(0, 0) == 1.0
    with pytest.raises(ValueError, match="between 0 and all of them: got 6 of 5"):
        most_failures(6, 5)
