"""Effects as sentences: each verdict with what it rests on, and no more than that."""

from dataclasses import replace

import pytest
from told import BOTH, baseline, effect, unknown

from ablation import Dunnett, Paired
from ablation.evidence.effects import OWN_RUNS
from ablation.report.answer import answer
from ablation.report.details import details
from ablation.report.sentences import chance_text, sentence
from ablation.report.wording import MINUS, NONE, headers, row

CHANCE = {"p_better": 0.96, "p_better_low": 0.62, "p_better_high": 1.0}
EVERYWHERE = [*BOTH, effect(condition={"optimizer": "adam"}), effect(condition={"optimizer": "sgd"})]


def test_a_better_recipe(build):
    whole = effect(new_low=0.019, new_high=0.063, **CHANCE)
    assert sentence(whole, EVERYWHERE, build()) == (
        "crop beats none by 4.1 points of accuracy (95 % interval 2.2 to 6.0 over seeds, 1.9 to 6.3 for new "
        "photographs; Holm p = .002; n = 5 seeds), pooled over adam and sgd; a new run of it beats one of the "
        "baseline's with a chance of 96 % (62 to 100); on this data, model and budget."
    )


def test_sizes_of_a_worse_recipe_are_positive_and_in_order(build):
    worse = effect(estimate=-0.03, low=-0.05, high=-0.01, verdict="worse", condition={"optimizer": "sgd"})
    told = sentence(worse, EVERYWHERE, build())
    assert "worse than none by 3.0 points of accuracy (95 % interval 1.0 to 5.0" in told
    assert told.endswith("), under sgd; on this data, model and budget.")


def test_where_lower_is_better_the_better_recipe_has_a_negative_difference(build):
    experiment = build(metric="log_loss", margin=0.02, alpha=0.01)
    lower = effect(metric="log_loss", estimate=-0.12, low=-0.18, high=-0.06)
    told = sentence(lower, EVERYWHERE, experiment)
    assert "beats none by 0.120 nats of log loss (99 % interval 0.060 to 0.180" in told
    assert row(lower)["difference"] == f"{MINUS}0.120"
    assert headers(experiment)["mean"] == "log loss ± sd (nats, lower is better)"


def test_equivalent_gives_the_margin_and_the_p_that_it_rests_on(build):
    alike = effect(estimate=0.001, low=-0.004, high=0.006, p_adjusted=0.9, p_equivalent=0.012, verdict="equivalent")
    told = sentence(alike, EVERYWHERE, build(margin=0.01))
    assert "within 1.0 points" in told
    assert "equivalence p = .012" in told
    assert ".9" not in told


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (
            {"seeds_needed": 23.0, "decided_as": "different"},
            "23 seeds would show it to be different (power 80 %) if the truth is what was seen so far",
        ),
        ({"decided_as": "neither"}, "not even 1,000 seeds would decide it if the truth is what was seen so far"),
        ({"note": "1 diverged here"}, "n = 5 seeds; 1 diverged here), pooled over adam and sgd; on this data"),
    ],
)
def test_an_undecided_recipe_says_what_it_lacks(build, needs, told):
    said = sentence(effect(estimate=0.002, low=-0.005, verdict="undecided", **CHANCE, **needs), EVERYWHERE, build())
    assert told in said
    assert ("has no verdict" if "note" in needs else "is undecided") in said
    assert "chance" not in said, "of what has not been shown no chance is told"


def test_an_adjusted_p_says_whose_it_is(build):
    assert "; Dunnett p = .002;" in sentence(effect(), EVERYWHERE, build(test=Dunnett()))
    assert headers(build(test=Dunnett()))["p_adjusted"] == "Dunnett p"


def test_the_baseline_and_what_cannot_be_compared(build):
    first = sentence(baseline({"optimizer": "sgd"}, mean=0.8), BOTH, build())
    assert first == "none is the baseline: accuracy 80.0 % (5 seeds, under sgd)."
    lost = sentence(unknown("crop", seeds=1, condition={"optimizer": "sgd"}), BOTH, build())
    assert lost.startswith("crop cannot be compared with none (too few finished seeds: 1 of 5 seeds), under sgd")


def test_a_pooled_sentence_names_the_conditions_that_have_the_recipe(build):
    """The grid may leave it out of some."""
    assert ", under sgd alone;" in sentence(effect(), [*BOTH, effect(condition={"optimizer": "sgd"})], build())


def test_a_chance_that_is_not_known_is_a_dash():
    assert chance_text(effect()) == NONE


FEWER = {"seeds": 5, "baseline_seeds": 3}


@pytest.mark.parametrize(
    ("test", "seeds", "told"),
    [
        (None, FEWER, "n = 5 seeds against the baseline's 3)"),
        (None, {"seeds": 4, "baseline_seeds": 5}, "n = 4 of 5 seeds against the baseline's 5)"),
        (None, {"seeds": 4, "baseline_seeds": 4}, "n = 4 of 5 seeds)"),
        (Paired(), {"seeds": 3, "baseline_seeds": 3}, "n = 3 shared seeds of 5)"),
        (Paired(), {"seeds": 5, "baseline_seeds": 5}, "n = 5 seeds)"),
    ],
)
def test_n_is_the_seeds_that_were_compared(build, test, seeds, told):
    assert told in sentence(effect(**seeds), EVERYWHERE, build(test=test))


def test_seeds_that_are_there_already_are_not_told_as_lacking(build):
    lacking = effect(verdict="undecided", seeds=8, planned=8, baseline_seeds=3, seeds_needed=8, decided_as="different")
    assert "; 8 seeds of the baseline would show it to be different" in sentence(lacking, EVERYWHERE, build(seeds=8))
    assert details(lacking)["needed"] == "8 of the baseline, as different"
    assert details(replace(lacking, seeds_needed=9.0))["needed"] == "9, as different"


def test_the_baseline_under_another_name_has_no_numbers(build):
    """It is no finding that runs are as good as themselves."""
    alias = unknown("contrast", estimate=0.0, note=OWN_RUNS)
    assert sentence(alias, EVERYWHERE, build()) == "contrast is the baseline's own runs under another name."
    told = " ".join(answer(build(), [*BOTH, effect(), alias]))
    assert "contrast is the baseline's own runs under another name" in told
    assert "equivalent" not in told


def test_all_pairs_won_are_told_as_that_and_not_as_certainty(build):
    won = effect(p_better=1.0, p_better_low=0.561, p_better_high=1.0)
    assert (
        "; it won all 25 pairs of runs, so that a new run of it beats one of the baseline's with a chance of at least "
        "56 %; on this data"
    ) in sentence(won, EVERYWHERE, build())
    nearly = effect(p_better=0.998, p_better_low=0.561, p_better_high=0.9999)
    assert "with a chance of 99 % (56 to 100)" in sentence(nearly, EVERYWHERE, build())


def test_of_a_worse_recipe_the_chance_is_the_baselines(build):
    lost = {"estimate": -0.03, "low": -0.05, "high": -0.01, "verdict": "worse"}
    worse = effect(**lost, p_better=0.08, p_better_low=0.01, p_better_high=0.44)
    assert "; a new run of the baseline beats one of this recipe with a chance of 92 % (56 to 99); on" in sentence(
        worse, EVERYWHERE, build()
    )
    always = effect(**lost, p_better=0.0, p_better_low=0.0, p_better_high=0.439)
    assert (
        "; the baseline won all 25 pairs of runs, so that a new run of the baseline beats one of this recipe with a "
        "chance of at least 56 %;"
    ) in sentence(always, EVERYWHERE, build())


def test_conditions_that_have_commas_of_their_own_are_counted(build):
    both = build(vary={"dropout": (0.0, 0.3)})
    each = [effect(condition={"optimizer": "adam", "dropout": level}) for level in ("0.0", "0.3")]
    assert ", pooled over 2 conditions;" in sentence(effect(), each, both)
    assert ", under adam, dropout 0.3 alone;" in sentence(effect(), each[1:], both)
