"""Effects in words: the numbers, their signs and units, and sentences that are right when things are missing."""

import math

import pytest
from made_effects import BOTH, baseline, effect, unknown

from ablation.core.text import MINUS, NONE, listing, opening, p_phrase, p_text, tied
from ablation.experiment.labels import condition_text, conditions_text
from ablation.report.section import cells
from ablation.report.sections.effects.table import main_columns
from ablation.report.sections.effects.text import answer, question_of
from ablation.report.text import points


@pytest.mark.parametrize(
    ("x", "metric", "sign", "shown"),
    [
        (0.0412, "accuracy", True, "+4.1"),
        (-0.0412, "accuracy", True, f"{MINUS}4.1"),
        (0.84, "macro_f1", False, "84.0"),
        (-0.0001, "accuracy", True, "0.0"),
        (-0.12, "log_loss", True, f"{MINUS}0.120"),
        (0.0123, "brier", False, "0.012"),
        (math.nan, "accuracy", True, NONE),
    ],
)
def test_points(x, metric, sign, shown):
    assert points(x, metric, sign) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.004, ".004"),
        (0.00099, "<.001"),
        (0.0, "<.001"),
        (0.0499, ".0499"),
        (0.05, ".050"),
        (1.0, "1.000"),
        (math.nan, NONE),
    ],
)
def test_p_text(p, shown):
    assert p_text(p) == shown


@pytest.mark.parametrize(
    ("p", "alpha", "shown"),
    [
        (0.04996, 0.05, ".0499"),
        (0.05, 0.05, ".050"),
        (0.00996, 0.01, ".0099"),
        (0.00996, 0.05, ".010"),
        (0.0499, 0.01, ".050"),
        (0.0124, 0.0122, ".0124"),
        (0.0004, 0.0001, ".0004"),
    ],
)
def test_a_p_is_never_shown_on_the_other_side_of_alpha(p, alpha, shown):
    assert p_text(p, alpha) == shown
    assert p_phrase(p, alpha) == f"p = {shown}"


def test_a_sentence_opens_with_a_capital_but_a_name_is_left_as_it_is():
    assert opening("no recipe is better", ["crop"]) == "No recipe is better"
    assert opening("crop is better", ["none", "crop"]) == "crop is better"
    assert opening("cropping helps", ["crop"]) == "Cropping helps"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (["adam"], "adam"),
        (["adam", "sgd"], "adam and sgd"),
        (["adam, dropout 0.0", "sgd, dropout 0.0"], "2 conditions"),
        (["a", "b", "c", "d", "e"], "5 conditions"),
    ],
)
def test_conditions_are_listed_where_that_can_be_read(sentence, shown):
    assert conditions_text(sentence) == shown


def test_listing():
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"], "or") == "a, b or c"


def row(experiment, one):
    return cells(main_columns(experiment, [one]), one)


def test_no_verdict_is_not_undecided(build):
    assert row(build(), effect(verdict="undecided", note="no verdict under 3 seeds"))["verdict"] == "no verdict"
    assert row(build(), effect(verdict="undecided"))["verdict"] == "undecided"


def test_a_row_has_every_heading(build):
    assert "failed" in main_columns(build(), [effect(failed=1, trained=5)])
    assert "macro_f1" not in main_columns(build(metric="macro_f1"), [])
    assert row(build(), effect())["mean"] == "84.1 ± 1.2"
    assert row(build(), effect())["interval"] == "+2.2 to +6.0"
    assert row(build(), effect(seeds=3))["seeds"] == "3 of 5"


def test_failed_trainings_have_a_column_only_where_there_are_some(build):
    assert "failed" not in main_columns(build(), [effect(trained=5)])
    one = effect(failed=1, trained=5)
    assert main_columns(build(), [effect(trained=5), one])["failed"][0] == "failed trainings"
    assert row(build(), one)["failed"] == "1 of 5"


def test_condition_text_names_what_varies(build):
    experiment = build(vary={"dropout": (0.0, 0.3), "epochs": (12,)})
    assert condition_text({"optimizer": "sgd", "dropout": "0.3", "epochs": "12"}, experiment) == "sgd, dropout 0.3"
    single = build(optimizers={"adam": experiment.optimizers["adam"]})
    assert condition_text({"optimizer": "adam"}, single) == "adam"


def test_question(build):
    assert question_of(build()) == (
        "Does crop, brightness, contrast or all help, and does the answer survive a change of optimizer?"
    )


def test_answer_orders_by_size_and_tells_all_the_rest(build):
    effects = [
        *BOTH,
        effect(),
        effect("all", estimate=0.06, low=0.05, high=0.07),
        effect("brightness", estimate=0.004, low=-0.006, high=0.014, p_adjusted=0.41, verdict="undecided"),
        unknown("contrast", seeds=1),
    ]
    first, second = answer(build(), effects)
    assert first.startswith("all beats none by 6.0 points of accuracy")
    assert "and crop beats none by 4.1 (95 % interval 2.2 to 6.0; adjusted p = .002; n = 5 seeds), pooled over" in first
    assert first.endswith("adam and sgd. all is not shown to beat crop: each was compared with none alone.")
    assert second.startswith("brightness is undecided (difference +0.4 points of accuracy, 95 % interval")
    assert "contrast cannot be compared with none (too few finished seeds: 1 shared seed of 5)" in second
    assert second.endswith("; all of this holds for new training and test photographs, on this data, model and budget.")


def test_answer_says_when_nothing_is_better(build):
    first, second = answer(build(), [*BOTH, effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse")])
    assert first == "No recipe is shown to be better than none in accuracy (5 seeds), pooled over adam and sgd."
    assert second.startswith("crop is worse than none by 3.0 points")


def test_answer_under_one_condition_names_it(build):
    alone = {"optimizer": "adam"}
    first, _ = answer(build(), [baseline(alone), effect(condition=alone)])
    assert first.endswith("5 seeds), under adam.")


def test_a_recipe_that_the_grid_leaves_out_somewhere_says_so(build):
    first, _ = answer(build(), [*BOTH, effect(condition={"optimizer": "sgd"}), effect()])
    assert "5 seeds) over 1 of 2 conditions, pooled over adam and sgd." in first


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [
        (
            [baseline(seeds=0), unknown("crop", seeds=0)],
            "No answer yet: no recipe has a finished run (5 seeds planned).",
        ),
        ([baseline(), unknown("crop", seeds=1)], "No answer yet: no recipe has two finished seeds beside two"),
        ([baseline()], "There is nothing to compare: none is the only recipe."),
    ],
)
def test_answer_without_evidence(build, effects, sentence):
    assert " ".join(answer(build(), effects)).startswith(sentence)


def test_answer_with_two_seeds_gives_no_verdict(build):
    early = effect(seeds=2, verdict="undecided", note="no verdict under 3 seeds")
    first, second = answer(build(), [*BOTH, early])
    assert first == "No verdict: it takes 3 finished seeds, and there are 2, pooled over adam and sgd."
    assert second.startswith("So far, as differences to none in points of accuracy: crop +4.1;")
    assert "better" not in first + second


def test_a_line_does_not_end_between_a_number_and_its_unit():
    text = "95 % of 5 seeds, 1.1 points, 2.3 GB and 9 kB; p < .001, n = 5, in one sentence"
    assert tied(text).split(" ") == [
        *("95\u00a0%", "of", "5\u00a0seeds,", "1.1\u00a0points,", "2.3\u00a0GB", "and", "9\u00a0kB;"),
        *("p\u00a0<\u00a0.001,", "n\u00a0=\u00a05,", "in", "one", "sentence"),
    ]
