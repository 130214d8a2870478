"""The section on conditions: its tables of contrasts and shares, and what the interaction plot shows of the results."""

import math
from dataclasses import replace

import numpy as np
import pytest
from interaction_grids import FOUR, but, grid, result_of, scores, section_of
from made_up import alike, results_of, usual
from scipy import stats

from ablation import CorrectedResampled, Paired, PerSeed
from ablation.augment import Brightness
from ablation.core.text import MINUS, NONE
from ablation.evidence.study import Study
from ablation.experiment.experiment import Experiment
from ablation.optim import Adam
from ablation.report.section import Figure
from ablation.report.sections.interaction.section import MOST_CONTRASTS, MOST_LINES, interaction


@pytest.fixture
def experiment() -> Experiment:
    return grid()


def figure_of(experiment: Experiment, score=usual) -> Figure | None:
    figures = section_of(experiment, score).figures
    return figures[0] if figures else None


def test_shares_have_a_row_a_term_and_the_rest_and_no_p(experiment):
    score = scores({"bright": 0.05})
    shares = section_of(experiment, score).tables[1]
    (group,) = shares.groups
    assert [row["term"] for row in group.rows] == ["recipe", "optimizer", "recipe × optimizer", "rest (seeds)"]
    assert list(shares.headers) == ["term", "df", "eta"]
    assert all(set(row) == set(shares.headers) for row in group.rows)
    recipe = result_of(experiment, score).anova.term("recipe")
    assert group.rows[0] == {"term": "recipe", "df": "2", "eta": f"{recipe.partial_eta2:.2f}"}
    assert group.rows[-1]["df"] == "24"
    assert "prove nothing" in shares.caption
    assert shares.folded


def test_a_term_that_no_run_is_of_has_a_dash(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    shares = section_of(replace(experiment, exclude=one_each), scores({"bright": 0.05})).tables[-1]
    assert shares.groups[0].rows[2] == {"term": "recipe × optimizer", "df": "0", "eta": NONE}


def test_seeds_are_blocks_where_the_test_pairs_them(experiment):
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    for requested, blocks in ((redrawn, True), (experiment, False)):
        caption = section_of(requested).tables[1].caption
        assert "of 30 finished runs" in caption
        assert (", seeds as blocks;" in caption) == blocks


def test_why_there_are_no_shares_is_said(experiment):
    section = section_of(experiment, lambda cell: 0.8 + 0.1 * (cell.factors["recipe"] == "bright"))
    assert [next(iter(table.headers)) for table in section.tables] == ["recipe"]
    assert section.caution == ("There is no analysis of variance, as the scores do not vary from seed to seed.",)


def test_the_contrasts_have_a_row_each(experiment):
    score = scores({"bright": 0.05}, {"bright": 0.08})
    bright, contrast = result_of(experiment, score).contrasts
    table = section_of(experiment, score).tables[0]
    rows = table.groups[0].rows
    assert rows[0] == {
        "recipe": "bright",
        "claim": "depends",
        "level": "adam",
        "effect": "+5.0",
        "others": "sgd",
        "elsewhere": "+8.0",
        "contrast": f"{MINUS}3.0",
        "interval": f"{MINUS}{-100 * bright.low:.1f} to {MINUS}{-100 * bright.high:.1f}",
        "p_holm": "<.001",
    }
    assert rows[1]["claim"] == "not shown"
    assert rows[1]["p_holm"] == f"{contrast.p_adjusted:.3f}".removeprefix("0")
    assert table.headers["contrast"] == "difference (points)"
    assert table.caption.startswith("1 of 2 contrasts is shown to differ from 0. ")
    assert section_of(experiment, alike).tables[0].caption.startswith("None of 2 contrasts is shown to differ from 0. ")
    assert "Welch's t of its own cells" in table.caption
    assert "over 2 contrasts; intervals are not corrected" in table.caption
    loss = section_of(replace(experiment, metric="log_loss")).tables[0]
    assert loss.headers["contrast"] == "difference (nats)"
    assert loss.caption.endswith(" Lower is better.")


def test_a_contrast_that_cannot_be_judged_has_dashes(experiment):
    table = section_of(experiment, but(usual, bright_adam_0="diverged")).tables[0]
    row = dict(table.groups[0].rows[0])
    assert (row.pop("recipe"), row.pop("claim"), row.pop("level")) == ("bright", "no claim", "adam")
    assert set(row.values()) == {NONE}


def test_how_contrasts_are_judged_depends_on_the_test(experiment):
    paired = section_of(replace(experiment, test=Paired(), vary={"batch_size": (16, 32)})).tables[0].caption
    assert "where the other factors are the same" in paired
    assert "Student's t over the seeds that its cells share: " in paired
    redrawn = section_of(replace(experiment, split=PerSeed(), test=CorrectedResampled())).tables[0].caption
    assert "share, wide enough for training parts that overlap: " in redrawn


def test_of_many_contrasts_the_smallest_p_are_shown(experiment):
    recipes = {"none": (), **{f"b{number}": (Brightness(number / 20),) for number in (1, 2, 3, 4)}}
    many = replace(experiment, optimizers=FOUR, recipes=recipes)
    contrasts, table = result_of(many, alike).contrasts, section_of(many, alike).tables[0]
    rows = table.groups[0].rows
    assert len(rows) == MOST_CONTRASTS < len(contrasts) == 16
    assert rows[0]["p_holm"] == f"{min(one.p_adjusted for one in contrasts):.3f}".removeprefix("0")
    assert " Shown are the 12 contrasts with the smallest p. " in table.caption


def test_points_are_means_over_seeds_with_their_t_interval_in_percent(experiment):
    results = results_of(experiment)
    (figure,) = interaction(Study(results)).figures
    (lines,) = figure.data.panels.values()
    done = results.finished.set_index(["recipe", "optimizer"])["accuracy"].sort_index()
    for recipe in ("none", "bright", "contrast"):
        for point, level in zip(lines[recipe], figure.data.levels, strict=True):
            scores = 100 * done[recipe, level].to_numpy()
            expected = stats.t.interval(0.95, 4, scores.mean(), stats.sem(scores))
            assert point.mean == pytest.approx(scores.mean())
            assert (point.low, point.high) == pytest.approx(expected)
    assert (figure.data.factor, figure.data.levels, *figure.data.panels) == ("optimizer", ("adam", "sgd"), "")
    assert figure.data.scale == "mean accuracy (%)"
    assert "95 % interval of each mean, not corrected. " in figure.caption


def test_intervals_allow_for_a_split_that_is_redrawn(experiment):
    results = results_of(replace(experiment, split=PerSeed(), test=CorrectedResampled()))
    (figure,) = interaction(Study(results)).figures
    done = results.finished.set_index(["recipe", "optimizer"])["accuracy"].sort_index()
    scores = 100 * done["none", "adam"].to_numpy()
    half = stats.t.ppf(0.975, 4) * math.sqrt((1 / 5 + 40 / 60) * scores.var(ddof=1))
    point = figure.data.panels[""]["none"][0]
    assert (point.low, point.high) == pytest.approx((scores.mean() - half, scores.mean() + half))
    assert "wide enough for a split that is redrawn" in figure.caption


def test_losses_keep_their_unit(experiment):
    figure = figure_of(replace(experiment, metric="log_loss"))
    assert figure.data.scale == "mean log loss (nats, lower is better)"
    assert figure.data.panels[""]["none"][0].mean == pytest.approx(0.8, abs=0.01)
    assert figure_of(replace(experiment, metric="brier")).data.scale == "mean Brier score (lower is better)"


def test_under_three_seeds_there_is_no_interval(experiment):
    figure = figure_of(experiment, lambda cell: "failed" if cell.seed < 3 else usual(cell))
    assert all(math.isnan(point.low) for line in figure.data.panels[""].values() for point in line)
    assert "none under 3 seeds" in figure.caption
    assert "none under 3 seeds" not in figure_of(experiment).caption


def test_the_caption_opens_with_whether_the_means_keep_their_order(experiment):
    kept = figure_of(experiment, scores({"bright": 0.05, "contrast": -0.05}))
    assert kept.caption.startswith("The order of the means is the same under all 2 conditions. ")
    first = figure_of(experiment, scores({"bright": 0.05, "contrast": -0.05}, {"bright": 0.05, "contrast": 0.02}))
    assert first.caption.startswith("The order of the means changes with the optimizer; bright is first everywhere. ")
    turned = figure_of(experiment, scores({"bright": 0.05}, {"bright": -0.05}))
    assert turned.caption.startswith("The order of the means changes with the optimizer. ")
    losses = scores({"bright": -0.05, "contrast": 0.03}, {"bright": -0.05, "contrast": -0.02})
    loss = figure_of(replace(experiment, metric="log_loss"), losses)
    assert "; bright is first everywhere. " in loss.caption
    assert kept.alt.startswith(
        "Interaction plot: mean accuracy (%) of each recipe by optimizer, a line a recipe; at “a"
    )
    assert "“bright” 85.0 and 85.0" in kept.alt


def test_without_two_recipes_everywhere_the_caption_says_so(experiment):
    one_each = ({"recipe": "bright", "optimizer": "sgd"}, {"recipe": "contrast", "optimizer": "adam"})
    figure = figure_of(replace(experiment, exclude=one_each), scores({"bright": 0.05}))
    assert figure.caption.startswith("Fewer than two recipes have a mean under every condition. ")


def test_an_excluded_cell_is_a_gap(experiment):
    figure = figure_of(replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},)))
    adam, sgd = figure.data.panels[""]["bright"]
    assert not math.isnan(adam.mean)
    assert math.isnan(sgd.mean)


def test_other_factors_have_a_panel_for_each_of_their_levels(experiment):
    figure = figure_of(replace(experiment, vary={"batch_size": (16, 32), "dropout": (0.0, 0.3)}))
    assert list(figure.data.panels) == [
        f"batch size {size}, dropout {share}" for size in (16, 32) for share in ("0.0", "0.3")
    ]


def test_a_factor_with_one_level_left_is_in_no_title(experiment):
    halved = replace(experiment, vary={"dropout": (0.0, 0.3)})
    figure = figure_of(halved, lambda cell: usual(cell) if cell.factors["dropout"] == "0.0" else "failed")
    assert list(figure.data.panels) == [""]


def test_the_factor_along_the_axis_leaves_few_panels(experiment):
    """Seven panels are too many: the eight dropouts go along the axis, and the optimizers beside each other."""
    figure = figure_of(replace(experiment, vary={"dropout": tuple(tenth / 10 for tenth in range(8))}))
    assert figure.data.factor == "dropout"
    assert list(figure.data.panels) == ["adam", "sgd"]
    assert figure_of(replace(experiment, vary={"dropout": tuple(tenth / 10 for tenth in range(9))})) is None


def test_of_many_recipes_the_baseline_and_the_best_are_drawn(experiment):
    """r1 is best under sgd, so that it is drawn though its mean over both is among the lowest."""
    recipes = {"none": (), **{f"r{number}": (Brightness(number / 20),) for number in range(1, 13)}}
    gains = {recipe: 0.01 * number for number, recipe in enumerate(recipes)}

    def score(cell) -> float:
        swing = {"adam": -0.3, "sgd": 0.2}[cell.factors["optimizer"]] if cell.factors["recipe"] == "r1" else 0.0
        return 0.5 + gains[cell.factors["recipe"]] + swing + 0.001 * cell.seed

    figure = figure_of(replace(experiment, recipes=recipes), score)
    assert figure.data.recipes == ("none", "r1", "r7", "r8", "r9", "r10", "r11", "r12")
    assert len(figure.data.recipes) == MOST_LINES
    assert figure.caption.endswith(" 5 others are not.")
    lower = figure_of(replace(experiment, recipes=recipes, metric="log_loss"), lambda cell: 1 - score(cell))
    assert lower.data.recipes == figure.data.recipes


def test_there_is_no_section_where_nothing_varies(experiment):
    assert section_of(replace(experiment, optimizers={"adam": Adam()})) is None


def test_a_half_empty_grid_is_drawn_and_answered(experiment):
    """While the grid is being trained: one recipe is done, the second has two seeds under one optimizer."""

    def begun(cell) -> float | str:
        if cell.factors["recipe"] == "none":
            return usual(cell)
        early = cell.factors["recipe"] == "bright" and cell.factors["optimizer"] == "adam" and cell.seed < 2
        return usual(cell) if early else "planned"

    section = section_of(experiment, begun)
    assert section.figures[0].data.recipes == ("none", "bright")
    assert np.isnan(section.figures[0].data.panels[""]["bright"][1].mean)
    assert section.answer[0].startswith("No winner can be named: ")
