"""The tables of contrasts and of shares explained, and the sentence on ranks."""

from dataclasses import replace

import pytest
from interplays import FOUR, asked, but, scores
from made_up import alike, results_of, usual

from ablation import CorrectedResampled, Paired, PerSeed
from ablation.augment import Brightness
from ablation.core.text import MINUS, NONE
from ablation.experiment.experiment import Experiment
from ablation.report.sections.interaction import table as table
from ablation.report.sections.interaction.compute import interplay


@pytest.fixture
def experiment() -> Experiment:
    return asked()


def test_the_table_has_a_row_a_term_and_the_rest(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05})))
    rows = table.rows(found)
    assert [row["term"] for row in rows] == ["recipe", "optimizer", "recipe × optimizer", "rest (seeds)"]
    assert all(set(row) == set(table.headers(found)) for row in rows)
    recipe = found.anova.term("recipe")
    assert rows[0]["df"] == "2"
    assert rows[0]["eta"] == f"{recipe.partial_eta2:.2f}"
    assert rows[-1]["df"] == "24"


def test_a_term_that_no_run_tells_of_has_dashes(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    found = interplay(results_of(replace(experiment, exclude=one_each), scores({"bright": 0.05})))
    assert table.rows(found)[2] == {
        "term": "recipe × optimizer", "df": "0", "eta": NONE,
    }  # fmt: skip


def test_no_p_of_an_f_test_is_shown(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05})))
    assert table.headers(found) == {
        "term": "term", "df": "df", "eta": "share explained",
    }  # fmt: skip
    assert "prove nothing" in table.reading(found)


def test_the_contrasts_have_a_row_each(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05}, {"bright": 0.08})))
    bright, contrast = found.interactions
    rows = table.contrasts(found, experiment)
    assert rows[0] == {
        "recipe": "bright",
        "level": "adam",
        "effect": "+5.0",
        "others": "sgd",
        "elsewhere": "+8.0",
        "difference": f"{MINUS}3.0",
        "interval": f"{MINUS}{-100 * bright.low:.1f} to {MINUS}{-100 * bright.high:.1f}",
        "p_holm": "<.001",
    }
    assert rows[1]["p_holm"] == f"{contrast.p_adjusted:.3f}".removeprefix("0")
    assert table.contrast_headers(found)["difference"] == "difference (points)"
    loss = interplay(results_of(replace(experiment, metric="log_loss")))
    assert table.contrast_headers(loss)["difference"] == "difference (nats)"
    assert table.contrasts_method(loss, replace(experiment, metric="log_loss")).endswith(" Lower is better.")
    assert table.contrasts_method(found, experiment) == (
        "A contrast is the effect of a recipe (its mean accuracy less that of none) at one level, less its mean effect "
        "at the others. Each is judged by Welch's t of its own cells: cells may vary differently. Holm's correction is "
        "over 2 contrasts. Cells with fewer than 3 seeds, or with a run that diverged or failed to train, take no part."
    )


def test_a_contrast_that_cannot_be_judged_has_dashes(experiment):
    found = interplay(results_of(experiment, but(usual, bright_adam_0="diverged")))
    assert set(list(table.contrasts(found, experiment)[0].values())[2:]) == {NONE}


def test_how_contrasts_are_judged_depends_on_the_test(experiment):
    paired = replace(experiment, test=Paired(), vary={"batch_size": (16, 32)})
    found = interplay(results_of(paired))
    assert "at the others where the other factors are the same, averaged over them." in table.contrasts_method(
        found, paired
    )
    assert "judged by Student's t over the seeds that its cells share: " in table.contrasts_method(found, paired)
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    found = interplay(results_of(redrawn))
    assert "share, wide enough for training parts that overlap: " in table.contrasts_method(found, redrawn)


def test_of_many_contrasts_the_smallest_p_are_shown(experiment):
    many = replace(
        experiment,
        optimizers=FOUR,
        recipes={"none": (), **{f"b{place}": (Brightness(place / 20),) for place in (1, 2, 3)}},
    )
    found = interplay(results_of(many, alike))
    assert len(found.interactions) == 12
    many = replace(many, recipes={**many.recipes, "more": (Brightness(0.9),)})
    found = interplay(results_of(many, alike))
    rows = table.contrasts(found, many)
    assert len(rows) == table.MOST_CONTRASTS < len(found.interactions) == 16
    assert rows[0]["p_holm"] == f"{min(one.p_adjusted for one in found.interactions):.3f}".removeprefix("0")
    assert table.contrasts_method(found, many).startswith("Shown are the 12 contrasts with the smallest p. A contrast")


def test_why_there_is_no_analysis_of_variance_is_told(experiment):
    flat = interplay(results_of(experiment, lambda cell: 0.8 + 0.1 * (cell.factors["recipe"] == "bright")))
    assert table.rows(flat) == ()
    assert table.notes(flat, experiment) == (
        "There is no analysis of variance, as the scores do not vary from seed to seed.",
    )


def test_ranks_have_no_p_as_conditions_share_seeds_and_photographs(experiment):
    found = interplay(results_of(experiment, scores({"bright": 0.05, "contrast": -0.05})))
    assert table.ranks(found, experiment) == (
        "Average rank over 2 conditions, 1 is best: bright (1), none (2) and contrast (3). The agreement of the "
        "conditions on that order, Kendall's W, is 1.00 (1 is full). No p is given, as conditions share seeds and "
        "photographs."
    )


def test_of_many_recipes_the_first_ranks_are_told(experiment):
    many = replace(
        experiment, recipes={"none": (), **{f"b{place}": (Brightness(place / 20),) for place in range(1, 12)}}
    )
    found = interplay(results_of(many, scores({f"b{place}": 0.01 * place for place in range(1, 12)})))
    assert table.ranks(found, many).startswith("Average rank over 2 conditions, 1 is best: b11 (1), b10 (2), b9 (3), ")
    assert "b4 (8) and 4 more. " in table.ranks(found, many)


def test_numbers():
    assert [table.share_text(share) for share in (0.375, float("nan"))] == ["0.38", NONE]
