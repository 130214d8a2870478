"""What each operation contributes, from made-up results: the declared test, conditions, missing seeds, notes."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from holms import holms
from made_up import noise, question, results_of
from scipy import stats

from ablation.analysis.comparison import CorrectedResampled, Dunnett, Paired, Welch
from ablation.analysis.welch import calibrated, level
from ablation.augment import Brightness, Contrast, Hue
from ablation.data import Fixed, PerSeed
from ablation.evidence.study import Study, compare
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.recipes import leave_one_out, powerset
from ablation.experiment.results import Results
from ablation.optim import Adam
from ablation.report.sections.attribution.compute import Contributions, DesignResult, contributions

PARTS = {"bright": Brightness(0.4), "contrast": Contrast(0.4), "hue": Hue(0.2)}
WORTH = {"Brightness": 0.05, "Contrast": -0.03, "Hue": 0.0}
ALONE = {"none": ()} | {name: (operation,) for name, operation in PARTS.items()} | {"all": tuple(PARTS.values())}


def asking(recipes=None, **changes) -> Experiment:
    return replace(question(), recipes=recipes or powerset(PARTS), **changes)


def additive(cell: Cell) -> float:
    return 0.7 + sum(WORTH[type(operation).__name__] for operation in cell.spec.recipe) + noise(cell)


def overlapping(cell: Cell) -> float:
    """Brightness and hue do the same work."""
    held = {type(operation).__name__ for operation in cell.spec.recipe}
    return 0.7 + 0.05 * bool(held & {"Brightness", "Hue"}) + noise(cell)


def found_in(experiment: Experiment, score: Callable[[Cell], float | str] = additive) -> DesignResult:
    result = contributions(Study(results_of(experiment, score)))
    assert result is not None
    return result


def table(results: Results, recipe: str, optimizer: str | None = None) -> np.ndarray:
    rows = results.finished[results.finished["recipe"] == recipe]
    rows = rows if optimizer is None else rows[rows["optimizer"] == optimizer]
    return rows.groupby("seed")["accuracy"].mean().to_numpy()


def estimates(one: Contributions) -> list[float]:
    return [each.estimate for each in one.each]


def test_every_condition_then_pooled_in_the_order_of_the_grid():
    result = found_in(asking())
    assert [one.condition for one in result.blocks] == [{"optimizer": "adam"}, {"optimizer": "sgd"}, {}]
    assert result.deciding.pooled
    assert {(one.seeds, one.planned, one.note) for one in result.blocks} == {(5, 5, "")}
    for one in result.blocks:
        assert estimates(one) == pytest.approx([0.05, -0.03, 0.0], abs=0.006)
        assert [each.p_adjusted < 0.05 for each in one.each] == [True, True, False]
        assert sum(estimates(one)) == pytest.approx(one.together.estimate)


def test_one_condition_is_not_pooled():
    result = found_in(asking(optimizers={"adam": Adam()}))
    assert [one.condition for one in result.blocks] == [{"optimizer": "adam"}]
    assert result.deciding is result.blocks[0]


@pytest.mark.parametrize("optimizer", ["adam", None])
def test_alone_it_is_the_comparison_with_the_baseline_with_its_own_corrected_p(optimizer):
    results = results_of(asking(ALONE), additive)
    result = contributions(Study(results))
    one = result.blocks[0] if optimizer else result.deciding
    assert result.plan.design == "add_one_in"
    for each, name in zip(one.each, PARTS, strict=True):
        scipys = stats.ttest_ind(table(results, name, optimizer), table(results, "none", optimizer), equal_var=False)
        assert each.p == pytest.approx(float(calibrated(scipys.pvalue, 5, 5)), rel=1e-9)
        if not optimizer:  # one of four primary comparisons
            interval = scipys.confidence_interval(1 - level(0.05 / 4, 5, 5))
            assert (each.low, each.high) == pytest.approx(tuple(interval), rel=1e-9)


def lacking(cell: Cell) -> float | str:
    """Hue lacks three seeds, so that other recipes have more than all of them share."""
    return "failed" if cell.factors["recipe"] == "hue" and cell.seed < 3 else additive(cell)


@pytest.mark.parametrize("score", [additive, lacking])
@pytest.mark.parametrize(
    ("test", "split"),
    [(Welch(), Fixed()), (Paired(), Fixed()), (Dunnett(), Fixed()), (CorrectedResampled(), PerSeed())],
)
def test_what_is_a_comparison_has_every_number_from_there(test, split, score):
    """Never an estimate and an interval of other runs than the p beside them, nor of another test."""
    results = results_of(asking(ALONE, test=test, split=split, seeds=6), score)
    result, effects = contributions(Study(results)), compare(results)
    for one in result.blocks:
        there = {effect.recipe: effect for effect in effects if effect.condition == one.condition}
        for gain, recipe in zip((*one.each, one.together), (*PARTS, "all"), strict=True):
            effect = there[recipe]
            assert gain.compared
            assert (gain.estimate, gain.low, gain.high) == (effect.estimate, effect.low, effect.high)
            assert (gain.p, gain.p_adjusted) == (effect.p, effect.p_adjusted)
            assert gain.p <= gain.p_adjusted + 1e-12


def test_over_other_conditions_than_the_comparison_it_is_a_question_of_its_own():
    """Contrast and all were not run under rms, where bright helps: nothing of that is in a sum over adam and sgd."""
    rules = tuple({"recipe": recipe, "optimizer": "rms"} for recipe in ("contrast", "all"))
    optimizers = question().optimizers | {"rms": Adam(lr=0.01)}

    def score(cell: Cell) -> float:
        return 0.7 + 0.1 * ((cell.factors["recipe"], cell.factors["optimizer"]) == ("bright", "rms")) + noise(cell)

    results = results_of(asking(ALONE, optimizers=optimizers, exclude=rules), score)
    adam, sgd, pooled = contributions(Study(results)).blocks
    assert pooled.condition == {}
    bright = pooled.each[0]
    groups = [
        (table(results, name, "adam") + table(results, name, "sgd")) / 2 for name in ("bright", "none")
    ]  # fmt: skip
    assert bright.estimate == pytest.approx(groups[0].mean() - groups[1].mean())
    welchs = stats.ttest_ind(*groups, equal_var=False).pvalue
    assert bright.p == pytest.approx(float(calibrated(welchs, 5, 5)), rel=1e-9)
    assert [gain.compared for gain in (*pooled.each, pooled.together)] == [False, True, False, True]
    assert {gain.compared for one in (adam, sgd) for gain in one.each} == {True}
    own = [gain for one in (adam, sgd, pooled) for gain in one.gains if not gain.compared]
    assert len(own) == 3 + 2, "three remainders, and two operations pooled"
    assert [gain.p_adjusted for gain in own] == pytest.approx(holms([gain.p for gain in own]))


def test_what_is_no_comparison_is_one_family_over_all_conditions():
    result = found_in(asking(leave_one_out(PARTS)))
    assert {one.together.compared for one in result.blocks} == {True}
    every = [gain for one in result.blocks for gain in (*one.each, one.beyond)]
    assert len(every) == 12
    assert {gain.compared for gain in every} == {False}
    adjusted = holms([gain.p for gain in every])
    assert [gain.p_adjusted for gain in every] == pytest.approx(adjusted)


def test_conditions_without_scores_count_in_the_family():
    result = found_in(
        asking(leave_one_out(PARTS)), lambda cell: "failed" if cell.factors["optimizer"] == "sgd" else additive(cell)
    )
    adam, sgd, pooled = result.blocks
    assert (len(adam.each), sgd.gains, pooled.gains) == (3, (), ())
    least = min((*adam.each, adam.beyond), key=lambda gain: gain.p)
    assert least.p_adjusted == pytest.approx(12 * least.p)


def test_all_together_and_what_is_beyond_the_sum():
    results = results_of(asking(ALONE), overlapping)
    one = contributions(Study(results)).deciding
    means = {name: table(results, name).mean() for name in ALONE}
    alone = sum(means[name] - means["none"] for name in PARTS)
    assert one.together.estimate == pytest.approx(means["all"] - means["none"])
    assert one.beyond.estimate == pytest.approx(means["all"] - means["none"] - alone)
    assert one.beyond.estimate == pytest.approx(-0.05, abs=0.01)
    assert one.beyond.p < 0.001


def test_beside_shapleys_values_stands_what_each_does_alone_and_last():
    one = found_in(asking(), overlapping).deciding
    assert estimates(one) == pytest.approx([0.025, 0.0, 0.025], abs=0.005)
    assert [gain.alone for gain in one.each] == pytest.approx([0.05, 0.0, 0.05], abs=0.006)
    assert [gain.last for gain in one.each] == pytest.approx([0.0, 0.0, 0.0], abs=0.006)
    for recipes in (ALONE, leave_one_out(PARTS)):
        other = found_in(asking(recipes)).deciding
        assert all(math.isnan(gain.alone) and math.isnan(gain.last) for gain in other.each)


@pytest.mark.parametrize(
    ("test", "split", "share"), [(Paired(), Fixed(), 0.0), (CorrectedResampled(), PerSeed(), 40 / 60)]
)
def test_a_declared_pairing_is_over_the_seeds_that_all_recipes_have(test, split, share):
    """For what is no comparison with the baseline."""
    lost = {"without bright": 0, "all": 3}
    experiment = asking(leave_one_out(PARTS), test=test, split=split, optimizers={"adam": Adam()}, seeds=6)
    results = results_of(
        experiment, lambda cell: "failed" if lost.get(cell.factors["recipe"]) == cell.seed else additive(cell)
    )
    one = contributions(Study(results)).deciding
    assert (one.seeds, one.planned) == (4, 6)
    rows = results.finished[results.finished["seed"].isin([1, 2, 4, 5])].pivot(
        index="seed", columns="recipe", values="accuracy"
    )
    apart = (rows["all"] - rows["without bright"]).to_numpy()
    half = stats.t.ppf(0.975, 3) * apart.std(ddof=1) * math.sqrt(1 / 4 + share)
    assert one.each[0].estimate == pytest.approx(apart.mean())
    assert (one.each[0].low, one.each[0].high) == pytest.approx((apart.mean() - half, apart.mean() + half))


def test_unpaired_each_recipe_has_its_own_seeds_and_pooled_only_whole_ones():
    def score(cell: Cell) -> float | str:
        lost = (cell.factors["recipe"], cell.factors["optimizer"]) == ("bright", "adam") and cell.seed in (1, 3)
        return "failed" if lost else additive(cell)

    results = results_of(asking(ALONE), score)
    adam, sgd, pooled = contributions(Study(results)).blocks
    assert [one.seeds for one in (adam, sgd, pooled)] == [3, 5, 3]
    whole = table(results, "bright")[[0, 2, 4]]
    assert estimates(pooled)[0] == pytest.approx(whole.mean() - table(results, "none").mean())
    assert adam.each[1].estimate == pytest.approx(
        table(results, "contrast", "adam").mean() - table(results, "none", "adam").mean()
    )


def test_conditions_without_a_recipe_of_the_design_are_left_out():
    rules = ({"recipe": "hue", "optimizer": "sgd"},)
    result = found_in(asking(ALONE, exclude=rules))
    assert [one.condition for one in result.blocks] == [{"optimizer": "adam"}]
    everywhere = tuple({"recipe": name, "optimizer": number} for name, number in (("hue", "sgd"), ("bright", "adam")))
    assert contributions(Study(results_of(asking(ALONE, exclude=everywhere), additive))) is None


def test_no_design_no_answer():
    assert contributions(Study(results_of(question()))) is None


def test_what_cannot_be_claimed_says_why():
    few = found_in(asking(seeds=2)).deciding
    assert (few.note, len(few.each)) == ("no claim under 3 seeds", 3)
    none = found_in(asking(), lambda cell: "planned").deciding
    assert (none.note, none.gains, none.seeds) == ("too few finished seeds", (), 0)
    still = found_in(asking(), lambda cell: 0.5 + 0.1 * len(cell.spec.recipe)).deciding
    assert still.note == "no spread over seeds: the test cannot judge"
    lost = found_in(asking(), lambda cell: "diverged" if cell.spec.recipe and cell.seed == 0 else additive(cell))
    assert lost.deciding.note == "14 failed or diverged here: no claim on those that are left"
    assert lost.blocks[0].note.startswith("7 failed or diverged here")


def test_a_diverged_run_of_a_recipe_that_takes_no_part_does_not_matter():
    recipes = ALONE | {"other": (Hue(0.4),)}
    result = found_in(asking(recipes), lambda cell: "diverged" if cell.factors["recipe"] == "other" else additive(cell))
    assert result.deciding.note == ""
    assert result.plan.left_out == {"other": "it makes no complete design with the others"}
