"""Figures that a notebook draws: into the Axes that it gives or into one of their own, as the report draws them."""

import inspect
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from made_up import question, results_of
from matplotlib import pyplot as plt

import ablation
from ablation import (
    Adam,
    Brightness,
    Contrast,
    InputError,
    RandomResizedCrop,
    Study,
    Welch,
    class_changes,
    compare,
    confusion_changes,
    contributions,
    cost_plot,
    decision_curves,
    dose_curve,
    forest,
    interaction_plot,
    learning_curves,
    mean_grid,
    size_curve,
    split_gaps,
    tsne_map,
)
from ablation.data import TrainSize
from ablation.experiment.recipes import dose
from ablation.report.contents import section
from ablation.report.style import svg

OF_ALL = (forest, mean_grid, learning_curves, interaction_plot, class_changes, decision_curves, tsne_map, cost_plot)
OF_DESIGNS = (contributions, dose_curve, size_curve)
OF_PARTS = (split_gaps, confusion_changes)


@pytest.fixture(autouse=True)
def no_figures_left():
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert {key for key, value in matplotlib.rcParams.items() if value != before[key]} <= {"backend"}


@pytest.fixture(scope="module")
def studies(complete, build, fake, finished, tmp_path_factory) -> dict[object, Study]:
    """Each figure -> a study that has it."""
    recipes = {"none": (), "brightness": (Brightness(0.4),), "contrast": (Contrast(0.4),)}
    recipes |= {"both": (Brightness(0.4), Contrast(0.4)), **dose(RandomResizedCrop(), (0.5, 1))}
    designs = build(
        recipes=recipes, optimizers={"adam": Adam()}, vary={"train_size": (TrainSize(5), TrainSize(10))}, seeds=3
    )
    results = fake(designs, tmp_path_factory.mktemp("designs"), images=20)
    images = [10 * cell.spec.train_size.per_class for cell in results.cells]
    designed = Study(replace(results, frame=results.frame.assign(train_images=images)))
    every = {**dict.fromkeys(OF_ALL, Study(complete)), **dict.fromkeys(OF_DESIGNS, designed)}
    return every | dict.fromkeys(OF_PARTS, Study(finished.results))


@pytest.fixture
def small_maps(monkeypatch):
    monkeypatch.setattr("ablation.report.sections.embedding.compute.MOST_IMAGES", 60)


def test_every_figure_is_public_and_is_tried_here():
    every = {name for name in ablation.__all__ if getattr(ablation, name).__module__ == "ablation.report.figures"}
    assert every == {figure.__name__ for figure in (*OF_ALL, *OF_DESIGNS, *OF_PARTS)}
    for name in every:
        assert [*inspect.signature(getattr(ablation, name)).parameters.values()][-1].name == "ax"


@pytest.mark.parametrize("draw", [*OF_ALL, *OF_DESIGNS, *OF_PARTS])
@pytest.mark.usefixtures("small_maps")
def test_it_draws_into_the_axes_that_are_given_and_nowhere_else(draw, studies):
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    assert draw(studies[draw], ax=left) is left
    assert left.has_data() or left.texts
    assert not right.has_data()
    assert plt.get_fignums() == [1]
    left.figure.canvas.draw()


@pytest.mark.parametrize("draw", [*OF_ALL, *OF_DESIGNS, *OF_PARTS])
@pytest.mark.usefixtures("small_maps")
def test_without_axes_it_makes_a_figure_that_pyplot_knows(draw, studies):
    axes = draw(studies[draw])
    assert plt.gcf() is axes.figure
    axes.figure.canvas.draw()


def test_a_forest_has_a_dot_for_the_paired_difference_of_each_seed(complete):
    effects = compare(complete)
    axes = forest(effects)
    assert complete.experiment.declared_test.paired
    dots = [line for line in axes.lines if line.get_linestyle() == "None" and len(line.get_xdata()) == 5]
    tested = [effect for effect in effects if effect.verdict != "baseline"]
    for line, effect in zip(dots, tested, strict=True):
        paired = [100 * (effect.scores[seed] - effect.baseline_scores[seed]) for seed in effect.scores]
        np.testing.assert_allclose(line.get_xdata(), paired)
        assert np.mean(line.get_xdata()) == pytest.approx(100 * effect.estimate)
    low, high = axes.get_xlim()
    assert all(low < x < high for line in dots for x in line.get_xdata())


def test_dots_of_an_unpaired_test_are_differences_to_the_mean_of_the_baseline():
    results = results_of(replace(question(), test=Welch()))
    effects = compare(results)
    axes = forest(effects)
    (effect,) = (one for one in effects if one.recipe == "bright" and one.pooled)
    mean = np.mean(list(effect.baseline_scores.values()))
    expected = [100 * (score - mean) for score in effect.scores.values()]
    assert any(np.allclose(line.get_xdata(), expected) for line in axes.lines if len(line.get_xdata()) == len(expected))
    caption = section(results, "effects").figures[0].caption
    assert "Dots below are those of single seeds, to the baseline's mean." in caption


def test_a_forest_in_given_axes_names_its_rows_as_ticks(complete):
    axes = forest(compare(complete), ax=plt.figure().subplots())
    recipes = [recipe for recipe in complete.experiment.recipes if recipe != "none"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        *recipes * 3,
        *("adam", "sgd", "pooled"),
    ]
    assert [text.get_text() for text in axes.texts] == ["← worse", "better →"]
    assert axes.get_xlabel() == "difference to “none”, points of accuracy"


def test_a_legend_in_given_axes_covers_no_line(complete):
    axes = learning_curves(complete, condition="sgd", ax=plt.figure(figsize=(5, 4)).subplots())
    axes.figure.draw_without_rendering()
    legend, frame = axes.get_legend().get_window_extent(), axes.get_window_extent()
    highest = max(float(np.nanmax(line.get_ydata())) for line in axes.lines)
    assert legend.y0 > axes.transData.transform((0, highest))[1]
    assert legend.x1 <= frame.x1
    assert max(axes.get_yticks()) < axes.get_ylim()[1]


def test_learning_curves_have_a_thin_line_each_seed_and_a_thick_one_each_recipe(complete):
    axes = learning_curves(complete, condition="sgd")
    widths = [line.get_linewidth() for line in axes.lines]
    assert (sum(width < 1 for width in widths), sum(width > 1 for width in widths)) == (25, 5)
    assert axes.get_title(loc="left") == "sgd"
    history = complete.history()
    one = history[(history["recipe"] == "crop") & (history["optimizer"] == "sgd") & (history["seed"] == 2)]
    assert any(np.allclose(line.get_ydata(), 100 * one["val_accuracy"]) for line in axes.lines)
    assert learning_curves(complete, "train_loss").get_ylabel() == "training loss (nats)"


def test_of_too_many_seeds_a_band_is_drawn_and_said(complete, monkeypatch):
    monkeypatch.setattr("ablation.report.sections.learning_curves.MOST_LINES", 24)
    axes = learning_curves(complete)
    assert len(axes.lines) == len(axes.collections) == 5
    (figure,) = section(complete, "learning_curves").figures
    assert figure.remarks is not None
    assert "band of ± 1 sd" in " ".join(figure.remarks(figure.data))


def test_the_figure_of_its_own_is_that_of_the_report(complete):
    """A figure is drawn in one place."""
    (figure, *_), look = section(complete, "effects").figures, section(complete, "effects").look
    assert svg(forest(compare(complete))) == svg(figure.draw(figure.data, look))


def test_heeds_no_setting_of_the_user_in_a_figure_of_its_own(complete):
    expected = svg(forest(compare(complete)))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert svg(forest(compare(complete))) == expected


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda r: learning_curves(r, condition="adamm"),
            r"condition = 'adamm'; did you mean 'adam'\? .*'adam', 'sgd'",
        ),
        (lambda r: learning_curves(r, "loss"), "measure = 'loss'.*'val_accuracy', 'train_loss'"),
        (lambda r: decision_curves(r, "macr"), "kind = 'macr'; did you mean 'macro'"),
        (lambda r: tsne_map(r, "corp"), "recipe = 'corp'; did you mean 'crop'"),
        (lambda r: interaction_plot(r, "x"), "panel = 'x'"),
        (lambda r: cost_plot(r, "money"), "cost = 'money'"),
        (dose_curve, "has no section 'dose_response'"),
        (size_curve, "has no section 'train_size'"),
        (lambda _: contributions(results_of(question())), "has no section 'attribution'"),
        (lambda r: confusion_changes(r, "corp"), "recipe = 'corp'; did you mean 'crop'"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_error(complete, draw, message):
    with pytest.raises(InputError, match=message):
        draw(complete)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("draw", [*OF_ALL, *OF_DESIGNS, *OF_PARTS])
def test_of_no_finished_run_there_is_nothing_to_draw(draw, build, fake, tmp_path):
    planned = Study(fake(build(seeds=3), tmp_path, fate=lambda _: "planned"))
    with pytest.raises(InputError):
        draw(planned)


@pytest.mark.parametrize("draw", [forest, mean_grid])
def test_effects_are_those_of_compare(draw, complete):
    with pytest.raises(TypeError, match=rf"{draw.__name__}: tuple: expected what compare\(results\) gives"):
        draw(tuple(compare(complete)))
    with pytest.raises(TypeError, match="Effects: expected Results"):
        cost_plot(compare(complete))


def test_why_there_is_no_section_is_said_by_what_has_finished(build, fake, tmp_path):
    experiment = build(recipes={"none": (), "brightness": (Brightness(0.4),)}, optimizers={"adam": Adam()}, seeds=3)
    for name, fate, why in (
        ("none", lambda cell: "planned", "no run has finished; ablation run {} trains them"),
        ("some", lambda cell: "failed" if cell.seed else "finished", "or too few runs have finished (2 of 6 runs)"),
        ("all", lambda cell: "finished", "its grid does not ask that question"),
    ):
        results = fake(experiment, tmp_path / name, fate=fate)
        with pytest.raises(InputError) as raised:
            interaction_plot(results)
        assert str(raised.value).endswith(why.format(experiment.name))
