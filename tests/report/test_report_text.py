"""Effects in words: the numbers, their signs and units, and sentences that are right when things are missing."""

import math

import pytest
from made_effects import BOTH, baseline, effect, unknown

from ablation.core.text import (
    MINUS,
    NONE,
    bare,
    first_sentence,
    kinds_of_spans,
    listing,
    name_spans,
    named,
    opening,
    p_phrase,
    p_text,
    plain,
    tied,
)
from ablation.experiment.labels import condition_named, condition_text, conditions_text
from ablation.report.section import cells
from ablation.report.sections.effects.table import main_columns
from ablation.report.sections.effects.text import answer, question_of, short_answer
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
    """'crop' and 'Crop' may be two recipes."""
    assert opening("no recipe is better") == "No recipe is better"
    assert plain(opening(f"{named('crop')} is better")) == "“crop” is better"


def test_names_are_set_apart_in_a_text_and_bare_where_they_stand_alone():
    text = f"{named('crop')} beats {named('none')}"
    assert plain(text) == "“crop” beats “none”"
    assert bare(text) == "crop beats none"
    assert plain(named("adam")) == "adam"
    turned = "a\N{RIGHT-TO-LEFT OVERRIDE}b\N{POP DIRECTIONAL ISOLATE}c"
    assert plain(f"{named(turned)} helps") == "“abc” helps", "a name cannot end its own marks, nor turn the text"


def test_a_name_of_nothing_is_a_name_and_a_recipe_is_told_from_all_else():
    assert name_spans(f"{named('')} helps") == [("", True), (" helps", False)]
    assert plain(f"{named('')} helps") == "“” helps"
    text = f"{named('adam')} helps under {named('adam', recipe=False)}"
    assert kinds_of_spans(text) == [("adam", "recipe"), (" helps under ", ""), ("adam", "name")]
    assert plain(text) == "“adam” helps under “adam”"
    assert first_sentence(f"Is it {named('A. B', recipe=False)}? Yes.") == (
        f"Is it {named('A. B', recipe=False)}?",
        "Yes.",
    )


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
    assert plain(condition_named({"optimizer": "sgd", "dropout": "0.3"}, experiment)) == "“sgd”, dropout 0.3"
    single = build(optimizers={"adam": experiment.optimizers["adam"]})
    assert condition_text({"optimizer": "adam"}, single) == "adam"
    both = build(vary={"dropout": {"some": 0.3, "none": 0.0}, "model": ("resnet18", "resnet34")})
    levels = {"optimizer": "adam", "dropout": "some", "model": "resnet34"}
    assert plain(condition_named(levels, both)) == "“adam”, dropout “some”, “resnet34”"
    assert bare(condition_named(levels, both)) == condition_text(levels, both)


def test_question(build):
    assert plain(question_of(build())) == (
        "Does “crop”, “brightness”, “contrast” or “all” help, and does the answer survive a change of optimizer?"
    )


def says(*given):
    return [plain(sentence) for sentence in answer(*given)]


def test_answer_orders_by_size_and_tells_all_the_rest(build):
    effects = [
        *BOTH,
        effect(),
        effect("all", estimate=0.06, low=0.05, high=0.07),
        effect("brightness", estimate=0.004, low=-0.006, high=0.014, p_adjusted=0.41, verdict="undecided"),
        unknown("contrast", seeds=1),
    ]
    best, second, rivals, undecided, lacking, holds = says(build(), effects)
    assert best.startswith("“all” beats “none” by 6.0 points of accuracy (")
    assert second == (
        "“crop” beats “none” by 4.1 points of accuracy (95 % interval 2.2 to 6.0; adjusted p = .002; n = 5 seeds)."
    )
    assert rivals == "“all” is not shown to beat “crop”: each was compared with “none” alone."
    assert undecided.startswith("“brightness” is undecided (difference +0.4 points of accuracy, 95 % interval")
    assert lacking == "“contrast” cannot be compared with “none” (too few finished seeds: 1 shared seed of 5)."
    assert holds == (
        "All of this is pooled over “adam” and “sgd”, and holds for new training and test photographs, on this data, "
        "model and budget."
    )


def test_several_that_are_alike_share_a_sentence(build):
    margin = build(margin=0.01)
    three = [
        effect(name, estimate=0.004, low=-0.006, high=0.014, verdict="undecided") for name in ("crop", "hue", "turn")
    ]
    numbers = f"(+0.4 points, {MINUS}0.6 to +1.4)"
    assert f"Undecided: “crop” {numbers}, “hue” {numbers} and “turn” {numbers}." in says(margin, [*BOTH, *three])
    four = [*(effect(f"r{index}", verdict="equivalent") for index in range(4)), effect("worst", verdict="worse")]
    assert "Equivalent to “none” within 1.0 points: “r0”, “r1”, “r2” and “r3”." in says(margin, [*BOTH, *four])
    many = [effect(f"r{index}", verdict="undecided") for index in range(9)]
    assert "All 9 recipes are undecided." in says(margin, [*BOTH, *many])
    assert "9 recipes are undecided." in says(margin, [*BOTH, *many, effect("worst", verdict="worse")])


def test_of_many_better_ones_six_have_a_sentence_and_the_others_are_counted(build):
    nine = [effect(f"r{index}", estimate=0.01 * (index + 1)) for index in range(9)]
    said = says(build(), [*BOTH, *nine])
    assert [sentence.split()[0] for sentence in said[:6]] == [f"“r{index}”" for index in (8, 7, 6, 5, 4, 3)]
    assert said[6] == "3 more recipes are better, by 1.0 to 3.0 points of accuracy: see the table."
    alone = says(build(), [*BOTH, *nine[2:]])
    assert alone[6] == "1 more recipe is better, by 3.0 points of accuracy: see the table."


def test_answer_says_when_nothing_is_better(build):
    first, second, _ = says(build(), [*BOTH, effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse")])
    assert first == "No recipe is shown to be better than “none” in accuracy (5 seeds)."
    assert second.startswith("“crop” is worse than “none” by 3.0 points")


def test_answer_under_one_condition_names_it(build):
    alone = {"optimizer": "adam"}
    *_, last = says(build(), [baseline(alone), effect(condition=alone)])
    assert last.startswith("All of this is under “adam”, and holds for new training")


def test_a_recipe_that_the_grid_leaves_out_somewhere_says_so(build):
    first, *_ = says(build(), [*BOTH, effect(condition={"optimizer": "sgd"}), effect()])
    assert first.endswith("5 seeds), over 1 of 2 conditions.")


def test_the_short_answer_has_no_numbers_and_claims_nothing_without_a_verdict(build):
    def short(*effects):
        return plain(short_answer(build(), [*BOTH, *effects]))

    worse = effect("dark", estimate=-0.03, verdict="worse")
    assert short(effect(), effect("all", estimate=0.06), worse) == (
        "“all” and “crop” are better than “none”, and “dark” is worse, pooled over “adam” and “sgd”."
    )
    assert short(worse) == "“dark” is worse than “none”, pooled over “adam” and “sgd”."
    nothing = "No recipe is shown to be better or worse than “none”, pooled over “adam” and “sgd”."
    assert short(effect(verdict="undecided"), effect("all", verdict="equivalent")) == nothing
    assert short(effect(verdict="undecided", note="no verdict under 3 seeds")) == ""
    assert short() == ""
    left_out = [effect(condition={"optimizer": "sgd"}), effect(), effect("all", verdict="undecided")]
    assert short(*left_out) == "“crop” is better than “none”, pooled over the conditions that have the recipe."
    nine = [effect(f"r{index}") for index in range(9)]
    assert short(*nine) == "9 recipes are better than “none”, pooled over “adam” and “sgd”."


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [
        (
            [baseline(seeds=0), unknown("crop", seeds=0)],
            "No answer yet: no recipe has a finished run with a finite score (5 seeds planned).",
        ),
        ([baseline(), unknown("crop", seeds=1)], "No answer yet: no recipe has two finished seeds beside two"),
        ([baseline()], "There is nothing to compare: “none” is the only recipe."),
    ],
)
def test_answer_without_evidence(build, effects, sentence):
    assert " ".join(says(build(), effects)).startswith(sentence)


def test_answer_with_two_seeds_gives_no_verdict(build):
    early = effect(seeds=2, verdict="undecided", note="no verdict under 3 seeds")
    first, second, third = says(build(), [*BOTH, early])
    assert first == "No verdict yet: it takes 3 finished seeds, and there are 2."
    assert second == (
        "So far, as differences to “none” in points of accuracy, pooled over “adam” and “sgd”: “crop” +4.1."
    )
    assert third == "This is an impression, not evidence."


def test_a_line_does_not_end_between_a_number_and_its_unit():
    text = "95 % of 5 seeds, 1.1 points, 2.3 GB and 9 kB; p < .001, n = 5, in one sentence"
    assert tied(text).split(" ") == [
        *("95\u00a0%", "of", "5\u00a0seeds,", "1.1\u00a0points,", "2.3\u00a0GB", "and", "9\u00a0kB;"),
        *("p\u00a0<\u00a0.001,", "n\u00a0=\u00a05,", "in", "one", "sentence"),
    ]
