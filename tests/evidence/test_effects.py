"""What results mean: the declared test for each recipe, primary ones first, and a verdict only where there is one."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import find, noise, question, results_of, scores, usual
from scipy import stats

from ablation import Paired, Welch
from ablation.analysis.effect_size import hedges_g
from ablation.analysis.power import Design, seeds_to_decide
from ablation.analysis.welch import calibrated, level
from ablation.augment import Brightness, Contrast
from ablation.data import Fixed, PerSeed
from ablation.evidence.effects import NOT_REACHED, comparisons, primaries
from ablation.evidence.study import compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import SGD, Adam


@pytest.fixture
def experiment() -> Experiment:
    return question()


def test_every_recipe_has_an_effect_under_every_condition_and_pooled(experiment):
    effects = compare(results_of(experiment))
    recipes = ["none", "bright", "contrast"]
    assert [effect.recipe for effect in effects] == recipes * 3
    conditions = [{"optimizer": "adam"}, {"optimizer": "sgd"}, {}]
    assert [effect.condition for effect in effects[::3]] == conditions
    assert [effect.verdict for effect in effects] == ["baseline", "better", "worse"] * 3
    assert {(effect.seeds, effect.planned) for effect in effects} == {(5, 5)}
    assert [effect.pooled for effect in effects] == [False] * 6 + [True] * 3


@pytest.mark.parametrize("optimizer", ["adam", "sgd", None])
def test_an_effect_is_scipys_welch_test_of_the_scores_with_its_level_kept(experiment, optimizer):
    """Pooled, the score of a seed is its mean over the conditions. The two pooled comparisons are the primary ones."""
    results = results_of(experiment)
    effect = find(compare(results), "bright", **({"optimizer": optimizer} if optimizer else {}))
    treatment, baseline = scores(results, "bright", optimizer), scores(results, "none", optimizer)
    scipys = stats.ttest_ind(treatment, baseline, equal_var=False)
    assert effect.estimate == pytest.approx(treatment.mean() - baseline.mean())
    assert effect.p == pytest.approx(float(calibrated(scipys.pvalue, 5, 5)))
    alone = scipys.confidence_interval(1 - level(0.05, 5, 5))
    assert (effect.alone_low, effect.alone_high) == pytest.approx(tuple(alone))
    if not optimizer:
        simultaneous = scipys.confidence_interval(1 - level(0.05 / 2, 5, 5))
        assert (effect.low, effect.high) == pytest.approx(tuple(simultaneous))
    assert (effect.mean, effect.sd) == pytest.approx((treatment.mean(), treatment.std(ddof=1)))
    assert effect.macro_f1_difference == pytest.approx(effect.estimate)


def test_a_redrawn_split_is_judged_by_the_corrected_resampled_test(experiment):
    results = results_of(replace(experiment, split=PerSeed(), test=None))
    paired = scores(results, "bright", "adam") - scores(results, "none", "adam")
    statistic = paired.mean() / math.sqrt((1 / 5 + 40 / 60) * paired.var(ddof=1))  # n_test / n_train of the table
    assert find(compare(results), "bright", optimizer="adam").p == pytest.approx(2 * stats.t.sf(statistic, 4))


def test_the_correction_counts_the_pooled_comparisons_and_what_is_not_reached_is_not_tested(experiment):
    """The second of two may use what the first hands on, and half of that stays behind it: 1/2 + 1/4 of alpha."""
    results = results_of(experiment, lambda cell: 0.5 + noise(cell, 0.02))
    effects = [effect for effect in compare(results) if effect.tested]
    assert (len(effects), comparisons(effects), primaries(effects)) == (6, 6, 2)
    first, second = sorted((effect for effect in effects if effect.pooled), key=lambda effect: effect.p)
    assert first.p_adjusted == pytest.approx(min(1, 2 * first.p))
    assert second.p_adjusted == pytest.approx(min(1, max(2 * first.p, second.p / 0.75)))
    assert {effect.note for effect in effects if not effect.pooled} == {NOT_REACHED}


def test_which_comparisons_are_primary_does_not_depend_on_what_has_finished(experiment):
    half = results_of(experiment, lambda cell: "planned" if cell.factors["optimizer"] == "sgd" else usual(cell))
    for results in (results_of(experiment), half, results_of(experiment, lambda cell: "planned")):
        effects = [effect for effect in compare(results) if effect.tested]
        assert [effect.primary for effect in effects] == [False] * 4 + [True] * 2
        assert primaries(effects) == 2


def test_the_baseline_under_another_name_differs_by_exactly_nothing(experiment):
    results = results_of(replace(experiment, recipes={**experiment.recipes, "nothing": ()}))
    for condition in ({"optimizer": "adam"}, {"optimizer": "sgd"}, {}):
        effect = find(compare(results), "nothing", **condition)
        assert effect.estimate == 0.0
        known = (effect.p, effect.p_adjusted, effect.p_equivalent, effect.low, effect.high, effect.new_low, effect.g)
        assert all(map(math.isnan, known)), "nothing is tested, so nothing is equivalent within a margin"
        assert (effect.verdict, effect.note) == ("undecided", "the baseline's own runs under another name")
        assert effect.mean == find(compare(results), "none", **condition).mean


VERDICTS = {  # gain, noise, verdict, where higher is better
    "better": (0.05, 0.004, "better"),
    "worse": (-0.05, 0.004, "worse"),
    "equivalent": (0.0, 0.001, "equivalent"),
    "undecided": (0.02, 0.05, "undecided"),
    "real, though smaller than the margin": (0.008, 0.0003, "better"),
}


@pytest.mark.parametrize("lower_is_better", [False, True])
@pytest.mark.parametrize(("gain", "size", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict(experiment, gain, size, verdict, lower_is_better):
    sign = -1 if lower_is_better else 1
    single = replace(
        experiment,
        recipes={"none": (), "bright": (Brightness(0.4),)},
        optimizers={"adam": Adam()},
        metric="log_loss" if lower_is_better else "accuracy",
        margin=0.01,
        seeds=8,
    )
    results = results_of(single, lambda cell: 0.5 + sign * (gain * bool(cell.spec.recipe) + noise(cell, size)))
    baseline, effect = compare(results)
    assert (baseline.verdict, effect.verdict) == ("baseline", verdict)
    assert math.copysign(1, effect.estimate) == sign * math.copysign(1, gain) or verdict in ("equivalent", "undecided")
    assert (effect.p_adjusted < 0.05) == (verdict in ("better", "worse"))
    assert effect.p_equivalent < 0.05 or verdict != "equivalent"


def test_the_margin_and_the_level_are_those_of_the_experiment(experiment):
    near = replace(experiment, recipes={"none": (), "bright": (Brightness(0.4),)}, optimizers={"adam": Adam()}, seeds=8)
    small = {"score": lambda cell: 0.5 + 0.0001 * bool(cell.spec.recipe) + noise(cell, 0.003)}
    assert compare(results_of(near, **small))[1].verdict == "equivalent"
    assert compare(results_of(replace(near, margin=0.001), **small))[1].verdict == "undecided"
    assert compare(results_of(replace(near, alpha=1e-9), **small))[1].verdict == "undecided"


@pytest.mark.parametrize("split", [Fixed(), PerSeed()])
@pytest.mark.parametrize("recipe", [(Brightness(0.4),), ()], ids=["another", "the baseline's own"])
def test_under_three_seeds_there_is_no_verdict(experiment, split, recipe):
    two = replace(experiment, recipes={"none": (), "bright": recipe}, seeds=2, split=split, test=None, margin=1.0)
    for effect in compare(results_of(two)):
        assert effect.recipe == "none" or (effect.verdict, effect.note) == ("undecided", "no verdict under 3 seeds")
        assert effect.recipe == "none" or not math.isnan(effect.estimate)


def test_names_and_order_change_no_number(experiment):
    before = compare(results_of(experiment, by_spec))
    renamed = replace(
        experiment,
        recipes={"c": (Contrast(0.4),), "plain": (), "b": (Brightness(0.4),)},
        optimizers={"second": SGD(lr=0.1), "first": Adam()},
        baseline="plain",
    )
    after = compare(results_of(renamed, by_spec))
    names = {"none": "plain", "bright": "b", "contrast": "c", "adam": "first", "sgd": "second"}
    for effect in before:
        same = find(after, names[effect.recipe], **{key: names[level] for key, level in effect.condition.items()})
        assert (same.p_adjusted, same.p_equivalent) == pytest.approx(
            (effect.p_adjusted, effect.p_equivalent), nan_ok=True
        )
        assert same.verdict == effect.verdict


def by_spec(cell: Cell) -> float:
    return 0.8 + 0.01 * len(cell.spec.recipe) + noise(cell, 0.01)


def test_each_effect_tells_its_scores_and_how_large_it_is(experiment):
    results = results_of(experiment)
    for optimizer in ("adam", "sgd", None):
        effect = find(compare(results), "bright", **({"optimizer": optimizer} if optimizer else {}))
        treatment, baseline = scores(results, "bright", optimizer), scores(results, "none", optimizer)
        assert effect.scores == pytest.approx(dict(enumerate(treatment)))
        assert effect.baseline_scores == pytest.approx(dict(enumerate(baseline)))
        size, wins = hedges_g(treatment, baseline), int((treatment > baseline).sum())
        exact = stats.binomtest(wins, 5).proportion_ci(0.95, "exact")
        told = (effect.p_better, effect.p_better_low, effect.p_better_high)
        assert told == pytest.approx((wins / 5, exact.low, exact.high))
        assert (effect.g, effect.g_low, effect.g_high) == pytest.approx((size.estimate, size.low, size.high))
    baseline = find(compare(results), "none")
    assert baseline.scores == pytest.approx(dict(enumerate(scores(results, "none"))))
    assert math.isnan(baseline.p_better)


def test_where_lower_is_better_the_chance_is_that_of_a_lower_score(experiment):
    effect = find(compare(results_of(replace(experiment, metric="log_loss"))), "bright")
    assert (effect.verdict, effect.p_better) == ("worse", 0.0)
    assert effect.g > 0, "the sign of the difference, as it stands"


@pytest.mark.parametrize("paired", [False, True])
def test_an_undecided_pair_tells_the_seeds_that_it_needs(experiment, paired):
    asked = replace(experiment, test=Paired() if paired else Welch())
    results = results_of(asked, lambda cell: 0.8 + 0.006 * bool(cell.spec.recipe) + noise(cell, 0.01))
    effects = [effect for effect in compare(results) if effect.tested]
    undecided = [effect for effect in effects if effect.verdict == "undecided" and not effect.note]
    assert undecided
    for effect in undecided:
        treatment, baseline = (list(told.values()) for told in (effect.scores, effect.baseline_scores))
        spread, other = np.std(treatment, ddof=1), np.std(baseline, ddof=1)
        together = np.corrcoef(treatment, baseline)[0, 1] if paired else 0.0
        design = Design(asked.declared_test, 5, spread, other, together, comparisons=2)
        need = seeds_to_decide(design, effect.estimate, asked.declared_margin)
        assert (effect.seeds_needed, effect.decided_as) == (need.seeds, need.verdict)
        assert need.seeds > 5


def test_what_is_decided_needs_no_seeds_and_what_cannot_be_says_so(experiment):
    decided = [effect for effect in compare(results_of(experiment)) if effect.tested]
    assert {effect.decided_as for effect in decided} == {""}
    assert all(math.isnan(effect.seeds_needed) for effect in decided)
    redrawn = replace(experiment, split=PerSeed(), test=None)  # the same photographs come back: seeds help little
    hopeless = results_of(redrawn, lambda cell: 0.5 + 0.0101 * bool(cell.spec.recipe) + noise(cell, 0.1))
    pooled = [effect for effect in compare(hopeless) if effect.tested and effect.pooled]
    effect = min(pooled, key=lambda effect: abs(effect.estimate))
    assert (effect.verdict, effect.decided_as) == ("undecided", "neither")
    assert math.isnan(effect.seeds_needed)


def test_pooled_over_a_single_condition_is_one_comparison_and_counted_once(experiment):
    """Bright and the baseline are together under adam only: twice in the family it would cost the others power."""
    partly = replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},))
    effects = compare(results_of(partly, lambda cell: 0.8 + noise(cell)))
    alone, pooled = find(effects, "bright", optimizer="adam"), find(effects, "bright")
    assert (pooled.p, pooled.p_adjusted, pooled.p_equivalent) == (alone.p, alone.p_adjusted, alone.p_equivalent)
    once = [effect for effect in effects if effect.tested and effect is not pooled]
    assert comparisons(effects) == len(once) == 4
    first = [effect for effect in once if effect.primary]
    assert [(effect.recipe, effect.pooled) for effect in first] == [("bright", False), ("contrast", True)]
    assert primaries(effects) == 2
    smallest = min(first, key=lambda effect: effect.p)
    assert smallest.p_adjusted == pytest.approx(min(1.0, 2 * smallest.p))
