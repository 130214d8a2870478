"""Does the winner survive the optimizer? Each way that it can end; sizes are worked out, and nothing is overstated."""

import math
import re
from dataclasses import replace

import pytest
from interaction_grids import FOUR, but, grid, result_of, said, scores, section_of
from made_up import usual

from ablation import CorrectedResampled, Paired, PerSeed, Welch
from ablation.augment import Brightness
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam, RMSprop
from ablation.report.sections.interaction.section import title

NOT_SURVIVED, BY_CHANCE = "the winner does not survive the change of optimizer", "not shown to be more than chance"
ONE_EACH = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})


@pytest.fixture
def experiment() -> Experiment:
    return grid()


def halves(experiment: Experiment, score) -> tuple[str, str]:
    """Of the sentence: who wins, and whether effects depend on the conditions."""
    winner, _, dependence = said(result_of(experiment, score)).rpartition(". ")
    return winner, dependence


def recipes(count: int, step: float = 0.05) -> dict[str, tuple[Brightness, ...]]:
    return {"none": (), **{f"b{number}": (Brightness(step * number),) for number in range(1, count + 1)}}


def test_one_wins_everywhere_and_others_are_not_shown_to_be_behind(experiment):
    result = result_of(experiment, scores({"bright": 0.002, "contrast": -0.05}))
    assert title(result) == "Does the winner survive a change of optimizer?"
    assert said(result) == (
        "bright has the highest mean accuracy under adam and sgd alike. The baseline none is not shown to be "
        "behind it. No effect against none is shown to depend on the optimizer (smallest Holm p = 1.000, for "
        "bright)."
    )


HIGHEST, NO_HIGHER = (
    "{} has the highest mean accuracy ",
    "No recipe has a higher mean accuracy than the baseline none, ",
)
ALIKE, TOGETHER = "under adam and sgd alike", "over adam and sgd together"


@pytest.mark.parametrize(
    ("adam", "sgd", "leads", "rest"),
    [
        ({"bright": 0.05, "contrast": -0.05}, None, HIGHEST.format("bright") + ALIKE, ()),
        (
            {"bright": -0.03, "contrast": -0.001},
            None,
            NO_HIGHER + ALIKE,
            ("contrast is not shown to be behind it",),
        ),
        (
            {"bright": 0.004},
            {"none": 0.002, "bright": 0.001},
            HIGHEST.format("bright") + TOGETHER,
            ("Under sgd the baseline none is ahead by 0.1 points (adjusted p = 1.000)", BY_CHANCE),
        ),
        (
            {"bright": 0.06, "contrast": 0.0},
            {"bright": 0.01, "contrast": 0.031},
            HIGHEST.format("bright") + TOGETHER,
            ("Under sgd contrast beats it by 2.1 points (Holm p < .001 over 2 pairs with bright)", NOT_SURVIVED),
        ),
        (
            {"bright": 0.03, "contrast": -0.05},
            {"bright": -0.04, "contrast": -0.05},
            NO_HIGHER + TOGETHER,
            ("Under adam bright beats it by 3.0 points (adjusted p = .011)", NOT_SURVIVED),
        ),
    ],
    ids=["a clear winner", "the baseline", "another is ahead", "beaten", "the baseline is beaten"],
)
def test_who_wins_and_who_stands_before_it(experiment, adam, sgd, leads, rest):
    winner, _ = halves(experiment, scores(adam, sgd))
    lost = NOT_SURVIVED in rest
    assert winner.startswith(f"The {NOT_SURVIVED[4:]}: " if lost else leads)
    assert leads in winner
    assert all(words in winner for words in rest if words != NOT_SURVIVED)
    assert (winner == leads) == (rest == ())
    if lost:
        rival = re.match(r"Under (\w+) (.* by .* points) ", rest[0])
        assert winner.startswith(f"The {NOT_SURVIVED[4:]}: {rival[2]} under {rival[1]}. "), "who beats it, first"


def test_many_who_may_be_as_good_are_counted(experiment):
    winner, _ = halves(replace(experiment, recipes=recipes(5, 0.1)), scores({"b3": 0.001}))
    assert winner.startswith("b3 has the highest")
    assert winner.endswith("5 others are not shown to be behind it")


def test_the_effects_that_depend_are_named_each_with_its_size(experiment):
    _, dependence = halves(experiment, scores({"bright": 0.06}, {"bright": 0.01, "contrast": 0.031}))
    assert dependence == (
        "How much a recipe helps depends on the optimizer: bright helps 5.0 points more under adam than under sgd "
        "(Holm p < .001) and contrast helps 3.1 points more under sgd than under adam (Holm p < .001)."
    )


def test_who_is_ahead_by_chance_is_not_said_to_beat_the_winner(experiment):
    """Under adam the baseline stands before bright by half a point; cells vary by more."""
    gains = ({"none": 0.005, "contrast": -0.05}, {"none": -0.05, "contrast": 0.04})
    winner, _ = halves(experiment, scores(*gains, size=0.01))
    assert "Under sgd contrast beats it by 4.0 points" in winner
    assert "under adam" not in winner


def test_beaten_though_no_effect_is_shown_to_depend_on_it(experiment):
    """Under sgd there are the baseline and contrast alone, which differ there as they do under adam."""
    partly = replace(experiment, exclude=ONE_EACH[:1])
    winner, dependence = halves(partly, scores({"bright": 0.03, "contrast": -0.05}))
    assert " Of the 2 recipes with enough " in winner
    assert "bright beats it by 3.0 points" in winner
    assert dependence.startswith("No effect against ")
    assert dependence.endswith(", for contrast).")


def test_beaten_under_many_conditions_the_worst_is_named(experiment):
    def under_most(cell: Cell) -> float:
        index = list(FOUR).index(cell.factors["optimizer"])
        own = {"none": 0.0, "bright": 0.2 if index == 3 else -0.01, "contrast": 0.01 * index - 0.2 * (index == 3)}
        return scores(own)(cell)

    winner, _ = halves(replace(experiment, optimizers=FOUR), under_most)
    assert ": another beats it under 3 of 4 conditions. " in winner
    assert "Under 3 of 4 conditions another beats it (above all" in winner
    assert "contrast under rms, by 3.0 " in winner


def test_where_less_is_better_the_lowest_wins_and_sizes_have_their_unit(experiment):
    loss = replace(experiment, metric="log_loss")
    winner, _ = halves(loss, scores({"bright": -0.05, "contrast": 0.02}))
    assert winner == f"bright has the lowest mean log loss {ALIKE}"
    winner, _ = halves(loss, scores({"bright": 0.03, "contrast": 0.05}))
    assert winner == f"No recipe has a lower mean log loss than the baseline none, {ALIKE}"
    winner, _ = halves(loss, scores({"bright": -0.12, "contrast": 0.1}, {"bright": 0.03, "contrast": 0.1}))
    assert "none beats it by 0.030 nats " in winner


@pytest.mark.parametrize("seeds", [1, 2])
def test_under_three_seeds_nothing_is_concluded(experiment, seeds):
    section = section_of(replace(experiment, seeds=seeds), scores({"bright": 0.05, "contrast": -0.05}))
    need, so_far, _ = section.answer
    assert need.startswith("No verdict: it takes 3 ")
    assert so_far.startswith("So far ")
    assert so_far.endswith("an impression, not evidence.")
    assert section.tables == ()


def test_a_grid_that_is_half_done_has_no_verdict_either(experiment):
    def half(cell: Cell) -> float | str:
        done = cell.seed < 2 or cell.factors["recipe"] == "none"
        return scores({"bright": 0.05, "contrast": -0.05})(cell) if done else "planned"

    assert result_of(experiment, half).seeds == 5
    section = section_of(experiment, half)
    assert section.answer[0].startswith("No verdict: ")
    assert section.tables == ()


def test_where_nobody_is_everywhere_no_winner_is_named(experiment):
    winner, dependence = halves(replace(experiment, exclude=ONE_EACH), scores({"bright": 0.05}))
    assert winner.startswith("No winner can be named: ")
    assert winner.endswith(" under adam and sgd")
    assert "cannot be tested, as the grid" in dependence
    few = replace(experiment, exclude=ONE_EACH, seeds=2)
    assert not result_of(few, scores({"bright": 0.05})).no_anova
    assert said(result_of(few, scores({"bright": 0.05}))) == f"{winner}.", "two seeds are still no test"


def test_other_factors_have_their_names_and_several_are_conditions(experiment):
    sizes = result_of(replace(experiment, optimizers={"adam": Adam()}, vary={"batch_size": (16, 32)}))
    assert title(sizes).endswith(" a change of batch size?")
    assert "16 and batch size 32 alike" in said(sizes)
    assert "is shown to depend on the batch size (smallest" in said(sizes)
    both = result_of(replace(experiment, vary={"batch_size": (16, 32)}), scores({"bright": 0.05}))
    assert title(both).endswith(" a change of conditions?")
    assert "under all 4 conditions alike. " in said(both)
    foremost = min(both.contrasts, key=lambda one: one.p)
    assert said(both).endswith(f", for {foremost.recipe} by {foremost.factor.replace('_', ' ')}).")


def test_of_several_factors_the_one_that_matters_is_named(experiment):
    both = replace(experiment, vary={"batch_size": (16, 32)})
    text = said(result_of(both, scores({"bright": 0.05}, {"bright": 0.08})))
    assert "on the optimizer: bright helps" in text


def test_without_spread_nothing_can_be_tested(experiment):
    winner, dependence = halves(experiment, scores({"bright": 0.05}, {"contrast": 0.01}, size=0))
    assert "(no test can judge it)" in winner
    assert dependence.endswith(" do not vary from seed to seed.")


def test_less_harm_is_not_called_help(experiment):
    _, dependence = halves(experiment, scores({"bright": -0.05}, {"bright": -0.02}))
    assert "hurts 3.0 points less under sgd" in dependence
    loss = replace(experiment, metric="log_loss")
    _, dependence = halves(loss, scores({"bright": -0.05}, {"bright": -0.02}))
    assert "helps 0.030 nats more" in dependence
    _, dependence = halves(loss, scores({"bright": 0.05}, {"bright": 0.02}))
    assert "hurts 0.030 nats less" in dependence


def test_several_other_levels_are_compared_by_their_mean(experiment):
    _, dependence = halves(replace(experiment, optimizers=FOUR), scores({"bright": 0.08}, {"bright": 0.02}))
    assert (
        "bright helps 6.0 points more under adam than under adamw, rms and sgd together (Holm p < .001)" in dependence
    )


def test_a_cell_that_varies_more_takes_no_other_claim_away(experiment):
    """The effect of contrast does depend on the optimizer; that bright varies much under sgd is another matter."""

    def wild(cell: Cell) -> float:
        loud = cell.factors == {"recipe": "bright", "optimizer": "sgd"}
        return scores({"contrast": 0.05}, {"bright": 0.05, "contrast": 0.10}, size=0.1 if loud else 0.004)(cell)

    _, dependence = halves(experiment, wild)
    assert "contrast helps 5.0 points more" in dependence
    assert "bright" not in dependence


def test_the_sentence_is_paired_where_the_test_is(experiment):
    """What a seed does to all of its runs hides the same difference from a test that does not pair."""
    luckless = scores({"bright": 0.05}, {"bright": 0.08})
    for test, claimed in ((experiment.test, False), (Paired(), True)):
        _, dependence = halves(replace(experiment, test=test), lambda cell: luckless(cell) + 0.1 * cell.seed)
        assert ("bright helps 3.0 points more under sgd" in dependence) == claimed


def test_nothing_is_concluded_where_runs_are_missing(experiment):
    """One run of bright is missing: what it shows is left open, and contrast may still be claimed."""
    adam, sgd = {"bright": 0.05}, {"bright": 0.08}
    _, dependence = halves(experiment, but(scores(adam, sgd), bright_sgd_1="failed"))
    assert "open, as 1 of 20 runs of bright" in dependence
    _, dependence = halves(experiment, but(scores(adam, sgd | {"contrast": 0.06}), bright_sgd_1="failed"))
    assert "contrast helps 6.0 points more" in dependence
    assert "bright" not in dependence


def test_what_cannot_be_judged_is_counted(experiment):
    """A training of bright that diverged takes its cell out; the correction is over both recipes all the same."""
    result = result_of(experiment, but(scores({"bright": 0.05}, {"bright": 0.08}), bright_sgd_1="diverged"))
    assert said(result).endswith("; 1 of 2 contrasts cannot be judged).")
    (judged,) = (one for one in result.contrasts if one.recipe == "contrast")
    assert judged.p_adjusted == pytest.approx(min(1, 2 * judged.p))
    shared = replace(experiment, test=Paired(), seeds=3)
    fates = {f"{name}_adam_{seed}": "failed" for seed, name in enumerate(("none", "bright", "contrast"))}
    assert all(math.isnan(one.p) for one in result_of(shared, but(scores({"bright": 0.05}), **fates)).contrasts)


@pytest.mark.parametrize(("test", "seeds"), [(Welch(), "3 seeds of"), (Paired(), "3 shared seeds of")])
def test_where_no_contrast_has_enough_seeds_that_is_the_reason(experiment, test, seeds):
    """Bright is only under adam and sgd, where one of its trainings diverged."""
    alone = replace(experiment, recipes={"none": (), "bright": (Brightness(0.4),)}, test=test)
    winner, dependence = halves(alone, but(scores({"bright": 0.05}), bright_sgd_1="diverged"))
    assert winner.startswith("No winner can be named: ")
    assert f"cannot be tested, as it takes {seeds} " in dependence


def test_what_is_missing_is_said(experiment):
    wider = replace(
        experiment,
        optimizers={**experiment.optimizers, "rms": RMSprop(lr=0.01)},
        recipes={**experiment.recipes, "again": (Brightness(0.4),), "strong": (Brightness(0.9),)},
        exclude=({"recipe": "strong", "optimizer": "sgd"},),
    )
    fates = {"contrast_adam_1": "diverged", "none_sgd_2": "failed"}
    fates |= {f"{recipe}_rms_{seed}": "planned" for recipe in wider.recipes for seed in range(5)}
    unranked, silent, missing, twice = section_of(
        wider, but(scores({"bright": 0.05, "again": 0.05}), **fates)
    ).caution  # fmt: skip
    assert "contrast (1 of 5 runs diverged or failed under adam)" in unranked
    assert "strong (not in the grid under sgd)" in unranked
    assert silent == "No run has finished under rms."
    assert "33 of 55 runs; 20 not started, " in missing
    assert twice == "Recipe again names the same runs as bright: they count once."
    assert section_of(experiment).caution == ()


def test_too_few_finished_seeds_are_counted(experiment):
    fates = {f"contrast_sgd_{seed}": "failed" for seed in range(3)}
    assert "(2 of 5 seeds finished under sgd)" in section_of(experiment, but(usual, **fates)).caution[0]


def test_the_section_says_what_it_holds_for(experiment):
    assert (
        section_of(experiment)
        .answer[-1]
        .endswith(" holds for this split, on these test photographs, on this data, model and budget.")
    )
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    assert " holds for new training and test photographs, " in section_of(redrawn).answer[-1]


def test_ranks_have_no_p_as_conditions_share_seeds_and_photographs(experiment):
    ranks = section_of(experiment, scores({"bright": 0.05, "contrast": -0.05})).answer[-2]
    assert ": bright (1), none (2) and " in ranks
    assert "W, is 1.00 (1 is full). No p " in ranks


def test_of_many_recipes_the_first_ranks_are_given(experiment):
    gains = {f"b{number}": 0.01 * number for number in range(1, 12)}
    ranks = section_of(replace(experiment, recipes=recipes(11)), scores(gains)).answer[-2]
    assert ": b11 (1), b10 (2), b9 (3), " in ranks
    assert "b4 (8) and 4 more. " in ranks
