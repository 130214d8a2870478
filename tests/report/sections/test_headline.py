"""The first screen of the report: the lead, the big number, how sure it is, and whether they mislead."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from made_effects import BOTH, effect
from made_up import alike, noise, question, results_of, usual

from ablation.core.text import MINUS, plain
from ablation.evidence.study import Study
from ablation.experiment.experiment import Cell
from ablation.report.sections.effects.headline import Headline, headline_of
from ablation.report.sections.effects.section import effects as section_of
from ablation.report.sections.effects.table import verdict_grid
from ablation.report.sections.effects.text import answer, by_condition, sentences, short_answer
from ablation.report.sections.effects.text import lead as lead_of

HERE = ", pooled over “adam” and “sgd”."
EIGHT = replace(question(), seeds=8)


def study_of(score: Callable[[Cell], float | str], experiment=EIGHT, **more) -> Study:
    return Study(results_of(experiment, score, **more))


def headline(score: Callable[[Cell], float | str], experiment=EIGHT, **more) -> Headline:
    return headline_of(experiment, study_of(score, experiment, **more).effects)


def gaining(**gains: float) -> Callable[[Cell], float]:
    return lambda cell: 0.8 + gains.get(cell.factors["recipe"], 0.0) + noise(cell)


def test_an_equivalence_has_its_own_p_and_not_that_of_a_difference():
    held = headline(alike)
    assert held.verdict == "equivalent"
    assert held.sure[0] == "Equivalence p < .001, corrected for 2 comparisons."
    assert "djusted p" not in " ".join(held.sure)


def test_the_number_is_of_the_recipe_that_the_lead_names_first():
    held = headline(gaining(bright=-0.03, contrast=-0.05))
    assert plain(held.lead) == (
        "No recipe is shown to be better than “none”. “contrast” and “bright” are worse than “none”" + HERE
    )
    assert (held.recipe, held.verdict, held.number) == ("contrast", "worse", f"{MINUS}4.9")
    better = headline(gaining(bright=0.03, contrast=0.05))
    assert plain(better.lead).startswith("“contrast” and “bright” are better than")
    assert (better.recipe, better.verdict) == ("contrast", "better")
    losses = replace(EIGHT, metric="log_loss")
    assert headline(gaining(bright=0.1, contrast=0.2), losses).recipe == "contrast"
    assert headline(gaining(bright=-0.1, contrast=-0.2), losses).recipe == "contrast"


FAILED = (
    "“bright” and “contrast” cannot be judged: 0 of 16 trainings ended near chance or far below the others, 4 of 16"
)


@pytest.mark.parametrize(
    ("score", "lead"),
    [
        (lambda cell: 0.1 if cell.factors["recipe"] == "none" and cell.seed < 2 else usual(cell), FAILED),
        (lambda _: 1.0, "“bright” and “contrast” cannot be judged: no spread over seeds."),
        (
            lambda cell: "diverged" if (cell.factors["recipe"], cell.seed) == ("none", 0) else usual(cell),
            "“bright” and “contrast” cannot be judged: 2 runs failed or diverged here.",
        ),
    ],
)
def test_what_cannot_be_judged_is_no_null_result(score, lead):
    study, held = study_of(score), headline(score)
    assert plain(held.lead).startswith(lead)
    assert (held.recipe, held.number, held.sure) == ("", "", ())
    everywhere = plain(" ".join([held.lead, *answer(EIGHT, study.effects), section_of(study).answer[0]]))
    assert "is shown to be better" not in everywhere
    assert "p = 1.000" not in everywhere


def test_the_lead_and_the_captions_say_which_recipes_have_no_verdict():
    def score(cell: Cell) -> float | str:
        return "diverged" if cell.factors["recipe"] == "bright" and cell.seed < 2 else usual(cell)

    section, lead = section_of(study_of(score)), plain(headline(score).lead)
    assert lead == (
        f"No recipe is shown to be better than “none”. “contrast” is worse than “none”{HERE} “bright” has no verdict."
    )
    assert plain(section.answer[0]) == lead
    assert "“bright” has no verdict." in plain(section.figures[0].caption)
    lost = [effect(f"r{number}", verdict="undecided", note="1 run failed") for number in range(9)]
    assert lead_of(EIGHT, [*BOTH, effect("bright"), *lost]).endswith(" 9 recipes have no verdict.")


def test_the_baseline_under_another_name_is_not_without_a_verdict():
    twice = replace(EIGHT, recipes={**EIGHT.recipes, "same": ()})
    assert "no verdict" not in headline(usual, twice).lead


def reversed_under_sgd(cell: Cell) -> float:
    gain = {"adam": 0.08, "sgd": -0.03}[cell.factors["optimizer"]]
    return 0.8 + noise(cell) + gain * (cell.factors["recipe"] == "bright")


def test_a_reversal_under_a_condition_is_said_wherever_the_pooled_verdict_is():
    study = study_of(reversed_under_sgd)
    but = "But “bright” is worse under “sgd”."
    assert plain(headline(reversed_under_sgd).lead) == f"“bright” is better than “none”{HERE} {but}"
    assert plain(short_answer(EIGHT, study.effects)).endswith(but)
    *_, last = said = [plain(text) for text in answer(EIGHT, study.effects)]
    assert but in said
    assert last.startswith("All else is pooled over")
    assert plain(by_condition(EIGHT, study.effects)) == (
        f"Condition by condition, “bright” (under “adam”) is better than “none”. {but}"
    )
    assert "pooled over “adam” and “sgd”, but worse under “sgd”. It" in plain(sentences(EIGHT, study.effects)[0])
    mirrored = headline(lambda cell: 1.6 - reversed_under_sgd(cell))
    assert plain(mirrored.lead).endswith(f"“bright” is worse than “none”{HERE} But “bright” is better under “sgd”.")


def test_a_reversal_follows_what_it_is_against():
    def score(cell: Cell) -> float | str:
        lost = cell.factors["recipe"] == "contrast" and cell.seed == 0
        return "diverged" if lost else reversed_under_sgd(cell)

    assert plain(headline(score).lead) == (
        f"“bright” is better than “none”{HERE} But “bright” is worse under “sgd”. “contrast” has no verdict."
    )


def test_without_a_reversal_nothing_is_said_against_the_pooled_verdict():
    assert "But" not in headline(usual).lead
    assert answer(EIGHT, study_of(usual).effects)[-1].startswith("All of this is")


def test_many_reversals_are_counted():
    pooled = [effect(f"r{number}") for number in range(9)]
    single = [effect(one.recipe, condition={"optimizer": "sgd"}, verdict="worse") for one in pooled]
    assert lead_of(EIGHT, [*BOTH, *single, *pooled]).endswith(
        "But under a condition by itself 9 recipes have another verdict."
    )


def test_runs_without_a_finite_score_are_not_said_to_be_unfinished():
    assert headline(lambda _: float("nan")).lead == (
        "No answer yet: no recipe has a finished run with a finite score (8 seeds planned)."
    )


def test_a_decided_difference_is_never_shown_as_zero():
    def tiny(cell: Cell) -> float:
        return 0.8 + noise(cell, 0.00001) + 0.0001 * (cell.factors["recipe"] == "bright")

    study, held = study_of(tiny, test_images=100_000), headline(tiny, test_images=100_000)
    assert (held.recipe, held.verdict) == ("bright", "better")
    numbers = held.number, held.interval.removeprefix("95 % interval ")
    assert all("+0.00" in number for number in numbers)
    assert (held.forest.rows[0].difference, held.forest.rows[0].interval) == numbers
    section = section_of(study)
    row = next(row for row in section.tables[0].groups[-1].rows if row["recipe"] == "bright")
    assert (row["difference"], row["interval"]) == numbers
    drawn = [row.text for group in section.figures[0].data.groups for row in group.rows if row.name == "bright"]
    assert drawn[-1] == "{}  [{}]".format(*numbers)
    assert f"by {numbers[0][1:]} points of accuracy" in answer(EIGHT, study.effects)[0]
    assert verdict_grid(EIGHT, study.effects).rows[0][1][-1] == ("better", numbers[0])
    assert next(row for row in held.forest.rows if row.verdict == "equivalent").difference == "0.0"
