"""Figures: data that says what will be seen, drawings that hold it, and no trace in matplotlib's settings."""

import math
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablation.analysis.separability import Separability
from ablation.core.seeds import stream
from ablation.evidence.study import Study
from ablation.report.charts import MOST_ENDS, IntervalGroup, IntervalRow, IntervalsInfo, draw_intervals, stacked
from ablation.report.contents import report_of
from ablation.report.section import Figure as Drawn
from ablation.report.sections.effects.figure import HeatCell, HeatInfo, draw_heat
from ablation.report.sections.embedding.compute import Map, MapsInfo
from ablation.report.sections.embedding.figure import draw_maps, named, shape
from ablation.report.sections.learning_curves import MOST_CONDITIONS, CurvesInfo, draw_curves, left_out
from ablation.report.style import HIGHEST, class_style, shortened, styles, svg

HOSTILE = '<b>&"crop" costs $5_a$'
LOOK = styles(["none", "crop", HOSTILE], "none")


def words(drawing: bytes) -> list[str]:
    """The texts of an SVG document."""
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def forest(*ends: tuple[float, float, float], lower_is_better: bool = False) -> IntervalsInfo:
    rows = tuple(IntervalRow(HOSTILE, estimate, low, high, "text") for low, estimate, high in ends)
    return IntervalsInfo((IntervalGroup("adam", rows),), 1.0, "difference to none, points", lower_is_better)


def test_every_recipe_keeps_one_style_and_the_baseline_is_grey():
    names = [f"recipe {number}" for number in range(20)]
    look = styles(names, "recipe 3")
    assert len({(style.color, style.marker) for style in look.values()}) == 20
    assert look["recipe 3"] == LOOK["none"]
    assert styles(names[:5], "recipe 3")["recipe 4"] == look["recipe 4"]
    assert len({(class_style(number).color, class_style(number).marker) for number in range(40)}) == 40


def test_forest_shows_all_intervals_and_the_margin():
    low, high = forest((2.0, 4.0, 6.0), (math.nan, math.nan, math.nan)).limits
    assert low < -1.0
    assert high > 6.0
    axes = draw_intervals(forest((2.0, 4.0, 6.0), (math.nan, math.nan, math.nan)), LOOK)
    assert [2.0, 6.0] in [list(line.get_xdata()) for line in axes.lines]
    assert axes.get_xlim() == pytest.approx((low, high))


def test_seeds_of_one_value_are_as_many_dots():
    depth = stacked([1.0, 2.0, 1.0, 1.0001, -1.0], 10.0)
    assert depth[[0, 1, 4]].tolist() == [0, 0, 0]
    assert 0 < depth[2] < depth[3] < 0.5
    assert len(set(stacked([0.0] * 30, 1.0))) == 30
    assert max(stacked([0.0] * 30, 1.0)) < 0.5
    row = IntervalRow(HOSTILE, 4.0, 2.0, 6.0, "text", seeds=(1.0, 1.0, 2.0))
    axes = draw_intervals(IntervalsInfo((IntervalGroup("adam", (row,)),), 1.0, "difference to none, points"), LOOK)
    (dots,) = [line for line in axes.lines if list(line.get_xdata()) == [1.0, 1.0, 2.0]]
    assert len(set(dots.get_ydata())) == 2


def test_forest_says_which_side_is_better():
    better = {}
    for lower in (False, True):
        axes = draw_intervals(forest((2.0, 4.0, 6.0), lower_is_better=lower), LOOK)
        ends = {text.get_text(): text.xy[0] for text in axes.texts if hasattr(text, "xy")}
        better[lower] = next(x for text, x in ends.items() if "better" in text)
    assert better == {False: 1, True: 0}


def test_a_figure_is_drawn_into_axes_that_are_given():
    axes = Figure().add_subplot()
    assert draw_intervals(forest((2.0, 4.0, 6.0)), LOOK, axes) is axes
    assert draw_heat(HeatInfo(("none",), ("adam",), ((HeatCell(80.0, "80.0", "baseline"),),)), LOOK, axes) is axes


@pytest.mark.parametrize("conditions", [1, 2, 6])
def test_curves_have_two_panels_a_condition_on_one_scale(conditions):
    curves = pd.DataFrame(
        {
            "condition": np.repeat([f"condition {index}" for index in range(conditions)], 2),
            "recipe": "crop",
            "epoch": [1, 2] * conditions,
            "val_accuracy": [x for index in range(conditions) for x in (10.0 * index, 50.0)],
            "train_loss": 1.0,
            "val_accuracy_sd": np.nan,
            "train_loss_sd": np.nan,
        }
    )
    panels = draw_curves(CurvesInfo(curves), LOOK)
    assert len(panels) == 2 * conditions
    assert len({axes.get_ylim() for axes in panels[::2]}) == len({axes.get_ylim() for axes in panels[1::2]}) == 1


def curves_of(recipes: list[str], conditions: int) -> pd.DataFrame:
    """Two epochs each; the later the recipe, the better it ends."""
    rows = [
        {"condition": f"condition {number}", "recipe": recipe, "epoch": epoch, "val_accuracy": 50.0 + epoch * index,
         "train_loss": 1.0, "val_accuracy_sd": 1.0, "train_loss_sd": 0.1}
        for number in range(conditions) for index, recipe in enumerate(recipes) for epoch in (1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("recipes", "conditions"), [(2, 1), (MOST_ENDS, 6), (60, 2), (60, 9)])
def test_curves_of_many_recipes_are_those_of_the_baseline_and_the_best(recipes, conditions):
    names = ["none", *(f"r{number}" for number in range(recipes - 1))]
    look, curves = styles(names, "none"), curves_of(names, conditions)
    panels = draw_curves(CurvesInfo(curves), look)
    assert panels[0].figure.get_figheight() <= HIGHEST
    assert len(panels) == 2 * min(conditions, MOST_CONDITIONS)
    ends = {text.get_text() for panel in panels for text in panel.texts}
    assert ends == ({*names[-MOST_ENDS + 1 :], "none"} if recipes > MOST_ENDS else set(names))
    said = " ".join(left_out(curves))
    assert ("the baseline and 11 of 60 recipes" in said) == (recipes == 60)
    assert ("the first 6 of 9 conditions" in said) == (conditions == 9)
    assert bool(said) == (recipes == 60)


def test_every_recipe_that_a_figure_names_is_marked_in_it(complete, monkeypatch):
    monkeypatch.setattr("ablation.report.sections.embedding.compute.MOST_IMAGES", 60)
    report = report_of(Study(complete))
    drawn = set()
    for section in report.sections:
        for figure in (one for one in section.figures if isinstance(one, Drawn)):
            data = figure.data() if callable(figure.data) else figure.data
            root = ElementTree.fromstring(svg(figure.draw(data, report.look)))
            text = {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}
            for recipe, style in report.look.items():
                assert recipe not in text or root.findall(f".//*[@data-recipe='{style.index}']"), (section.slug, recipe)
            drawn |= {section.slug} if text & set(report.look) else set()
    assert {"effects", "interaction", "split_analysis", "embedding", "learning_curves"} <= drawn


def test_heat_shades_the_best_darkest_whichever_way_is_better():
    cells = ((HeatCell(80.0, "80.0", "baseline"), HeatCell(84.0, "84.0", "+4.0")), (HeatCell(math.nan, "", ""),) * 2)
    info = HeatInfo(("none", HOSTILE), ("adam", "sgd"), cells)
    assert [info.shade(cell) for cell in cells[0]] == [0.0, 1.0]
    assert math.isnan(info.shade(cells[1][0]))
    assert HeatInfo(info.recipes, info.conditions, cells, lower_is_better=True).shade(cells[0][0]) == 1.0
    observed = words(svg(draw_heat(info, LOOK)))
    assert {"80.0", "+4.0", "baseline"} <= set(observed)
    assert observed.count("no finished run") == 2


@pytest.mark.parametrize(("maps", "expected"), [(1, (2, 1)), (3, (3, 1)), (5, (3, 2)), (8, (4, 2)), (9, (3, 3))])
def test_maps_leave_few_places_empty(maps, expected):
    assert shape(maps) == expected


def maps_info(classes: int) -> MapsInfo:
    labels = np.arange(3 * classes) % classes
    points = stream(0, "map").normal(size=(len(labels), 2))
    names = tuple(f"class {number}" for number in range(classes))
    measures = Separability(silhouette=0.25, knn_accuracy=0.75, neighbours=20)
    maps = (Map(name, points, trust, 30, measures, labels) for name, trust in (("none", 0.9), (HOSTILE, 0.8)))
    return MapsInfo(tuple(maps), labels, names)


def test_maps_name_the_classes_unless_they_are_too_many():
    observed = words(svg(draw_maps(maps_info(12), LOOK)))
    assert {f"class {number}" for number in range(12)} <= set(observed)
    assert {"map: trustworthiness 0.90", "map: trustworthiness 0.80: low"} <= set(observed)
    assert named(maps_info(100)) == ()
    assert "class 1" not in words(svg(draw_maps(maps_info(100), LOOK)))


def test_names_are_drawn_as_they_are_and_escaped():
    drawing = svg(draw_intervals(forest((2.0, 4.0, 6.0)), LOOK))
    assert HOSTILE in words(drawing)
    assert b"<b>" not in drawing


def test_drawing_twice_gives_the_same_bytes():
    assert svg(draw_maps(maps_info(5), LOOK)) == svg(draw_maps(maps_info(5), LOOK))
    assert svg(draw_maps(maps_info(5), LOOK)) == svg(draw_maps(maps_info(5), LOOK))


def test_drawing_leaves_no_trace_and_heeds_no_setting_of_the_user():
    expected = svg(draw_maps(maps_info(3), LOOK))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert svg(draw_maps(maps_info(3), LOOK)) == expected
        assert dict(matplotlib.rcParams) == before


def test_long_names_keep_both_ends():
    assert shortened("short", 10) == "short"
    cut = shortened("brightness and contrast 0.4", 12)
    assert len(cut) == 12
    assert cut.startswith("bright")
    assert cut.endswith("t 0.4")
