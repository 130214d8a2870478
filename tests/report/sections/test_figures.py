"""Figures: info values that say what will be seen, drawings that hold it, and no trace in matplotlib's settings."""

import math
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from ablation.report.sections.effects.forest import ForestGroup, ForestInfo, ForestRow, draw_forest
from ablation.report.sections.effects.heat import HeatCell, HeatInfo, draw_heat

from ablation.core.seeds import stream
from ablation.report.sections.embedding.figure import Map, MapsInfo, draw_maps, shape
from ablation.report.sections.learning_curves.figure import CurvesInfo, Panel, draw_curves, mean_and_sd
from ablation.report.style import class_style, png, shortened, styles, svg

HOSTILE = '<b>&"crop" costs $5_a$'
LOOK = styles(["none", "crop", HOSTILE], "none")


def words(drawing: bytes) -> list[str]:
    """The texts of an SVG document."""
    return [node.text or "" for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def forest(*ends: tuple[float, float, float]) -> ForestInfo:
    rows = tuple(ForestRow(HOSTILE, estimate, low, high, "text", "better") for low, estimate, high in ends)
    return ForestInfo((ForestGroup("adam", rows),), 1.0, "points", "none")


def test_every_recipe_keeps_one_style_and_the_baseline_is_grey():
    names = [f"recipe {place}" for place in range(20)]
    look = styles(names, "recipe 3")
    assert len({(style.color, style.marker) for style in look.values()}) == 20
    assert look["recipe 3"] == LOOK["none"]
    assert styles(names[:5], "recipe 3")["recipe 4"] == look["recipe 4"]
    assert len({(class_style(place).color, class_style(place).marker) for place in range(40)}) == 40


def test_forest_shows_all_intervals_and_the_margin():
    low, high = forest((2.0, 4.0, 6.0), (math.nan, math.nan, math.nan)).limits
    assert low < -1.0
    assert high > 6.0
    made = draw_forest(forest((2.0, 4.0, 6.0), (math.nan, math.nan, math.nan)), LOOK)
    lines = [line.get_xdata() for line in made.axes[0].lines]
    assert [2.0, 6.0] in [list(line) for line in lines]
    assert made.axes[0].get_xlim() == pytest.approx((low, high))


def test_forest_says_which_side_is_better():
    better = {}
    for lower in (False, True):
        info = ForestInfo(forest((2.0, 4.0, 6.0)).groups, 1.0, "points", "none", lower)
        ends = {text.get_text(): text.xy[0] for text in draw_forest(info, LOOK).axes[0].texts if hasattr(text, "xy")}
        better[lower] = next(x for text, x in ends.items() if "better" in text)
    assert better == {False: 1, True: 0}


def test_a_curve_is_mean_and_sd_over_the_runs_that_got_so_far():
    curve = mean_and_sd("crop", [[(1, 10.0), (2, 20.0)], [(1, 14.0)]])
    np.testing.assert_allclose(curve.mean, [12.0, 20.0])
    np.testing.assert_allclose(curve.sd, [math.sqrt(8), math.nan])
    assert curve.seeds == 2


@pytest.mark.parametrize("conditions", [1, 2, 6])
def test_curves_have_two_panels_a_condition_on_one_scale(conditions):
    panels = []
    for place in range(conditions):
        curves = (mean_and_sd("crop", [[(1, 10.0 * place), (2, 50.0)]]),)
        panels.append(Panel(f"condition {place}", curves, curves))
    made = draw_curves(CurvesInfo(tuple(panels), ("crop",)), LOOK)
    seen = [axes for axes in made.axes if axes.get_visible()]
    assert len(seen) == 2 * conditions
    assert len({axes.get_ylim() for axes in seen}) == 1


def test_heat_shades_the_best_darkest_whichever_way_is_better():
    cells = ((HeatCell(80.0, "80.0", "baseline"), HeatCell(84.0, "84.0", "+4.0")), (HeatCell(math.nan, "", ""),) * 2)
    info = HeatInfo(("none", HOSTILE), ("adam", "sgd"), cells)
    assert [info.shade(cell) for cell in cells[0]] == [0.0, 1.0]
    assert math.isnan(info.shade(cells[1][0]))
    assert HeatInfo(info.recipes, info.conditions, cells, lower_is_better=True).shade(cells[0][0]) == 1.0
    seen = words(svg(draw_heat(info)))
    assert {"80.0", "+4.0", "baseline"} <= set(seen)
    assert seen.count("no finished run") == 2


@pytest.mark.parametrize(("maps", "expected"), [(1, (2, 1)), (3, (3, 1)), (5, (3, 2)), (8, (4, 2)), (9, (3, 3))])
def test_maps_leave_few_places_empty(maps, expected):
    assert shape(maps) == expected


def maps_info(classes: int) -> MapsInfo:
    labels = np.arange(3 * classes) % classes
    points = stream(0, "map").normal(size=(len(labels), 2))
    names = tuple(f"class {place}" for place in range(classes))
    return MapsInfo((Map("none", points, ("trust 0.9",)), Map(HOSTILE, points, ("trust 0.8",))), labels, names)


def test_maps_name_the_classes_unless_they_are_too_many():
    seen = words(svg(draw_maps(maps_info(12))))
    assert {f"class {place}" for place in range(12)} <= set(seen)
    assert {"trust 0.9", "trust 0.8"} <= set(seen)
    assert maps_info(100).named == ()
    assert "class 1" not in words(svg(draw_maps(maps_info(100))))


def test_names_are_drawn_as_they_are_and_escaped():
    drawing = svg(draw_forest(forest((2.0, 4.0, 6.0)), LOOK))
    assert HOSTILE in words(drawing)
    assert b"<b>" not in drawing


def test_drawing_twice_gives_the_same_bytes():
    assert svg(draw_maps(maps_info(5))) == svg(draw_maps(maps_info(5)))
    assert png(draw_maps(maps_info(5)), dpi=50) == png(draw_maps(maps_info(5)), dpi=50)


def test_drawing_leaves_no_trace_and_heeds_no_setting_of_the_user():
    expected = svg(draw_maps(maps_info(3)))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert svg(draw_maps(maps_info(3))) == expected
        assert dict(matplotlib.rcParams) == before


def test_long_names_keep_both_ends():
    assert shortened("short", 10) == "short"
    cut = shortened("brightness and contrast 0.4", 12)
    assert len(cut) == 12
    assert cut.startswith("bright")
    assert cut.endswith("t 0.4")
