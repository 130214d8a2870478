"""Correction for the number of comparisons: Dunnett's within a condition, and Bonferroni's over conditions."""

import math
from dataclasses import replace

import pytest
from made_up import GAIN, noise, question, results_of, usual
from scipy import stats

from ablation import Dunnett
from ablation.augment import Brightness, Contrast
from ablation.evidence.effects import Effect, compare
from ablation.experiment import Cell, Experiment
from ablation.optim import Adam
from ablation.seeds import stream


@pytest.fixture
def experiment() -> Experiment:
    return replace(question(), test=Dunnett())


def by_spec(cell: Cell) -> float:
    return 0.8 + 0.01 * len(cell.spec.recipe) + noise(cell, 0.01)


def small(cell: Cell) -> float:
    """Gains of twice the sd; the luck of five seeds adds up to nothing."""
    luck = stream(0, "luck", *cell.factors.values()).permutation([-1.26, -0.63, 0.0, 0.63, 1.26])
    return 0.8 + 0.3 * GAIN.get(cell.factors["recipe"], 0.0) + 0.0075 * float(luck[cell.seed])


def under(effects, optimizer: str | None) -> dict[str, Effect]:
    condition = {"optimizer": optimizer} if optimizer else {}
    return {effect.recipe: effect for effect in effects if effect.tested and effect.condition == condition}


@pytest.mark.parametrize("families", [1, 3])
def test_dunnetts_test_is_scipys_with_bonferronis_share_of_each_condition(experiment, families):
    """Two optimizers and the pooled comparisons are three families; one optimizer alone is one."""
    asked = experiment if families == 3 else replace(experiment, optimizers={"adam": Adam()})
    effects = under(compare(results_of(asked, small)), "adam")
    arms = [list(effects[recipe].scores.values()) for recipe in ("bright", "contrast")]
    baseline = list(effects["bright"].baseline_scores.values())
    scipys = stats.dunnett(*arms, control=baseline, rng=stream(0, "scipy"))
    interval = scipys.confidence_interval(1 - 0.05 / families)
    for place, effect in enumerate(effects.values()):
        assert effect.p_adjusted == pytest.approx(min(1.0, families * scipys.pvalue[place]), abs=2e-3)
        assert (effect.low, effect.high) == pytest.approx((interval.low[place], interval.high[place]), abs=2e-5)
        assert effect.p == pytest.approx(stats.t.sf(abs(_t(arms, baseline, place)), 12) * 2)


def _t(arms, baseline, place) -> float:
    """Student's, with the variance of all three groups of five."""
    spread = sum(stats.tvar(group) for group in (*arms, baseline)) / 3
    return (stats.tmean(arms[place]) - stats.tmean(baseline)) / math.sqrt(spread * 2 / 5)


def test_verdicts_come_from_it(experiment):
    verdicts = [effect.verdict for effect in compare(results_of(experiment))]
    assert verdicts == ["baseline", "better", "worse"] * 3


def test_a_recipe_without_scores_still_counts_in_its_family(experiment):
    """Whether it failed may depend on what it would have shown."""
    lost = results_of(experiment, lambda cell: "failed" if cell.factors["recipe"] == "contrast" else small(cell))
    alone = results_of(replace(experiment, recipes={"none": (), "bright": (Brightness(0.4),)}), small)
    waiting, judged = (under(compare(results), "adam")["bright"] for results in (lost, alone))
    assert waiting.p == pytest.approx(judged.p)
    assert waiting.p_adjusted > judged.p_adjusted
    assert waiting.high - waiting.low > judged.high - judged.low


def test_runs_with_two_names_count_once_in_the_variance(experiment):
    """And the baseline's own runs under another name differ from it by exactly nothing."""
    twice = {**experiment.recipes, "same": (Contrast(0.4),), "nothing": ()}
    effects = under(compare(results_of(replace(experiment, recipes=twice), by_spec)), "adam")
    once = under(compare(results_of(experiment, by_spec)), "adam")
    assert effects["same"].p == effects["contrast"].p == pytest.approx(once["contrast"].p)
    assert effects["same"].p_adjusted == effects["contrast"].p_adjusted > once["contrast"].p_adjusted
    assert effects["nothing"].estimate == 0.0
    assert math.isnan(effects["nothing"].p_adjusted)
    assert effects["nothing"].note == "the baseline's own runs under another name"


def test_equivalence_is_corrected_by_holm(experiment):
    """Four comparisons of the same spread; the smallest p of the two one-sided tests counts six times."""
    effects = [
        effect for effect in compare(results_of(experiment, lambda cell: 0.8 + noise(cell, 0.002))) if effect.tested
    ]
    smallest = min(effects, key=lambda effect: effect.p_equivalent)
    groups = [list(effect.scores.values()) for effect in effects if effect.condition == smallest.condition]
    groups.append(list(smallest.baseline_scores.values()))
    error = math.sqrt(sum(map(stats.tvar, groups)) / len(groups) * 2 / 5)
    one_sided = stats.t.sf((0.01 - abs(smallest.estimate)) / error, 12)
    assert smallest.p_equivalent == pytest.approx(6 * one_sided)
    assert smallest.verdict == "equivalent"


def test_without_the_baseline_there_is_no_family(experiment):
    rules = ({"recipe": "none", "optimizer": "sgd"},)
    effects = compare(results_of(replace(experiment, exclude=rules), usual))
    assert {effect.note for effect in effects if effect.condition == {"optimizer": "sgd"}} == {
        "nowhere beside the baseline"
    }
    assert [effect.verdict for effect in effects if effect.pooled] == ["baseline", "better", "worse"]
