"""Recipes under several conditions: analyses are those of statsmodels and scipy, and what is missing is not hidden."""

import math
from dataclasses import replace

import numpy as np
import pytest
from interaction_grids import but, grid, result_of
from made_up import alike, noise, results_of, usual
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablation import CorrectedResampled, Dunnett, Paired, Welch
from ablation.augment import Brightness
from ablation.core.seeds import stream
from ablation.data import PerSeed
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell, Experiment
from ablation.experiment.results import Results
from ablation.optim import SGD, Adam, RMSprop
from ablation.report.sections.interaction.compute import NO_SPREAD, TOO_FEW_RUNS, Conditions, conditions

ADAM, ON_SGD = "optimizer=adam", "optimizer=sgd"
BRIGHT_WITHOUT_SGD = ({"recipe": "bright", "optimizer": "sgd"},)


@pytest.fixture
def experiment() -> Experiment:
    return grid()


def depends(cell: Cell) -> float:
    """Bright is best under adam and worst under sgd."""
    gain = {"none": 0.0, "bright": 0.05, "contrast": 0.03}[cell.factors["recipe"]]
    return 0.8 + gain * (1 if cell.factors["optimizer"] == "adam" else -1) + noise(cell)


def of_results(results: Results) -> Conditions | None:
    return conditions(Study(results))


def shares(result: Conditions) -> list[float]:
    return [term.partial_eta2 for term in result.anova.terms]


def oracle(results: Results, formula: str) -> dict[str, tuple[int, float]]:
    """Each term -> its degrees of freedom and partial eta squared."""
    done = results.finished.drop_duplicates("id").rename(columns={results.experiment.metric: "y"})
    lines = anova_lm(ols(formula, done).fit(), typ=2)
    rest = lines.loc["Residual", "sum_sq"]
    return {name: (line["df"], line["sum_sq"] / (line["sum_sq"] + rest)) for name, line in lines.iterrows()}


@pytest.mark.parametrize("score", [usual, depends, but(depends, none_adam_3="failed", bright_sgd_1="planned")])
def test_the_analysis_is_statsmodels_of_the_finished_runs(experiment, score):
    results = results_of(experiment, score)
    result, expected = of_results(results), oracle(results, "y ~ C(recipe) * C(optimizer)")
    assert result.factors == ("optimizer",)
    for term in result.anova.terms:
        line = expected[":".join(f"C({name})" for name in term.factors)]
        assert (term.df, term.partial_eta2) == pytest.approx(line)
    assert (result.anova.runs, result.overlap) == (len(results.finished), 0)


def test_every_varied_factor_is_in_it_and_what_does_not_vary_is_not(experiment):
    results = results_of(replace(experiment, vary={"dropout": (0.0, 0.3), "batch_size": (32,)}))
    result = of_results(results)
    assert result.factors == ("optimizer", "dropout")
    assert len(result.anova.terms) == 7
    assert list(result.levels.values())[1] == {"optimizer": "adam", "dropout": "0.3", "batch_size": "32"}
    expected = oracle(results, "y ~ C(recipe) * C(optimizer) * C(dropout)")
    assert result.anova.term("dropout", "recipe").partial_eta2 == pytest.approx(expected["C(recipe):C(dropout)"][1])


def test_seeds_are_blocks_where_the_test_pairs_them(experiment):
    def lucky(cell: Cell) -> float:
        return usual(cell) + 0.02 * cell.seed

    results = results_of(replace(experiment, test=Paired()), lucky)
    expected = oracle(results, "y ~ C(seed) + C(recipe) * C(optimizer)")
    result = of_results(results).anova.term("recipe", "optimizer")
    assert result.partial_eta2 == pytest.approx(expected["C(recipe):C(optimizer)"][1])
    blind = result_of(experiment, lucky).anova.term("recipe", "optimizer")
    assert result.partial_eta2 > 5 * blind.partial_eta2


def test_a_split_that_is_redrawn_is_allowed_for(experiment):
    """40 test images beside 60 to train on."""
    fixed = result_of(replace(experiment, test=Paired()), depends)
    redrawn = results_of(replace(experiment, split=PerSeed(), test=CorrectedResampled()), depends)
    result = of_results(redrawn)
    assert result.overlap == pytest.approx(2 / 3)
    assert fixed.overlap == 0
    scores = [result.cells[recipe][ON_SGD].scores for recipe in ("none", result.winner.overall)]
    gains = np.array(list(scores[0].values())) - np.array(list(scores[1].values()))
    t = gains.mean() / math.sqrt((1 / 5 + 2 / 3) * gains.var(ddof=1))
    rival = next(rival for rival in result.winner.rivals if (rival.condition, rival.recipe) == (ON_SGD, "none"))
    assert rival.difference.p_value() == pytest.approx(2 * stats.t.sf(abs(t), 4))


def test_the_contrasts_are_of_the_finished_runs_of_each_cell(experiment):
    """Two recipes, one contrast each: by hand from the table, paired and not."""
    results = results_of(experiment, but(depends, none_adam_3="failed"))
    result = of_results(results).contrasts
    assert [(one.recipe, one.factor, one.level, one.others) for one in result] == [
        ("bright", "optimizer", "adam", ("sgd",)), ("contrast", "optimizer", "adam", ("sgd",)),
    ]  # fmt: skip
    done = results.finished.set_index(["recipe", "optimizer", "seed"])["accuracy"].sort_index()
    effect = {name: done["bright", name].mean() - done["none", name].mean() for name in ("adam", "sgd")}
    assert (result[0].effect, result[0].elsewhere) == pytest.approx(tuple(effect.values()))
    assert result[0].difference.estimate == pytest.approx(effect["adam"] - effect["sgd"])
    assert result[0].p_adjusted < 0.05
    paired = of_results(replace(results, experiment=replace(experiment, test=Paired()))).contrasts[0]
    each = done["bright", "adam"] - done["none", "adam"] - done["bright", "sgd"] + done["none", "sgd"]
    assert len(each.dropna()) == 4
    assert paired.p == pytest.approx(stats.ttest_1samp(each.dropna(), 0).pvalue)


def test_contrasts_allow_for_a_split_that_is_redrawn(experiment):
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    results = results_of(redrawn, depends)
    result = of_results(results)
    done = results.finished.set_index(["recipe", "optimizer", "seed"])["accuracy"].sort_index()
    each = done["bright", "adam"] - done["none", "adam"] - done["bright", "sgd"] + done["none", "sgd"]
    assert result.contrasts[0].difference.error == pytest.approx(math.sqrt((1 / 5 + 2 / 3) * each.var()))


def test_contrasts_count_what_the_grid_plans(experiment):
    """Rms is silent, bright diverged under adam: three contrasts a recipe are planned, of bright none is left."""
    wider = replace(experiment, optimizers={**experiment.optimizers, "rms": RMSprop(lr=0.01)})
    fates = {f"{recipe}_rms_{seed}": "failed" for recipe in wider.recipes for seed in range(5)}
    result = result_of(wider, but(depends, bright_adam_0="diverged", **fates)).contrasts
    assert [(one.recipe, one.level) for one in result if not math.isnan(one.p)] == [("contrast", "adam")]
    assert len(result) == 6
    (judged,) = (one for one in result if not math.isnan(one.p))
    assert judged.p_adjusted == pytest.approx(6 * judged.p)


def test_the_winner_and_its_rivals_by_hand(experiment):
    """Overall none, as the others lose under sgd what they gain under adam, and a little more."""
    results = results_of(experiment, lambda cell: depends(cell) - 0.01 * (cell.factors["recipe"] != "none"))
    result = of_results(results)
    assert (result.needed, result.ranked, result.left_out) == (3, ("none", "bright", "contrast"), {})
    assert (result.winner.overall, result.winner.survives, result.winner.same) == ("none", False, False)
    assert result.winner.best == {ADAM: "bright", ON_SGD: "none"}
    assert [(rival.condition, rival.recipe) for rival in result.winner.rivals] == [(ADAM, "bright"), (ADAM, "contrast")]
    done = results.finished.set_index(["recipe", "optimizer"])["accuracy"].sort_index()
    single = Welch().difference(done["bright", "adam"], done["none", "adam"], 0.0).p_value()
    assert result.winner.rivals[0].p >= single
    assert result.winner.rivals[0].difference.p_value() == pytest.approx(single)
    assert result.ranks.average == (2.0, 2.0, 2.0)
    assert result.ranks.kendall_w == 0


def test_where_less_is_better_the_lowest_wins(experiment):
    result = result_of(replace(experiment, metric="log_loss"), usual)
    assert (result.winner.overall, result.winner.same) == ("contrast", True)
    assert result.ranks.average == (2.0, 3.0, 1.0)
    assert result_of(experiment, usual).ranks.average == (2.0, 1.0, 3.0)


@pytest.mark.parametrize("change", [{"optimizers": {"adam": Adam()}}, {"recipes": {"none": ()}}])
def test_with_one_condition_or_one_recipe_there_is_nothing_to_tell(experiment, change):
    assert result_of(replace(experiment, **change)) is None


def test_before_the_second_condition_or_recipe_has_finished_there_is_nothing_to_tell(experiment):
    assert result_of(experiment, lambda _: "planned") is None
    only_adam = results_of(experiment, lambda cell: usual(cell) if cell.factors["optimizer"] == "adam" else "failed")
    assert of_results(only_adam) is None
    only_none = results_of(experiment, lambda cell: usual(cell) if cell.factors["recipe"] == "none" else "running")
    assert of_results(only_none) is None


def test_a_condition_where_nothing_finished_is_silent_and_not_a_level(experiment):
    wider = replace(experiment, optimizers={**experiment.optimizers, "rms": RMSprop(lr=0.01)})
    result = result_of(wider, lambda cell: "failed" if cell.factors["optimizer"] == "rms" else usual(cell))
    assert [condition["optimizer"] for condition in result.silent] == ["rms"]
    assert list(result.levels) == [ADAM, ON_SGD]
    assert result.anova.term("optimizer").df == 1
    assert result.statuses == {"finished": 30, "failed": 15}
    assert result.ranked == ("none", "bright", "contrast")


def test_a_recipe_that_a_condition_lacks_is_not_ranked_but_may_be_a_rival(experiment):
    result = result_of(replace(experiment, exclude=BRIGHT_WITHOUT_SGD))
    assert result.ranked == ("none", "contrast")
    assert result.left_out == {"bright": ON_SGD}
    assert (result.winner.overall, result.winner.survives) == ("none", False)
    assert [(rival.condition, rival.recipe) for rival in result.winner.rivals] == [(ADAM, "bright")]
    assert result.anova.term("recipe", "optimizer").df == 1
    assert len(result.ranks.average) == 2


@pytest.mark.parametrize(
    ("fates", "ranked"),
    [
        ({"contrast_adam_0": "diverged"}, ("none", "bright")),
        ({"contrast_adam_0": "failed", "contrast_adam_1": "failed"}, ("none", "bright", "contrast")),
        ({f"contrast_adam_{seed}": "failed" for seed in (0, 1, 2)}, ("none", "bright")),
    ],
)
def test_a_mean_is_ranked_with_three_seeds_none_of_which_diverged(experiment, fates, ranked):
    result = result_of(experiment, but(usual, **fates))
    assert (result.needed, result.ranked) == (3, ranked)
    assert list(result.left_out) == [name for name in ("contrast",) if name not in ranked]
    assert result.statuses["finished"] == 30 - len(fates) == result.anova.runs
    assert result.cells["contrast"][ADAM].planned == 5


def test_under_three_seeds_means_are_ranked_and_nothing_is_to_be_concluded(experiment):
    for seeds in (1, 2):
        result = result_of(replace(experiment, seeds=seeds))
        assert (result.needed, result.seeds, result.ranked) == (1, seeds, ("none", "bright", "contrast"))
        assert result.winner.overall == "bright"


def test_where_one_recipe_alone_is_everywhere_nobody_wins(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    result = result_of(replace(experiment, exclude=one_each))
    assert (result.ranked, result.winner, result.ranks) == (("none",), None, None)
    assert result.left_out == {"bright": ON_SGD, "contrast": ADAM}
    assert not result.no_anova


def test_two_names_for_the_same_runs_count_once_under_the_first_or_the_baselines(experiment):
    once = result_of(experiment)
    named = {"zero": (Brightness(0.0),), **experiment.recipes, "again": (Brightness(0.4),)}
    named["none"] = (Brightness(0.0),)
    twice = result_of(replace(experiment, recipes=named))
    assert twice.duplicates == {("recipe", "zero"): "none", ("recipe", "again"): "bright"}
    assert list(twice.cells) == ["none", "bright", "contrast"]
    assert twice.anova.term("recipe").df == 2
    assert twice.statuses == once.statuses == {"finished": 30}
    also = result_of(replace(experiment, optimizers={**experiment.optimizers, "also": SGD(lr=0.1)}))
    assert also.duplicates == {("optimizer", "also"): "sgd"}
    assert also.anova == once.anova


def test_a_second_name_fills_where_the_first_is_kept_out(experiment):
    """`again` is under sgd alone what `bright` is under adam alone: one recipe, everywhere."""
    recipes = {**experiment.recipes, "again": (Brightness(0.4),)}
    result = result_of(replace(experiment, recipes=recipes, exclude=BRIGHT_WITHOUT_SGD), alike)
    assert result.ranked == ("none", "bright", "contrast")
    assert shares(result) == pytest.approx(shares(result_of(experiment, alike)))


def test_different_recipes_whose_scores_are_alike_are_not_one(experiment):
    result = result_of(experiment, lambda cell: 0.8 + 0.01 * cell.seed)
    assert result.duplicates == {}
    assert result.anova.term("recipe").partial_eta2 == pytest.approx(0, abs=1e-9)


def test_why_there_is_no_analysis_is_told(experiment):
    single = result_of(replace(experiment, seeds=1))
    assert single.no_anova == TOO_FEW_RUNS
    flat = result_of(experiment, lambda cell: 0.8 + 0.1 * (cell.factors["recipe"] == "bright"))
    assert flat.no_anova == NO_SPREAD
    assert flat.winner.overall == "bright"


def test_a_score_that_is_no_number_is_counted_and_left_out(experiment):
    result = result_of(experiment, lambda cell: math.inf if cell.seed == 4 else usual(cell))
    assert result.statuses == {"finished": 24, "without a finite score": 6}
    assert result.anova.runs == 24


def test_the_order_and_names_of_recipes_change_no_number(experiment):
    first = result_of(experiment, depends)
    turned = replace(experiment, recipes=dict(reversed(experiment.recipes.items())))
    again = result_of(turned, depends)
    assert shares(again) == pytest.approx(shares(first))
    assert again.winner.overall == first.winner.overall


FEW_GRIDS = [(Welch(), 0.0, 3), (Welch(), 0.02, 3), (Paired(), 0.0, 3), (Paired(), 0.02, 3), (Dunnett(), 0.02, 3)]
MANY_GRIDS = [(test, gain, 20) for test in (Welch(), Paired(), Dunnett()) for gain in (0.0, 0.012)]


@pytest.mark.parametrize(
    ("test", "gain", "grids"),
    FEW_GRIDS + [pytest.param(*case, marks=pytest.mark.slow) for case in MANY_GRIDS],
    ids=str,
)
def test_what_is_said_of_the_baseline_is_what_compare_says(experiment, test, gain, grids):
    """Of these grids none beats the winner, and none is shown to be behind it, where `compare` has no such verdict."""
    claims = 0
    for draw in range(grids):

        def score(cell: Cell, draw: int = draw) -> float:
            up = gain * (cell.factors["recipe"] == "bright")
            luck = stream(cell.seed, "luck", draw, *cell.factors.values())
            return 0.8 + up + float(luck.normal(0, 0.01))

        study = Study(results_of(replace(experiment, test=test), score))
        effects, result = study.effects, conditions(study).winner
        by_condition = {(one.recipe, key_of(one.condition)): one for one in effects if one.tested}
        for rival in result.rivals:
            if experiment.baseline in (rival.recipe, result.overall):
                other = rival.recipe if result.overall == experiment.baseline else result.overall
                assert (rival.declared, rival.p) == (True, by_condition[other, rival.condition].p_adjusted)
        for recipe in {*experiment.recipes} - {result.overall, *result.contenders}:
            if experiment.baseline in (recipe, result.overall):
                other = recipe if result.overall == experiment.baseline else result.overall
                claims += 1
                assert {one.verdict for one in by_condition.values() if one.recipe == other} & {"better", "worse"}
    assert claims or not gain, "nothing was there to disagree about"


def key_of(condition: dict[str, str]) -> str:
    return ", ".join(f"{factor}={level}" for factor, level in condition.items())
