"""Effects as sentences: each verdict with what it rests on, and no more than that."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from balanced import luck
from made_effects import BOTH, baseline, effect, unknown
from made_up import find, question, results_of

from ablation import Dunnett, Paired
from ablation.analysis.comparison import Crossed, Welch
from ablation.augment import Brightness
from ablation.core.text import MINUS, NONE, plain
from ablation.data import Fixed, Given, KFold, Redrawn
from ablation.evidence.effects import OWN_RUNS, Effect
from ablation.evidence.study import Study, compare
from ablation.evidence.variance_sources import Sources
from ablation.experiment.experiment import Cell, Experiment
from ablation.optim import Adam
from ablation.report.sections.effects import text
from ablation.report.sections.effects.section import effects
from ablation.report.sections.effects.table import detail_columns, main_columns
from ablation.report.sections.effects.text import bounds, chance_text
from ablation.report.text import size

ADAM = {"optimizers": {"adam": Adam()}}
FIVE = {seed: 0.84 + seed / 1000 for seed in range(5)}
EVERYWHERE = [*BOTH, effect(condition={"optimizer": "adam"}), effect(condition={"optimizer": "sgd"})]


def sentence(effect: Effect, effects: Any, experiment: Experiment) -> str:
    return plain(text.sentence(effect, effects, experiment))


def answer(experiment: Experiment, effects: Any) -> list[str]:
    return [plain(said) for said in text.answer(experiment, effects)]


def scoring(gains: Mapping[str, float], spread: float = 0.004) -> Callable[[Cell], float]:
    """Gains over the baseline by recipe, known to the last digit over five seeds."""
    return lambda cell: 0.8 + gains.get(cell.factors["recipe"], 0.0) + luck(cell, spread)


def comparing(score: Callable[[Cell], Any], **changes: Any) -> tuple[Experiment, tuple[Effect, ...]]:
    experiment = replace(question(), **ADAM | changes)
    return experiment, compare(results_of(experiment, score))


def says(result: tuple[Experiment, tuple[Effect, ...]], recipe: str, **condition: str) -> str:
    experiment, effects = result
    return sentence(find(effects, recipe, **condition), effects, experiment)


def test_a_better_recipe(build):
    whole = effect(scores=FIVE, baseline_scores=dict.fromkeys(FIVE, 0.8))
    assert sentence(whole, EVERYWHERE, build()) == (
        "“crop” beats “none” by 4.1 points of accuracy (95 % interval 2.2 to 6.0; adjusted p = .002; n = 5 seeds), "
        "pooled over “adam” and “sgd”. It was better in 5 of 5 seeds. This holds for new training and test "
        "photographs, on this data, model and budget."
    )


def test_sizes_of_a_worse_recipe_are_positive_and_in_order(build):
    worse = effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse", condition={"optimizer": "sgd"})
    line = sentence(worse, EVERYWHERE, build())
    assert "“crop” is worse than “none” by 3.0 points of accuracy (95 % interval 1.0 to 5.0" in line
    assert line.endswith(
        "), under “sgd”. This holds for new training and test photographs, on this data, model and budget."
    )


def test_where_lower_is_better_the_better_recipe_has_a_negative_difference(build):
    experiment = build(metric="log_loss", margin=0.02, alpha=0.01)
    lower = effect(metric="log_loss", estimate=-0.12, low=-0.18, high=-0.06)
    line = sentence(lower, EVERYWHERE, experiment)
    assert "beats “none” by 0.120 nats of log loss (99 % interval 0.060 to 0.180" in line
    assert main_columns(experiment)["difference"][1](lower) == f"{MINUS}0.120"
    assert main_columns(experiment)["mean"][0] == "log loss ± sd (nats, lower is better)"


def test_equivalent_gives_the_margin_and_the_p_that_it_rests_on(build):
    alike = effect(estimate=0.001, low=-0.004, high=0.006, p_adjusted=0.9, p_equivalent=0.012, verdict="equivalent")
    line = sentence(alike, EVERYWHERE, build(margin=0.01))
    assert "within 1.0 points" in line
    assert "equivalence p = .012" in line
    assert ".9" not in line


@pytest.mark.parametrize(
    ("needs", "line"),
    [
        (
            {"seeds_needed": 23.0, "decided_as": "different"},
            ". With 23 new seeds per recipe, the chance to show a difference is about 80 %, if the difference really "
            "is +0.2 points and seeds vary as here. This holds for",
        ),
        (
            {"seeds_needed": 23.0, "images_needed": 12_345.0, "decided_as": "different"},
            ". With 23 new seeds per recipe, or with 12,345 test photographs and 5 new seeds, the chance to show",
        ),
        (
            {"seeds_needed": 40.0, "decided_as": "equivalent"},
            "With 40 new seeds per recipe, the chance to show equival",
        ),
        (
            {"decided_as": "neither"},
            ". Not even 100 new seeds per recipe would show a difference with a chance of 80 %, if the difference",
        ),
        ({"seeds_needed": 393.0, "decided_as": "different"}, ". Not even 100 new seeds per recipe would show"),
        (
            {"note": "1 diverged here"},
            "n = 5 seeds; 1 diverged here), pooled over “adam” and “sgd”, but better under “adam” and “sgd”. This",
        ),
    ],
)
def test_an_undecided_recipe_says_what_it_lacks(build, needs, line):
    """Always of a new experiment: seeds that are added until a test decides are another test."""
    said = sentence(effect(estimate=0.002, low=-0.005, verdict="undecided", **needs), EVERYWHERE, build())
    assert line in said
    assert ("has no verdict" if "note" in needs else "is undecided") in said
    assert not re.search(r"\bof 5 seeds|393", said), "of what has not been shown no seeds are counted"


def test_where_training_parts_share_photographs_no_number_of_seeds_is_advised():
    """Two parts of 60 of 120 photographs: five seeds have 40 % in common."""
    shared = {"split": Redrawn(0.3, 0.1, 0.3), "test": None}
    line = says(comparing(scoring({"bright": 0.02}, 0.01), **shared), "bright", optimizer="adam")
    assert (
        ". More seeds alone would hardly show a difference, if the difference really is +2.0 points and seeds vary as "
        "here: their training parts share photographs. Smaller training parts or more photographs would help. This "
        "holds for new training and test photographs, on this data, model and budget."
    ) in line
    assert "new seeds" not in line
    apart = says(comparing(scoring({"bright": 0.02}, 0.01), split=Redrawn(0.1, 0.1, 0.2), test=None), "bright", **AT)
    assert "share photographs" not in apart


def test_what_several_undecided_recipes_lack_alike_is_said_once(build):
    """Each of its own is said with it; one alone keeps what it lacks in its own sentence."""
    stuck, far = {"decided_as": "neither", "overlap": 0.3}, {"decided_as": "neither"}
    one = {"optimizer": "adam"}
    undecided = {"estimate": 0.002, "low": -0.005, "verdict": "undecided", "condition": one}
    experiment = build(split=KFold(5))
    first, second, third = (effect(name, **undecided) for name in ("a", "b", "c"))
    for lacks, begins in ((stuck, "More seeds alone would hardly decide"), (far, "Not even 100 new seeds per recipe")):
        a, b = (replace(own, **lacks) for own in (first, second))
        c = replace(third, decided_as="different", seeds_needed=40.0)
        *each, last = map(plain, text.sentences(experiment, (baseline(one), a, b, c)))
        assert [says.partition(" ")[0] for says in each] == ["“a”", "“b”", "“c”"]
        assert last.startswith(begins)
        assert "“a” and “b”" in last
        assert ("split=Redrawn(0.13, 0.1, 0.25)" in last) == (lacks is stuck)
        assert not re.search("seeds alone|Not even", " ".join(each))
        assert "With 40 new seeds per recipe" in each[2]
        alone = text.sentences(experiment, (baseline(one), a, c))
        assert len(alone) == 2
        assert re.search("[Ss]eeds alone|Not even", alone[0])


def test_two_runs_a_draw_are_advised_where_the_split_can_have_them(build):
    """Folds have one run each, whatever is written."""
    sources = Sources(run=math.nan, training=math.nan, both=0.01, images=math.nan)
    for split, advised in ((Redrawn(0.1, 0.1, 0.3), True), (KFold(5), False)):
        said = text.sources_text(sources, build(split=split))
        assert ("Redrawn(..., runs_per_draw=2)" in said) == advised
        assert "trained on together" in said


AT = {"optimizer": "adam"}


def test_the_best_of_several_is_told_with_what_picking_it_costs():
    experiment, effects = result = comparing(scoring({"bright": 0.03, "contrast": 0.02}, 0.006))
    first = find(effects, "bright", **AT)
    assert 0 < first.expected < first.estimate
    expected = size(first.expected, "accuracy")
    assert f". It was picked as the best of 2, so expect less when it is repeated: at most about {expected}. " in says(
        result, "bright", **AT
    )
    assert "picked" not in says(result, "contrast", **AT)
    _, _, rivals, best, _, last = answer(experiment, effects)
    assert rivals == "“bright” is not shown to beat “contrast”: each was compared with “none” alone."
    assert (
        best == f"“bright” was picked as the best of 2, so expect less when it is repeated: at most about {expected}."
    )
    assert last.startswith("All of this is under “adam”, and holds for this split")


def test_where_next_to_nothing_is_lost_by_picking_no_other_number_is_told():
    result = comparing(scoring({"bright": 0.06, "contrast": 0.03}, 0.001))
    assert ". It was picked as the best of 2, so expect less when it is repeated, if only a little. " in says(
        result, "bright", **AT
    )


def test_one_better_recipe_beats_no_other():
    line = answer(*comparing(scoring({"bright": 0.05})))
    assert line[0].startswith("“bright” beats “none” by 5.0 points of accuracy (")
    assert "is not shown to beat" not in " ".join(line)
    one = comparing(scoring({"bright": 0.05}), recipes={"none": (), "bright": (Brightness(0.4),)})
    assert "picked" not in " ".join(answer(*one)), "from one there is nothing to pick"


def test_of_a_loss_the_best_is_the_lowest():
    experiment, effects = result = comparing(scoring({"bright": -0.03, "contrast": -0.02}, 0.006), metric="log_loss")
    assert "picked as the best of 2" in says(result, "bright", **AT)
    assert f"at most about {size(-find(effects, 'bright', **AT).expected, 'log_loss')}. " in says(
        result, "bright", **AT
    )
    rivals = "“bright” is not shown to beat “contrast”: each was compared with “none” alone."
    assert rivals in answer(experiment, effects)


def one_failed(cell: Cell) -> float:
    return (
        0.1
        if (cell.factors["recipe"], cell.seed) == ("bright", 2)
        else scoring({"bright": 0.05, "contrast": 0.04})(cell)
    )


def test_failed_trainings_are_told_with_both_means_and_no_advice():
    """Of five scores of 85 % one is 10 %: a mean 10 points below the baseline's, and 5 above it without that seed."""
    experiment, effects = result = comparing(one_failed)
    bright = find(effects, "bright", **AT)
    assert bright.verdict == "undecided"
    assert bright.estimate < -0.09
    assert bright.without_failed > 0.04
    with_, without = (size(x, "accuracy", sign=True) for x in (bright.estimate, bright.without_failed))
    assert says(result, "bright", **AT) == (
        f"“bright” has no verdict (difference {with_} of accuracy with the failed trainings, {without} without their "
        "seeds; n = 5 seeds; 1 of 5 trainings ended near chance or far below the others, 0 of 5 of the baseline), "
        "under “adam”. This holds for this split, on these test photographs, on this data, model and budget."
    )
    line = " ".join(answer(experiment, effects))
    assert f"difference {with_} of accuracy with the failed trainings, {without} without their seeds" in line
    assert "new seeds" not in line
    assert detail_columns(experiment)["needed"][1](bright) == NONE


def test_a_failed_training_is_told_however_many_recipes_have_no_verdict():
    """Not one of several that are undecided: it is not said to be, and both its means are told."""
    _, undecided, without, _ = answer(
        *comparing(lambda cell: one_failed(cell) if cell.factors["recipe"] == "bright" else scoring({}, 0.02)(cell))
    )
    assert undecided.startswith("“contrast” is undecided (difference 0.0 points of accuracy, ")
    assert without.startswith("“bright” has no verdict (difference ")
    assert "points without their seeds; n = 5 seeds; 1 of 5 trainings ended near chance" in without


def test_what_the_best_can_expect_does_not_hang_on_another_recipes_failed_training():
    """The spread of a mean that hides a failed training is no error of what stands beside it."""
    _, effects = result = comparing(one_failed)
    assert find(effects, "contrast", **AT).verdict == "better"
    assert "about 0.0 points" not in says(result, "contrast", **AT)


def test_an_equivalence_says_what_so_few_trainings_may_hide():
    result = comparing(scoring({}, 0.001))
    assert ". None of its 5 trainings failed, but up to 45 % may (95 % confidence). This holds for " in says(
        result, "bright", **AT
    )
    assert "trainings failed" not in says(comparing(scoring({"bright": 0.05})), "bright", **AT)


def test_what_is_not_tested_has_no_p_and_no_advice():
    """Under adam, where the pooled comparison shows nothing: it is undecided, or equivalent."""
    for spread, verdict in ((0.02, "undecided"), (0.001, "equivalent")):

        def score(cell: Cell, spread: float = spread) -> float:
            apart = 0.03 * (cell.factors["recipe"] == "bright") * (1 if cell.factors["optimizer"] == "adam" else -1)
            return scoring({}, spread)(cell) + apart

        result = comparing(score, optimizers=question().optimizers)
        assert find(result[1], "bright").verdict == verdict
        line = says(result, "bright", **AT)
        assert line.startswith("“bright” is not tested (difference +3.0 points of accuracy, 95 % interval ")
        assert (
            "; n = 5 seeds; pooled over conditions, no difference is shown), under “adam”. This holds for this split"
            in line
        )
        assert "Holm" not in line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"split": Redrawn(), "test": None}, "for new training and test photographs"),
        ({"split": Redrawn(), "test": Paired()}, "for new training photographs, on these test photographs"),
        ({"split": Fixed(), "test": None}, "for this split"),
        ({"split": Fixed(), "test": Welch()}, "for this split, on these test photographs"),
        ({"split": Given(), "test": Crossed()}, "for this training set"),
        ({"split": Given(), "test": Welch()}, "for this training set, on these test photographs"),
        ({"split": KFold(), "test": None}, "for new training and test photographs"),
        ({"vary": {"split": (Fixed(), Redrawn())}, "test": None}, "for this split"),
    ],
)
def test_a_verdict_says_what_it_holds_for(changes, line):
    experiment = replace(question(), **changes)
    assert bounds(experiment) == f"{line}, on this data, model and budget"
    assert sentence(effect(), BOTH, experiment).endswith(f" This holds {line}, on this data, model and budget.")


def test_an_adjusted_p_says_whose_it_is(build):
    assert "; Dunnett p = .002;" in sentence(effect(), EVERYWHERE, build(split=Fixed(), test=Dunnett()))
    assert main_columns(build(split=Fixed(), test=Dunnett()))["p_adjusted"][0] == "Dunnett p"


def test_the_baseline_and_what_cannot_be_compared(build):
    first = sentence(baseline({"optimizer": "sgd"}, mean=0.8), BOTH, build())
    assert first == "“none” is the baseline: accuracy 80.0 % (5 seeds, under “sgd”)."
    lost = sentence(unknown("crop", seeds=1, condition={"optimizer": "sgd"}), BOTH, build())
    assert lost == "“crop” cannot be compared with “none” (too few finished seeds: 1 shared seed of 5), under “sgd”."


def test_a_pooled_sentence_names_the_conditions_that_have_the_recipe(build):
    """The grid may leave it out of some."""
    assert ", under “sgd” alone." in sentence(effect(), [*BOTH, effect(condition={"optimizer": "sgd"})], build())


def test_a_chance_that_is_not_known_is_a_dash():
    assert chance_text(effect()) == NONE


FEWER = {"seeds": 5, "baseline_seeds": 3}


@pytest.mark.parametrize(
    ("test", "seeds", "line"),
    [
        (Welch(), FEWER, "n = 5 seeds against the baseline's 3)"),
        (Welch(), {"seeds": 4, "baseline_seeds": 5}, "n = 4 of 5 seeds against the baseline's 5)"),
        (Welch(), {"seeds": 4, "baseline_seeds": 4}, "n = 4 of 5 seeds)"),
        (Paired(), {"seeds": 3, "baseline_seeds": 3}, "n = 3 shared seeds of 5)"),
        (Paired(), {"seeds": 5, "baseline_seeds": 5}, "n = 5 seeds)"),
    ],
)
def test_n_is_the_seeds_that_were_compared(build, test, seeds, line):
    assert line in sentence(effect(**seeds), EVERYWHERE, build(split=Fixed(), test=test))


def test_the_details_tell_new_seeds(build):
    lacking = effect(verdict="undecided", seeds_needed=9.0, decided_as="different")
    assert detail_columns(build())["needed"][1](lacking) == "9, as different"
    assert detail_columns(build())["needed"][1](replace(lacking, decided_as="neither")) == "> 1,000"
    assert detail_columns(build())["needed"][0] == "new seeds to decide"


def test_new_photographs_have_a_column_in_the_details_where_the_test_judges_on_those_given(build):
    assert detail_columns(build(split=Fixed(), test=Welch()))["new"][0] == "for new photographs"
    assert "new" not in detail_columns(build())


def test_the_baseline_under_another_name_has_no_numbers(build):
    """It is no finding that runs are as good as themselves."""
    alias = unknown("contrast", estimate=0.0, note=OWN_RUNS)
    assert sentence(alias, EVERYWHERE, build()) == "“contrast” is the baseline's own runs under another name."
    line = " ".join(answer(build(), [*BOTH, effect(), alias]))
    assert "“contrast” is the baseline's own runs under another name." in line
    assert "equivalent" not in line


def test_seeds_won_are_counted_over_those_that_both_have(build):
    """Nothing is concluded from the count."""
    scores = {0: 0.85, 1: 0.85, 2: 0.79, 7: 0.99}
    whole = effect(scores=scores, baseline_scores={0: 0.8, 1: 0.8, 2: 0.8, 3: 0.8})
    assert ". It was better in 2 of 3 seeds. This holds for" in sentence(whole, EVERYWHERE, build())
    lost = replace(whole, estimate=-0.03, low=-0.05, high=-0.01, verdict="worse")
    assert ". The baseline was better in 1 of 3 seeds. This holds for" in sentence(lost, EVERYWHERE, build())
    loss = replace(whole, metric="log_loss", estimate=-0.03, low=-0.05, high=-0.01)
    assert ". It was better in 1 of 3 seeds. This holds for" in sentence(
        loss, EVERYWHERE, build(metric="log_loss", margin=0.02)
    )
    assert "was better in" not in sentence(replace(whole, baseline_scores={}), EVERYWHERE, build())


def test_the_details_tell_the_chance_in_a_new_seed():
    won = effect(p_better=1.0, p_better_low=0.478, p_better_high=1.0)
    assert chance_text(won) == "100 (48 to 100)"
    nearly = effect(p_better=0.998, p_better_low=0.561, p_better_high=0.9999)
    assert chance_text(nearly) == "99 (56 to 100)"


def test_conditions_that_have_commas_of_their_own_are_counted(build):
    both = build(vary={"dropout": (0.0, 0.3)})
    each = [effect(condition={"optimizer": "adam", "dropout": level}) for level in ("0.0", "0.3")]
    assert ", pooled over 2 conditions." in sentence(effect(), each, both)
    assert ", under “adam”, dropout 0.3 alone." in sentence(effect(), each[1:], both)


def test_the_table_says_under_which_conditions_a_recipe_is_better(build):
    def better(**conditions: tuple[str, ...]) -> str:
        own = [
            effect(recipe, condition={"optimizer": name}, verdict="better" if name in under else "undecided")
            for recipe, under in conditions.items()
            for name in ("adam", "sgd")
        ]
        return plain(text.by_condition(build(), [*BOTH, *own, *(effect(recipe) for recipe in conditions)]))

    assert better(crop=("adam", "sgd"), hue=("sgd",)) == (
        "Condition by condition, “crop” (under each) and “hue” (under “sgd”) are better than “none”."
    )
    assert better(crop=("adam",), hue=()) == "Condition by condition, “crop” (under “adam”) is better than “none”."
    assert better(crop=("adam", "sgd"), hue=("adam", "sgd"), dark=()) == (
        "Under each condition by itself, “crop” and “hue” are better than “none”."
    )
    assert better(crop=()) == "Under no condition by itself is a recipe shown to be better than “none”."
    many = {f"r{index}": ("adam",) for index in range(9)}
    assert better(**many) == "Condition by condition, 9 recipes are better than “none” under one or more."
    alone = {"optimizer": "adam"}
    one = plain(text.by_condition(build(), [baseline(alone), effect(condition=alone)]))
    assert one == "“crop” is better than “none”, under “adam”."


def test_the_section_opens_with_its_answer_and_captions_with_what_was_shown():
    gains = {("bright", "adam"): 0.06, ("bright", "sgd"): 0.02, ("contrast", "sgd"): 0.05}

    def score(cell: Cell) -> float:
        gain = gains.get((cell.factors["recipe"], cell.factors["optimizer"]), 0.0)
        return 0.8 + gain + 0.01 * (cell.factors["optimizer"] == "sgd") + luck(cell, 0.001)

    section = effects(Study(results_of(question(), score)))
    short = "“bright” and “contrast” are better than “none”, pooled over “adam” and “sgd”."
    assert section.title == "Which recipes help?"
    assert [plain(said) for said in section.answer[:1]] == [short]
    forest, heat = (plain(figure.caption) for figure in section.figures)
    assert forest.startswith(
        f"{short} Each mark is a recipe's difference to “none”, with its interval. Better is to the r"
    )
    assert heat.startswith(
        "“bright” under “adam” has the highest mean accuracy, 86.0 %. Each cell has the mean accuracy i"
    )
    assert plain(section.tables[0].caption).startswith("Condition by condition, “bright” (under each) and “contrast” (")
    luckier = effects(Study(results_of(question(), scoring({"bright": 0.01}, 0.05))))
    assert plain(luckier.figures[1].caption).startswith(
        "“bright” has the highest mean accuracy under each condition, but is not shown to be better than “none”."
    )
    best = effects(Study(results_of(question(), scoring({"bright": 0.02}, 0.001))))
    assert plain(best.figures[1].caption).startswith("“bright” has the highest mean accuracy under each condition.")
    loss = replace(question(), metric="log_loss", margin=0.02)
    low = effects(Study(results_of(loss, scoring({"bright": -0.02}, 0.001))))
    assert plain(low.figures[1].caption).startswith("“bright” has the lowest mean log loss under each condition.")
    assert "Better is to the left." in low.figures[0].caption


def test_where_nothing_can_be_said_yet_the_section_says_so_first():
    waiting = effects(Study(results_of(question(), lambda cell: "planned"))).answer
    assert waiting[0] == "No answer yet: no recipe has a finished run with a finite score (5 seeds planned)."
    assert "holds" not in " ".join(waiting)


def test_a_section_about_one_recipe_has_one_sentence_on_it():
    one = replace(question(), recipes={"none": (), "bright": (Brightness(0.4),)}, **ADAM)
    (said,) = effects(Study(results_of(one, scoring({"bright": 0.05})))).answer
    assert plain(said).startswith("“bright” beats “none” by 5.0 points")
