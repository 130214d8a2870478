"""Effects in words: the numbers, their signs and units, and sentences that are right when things are missing."""

import math

import pytest

from ablation.evidence.effects import Effect
from ablation.report.answer import answer, question_of
from ablation.report.wording import MINUS, NONE, condition_text, headers, listing, p_text, points, row, sentence


def effect(recipe: str = "crop", **changes) -> Effect:
    """Better by 4.1 points under adam and sgd together."""
    given = {
        "recipe": recipe, "condition": {}, "metric": "accuracy", "seeds": 5, "planned": 5, "mean": 0.841, "sd": 0.0123,
        "estimate": 0.0412, "low": 0.0218, "high": 0.0604, "p": 0.0004, "p_adjusted": 0.0021, "p_equivalent": 0.999,
        "macro_f1_difference": 0.039, "verdict": "better",
    }  # fmt: skip
    return Effect(**given | changes)


def unknown(recipe: str, **changes) -> Effect:
    nothing = dict.fromkeys(("estimate", "low", "high", "p", "p_adjusted", "p_equivalent", "macro_f1_difference"), math.nan)
    return effect(recipe, **nothing, **{"verdict": "undecided", "note": "too few finished seeds", **changes})


def baseline(condition: dict[str, str] | None = None, **changes) -> Effect:
    return unknown("none", condition=condition or {}, verdict="baseline", note="", **changes)


BOTH = [baseline({"optimizer": "adam"}), baseline({"optimizer": "sgd"})]
"""What says that two conditions were pooled."""


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


def test_listing():
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"], "or") == "a, b or c"


def test_a_better_recipe_in_a_sentence(build):
    assert sentence(effect(), build()) == (
        "Crop is better than none by 4.1 points of accuracy (95 % interval 2.2 to 6.0, Holm p = .002, 5 seeds), "
        "pooled over all conditions."
    )


def test_sizes_of_a_worse_recipe_are_positive_and_in_order(build):
    told = sentence(
        effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse", condition={"optimizer": "sgd"}), build()
    )
    assert "worse than none by 3.0 points of accuracy (95 % interval 1.0 to 5.0" in told
    assert told.endswith("under sgd.")


def test_where_lower_is_better_the_better_recipe_has_a_negative_difference(build):
    experiment = build(metric="log_loss", margin=0.02, alpha=0.01)
    lower = effect(metric="log_loss", estimate=-0.12, low=-0.18, high=-0.06)
    assert "better than none by 0.120 nats of log loss (99 % interval 0.060 to 0.180" in sentence(lower, experiment)
    assert row(lower)["difference"] == f"{MINUS}0.120"
    assert headers(experiment)["mean"] == "log loss ± sd (nats, lower is better)"


def test_equivalent_gives_the_margin_and_the_p_that_it_rests_on(build):
    alike = effect(estimate=0.001, low=-0.004, high=0.006, p_adjusted=0.9, p_equivalent=0.012, verdict="equivalent")
    told = sentence(alike, build(margin=0.01))
    assert "within 1.0 points" in told
    assert "equivalence p = .012" in told
    assert ".9" not in told


def test_no_verdict_is_not_undecided():
    assert row(effect(verdict="undecided", note="no verdict under 3 seeds"))["verdict"] == "no verdict"
    assert row(effect(verdict="undecided"))["verdict"] == "undecided"


def test_a_row_has_every_heading(build):
    assert set(headers(build())) <= set(row(effect()))
    assert "macro_f1" not in headers(build(metric="macro_f1"))
    assert row(effect())["mean"] == "84.1 ± 1.2"
    assert row(effect())["interval"] == "+2.2 to +6.0"
    assert row(effect(seeds=3))["seeds"] == "3 of 5"


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
    assert first.startswith("All is better than none by 6.0 points of accuracy")
    assert "and crop by 4.1 (95 % interval 2.2 to 6.0, Holm p = .002, 5 seeds), pooled over adam and sgd." in first
    assert second.startswith("Brightness is undecided (difference +0.4 points of accuracy, 95 % interval")
    assert "contrast cannot be compared with none (too few finished seeds: 1 of 5 seeds)" in second
    assert second.endswith("on this data, model and budget.")


def test_answer_says_when_nothing_is_better(build):
    first, second = answer(build(), [*BOTH, effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse")])
    assert first == "No recipe is shown to be better than none in accuracy (5 seeds), pooled over adam and sgd."
    assert second.startswith("Crop is worse than none by 3.0 points")


def test_answer_under_one_condition_names_it(build):
    alone = {"optimizer": "adam"}
    first, _ = answer(build(), [baseline(alone), effect(condition=alone)])
    assert first.endswith("5 seeds), under adam.")


def test_a_recipe_that_the_grid_leaves_out_somewhere_says_so(build):
    first, _ = answer(build(), [*BOTH, effect(condition={"optimizer": "sgd"}), effect()])
    assert "5 seeds) over 1 of 2 conditions, pooled over adam and sgd." in first


@pytest.mark.parametrize(
    ("effects", "told"),
    [
        (
            [baseline(seeds=0), unknown("crop", seeds=0)],
            "No answer yet: no recipe has a finished run (5 seeds planned).",
        ),
        ([baseline(), unknown("crop", seeds=1)], "No answer yet: no recipe has two finished seeds beside two"),
        ([baseline()], "There is nothing to compare: none is the only recipe."),
    ],
)
def test_answer_without_evidence(build, effects, told):
    assert " ".join(answer(build(), effects)).startswith(told)


def test_answer_with_two_seeds_gives_no_verdict(build):
    early = effect(seeds=2, verdict="undecided", note="no verdict under 3 seeds")
    first, second = answer(build(), [*BOTH, early])
    assert first == "No verdict: it takes 3 finished seeds, and there are 2, pooled over adam and sgd."
    assert second.startswith("So far, as differences to none in points of accuracy: crop +4.1;")
    assert "better" not in first + second
