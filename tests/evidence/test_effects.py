"""What results mean: the declared test for each recipe, one family for Holm, and a verdict only where there is one."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import noise, question, results_of, usual
from scipy import stats

from ablation import Dunnett, Paired
from ablation.analysis.effect_size import hedges_g, p_better
from ablation.analysis.power import Design, seeds_to_decide
from ablation.augment import Brightness, Contrast
from ablation.data import Fixed, PerSeed
from ablation.evidence.effects import Effect, compare, comparisons
from ablation.experiment import Cell, Experiment
from ablation.optim import SGD, Adam
from ablation.results import Results


@pytest.fixture
def experiment() -> Experiment:
    return question()


def scores(results: Results, recipe: str, optimizer: str | None = None) -> np.ndarray:
    """The score of each seed, averaged over optimizers."""
    rows = results.finished[results.finished["recipe"] == recipe]
    rows = rows if optimizer is None else rows[rows["optimizer"] == optimizer]
    return rows.groupby("seed")[results.experiment.metric].mean().to_numpy()


def find(effects: tuple[Effect, ...], recipe: str, **condition: str) -> Effect:
    (found,) = (effect for effect in effects if (effect.recipe, effect.condition) == (recipe, condition))
    return found


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
def test_an_effect_is_scipys_welch_test_of_the_scores(experiment, optimizer):
    """Pooled, the score of a seed is its mean over the conditions."""
    results = results_of(experiment)
    effect = find(compare(results), "bright", **({"optimizer": optimizer} if optimizer else {}))
    treatment, baseline = scores(results, "bright", optimizer), scores(results, "none", optimizer)
    scipys = stats.ttest_ind(treatment, baseline, equal_var=False)
    assert effect.estimate == pytest.approx(treatment.mean() - baseline.mean())
    assert effect.p == pytest.approx(scipys.pvalue)
    assert (effect.low, effect.high) == pytest.approx(tuple(scipys.confidence_interval(0.95)))
    assert (effect.mean, effect.sd) == pytest.approx((treatment.mean(), treatment.std(ddof=1)))
    assert effect.macro_f1_difference == pytest.approx(effect.estimate)


def test_a_redrawn_split_is_judged_by_the_corrected_resampled_test(experiment):
    results = results_of(replace(experiment, split=PerSeed()))
    paired = scores(results, "bright", "adam") - scores(results, "none", "adam")
    statistic = paired.mean() / math.sqrt((1 / 5 + 40 / 60) * paired.var(ddof=1))  # n_test / n_train of the table
    assert find(compare(results), "bright", optimizer="adam").p == pytest.approx(2 * stats.t.sf(statistic, 4))


def test_holm_counts_every_comparison_that_is_shown_the_pooled_ones_too(experiment):
    effects = [effect for effect in compare(results_of(experiment, noise)) if effect.verdict != "baseline"]
    assert len(effects) == 6
    highest = 0.0
    for rank, effect in enumerate(sorted(effects, key=lambda effect: effect.p)):
        highest = max(highest, min(1.0, (6 - rank) * effect.p))
        assert effect.p_adjusted == pytest.approx(highest)


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
    two = replace(experiment, recipes={"none": (), "bright": recipe}, seeds=2, split=split, margin=1.0)
    for effect in compare(results_of(two)):
        assert effect.recipe == "none" or (effect.verdict, effect.note) == ("undecided", "no verdict under 3 seeds")
        assert effect.recipe == "none" or not math.isnan(effect.estimate)


def test_missing_runs_are_in_no_mean_and_are_visible(experiment):
    def score(cell: Cell) -> float | str:
        lost = (cell.factors["recipe"], cell.factors["optimizer"]) == ("bright", "adam") and cell.seed in (1, 3)
        return ("failed" if cell.seed == 1 else "diverged") if lost else usual(cell)

    results = results_of(experiment, score)
    effects = compare(results)
    effect = find(effects, "bright", optimizer="adam")
    assert (effect.seeds, effect.planned) == (3, 5)
    assert effect.mean == pytest.approx(scores(results, "bright", "adam").mean())
    assert len(scores(results, "bright", "adam")) == 3
    assert (find(effects, "bright", optimizer="sgd").seeds, find(effects, "none", optimizer="adam").seeds) == (5, 5)
    pooled = find(effects, "bright")
    assert (pooled.seeds, pooled.planned) == (3, 5), "a seed counts only where it finished under every condition"
    whole = [seed in (0, 2, 4) for seed in range(5)]
    assert pooled.mean == pytest.approx(scores(results, "bright")[whole].mean())


def test_what_cannot_be_judged_says_why(experiment):
    none_finished = results_of(experiment, lambda cell: "planned")
    assert {(effect.verdict, effect.note) for effect in compare(none_finished) if effect.recipe != "none"} == {
        ("undecided", "too few finished seeds")
    }
    assert all(math.isnan(effect.mean) and effect.seeds == 0 for effect in compare(none_finished))
    constant = results_of(experiment, lambda cell: 0.7 if cell.spec.recipe else 0.1)
    effect = find(compare(constant), "bright", optimizer="adam")
    assert (effect.verdict, effect.note) == ("undecided", "no spread over seeds: the test cannot judge")
    assert effect.estimate == pytest.approx(0.6)


def test_a_paired_test_of_runs_that_share_no_seed_is_not_made(experiment):
    """Baseline and recipe finished in two seeds each, but not in the same."""
    half = replace(experiment, split=PerSeed(), seeds=4)
    results = results_of(half, lambda cell: usual(cell) if bool(cell.spec.recipe) == (cell.seed < 2) else "failed")
    assert {effect.note for effect in compare(results) if effect.recipe != "none"} == {"too few finished seeds"}


def test_a_paired_test_takes_the_seeds_that_both_have(experiment):
    lost = {"none": 0, "bright": 4}
    results = results_of(
        replace(experiment, split=PerSeed()),
        lambda cell: "failed" if lost.get(cell.factors["recipe"]) == cell.seed else usual(cell),
    )
    effect = find(compare(results), "bright", optimizer="adam")
    paired = scores(results, "bright", "adam")[1:] - scores(results, "none", "adam")[:-1]
    assert effect.estimate == pytest.approx(effect.macro_f1_difference) == pytest.approx(paired.mean())


def test_excluded_cells_are_in_no_comparison(experiment):
    rules = ({"recipe": "bright", "optimizer": "sgd"},)
    effects = compare(results_of(replace(experiment, exclude=rules)))
    assert [(effect.recipe, effect.condition.get("optimizer")) for effect in effects] == [
        *(("none", "adam"), ("bright", "adam"), ("contrast", "adam"), ("none", "sgd"), ("contrast", "sgd")),
        *(("none", None), ("bright", None), ("contrast", None)),
    ]
    alone, pooled = find(effects, "bright", optimizer="adam"), find(effects, "bright")
    assert (pooled.estimate, pooled.p, pooled.seeds) == (alone.estimate, alone.p, 5)


def test_where_the_baseline_is_excluded_nothing_is_compared_with_it(experiment):
    results = results_of(replace(experiment, exclude=({"recipe": "none", "optimizer": "sgd"},)))
    effects = compare(results)
    lonely = [effect for effect in effects if effect.condition.get("optimizer") == "sgd"]
    assert [effect.note for effect in lonely] == ["nowhere beside the baseline"] * 2
    effects = [effect for effect in effects if effect not in lonely]
    assert find(effects, "bright").estimate == pytest.approx(find(effects, "bright", optimizer="adam").estimate)


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


def test_one_condition_is_not_pooled(experiment):
    effects = compare(results_of(replace(experiment, optimizers={"adam": Adam()})))
    assert [effect.pooled for effect in effects] == [False] * 3


def test_diverged_seeds_leave_no_verdict_on_the_survivors(experiment):
    def fates(cell):
        return "diverged" if cell.factors["recipe"] == "bright" and cell.seed == 0 else 0.8 + 0.01 * cell.seed

    effect = find(compare(results_of(experiment, fates)), "bright", optimizer="adam")
    assert (effect.seeds, effect.verdict) == (4, "undecided")
    assert effect.note == "1 diverged here: no verdict on those that are left"


def test_each_effect_tells_its_scores_and_how_large_it_is(experiment):
    results = results_of(experiment)
    for optimizer in ("adam", "sgd", None):
        effect = find(compare(results), "bright", **({"optimizer": optimizer} if optimizer else {}))
        treatment, baseline = scores(results, "bright", optimizer), scores(results, "none", optimizer)
        assert effect.scores == pytest.approx(dict(enumerate(treatment)))
        assert effect.baseline_scores == pytest.approx(dict(enumerate(baseline)))
        chance, size = p_better(treatment, baseline), hedges_g(treatment, baseline)
        assert (effect.p_better, effect.p_better_low, effect.p_better_high) == pytest.approx(
            (chance.estimate, chance.low, chance.high)
        )
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
    asked = replace(experiment, test=Paired() if paired else None)
    results = results_of(asked, lambda cell: 0.8 + 0.006 * bool(cell.spec.recipe) + noise(cell, 0.01))
    effects = [effect for effect in compare(results) if effect.tested]
    undecided = [effect for effect in effects if effect.verdict == "undecided"]
    assert undecided
    for effect in undecided:
        treatment, baseline = (list(told.values()) for told in (effect.scores, effect.baseline_scores))
        spread, other = np.std(treatment, ddof=1), np.std(baseline, ddof=1)
        together = np.corrcoef(treatment, baseline)[0, 1] if paired else 0.0
        design = Design(asked.declared_test, 5, spread, other, together, 40 / 60, len(effects))
        need = seeds_to_decide(design, effect.estimate, asked.margin)
        assert (effect.seeds_needed, effect.decided_as) == (need.seeds, need.verdict)
        assert need.seeds > 5


def test_what_is_decided_needs_no_seeds_and_what_cannot_be_says_so(experiment):
    decided = [effect for effect in compare(results_of(experiment)) if effect.tested]
    assert {effect.decided_as for effect in decided} == {""}
    assert all(math.isnan(effect.seeds_needed) for effect in decided)
    redrawn = replace(experiment, split=PerSeed())  # the same photographs come back: more seeds help only so far
    hopeless = results_of(redrawn, lambda cell: 0.5 + 0.0101 * bool(cell.spec.recipe) + noise(cell, 0.3))
    effect = min((effect for effect in compare(hopeless) if effect.tested), key=lambda effect: abs(effect.estimate))
    assert (effect.verdict, effect.decided_as) == ("undecided", "neither")
    assert math.isnan(effect.seeds_needed)


def fewer_of_the_baseline(cell: Cell) -> float | str:
    return "failed" if cell.factors["recipe"] == "none" and cell.seed > 2 else usual(cell)


@pytest.mark.parametrize(("test", "seeds"), [(None, 5), (Paired(), 3)])
def test_mean_sd_and_seeds_are_those_of_the_runs_that_were_compared(experiment, test, seeds):
    """A paired test drops the seeds that the baseline lacks, and with them their scores."""
    effect = find(compare(results_of(replace(experiment, test=test), fewer_of_the_baseline)), "bright")
    assert (effect.seeds, effect.baseline_seeds, effect.planned) == (seeds, 3, 5)
    compared, baseline = (np.array(list(told.values())) for told in (effect.scores, effect.baseline_scores))
    assert (len(compared), effect.mean, effect.sd) == (seeds, compared.mean(), compared.std(ddof=1))
    assert effect.mean - baseline.mean() == pytest.approx(effect.estimate)


def test_pooled_over_a_single_condition_is_one_comparison_and_counted_once(experiment):
    """Bright and the baseline are together under adam only: twice in Holm's family it would cost the others power."""
    partly = replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},))
    effects = compare(results_of(partly, lambda cell: 0.8 + noise(cell)))
    alone, pooled = find(effects, "bright", optimizer="adam"), find(effects, "bright")
    assert (pooled.p, pooled.p_adjusted, pooled.p_equivalent) == (alone.p, alone.p_adjusted, alone.p_equivalent)
    once = [effect for effect in effects if effect.tested and effect is not pooled]
    assert comparisons(effects) == len(once) == 4
    smallest = min(once, key=lambda effect: effect.p)
    assert smallest.p_adjusted == pytest.approx(min(1.0, 4 * smallest.p))


@pytest.mark.parametrize("lost", [math.nan, math.inf])
@pytest.mark.parametrize("test", [None, Paired(), Dunnett()], ids=str)
def test_a_score_that_is_no_number_is_in_no_mean_and_no_test(experiment, test, lost):
    def score(cell: Cell) -> float:
        return lost if cell.factors["recipe"] == "bright" and cell.seed == 2 else usual(cell)

    effect = find(compare(results_of(replace(experiment, test=test), score)), "bright")
    assert (effect.seeds, effect.planned, effect.verdict) == (4, 5, "better")
    assert math.isfinite(effect.mean)
