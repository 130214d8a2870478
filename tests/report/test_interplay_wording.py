"""Does the winner survive the optimizer? Each way that it can end, in the words that are told; sizes are worked out."""

from dataclasses import replace

import pytest
from interplays import FOUR, but, scores
from made_up import question, results_of, usual

from ablation import PerSeed
from ablation.augment import Brightness
from ablation.evidence.interplay import interplay
from ablation.experiment import Cell, Experiment
from ablation.optim import Adam, RMSprop
from ablation.report import interplay_table as table
from ablation.report.interplay_wording import beyond_chance, f_text, fold, sentence, title
from ablation.report.wording import NONE


@pytest.fixture
def experiment() -> Experiment:
    return question()


def told(experiment: Experiment, score) -> tuple[str, str]:
    """The sentence: who wins, and whether effects depend on the conditions."""
    winner, _, dependence = sentence(interplay(results_of(experiment, score)), experiment).rpartition("; ")
    return winner, dependence


def test_one_wins_everywhere_and_others_are_not_shown_to_be_behind(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.002, "contrast": -0.05})))
    (term,) = (term for term in found.anova.terms if len(term.factors) == 2)
    assert title(found) == "Does the winner survive a change of optimizer?"
    assert sentence(found, experiment) == (
        "bright has the highest mean accuracy under adam and sgd alike, though the baseline none is not shown to be "
        f"behind it; that the effect of a recipe depends on the optimizer is not shown (recipe × optimizer: F(2, 24) = "
        f"{term.f:.2f}, Holm p = 1.000, partial η² 0.00, 90 % interval 0.00 to 0.00)."
    )


def test_a_clear_winner_needs_no_addition(experiment):
    winner, _ = told(experiment, scores({"bright": 0.05, "contrast": -0.05}))
    assert winner == "bright has the highest mean accuracy under adam and sgd alike"


def test_many_who_may_be_as_good_are_counted(experiment):
    many = replace(
        experiment, recipes={"none": (), **{f"b{place}": (Brightness(place / 10),) for place in range(1, 6)}}
    )
    winner, _ = told(many, scores({"b3": 0.001}))
    assert (
        winner
        == "b3 has the highest mean accuracy under adam and sgd alike, though 5 others are not shown to be behind it"
    )


def test_the_baseline_may_win(experiment):
    winner, _ = told(experiment, scores({"bright": -0.03, "contrast": -0.001}))
    assert winner == (
        "No recipe has a higher mean accuracy than the baseline none, under adam and sgd alike, though contrast is not "
        "shown to be behind it"
    )


def test_another_is_ahead_somewhere_which_may_be_chance(experiment):
    winner, dependence = told(experiment, scores({"bright": 0.004}, {"none": 0.002, "bright": 0.001}))
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together; under sgd the baseline none is ahead by 0.1 "
        "points (Holm p = 1.000), which is not shown to be more than chance"
    )
    assert dependence.startswith(
        "that the effect of a recipe depends on the optimizer is not shown (recipe × optimizer: F"
    )


def test_the_winner_is_beaten_somewhere(experiment):
    winner, dependence = told(
        experiment, scores({"bright": 0.06, "contrast": 0.0}, {"bright": 0.01, "contrast": 0.031})
    )
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together, but under sgd contrast beats it by 2.1 "
        "points (Holm p < .001 over 2 pairs with bright): the winner does not survive the change of optimizer"
    )
    assert dependence.startswith("how much a recipe helps depends on the optimizer (recipe × optimizer: F(2, 24) = ")
    assert "Holm p < .001, partial η² 0.9" in dependence


def test_who_is_ahead_by_chance_is_not_said_to_beat_the_winner(experiment):
    """Under adam the baseline stands before bright by half a point; cells vary by more."""
    gains = ({"none": 0.005, "contrast": -0.05}, {"none": -0.05, "contrast": 0.04})
    winner, _ = told(experiment, scores(*gains, size=0.01))
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together, but under sgd contrast beats it by 4.0 "
        "points (Holm p < .001 over 2 pairs with bright): the winner does not survive the change of optimizer"
    )


def test_the_baseline_that_leads_is_beaten_somewhere(experiment):
    winner, _ = told(experiment, scores({"bright": 0.03, "contrast": -0.05}, {"bright": -0.04, "contrast": -0.05}))
    assert winner == (
        "No recipe has a higher mean accuracy than the baseline none, over adam and sgd together, but under adam "
        "bright beats it by 3.0 points (Holm p < .001): the winner does not survive the change of optimizer"
    )


def test_beaten_though_the_f_test_shows_nothing(experiment):
    """Under sgd there are the baseline and contrast alone, which differ there as they do under adam."""
    partly = replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},))
    winner, dependence = told(partly, scores({"bright": 0.03, "contrast": -0.05}))
    assert winner == (
        "Of the 2 recipes with enough scores under every condition, no other has a higher mean accuracy than the "
        "baseline none, over adam and sgd together, but under adam bright beats it by 3.0 points (Holm p < .001): the "
        "winner does not survive the change of optimizer"
    )
    assert dependence.startswith(
        "the F test, which asks about all recipes at once, does not show that effects depend on the optimizer (recipe"
    )


def test_beaten_under_many_conditions_the_worst_is_told(experiment):
    def under_most(cell: Cell) -> float:
        place = list(FOUR).index(cell.factors["optimizer"])
        own = {"none": 0.0, "bright": 0.2 if place == 3 else -0.01, "contrast": 0.01 * place - 0.2 * (place == 3)}
        return scores(own)(cell)

    winner, _ = told(replace(experiment, optimizers=FOUR), under_most)
    assert winner == (
        "bright has the highest mean accuracy over all 4 conditions together, but under 3 of 4 conditions another "
        "beats it (above all contrast under rms, by 3.0 points, Holm p < .001 over 4 pairs with bright): the winner "
        "does not survive the change of optimizer"
    )


def test_where_less_is_better_the_lowest_wins_and_sizes_have_their_unit(experiment):
    loss = replace(experiment, metric="log_loss")
    winner, _ = told(loss, scores({"bright": -0.05, "contrast": 0.02}))
    assert winner == "bright has the lowest mean log loss under adam and sgd alike"
    winner, _ = told(loss, scores({"bright": 0.03, "contrast": 0.05}))
    assert winner == "No recipe has a lower mean log loss than the baseline none, under adam and sgd alike"
    winner, _ = told(loss, scores({"bright": -0.12, "contrast": 0.1}, {"bright": 0.03, "contrast": 0.1}))
    assert winner.endswith(
        "under sgd the baseline none beats it by 0.030 nats (Holm p < .001): the winner does not survive the change of "
        "optimizer"
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_under_three_seeds_nothing_is_concluded(experiment, seeds):
    few = replace(experiment, seeds=seeds)
    found = interplay(results_of(few, scores({"bright": 0.05, "contrast": -0.05})))
    assert sentence(found, few) == (
        "No verdict, as it takes 3 finished seeds of each recipe under each condition; so far bright has the highest "
        "mean accuracy under adam and sgd alike: an impression, not evidence."
    )
    assert (table.rows(found), table.ranks(found, few)) == ((), "")


def test_a_grid_that_is_half_done_has_no_verdict_either(experiment):
    done = scores({"bright": 0.05, "contrast": -0.05})
    half = results_of(
        experiment, lambda cell: done(cell) if cell.seed < 2 or cell.factors["recipe"] == "none" else "planned"
    )
    found = interplay(half)
    assert found.seeds == 5
    assert sentence(found, experiment).startswith("No verdict, as it takes 3 finished seeds")
    assert table.rows(found) == ()


def test_where_nobody_is_everywhere_no_winner_is_named(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    winner, dependence = told(replace(experiment, exclude=one_each), scores({"bright": 0.05}))
    assert winner == "No winner can be named, as fewer than two recipes have enough scores under adam and sgd"
    assert dependence == (
        "whether the effect of a recipe depends on the optimizer cannot be told, as the runs that would are not there."
    )


def test_where_no_winner_is_named_two_seeds_are_still_no_test(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    few = replace(experiment, exclude=one_each, seeds=2)
    found = interplay(results_of(few, scores({"bright": 0.05})))
    assert found.anova is not None
    assert sentence(found, few) == (
        "No winner can be named, as fewer than two recipes have enough scores under adam and sgd."
    )


def test_other_factors_have_their_names_and_several_are_conditions(experiment):
    sizes = replace(experiment, optimizers={"adam": Adam()}, vary={"batch_size": (16, 32)})
    found = interplay(results_of(sizes, scores({"bright": 0.05})))
    assert title(found) == "Does the winner survive a change of batch size?"
    assert sentence(found, sizes).startswith(
        "bright has the highest mean accuracy under batch size 16 and batch size 32 alike; that the effect of a recipe "
        "depends on the batch size is not shown (recipe × batch size: F(2, 24) = "
    )
    both = replace(experiment, vary={"batch_size": (16, 32)})
    found = interplay(results_of(both, scores({"bright": 0.05})))
    assert title(found) == "Does the winner survive a change of conditions?"
    told_of = sentence(found, both)
    assert told_of.startswith("bright has the highest mean accuracy under all 4 conditions alike; ")
    foremost = min((t for t in found.anova.terms if "recipe" in t.factors and len(t.factors) > 1), key=lambda t: t.p)
    name = " × ".join(foremost.factors).replace("_", " ")
    assert f"depends on the conditions is not shown (3 interactions, foremost {name}: F(2, 48) = " in told_of


def test_of_several_interactions_those_that_are_shown_are_told(experiment):
    both = replace(experiment, vary={"batch_size": (16, 32)})
    told_of = sentence(interplay(results_of(both, scores({"bright": 0.05}, {"bright": 0.08}))), both)
    assert "how much a recipe helps depends on the conditions (recipe × optimizer: F(2, 48) = " in told_of
    assert "recipe × batch size" not in told_of


def test_without_spread_nothing_can_be_tested(experiment):
    winner, dependence = told(experiment, scores({"bright": 0.05}, {"contrast": 0.01}, size=0))
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together; under sgd contrast is ahead by 1.0 points "
        "(no test can judge it), which is not shown to be more than chance"
    )
    assert dependence == (
        "whether the effect of a recipe depends on the optimizer cannot be tested, as the scores do not vary from seed "
        "to seed."
    )


def test_cells_that_vary_differently_make_the_f_test_doubtful(experiment):
    def wild(cell: Cell) -> float:
        loud = cell.factors == {"recipe": "none", "optimizer": "sgd"}
        return scores({"bright": 0.05}, {"bright": 0.10}, size=0.1 if loud else 0.004)(cell)

    found = interplay(results_of(experiment, wild))
    assert beyond_chance(found.anova)
    assert "not to be trusted, as the sd over seeds differs 25.0-fold between cells)" in sentence(found, experiment)
    (caution,) = table.spread(found)
    assert caution.startswith(
        "Caution: the sd over seeds differs 25.0-fold between cells, more than chance explains (up to 5"
    )
    calm = interplay(results_of(experiment, scores({"bright": 0.05})))
    assert table.spread(calm) == ()


def test_a_spread_that_chance_explains_is_told_without_alarm(experiment):
    def rather_wild(cell: Cell) -> float:
        loud = cell.factors == {"recipe": "none", "optimizer": "sgd"}
        return scores({"bright": 0.05}, size=0.016 if loud else 0.004)(cell)

    found = interplay(results_of(experiment, rather_wild))
    assert not beyond_chance(found.anova)
    assert table.spread(found) == (
        "F tests suppose one sd for all cells: the sd over seeds differs 4.0-fold between cells, as chance may with so "
        "few seeds (up to 5.4-fold).",
    )
    assert "not to be trusted" not in sentence(found, experiment)


def test_what_is_missing_is_told(experiment):
    wider = replace(
        experiment,
        optimizers={**experiment.optimizers, "rms": RMSprop(lr=0.01)},
        recipes={**experiment.recipes, "again": (Brightness(0.4),), "strong": (Brightness(0.9),)},
        exclude=({"recipe": "strong", "optimizer": "sgd"},),
    )
    fates = {"contrast_adam_1": "diverged", "none_sgd_2": "failed"}
    fates |= {f"{recipe}_rms_{seed}": "planned" for recipe in wider.recipes for seed in range(5)}
    found = interplay(results_of(wider, but(scores({"bright": 0.05, "again": 0.05}), **fates)))
    assert table.notes(found, wider) == (
        "Without enough scores under every condition, and so not ranked: contrast (1 of 5 runs diverged under adam) "
        "and strong (not in the grid under sgd).",
        "No run has finished under rms.",
        "Counted are 33 of 55 runs; 20 not started, 1 failed and 1 diverged. That a run is missing may have to do with "
        "its recipe.",
        "Recipe again names the same runs as bright: they count once.",
    )
    assert table.notes(interplay(results_of(experiment)), experiment) == ()


def test_too_few_finished_seeds_are_counted(experiment):
    fates = {f"contrast_sgd_{seed}": "failed" for seed in range(3)}
    found = interplay(results_of(experiment, but(usual, **fates)))
    assert table.notes(found, experiment)[0].endswith("not ranked: contrast (2 of 5 seeds finished under sgd).")


def test_a_redrawn_split_is_told_with_its_allowance(experiment):
    redrawn = replace(experiment, split=PerSeed())
    found = interplay(results_of(redrawn))
    assert table.method(found, redrawn) == (
        "Analysis of variance of 30 finished runs, seeds as blocks; sums of squares of type II, Holm's correction over "
        "all terms. Each F is divided by 1 + 5 × 0.67 (seeds × test images / training images): the split is redrawn "
        "for each seed, so that training parts overlap."
    )
    assert table.method(interplay(results_of(experiment)), experiment) == (
        "Analysis of variance of 30 finished runs; sums of squares of type II, Holm's correction over all terms."
    )


def test_numbers():
    assert [f_text(f) for f in (0.375, 99.994, 1234.5, float("nan"))] == ["0.38", "99.99", "1,234", NONE]
    assert [f_text(f) for f in (99.996, 0.004)] == ["100", "0.00"]
    assert (fold(4.06), fold(float("inf"))) == ("4.1-fold", "without bound")
