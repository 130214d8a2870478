"""The table of the analysis of variance, and the sentence on ranks."""

from dataclasses import replace

import pytest
from interplays import FOUR, scores
from made_up import noise, question, results_of

from ablation.augment import Brightness
from ablation.evidence.interplay import interplay
from ablation.experiment import Experiment
from ablation.report import interplay_table as table
from ablation.report.wording import NONE


@pytest.fixture
def experiment() -> Experiment:
    return question()


def test_the_table_has_a_row_a_term_and_the_rest(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05})))
    rows = table.rows(found)
    assert [row["term"] for row in rows] == ["recipe", "optimizer", "recipe × optimizer", "rest (seeds)"]
    assert all(set(row) == set(table.headers(found)) for row in rows)
    recipe = found.anova.term("recipe")
    assert rows[0]["df"] == "2"
    assert rows[0]["f"] == f"{recipe.f:,.0f}"
    assert rows[0]["p_holm"] == "<.001"
    assert rows[0]["interval"] == f"{recipe.low:.2f} to {recipe.high:.2f}"
    assert rows[-1]["df"] == "24"
    ninety_eight = replace(experiment, alpha=0.01)
    assert table.headers(interplay(results_of(ninety_eight)))["interval"] == "98 % interval"


def test_a_term_that_no_run_tells_of_has_dashes(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    found = interplay(results_of(replace(experiment, exclude=one_each), scores({"bright": 0.05})))
    assert table.rows(found)[2] == {
        "term": "recipe × optimizer", "df": "0", "f": NONE, "p": NONE, "p_holm": NONE, "eta": NONE, "interval": NONE,
    }  # fmt: skip


def test_ranks_that_agree_prove_nothing_where_they_are_few(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05, "contrast": -0.05})))
    assert table.ranks(found, experiment) == (
        "Average rank over 2 conditions, 1 is best: bright (1), none (2) and contrast (3). The agreement of the "
        "conditions on that order, Kendall's W, is 1.00 (1 is full, chance alone gives 0.50). It proves nothing, as so "
        "few recipes and conditions cannot give a p below .167."
    )


def test_ranks_that_agree_under_several_conditions_are_more_than_chance(experiment):
    four = replace(experiment, optimizers=FOUR)
    agreed = table.ranks(interplay(results_of(four, scores({"bright": 0.05, "contrast": -0.05}))), four)
    assert agreed.endswith(
        "(1 is full, chance alone gives 0.25). That is more than chance (Friedman's test, p = .005)."
    )
    mixed = table.ranks(interplay(results_of(four, lambda cell: 0.8 + noise(cell))), four)
    assert "That is not shown to be more than chance (Friedman's test, p = " in mixed


def test_of_many_recipes_the_first_ranks_are_told(experiment):
    many = replace(
        experiment, recipes={"none": (), **{f"b{place}": (Brightness(place / 20),) for place in range(1, 12)}}
    )
    found = interplay(results_of(many, scores({f"b{place}": 0.01 * place for place in range(1, 12)})))
    assert table.ranks(found, many).startswith("Average rank over 2 conditions, 1 is best: b11 (1), b10 (2), b9 (3), ")
    assert "b4 (8) and 4 more. " in table.ranks(found, many)
