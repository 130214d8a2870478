"""Does the winner survive the optimizer? Each way that it can end, in the words that are told; sizes are worked out."""

import math
from dataclasses import replace

import pytest
from interplays import FOUR, asked, but, scores
from made_up import results_of, usual

from ablation import CorrectedResampled, Paired, PerSeed, Welch
from ablation.augment import Brightness
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam, RMSprop
from ablation.report.sections.interaction import table as table
from ablation.report.sections.interaction.compute import interplay
from ablation.report.sections.interaction.text import holds, sentence, title


@pytest.fixture
def experiment() -> Experiment:
    return asked()


def told(experiment: Experiment, score) -> tuple[str, str]:
    """The sentence: who wins, and whether effects depend on the conditions."""
    winner, _, dependence = sentence(interplay(results_of(experiment, score)), experiment).rpartition(". ")
    return winner, dependence


def test_one_wins_everywhere_and_others_are_not_shown_to_be_behind(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.002, "contrast": -0.05})))
    assert title(found) == "Does the winner survive a change of optimizer?"
    assert sentence(found, experiment) == (
        "bright has the highest mean accuracy under adam and sgd alike, though the baseline none is not shown to be "
        "behind it. That the effect of a recipe depends on the optimizer is not shown (smallest Holm p = 1.000, for "
        "bright)."
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
        "points (adjusted p = 1.000), which is not shown to be more than chance"
    )
    assert dependence.startswith(
        "That the effect of a recipe depends on the optimizer is not shown (smallest Holm p = "
    )


def test_the_winner_is_beaten_somewhere(experiment):
    winner, dependence = told(
        experiment, scores({"bright": 0.06, "contrast": 0.0}, {"bright": 0.01, "contrast": 0.031})
    )
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together, but under sgd contrast beats it by 2.1 "
        "points (Holm p < .001 over 2 pairs with bright): the winner does not survive the change of optimizer"
    )
    assert dependence == (
        "How much a recipe helps depends on the optimizer: bright helps 5.0 points more under adam than under sgd "
        "(Holm p < .001) and contrast helps 3.1 points more under sgd than under adam (Holm p < .001)."
    )


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
        "bright beats it by 3.0 points (adjusted p = .011): the winner does not survive the change of optimizer"
    )


def test_beaten_though_no_effect_is_shown_to_depend_on_it(experiment):
    """Under sgd there are the baseline and contrast alone, which differ there as they do under adam."""
    partly = replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},))
    winner, dependence = told(partly, scores({"bright": 0.03, "contrast": -0.05}))
    assert winner == (
        "Of the 2 recipes with enough scores under every condition, no other has a higher mean accuracy than the "
        "baseline none, over adam and sgd together, but under adam bright beats it by 3.0 points (adjusted p < .001): "
        "the winner does not survive the change of optimizer"
    )
    assert dependence.startswith(
        "No effect against the baseline is shown to depend on the optimizer (smallest Holm p = "
    )
    assert dependence.endswith(", for contrast).")


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
        "under sgd the baseline none beats it by 0.030 nats (adjusted p < .001): the winner does not survive the "
        "change of optimizer"
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
        "Whether the effect of a recipe depends on the optimizer cannot be tested, as the grid has no recipe beside "
        "the baseline under two conditions that differ in one factor."
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
        "bright has the highest mean accuracy under batch size 16 and batch size 32 alike. That the effect of a recipe "
        "depends on the batch size is not shown (smallest Holm p = "
    )
    both = replace(experiment, vary={"batch_size": (16, 32)})
    found = interplay(results_of(both, scores({"bright": 0.05})))
    assert title(found) == "Does the winner survive a change of conditions?"
    told_of = sentence(found, both)
    assert told_of.startswith("bright has the highest mean accuracy under all 4 conditions alike. ")
    foremost = min(found.interactions, key=lambda one: one.p)
    assert "depends on the conditions is not shown (smallest Holm p = " in told_of
    assert told_of.endswith(f", for {foremost.recipe} by {foremost.factor.replace('_', ' ')}).")


def test_of_several_interactions_those_that_are_shown_are_told(experiment):
    both = replace(experiment, vary={"batch_size": (16, 32)})
    told_of = sentence(interplay(results_of(both, scores({"bright": 0.05}, {"bright": 0.08}))), both)
    assert told_of.endswith(
        "How much a recipe helps depends on the optimizer: bright helps 3.0 points more under sgd than under adam "
        "(Holm p < .001)."
    )


def test_without_spread_nothing_can_be_tested(experiment):
    winner, dependence = told(experiment, scores({"bright": 0.05}, {"contrast": 0.01}, size=0))
    assert winner == (
        "bright has the highest mean accuracy over adam and sgd together; under sgd contrast is ahead by 1.0 points "
        "(no test can judge it), which is not shown to be more than chance"
    )
    assert dependence == (
        "Whether the effect of a recipe depends on the optimizer cannot be tested, as the scores do not vary from seed "
        "to seed."
    )


def test_less_harm_is_not_called_help(experiment):
    _, dependence = told(experiment, scores({"bright": -0.05}, {"bright": -0.02}))
    assert "bright hurts 3.0 points less under sgd than under adam (Holm p < .001)" in dependence
    loss = replace(experiment, metric="log_loss")
    _, dependence = told(loss, scores({"bright": -0.05}, {"bright": -0.02}))
    assert "bright helps 0.030 nats more under adam than under sgd (Holm p < .001)" in dependence
    _, dependence = told(loss, scores({"bright": 0.05}, {"bright": 0.02}))
    assert "bright hurts 0.030 nats less under sgd than under adam (Holm p < .001)" in dependence


def test_several_other_levels_are_told_as_their_mean(experiment):
    four = replace(experiment, optimizers=FOUR)
    _, dependence = told(four, scores({"bright": 0.08}, {"bright": 0.02}))
    assert dependence == (
        "How much a recipe helps depends on the optimizer: bright helps 6.0 points more under adam than under adamw, "
        "rms and sgd together (Holm p < .001)."
    )


def test_a_cell_that_varies_more_takes_no_other_claim_away(experiment):
    """The effect of contrast does depend on the optimizer; that bright varies much under sgd is another matter."""

    def wild(cell: Cell) -> float:
        loud = cell.factors == {"recipe": "bright", "optimizer": "sgd"}
        return scores({"contrast": 0.05}, {"bright": 0.05, "contrast": 0.10}, size=0.1 if loud else 0.004)(cell)

    _, dependence = told(experiment, wild)
    assert dependence == (
        "How much a recipe helps depends on the optimizer: contrast helps 5.0 points more under sgd than under adam "
        "(Holm p < .001)."
    )


def test_the_sentence_is_paired_where_the_test_is(experiment):
    """What a seed does to all of its runs hides the same difference from a test that does not pair."""
    found = scores({"bright": 0.05}, {"bright": 0.08})
    for test, claimed in ((experiment.test, False), (Paired(), True)):
        _, dependence = told(replace(experiment, test=test), lambda cell: found(cell) + 0.1 * cell.seed)
        assert ("bright helps 3.0 points more under sgd" in dependence) == claimed


def test_nothing_is_concluded_where_runs_are_missing(experiment):
    """One run of bright is missing: what it shows is left open, and contrast may still be told."""
    adam, sgd = {"bright": 0.05}, {"bright": 0.08}
    _, dependence = told(experiment, but(scores(adam, sgd), bright_sgd_1="failed"))
    assert dependence == (
        "Whether the effect of a recipe depends on the optimizer is left open, as 1 of 20 runs of bright and none are "
        "missing, which may have to do with the recipe."
    )
    _, dependence = told(experiment, but(scores(adam, sgd | {"contrast": 0.06}), bright_sgd_1="failed"))
    assert dependence == (
        "How much a recipe helps depends on the optimizer: contrast helps 6.0 points more under sgd than under adam "
        "(Holm p < .001)."
    )


def test_what_cannot_be_judged_is_counted(experiment):
    """A training of bright that diverged takes its cell out; the correction is over both recipes all the same."""
    results = results_of(experiment, but(scores({"bright": 0.05}, {"bright": 0.08}), bright_sgd_1="diverged"))
    found = interplay(results)
    assert sentence(found, experiment).endswith("; 1 of 2 contrasts cannot be judged).")
    (judged,) = (one for one in found.interactions if one.recipe == "contrast")
    assert judged.p_adjusted == pytest.approx(min(1, 2 * judged.p))
    shared = replace(experiment, test=Paired(), seeds=3)
    fates = {f"{name}_adam_{seed}": "failed" for seed, name in enumerate(("none", "bright", "contrast"))}
    few = results_of(shared, but(scores({"bright": 0.05}), **fates))
    assert all(math.isnan(one.p) for one in interplay(few).interactions)


@pytest.mark.parametrize(("test", "seeds"), [(Welch(), "3 seeds"), (Paired(), "3 shared seeds")])
def test_where_no_contrast_has_enough_seeds_that_is_the_reason(experiment, test, seeds):
    """Bright is only under adam and rms, where one of its trainings diverged; contrast is ranked with the baseline."""
    only = {"recipes": {"none": (), "bright": (Brightness(0.4),)}, "test": test}
    found = told(replace(experiment, **only), but(scores({"bright": 0.05}), bright_sgd_1="diverged"))
    assert found == (
        "No winner can be named, as fewer than two recipes have enough scores under adam and sgd",
        f"Whether the effect of a recipe depends on the optimizer cannot be tested, as it takes {seeds} of a "
        "recipe and of the baseline under two conditions that differ in one factor, none of which diverged or failed "
        "to train.",
    )


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
        "Without enough scores under every condition, and so not ranked: contrast (1 of 5 runs diverged or failed "
        "under adam) and strong (not in the grid under sgd).",
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


def test_seeds_are_blocks_where_the_test_pairs_them(experiment):
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    assert table.method(interplay(results_of(redrawn)), redrawn) == (
        "Analysis of variance of 30 finished runs, seeds as blocks; sums of squares of type II."
    )
    assert table.method(interplay(results_of(experiment)), experiment) == (
        "Analysis of variance of 30 finished runs; sums of squares of type II."
    )


def test_the_section_says_what_it_holds_for(experiment):
    assert holds(experiment) == (
        "Comparisons with the baseline hold as above; all else here holds for this split, on these test photographs, "
        "on this data, model and budget."
    )
