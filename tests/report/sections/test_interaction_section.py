"""Interplay on the page: what the interaction plot shows of the results, which recipes and panels, and its section."""

import math
from dataclasses import replace

import numpy as np
import pytest
from interplays import asked
from made_up import results_of, usual
from scipy import stats

from ablation import CorrectedResampled, PerSeed
from ablation.augment import Brightness
from ablation.evidence.study import compare
from ablation.experiment.experiment import Experiment
from ablation.optim import Adam
from ablation.report.page import tell
from ablation.report.render.html import draw, render
from ablation.report.section import Scene
from ablation.report.sections.interaction.compute import interplay
from ablation.report.sections.interaction.section import MOST_LINES, interaction_scene, interplay_view


@pytest.fixture
def experiment() -> Experiment:
    return asked()


def scene_of(experiment: Experiment, score=usual) -> Scene | None:
    return interaction_scene(interplay(results_of(experiment, score)), experiment)


def test_points_are_means_over_seeds_with_their_t_interval_in_percent(experiment):
    results = results_of(experiment)
    scene = interaction_scene(interplay(results), experiment)
    (panel,) = scene.info.panels
    done = results.finished.set_index(["recipe", "optimizer"])["accuracy"]
    for recipe in ("none", "bright", "contrast"):
        for point, level in zip(panel.lines[recipe], scene.info.levels, strict=True):
            scores = 100 * done[recipe, level].to_numpy()
            expected = stats.t.interval(0.95, 4, scores.mean(), stats.sem(scores))
            assert point.mean == pytest.approx(scores.mean())
            assert (point.low, point.high) == pytest.approx(expected)
    assert (scene.info.factor, scene.info.levels, panel.title) == ("optimizer", ("adam", "sgd"), "")
    assert scene.info.scale == "mean accuracy (%)"
    assert scene.caption.startswith(
        "Mean accuracy over seeds with the 95 % interval of each mean, not corrected. Where"
    )


def test_intervals_allow_for_a_split_that_is_redrawn(experiment):
    redrawn = replace(experiment, split=PerSeed(), test=CorrectedResampled())
    results = results_of(redrawn)
    scene = interaction_scene(interplay(results), redrawn)
    done = results.finished.set_index(["recipe", "optimizer"])["accuracy"]
    scores = 100 * done["none", "adam"].to_numpy()
    half = stats.t.ppf(0.975, 4) * math.sqrt((1 / 5 + 40 / 60) * scores.var(ddof=1))
    point = scene.info.panels[0].lines["none"][0]
    assert (point.low, point.high) == pytest.approx((scores.mean() - half, scores.mean() + half))
    assert "wide enough for a split that is redrawn" in scene.caption


def test_losses_keep_their_unit(experiment):
    scene = scene_of(replace(experiment, metric="log_loss"))
    assert scene.info.scale == "mean log loss (nats, lower is better)"
    assert scene.info.panels[0].lines["none"][0].mean == pytest.approx(0.8, abs=0.01)
    assert scene_of(replace(experiment, metric="brier")).info.scale == "mean Brier score (lower is better)"


def test_under_three_seeds_there_is_no_interval(experiment):
    scene = scene_of(experiment, lambda cell: "failed" if cell.seed < 3 else usual(cell))
    assert all(math.isnan(point.low) for line in scene.info.panels[0].lines.values() for point in line)
    assert "none under 3 seeds" in scene.caption
    assert "none under 3 seeds" not in scene_of(experiment).caption


def test_an_excluded_cell_is_a_gap(experiment):
    scene = scene_of(replace(experiment, exclude=({"recipe": "bright", "optimizer": "sgd"},)))
    adam, sgd = scene.info.panels[0].lines["bright"]
    assert not math.isnan(adam.mean)
    assert math.isnan(sgd.mean)


def test_other_factors_have_a_panel_for_each_of_their_levels(experiment):
    scene = scene_of(replace(experiment, vary={"batch_size": (16, 32), "dropout": (0.0, 0.3)}))
    titles = [panel.title for panel in scene.info.panels]
    assert titles == [f"batch size {size}, dropout {share}" for size in (16, 32) for share in ("0.0", "0.3")]


def test_a_factor_with_one_level_left_is_in_no_title(experiment):
    halved = replace(experiment, vary={"dropout": (0.0, 0.3)})
    scene = scene_of(halved, lambda cell: usual(cell) if cell.factors["dropout"] == "0.0" else "failed")
    assert [panel.title for panel in scene.info.panels] == [""]


def test_the_factor_along_the_axis_leaves_few_panels(experiment):
    """Seven panels are too many: the eight dropouts go along the axis, and the optimizers beside each other."""
    scene = scene_of(replace(experiment, vary={"dropout": tuple(place / 10 for place in range(8))}))
    assert scene.info.factor == "dropout"
    assert [panel.title for panel in scene.info.panels] == ["adam", "sgd"]
    assert scene_of(replace(experiment, vary={"dropout": tuple(place / 10 for place in range(9))})) is None


def test_of_many_recipes_the_baseline_and_the_best_are_drawn(experiment):
    """r1 is best under sgd, so that it is drawn though its mean over both is among the lowest."""
    recipes = {"none": (), **{f"r{place}": (Brightness(place / 20),) for place in range(1, 13)}}
    gains = {recipe: 0.01 * place for place, recipe in enumerate(recipes)}

    def score(cell) -> float:
        swing = {"adam": -0.3, "sgd": 0.2}[cell.factors["optimizer"]] if cell.factors["recipe"] == "r1" else 0.0
        return 0.5 + gains[cell.factors["recipe"]] + swing + 0.001 * cell.seed

    scene = scene_of(replace(experiment, recipes=recipes), score)
    assert scene.info.recipes == ("none", "r1", "r7", "r8", "r9", "r10", "r11", "r12")
    assert len(scene.info.recipes) == MOST_LINES
    assert scene.caption.endswith("Drawn are none and the best recipes, 5 others are not.")
    lower = scene_of(replace(experiment, recipes=recipes, metric="log_loss"), lambda cell: 1 - score(cell))
    assert lower.info.recipes == scene.info.recipes


def test_the_scene_is_drawn_in_the_styles_of_the_recipes(complete):
    report = tell(complete.experiment, complete, compare(complete))
    made = draw(report.interaction, report.look)
    colors = {line.get_color() for line in made.axes[0].lines}
    assert colors == {report.look[recipe].color for recipe in complete.experiment.recipes}


def test_the_section_tells_sentence_table_ranks_and_picture(complete):
    experiment = complete.experiment
    told = interplay(complete)
    page = render(tell(experiment, complete, compare(complete)), "0" * 64).replace("\u00a0", " ")
    view = interplay_view(told, experiment)
    assert "<h2>Does the winner survive a change of optimizer?</h2>" in page
    assert page.index("Recipes by condition") < page.index(view.title) < page.index("Are the classes better separated?")
    for text in (view.sentence, view.ranks, view.contrast_caption, *view.caption):
        assert text.replace("'", "&#39;") in page
    for row in view.rows:
        cells = "".join(f"<td>{row[key]}</td>" for key in view.headers if key != "term").replace("<.", "&lt;.")
        assert f'<tr><th scope="row">{row["term"]}</th>{cells}</tr>' in page
    for row in view.contrasts:
        cells = "".join(f"<td>{row[key]}</td>" for key in view.contrast_headers if key != "recipe").replace(
            "<.", "&lt;."
        )
        assert f'<tr><th scope="row">{row["recipe"]}</th>{cells}</tr>' in page
    assert view.contrasts
    assert view.rows
    assert "Interaction plot: mean accuracy of each recipe by optimizer" in page


def test_there_is_no_section_where_nothing_varies(build, fake, tmp_path):
    experiment = build(optimizers={"adam": Adam()}, seeds=3)
    results = fake(experiment, tmp_path)
    report = tell(experiment, results, compare(results))
    assert (report.interplay, report.interaction) == (None, None)
    assert "survive a change" not in render(report, "0" * 64).split("<section>", 1)[1]


def test_notes_stand_in_the_section_and_are_escaped(build, fake, tmp_path):
    hostile = '<b>&"bold"'
    experiment = build(recipes={"none": (), hostile: (Brightness(0.4),), "dim": (Brightness(0.2),)}, seeds=3)
    results = fake(
        experiment,
        tmp_path,
        gains={hostile: 0.05},
        fate=lambda cell: "failed" if (cell.factors["recipe"], cell.seed) == (hostile, 0) else "finished",
    )
    page = render(tell(experiment, results, compare(results)), "0" * 64).replace("\u00a0", " ")
    assert "not ranked: &lt;b&gt;&amp;&#34;bold&#34; (2 of 3 seeds finished under adam)." in page
    assert "<b>&" not in page


def test_a_half_empty_grid_is_drawn_and_told(experiment):
    """While the grid is being trained: one recipe is done, the second has two seeds under one optimizer."""

    def begun(cell) -> float | str:
        if cell.factors["recipe"] == "none":
            return usual(cell)
        early = cell.factors["recipe"] == "bright" and cell.factors["optimizer"] == "adam" and cell.seed < 2
        return usual(cell) if early else "planned"

    scene = scene_of(experiment, begun)
    assert scene.info.recipes == ("none", "bright")
    assert np.isnan(scene.info.panels[0].lines["bright"][1].mean)
    view = interplay_view(interplay(results_of(experiment, begun)), experiment)
    assert view.sentence.startswith("No winner can be named, as fewer than two recipes have enough scores under")
